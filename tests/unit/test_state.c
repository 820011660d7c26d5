/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From one world into the next, as a restart does it. "Before" goes on as if nothing had happened:
 * the same packets sent to both worlds must leave both as the same bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/state.h"
#include "world.h"

static const struct state_here here = {
		.place = 77, .wall_us = UINT64_C(1700000000000000), .boot_us = 5000000000};

/* Where fields lie, for tests that change them. */
enum { AT_VERSION = 8, AT_CONN_BYTES = 20, AT_LENGTH = 24, HEAD = 144, BACKEND = 48, CONN = 128 };

struct saved {
	uint8_t *bytes;
	size_t size;
};

static struct saved
save(struct world *const *worlds, unsigned count)
{
	struct worker *workers[4];
	struct state_source source = {.workers = workers, .worker_count = count, .here = here};
	struct saved saved;

	for (unsigned i = 0; i < count; i++)
		workers[i] = worlds[i]->worker;
	saved.size = state_size(&source);
	/* Just as large as promised, so that a sanitizer sees any byte beyond. */
	saved.bytes = malloc(saved.size);
	assert_non_null(saved.bytes);
	state_save(&source, worlds[0]->now, saved.bytes);
	return saved;
}

/* Odd client ports belong to worker 1. */
static unsigned
owner(void *context, const struct tuple *tuple)
{
	return tuple->client_port % *(const unsigned *)context;
}

/* Takes the state up in worlds after a silence. */
static struct state_result
restore(const struct saved *saved, struct world *const *worlds, unsigned count, ticks_t silence)
{
	struct worker *workers[4];
	struct state_target target = {
			.workers = workers,
			.worker_count = count,
			.owner = owner,
			.context = &count,
			.boot_us = here.boot_us + silence,
	};
	struct state_result result;
	struct state state;

	for (unsigned i = 0; i < count; i++)
		workers[i] = worlds[i]->worker;
	assert_int_equal(state_check(&state, saved->bytes, saved->size, &here), STATE_VALID);
	state_restore(&state, &target, worlds[0]->now, &result);
	assert_int_equal(result.taken + result.removed + result.beyond, state.conn_count);
	return result;
}

/* The next process: its clock is later by the silence. */
static struct world *
world_after(const struct world *before, struct world_options options, ticks_t silence)
{
	options.start = before->now + silence;
	return world_new(&options);
}

/* Sends a packet to both worlds; it must leave them as the same bytes. */
static void
expect_same(struct world *before, struct world *after, enum side from, const struct packet *packet)
{
	struct outcome one = world_send(before, from, packet);
	struct outcome other = world_send(after, from, packet);

	assert_int_equal(one.reason, other.reason);
	assert_int_equal(one.length, other.length);
	assert_memory_equal(one.frame, other.frame, one.length);
}

/* Data, acknowledgements, a reset outside the window, and a close in order. */
static void
expect_same_life(struct world *before, struct world *after, const struct flow_script *f)
{
	uint32_t client = f->client_isn + 1, backend = f->iss + 1;
	struct packet packet = flow_client(f, PACKET_ACK, client, backend);

	packet.payload = (const uint8_t *)"request";
	packet.payload_length = 7;
	expect_same(before, after, SIDE_CLIENT, &packet);
	packet = flow_backend(f, PACKET_ACK, f->backend_isn + 1, client + 7);
	packet_add_sack(&packet, 1, (const uint32_t[]){client + 100, client + 200});
	packet.payload = (const uint8_t *)"answer";
	packet.payload_length = 6;
	expect_same(before, after, SIDE_BACKEND, &packet);
	packet = flow_client(f, PACKET_RST, client + 0x40000000, 0);
	expect_same(before, after, SIDE_CLIENT, &packet);
	packet = flow_client(f, PACKET_FIN | PACKET_ACK, client + 7, backend + 6);
	expect_same(before, after, SIDE_CLIENT, &packet);
	packet = flow_backend(f, PACKET_FIN | PACKET_ACK, f->backend_isn + 7, client + 8);
	expect_same(before, after, SIDE_BACKEND, &packet);
	packet = flow_client(f, PACKET_ACK, client + 8, backend + 7);
	expect_same(before, after, SIDE_CLIENT, &packet);
}

