/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * However a burst's packets are read and looked up, and with whichever kernel, they end the same.
 * Workers with the same keys get the same bursts, and are told which way to go; what leaves them,
 * and what they remember, is compared byte for byte with the plainest of them. Some get the burst
 * in pieces: then packets come in the order of the stages, and only what the stages' order decides
 * may differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/worker_impl.h"
#include "traffic.h"

#define ROUNDS 1500 /* more, and others: WAYS_ROUNDS and WAYS_SEED in the environment */
#define AS_BEFORE (READING_SEGMENTS + 1)

static const struct way {
	enum kernel kernel;
	unsigned reading;  /* enum reading of every burst, or AS_BEFORE: what those before say */
	bool reads_first;  /* now and then, as steering does */
	unsigned together; /* so many packets in a burst at most */
} ways[] = {
		{KERNEL_SCALAR, READING_ALONE, false, BURST_MAX},
		{KERNEL_SCALAR, READING_TOGETHER, false, BURST_MAX},
		{KERNEL_AVX2, READING_TOGETHER, true, BURST_MAX},
		{KERNEL_AVX512, AS_BEFORE, false, BURST_MAX},
		{KERNEL_AVX512, READING_TOGETHER, true, BURST_MAX},
		{KERNEL_AVX512, READING_SEGMENTS, true, BURST_MAX},
		{KERNEL_AVX512, AS_BEFORE, true, 1},
		{KERNEL_AVX512, READING_TOGETHER, false, 2},
		{KERNEL_SCALAR, READING_TOGETHER, false, 7},
		{KERNEL_AVX512, READING_SEGMENTS, false, 1},
};
#define WAYS ARRAY_COUNT(ways)

struct result {
	uint8_t reason, csum;
	uint32_t len, rest;
	uint8_t bytes[TRAFFIC_FRAME_BYTES];
};

struct setting {
	struct world_options options;
	bool is_split; /* some get their bursts in pieces */
	bool changes;  /* modes, lists and limits */
};

struct trial {
	const struct setting *setting;
	struct world *worlds[WAYS];
	struct syn_samples *samples[WAYS];
	struct traffic traffic;
	unsigned round;
	struct traffic_frame frames[BURST_MAX];
	struct result results[WAYS][BURST_MAX];
};

static bool
is_split(unsigned which)
{
	return ways[which].together < BURST_MAX;
}

static bool
takes_part(const struct trial *t, unsigned which)
{
	return kernel_is_supported(ways[which].kernel) &&
	       (t->setting->is_split || !is_split(which));
}

