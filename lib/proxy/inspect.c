/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk goes over the handles of a table and may take many ticks; whoever comes or goes meanwhile
 * is seen or not. The cursor is the next handle; a flush walks half-open clients first, then
 * those of a backend in monitor mode, then connections.
 */
#include "proxy/inspect.h"

#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

/* Records looked at per tick: a listing's cost is a cache miss each, a flush also sends packets. */
#define LIST_STEP 256
#define FLUSH_STEP 16

/* Where the cursors of monitored clients and of connections begin in a flush. */
#define FLUSH_OBSERVED (UINT32_C(1) << 30)
#define FLUSH_CONNS (UINT32_C(1) << 31)
static_assert(SYN_QUEUE_ENTRIES_MAX < FLUSH_OBSERVED &&
				OBSERVED_CLIENTS_MAX < FLUSH_CONNS - FLUSH_OBSERVED &&
				FLOW_CAPACITY_MAX < FLUSH_CONNS,
		"all kinds of cursor fit");

static uint64_t
ticks_left_ms(const struct worker *w, const struct timer_node *timer)
{
	uint32_t steps = timer->expires - timer_step(w->now);

	return steps > TIMER_STEPS_MAX ? 0 : ((uint64_t)steps << TIMER_STEP_SHIFT) / TICKS_PER_MS;
}

static uint64_t
syn_age_ms(const struct syn_entry *entry, uint64_t due_ms)
{
	uint64_t age = 0;

	for (unsigned i = 0; i <= entry->repeats; i++)
		age += queue_rules_synack_timeout(i) / TICKS_PER_MS;
	return age > due_ms ? age - due_ms : 0;
}

static void
row_add_syn(struct worker *w, struct inspect *letter, uint32_t id, uint16_t slot)
{
	const struct syn_entry *entry = syn_queue_entry(&w->syns, id);
	struct inspect_row *row = &letter->rows[letter->count++];
	uint64_t ago_ms, due_ms = ticks_left_ms(w, &entry->timer);

	*row = (struct inspect_row){
			.tuple = flow_table_tuple(&w->syns.flows, id),
			.state = "syn-recv",
			.age_ms = syn_age_ms(entry, due_ms),
			.due_ms = due_ms,
			.slot = slot,
			.reason = (uint8_t)recent_find(
					&w->recent, entry->flow.hash, w->now, &ago_ms),
			.repeats = entry->repeats,
			.acked = entry->is_acked,
			.sack_permitted = entry->sack_permitted,
			.has_timestamp = entry->has_timestamp,
			.wscale = entry->wscale == SYN_WSCALE_NONE ? TCP_WSCALE_NONE
								   : entry->wscale,
			.mss = entry->mss,
	};
}

static void
row_add_conn(struct worker *w, struct inspect *letter, uint32_t id)
{
	const struct conn *conn = worker_conn(w, id);
	const struct conn_setup *setup = &w->setups[id];
	struct inspect_row *row = &letter->rows[letter->count++];
	bool is_spliced = conn->state >= CONN_ESTABLISHED;
	uint64_t ago_ms = 0;
	enum reason odd = recent_find(&w->recent, conn->flow.hash, w->now, &ago_ms);

	*row = (struct inspect_row){
			.tuple = flow_table_tuple(&w->flows, id),
			.state = close_state_name((enum conn_state)conn->state),
			.slot = conn->slot,
			.reason = (uint8_t)odd,
			.repeats = !is_spliced && setup->syns > 0 ? (uint8_t)(setup->syns - 1) : 0,
			.sack_permitted = setup->sack_permitted,
			.has_timestamp = setup->has_timestamp,
			.wscale = setup->wscale,
			.mss = setup->mss,
	};
	if (is_spliced)
		row->age_ms = ((uint64_t)(timer_step(w->now) - conn->last_seen)
					      << TIMER_STEP_SHIFT) /
			      TICKS_PER_MS;
	else
		row->age_ms = ((uint32_t)w->now - conn->last_seen) / TICKS_PER_MS;
	if (conn->state != CONN_QUEUED)
		row->due_ms = ticks_left_ms(w, &setup->node);
	/* Spliced segments leave no note: the newer of the two was the last. */
	if (is_spliced && (odd == REASON_NONE || ago_ms > row->age_ms + 20))
		row->reason = REASON_spliced;
}

/* The backend of a half-open client, whom the snapshot still has. */
static const struct backend_config *
syn_config(const struct worker *w, uint32_t id)
{
	struct tuple tuple = flow_table_tuple(&w->syns.flows, id);

	return snapshot_find(w->snapshot, &tuple.backend, tuple.backend_port);
}

static bool
is_wanted(const struct inspect *letter, uint16_t slot)
{
	return letter->slot == INSPECT_SLOT_ANY || letter->slot == slot;
}

/* True when the listing is finished: the page is full or the table's end was reached. */
static bool
list_syns(struct worker *w, struct inspect *letter)
{
	uint32_t touched = w->syns.flows.touched; /* 0 without a queue */

	for (unsigned n = 0; n < LIST_STEP; n++) {
		letter->more = letter->cursor < touched;
		if (!letter->more || letter->count == letter->limit)
			return true;

		uint32_t id = letter->cursor++;

		if (!flow_table_is_used(&w->syns.flows, id))
			continue;

		uint16_t slot = syn_config(w, id)->slot;

		if (is_wanted(letter, slot))
			row_add_syn(w, letter, id, slot);
	}
	return false;
}