enum { FLOWS = 24 };

static struct flow_script
script(unsigned i)
{
	struct flow_script f = flow_script_default(i % 2 ? 6 : 4, (uint16_t)(40000 + i));

	f.client_isn += i * 0x10000;
	f.vlan_count = i % 3;
	f.client_timestamp = i % 5 != 0;
	/* The last ones: then it is known, and no other client is promised any. */
	f.backend_timestamp = f.backend_sack = i < FLOWS - 2;
	f.client_wscale = i % 7 == 0 ? -1 : 7;
	f.backend_wscale = (int)(i % 14);
	return f;
}

static void
establish_all(struct world *w, struct flow_script flows[FLOWS])
{
	for (unsigned i = 0; i < FLOWS; i++) {
		flows[i] = script(i);
		flow_establish(w, &flows[i]);
	}
}

/* 1. Spliced connections of all kinds go on as if nothing had happened, to the close. */
static void
test_pitfall_29_spliced_go_on(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script flows[FLOWS];
	struct world *after;
	struct saved saved;

	(void)state;
	establish_all(before, flows);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){0}, TICKS_PER_S / 2);
	assert_int_equal(restore(&saved, &after, 1, TICKS_PER_S / 2).taken, FLOWS);
	for (unsigned i = 0; i < FLOWS; i++)
		expect_same_life(before, after, &flows[i]);
	for (uint16_t slot = 0; slot < 2; slot++)
		assert_int_equal(world_counter(after, slot, COUNTER_CurrEstab), 0);
	world_pass(after, (TIMEOUT_TIME_WAIT_S + 1) * TICKS_PER_S);
	assert_int_equal(world_connections(after), 0);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 2. What was taken up and saved again at the same moment is the same state, byte for byte. */
static void
test_saved_again(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script flows[FLOWS];
	struct world *after;
	struct saved saved, again;

	(void)state;
	establish_all(before, flows);
	world_pass(before, 3 * TICKS_PER_S);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){0}, 0);
	restore(&saved, &after, 1, 0);
	again = save(&after, 1);
	assert_int_equal(saved.size, HEAD + WORLD_BACKENDS * BACKEND + FLOWS * CONN + 8);
	assert_int_equal(again.size, saved.size);
	assert_memory_equal(again.bytes, saved.bytes, saved.size);
	free(saved.bytes);
	free(again.bytes);
	world_free(before);
	world_free(after);
}

