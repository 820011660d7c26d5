/* SPDX-License-Identifier: BSD-3-Clause */
/* The host with the backends: listens on all of them, each in its mood. */
#ifndef SLUICE_TESTS_SIM_HOST_SERVER_H
#define SLUICE_TESTS_SIM_HOST_SERVER_H

#include "application.h"
#include "checker.h"
#include "link.h"

/** One connection at a backend. */
struct served {
	struct application app;
	struct host_server *server;
	struct served *next; /**< an older one of the same client */
	unsigned client;
	unsigned slot;
	uint16_t port;
	uint32_t life; /**< the client's ISN */
	bool is_ghost;
};

struct host_server {
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct checker *checker;
	struct link *out;
	struct served *served[CLIENTS_MAX]; /**< latest first; kept until the end of the run */
};

/** Sets the moments at which backends die. */
void host_server_start(struct host_server *server);
void host_server_fini(struct host_server *server);

/** Takes a frame; context is the server. */
void host_server_receive(void *context, struct frame *frame);

/** A client's connection by port and ISN, or NULL. */
const struct application *host_server_find(
		const struct host_server *server, unsigned client, uint16_t port, uint32_t isn);

#endif
