/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the appliance is configured to do now, and how it gets to be configured otherwise: which
 * backend lives in which slot, the published snapshot, reloads, changes of one key, draining.
 * Owned by the control thread; workers see only the snapshots that it publishes.
 *
 *	          reload adds                    reload removes             nothing left of it,
 *	SLOT_FREE ───────────► SLOT_SERVING ◄──────────────────► SLOT_DRAINING ──────► SLOT_FREE
 *	                                      reload adds again       and no worker can see it
 *
 * A backend is the same over a reload when its address and port are: it keeps its slot, its
 * connections and its counters, whatever its name and settings become. A removed one takes no
 * new connections, stays published until the last old one has ended, and then passes like
 * foreign traffic. Its slot is free for another backend once no worker can see it any more.
 *
 * All functions take the workers' clock as now.
 */
#ifndef SLUICE_CONTROL_REGISTRY_H
#define SLUICE_CONTROL_REGISTRY_H

#include <jansson.h>

#include "control/config.h"
#include "control/publish.h"
#include "control/stats.h"
#include "table/backend_shared.h"
#include "table/inspect.h"

enum slot_use { SLOT_FREE, SLOT_SERVING, SLOT_DRAINING };

/** What says most of a backend's queues. */
struct mode_counts {
	uint64_t cookies;   /**< SyncookiesSent */
	uint64_t overflows; /**< ListenOverflows */
	uint64_t drops;	    /**< ListenDrops */
	uint64_t evicted;   /**< SynQueueEvicted */
};

struct slot {
	enum slot_use use;
	struct backend_config config; /**< as published last */
	ticks_t since;		      /**< when it began serving, or draining */
	ticks_t deadline;	      /**< draining: when the rest is reset; TICKS_NEVER: never */
	bool was_empty;		      /**< draining: the last tick found nothing left of it */
	bool is_held;		      /**< free, but a worker may still see what was there */
	uint64_t mode_generation;     /**< of the first snapshot with its mode */
	struct mode_counts at_mode;   /**< when that was published */
	struct backend_counters baseline; /**< sums over the workers when the slot was taken: what
					     counts of this backend is above */
};

/** How the last reload went. */
struct reload_outcome {
	ticks_t at; /**< 0: none yet */
	bool accepted;
	unsigned error_count;
	char first_error[256]; /**< cut if longer; empty when accepted */
};

/** What a configuration changes, by name: arrays of strings. A backend that was draining and serves
 * again is added. */
struct reload_changes {
	json_t *added;
	json_t *removed;
	json_t *changed;
};

/** What the registry needs from around it; all members outlive it. */
struct registry_env {
	void *context;
	const struct stats_worker *workers;
	unsigned worker_count;
	struct backend_shared *shared; /**< by slot */
	const struct snapshot **where; /**< the pointer that workers load */
	struct rte_rcu_qsbr *qsbr;     /**< every worker reports to it; NULL: nothing ever reads */
	/** Has the worker answer a copy of the letter and waits for it; false when that takes
	 * longer than the appliance wants to wait. The letter stays the caller's, to free or to
	 * send again.
	 */
	bool (*ask)(void *context, unsigned worker, struct inspect *letter);
	/** Reads the master secret as the configuration says, as at start. False with a message
	 * when it can't. */
	bool (*secret)(void *context, const struct config *config, struct siphash_key *secret,
			char *message, size_t size);
	/** Makes look-up tables of a list that is not empty, held once; NULL with a message when it
	 * can't. NULL: lists are read, and not looked up. */
	struct source_lists *(*lists)(
			void *context, const struct prefix_list *list, char *message, size_t size);
	uint64_t seed; /**< of the snapshots' hash */
	/** What was configured before a restart, whose cookies are still out there (proxy/state.h);
	 * NULL: nothing. Until registry_init() returns. */
	const struct snapshot *before;
};

