/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ECN (RFC 3168) between a client and a backend: who is promised what, what the backend is asked,
 * and what reaches it when it refuses. PITFALLS 13.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define ECN_SETUP (PACKET_SYN | PACKET_ECE | PACKET_CWR)

enum { NOT_ECT, ECT_1, ECT_0, CE };

static const unsigned versions[] = {4, 6};

/* Sends a SYN that offers ECN; true when the SYN-ACK accepts it. */
static bool
send_ecn_syn(struct world *w, struct flow_script *f)
{
	struct packet syn = flow_syn(f);
	struct outcome out;
	uint32_t tsecr;

	syn.flags = ECN_SETUP;
	out = world_send(w, SIDE_CLIENT, &syn);
	assert_int_equal(out.verdict, VERDICT_REPLY);
	assert_int_equal(out.packet.flags & ~PACKET_ECE, PACKET_SYN | PACKET_ACK);
	assert_int_equal(out.packet.tos, 0);
	f->iss = out.packet.seq;
	f->synack_tsval = 0;
	packet_timestamp(&out.packet, &f->synack_tsval, &tsecr);
	return out.packet.flags & PACKET_ECE;
}

/* The proof, and the flags of the SYN that the backend gets for it. */
static uint8_t
prove(struct world *w, const struct flow_script *f)
{
	struct packet ack = flow_ack(f);
	struct outcome out = world_send(w, SIDE_CLIENT, &ack);

	assert_int_equal(out.reason, REASON_ack_connecting);
	assert_int_equal(out.packet.tos, 0);
	return out.packet.flags;
}

static void
answer(struct world *w, const struct flow_script *f, bool accepts)
{
	struct packet syn_ack = flow_synack(f), update;
	struct outcome out;

	syn_ack.flags |= accepts ? PACKET_ECE : 0;
	out = world_send(w, SIDE_BACKEND, &syn_ack);
	assert_int_equal(out.reason, REASON_backend_connected);
	assert_int_equal(out.packet.flags, PACKET_ACK);
	assert_int_equal(out.packet.tos, 0);
	update = world_emitted(w, SIDE_CLIENT);
	assert_int_equal(update.flags, PACKET_ACK);
	assert_int_equal(update.tos, 0);
}

static void
establish(struct world *w, struct flow_script *f, bool accepts)
{
	assert_true(send_ecn_syn(w, f));
	assert_int_equal(prove(w, f), ECN_SETUP);
	answer(w, f, accepts);
}

/* A segment with these bits, and what reaches the other end. */
static struct packet
client_sends(struct world *w, const struct flow_script *f, uint8_t flags, uint8_t tos)
{
	struct packet p = flow_client(f, PACKET_ACK | flags, f->client_isn + 1, f->iss + 1);
	struct outcome out;

	p.tos = tos;
	p.payload = (const uint8_t *)"data";
	p.payload_length = 4;
	out = world_send(w, SIDE_CLIENT, &p);
	assert_int_equal(out.reason, REASON_spliced);
	return out.packet;
}

static struct packet
backend_sends(struct world *w, const struct flow_script *f, uint8_t flags, uint8_t tos)
{
	struct packet p =
			flow_backend(f, PACKET_ACK | flags, f->backend_isn + 1, f->client_isn + 1);
	struct outcome out;

	p.tos = tos;
	out = world_send(w, SIDE_BACKEND, &p);
	assert_true(out.verdict == VERDICT_FORWARD);
	return out.packet;
}

/* 1. Both ends speak it: every flag and mark passes as it is, in both directions. */
static void
test_pitfall_13_ecn_agreed(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
			struct world *w = world_new(
					&(struct world_options){.mode = (enum world_mode)mode});
			struct flow_script f = flow_script_default(versions[v], 40000);
			static const uint8_t flags[] = {
					0, PACKET_ECE, PACKET_CWR, PACKET_ECE | PACKET_CWR};

			establish(w, &f, true);
			for (unsigned i = 0; i < 16; i++) {
				uint8_t bits = flags[i / 4];
				uint8_t tos = (uint8_t)(0xb8 | i % 4);
				struct packet p = client_sends(w, &f, bits, tos);

				assert_int_equal(p.flags, PACKET_ACK | bits);
				assert_int_equal(p.tos, tos);
				p = backend_sends(w, &f, bits, tos);
				assert_int_equal(p.flags, PACKET_ACK | bits);
				assert_int_equal(p.tos, tos);
			}
			world_free(w);
		}
}

