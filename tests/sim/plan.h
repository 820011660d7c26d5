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

/** What a seed's world is like. In the last one there is something of everything. */
enum world {
	WORLD_CALM,	/**< nothing is lost, nobody hostile, queues have room */
	WORLD_LOSSY,	/**< bad links, narrow links, odd endpoints */
	WORLD_HOSTILE,	/**< floods, forgeries, replays; small queues */
	WORLD_OPERATOR, /**< reloads, new secrets, draining, flushes, listings; keys roll */
	WORLD_FAULTS, /**< backends that fail, no buffers, stuck ports, workers that stand still */
	WORLD_MIXED,
	WORLDS
};

enum fault_kind {
	FAULT_NO_BUFFERS,
	FAULT_NO_SENDING, /**< on one port */
	FAULT_STANDSTILL  /**< of one worker, for which the clock then jumps */
};

struct fault {
	enum fault_kind kind;
	unsigned which; /**< port or worker */
	ticks_t at;
	ticks_t lasts;
};

#define FAULTS_MAX 6

/** From the worker that got a frame to the one that owns it. */
#define STEER_DELAY_MAX (2 * TICKS_PER_MS)

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
	struct egress_rates egress;
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

/** A warm restart. */
struct restart {
	ticks_t at;
	ticks_t silence; /**< between the old workers and the new ones; what comes then is lost */
};

#define RESTARTS_MAX 3
#define WORKERS_MAX 2

struct plan {
	uint64_t seed;
	enum world world;
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
	uint32_t missteered; /**< in a thousand: frames that the NIC brings to another worker */
	unsigned fault_count;
	struct fault faults[FAULTS_MAX];
	bool nic_verifies;
	unsigned version_count; /**< at least 1: the first is there from the start */
	struct version versions[VERSIONS_MAX];
	unsigned order_count;
	struct order orders[ORDERS_MAX];
	unsigned restart_count;
	struct restart restarts[RESTARTS_MAX];

	struct backend_plan backends[BACKENDS];
	unsigned clients;
	struct client_plan client[CLIENTS_MAX];

	/* Hostile packets, spread over the first half minute. */
	uint32_t floods;
	bool floods_in_waves; /**< within a moment, every few seconds */
	uint32_t forgeries;
	uint32_t blind_shots;
	uint32_t replays;
	uint32_t oddities; /**< SYNs with data or without options, and what no stack sends */
};

void plan_draw(struct plan *plan, enum world world, uint64_t seed);

/** "calm" and so on; NULL for a number that is no world. */
const char *world_name(enum world world);

/** True when a fault of that kind is on now, at that port or worker. */
bool plan_has_fault(const struct plan *plan, enum fault_kind kind, unsigned which, ticks_t now);

/** When no such fault is on any more, from now on. */
ticks_t plan_fault_ends(const struct plan *plan, enum fault_kind kind, unsigned which, ticks_t now);

/** Packets made by Sluice come late, or not at all, for want of buffers or time. */
bool plan_may_be_late(const struct plan *plan);

/** SYN-ACKs may go unrepeated for want of an egress budget. */
bool plan_may_withhold(const struct plan *plan);

/** The longest that a frame can be under way from end to end, with time to spare. */
ticks_t plan_frame_life(const struct plan *plan);

/** True when any version resets clients that meet a full accept ring. */
bool plan_ever_aborts(const struct plan *plan);

/** True when any version lets a backend's clients send before it has answered. */
bool plan_may_hold(const struct plan *plan, unsigned slot);

/** The least and the most tcp_synack_retries of all versions. */
uint8_t plan_least_retries(const struct plan *plan);
uint8_t plan_most_retries(const struct plan *plan);

#endif
