/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times are written as ages, since clocks begin anew with the next process. Clients that wait in an
 * accept lane come last and in their order; all others in the order of their handles.
 */
#include "proxy/state.h"

#include <string.h>

#include "net/bytes.h"
#include "proxy/state_format.h"
#include "proxy/worker_impl.h"

static const uint8_t magic[STATE_MAGIC_BYTES] = {0x89, 'S', 'l', 'u', 'i', 'c', 'e', '\n'};

/* Published: the checksum is against damage alone. */
static const struct siphash_key checksum_key = {
		UINT64_C(0x6b65657020737461), UINT64_C(0x746520636865636b)};

static size_t
size_for(uint64_t backends, uint64_t conns)
{
	return STATE_HEAD_BYTES + backends * STATE_BACKEND_BYTES + conns * STATE_CONN_BYTES +
	       STATE_CHECKSUM_BYTES;
}

static uint64_t
checksum_of(const uint8_t *bytes, size_t size)
{
	return htole64(siphash(&checksum_key, bytes, size - STATE_CHECKSUM_BYTES));
}

void
state_seal(uint8_t *bytes, size_t size)
{
	const uint64_t sum = checksum_of(bytes, size);

	memcpy(bytes + size - STATE_CHECKSUM_BYTES, &sum, sizeof(sum));
}

/* Not one that only its client was heard of, be it reset meanwhile. */
static bool
is_kept(const struct worker *w, uint32_t id)
{
	return flow_table_is_used(&w->flows, id) &&
	       !(worker_conn(w, id)->flags & CONN_IS_UNANSWERED);
}

static uint32_t
conns_kept(const struct worker *w)
{
	uint32_t count = 0;

	for (uint32_t id = 0; id < w->flows.touched; id++)
		count += is_kept(w, id);
	return count;
}

static struct state_head
head_of(const struct state_source *source)
{
	const struct snapshot *snapshot = source->workers[0]->snapshot;
	struct state_head head = {
			.version = STATE_VERSION,
			.head_bytes = STATE_HEAD_BYTES,
			.backend_bytes = STATE_BACKEND_BYTES,
			.conn_bytes = STATE_CONN_BYTES,
			.place = source->here.place,
			.wall_us = source->here.wall_us,
			.boot_us = source->here.boot_us,
			.backend_count = snapshot_count(snapshot),
			.secret_is_configured = source->secret_is_configured,
			.cookies = *snapshot_cookies(snapshot),
	};

	memcpy(head.magic, magic, sizeof(magic));
	for (unsigned i = 0; i < source->worker_count; i++)
		head.conn_count += conns_kept(source->workers[i]);
	head.length = size_for(head.backend_count, head.conn_count);
	return head;
}

/* All workers look at one snapshot: the counts are those of the newest. */
static void
workers_enter(const struct state_source *source)
{
	for (unsigned i = 0; i < source->worker_count; i++)
		worker_enter(source->workers[i], source->workers[i]->now);
}

size_t
state_size(const struct state_source *source)
{
	workers_enter(source);
	return (size_t)head_of(source).length;
}

static uint32_t
age_s(ticks_t at, ticks_t now)
{
	const uint64_t age = now > at ? (now - at) / TICKS_PER_S : 0;

	return at == 0 || age > STATE_AGE_NEVER ? STATE_AGE_NEVER : (uint32_t)age;
}

/* Each worker learned by itself; who did last knows best. */
static const struct backend_profile *
newest_profile(const struct state_source *source, const struct backend_config *config)
{
	const struct backend_profile *newest = NULL;

	for (unsigned i = 0; i < source->worker_count; i++) {
		const struct backend_profile *profile =
				&worker_backend(source->workers[i], config)->profile;

		if (newest == NULL || profile->learned_at > newest->learned_at)
			newest = profile;
	}
	return newest;
}

static void
backend_save(struct state_cursor *cursor, const struct state_source *source,
		const struct backend_config *config, ticks_t now)
{
	const struct cookie_plan *plan = snapshot_cookies(source->workers[0]->snapshot);
	const struct backend_profile *profile = newest_profile(source, config);
	struct state_backend backend = {
			.address = config->address,
			.port = config->port,
			.family = config->family,
			.profile = *profile,
			.learned_s = age_s(profile->learned_at, now),
			.refused_s = age_s(profile->refused_at, now),
	};

	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS; i++)
		backend.wscales[i] = backend_config_wscale(config, plan, plan->first + i);
	state_backend_fields(cursor, &backend);
}

static uint32_t
steps_until(const struct timer_node *timer, ticks_t now)
{
	const uint32_t steps = timer->expires - timer_step(now);

	return steps > TIMER_STEPS_MAX ? 0 : steps;
}

static_assert(STATE_STEP_SHIFT == TIMER_STEP_SHIFT, "else steps are to be converted");

static void
conn_save(struct state_cursor *cursor, const struct worker *w, uint32_t id, ticks_t now)
{
	struct state_conn record = {
			.tuple = flow_table_tuple(&w->flows, id),
			.conn = *worker_conn(w, id),
			.setup = w->setups[id],
	};

	if (record.conn.state < CONN_ESTABLISHED) {
		record.past = (uint32_t)now - record.conn.last_seen;
		record.conn.seq_delta = 0; /* it was the list of what is held */
		if (record.conn.state == CONN_CONNECTING)
			record.due = steps_until(&record.setup.node, now);
	} else {
		record.past = timer_step(now) - record.conn.last_seen;
	}
	state_conn_fields(cursor, &record);
}