/* 2. The backend refuses what the client was promised: nothing of it reaches the backend, marks of
 * the way are echoed until the client says CWR, and the next client is promised nothing. */
static void
test_pitfall_13_ecn_refused(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(versions[v], 40000);
		struct flow_script g = flow_script_default(versions[v], 40001);
		struct packet p;

		establish(w, &f, false);
		p = client_sends(w, &f, 0, 0xb8 | ECT_0);
		assert_int_equal(p.tos, 0xb8);
		assert_int_equal(backend_sends(w, &f, 0, 0).flags, PACKET_ACK);

		p = client_sends(w, &f, 0, 0xb8 | CE);
		assert_int_equal(p.tos, 0xb8);
		for (unsigned i = 0; i < 3; i++) {
			p = backend_sends(w, &f, PACKET_PSH, 0x20);
			assert_int_equal(p.flags, PACKET_ACK | PACKET_PSH | PACKET_ECE);
			assert_int_equal(p.tos, 0x20);
		}
		p = backend_sends(w, &f, PACKET_RST, 0);
		assert_int_equal(p.flags, PACKET_ACK | PACKET_RST);
		world_free(w);

		w = world_new(&(struct world_options){0});
		f = flow_script_default(versions[v], 40000);
		establish(w, &f, false);
		client_sends(w, &f, 0, CE);
		p = client_sends(w, &f, PACKET_CWR | PACKET_ECE, ECT_1);
		assert_int_equal(p.flags, PACKET_ACK);
		assert_int_equal(p.tos, 0);
		assert_int_equal(backend_sends(w, &f, 0, 0).flags, PACKET_ACK);
		/* Marked again on the way, it says CWR in vain. */
		client_sends(w, &f, PACKET_CWR, CE);
		assert_int_equal(backend_sends(w, &f, 0, 0).flags, PACKET_ACK | PACKET_ECE);

		assert_false(send_ecn_syn(w, &g));
		assert_int_equal(prove(w, &g), PACKET_SYN);
		answer(w, &g, false);
		/* Not agreed: what passes is left alone. */
		p = client_sends(w, &g, PACKET_CWR, CE);
		assert_int_equal(p.flags, PACKET_ACK | PACKET_CWR);
		assert_int_equal(p.tos, CE);

		world_pass(w, 600 * TICKS_PER_S);
		g = flow_script_default(versions[v], 40002);
		assert_true(send_ecn_syn(w, &g));
		world_free(w);
	}
}

/* 3. A mark outside the windows is not believed. */
static void
test_pitfall_15_forged_mark(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;
	struct outcome out;

	(void)state;
	establish(w, &f, false);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1000000, f.iss + 1);
	p.tos = CE;
	out = world_send(w, SIDE_CLIENT, &p);
	assert_int_equal(out.reason, REASON_spliced_outside);
	assert_int_equal(out.packet.tos, 0);
	assert_int_equal(backend_sends(w, &f, 0, 0).flags, PACKET_ACK);
	world_free(w);
}

/* 4. A promise is only made where it is kept: in a cookie with timestamps, or in an entry; and not
 * to SYNs that do not offer ECN as RFC 3168 has it. */