/* 3. Every other length and every flipped bit is refused. */
static void
test_pitfall_29_damage_refused(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = script(2);
	struct state found;
	struct saved saved;

	(void)state;
	flow_establish(w, &f);
	saved = save(&w, 1);
	for (size_t size = 0; size < saved.size; size++) {
		uint8_t *cut = malloc(size + 1); /* a sanitizer's border behind what is given */

		memcpy(cut + 1, saved.bytes, size);
		assert_int_equal(state_check(&found, cut + 1, size, &here),
				size < 8 ? STATE_FOREIGN : STATE_CUT_OFF);
		free(cut);
	}
	for (size_t bit = 0; bit < 8 * saved.size; bit++) {
		saved.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(
				state_check(&found, saved.bytes, saved.size, &here), STATE_VALID);
		saved.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(state_check(&found, saved.bytes, saved.size, &here), STATE_VALID);
	free(saved.bytes);
	world_free(w);
}

/* 4. The outcome names what is wrong, and in words. */
static void
test_outcomes(void **state)
{
	static const struct {
		size_t at;
		uint8_t flip;
		bool sealed;
		enum state_outcome outcome;
	} rows[] = {
			{0, 1, true, STATE_FOREIGN},
			{AT_VERSION, 3, true, STATE_OTHER_VERSION},
			{AT_LENGTH, 1, true, STATE_CUT_OFF},
			{HEAD, 1, false, STATE_DAMAGED},
			{AT_CONN_BYTES, 1, true, STATE_IMPOSSIBLE},
			/* In the connection: its family, state, flags, a window scale. */
			{HEAD + WORLD_BACKENDS * BACKEND + 40, 1, true, STATE_IMPOSSIBLE},
			{HEAD + WORLD_BACKENDS * BACKEND + 41, 0x40, true, STATE_IMPOSSIBLE},
			{HEAD + WORLD_BACKENDS * BACKEND + 42, 32, true, STATE_IMPOSSIBLE},
			{HEAD + WORLD_BACKENDS * BACKEND + 75, 0x40, true, STATE_IMPOSSIBLE},
	};
	static const struct {
		int64_t place, wall_s, boot_s;
		enum state_outcome outcome;
	} times[] = {
			{0, 300, 300, STATE_VALID},
			{0, -3600, 1, STATE_VALID}, /* the wall clock was set back */
			{1, 0, 0, STATE_OTHER_PLACE},
			{0, 301, 1, STATE_TOO_OLD},
			{0, 1, 301, STATE_TOO_OLD},
			{0, 1, -1, STATE_OTHER_BOOT},
	};
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct state found;
	struct saved saved;

	(void)state;
	flow_establish(w, &f);
	saved = save(&w, 1);
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		saved.bytes[rows[i].at] ^= rows[i].flip;
		if (rows[i].sealed)
			state_seal(saved.bytes, saved.size);
		assert_int_equal(state_check(&found, saved.bytes, saved.size, &here),
				rows[i].outcome);
		saved.bytes[rows[i].at] ^= rows[i].flip;
		state_seal(saved.bytes, saved.size);
	}
	for (unsigned i = 0; i < ARRAY_COUNT(times); i++) {
		struct state_here then = here;

		then.place += (uint64_t)times[i].place;
		then.wall_us += (uint64_t)times[i].wall_s * TICKS_PER_S;
		then.boot_us += (uint64_t)times[i].boot_s * TICKS_PER_S;
		assert_int_equal(state_check(&found, saved.bytes, saved.size, &then),
				times[i].outcome);
	}
	for (unsigned i = 0; i < STATE_OUTCOME_COUNT; i++)
		assert_true(strlen(state_outcome_text((enum state_outcome)i)) > 10);
	free(saved.bytes);
	world_free(w);
}

/* 5. What the next configuration has no place for is counted, and the rest goes on. */
static void
test_no_place(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script flows[FLOWS];
	struct state_result result;
	struct world *after;
	struct saved saved;

	(void)state;
	establish_all(before, flows);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){.connections = 10}, 0);
	after->configs[1].port = 81; /* the one by IPv6 is gone */
	world_publish(after);
	result = restore(&saved, &after, 1, 0);
	assert_int_equal(result.removed, FLOWS / 2);
	assert_int_equal(result.taken, 10);
	assert_int_equal(result.beyond, FLOWS / 2 - 10);
	assert_int_equal(world_connections(after), 10);
	assert_int_equal(world_counter(after, 0, COUNTER_CurrEstab), 10);
	expect_same_life(before, after, &flows[0]);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 6. From one worker to two and back: each connection is at the worker that owns it. */
static void
test_other_workers(void **state)
{
	struct world *one = world_new(&(struct world_options){0});
	struct flow_script flows[FLOWS];
	struct world *two[2], *again;
	struct saved saved;

	(void)state;
	establish_all(one, flows);
	saved = save(&one, 1);
	two[0] = world_after(one, (struct world_options){0}, 0);
	two[1] = world_after(one, (struct world_options){.together_with = two[0]}, 0);
	assert_int_equal(restore(&saved, two, 2, 0).taken, FLOWS);
	assert_int_equal(world_connections(two[0]), FLOWS / 2);
	assert_int_equal(world_connections(two[1]), FLOWS / 2);
	free(saved.bytes);
	saved = save(two, 2);
	again = world_after(one, (struct world_options){0}, 0);
	assert_int_equal(restore(&saved, &again, 1, 0).taken, FLOWS);
	for (unsigned i = 0; i < FLOWS; i++)
		expect_same_life(one, again, &flows[i]);
	free(saved.bytes);
	world_free(one);
	world_free(two[1]);
	world_free(two[0]);
	world_free(again);
}

