/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice in its place: one worker, two ports, and a main loop that polls them whenever something
 * has arrived and ticks when the worker says that something is due.
 */
#ifndef SLUICE_TESTS_SIM_APPLIANCE_H
#define SLUICE_TESTS_SIM_APPLIANCE_H

#include "checker.h"
#include "link.h"
#include "proxy/worker.h"

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

struct appliance {
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct checker *checker;
	struct port ports[SIDE_COUNT];
	bool is_polling; /**< an event is set */
	ticks_t ticks_at;
	struct worker *worker;
	const struct snapshot *snapshot;
	uint32_t occupancy[BACKENDS];
	void *memory[2];
	int lent;
};

/** filler: what the memory holds before, which must make no difference. */
void appliance_init(struct appliance *appliance, const struct plan *plan, struct clock *clock,
		struct dice *dice, struct checker *checker, uint8_t filler);
void appliance_fini(struct appliance *appliance);

/** A frame arrives at a port; context is a struct port. */
void appliance_receive(void *context, struct frame *frame);

/** Connections held now. */
uint64_t appliance_connections(const struct appliance *appliance);

/** How many of them count as established. */
uint64_t appliance_open(const struct appliance *appliance);

/** What must hold when nothing is left: no connection, nothing waiting, nothing lent. */
void appliance_check_empty(struct appliance *appliance);

#endif
