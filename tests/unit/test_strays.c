/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments without a connection: reset within a budget, or passed and tracked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/strays.h"
#include "world.h"

#define S TICKS_PER_S

static struct world *
world_with(enum stray_policy policy, enum world_mode mode)
{
	return world_new(&(struct world_options){.backend = {.stray = policy}, .mode = mode});
}

/* A flow that both ends had before: numbers as they are, translated by nobody. */
static struct flow_script
old_flow(unsigned ip_version, uint16_t port)
{
	struct flow_script f = flow_script_default(ip_version, port);

	f.iss = f.backend_isn;
	f.synack_tsval = f.backend_tsval;
	return f;
}

static struct packet
segment(const struct flow_script *f, enum side from, uint8_t flags, uint32_t sent, uint32_t got)
{
	return from == SIDE_CLIENT
			       ? flow_client(f, flags, f->client_isn + 1 + sent, f->iss + 1 + got)
			       : flow_backend(f, flags, f->iss + 1 + sent, f->client_isn + 1 + got);
}

static enum reason
says(struct world *w, const struct flow_script *f, enum side from, uint8_t flags, uint32_t sent,
		uint32_t got)
{
	struct packet p = segment(f, from, flags, sent, got);

	return world_send(w, from, &p).reason;
}

/* Sends a segment and demands that it leaves on the other side, byte for byte. */
static enum reason
passes(struct world *w, const struct flow_script *f, enum side from, uint8_t flags, uint32_t sent,
		uint32_t got, size_t payload_length)
{
	static const uint8_t payload[1000] = "payload";
	struct packet p = segment(f, from, flags, sent, got);
	uint8_t frame[WORLD_FRAME_BYTES];
	struct outcome out;
	size_t length;

	p.payload = payload;
	p.payload_length = payload_length;
	length = packet_write(&p, frame, sizeof(frame));
	out = world_send_frame(w, from, frame, length);
	assert_int_equal(out.verdict, VERDICT_FORWARD);
	assert_int_equal(out.length, length);
	assert_memory_equal(out.frame, frame, length);
	return out.reason;
}

/* Who sends what flags and payload, and the reset's flags (0: none). */
static const struct {
	enum side from;
	uint8_t flags;
	uint32_t length;
	uint8_t reset;
} cases[] = {
		/* 1 */ {SIDE_CLIENT, PACKET_ACK, 0, PACKET_RST},
		/* 2 */ {SIDE_CLIENT, PACKET_ACK | PACKET_PSH, 100, PACKET_RST},
		/* 3 */ {SIDE_CLIENT, PACKET_FIN | PACKET_ACK, 0, PACKET_RST},
		/* 4 */ {SIDE_CLIENT, PACKET_SYN | PACKET_ACK, 0, PACKET_RST},
		/* 5 */ {SIDE_CLIENT, PACKET_RST, 0, 0},
		/* 6 */ {SIDE_CLIENT, PACKET_RST | PACKET_ACK, 0, 0},
		/* 7 */ {SIDE_BACKEND, PACKET_ACK, 1000, PACKET_RST},
		/* 8 */ {SIDE_BACKEND, PACKET_SYN | PACKET_ACK, 0, PACKET_RST},
		/* 9: without ACK its own length counts */
		{SIDE_BACKEND, PACKET_SYN, 10, PACKET_RST | PACKET_ACK},
		/* 10 */ {SIDE_BACKEND, PACKET_RST, 0, 0},
		/* 11 */ {SIDE_BACKEND, PACKET_FIN | PACKET_ACK, 5, PACKET_RST},
};

/* 1. PITFALLS 29: the sender of a stray is reset as RFC 9293 3.10.7.1 has it, with nothing longer
 * than what it sent. */
