/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attackers off the path: floods of SYNs from random sources, forged ACKs, and blind shots (RST,
 * SYN, FIN, data) into the connections of honest clients, whose ports and windows they know, but
 * not their exact numbers.
 */
#ifndef SLUICE_TESTS_SIM_HOSTILE_H
#define SLUICE_TESTS_SIM_HOSTILE_H

#include "host_client.h"

struct hostile {
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct link *out;
	const struct host_client *clients; /**< plan->clients of them */
};

/** Sets every attack. */
void hostile_start(struct hostile *hostile);

#endif