/* Which stage of the pipeline takes it. */
static unsigned
stage_of(const struct worker *w, enum side from, struct traffic_frame *frame)
{
	struct pkt pkt = {.data = frame->bytes,
			.len = (uint32_t)frame->length,
			.rest = (uint32_t)frame->rest};
	uint32_t id;

	pkt_parse(&pkt, from);
	if (pkt.kind != PKT_TCP)
		return 0;
	if (from == SIDE_CLIENT && (pkt.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return 3;
	id = flow_table_find(&w->flows, flow_table_hash(&w->flows, &pkt.tuple), &pkt.tuple);
	return id != FLOW_NONE && worker_conn(w, id)->state >= CONN_ESTABLISHED ? 1 : 2;
}

static void
sort(struct trial *t, enum side from, unsigned count)
{
	static struct traffic_frame sorted[BURST_MAX];
	unsigned n = 0;

	for (unsigned stage = 0; stage <= 3; stage++)
		for (unsigned i = 0; i < count; i++)
			if (stage_of(t->worlds[0]->worker, from, &t->frames[i]) == stage)
				sorted[n++] = t->frames[i];
	memcpy(t->frames, sorted, count * sizeof(sorted[0]));
}

/* A copy of the frame on the heap, with just the room that is promised, and nothing else that
 * workers have in common. */
static void
place(const struct trial *t, unsigned which, const struct traffic_frame *frame, struct pkt *pkt)
{
	const size_t room =
			frame->length < PKT_BUILD_BYTES_MAX ? PKT_BUILD_BYTES_MAX : frame->length;

	memset(pkt, (int)(t->round + which), sizeof(*pkt));
	pkt->data = pkt->owner = malloc(room + frame->rest);
	assert_non_null(pkt->data);
	memset(pkt->data, (int)(0x50 + which), room);
	memcpy(pkt->data, frame->bytes, frame->length + frame->rest);
	pkt->len = (uint32_t)frame->length;
	pkt->rest = (uint32_t)frame->rest;
	pkt->tailroom = (uint16_t)(room - frame->length);
	pkt->csum = frame->csum;
	pkt->kind = PKT_UNPARSED;
	pkt->reason = REASON_NONE;
}

static void
result_take(struct world *w, struct result *result, const struct pkt *pkt)
{
	const enum verdict verdict = reason_verdict(pkt->reason);

	result->reason = pkt->reason;
	if (verdict == VERDICT_HOLD)
		return;
	result->csum = pkt->csum;
	result->len = pkt->len;
	result->rest = pkt->rest;
	if (verdict != VERDICT_DROP)
		memcpy(result->bytes, pkt->data, pkt->len);
	w->lent--;
	free(pkt->owner);
}

static void
send(struct trial *t, unsigned which, enum side from, unsigned first, unsigned count,
		bool reads_first, bool takes_out)
{
	struct world *w = t->worlds[which];
	struct burst *burst = &w->burst;

	burst->from = from;
	burst->count = count;
	burst->ahead_count = 0;
	for (unsigned i = 0; i < count; i++)
		place(t, which, &t->frames[first + i], &burst->pkts[i]);
	w->lent += (int)count;
	w->sent += count;
	if (ways[which].reading != AS_BEFORE)
		w->worker->reading[from] = (uint8_t)ways[which].reading;
	if (ways[which].reads_first && reads_first)
		sluice_read(w->worker, burst);
	if (takes_out)
		sluice_read_others(w->worker);
	sluice_burst(w->worker, burst, w->now);
	for (unsigned i = 0; i < count; i++)
		result_take(w, &t->results[which][first + i], &burst->pkts[i]);
}

#define FAIL_AT(t, which, what, i)                                                                 \
	fail_msg("round %u, way %u, %s %u", (t)->round, (unsigned)(which), what, (unsigned)(i))

static void
results_are_equal(const struct trial *t, unsigned which, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct result *a = &t->results[0][i], *b = &t->results[which][i];
		const enum verdict verdict = reason_verdict(a->reason);

		if (a->reason != b->reason)
			fail_msg("round %u, way %u, packet %u: %s, not %s", t->round, which, i,
					reason_name(b->reason), reason_name(a->reason));
		if (verdict == VERDICT_HOLD || verdict == VERDICT_DROP)
			continue;
		if (a->len != b->len || a->rest != b->rest || a->csum != b->csum)
			FAIL_AT(t, which, "length of packet", i);
		if (memcmp(a->bytes, b->bytes, a->len) != 0)
			FAIL_AT(t, which, "bytes of packet", i);
	}
}

static void
emitted_are_equal(const struct trial *t, unsigned which)
{
	const struct world *a = t->worlds[0], *b = t->worlds[which];

	if (a->emitted_count != b->emitted_count)
		FAIL_AT(t, which, "number of emitted", b->emitted_count);
	for (unsigned i = 0; i < a->emitted_count; i++) {
		const struct emitted_packet *x = &a->emitted[i], *y = &b->emitted[i];

		if (x->to != y->to || x->length != y->length ||
				memcmp(x->frame, y->frame, x->length) != 0)
			FAIL_AT(t, which, "emitted", i);
	}
}

/* Pieces may take records for early data, and arm timers, in another order. */
static void
conns_are_equal(const struct trial *t, unsigned which, uint32_t id)
{
	const size_t timer = is_split(which) ? sizeof(struct timer_node) : 0;
	const struct worker *v = t->worlds[0]->worker, *w = t->worlds[which]->worker;
	const struct conn *a = worker_conn(v, id);
	struct conn b = *worker_conn(w, id);

	if (is_split(which) && a->state < CONN_ESTABLISHED && b.early != EARLY_NONE)
		b.early = a->early;
	if (memcmp(a, &b, sizeof(b)) != 0)
		FAIL_AT(t, which, "connection", id);
	if (memcmp((const uint8_t *)&v->setups[id] + timer, (const uint8_t *)&w->setups[id] + timer,
			    sizeof(struct conn_setup) - timer) != 0)
		FAIL_AT(t, which, "setup of connection", id);
}

static void
counters_are_equal(const struct trial *t, unsigned which)
{
	const struct worker *v = t->worlds[0]->worker, *w = t->worlds[which]->worker;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (v->counters.reasons[i] != w->counters.reasons[i])
			FAIL_AT(t, which, "counter of reason", i);
	assert_memory_equal(&v->counters, &w->counters, sizeof(v->counters));
	for (uint16_t slot = 0; slot < WORLD_BACKENDS; slot++)
		for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++)
			if (v->backend_counters[slot].values[i] !=
					w->backend_counters[slot].values[i])
				FAIL_AT(t, which, "counter of backend", i);
	assert_memory_equal(v->backend_counters, w->backend_counters,
			sizeof(v->backend_counters[0]) * v->limits.backends);
	assert_memory_equal(t->samples[0], t->samples[which], sizeof(*t->samples[0]));
}