/* A client proved, its backend asked or the client waiting. */
static struct flow_script
prove(struct world *w, uint16_t port, enum reason reason)
{
	struct flow_script f = flow_script_default(4, port);
	struct packet packet;

	flow_send_syn(w, &f);
	packet = flow_ack(&f);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, reason);
	return f;
}

/* 7. A backend's answer that comes after the restart splices; a SYN without answer is repeated at
 * its time, and the client gets its end. */
static void
test_pitfall_29_connecting_goes_on(void **state)
{
	struct world *before =
			world_new(&(struct world_options){.backend = {.tcp_syn_retries = 2}});
	struct flow_script answered = prove(before, 40000, REASON_ack_connecting);
	struct world *after;
	struct packet packet;
	struct saved saved;

	(void)state;
	prove(before, 40001, REASON_ack_connecting);
	world_pass(before, TICKS_PER_S / 2);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){.backend = {.tcp_syn_retries = 2}},
			TICKS_PER_S / 4);
	assert_int_equal(restore(&saved, &after, 1, TICKS_PER_S / 4).taken, 2);
	assert_int_equal(after->shared[0].accept, 2);
	packet = flow_synack(&answered);
	assert_int_equal(world_send(after, SIDE_BACKEND, &packet).reason, REASON_backend_connected);
	assert_int_equal(after->shared[0].accept, 1);
	assert_int_equal(world_emitted(after, SIDE_CLIENT).destination_port, 40000);
	world_pass(after, TICKS_PER_S / 5);
	world_nothing_emitted(after);
	world_pass(after, TICKS_PER_S / 10); /* 1.05 s after the first SYN */
	packet = world_emitted(after, SIDE_BACKEND);
	assert_int_equal(packet.flags, PACKET_SYN);
	assert_int_equal(packet.source_port, 40001);
	world_pass(after, 3 * TICKS_PER_S);
	packet = world_emitted(after, SIDE_CLIENT);
	assert_int_equal(packet.flags, PACKET_RST | PACKET_ACK);
	assert_int_equal(after->shared[0].accept, 0);
	assert_int_equal(world_connections(after), 1);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 8. Clients in the accept ring keep their order, and begin at once where the next process has
 * room: nobody would leave to make them begin. */
