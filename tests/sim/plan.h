/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the seed decides before anything happens: the network, Sluice's settings and when they are
 * changed, who takes part and how they behave. Everything is within bounds under which an honest
 * client must get its end.
 */
#ifndef SLUICE_TESTS_SIM_PLAN_H
#define SLUICE_TESTS_SIM_PLAN_H

#include "address.h"
#include "endpoint.h"
#include "link.h"
#include "table/snapshot.h"

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
	unsigned lost_proofs; /**< how many of a round's first ACKs never leave the client */
	ticks_t starts_at;
	ticks_t pause; /**< between two rounds, longer than any frame lives */
};

/** What a reload may change about one backend. */
struct queue_settings {
	uint8_t syncookies;
	bool abort_on_overflow;
	uint8_t synack_retries;
	enum queue_rules rules;
	uint8_t announced_wscale;
	bool is_draining;
	bool resets_strays;
	uint32_t backlog;
	uint32_t max_syn_backlog;
	uint32_t connect_window;
	enum early_data early_data;
};

/** A configuration, in force from one moment on. */
struct version {
	ticks_t at;
	bool changes_secret;
	struct queue_settings queues[BACKENDS];
};

#define VERSIONS_MAX 7

/** An operator's command. */
struct order {
	ticks_t at;
	bool flushes; /**< all of a backend's clients; else lists half-open ones */
	unsigned slot;
};

#define ORDERS_MAX 4
#define WORKERS_MAX 2

struct plan {
	uint64_t seed;
	ticks_t start;
	unsigned vlans;
	bool is_clean; /**< no frame is lost or damaged, every buffer granted */
	struct link_quality cables[CABLES];

	/* Sluice. */
	unsigned workers;
	uint32_t connections;	/**< per worker */
	uint32_t syn_entries;	/**< per worker */
	uint32_t early_packets; /**< per worker */
	uint8_t syn_retries;
	bool foreign_cookies;
	ticks_t poll_interval;	  /**< longest wait of a frame in the port */
	uint32_t buffer_refusals; /**< in a thousand */
	bool nic_verifies;
	unsigned version_count; /**< at least 1: the first is there from the start */
	struct version versions[VERSIONS_MAX];
	unsigned order_count;
	struct order orders[ORDERS_MAX];

	struct backend_plan backends[BACKENDS];
	unsigned clients;
	struct client_plan client[CLIENTS_MAX];

	/* Hostile packets, spread over the first half minute. */
	uint32_t floods;
	bool floods_in_waves; /**< within a moment, every few seconds */
	uint32_t forgeries;
	uint32_t blind_shots;
};

void plan_draw(struct plan *plan, uint64_t seed, struct dice *dice);

/** True when any version resets clients that meet a full accept ring. */
bool plan_ever_aborts(const struct plan *plan);

/** True when any version lets a backend's clients send before it has answered. */
bool plan_may_hold(const struct plan *plan, unsigned slot);

/** The least and the most tcp_synack_retries of all versions. */
uint8_t plan_least_retries(const struct plan *plan);
uint8_t plan_most_retries(const struct plan *plan);

#endif
