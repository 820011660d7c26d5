/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the seed decides before anything happens: the network, Sluice's settings, who takes part and
 * how they behave. Everything is within bounds under which an honest client must get its end.
 */
#ifndef SLUICE_TESTS_SIM_PLAN_H
#define SLUICE_TESTS_SIM_PLAN_H

#include "address.h"
#include "endpoint.h"
#include "link.h"

enum cable { CABLE_FROM_CLIENTS, CABLE_TO_CLIENTS, CABLE_TO_BACKENDS, CABLE_FROM_BACKENDS, CABLES };

enum backend_mood {
	MOOD_NORMAL,
	MOOD_REFUSING,
	MOOD_SILENT,
	MOOD_SLOW, /**< to answer a SYN */
	MOOD_DYING /**< forgets everything at one moment, refuses a while, comes back */
};

struct backend_plan {
	enum backend_mood mood;
	struct traits traits;
	ticks_t answer_delay;
	ticks_t dies_at;
	ticks_t returns_at;
	bool random_isn; /**< else rising with time on a tuple (RFC 6528) */
};

struct client_plan {
	unsigned slot; /**< the backend it talks to */
	struct traits traits;
	unsigned rounds; /**< connections one after the other */
	bool reuses_port;
	bool random_isn;
	ticks_t starts_at;
	ticks_t pause; /**< between two rounds, longer than any frame lives */
};

struct plan {
	uint64_t seed;
	ticks_t start;
	unsigned vlans;
	bool is_clean; /**< no frame is lost or damaged, every buffer granted */
	struct link_quality cables[CABLES];

	/* Sluice. */
	uint32_t connections;
	uint32_t backlog;
	uint32_t connect_window;
	bool abort_on_overflow;
	uint8_t syn_retries;
	uint8_t announced_wscale;
	ticks_t poll_interval;	  /**< longest wait of a frame in the port */
	uint32_t buffer_refusals; /**< in a thousand */
	bool nic_verifies;

	struct backend_plan backends[BACKENDS];
	unsigned clients;
	struct client_plan client[CLIENTS_MAX];

	/* Hostile packets, spread over the first half minute. */
	uint32_t floods;
	uint32_t forgeries;
	uint32_t blind_shots;
};

void plan_draw(struct plan *plan, uint64_t seed, struct dice *dice);

#endif