static void
test_promise(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		bool queued = i & 1, timestamps = i & 2, ece = i & 4, cwr = i & 8, marked = i & 16;
		struct world *w = world_new(&(struct world_options){
				.mode = queued ? WORLD_MODE_1 : WORLD_MODE_2});
		struct flow_script f = flow_script_default(4, 40000);
		bool promised = ece && cwr && !marked && (queued || timestamps);
		struct packet syn;
		struct outcome out;
		uint32_t tsecr;

		f.client_timestamp = timestamps;
		syn = flow_syn(&f);
		syn.flags |= (uint8_t)((ece ? PACKET_ECE : 0) | (cwr ? PACKET_CWR : 0));
		syn.tos = marked ? ECT_0 : NOT_ECT;
		out = world_send(w, SIDE_CLIENT, &syn);
		assert_int_equal(out.reason, queued ? REASON_syn_queued : REASON_syn_cookie_sent);
		assert_int_equal(out.packet.flags,
				PACKET_SYN | PACKET_ACK | (promised ? PACKET_ECE : 0));
		/* Repeated by the client and by the timer, it says the same. */
		if (queued) {
			assert_int_equal(world_send(w, SIDE_CLIENT, &syn).packet.flags,
					out.packet.flags);
			world_pass(w, TICKS_PER_S + TICKS_PER_S / 10);
			assert_int_equal(world_emitted(w, SIDE_CLIENT).flags, out.packet.flags);
		}
		f.iss = out.packet.seq;
		packet_timestamp(&out.packet, &f.synack_tsval, &tsecr);
		assert_int_equal(prove(w, &f), promised ? ECN_SETUP : PACKET_SYN);
		world_free(w);
	}
}

/* 5. The entry that kept a promise is evicted, and the cookie has no room for it: then the backend
 * is not asked, and sees nothing of it. */
static void
test_promise_forgotten(void **state)
{
	struct world *w =
			world_new(&(struct world_options){.mode = WORLD_MODE_1, .syn_entries = 64});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	f.client_timestamp = false;
	assert_true(send_ecn_syn(w, &f));
	world_flood(w, 0, 640);
	assert_true(world_counter(w, 0, COUNTER_SynQueueEvicted) > 0);
	assert_int_equal(prove(w, &f), PACKET_SYN);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesRecv), 1);
	answer(w, &f, false);
	p = client_sends(w, &f, PACKET_CWR, CE);
	assert_int_equal(p.flags, PACKET_ACK);
	assert_int_equal(p.tos, 0);
	assert_int_equal(backend_sends(w, &f, 0, 0).flags, PACKET_ACK | PACKET_ECE);
	world_free(w);
}

/* 6. A SYN that offers ECN is not answered: the next one goes without (RFC 3168 6.1.1.1). Its
 * answer is a refusal, unless such SYNs were known to get through. */
static void
test_syn_again(void **state)
{
	(void)state;
	for (unsigned known = 0; known < 2; known++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		struct flow_script g = flow_script_default(4, 40001);

		if (known)
			establish(w, &f, true);
		f = flow_script_default(4, 40002);
		assert_true(send_ecn_syn(w, &f));
		assert_int_equal(prove(w, &f), ECN_SETUP);
		world_pass(w, TICKS_PER_S + TICKS_PER_S / 10);
		assert_int_equal(world_emitted(w, SIDE_BACKEND).flags, PACKET_SYN);
		answer(w, &f, false);
		assert_int_equal(client_sends(w, &f, PACKET_CWR, ECT_0).tos, 0);
		assert_int_equal(send_ecn_syn(w, &g), known);
		world_free(w);
	}
}

/* 7. A fixed profile without ECN never promises it, one with it always does. */
static void
test_fixed(void **state)
{
	(void)state;
	for (uint8_t speaks = 0; speaks < 2; speaks++) {
		struct world *w = world_new(
				&(struct world_options){.backend = {.profile = PROFILE_FIXED,
									.profile_timestamps = 1,
									.profile_ecn = speaks}});

		for (uint16_t n = 0; n < 2; n++) {
			struct flow_script f = flow_script_default(4, (uint16_t)(40000 + n));

			f.client_sack = false;
			assert_int_equal(send_ecn_syn(w, &f), speaks);
			assert_int_equal(prove(w, &f), speaks ? ECN_SETUP : PACKET_SYN);
			answer(w, &f, false);
		}
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_13_ecn_agreed),
			cmocka_unit_test(test_pitfall_13_ecn_refused),
			cmocka_unit_test(test_pitfall_15_forged_mark),
			cmocka_unit_test(test_promise),
			cmocka_unit_test(test_promise_forgotten),
			cmocka_unit_test(test_syn_again),
			cmocka_unit_test(test_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