static void
test_pitfall_29_reset(void **state)
{
	static const uint8_t payload[1000] = "payload";

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
		unsigned n = i / 2;
		struct world *w = world_with(STRAY_RESET, WORLD_MODE_1);
		struct flow_script f = old_flow(i % 2 ? 4 : 6, 40000);
		struct packet p = segment(&f, cases[n].from, cases[n].flags, 10, 20);
		struct outcome out;

		p.payload = payload;
		p.payload_length = cases[n].length;
		out = world_send(w, cases[n].from, &p);
		if (cases[n].reset == 0) {
			assert_int_equal(out.reason, cases[n].from == SIDE_CLIENT
								     ? REASON_stray_client
								     : REASON_stray_backend);
		} else {
			assert_int_equal(out.reason, REASON_stray_reset);
			assert_int_equal(out.to, cases[n].from);
			assert_int_equal(out.packet.flags, cases[n].reset);
			assert_int_equal(out.packet.seq, cases[n].reset & PACKET_ACK ? 0 : p.ack);
			assert_int_equal(out.packet.ack,
					cases[n].reset & PACKET_ACK ? p.seq + 1 + cases[n].length
								    : 0);
			assert_int_equal(out.packet.source_port, p.destination_port);
			assert_memory_equal(out.packet.ether_destination, p.ether_source, 6);
			assert_true(out.length <= packet_size(&p));
		}
		assert_int_equal(world_connections(w), 0);
		world_free(w);
	}
}

/* 2. PITFALLS 11, 29: a storm of strays meets the budget; what is beyond is dropped and counted. */
static void
test_pitfall_29_no_storm(void **state)
{
	struct world *w = world_with(STRAY_RESET, WORLD_MODE_1);
	struct flow_script last = old_flow(4, 1);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct flow_script f = old_flow(4, (uint16_t)(20000 + i));

		says(w, &f, SIDE_CLIENT, PACKET_ACK, 0, 0);
	}
	assert_int_equal(world_reason(w, REASON_stray_reset), 100);
	assert_int_equal(world_reason(w, REASON_stray_reset_limited), 900);
	world_pass(w, S);
	assert_int_equal(says(w, &last, SIDE_CLIENT, PACKET_ACK, 0, 0), REASON_stray_reset);
	world_free(w);
}

/* 3. What belongs to a handshake is no stray, whatever the policy: SYNs, proofs by entry and by
 * cookie, a wrong ACK of a half-open client. */
static void
test_handshakes_are_no_strays(void **state)
{
	(void)state;
	for (enum stray_policy policy = STRAY_RESET; policy <= STRAY_PASS; policy++)
		for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_1; mode++) {
			struct world *w = world_with(policy, mode);
			struct flow_script f = flow_script_default(4, 40000);
			struct packet wrong;

			flow_send_syn(w, &f);
			wrong = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 2);
			if (mode == WORLD_MODE_1)
				assert_int_equal(world_send(w, SIDE_CLIENT, &wrong).reason,
						REASON_stray_client);
			flow_establish(w, &f);
			assert_int_equal(world_connections(w), 1);
			world_free(w);
		}
}

/* 4. An old connection that both ends go on with passes untranslated, from whichever side it
 * is heard first, and is counted, listed and ended like any. */
static void
test_pass_tracks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct world *w = world_with(STRAY_PASS, i & 4 ? WORLD_MODE_2 : WORLD_MODE_1);
		struct flow_script f = old_flow(i & 1 ? 4 : 6, 40000);
		enum side a = i & 2 ? SIDE_CLIENT : SIDE_BACKEND, b = side_other(a);
		uint16_t slot = i & 1 ? 0 : 1;

		assert_int_equal(passes(w, &f, a, PACKET_ACK, 0, 0, 100), REASON_stray_passed);
		assert_int_equal(world_connections(w), 1);
		assert_int_equal(passes(w, &f, b, PACKET_ACK, 0, 100, 1000), REASON_spliced);
		assert_int_equal(world_counter(w, slot, COUNTER_CurrEstab), 1);
		assert_int_equal(passes(w, &f, a, PACKET_ACK, 100, 1000, 0), REASON_spliced);
		world_pass(w, 3600 * S);
		assert_int_equal(passes(w, &f, b, PACKET_ACK, 1000, 100, 1000), REASON_spliced);
		assert_int_equal(passes(w, &f, a, PACKET_FIN | PACKET_ACK, 100, 2000, 0),
				REASON_spliced);
		assert_int_equal(passes(w, &f, b, PACKET_ACK, 2000, 101, 0), REASON_spliced);
		assert_int_equal(passes(w, &f, b, PACKET_FIN | PACKET_ACK, 2000, 101, 0),
				REASON_spliced);
		assert_int_equal(world_counter(w, slot, COUNTER_CurrEstab), 1);
		assert_int_equal(passes(w, &f, a, PACKET_ACK, 101, 2001, 0), REASON_spliced);
		assert_int_equal(world_counter(w, slot, COUNTER_CurrEstab), 0);
		world_pass(w, 121 * S);
		assert_int_equal(world_connections(w), 0);
		assert_int_equal(world_counter(w, slot, COUNTER_PassiveOpens), 0);
		world_free(w);
	}
}

