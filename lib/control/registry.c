/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slots and their publication; how a file becomes a change of them is in registry_reload.c.
 *
 * A slot ends in three steps, each of which waits for the one before on every worker: published as
 * draining (so nothing new begins), seen empty twice (a client that changes from one queue to the
 * other may be missed once, between two reads), published no more (so nobody counts in it).
 */
#include "control/registry.h"

#include <stdlib.h>
#include <string.h>

#include "control/registry_impl.h"

static void
add_counters(struct backend_counters *sum, const struct backend_counters *counters)
{
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++)
		sum->values[i] += counter_read(&counters->values[i]);
	for (unsigned i = 0; i < WAIT_BUCKETS; i++)
		sum->wait[i] += counter_read(&counters->wait[i]);
	sum->wait_us += counter_read(&counters->wait_us);
	sum->connections += counter_read(&counters->connections);
}

/* Adds what all workers counted in a slot; nothing before their tables exist. */
static void
add_slot(const struct registry *registry, uint16_t slot, struct backend_counters *sum)
{
	for (unsigned i = 0; i < registry->env.worker_count; i++) {
		if (registry->env.workers[i].backends != NULL)
			add_counters(sum, &registry->env.workers[i].backends[slot]);
	}
}

void
registry_counters(const struct registry *registry, const struct slot *slot,
		struct backend_counters *sum)
{
	const struct backend_counters *baseline = &slot->baseline;

	*sum = (struct backend_counters){.wait_us = 0};
	add_slot(registry, registry_slot(registry, slot), sum);
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++) {
		if (i != COUNTER_CurrEstab)
			sum->values[i] -= baseline->values[i];
	}
	for (unsigned i = 0; i < WAIT_BUCKETS; i++)
		sum->wait[i] -= baseline->wait[i];
	sum->wait_us -= baseline->wait_us;
}

static struct mode_counts
mode_counts(const struct registry *registry, const struct slot *slot)
{
	struct backend_counters sum;

	registry_counters(registry, slot, &sum);
	return (struct mode_counts){
			.cookies = sum.values[COUNTER_SyncookiesSent],
			.overflows = sum.values[COUNTER_ListenOverflows],
			.drops = sum.values[COUNTER_ListenDrops],
			.evicted = sum.values[COUNTER_SynQueueEvicted],
	};
}

struct mode_counts
registry_since_mode(const struct registry *registry, const struct slot *slot)
{
	const struct mode_counts now = mode_counts(registry, slot);

	return (struct mode_counts){
			.cookies = now.cookies - slot->at_mode.cookies,
			.overflows = now.overflows - slot->at_mode.overflows,
			.drops = now.drops - slot->at_mode.drops,
			.evicted = now.evicted - slot->at_mode.evicted,
	};
}

void
registry_total(const struct registry *registry, struct backend_counters *sum)
{
	*sum = (struct backend_counters){.wait_us = 0};
	for (uint32_t i = 0; i < registry->slots_used; i++)
		add_slot(registry, (uint16_t)i, sum);
}

const struct siphash_key *
registry_secret(const struct registry *registry)
{
	return &registry->cookies.secrets[COOKIE_PLAN_EPOCHS - 1];
}

/* Names the scales of the plan's first epochs one by one, so that a change of the configured one
 * leaves them as they are. */
static void
slot_fix_wscale(struct slot *slot, const struct cookie_plan *before, const struct cookie_plan *plan)
{
	uint8_t earlier[COOKIE_PLAN_EPOCHS - 1];

	for (unsigned i = 0; i < ARRAY_COUNT(earlier); i++)
		earlier[i] = (uint8_t)(1 + backend_config_wscale(
							   &slot->config, before, plan->first + i));
	memcpy(slot->config.earlier_wscale, earlier, sizeof(earlier));
}

const char *
registry_begin(struct registry *registry, unsigned count, const struct siphash_key *secret,
		ticks_t now, struct snapshot **snapshot)
{
	const struct cookie_plan plan = cookie_plan_next(&registry->cookies, secret, now);

	static_assert(PUBLICATION_RETIRED_MAX == 256, "what the message says");
	if (!publication_has_room(&registry->publication))
		return "the workers have not taken up the last 256 configurations";
	*snapshot = snapshot_new(count, registry->generation + 1, registry->env.seed);
	if (*snapshot == NULL)
		return "out of memory";
	for (uint32_t i = 0; i < registry->slots_used; i++) {
		if (slot_is_published(&registry->slots[i]))
			slot_fix_wscale(&registry->slots[i], &registry->cookies, &plan);
	}
	registry->cookies = plan;
	return NULL;
}

struct source_lists *
registry_make_lists(const struct registry *registry, const struct config *config, char *message,
		size_t size)
{
	const struct prefix_list *list = config->sources.list;

	message[0] = '\0';
	if (!registry->lists_are_open || list == NULL || list->count == 0)
		return NULL;
	if (registry->lists != NULL && prefix_list_is_equal(registry->config->sources.list, list))
		return source_lists_hold(registry->lists);
	return registry->env.lists(registry->env.context, list, message, size);
}