struct registry {
	struct registry_env env;
	const char *path;      /**< of the configuration file */
	struct config *config; /**< as loaded last; owned. Stays at its address, as does all in it
				  that needs a restart */
	struct slot *slots;    /**< config->backends_max of them */
	uint32_t slots_used;   /**< slots above were never used */
	uint64_t generation;   /**< of the published snapshot; goes up with every publication */
	uint64_t config_generation; /**< counts accepted configurations, the first is 1 */
	uint32_t incarnations;	    /**< given out so far */
	struct cookie_plan cookies;
	struct reload_outcome last_reload;
	struct reload_changes changes; /**< of the last accepted reload; empty before; owned */
	bool lists_are_open; /**< there is memory for tables, from registry_open_lists() on */
	struct source_lists *lists; /**< of config->sources.list; NULL: none. Held */
	ticks_t lists_read_at;	    /**< when the files were read that the lists are from */
	struct publication publication;
};

/** Takes config over and publishes it. False when out of memory or without a secret, with a
 * message; call registry_fini() in either case. */
bool registry_init(struct registry *registry, const struct registry_env *env, const char *path,
		struct config *config, ticks_t now, char *message, size_t size);

/** Makes the tables of the configured lists, and publishes them; before the first worker runs.
 * False with a message when it can't. */
bool registry_open_lists(struct registry *registry, ticks_t now, char *message, size_t size);

/** Ends the tables; after the workers have ended. */
void registry_close_lists(struct registry *registry);

/** After the workers have ended; lists that were opened are closed. */
void registry_fini(struct registry *registry);

/**
 * Reads the file again and, if nothing is wrong with it, publishes it; with any error nothing
 * changes and errors says all of them (also by key name what would need a restart).
 * drain_deadline: when what is left of removed backends is reset, or TICKS_NEVER; with
 * TICKS_NEVER control.drain_s of the new file counts, if set. errors is the caller's to free.
 */
bool registry_reload(struct registry *registry, ticks_t now, ticks_t drain_deadline,
		struct config_errors *errors);

/** What registry_reload() would say now, without doing it. Notes that are no errors (backends that
 * would be added, removed, changed) go to notes, an array of strings, if that is not NULL. */
bool registry_check(const struct registry *registry, json_t *notes, struct config_errors *errors);

/**
 * Sets one key of one serving backend, as a configuration file could for that backend, and
 * publishes. Lasts until the next reload. value is checked as in a file. False with errors filled
 * when it can't be.
 */
bool registry_set(struct registry *registry, const char *backend, const char *key,
		const json_t *value, ticks_t now, struct config_errors *errors);

/** Ends all that a slot holds, on all workers: half-open clients are forgotten, the others reset at
 * both ends. Returns how many; false in *complete when a worker did not answer. */
uint64_t registry_flush(struct registry *registry, uint16_t slot, bool *complete);

/** The slot of a serving backend of that name, or of a draining one by its listed name; NULL for
 * none. */
struct slot *registry_find(const struct registry *registry, const char *name);

/** The name that listings use: the backend's own, or "NAME~SLOT" while it drains (names have no
 * "~"). Into text. */
#define REGISTRY_NAME_BYTES (BACKEND_NAME_BYTES + 8)
void registry_name(const struct registry *registry, const struct slot *slot,
		char text[REGISTRY_NAME_BYTES]);

/** Counters of a slot since its backend took it, summed over the workers; the gauges (CurrEstab,
 * connections) as they are. */
void registry_counters(const struct registry *registry, const struct slot *slot,
		struct backend_counters *sum);

/** Some of them since the backend has had its mode. */
struct mode_counts registry_since_mode(const struct registry *registry, const struct slot *slot);

/** Counters of all slots since start, those of removed backends included. */
void registry_total(const struct registry *registry, struct backend_counters *sum);

/** About once a second: ends what is drained, enforces deadlines, frees retired snapshots. */
void registry_tick(struct registry *registry, ticks_t now);

static inline uint16_t
registry_slot(const struct registry *registry, const struct slot *slot)
{
	return (uint16_t)(slot - registry->slots);
}

#endif