/* 5. A client's FIN that is heard first counts once its backend answers; a backend's does at once.
 */
static void
test_pass_begins_with_fin(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct world *w = world_with(STRAY_PASS, WORLD_MODE_1);
		struct flow_script f = old_flow(4, 40000);

		passes(w, &f, from, PACKET_FIN | PACKET_ACK, 0, 0, 10);
		passes(w, &f, side_other(from), PACKET_FIN | PACKET_ACK, 0, 11, 0);
		passes(w, &f, from, PACKET_ACK, 11, 1, 0);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
		world_pass(w, 121 * S);
		assert_int_equal(world_connections(w), 0);
		world_free(w);
	}
}

/* 6. What starts no flow: a SYN is never passed, a RST passes alone, and nothing is tracked for a
 * backend that drains. */
static void
test_pass_what_starts_none(void **state)
{
	struct world *w = world_with(STRAY_PASS, WORLD_MODE_1);
	struct flow_script f = old_flow(4, 40000);

	(void)state;
	assert_int_equal(says(w, &f, SIDE_CLIENT, PACKET_SYN | PACKET_ACK, 0, 0),
			REASON_stray_client);
	assert_int_equal(says(w, &f, SIDE_BACKEND, PACKET_SYN | PACKET_ACK, 0, 0),
			REASON_stray_backend);
	assert_int_equal(says(w, &f, SIDE_BACKEND, PACKET_SYN, 0, 0), REASON_stray_backend);
	for (enum side from = 0; from < SIDE_COUNT; from++)
		assert_int_equal(passes(w, &f, from, PACKET_RST, 0, 0, 0), REASON_stray_passed);
	w->configs[0].is_draining = true;
	world_publish(w);
	for (enum side from = 0; from < SIDE_COUNT; from++)
		assert_int_equal(passes(w, &f, from, PACKET_ACK, 0, 0, 0), REASON_stray_passed);
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* 7. Forged segments fill no table: an eighth of it at most, for closing_s; what is beyond passes,
 * and clients still find room. */
static void
test_pass_is_bounded(void **state)
{
	enum { CONNECTIONS = 64, MOST = CONNECTIONS / STRAYS_UNANSWERED_SHARE + 1 };
	struct world *w = world_new(&(struct world_options){
			.connections = CONNECTIONS, .backend = {.stray = STRAY_PASS}});
	struct flow_script f;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		f = old_flow(4, (uint16_t)(20000 + i));
		assert_int_equal(passes(w, &f, SIDE_CLIENT, PACKET_ACK, 0, 0, 0),
				REASON_stray_passed);
		/* Its backend doesn't know it: that makes no room for more. */
		passes(w, &f, SIDE_BACKEND, PACKET_RST, 0, 0, 0);
		assert_in_range(world_connections(w), 1, MOST);
	}
	assert_int_equal(world_connections(w), MOST);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	f = flow_script_default(4, 50000);
	flow_establish(w, &f);
	world_pass(w, 121 * S);
	assert_int_equal(world_connections(w), 1);
	/* And again: what was counted as unanswered was given back. */
	for (unsigned i = 0; i < 1000; i++) {
		f = old_flow(4, (uint16_t)(20000 + i));
		passes(w, &f, SIDE_CLIENT, PACKET_ACK, 0, 0, 0);
	}
	assert_int_equal(world_connections(w), 1 + MOST);

	/* Flows of backends fill it all; then they pass untracked. */
	for (unsigned i = 0; i < 100; i++) {
		f = old_flow(4, (uint16_t)(30000 + i));
		assert_int_equal(passes(w, &f, SIDE_BACKEND, PACKET_ACK, 0, 0, 0),
				REASON_stray_passed);
	}
	assert_int_equal(world_connections(w), CONNECTIONS);
	world_free(w);
}

