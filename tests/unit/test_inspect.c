/* SPDX-License-Identifier: BSD-3-Clause */
/* Letters to a worker: what they find, in how many ticks, and what a flush leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct inspect *
letter_new(enum inspect_kind kind, uint32_t slot, unsigned limit)
{
	struct inspect *letter = calloc(1, sizeof(*letter));

	assert_non_null(letter);
	letter->kind = kind;
	letter->slot = slot;
	letter->limit = limit;
	return letter;
}

/* Posts and ticks until it is answered; returns how many ticks that took. */
static unsigned
ask(struct world *w, struct inspect *letter)
{
	unsigned ticks = 0;

	w->box = letter;
	while (!letter->done) {
		sluice_tick(w->worker, w->now, 16);
		assert_in_range(++ticks, 1, 10000);
	}
	assert_null(w->box);
	return ticks;
}

static struct flow_script
client(unsigned version, unsigned n)
{
	return flow_script_default(version, (uint16_t)(40000 + n));
}

/* 1. An empty worker answers in one tick with nothing; so does one without a syn queue. */
static void
test_empty(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});

	(void)state;
	for (unsigned kind = INSPECT_SYN_QUEUE; kind <= INSPECT_FLUSH; kind++) {
		struct inspect *letter = letter_new((enum inspect_kind)kind, 0, 10);

		assert_in_range(ask(w, letter), 1, 2);
		assert_int_equal(letter->count, 0);
		assert_int_equal(letter->affected, 0);
		assert_false(letter->more);
		assert_int_equal(letter->last_reason, REASON_NONE);
		free(letter);
	}
	world_free(w);
}

/* 2. Half-open clients page by page: each once, with what they offered; other backends' only when
 * asked for. */
static void
test_list_syns(void **state)
{
	enum { CLIENTS = 100 };
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	bool seen[CLIENTS] = {false};
	unsigned total = 0, pages = 0;
	struct inspect *letter = letter_new(INSPECT_SYN_QUEUE, 0, 7);

	(void)state;
	for (unsigned n = 0; n < CLIENTS; n++) {
		struct flow_script f = client(n % 4 == 3 ? 6 : 4, n);

		f.client_wscale = (int)(n % 15);
		flow_send_syn(w, &f);
	}
	world_pass(w, 500 * TICKS_PER_MS);
	do {
		ask(w, letter);
		for (unsigned i = 0; i < letter->count; i++) {
			const struct inspect_row *row = &letter->rows[i];
			unsigned n = row->tuple.client_port - 40000u;

			assert_in_range(n, 0, CLIENTS - 1);
			assert_false(seen[n]);
			seen[n] = true;
			assert_string_equal(row->state, "syn-recv");
			assert_int_equal(row->slot, 0);
			assert_int_equal(row->wscale, n % 15);
			assert_int_equal(row->mss, 1460);
			assert_true(row->sack_permitted && row->has_timestamp && !row->acked);
			assert_int_equal(row->repeats, 0);
			assert_in_range(row->age_ms, 460, 540);
			assert_in_range(row->due_ms, 460, 540);
		}
		total += letter->count;
		pages++;
		letter->count = 0;
		letter->done = 0;
	} while (letter->more);
	assert_int_equal(total, CLIENTS - CLIENTS / 4);
	assert_in_range(pages, 75 / 7 + 1, 75 / 7 + 2);
	free(letter);

	letter = letter_new(INSPECT_SYN_QUEUE, INSPECT_SLOT_ANY, INSPECT_ROWS);
	ask(w, letter);
	assert_int_equal(letter->count, CLIENTS);
	free(letter);
	world_free(w);
}

/* 3. Connections in each state of their life, by their names, with the reason of the last packet.
 */
