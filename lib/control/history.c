/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A slot's history is allocated when its backend is first sampled and freed when the slot is found
 * free. A counter that moved between two samples moved at an unknown moment between them: episodes
 * begin at the sample before, and rates are of the time between, at least a second.
 */
#include "control/history.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_LEAST (TICKS_PER_S / 4)
#define WAIT_TURN (60 * TICKS_PER_S)
#define QUIET (HISTORY_QUIET_S * TICKS_PER_S)
/* Fewer forged or stray segments in a second are a client's late repetitions. */
#define FORGED_LEAST 20
#define STRAYS_LEAST 50
/* Fewer are lost SYN-ACKs of a network that is over its budget for a moment. */
#define WITHHELD_LEAST 10

struct history {
	uint32_t slot_count;
	ticks_t began; /* first sample; 0: none yet */
	ticks_t last;  /* sample; 0: none yet */
	uint64_t common_sums[COMMON_COUNT];
	struct history_totals common[COMMON_COUNT];
	/* Of all backends since the last sample, what only the workers count. */
	uint64_t refused, silent, reserved;
	uint64_t refused_sum, silent_sum, reserved_sum;
	uint64_t withheld; /* SYN-ACKs of all backends, without a flood, ever */
	struct sources_pool sources;
	struct history_slot *slots[];
};

struct history *
history_new(const struct registry *registry)
{
	uint32_t count = registry->config->backends_max;
	struct history *history = calloc(1, sizeof(*history) + count * sizeof(history->slots[0]));

	if (history != NULL)
		history->slot_count = count;
	return history;
}

void
history_free(struct history *history)
{
	for (uint32_t i = 0; history != NULL && i < history->slot_count; i++)
		free(history->slots[i]);
	free(history);
}

/* Events in the worst second, of n between two samples. */
static uint64_t
per_second(uint64_t n, ticks_t time)
{
	return time <= TICKS_PER_S ? n : (n * TICKS_PER_S + time - 1) / time;
}