/* The policy for the next snapshot, which holds the lists. */
static struct source_policy
policy_make(const struct registry *registry)
{
	return (struct source_policy){
			.lists = source_lists_hold(registry->lists),
			.rule = source_rule_make(&registry->config->sources.rates,
					registry->env.worker_count),
	};
}

void
registry_publish(struct registry *registry, struct snapshot *snapshot)
{
	const struct source_policy sources = policy_make(registry);

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];

		if (slot_is_published(slot))
			ENSURE(snapshot_insert(snapshot, &slot->config) == 0);
	}
	snapshot_set_cookies(snapshot, &registry->cookies, registry->config->secret_file != NULL);
	snapshot_set_timeouts(snapshot, &registry->config->timeouts);
	snapshot_set_probe(snapshot, &registry->config->probe);
	snapshot_set_egress(snapshot, &registry->config->egress);
	snapshot_set_sources(snapshot, &sources);
	registry->generation = snapshot_generation(snapshot);
	publication_publish(&registry->publication, snapshot);
}

void
registry_take(struct registry *registry, struct slot *slot, const struct backend_config *config,
		ticks_t now)
{
	const uint16_t index = registry_slot(registry, slot);

	ENSURE(slot->use == SLOT_FREE && !slot->is_held);
	*slot = (struct slot){.use = SLOT_SERVING,
			.config = *config,
			.since = now,
			.deadline = TICKS_NEVER};
	slot->config.slot = index;
	slot->config.incarnation = ++registry->incarnations;
	slot->mode_generation = registry->generation + 1;
	add_slot(registry, index, &slot->baseline);
	if (registry->slots_used <= index)
		registry->slots_used = index + 1u;
}

void
registry_keep(struct registry *registry, struct slot *slot, const struct backend_config *config,
		ticks_t now)
{
	const struct backend_config before = slot->config;

	ENSURE(slot_is_published(slot));
	slot->config = *config;
	slot->config.slot = registry_slot(registry, slot);
	slot->config.incarnation = before.incarnation;
	memcpy(slot->config.earlier_wscale, before.earlier_wscale, sizeof(before.earlier_wscale));
	if (config->mode != before.mode) {
		slot->mode_generation = registry->generation + 1;
		slot->at_mode = mode_counts(registry, slot);
	}
	if (slot->use == SLOT_SERVING)
		return;
	slot->use = SLOT_SERVING;
	slot->since = now;
	slot->deadline = TICKS_NEVER;
}

void
registry_drain(struct slot *slot, ticks_t now, ticks_t deadline)
{
	ENSURE(slot->use == SLOT_SERVING);
	slot->use = SLOT_DRAINING;
	slot->since = now;
	slot->deadline = deadline;
	slot->was_empty = false;
	slot->config.is_draining = true;
}

bool
registry_settle(struct registry *registry)
{
	if (publication_reclaim(&registry->publication) > 0)
		return false;
	for (uint32_t i = 0; i < registry->slots_used; i++) {
		struct slot *slot = &registry->slots[i];

		if (!slot->is_held)
			continue;
		registry->env.shared[i] = (struct backend_shared){.accept = 0};
		slot->is_held = false;
	}
	return true;
}

/* Scales that were announced before a restart, like slot_fix_wscale(). */
static void
slot_take_wscale(struct slot *slot, const struct snapshot *before, const struct cookie_plan *plan)
{
	const struct backend_config *config =
			snapshot_find(before, &slot->config.address, slot->config.port);

	for (unsigned i = 0; config != NULL && i < ARRAY_COUNT(slot->config.earlier_wscale); i++)
		slot->config.earlier_wscale[i] =
				(uint8_t)(1 + backend_config_wscale(config,
							      snapshot_cookies(before),
							      plan->first + i));
}

/* Puts the first configuration's backends into the first slots and publishes them. */
static const char *
publish_first(struct registry *registry, const struct siphash_key *secret, ticks_t now)
{
	const struct snapshot *before = registry->env.before;
	const struct config *config = registry->config;
	struct snapshot *snapshot;
	const char *problem =
			registry_begin(registry, config->backend_count, secret, now, &snapshot);

	if (problem != NULL)
		return problem;
	for (unsigned i = 0; i < config->backend_count; i++) {
		registry_take(registry, &registry->slots[i], &config->backends[i], now);
		if (before != NULL)
			slot_take_wscale(&registry->slots[i], before, &registry->cookies);
	}
	registry_publish(registry, snapshot);
	registry->config_generation = 1;
	return NULL;
}

bool
registry_init(struct registry *registry, const struct registry_env *env, const char *path,
		struct config *config, ticks_t now, char *message, size_t size)
{
	struct siphash_key secret;

	*registry = (struct registry){
			.env = *env, .path = path, .config = config, .lists_read_at = now};
	publication_init(&registry->publication, env->where, env->qsbr);
	registry->changes = (struct reload_changes){json_array(), json_array(), json_array()};
	registry->slots = calloc(config->backends_max, sizeof(*registry->slots));
	if (registry->slots == NULL) {
		snprintf(message, size, "out of memory");
		return false;
	}
	if (!env->secret(env->context, config, &secret, message, size))
		return false;
	registry->cookies = env->before != NULL ? *snapshot_cookies(env->before)
						: cookie_plan_make(&secret);