/* 8. PITFALLS 14: a client that reuses the tuple of a tracked flow is answered and proves itself as
 * always; its proof replaces the flow, whose end at the backend is reset. */
static void
test_pitfall_14_proof_replaces_tracked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world *w = world_with(STRAY_PASS, i & 1 ? WORLD_MODE_2 : WORLD_MODE_1);
		struct flow_script old = old_flow(4, 40000);
		struct flow_script new = flow_script_default(4, 40000);
		struct packet p;
		bool answered = i & 2;

		passes(w, &old, SIDE_CLIENT, PACKET_ACK, 0, 0, 10);
		if (answered)
			passes(w, &old, SIDE_BACKEND, PACKET_ACK, 500, 10, 0);
		new.client_isn = old.client_isn + 0x40000000;
		flow_send_syn(w, &new);
		p = flow_ack(&new);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_ack_connecting);
		if (answered) {
			p = world_emitted(w, SIDE_BACKEND);
			assert_int_equal(p.flags, PACKET_RST);
			assert_int_equal(p.seq, old.client_isn + 1 + 10);
		}
		p = flow_synack(&new);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		assert_int_equal(world_connections(w), 1);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
		world_free(w);
	}
}

/* 9. A flow that someone else began to track with forged numbers goes on unharmed, and is tracked
 * rightly from the backend's next segment on. */
static void
test_pass_forged_start(void **state)
{
	struct world *w = world_with(STRAY_PASS, WORLD_MODE_1);
	struct flow_script f = old_flow(4, 40000);

	(void)state;
	passes(w, &f, SIDE_CLIENT, PACKET_ACK, 0x50000000, 0x60000000, 10);
	assert_int_equal(passes(w, &f, SIDE_CLIENT, PACKET_ACK, 0, 0, 10), REASON_spliced_outside);
	assert_int_equal(
			passes(w, &f, SIDE_BACKEND, PACKET_ACK, 0, 10, 10), REASON_spliced_outside);
	assert_int_equal(passes(w, &f, SIDE_CLIENT, PACKET_ACK, 10, 10, 10), REASON_spliced);
	assert_int_equal(passes(w, &f, SIDE_BACKEND, PACKET_ACK, 10, 20, 0), REASON_spliced);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	assert_int_equal(passes(w, &f, SIDE_CLIENT, PACKET_RST, 20, 20, 0), REASON_spliced_reset);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	world_free(w);
}

/* 10. A flow tracked while strays passed goes on after they no longer do; no other begins. */
static void
test_policy_changes(void **state)
{
	struct world *w = world_with(STRAY_PASS, WORLD_MODE_1);
	struct flow_script f = old_flow(4, 40000), late = old_flow(4, 40001);

	(void)state;
	passes(w, &f, SIDE_BACKEND, PACKET_ACK, 0, 0, 10);
	w->configs[0].stray = STRAY_DROP;
	world_publish(w);
	assert_int_equal(passes(w, &f, SIDE_CLIENT, PACKET_ACK, 0, 10, 10), REASON_spliced);
	assert_int_equal(says(w, &late, SIDE_CLIENT, PACKET_ACK, 0, 0), REASON_stray_client);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_29_reset),
			cmocka_unit_test(test_pitfall_29_no_storm),
			cmocka_unit_test(test_handshakes_are_no_strays),
			cmocka_unit_test(test_pass_tracks),
			cmocka_unit_test(test_pass_begins_with_fin),
			cmocka_unit_test(test_pass_what_starts_none),
			cmocka_unit_test(test_pass_is_bounded),
			cmocka_unit_test(test_pitfall_14_proof_replaces_tracked),
			cmocka_unit_test(test_pass_forged_start),
			cmocka_unit_test(test_policy_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
