/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An honest client: one address, one connection after the other, each for one dialogue. Whatever
 * else reaches its address gets a RST, as from any host.
 */
#ifndef SLUICE_TESTS_SIM_HOST_CLIENT_H
#define SLUICE_TESTS_SIM_HOST_CLIENT_H

#include "application.h"
#include "checker.h"
#include "host_server.h"
#include "link.h"

struct host_client {
	unsigned number;
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct checker *checker;
	const struct host_server *server; /**< what the backends heard; for the checker */
	struct link *out;
	struct application app;
	unsigned rounds_left;
	uint16_t port;
	uint32_t isn_base;
	unsigned proofs_to_lose;
	bool has_proved;
	bool has_ended; /**< this round, or none was begun */
};

/** Sets the first round's beginning. */
void host_client_start(struct host_client *client, unsigned number);

/** Takes a frame that the network brought to this client's address. */
void host_client_receive(struct host_client *client, struct frame *frame);

#endif