	const char *problem = publish_first(registry, &secret, now);

	registry->env.before = NULL;
	explicit_bzero(&secret, sizeof(secret));
	if (problem != NULL)
		snprintf(message, size, "%s", problem);
	return problem == NULL;
}

bool
registry_open_lists(struct registry *registry, ticks_t now, char *message, size_t size)
{
	const unsigned count = registry->config->backend_count;
	struct snapshot *snapshot;
	const char *problem;

	registry->lists_are_open = registry->env.lists != NULL;
	registry->lists = registry_make_lists(registry, registry->config, message, size);
	if (registry->lists == NULL)
		return message[0] == '\0';
	problem = registry_begin(registry, count, registry_secret(registry), now, &snapshot);
	if (problem != NULL) {
		snprintf(message, size, "%s", problem);
		return false;
	}
	registry_publish(registry, snapshot);
	return true;
}

void
registry_close_lists(struct registry *registry)
{
	publication_forget_lists(&registry->publication);
	source_lists_drop(registry->lists);
	registry->lists = NULL;
	registry->lists_are_open = false;
}

void
registry_fini(struct registry *registry)
{
	registry_close_lists(registry);
	publication_fini(&registry->publication);
	json_decref(registry->changes.added);
	json_decref(registry->changes.removed);
	json_decref(registry->changes.changed);
	free(registry->slots);
	config_free(registry->config);
	explicit_bzero(registry, sizeof(*registry));
}

uint64_t
registry_flush(struct registry *registry, uint16_t slot, bool *complete)
{
	uint64_t ended = 0;

	*complete = true;
	for (unsigned i = 0; i < registry->env.worker_count; i++) {
		struct inspect letter = {.kind = INSPECT_FLUSH, .slot = slot, .limit = 1};

		if (registry->env.ask(registry->env.context, i, &letter))
			ended += letter.affected;
		else
			*complete = false;
	}
	return ended;
}

struct slot *
registry_find(const struct registry *registry, const char *name)
{
	for (uint32_t i = 0; i < registry->slots_used; i++) {
		struct slot *slot = &registry->slots[i];
		char listed[REGISTRY_NAME_BYTES];

		if (!slot_is_published(slot))
			continue;
		registry_name(registry, slot, listed);
		if (strcmp(listed, name) == 0)
			return slot;
	}
	return NULL;
}

void
registry_name(const struct registry *registry, const struct slot *slot,
		char text[REGISTRY_NAME_BYTES])
{
	if (slot->use == SLOT_DRAINING)
		snprintf(text, REGISTRY_NAME_BYTES, "%s~%u", slot->config.name,
				registry_slot(registry, slot));
	else
		snprintf(text, REGISTRY_NAME_BYTES, "%s", slot->config.name);
}

/* Half-open clients are read first: one that becomes a connection meanwhile is seen as that. */
static bool
slot_is_empty(const struct registry *registry, const struct slot *slot)
{
	const uint16_t index = registry_slot(registry, slot);
	const struct backend_shared *shared = &registry->env.shared[index];
	struct backend_counters sum = {.wait_us = 0};

	if (shared_read(&shared->syn) != 0 || shared_read(&shared->accept) != 0)
		return false;
	add_slot(registry, index, &sum);
	return sum.connections == 0;
}

/* Looks after a draining slot; true when it has ended. */
static bool
slot_watch(struct registry *registry, struct slot *slot, ticks_t now)
{
	const bool was_empty = slot->was_empty;
	bool complete;

	slot->was_empty = slot_is_empty(registry, slot);
	if (slot->was_empty)
		return was_empty;
	if (now >= slot->deadline)
		registry_flush(registry, registry_slot(registry, slot), &complete);
	return false;
}

void
registry_tick(struct registry *registry, ticks_t now)
{
	struct snapshot *snapshot;
	unsigned published = 0, ended = 0;
	bool *ends;

	/* A worker that has not seen a backend drain may still begin something in it. */
	if (!registry_settle(registry))
		return;
	ends = calloc(registry->slots_used + 1, sizeof(*ends));
	for (uint32_t i = 0; ends != NULL && i < registry->slots_used; i++) {
		struct slot *slot = &registry->slots[i];

		if (slot->use == SLOT_DRAINING)
			ends[i] = slot_watch(registry, slot, now);
		ended += ends[i];
		published += slot_is_published(slot) && !ends[i];
	}
	if (ended > 0 && registry_begin(registry, published, registry_secret(registry), now,
					 &snapshot) == NULL) {
		for (uint32_t i = 0; i < registry->slots_used; i++) {
			if (ends[i])
				registry->slots[i] =
						(struct slot){.use = SLOT_FREE, .is_held = true};
		}
		registry_publish(registry, snapshot);
	}
	free(ends);
}