static void
test_list_connections(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.mode = WORLD_MODE_1, .backend = {.connect_window = 2}});
	struct flow_script f[4];
	struct inspect *letter = letter_new(INSPECT_CONNECTIONS, 0, INSPECT_ROWS);
	static const char *const states[] = {"established", "connecting", "connecting", "queued"};
	static const enum reason reasons[] = {REASON_backend_connected, REASON_ack_connecting,
			REASON_ack_connecting, REASON_ack_queued};

	(void)state;
	for (unsigned n = 0; n < 4; n++)
		f[n] = client(4, n);
	flow_establish(w, &f[0]);
	for (unsigned n = 1; n < 4; n++) {
		struct packet ack;

		flow_send_syn(w, &f[n]);
		ack = flow_ack(&f[n]);
		world_send(w, SIDE_CLIENT, &ack);
	}
	ask(w, letter);
	assert_int_equal(letter->count, 4);
	for (unsigned n = 0; n < 4; n++) {
		unsigned of = letter->rows[n].tuple.client_port - 40000u;

		assert_string_equal(letter->rows[n].state, states[of]);
		assert_int_equal(letter->rows[n].reason, reasons[of]);
	}
	free(letter);

	/* Segments of a connection leave no note; a later one than what is noted is known all the
	 * same. */
	world_pass(w, 500 * TICKS_PER_MS);
	struct packet data = flow_client(&f[0], PACKET_ACK, f[0].client_isn + 1, f[0].iss + 1);

	assert_int_equal(world_send(w, SIDE_CLIENT, &data).reason, REASON_spliced);
	letter = letter_new(INSPECT_CONNECTIONS, 0, 1);
	ask(w, letter);
	assert_int_equal(letter->rows[0].tuple.client_port, f[0].client_port);
	assert_int_equal(letter->rows[0].reason, REASON_spliced);
	free(letter);
	world_free(w);
}

/* 4. A long table is walked in many ticks: none looks at more than its share. */
static void
test_bounded(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.mode = WORLD_MODE_1, .syn_entries = 4096, .connections = 64});
	struct inspect *letter = letter_new(INSPECT_SYN_QUEUE, 5, INSPECT_ROWS);

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct flow_script f = client(4, n);

		flow_send_syn(w, &f);
	}
	assert_in_range(ask(w, letter), 2000 / 256, 2000 / 256 + 2);
	assert_int_equal(letter->count, 0);
	free(letter);
	world_free(w);

	w = world_new(&(struct world_options){.mode = WORLD_MODE_2, .connections = 1000});
	letter = letter_new(INSPECT_CONNECTIONS, 1, INSPECT_ROWS);
	for (unsigned n = 0; n < 1000; n++) {
		struct flow_script f = client(n == 999 ? 6 : 4, n);

		flow_establish(w, &f);
	}
	assert_in_range(ask(w, letter), 1000 / 256, 1000 / 256 + 2);
	assert_int_equal(letter->count, 1);
	assert_int_equal(letter->rows[0].tuple.client_port, 40999);
	free(letter);
	world_free(w);
}