static bool
list_conns(struct worker *w, struct inspect *letter)
{
	for (unsigned n = 0; n < LIST_STEP; n++) {
		letter->more = letter->cursor < w->flows.touched;
		if (!letter->more || letter->count == letter->limit)
			return true;

		uint32_t id = letter->cursor++;

		if (flow_table_is_used(&w->flows, id) &&
				is_wanted(letter, worker_conn(w, id)->slot))
			row_add_conn(w, letter, id);
	}
	return false;
}

static void
answer_tuple(struct worker *w, struct inspect *letter)
{
	uint32_t hash = flow_table_hash(&w->flows, &letter->tuple);
	uint32_t syn = syn_queue_find(&w->syns, hash, &letter->tuple);
	uint32_t conn = flow_table_find(&w->flows, hash, &letter->tuple);

	if (syn != SYN_QUEUE_NONE)
		row_add_syn(w, letter, syn, syn_config(w, syn)->slot);
	if (conn != FLOW_NONE && letter->count < letter->limit)
		row_add_conn(w, letter, conn);
	letter->last_reason = (uint8_t)recent_find(&w->recent, hash, w->now, &letter->last_ago_ms);
}

/* The cursor counts backends of the snapshot, whichever is published at that tick. */
static bool
list_profiles(struct worker *w, struct inspect *letter)
{
	uint32_t count = snapshot_count(w->snapshot);

	for (unsigned n = 0; n < LIST_STEP; n++) {
		letter->more = letter->cursor < count;
		if (!letter->more || letter->count == letter->limit)
			return true;

		const struct backend_config *config = snapshot_at(w->snapshot, letter->cursor++);

		if (!is_wanted(letter, config->slot))
			continue;

		const struct backend *backend = worker_backend(w, config);
		const struct backend_profile *profile = &backend->profile;

		letter->profiles[letter->count++] = (struct inspect_profile){
				.profile = *profile,
				.learned_ago_ms = (w->now - profile->learned_at) / TICKS_PER_MS,
				.refused_ago_ms = (w->now - profile->refused_at) / TICKS_PER_MS,
				.probe = backend->probe,
				.probed_ago_ms = (w->now - backend->probe.sent_at) / TICKS_PER_MS,
				.slot = config->slot,
		};
	}
	return false;
}

static void
flush_syn(struct worker *w, struct inspect *letter, uint32_t id)
{
	const struct backend_config *config;

	if (!flow_table_is_used(&w->syns.flows, id))
		return;
	config = syn_config(w, id);
	if (config->slot != letter->slot)
		return;
	/* Its ACK may be under way; the cookie of an entry that is gone lives on. */
	half_open_cookie_sent(w, config);
	half_open_remove(w, id, config);
	letter->affected++;
}

static void
flush_conn(struct worker *w, struct inspect *letter, uint32_t id)
{
	const struct conn *conn = worker_conn(w, id);

	if (!flow_table_is_used(&w->flows, id) || conn->slot != letter->slot)
		return;
	letter->affected += conn->state < CONN_ESTABLISHED ||
			    close_is_open((enum conn_state)conn->state);
	conn_end(w, id);
}

/* Looks at many records but ends few per tick; true when all tables were walked. */
static bool
flush(struct worker *w, struct inspect *letter)
{
	uint64_t most = letter->affected + FLUSH_STEP;

	for (unsigned n = 0; n < LIST_STEP && letter->affected < most; n++) {
		uint32_t at = letter->cursor++;

		if (at >= FLUSH_CONNS) {
			if (at - FLUSH_CONNS >= w->flows.touched)
				return true;
			flush_conn(w, letter, at - FLUSH_CONNS);
		} else if (at >= FLUSH_OBSERVED) {
			/* Nobody's: what they count for is given back. */
			if (!as_if_flush(w, at - FLUSH_OBSERVED, (uint16_t)letter->slot))
				letter->cursor = FLUSH_CONNS;
		} else if (at < w->syns.flows.touched) {
			flush_syn(w, letter, at);
		} else {
			letter->cursor = FLUSH_OBSERVED;
		}
	}
	return false;
}

static bool
letter_work(struct worker *w, struct inspect *letter)
{
	switch (letter->kind) {
	case INSPECT_SYN_QUEUE:
		return list_syns(w, letter);
	case INSPECT_CONNECTIONS:
		return list_conns(w, letter);
	case INSPECT_FLUSH:
		return flush(w, letter);
	case INSPECT_PROFILES:
		return list_profiles(w, letter);
	case INSPECT_TUPLE:
		break;
	}
	answer_tuple(w, letter);
	return true;
}

void
inspect_work(struct worker *w)
{
	/* Pairs with the control thread's release: the letter is written before it is posted. */
	struct inspect *letter = __atomic_load_n(w->env.inspect, __ATOMIC_ACQUIRE);

	if (LIKELY(letter == NULL) || !letter_work(w, letter))
		return;
	__atomic_store_n(w->env.inspect, NULL, __ATOMIC_RELAXED);
	/* Last of all: from here on the letter is the control thread's again. */
	__atomic_store_n(&letter->done, 1, __ATOMIC_RELEASE);
}
