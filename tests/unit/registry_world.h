/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A registry with everything around it in plain sight: a configuration file that the test writes,
 * counters of two workers that it sets, letters that it answers, a secret that it chooses.
 *
 *	struct registry_world *w = registry_world_new("{NAME and so on}, ...");
 *	registry_world_write(w, "...");
 *	registry_world_reload(w);
 *	registry_world_free(w);
 */
#ifndef SLUICE_TESTS_REGISTRY_WORLD_H
#define SLUICE_TESTS_REGISTRY_WORLD_H

#include "control/registry.h"

enum { WORLD_WORKERS = 2, WORLD_SLOTS = 4 };

/** Backends for registry_world_write(); ' stands for the quotation mark. */
#define WEB "{'name': 'web', 'address': '10.0.0.2', 'port': 80}"
#define MAIL "{'name': 'mail', 'address': '10.0.0.2', 'port': 25}"
#define VPN "{'name': 'vpn', 'address': '2001:db8::9', 'port': 443}"
#define NEWS "{'name': 'news', 'address': '10.0.0.3', 'port': 119}"

struct registry_world {
	char path[64];
	struct registry registry;
	struct worker_counters worker_counters[WORLD_WORKERS];
	struct backend_counters counters[WORLD_WORKERS][WORLD_SLOTS];
	struct progress progress[WORLD_WORKERS];
	struct watchdog watches[WORLD_WORKERS];
	struct load loads[WORLD_WORKERS];
	struct stats_worker workers[WORLD_WORKERS];
	struct backend_shared shared[WORLD_SLOTS];
	const struct snapshot *where;
	ticks_t now;
	struct siphash_key secret;
	bool secret_is_missing;
	unsigned asked;		       /**< letters */
	unsigned asked_worker;	       /**< the last one's */
	struct inspect letter;	       /**< the last one */
	bool is_silent[WORLD_WORKERS]; /**< it answers no letter */
	bool flush_ends;	       /**< flushes work: they clear the slot's gauges */
};

/** A running registry of those backends; qsbr as in registry_env. */
struct registry_world *registry_world_new(const char *backends, struct rte_rcu_qsbr *qsbr);
/** The same after a restart: before is what was configured then. */
struct registry_world *registry_world_new_after(
		const char *backends, struct rte_rcu_qsbr *qsbr, const struct snapshot *before);
void registry_world_free(struct registry_world *w);

/** Writes the file: backends, and more members of the top level (", 'queues': {...}"). */
void registry_world_write(struct registry_world *w, const char *backends, const char *more);
/** Writes any text. */
void registry_world_write_text(struct registry_world *w, const char *text);

/** A reload that must be accepted. */
void registry_world_reload(struct registry_world *w);

/** Lets some seconds pass, with a tick in each. */
void registry_world_pass(struct registry_world *w, unsigned seconds);

/** What workers see for an IPv4 address' last byte (10.0.0.x) and port, or NULL. */
const struct backend_config *registry_world_find(
		const struct registry_world *w, uint8_t host, uint16_t port);

#endif