/* 5. One tuple: its entry, its connection, or at least what became of its last packet. */
static void
test_tuple(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = client(4, 0), g = client(4, 1), stranger = client(4, 2);
	struct inspect *letter = letter_new(INSPECT_SYN_QUEUE, 0, 10);
	struct tuple tuple;
	struct packet packet;

	(void)state;
	flow_send_syn(w, &f);
	ask(w, letter);
	tuple = letter->rows[0].tuple;
	free(letter);

	letter = letter_new(INSPECT_TUPLE, INSPECT_SLOT_ANY, 10);
	letter->tuple = tuple;
	ask(w, letter);
	assert_int_equal(letter->count, 1);
	assert_string_equal(letter->rows[0].state, "syn-recv");
	assert_int_equal(letter->last_reason, REASON_syn_queued);
	free(letter);

	flow_establish(w, &g);
	letter = letter_new(INSPECT_TUPLE, INSPECT_SLOT_ANY, 10);
	letter->tuple = tuple;
	letter->tuple.client_port++;
	ask(w, letter);
	assert_int_equal(letter->count, 1);
	assert_string_equal(letter->rows[0].state, "established");
	free(letter);

	/* Half-open, with a connection from before that is over: a row each, but no more than are
	 * wanted, and the half-open client first. */
	packet = flow_client(&g, PACKET_RST, g.client_isn + 1, 0);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_spliced_reset);
	g.client_isn += 100000;
	flow_send_syn(w, &g);
	for (unsigned limit = 1; limit <= 2; limit++) {
		letter = letter_new(INSPECT_TUPLE, INSPECT_SLOT_ANY, limit);
		letter->tuple = tuple;
		letter->tuple.client_port++;
		ask(w, letter);
		assert_int_equal(letter->count, limit);
		assert_string_equal(letter->rows[0].state, "syn-recv");
		free(letter);
	}

	packet = flow_client(&stranger, PACKET_ACK, 1, 2);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_stray_client);
	world_pass(w, 300 * TICKS_PER_MS);
	letter = letter_new(INSPECT_TUPLE, INSPECT_SLOT_ANY, 10);
	letter->tuple = tuple;
	letter->tuple.client_port += 2;
	ask(w, letter);
	assert_int_equal(letter->count, 0);
	assert_int_equal(letter->last_reason, REASON_stray_client);
	assert_in_range(letter->last_ago_ms, 300, 310);
	free(letter);
	world_free(w);
}

/* 6. A flush: half-open clients forgotten, connections reset at both ends with numbers that are
 * believed, other backends untouched, and no tick ends more than a few. */
static void
test_flush(void **state)
{
	enum { CLIENTS = 60 };
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1,
			.connections = 128,
			.backend = {.connect_window = 2}});
	struct inspect *letter = letter_new(INSPECT_FLUSH, 0, 1);
	struct flow_script f[CLIENTS], other = client(6, 0);
	unsigned to_client = 0, to_backend = 0;

	(void)state;
	flow_establish(w, &other);
	for (unsigned n = 0; n < CLIENTS; n++) {
		struct packet ack;

		f[n] = client(4, n);
		if (n < 20) {
			flow_establish(w, &f[n]);
			continue;
		}
		flow_send_syn(w, &f[n]);
		if (n < 40) {
			ack = flow_ack(&f[n]);
			world_send(w, SIDE_CLIENT, &ack);
		}
	}
	assert_int_equal(w->shared[0].accept, 20);
	assert_int_equal(w->shared[0].syn, 20);

	w->box = letter;
	while (!letter->done) {
		uint64_t before = letter->affected;

		sluice_tick(w->worker, w->now, 16);
		assert_in_range(letter->affected - before, 0, 16);
		for (unsigned i = 0; i < w->emitted_count; i++) {
			const struct packet *packet = &w->emitted[i].packet;
			const struct flow_script *of =
					&f[(w->emitted[i].to == SIDE_CLIENT
									   ? packet->destination_port
									   : packet->source_port) -
							40000];

			if (!(packet->flags & PACKET_RST)) /* of a client whose turn came */
				continue;
			if (w->emitted[i].to == SIDE_CLIENT) {
				assert_int_equal(packet->seq, of->iss + 1);
				to_client++;
			} else {
				assert_int_equal(packet->seq, of->client_isn + 1);
				to_backend++;
			}
		}
		w->emitted_count = 0;
	}
	assert_int_equal(letter->affected, CLIENTS);
	assert_int_equal(to_client, 40);
	assert_in_range(to_backend, 22, 40); /* the queued ones had no leg yet */
	assert_int_equal(w->shared[0].accept, 0);
	assert_int_equal(w->shared[0].syn, 0);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	assert_int_equal(world_counter(w, 0, COUNTER_EstabResets), 20);
	assert_int_equal(world_counter(w, 1, COUNTER_CurrEstab), 1);

	/* What was under way when the resets went out opens nothing; after a while all is gone. */
	struct packet late = flow_client(&f[0], PACKET_ACK, f[0].client_isn + 1, f[0].iss + 1);

	assert_int_not_equal(world_send(w, SIDE_CLIENT, &late).reason, REASON_ack_connecting);
	assert_int_equal(worker_backend_counters(w->worker, 0)->connections, 20);
	world_pass(w, 11 * TICKS_PER_S);
	assert_int_equal(worker_backend_counters(w->worker, 0)->connections, 0);
	assert_int_equal(world_connections(w), 1);
	free(letter);
	world_free(w);
}