static void
worker_save(struct state_cursor *cursor, const struct worker *w, ticks_t now)
{
	for (uint32_t id = 0; id < w->flows.touched; id++)
		if (is_kept(w, id) && worker_conn(w, id)->state != CONN_QUEUED)
			conn_save(cursor, w, id, now);
}

static void
lanes_save(struct state_cursor *cursor, const struct worker *w, ticks_t now)
{
	for (unsigned i = 0; i < snapshot_count(w->snapshot); i++) {
		const uint16_t slot = snapshot_at(w->snapshot, i)->slot;

		for (uint32_t id = w->backends[slot].lane.head; id != ACCEPT_NONE;
				id = w->setups[id].node.next)
			conn_save(cursor, w, id, now);
	}
}

void
state_save(const struct state_source *source, ticks_t now, uint8_t *bytes)
{
	struct state_cursor cursor = {.to = bytes};
	const struct snapshot *snapshot;
	struct state_head head;

	workers_enter(source);
	snapshot = source->workers[0]->snapshot;
	head = head_of(source);
	state_head_fields(&cursor, &head);
	for (unsigned i = 0; i < head.backend_count; i++)
		backend_save(&cursor, source, snapshot_at(snapshot, i), now);
	for (unsigned i = 0; i < source->worker_count; i++)
		worker_save(&cursor, source->workers[i], now);
	for (unsigned i = 0; i < source->worker_count; i++)
		lanes_save(&cursor, source->workers[i], now);
	ENSURE(cursor.to + STATE_CHECKSUM_BYTES == bytes + head.length);
	state_seal(bytes, (size_t)head.length);
}

/* The order matters to whoever reads the reason: what it is, then whether it is whole. */
static enum state_outcome
head_check(struct state_head *head, const uint8_t *bytes, size_t size)
{
	struct state_cursor cursor = {.from = bytes};
	uint64_t sum;

	if (size < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return STATE_FOREIGN;
	if (size < size_for(0, 0))
		return STATE_CUT_OFF;
	state_head_fields(&cursor, head);
	if (head->version != STATE_VERSION)
		return STATE_OTHER_VERSION;
	if (head->length != size)
		return STATE_CUT_OFF;
	memcpy(&sum, bytes + size - STATE_CHECKSUM_BYTES, sizeof(sum));
	if (sum != checksum_of(bytes, size))
		return STATE_DAMAGED;
	if (head->head_bytes != STATE_HEAD_BYTES || head->backend_bytes != STATE_BACKEND_BYTES ||
			head->conn_bytes != STATE_CONN_BYTES || head->secret_is_configured > 1 ||
			head->backend_count > UINT16_MAX ||
			head->length != size_for(head->backend_count, head->conn_count))
		return STATE_IMPOSSIBLE;
	return STATE_VALID;
}

static bool
records_are_possible(const struct state_head *head, const uint8_t *bytes)
{
	struct state_cursor cursor = {.from = bytes + STATE_HEAD_BYTES};

	for (uint32_t i = 0; i < head->backend_count; i++) {
		struct state_backend backend = {.port = 0};

		state_backend_fields(&cursor, &backend);
		if (!state_backend_is_possible(&backend))
			return false;
	}
	for (uint32_t i = 0; i < head->conn_count; i++) {
		struct state_conn record = {.past = 0};

		state_conn_fields(&cursor, &record);
		if (!state_conn_is_possible(&record))
			return false;
	}
	return true;
}

/* The wall clock may have been set back meanwhile, the other can't be. */
static enum state_outcome
age_check(const struct state_head *head, const struct state_here *here)
{
	const uint64_t most = STATE_AGE_S_MAX * TICKS_PER_S;

	if (head->boot_us > here->boot_us)
		return STATE_OTHER_BOOT;
	if (here->boot_us - head->boot_us > most ||
			(here->wall_us > head->wall_us && here->wall_us - head->wall_us > most))
		return STATE_TOO_OLD;
	return STATE_VALID;
}

enum state_outcome
state_check(struct state *state, const uint8_t *bytes, size_t size, const struct state_here *here)
{
	struct state_head head = {.version = 0};
	enum state_outcome outcome = head_check(&head, bytes, size);

	if (outcome == STATE_VALID && head.place != here->place)
		outcome = STATE_OTHER_PLACE;
	if (outcome == STATE_VALID)
		outcome = age_check(&head, here);
	if (outcome == STATE_VALID && !records_are_possible(&head, bytes))
		outcome = STATE_IMPOSSIBLE;
	if (outcome == STATE_VALID)
		*state = (struct state){
				.bytes = bytes,
				.backend_count = head.backend_count,
				.conn_count = head.conn_count,
				.boot_us = head.boot_us,
				.cookies = head.cookies,
				.secret_is_configured = head.secret_is_configured,
		};
	return outcome;
}

const char *
state_outcome_text(enum state_outcome outcome)
{
	static const char *const texts[STATE_OUTCOME_COUNT] = {
			[STATE_VALID] = "nothing is wrong with it",
			[STATE_FOREIGN] = "it holds something else",
			[STATE_OTHER_VERSION] = "its format is one that this version doesn't know",
			[STATE_CUT_OFF] = "it is cut off, or too long",
			[STATE_DAMAGED] = "it is damaged: its checksum is wrong",
			[STATE_IMPOSSIBLE] = "it holds values that no connection can have",
			[STATE_OTHER_PLACE] = "it is from other ports than those configured now",
			[STATE_OTHER_BOOT] = "it is from before the machine was started",
			[STATE_TOO_OLD] = "it is older than 300 s",
	};

	static_assert(STATE_AGE_S_MAX == 300, "what the text says");
	return texts[outcome];
}
