/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All workers: their memory, what they share, and their cores. The control thread builds them,
 * starts and joins them; between start and join each belongs to its core, except for counters
 * and the stop flag.
 */
#ifndef SLUICE_APP_WORKERS_H
#define SLUICE_APP_WORKERS_H

#include "control/config.h"
#include "control/stats.h"
#include "keys.h"
#include "loop.h"
#include "mbufs.h"
#include "port.h"

struct workers {
	const struct config *config;
	unsigned count;
	unsigned running; /**< of the first ones; the rest was never started */
	bool is_built;	  /**< all of it: counters can be read */
	bool stop;
	struct clock clock;			/**< the same for all */
	struct loop *loops[CONFIG_WORKERS_MAX]; /**< each on its worker's node */
	struct stats_worker stats[CONFIG_WORKERS_MAX];
	struct watchdog watches[CONFIG_WORKERS_MAX]; /**< the control thread's */
	struct load loads[CONFIG_WORKERS_MAX];	     /**< the same */
	const struct snapshot *snapshot;	     /**< what workers load; the registry's */
	struct rte_rcu_qsbr *qsbr;		     /**< thread i is worker i */
	struct backend_shared *shared;		     /**< by all workers, by backend slot */
	struct sluice_limits limits;
	struct hops hops;   /**< by all workers */
	enum kernel kernel; /**< set by the owner before workers_build() */
	unsigned mtu;	    /**< the smaller one of both ports' */
	struct steer steer;
};

/** Makes what all of them share. Needs no EAL. False when out of memory, already said; call
 * workers_fini() in either case. */
bool workers_init(struct workers *workers, const struct config *config);

/** Builds the tables of every worker on started ports; a snapshot is published by then. False when
 * out of memory, already said; call workers_raze() in either case. */
bool workers_build(struct workers *workers, const struct config *config, const struct keys *keys,
		const struct port ports[SIDE_COUNT], const struct mbufs *mbufs);

/** Launches every worker on its core. */
bool workers_start(struct workers *workers);

/** Unix time; what the workers' clock starts from. */
ticks_t workers_wall_clock(void);

/** The time as workers see it. After workers_build(). */
ticks_t workers_now(const struct workers *workers);

/**
 * Has a running worker answer a copy of the letter, and copies the answer back. False when that
 * takes longer than a second; until the worker has answered after all, further letters to it fail
 * at once. Control thread only.
 */
bool workers_ask(struct workers *workers, unsigned worker, struct inspect *letter);

/**
 * A few times a second: says which workers have made no progress for limit (0: none), and which go
 * on again, and measures their load. True when none stands still. Control thread only.
 */
bool workers_watch(struct workers *workers, ticks_t limit);

/** Stops and joins them, frees the packets on their way between them, and lets the ports give
 * back what was sent. Counters stay readable, and workers_resume() makes them run again. Ends the
 * process, and says so, when a worker does not end within seconds. */
void workers_stop(struct workers *workers);

/** Launches stopped workers again, on ports that were closed and started anew meanwhile. */
bool workers_resume(struct workers *workers, const struct port ports[SIDE_COUNT]);

/** Packets that the port of that side refused to send, all workers. */
uint64_t workers_refused(const struct workers *workers, enum side side);

/** Packets that were larger than the MTU of that side's port, all workers. */
uint64_t workers_too_large(const struct workers *workers, enum side side);

/** Packets that changed workers. */
uint64_t workers_steered(const struct workers *workers);

/** Undoes workers_build(); while EAL is up. */
void workers_raze(struct workers *workers);

/** Undoes workers_init(). */
void workers_fini(struct workers *workers);

#endif