/* What a sum grew by since it was last looked at. */
static uint64_t
grown(uint64_t *sum, uint64_t now)
{
	/* Counters of a slot never go backwards while one backend has it. */
	uint64_t n = now >= *sum ? now - *sum : 0;

	*sum = now;
	return n;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
common_seen(struct history *history, enum history_common common, uint64_t sum, uint64_t least_peak,
		ticks_t now)
{
	struct history_totals *totals = &history->common[common];
	ticks_t time = now - history->last;
	uint64_t n = grown(&history->common_sums[common], sum);
	uint64_t peak = per_second(n, time);

	if (totals->began != 0 && now - totals->last >= QUIET)
		*totals = (struct history_totals){0};
	if (peak < least_peak || n == 0)
		return;
	if (totals->began == 0)
		totals->began = history->last;
	totals->last = now;
	totals->events += n;
	if (peak > totals->peak)
		totals->peak = peak;
}

static void
common_sample(struct history *history, const struct registry *registry, ticks_t now)
{
	struct worker_counters sum;

	stats_sum(registry, &sum);
	common_seen(history, COMMON_STRAYS, sum.reasons[REASON_stray_client], STRAYS_LEAST, now);
	common_seen(history, COMMON_TABLE_FULL, sum.reasons[REASON_conn_table_full], 1, now);
	common_seen(history, COMMON_BUFFERS, sum.emit_failed, 1, now);
	common_seen(history, COMMON_REPEATED, sum.emitted[EMITTED_SYN_ACK_AGAIN], 1, now);
	history->refused = grown(&history->refused_sum, sum.reasons[REASON_backend_refused]);
	history->silent = grown(&history->silent_sum, sum.emitted[EMITTED_RST_CLIENT]);
	history->reserved = grown(&history->reserved_sum, sum.reasons[REASON_syn_reserved]);
}

/* Failed attempts by kind. Which kind a failure was, only the sum over all backends tells; where
 * both happened since the last sample, they are shared out in proportion. */
static void
read_failed(const struct history *history, struct history_slot *slot, uint64_t failed,
		uint64_t deltas[HISTORY_VALUES])
{
	uint64_t n = grown(&slot->failed, failed);
	uint64_t all = history->refused + history->silent;

	deltas[HISTORY_REFUSED] = all == 0 ? 0 : n * history->refused / all;
	deltas[HISTORY_SILENT] = n - deltas[HISTORY_REFUSED];
}

/* Increments since the last sample. */
static void
read_deltas(const struct history *history, struct history_slot *slot,
		const struct backend_counters *counters, uint64_t deltas[HISTORY_VALUES])
{
	static const struct {
		enum history_value value;
		enum backend_counter counter;
	} sources[] = {
			{HISTORY_OVERFLOWS, COUNTER_ListenOverflows},
			{HISTORY_FULL_DROPS, COUNTER_TCPReqQFullDrop},
			{HISTORY_FULL_COOKIES, COUNTER_TCPReqQFullDoCookies},
			{HISTORY_COOKIES_FAILED, COUNTER_SyncookiesFailed},
			{HISTORY_RESETS, COUNTER_EmbryonicRsts},
			{HISTORY_PROVED, COUNTER_PassiveOpens},
			{HISTORY_ANSWERED, COUNTER_Established},
	};
	uint64_t explained, drops;

	for (unsigned i = 0; i < ARRAY_COUNT(sources); i++)
		deltas[sources[i].value] = grown(&slot->sums[sources[i].value],
				counters->values[sources[i].counter]);
	/* ListenDrops also counts what has a name of its own; what is left is the reserved
	 * quarter, a draining backend, or a full connection table. */
	drops = grown(&slot->drops, counters->values[COUNTER_ListenDrops]);
	explained = deltas[HISTORY_OVERFLOWS] + deltas[HISTORY_FULL_DROPS];
	deltas[HISTORY_RESERVED] =
			least(drops > explained ? drops - explained : 0, history->reserved);
	read_failed(history, slot, counters->values[COUNTER_AttemptFails], deltas);
}

/* What one sample saw, beside the counters. */
struct sight {
	ticks_t now;
	ticks_t time; /* since the sample before */
	uint32_t accept, syn;
	uint64_t arrivals; /* per second */
	bool was_full;	   /* accept ring, at both ends */
	uint64_t deltas[HISTORY_VALUES];
};

static void
raise_to(uint64_t *peak, uint64_t value)
{
	if (value > *peak)
		*peak = value;
}

/* Counts what a sample saw into an episode, and events of its own kind. */
static void
episode_see(struct episode *episode, const struct history_slot *slot, const struct sight *sight,
		uint64_t events)
{
	if (episode->began != 0 && sight->now - episode->last >= QUIET)
		*episode = (struct episode){0};
	if (episode->began == 0) {
		if (events == 0)
			return;
		*episode = (struct episode){
				.began = slot->last != 0 ? slot->last : 1,
				.answer_before = slot->answered_at,
				.answered_first = sight->deltas[HISTORY_ANSWERED],
				.arrivals_peak = slot->arrivals,
				.wait = slot->wait,
		};
	}
	if (events > 0) {
		episode->answered_last = episode->totals[HISTORY_ANSWERED];
		episode->last = sight->now;
	}
	for (unsigned i = 0; i < HISTORY_VALUES; i++)
		episode->totals[i] += sight->deltas[i];
	episode->events += events;
	raise_to(&episode->events_peak, per_second(events, sight->time));
	raise_to(&episode->arrivals_peak, sight->arrivals);
	raise_to(&episode->turned_peak, per_second(sight->deltas[HISTORY_OVERFLOWS], sight->time));
	if (sight->was_full) {
		episode->full_time += sight->time;
		episode->answered_full += sight->deltas[HISTORY_ANSWERED];
	}
	if (sight->accept > episode->accept_peak)
		episode->accept_peak = sight->accept;
	if (sight->syn > episode->syn_peak)
		episode->syn_peak = sight->syn;
}

static void
episodes_see(struct history_slot *slot, const struct sight *sight)
{
	const uint64_t *deltas = sight->deltas;
	uint64_t forged = deltas[HISTORY_COOKIES_FAILED];

	if (per_second(forged, sight->time) < FORGED_LEAST)
		forged = 0;
	episode_see(&slot->episodes[TROUBLE_OVERFLOW], slot, sight, deltas[HISTORY_OVERFLOWS]);
	episode_see(&slot->episodes[TROUBLE_FAILED], slot, sight,
			deltas[HISTORY_SILENT] + deltas[HISTORY_REFUSED]);
	episode_see(&slot->episodes[TROUBLE_SYN_DROP], slot, sight,
			deltas[HISTORY_FULL_DROPS] + deltas[HISTORY_RESERVED]);
	episode_see(&slot->episodes[TROUBLE_FLOOD], slot, sight, deltas[HISTORY_FULL_COOKIES]);
	episode_see(&slot->episodes[TROUBLE_FORGED], slot, sight, forged);
}

/* True when both settings would treat every client alike. */
static bool
is_same_setting(const struct backend_config *a, const struct backend_config *b)
{
	return a->backlog == b->backlog && a->somaxconn == b->somaxconn &&
	       a->tcp_max_syn_backlog == b->tcp_max_syn_backlog &&
	       a->tcp_syncookies == b->tcp_syncookies &&
	       a->tcp_abort_on_overflow == b->tcp_abort_on_overflow &&
	       a->tcp_syn_retries == b->tcp_syn_retries && a->queue_rules == b->queue_rules &&
	       a->connect_window == b->connect_window;
}

/* The history of a slot in use: a new one when its backend is new. NULL without memory. */
static struct history_slot *
slot_of(struct history *history, const struct registry *registry, uint32_t index)
{
	const struct slot *from = &registry->slots[index];
	struct history_slot *slot = history->slots[index];

	if (slot == NULL) {
		slot = history->slots[index] = malloc(sizeof(*slot));
		if (slot == NULL)
			return NULL;
	} else if (slot->incarnation == from->config.incarnation) {
		return slot;
	}
	/* The counters began at 0 when the slot was taken. */
	*slot = (struct history_slot){
			.incarnation = from->config.incarnation,
			.config = from->config,
			.last = from->since,
			.wait_turned = from->since,
	};
	return slot;
}

static void
waits_turn(struct history_slot *slot, ticks_t now)
{
	if (now - slot->wait_turned < WAIT_TURN)
		return;
	slot->wait_older = slot->wait_newer;
	slot->wait_newer = slot->wait;
	slot->wait_turned = now;
}

static void
slot_see(struct history_slot *slot, const struct sight *sight)
{
	if (sight->deltas[HISTORY_ANSWERED] > 0) {
		slot->answered_at = sight->now;
		slot->silent_since = 0;
	} else if (sight->accept == 0) {
		slot->silent_since = 0;
	} else if (slot->silent_since == 0) {
		slot->silent_since = sight->now;
	}
	slot->arrivals = sight->arrivals;
	slot->accept = sight->accept;
	slot->last = sight->now;
}

static bool
is_lately(const struct history_slot *slot, enum history_trouble trouble, ticks_t now)
{
	const struct episode *episode = &slot->episodes[trouble];

	return episode->began != 0 && now - episode->last < QUIET;
}

/* What a flood has withheld is meant to be. */
static void
withheld_see(struct history *history, struct history_slot *slot,
		const struct backend_counters *counters, ticks_t now)
{
	uint64_t n = grown(&slot->withheld, counters->values[COUNTER_SynAcksWithheld]);

	if (!is_lately(slot, TROUBLE_FLOOD, now) && !is_lately(slot, TROUBLE_SYN_DROP, now))
		history->withheld += n;
}

static void
slot_sample(struct history *history, const struct registry *registry, uint32_t index, ticks_t now)
{
	const struct backend_config *config = &registry->slots[index].config;
	const struct backend_shared *shared = &registry->env.shared[index];
	struct history_slot *slot = slot_of(history, registry, index);
	uint32_t limit = backend_config_accept_limit(config);
	struct backend_counters counters;
	struct sight sight;

	if (slot == NULL)
		return;
	if (!is_same_setting(&slot->config, config)) {
		memset(slot->episodes, 0, sizeof(slot->episodes));
		slot->config = *config;
	}
	registry_counters(registry, &registry->slots[index], &counters);
	sight = (struct sight){
			.now = now,
			.time = now > slot->last ? now - slot->last : 1,
			.accept = shared_read(&shared->accept),
			.syn = shared_read(&shared->syn),
	};
	sight.was_full = slot->accept > limit && sight.accept > limit;
	read_deltas(history, slot, &counters, sight.deltas);
	sight.arrivals = per_second(
			sight.deltas[HISTORY_PROVED] + sight.deltas[HISTORY_OVERFLOWS], sight.time);
	episodes_see(slot, &sight);
	withheld_see(history, slot, &counters, now);
	history_wait_read(&slot->wait, &counters);
	waits_turn(slot, now);
	slot_see(slot, &sight);
}

void
history_sample(struct history *history, const struct registry *registry, ticks_t now)
{
	if (history->last != 0 && now - history->last < SAMPLE_LEAST)
		return;
	if (history->last == 0) {
		history->began = now;
		history->last = now > TICKS_PER_S ? now - TICKS_PER_S : 1;
	}
	common_sample(history, registry, now);
	for (uint32_t i = 0; i < registry->slots_used && i < history->slot_count; i++) {
		if (registry->slots[i].use != SLOT_FREE) {
			slot_sample(history, registry, i, now);
		} else {
			free(history->slots[i]);
			history->slots[i] = NULL;
		}
	}
	/* Once all backends were looked at. */
	common_seen(history, COMMON_WITHHELD, history->withheld, WITHHELD_LEAST, now);
	history->last = now;
}

ticks_t
history_began(const struct history *history)
{
	return history->began;
}

const struct history_slot *
history_at(const struct history *history, const struct registry *registry, uint32_t slot)
{
	const struct slot *at = &registry->slots[slot];
	const struct history_slot *found = history->slots[slot];

	if (found == NULL || at->use == SLOT_FREE || found->incarnation != at->config.incarnation)
		return NULL;
	return found;
}

const struct history_totals *
history_common(const struct history *history, enum history_common common)
{
	return &history->common[common];
}

struct sources_pool *
history_sources(struct history *history)
{
	return &history->sources;
}

const struct sources *
history_sources_of(const struct history *history, uint32_t slot)
{
	return sources_find(&history->sources, slot);
}

void
history_wait_read(struct history_wait *wait, const struct backend_counters *counters)
{
	for (unsigned i = 0; i < WAIT_BUCKETS; i++)
		wait->buckets[i] = (uint32_t)counters->wait[i];
	wait->us = counters->wait_us;
}

void
waits_since(struct waits *waits, const struct history_wait *now, const struct history_wait *older)
{
	*waits = (struct waits){.us = now->us - older->us};
	for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
		/* Modulo 2^32, as they were kept. */
		waits->buckets[i] = (uint32_t)(now->buckets[i] - older->buckets[i]);
		waits->count += waits->buckets[i];
	}
}

uint64_t
waits_below(const struct waits *waits, unsigned permille)
{
	uint64_t rank = (waits->count * permille + 999) / 1000;
	uint64_t before = 0;

	if (waits->count == 0)
		return 0;
	for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
		uint64_t from = i == 0 ? 0 : UINT64_C(1) << (WAIT_SHIFT + i - 1);
		uint64_t to = UINT64_C(1) << (WAIT_SHIFT + i);

		if (before + waits->buckets[i] >= rank && waits->buckets[i] > 0)
			return from + (to - from) * (rank - before) / waits->buckets[i];
		before += waits->buckets[i];
	}
	return UINT64_C(1) << (WAIT_SHIFT + WAIT_BUCKETS - 1);
}

uint64_t
waits_mean(const struct waits *waits)
{
	return waits->count == 0 ? 0 : waits->us / waits->count;
}