static void
states_are_equal(const struct trial *t, unsigned which)
{
	const struct world *a = t->worlds[0], *b = t->worlds[which];
	const struct worker *v = a->worker, *w = b->worker;

	counters_are_equal(t, which);
	assert_memory_equal(a->shared, b->shared, sizeof(a->own_shared));
	assert_memory_equal(&v->proven, &w->proven, sizeof(v->proven));
	assert_memory_equal(&v->egress, &w->egress, sizeof(v->egress));
	assert_memory_equal(v->passing, w->passing, sizeof(v->passing));
	assert_int_equal(v->unanswered, w->unanswered);
	assert_int_equal(v->early.left, w->early.left);
	assert_int_equal(v->syns.flows.count, w->syns.flows.count);
	assert_int_equal(v->flows.count, w->flows.count);
	assert_int_equal(v->flows.touched, w->flows.touched);
	for (uint32_t id = 0; id < v->flows.touched; id++)
		if (flow_table_is_used(&v->flows, id))
			conns_are_equal(t, which, id);
	assert_int_equal(sluice_next_tick(v), sluice_next_tick(w));
	if (is_split(which))
		return; /* what is noted once per burst, or of whom the burst saw connect */
	assert_memory_equal(v->backends, w->backends, sizeof(v->backends[0]) * WORLD_BACKENDS);
	assert_memory_equal(&v->recent, &w->recent, sizeof(v->recent));
}

static void
trial_burst(struct trial *t)
{
	struct traffic *traffic = &t->traffic;
	const enum side from = traffic_once_in(traffic, 3) ? SIDE_BACKEND : SIDE_CLIENT;
	const unsigned count = traffic_once_in(traffic, 2) ? 1
			       : traffic_once_in(traffic, 3)
					       ? BURST_MAX
					       : 1 + traffic_draw(traffic) % BURST_MAX;
	const bool reads_first = traffic_once_in(traffic, 2);
	const bool takes_out = reads_first && traffic_once_in(traffic, 2);

	traffic_fill(traffic, from, t->frames, count);
	if (t->setting->is_split)
		sort(t, from, count);
	for (unsigned which = 0; which < WAYS; which++) {
		const unsigned together = ways[which].together;

		for (unsigned i = 0; takes_part(t, which) && i < count; i += together)
			send(t, which, from, i, count - i < together ? count - i : together,
					reads_first, takes_out);
	}
	for (unsigned which = 1; which < WAYS; which++)
		if (takes_part(t, which)) {
			results_are_equal(t, which, count);
			emitted_are_equal(t, which);
		}
	for (unsigned i = 0; i < count && from == SIDE_CLIENT; i++)
		if (reason_verdict(t->results[0][i].reason) == VERDICT_REPLY)
			traffic_learn(traffic, t->results[0][i].bytes, t->results[0][i].len);
}

/* Mostly next to none, now and then longer than a cookie lives. */
static void
trial_pass(struct trial *t)
{
	const uint32_t bits = traffic_draw(&t->traffic);
	const ticks_t most = (bits >> 8) % 256 == 0 ? 200 * TICKS_PER_S
			     : (bits & 7) == 0	    ? 200 * TICKS_PER_MS
						    : 2 * TICKS_PER_MS;
	const ticks_t duration = traffic_draw(&t->traffic) % most;

	for (unsigned which = 0; which < WAYS; which++) {
		struct world *w = t->worlds[which];

		if (!takes_part(t, which))
			continue;
		w->emitted_count = 0;
		w->now += duration;
		if (bits & 8)
			sluice_tick(w->worker, w->now, WORLD_EMITTED_MAX / 2);
		emitted_are_equal(t, which);
	}
	for (unsigned which = 0; which < WAYS; which++)
		if (takes_part(t, which))
			t->worlds[which]->emitted_count = 0;
}

/* Denies an eighth of the clients, and another eighth is allowed. */
static void
lists_find(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	static const uint8_t of[8] = {[3] = SOURCE_DENIED, [4] = SOURCE_ALLOWED};

	(void)lists;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = of[(tuples[i]->client.bytes[15] + tuples[i]->client_port) % 8];
}
static_assert(SOURCE_UNLISTED == 0, "the others");

/* Publishes other settings, or the same once more. */
static void
trial_change(struct trial *t)
{
	static struct source_lists lists = {.find = lists_find, .holders = 1};
	static const struct source_rates rates[2] = {{0, 0, 32, 64}, {10, 5, 32, 64}};
	const uint32_t bits = traffic_draw(&t->traffic);

	for (unsigned which = 0; which < WAYS; which++) {
		struct world *w = t->worlds[which];

		if (!takes_part(t, which))
			continue;
		for (unsigned slot = 0; t->setting->changes && slot < WORLD_BACKENDS; slot++) {
			const unsigned mode = bits >> 4 * slot & 15;

			w->configs[slot].mode = (uint8_t)(mode <= MODE_OFF ? mode : MODE_PROTECT);
			w->configs[slot].is_draining = (bits >> (16 + slot) & 15) == 15;
			w->configs[slot].early_data = (bits >> 20 & 3) % 3;
			w->sources.lists = bits >> 24 & 1 ? &lists : NULL;
			w->sources.rule = source_rule_make(&rates[bits >> 25 & 1], 1);
		}
		world_publish(w);
	}
}

