/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice in its place: workers, two ports, and a main loop that polls them whenever something
 * has arrived, hands each packet to the worker that owns its client, and ticks a worker when it
 * says that something is due.
 */
#ifndef SLUICE_TESTS_SIM_APPLIANCE_H
#define SLUICE_TESTS_SIM_APPLIANCE_H

#include "checker.h"
#include "link.h"
#include "proxy/worker.h"
#include "queue_watch.h"

struct appliance;

/** A port's queue of received frames. */
struct port {
	struct appliance *appliance;
	enum side side;
	struct link *out;
	unsigned count;
	unsigned room;
	struct frame **frames;
};

/** A worker and its part of the main loop. */
struct core {
	struct appliance *appliance;
	struct worker *worker;
	struct inspect *box; /**< its letter-box */
	ticks_t ticks_at;
	void *memory;
};

struct appliance {
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct checker *checker;
	struct port ports[SIDE_COUNT];
	bool is_polling; /**< an event is set */
	struct core cores[WORKERS_MAX];
	struct worker *workers[WORKERS_MAX]; /**< the same workers */
	const struct snapshot *snapshot;     /**< the operator's */
	struct backend_shared shared[BACKENDS];
	struct queue_watch watch;
	int lent;
};

/** plan, clock, dice, checker and snapshot are set. filler: what the memory holds before, which
 * must make no difference. */
void appliance_start(struct appliance *appliance, uint8_t filler);
void appliance_fini(struct appliance *appliance);

/** A frame arrives at a port; context is a struct port. */
void appliance_receive(void *context, struct frame *frame);

/** Ticks a worker now, which also looks into its letter-box. */
void appliance_tick(struct appliance *appliance, unsigned core);

/** Connections held now. */
uint64_t appliance_connections(const struct appliance *appliance);

/** How many of them count as established. */
uint64_t appliance_open(const struct appliance *appliance);

/** Nobody is half open any more. */
void appliance_check_half_open(struct appliance *appliance);

/** What must hold when nothing is left: no connection, nobody waiting or half open, nothing lent.
 */
void appliance_check_empty(struct appliance *appliance);

#endif