/* 6b. A half-open client whose ACK is under way during a flush is not left to believe in a
 * connection that nobody knows: its cookie is as good as if there had never been an entry. */
static void
test_flushed_half_open_gets_in(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct inspect *letter = letter_new(INSPECT_FLUSH, 0, 1);
	struct flow_script f = client(4, 0);
	struct packet ack, synack;

	(void)state;
	flow_send_syn(w, &f);
	ack = flow_ack(&f);
	w->box = letter;
	world_pass(w, TICKS_PER_S / 10);
	assert_true(letter->done);
	assert_int_equal(letter->affected, 1);
	assert_int_equal(w->shared[0].syn, 0);
	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesRecv), 1);
	synack = flow_synack(&f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason, REASON_backend_connected);
	free(letter);
	world_free(w);
}

/* 7. Profiles: a row for each configured backend, page by page or one alone; of what its worker
 * learned, and nothing of an earlier backend in its slot. */
static void
test_profiles(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = client(4, 0);
	struct inspect *letter = letter_new(INSPECT_PROFILES, INSPECT_SLOT_ANY, 2);

	(void)state;
	f.backend_sack = false;
	f.backend_mss = 1400;
	f.backend_wscale = 9;
	f.backend_window = 4321;
	flow_establish(w, &f);
	world_pass(w, 1500 * TICKS_PER_MS);
	assert_in_range(ask(w, letter), 1, 2);
	assert_int_equal(letter->count, 2);
	assert_true(letter->more);

	const struct inspect_profile *row = &letter->profiles[0];

	assert_int_equal(row->slot, 0);
	assert_int_equal(row->profile.mss, 1400);
	assert_int_equal(row->profile.scales, LEARNED_YES);
	assert_int_equal(row->profile.wscale, 9);
	assert_int_equal(row->profile.sack, LEARNED_NO);
	assert_int_equal(row->profile.timestamps, LEARNED_YES);
	assert_int_equal(row->profile.ecn, LEARNED_NOTHING);
	assert_int_equal(row->profile.window, 4321);
	assert_int_equal(row->profile.drift, 1);
	assert_in_range(row->learned_ago_ms, 1490, 1510);
	assert_in_range(row->refused_ago_ms, 1490, 1510);
	assert_int_equal(letter->profiles[1].slot, 1);
	assert_int_equal(letter->profiles[1].profile.learned_at, 0);
	letter->count = 0;
	letter->done = 0;
	ask(w, letter);
	assert_int_equal(letter->count, 1);
	assert_int_equal(letter->profiles[0].slot, 2);
	assert_false(letter->more);
	free(letter);

	w->configs[0].incarnation++;
	world_publish(w);
	letter = letter_new(INSPECT_PROFILES, 0, INSPECT_ROWS);
	ask(w, letter);
	assert_int_equal(letter->count, 1);
	assert_int_equal(letter->profiles[0].profile.mss, 0);
	assert_int_equal(letter->profiles[0].profile.drift, 0);
	free(letter);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_list_syns),
			cmocka_unit_test(test_list_connections),
			cmocka_unit_test(test_bounded),
			cmocka_unit_test(test_tuple),
			cmocka_unit_test(test_flush),
			cmocka_unit_test(test_flushed_half_open_gets_in),
			cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
