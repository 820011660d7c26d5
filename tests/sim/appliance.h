/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice in its place: workers, two ports, and a main loop that polls them whenever something
 * has arrived, hands each packet to the worker that owns its client, and ticks a worker when it
 * says that something is due. A packet that the NIC brings to the wrong worker reaches the right
 * one a little later, over a bounded ring.
 */
#ifndef SLUICE_TESTS_SIM_APPLIANCE_H
#define SLUICE_TESTS_SIM_APPLIANCE_H

#include "checker.h"
#include "link.h"
#include "proxy/worker.h"
#include "queue_watch.h"

struct appliance;

/** Frames in the order of their arrival. */
struct frames {
	unsigned count;
	unsigned room;
	struct frame **at;
};

/** A port's queue of received frames. */
struct port {
	struct appliance *appliance;
	enum side side;
	struct link *out;
	struct frames frames;
};

/** What a worker has to take from one port. */
struct box {
	struct core *core;
	enum side from;
	unsigned steered; /**< on their way here from another worker */
	struct frames frames;
};

/** A worker and its part of the main loop. */
struct core {
	struct appliance *appliance;
	struct worker *worker;
	struct box boxes[SIDE_COUNT];
	bool is_called;	     /**< to its boxes: an event is set */
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
	uint64_t packets_before; /**< taken by workers of before a restart */
	uint8_t filler;
	uint8_t *saved; /**< their state, while there are no workers; else NULL */
	size_t saved_size;
};

/** plan, clock, dice, checker and snapshot are set. filler: what the memory holds before, which
 * must make no difference. */
void appliance_start(struct appliance *appliance, uint8_t filler);
void appliance_fini(struct appliance *appliance);

/** For restart.c: the workers stop, and give their memory back; new ones begin, empty. Meanwhile
 * what arrives is lost. */
void appliance_stop_workers(struct appliance *appliance);
void appliance_start_workers(struct appliance *appliance);

/** True while the operator waits for an answer. */
bool appliance_has_letters(const struct appliance *appliance);

/** A frame arrives at a port; context is a struct port. */
void appliance_receive(void *context, struct frame *frame);

/** Ticks a worker now, which also looks into its letter-box; nothing happens in a standstill. */
void appliance_tick(struct appliance *appliance, unsigned core);

/* Between appliance.c and appliance_ports.c. */

void frames_fini(struct frames *frames);
void core_listen(struct core *core, struct appliance *appliance);

/** Sends a frame, unless the port is stuck; note: what the trace says of it. */
void port_send(struct port *port, struct frame *frame, const char *note);

/** When a worker that stands still goes on; now, if it does not. */
ticks_t core_wakes_at(const struct core *core);

/** After every call of a worker: its next timer may be due earlier than before. */
void core_set_tick(struct core *core);

/** After every call of a worker: its queues; and its sums, once its packets are noted. */
void appliance_watch_call(struct appliance *appliance);
void appliance_check_workers(struct appliance *appliance);

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
