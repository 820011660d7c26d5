/* SPDX-License-Identifier: BSD-3-Clause */
/* One allocation per snapshot; everything in it is snapshot.c's. */
#include "control/publish.h"

#include <stdlib.h>

#include <rte_rcu_qsbr.h>

struct snapshot *
snapshot_new(unsigned count, uint64_t generation, uint64_t seed)
{
	void *mem = aligned_alloc(CACHE_LINE_SIZE, cache_align(snapshot_memsize(count)));

	return mem != NULL ? snapshot_init(mem, count, generation, seed) : NULL;
}

void
snapshot_free(struct snapshot *snapshot)
{
	const struct cookie_plan none = {.first = 0};

	if (snapshot != NULL) {
		source_lists_drop(snapshot_sources(snapshot)->lists);
		/* Leaves no secret behind in memory. */
		snapshot_set_cookies(snapshot, &none, false);
	}
	free(snapshot);
}

struct snapshot *
snapshot_from_config(const struct config *config, uint64_t generation, uint64_t seed)
{
	struct snapshot *snapshot = snapshot_new(config->backend_count, generation, seed);

	for (unsigned i = 0; snapshot != NULL && i < config->backend_count; i++) {
		/* config_check() has found all duplicates. */
		ENSURE(snapshot_insert(snapshot, &config->backends[i]) == 0);
	}
	if (snapshot != NULL) {
		snapshot_set_timeouts(snapshot, &config->timeouts);
		snapshot_set_probe(snapshot, &config->probe);
		snapshot_set_egress(snapshot, &config->egress);
		snapshot_set_sources(snapshot,
				&(struct source_policy){
						.rule = source_rule_make(&config->sources.rates,
								config->worker_count)});
	}
	return snapshot;
}

static void
retired_free(const struct retired *retired)
{
	snapshot_free((struct snapshot *)retired->snapshot);
}

void
publication_init(struct publication *publication, const struct snapshot **where,
		struct rte_rcu_qsbr *qsbr)
{
	*publication = (struct publication){.where = where, .qsbr = qsbr};
}

bool
publication_has_room(const struct publication *publication)
{
	return publication->retired_count < PUBLICATION_RETIRED_MAX;
}

void
publication_publish(struct publication *publication, struct snapshot *snapshot)
{
	/* Relaxed: only this thread ever stores. */
	struct retired retired = {
			.snapshot = __atomic_load_n(publication->where, __ATOMIC_RELAXED)};

	ENSURE(publication_has_room(publication));
	/* Pairs with the acquire load of the pointer in sluice_burst() and sluice_tick(): a worker
	 * that sees it sees all that was written into the snapshot. */
	__atomic_store_n(publication->where, snapshot, __ATOMIC_RELEASE);
	if (retired.snapshot == NULL)
		return;
	if (publication->qsbr == NULL) {
		retired_free(&retired);
		return;
	}
	/* After the store: who reports this token has loaded the new pointer, or will. */
	retired.token = rte_rcu_qsbr_start(publication->qsbr);
	publication->retired[publication->retired_count++] = retired;
}

unsigned
publication_reclaim(struct publication *publication)
{
	unsigned freed = 0;

	/* Tokens rise: the first that is still held ends the search. */
	while (freed < publication->retired_count &&
			rte_rcu_qsbr_check(publication->qsbr, publication->retired[freed].token,
					false) == 1)
		retired_free(&publication->retired[freed++]);
	publication->retired_count -= freed;
	for (unsigned i = 0; i < publication->retired_count; i++)
		publication->retired[i] = publication->retired[i + freed];
	return publication->retired_count;
}

static void
forget_lists(struct snapshot *snapshot)
{
	struct source_policy policy = *snapshot_sources(snapshot);

	source_lists_drop(policy.lists);
	policy.lists = NULL;
	snapshot_set_sources(snapshot, &policy);
}

void
publication_forget_lists(struct publication *publication)
{
	for (unsigned i = 0; i < publication->retired_count; i++)
		forget_lists((struct snapshot *)publication->retired[i].snapshot);
	if (publication->where != NULL && *publication->where != NULL)
		forget_lists((struct snapshot *)*publication->where);
}

void
publication_fini(struct publication *publication)
{
	for (unsigned i = 0; i < publication->retired_count; i++)
		retired_free(&publication->retired[i]);
	publication->retired_count = 0;
	if (publication->where != NULL) {
		snapshot_free((struct snapshot *)*publication->where);
		*publication->where = NULL;
	}
}
