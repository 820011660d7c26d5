/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attackers off the path: floods of SYNs from random sources, forged ACKs, and blind shots (RST,
 * SYN, FIN, data) into the connections of honest clients, whose ports and windows they know, but
 * not their exact numbers. Odd ones send SYNs as no stack does. One is on the clients' path, but
 * can only overhear and send again what it heard, later.
 */
#ifndef SLUICE_TESTS_SIM_HOSTILE_H
#define SLUICE_TESTS_SIM_HOSTILE_H

#include "host_client.h"

#define OVERHEARD_MAX 64

struct hostile {
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct link *out;
	const struct host_client *clients; /**< plan->clients of them */
	struct frame *overheard[OVERHEARD_MAX];
	unsigned overheard_count; /**< all in all; the latest are kept */
};

/** Sets every attack. */
void hostile_start(struct hostile *hostile);
void hostile_fini(struct hostile *hostile);

/** Keeps a copy of an honest frame on its way; context is the struct hostile. */
void hostile_overhear(void *context, const struct frame *frame);

#endif