static void
test_waiting_goes_on(void **state)
{
	enum { CLIENTS = 5 };
	struct world *before = world_new(&(struct world_options){.backend = {.connect_window = 1}});
	struct flow_script flows[CLIENTS];
	struct world *after;
	struct packet packet;
	struct saved saved;

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++)
		flows[i] = prove(before, (uint16_t)(40009 - i),
				i == 0 ? REASON_ack_connecting : REASON_ack_queued);
	saved = save(&before, 1);
	/* Once with the same window, in order; */
	after = world_after(before, (struct world_options){.backend = {.connect_window = 1}}, 0);
	assert_int_equal(restore(&saved, &after, 1, 0).taken, CLIENTS);
	assert_int_equal(after->shared[0].accept, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++) {
		packet = flow_synack(&flows[i]);
		assert_int_equal(world_send(after, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		assert_int_equal(after->emitted_count, i + 1 < CLIENTS ? 2 : 1);
		after->emitted_count = 0;
	}
	assert_int_equal(after->shared[0].accept, 0);
	world_free(after);
	/* once with a larger one. */
	after = world_after(before, (struct world_options){.backend = {.connect_window = 3}}, 0);
	restore(&saved, &after, 1, 0);
	world_pass(after, TICKS_PER_S / 10);
	assert_int_equal(after->emitted_count, 2);
	after->emitted_count = 0;
	for (unsigned i = 0; i < CLIENTS; i++) {
		packet = flow_synack(&flows[i]);
		assert_int_equal(world_send(after, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
	}
	after->emitted_count = 0;
	assert_int_equal(after->shared[0].accept, 0);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 9. Silence counts on over the restart, in each state. */
static void
test_timeouts_go_on(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script open = flow_script_default(4, 40000), reset = open;
	struct world *after;
	struct packet packet;
	struct saved saved;

	(void)state;
	before->timeouts.s[TIMEOUT_ESTABLISHED] = 100;
	world_publish(before);
	reset.client_port = 40001;
	flow_establish(before, &open);
	flow_establish(before, &reset);
	world_pass(before, 60 * TICKS_PER_S);
	packet = flow_client(&reset, PACKET_RST, reset.client_isn + 1, 0);
	assert_int_equal(world_send(before, SIDE_CLIENT, &packet).reason, REASON_spliced_reset);
	world_pass(before, 2 * TICKS_PER_S);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){0}, 5 * TICKS_PER_S);
	after->timeouts.s[TIMEOUT_ESTABLISHED] = 100;
	world_publish(after);
	restore(&saved, &after, 1, 5 * TICKS_PER_S);
	assert_int_equal(world_counter(after, 0, COUNTER_CurrEstab), 1);
	world_pass(after, 31 * TICKS_PER_S); /* 98 s of silence for the first */
	assert_int_equal(world_connections(after), 1);
	world_pass(after, 3 * TICKS_PER_S);
	assert_int_equal(world_connections(after), 0);
	assert_int_equal(world_counter(after, 0, COUNTER_CurrEstab), 0);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 10. A cookie that went out before proves its client afterwards, though the secret changed
 * meanwhile; what backends taught is known. */
static void
test_pitfall_29_cookies_count(void **state)
{
	struct world *before = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script first = flow_script_default(4, 40000), late = first;
	_Alignas(CACHE_LINE_SIZE) uint8_t memory[65536];
	struct snapshot *described = snapshot_init(memory, WORLD_BACKENDS, 1, 1);
	struct siphash_key secret = {8, 9};
	struct cookie_plan plan;
	struct state found;
	struct saved saved;
	struct world *after;

	(void)state;
	before->cookies = cookie_plan_make(&(struct siphash_key){6, 7});
	world_publish(before);
	world_pass(before, 2 * COOKIE_EPOCH_S * TICKS_PER_S);
	first.backend_mss = 1300;
	flow_establish(before, &first);
	late.client_port = 40001;
	flow_send_syn(before, &late); /* has an entry, which is forgotten */
	saved = save(&before, 1);
	assert_int_equal(state_check(&found, saved.bytes, saved.size, &here), STATE_VALID);
	state_describe(&found, described);
	assert_int_equal(snapshot_count(described), WORLD_BACKENDS);
	for (unsigned i = 0; i < WORLD_BACKENDS; i++) {
		const struct backend_config *config = &before->configs[i];

		config = snapshot_find(described, &config->address, config->port);
		assert_non_null(config);
		for (unsigned epoch = 0; epoch < COOKIE_PLAN_EPOCHS; epoch++)
			assert_int_equal(backend_config_wscale(config, snapshot_cookies(described),
							 epoch),
					7);
	}
	assert_false(found.secret_is_configured);
	plan = cookie_plan_next(snapshot_cookies(described), &secret, before->now + TICKS_PER_S);
	after = world_after(before, (struct world_options){.mode = WORLD_MODE_1, .cookies = &plan},
			TICKS_PER_S);
	restore(&saved, &after, 1, TICKS_PER_S);

	struct packet ack = flow_ack(&late);

	assert_int_equal(world_send(after, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
	assert_int_equal(world_counter(after, 0, COUNTER_SyncookiesRecv), 1);

	struct flow_script next = flow_script_default(4, 40002);
	struct packet syn_ack = flow_send_syn(after, &next);

	assert_int_equal(packet_mss(&syn_ack), 1300);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 11. Data that was held is given back, and its client's repetition arrives. */
static void
test_held_data_is_repeated(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script f = prove(before, 40000, REASON_ack_connecting);
	struct packet data = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1), packet;
	struct world *after;
	struct saved saved;

	(void)state;
	data.payload = (const uint8_t *)"hello";
	data.payload_length = 5;
	assert_int_equal(world_send(before, SIDE_CLIENT, &data).reason, REASON_client_early_held);
	sluice_give_back(before->worker);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){0}, TICKS_PER_S / 2);
	restore(&saved, &after, 1, TICKS_PER_S / 2);
	packet = flow_synack(&f);
	assert_int_equal(world_send(after, SIDE_BACKEND, &packet).reason, REASON_backend_connected);
	world_emitted(after, SIDE_CLIENT);
	assert_int_equal(world_send(after, SIDE_CLIENT, &data).reason, REASON_spliced);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* Both ends' FINs, ten seconds old by their timestamps. */
static void
expect_old_fins(struct world *before, struct world *after, struct flow_script f)
{
	const uint8_t fin = PACKET_FIN | PACKET_ACK;
	struct packet packet;

	f.client_tsval -= 10000;
	f.backend_tsval -= 10000;
	packet = flow_client(&f, fin, f.client_isn + 1, f.iss + 1);
	assert_int_equal(world_send(before, SIDE_CLIENT, &packet).reason, REASON_spliced_old);
	assert_int_equal(world_send(after, SIDE_CLIENT, &packet).reason, REASON_spliced_old);
	packet = flow_backend(&f, fin, f.backend_isn + 1, f.client_isn + 1);
	assert_int_equal(world_send(before, SIDE_BACKEND, &packet).reason, REASON_spliced_old);
	assert_int_equal(world_send(after, SIDE_BACKEND, &packet).reason, REASON_spliced_old);
}

/* 12. What each end's old segments are known by is kept: an old FIN is still no close. Several
 * flows, as what would be taken for their latest timestamps is random. */
static void
test_pitfall_15_old_fin_after_restart(void **state)
{
	struct world *before = world_new(&(struct world_options){0});
	struct flow_script flows[FLOWS];
	struct world *after;
	struct saved saved;

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		flows[i] = flow_script_default(4, (uint16_t)(40000 + i));
		flow_establish(before, &flows[i]);
	}
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){0}, 0);
	restore(&saved, &after, 1, 0);
	for (unsigned i = 0; i < FLOWS; i++)
		expect_old_fins(before, after, flows[i]);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

/* 13. A flow that only its client was heard of is not kept, reset by it or not, and does not have
 * the others refused. */
static void
test_pitfall_29_stranger_resets(void **state)
{
	struct world *before = world_new(&(struct world_options){.backend = {.stray = STRAY_PASS}});
	struct flow_script f = script(0), stranger = script(2);
	struct packet packet;
	struct world *after;
	struct saved saved;

	(void)state;
	flow_establish(before, &f);
	packet = flow_client(&stranger, PACKET_ACK, 1000, 2000);
	assert_int_equal(world_send(before, SIDE_CLIENT, &packet).reason, REASON_stray_passed);
	assert_int_equal(world_connections(before), 2);
	packet = flow_client(&stranger, PACKET_RST, 1000, 0);
	assert_int_equal(world_send(before, SIDE_CLIENT, &packet).reason, REASON_spliced_reset);
	assert_int_equal(world_connections(before), 2);
	saved = save(&before, 1);
	after = world_after(before, (struct world_options){.backend = {.stray = STRAY_PASS}}, 0);
	assert_int_equal(restore(&saved, &after, 1, 0).taken, 1);
	expect_same_life(before, after, &f);
	free(saved.bytes);
	world_free(before);
	world_free(after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_29_spliced_go_on),
			cmocka_unit_test(test_saved_again),
			cmocka_unit_test(test_pitfall_29_damage_refused),
			cmocka_unit_test(test_outcomes),
			cmocka_unit_test(test_no_place),
			cmocka_unit_test(test_other_workers),
			cmocka_unit_test(test_pitfall_29_connecting_goes_on),
			cmocka_unit_test(test_waiting_goes_on),
			cmocka_unit_test(test_timeouts_go_on),
			cmocka_unit_test(test_pitfall_29_cookies_count),
			cmocka_unit_test(test_held_data_is_repeated),
			cmocka_unit_test(test_pitfall_15_old_fin_after_restart),
			cmocka_unit_test(test_pitfall_29_stranger_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