static void
trial_init(struct trial *t, const struct setting *setting)
{
	const char *seed = getenv("WAYS_SEED");

	memset(t, 0, sizeof(*t));
	t->setting = setting;
	traffic_init(&t->traffic, seed != NULL ? strtoull(seed, NULL, 0) : 8, setting->is_split);
	for (unsigned which = 0; which < WAYS; which++) {
		struct world_options options = setting->options;

		if (!takes_part(t, which))
			continue;
		t->samples[which] = aligned_alloc(CACHE_LINE_SIZE, sizeof(struct syn_samples));
		assert_non_null(t->samples[which]);
		memset(t->samples[which], 0, sizeof(struct syn_samples));
		options.samples = t->samples[which];
		t->worlds[which] = world_new(&options);
		t->worlds[which]->emits_damaged = true;
		t->worlds[which]->worker->env.kernel = ways[which].kernel;
		/* Nobody fills what lies between its members. */
		memset(t->worlds[which]->worker->setups, 0,
				t->worlds[which]->worker->limits.connections *
						sizeof(struct conn_setup));
	}
}

static void
trial_fini(struct trial *t)
{
	for (unsigned which = 0; which < WAYS; which++)
		if (takes_part(t, which)) {
			world_free(t->worlds[which]);
			free(t->samples[which]);
		}
}

static void
run(const struct setting *setting)
{
	static struct trial trial;
	struct trial *t = &trial;
	const char *rounds = getenv("WAYS_ROUNDS");
	const unsigned end = rounds != NULL ? (unsigned)atoi(rounds) : ROUNDS;

	trial_init(t, setting);
	for (; t->round < end; t->round++) {
		trial_burst(t);
		for (unsigned which = 1; t->round % 16 == 0 && which < WAYS; which++)
			if (takes_part(t, which))
				states_are_equal(t, which);
		trial_pass(t);
		if (traffic_once_in(&t->traffic, 60))
			trial_change(t);
	}
	/* All kinds of ends were met. */
	assert_in_range(world_reason(t->worlds[0], REASON_spliced), end / 8, UINT32_MAX);
	assert_in_range(world_reason(t->worlds[0], REASON_stray_client), 1, UINT32_MAX);
	assert_in_range(world_reason(t->worlds[0], REASON_syn_cookie_sent), 1, UINT32_MAX);
	trial_fini(t);
}

/* 1. Cookies alone. */
static void
test_cookies(void **state)
{
	(void)state;
	run(&(struct setting){.options = {.mode = WORLD_MODE_2}});
}

/* 2. A small queue, in little memory, and few connections. */
static void
test_queue(void **state)
{
	(void)state;
	run(&(struct setting){
			.options = {.mode = WORLD_MODE_1,
					.connections = 16,
					.syn_entries = 64,
					.backend = {.backlog = 10,
							.early_data = EARLY_DATA_ZERO_WINDOW}},
			.changes = true});
}

/* 3. Many backends, whose look-ups are begun beforehand. */
static void
test_many_backends(void **state)
{
	(void)state;
	run(&(struct setting){.options = {.mode = WORLD_MODE_1,
					      .syn_entries = 64,
					      .more_backends = 40,
					      .backend = {.early_data = EARLY_DATA_HOLD}},
			.changes = true});
}

/* 4. Strays are reset, or pass; no cookies. */
static void
test_strays(void **state)
{
	(void)state;
	run(&(struct setting){.options = {.mode = WORLD_MODE_1,
					      .more_backends = 40,
					      .backend = {.backlog = 20, .stray = STRAY_RESET}},
			.changes = true});
	run(&(struct setting){.options = {.mode = WORLD_MODE_0,
					      .backend = {.backlog = 20, .stray = STRAY_PASS}},
			.changes = true});
}

/* 5. Bursts in pieces. */
static void
test_pieces(void **state)
{
	(void)state;
	run(&(struct setting){
			.options = {.mode = WORLD_MODE_2, .connections = 4096}, .is_split = true});
	run(&(struct setting){.options = {.mode = WORLD_MODE_1,
					      .connections = 4096,
					      .syn_entries = 65536,
					      .more_backends = 40,
					      .backend = {.backlog = 60000, .somaxconn = 60000}},
			.is_split = true});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_cookies),
			cmocka_unit_test(test_queue),
			cmocka_unit_test(test_many_backends),
			cmocka_unit_test(test_strays),
			cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
