/* SPDX-License-Identifier: BSD-3-Clause */
/* Backends that are not protected: what passes untouched, and what Sluice began goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe_world.h"

#define FRAME_MAX 256

static const enum backend_mode open_modes[] = {MODE_MONITOR, MODE_OFF};

static struct world *
world_in(enum backend_mode mode)
{
	return world_new(&(struct world_options){
			.mode = WORLD_MODE_1, .backend.mode = (uint8_t)mode});
}

static bool
is_pass(const struct world *w, enum reason reason)
{
	if (w->configs[0].mode == MODE_OFF)
		return reason == REASON_pass_off;
	return reason >= REASON_monitor_syn_queued && reason <= REASON_monitor_passed;
}

static enum reason
passes_frame(struct world *w, enum side from, const uint8_t *frame, size_t length)
{
	struct outcome out = world_send_frame(w, from, frame, length);

	assert_int_equal(out.verdict, VERDICT_FORWARD);
	assert_int_equal(out.to, side_other(from));
	assert_int_equal(out.length, length);
	assert_memory_equal(out.frame, frame, length);
	world_nothing_emitted(w);
	return out.reason;
}

static void
passes(struct world *w, enum side from, const struct packet *p)
{
	uint8_t frame[FRAME_MAX];
	size_t length = packet_write(p, frame, sizeof(frame));

	assert_true(is_pass(w, passes_frame(w, from, frame, length)));
}

static enum reason
sends(struct world *w, enum side from, const struct packet *p)
{
	return world_send(w, from, p).reason;
}

/* 1. Whatever it is, from either side: every combination of flags, data, unknown options, options
 * that run beyond the header, bad checksums. */
static void
test_untouched(void **state)
{
	static const uint8_t payload[9] = "GET / HT";

	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(open_modes[m]);

		for (unsigned i = 0; i < 2 * 256 * 3; i++) {
			struct flow_script f = flow_script_default(i & 1 ? 4 : 6, 40000);
			enum side from = i >> 1 & 1 ? SIDE_CLIENT : SIDE_BACKEND;
			uint8_t flags = (uint8_t)(i >> 1);
			struct packet p = from == SIDE_CLIENT ? flow_client(&f, flags, 7, 8)
							      : flow_backend(&f, flags, 9, 7);
			uint8_t frame[FRAME_MAX];
			size_t length;

			p.payload = payload;
			p.payload_length = i % 3 == 0 ? 0 : sizeof(payload);
			memcpy(p.options,
					i % 3 == 1 ? "\x22\x0a cookie!\xfd\x02"
						   : "\x02\x04\x05\xb4\x03\xff",
					6);
			p.options_length = i % 3 == 1 ? 12 : 6;
			length = packet_write(&p, frame, sizeof(frame));
			frame[packet_l4_offset(frame, length) + 16] ^= i % 5 == 0;
			assert_true(is_pass(w, passes_frame(w, from, frame, length)));
		}
		assert_int_equal(world_connections(w), 0);
		world_free(w);
	}
}

/* 2. A checksum that was left to hardware stays open: who sends it on completes it. */
static void
test_open_checksum(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(open_modes[m]);
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p = flow_syn(&f);
		uint8_t frame[FRAME_MAX];
		size_t length = packet_write(&p, frame, sizeof(frame));
		struct burst burst = {.from = SIDE_CLIENT, .count = 1};
		uint8_t sent[FRAME_MAX];

		packet_make_checksum_partial(frame, length);
		memcpy(sent, frame, length);
		burst.pkts[0] = (struct pkt){
				.data = frame, .len = (uint32_t)length, .csum = PKT_CSUM_PARTIAL};
		sluice_burst(w->worker, &burst, w->now);
		w->sent++;
		assert_int_equal(burst.pkts[0].reason, open_modes[m] == MODE_OFF
								       ? REASON_pass_off
								       : REASON_monitor_syn_queued);
		assert_memory_equal(frame, sent, length);
		world_free(w);
	}
}

static void
send_data(struct world *w, const struct flow_script *f)
{
	struct packet p = flow_client(f, PACKET_ACK, f->client_isn + 1, f->iss + 1);

	p.payload = (const uint8_t *)"x";
	p.payload_length = 1;
	assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_spliced);
	p = flow_backend(f, PACKET_ACK, f->backend_isn + 1, f->client_isn + 2);
	assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_spliced);
}

/* 3. A connection from before lives on, translated, whatever SYN meets it; its next one with the
 * same tuple, once it is over, is the server's own. */
static void
test_connections_go_on(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(open_modes); i++) {
		struct world *w = world_in(MODE_PROTECT);
		struct flow_script f = flow_script_default(i & 1 ? 4 : 6, 40000);
		struct packet p, syn = flow_syn(&f);

		flow_establish(w, &f);
		/* The queues there are full, which is nothing to its client. */
		w->configs[0].backlog = w->configs[1].backlog = 1;
		world_set_mode(w, open_modes[i / 2]);
		w->shared[0].accept += 9;
		w->shared[1].accept += 9;
		send_data(w, &f);
		assert_int_equal(sends(w, SIDE_CLIENT, &syn), REASON_syn_cookie_sent);
		p = flow_backend(&f, PACKET_RST, f.backend_isn + 1, 0);
		assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_spliced_reset);
		passes(w, SIDE_CLIENT, &syn);
		assert_int_equal(world_connections(w), 0);
		p = flow_synack(&f);
		passes(w, SIDE_BACKEND, &p);
		w->shared[0].accept -= 9;
		w->shared[1].accept -= 9;
		world_free(w);
	}
}

/* 4. So does a client that was answered: by its entry, repeated meanwhile, or by its cookie. */
static void
test_answered_are_let_in(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_COUNT(open_modes); i++) {
		struct world *w = world_new(&(struct world_options){
				.mode = i & 1 ? WORLD_MODE_1 : WORLD_MODE_2, .backend.backlog = 1});
		struct flow_script f = flow_script_default(i & 2 ? 4 : 6, 40000);
		uint16_t slot = i & 2 ? 0 : 1;
		struct packet p;

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[i / 4]);
		w->shared[slot].accept += 9;
		if (i & 1) {
			p = flow_syn(&f);
			assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_syn_again);
			world_pass(w, 2 * TICKS_PER_S);
			assert_int_equal(world_emitted(w, SIDE_CLIENT).seq, f.iss);
		}
		p = flow_ack(&f);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_ack_connecting);
		p = flow_synack(&f);
		assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		send_data(w, &f);
		assert_int_equal(w->shared[slot].syn, 0);
		assert_int_equal(w->shared[slot].accept, 9);
		w->shared[slot].accept -= 9;
		world_free(w);
	}
}

/* 5. Its first data may come in the burst of its proof, by entry or cookie, in which other packets
 * pass. */
static void
test_proof_in_a_burst(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(open_modes); i++) {
		struct world *w = world_new(&(struct world_options){
				.mode = i & 1 ? WORLD_MODE_1 : WORLD_MODE_2});
		struct flow_script f = flow_script_default(4, 40000);
		struct flow_script other = flow_script_default(4, 40001);
		struct packet packets[4];
		struct outcome out[4];

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[i / 2]);
		packets[0] = flow_syn(&other);
		packets[1] = flow_ack(&f);
		packets[2] = flow_ack(&f);
		packets[2].payload = (const uint8_t *)"data";
		packets[2].payload_length = 4;
		packets[3] = flow_client(&f, PACKET_ACK, f.client_isn + 5, f.iss + 1);
		packets[3].payload = packets[2].payload;
		packets[3].payload_length = 4;
		world_send_burst(w, SIDE_CLIENT, 4, packets, out);
		assert_true(is_pass(w, out[0].reason));
		assert_int_equal(out[1].reason, REASON_ack_connecting);
		assert_int_equal(out[2].reason, REASON_client_early_held);
		assert_int_equal(out[3].reason, REASON_client_early_held);
		world_free(w);
	}
}

/* 6. Its data may overtake its proof: the server, which knows nothing of it, does not hear it. */
static void
test_data_before_proof(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(MODE_PROTECT);
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p;

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[m]);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1000, f.iss + 1);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).verdict, VERDICT_DROP);
		p = flow_ack(&f);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_ack_connecting);
		world_free(w);
	}
}

/* 7. Once no cookie can be out there, an ACK passes whatever it says; and before, that of a flow
 * which the backend was heard from by. */
static void
test_cookies_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(open_modes); i++) {
		struct world *w = world_new(&(struct world_options){
				.mode = WORLD_MODE_2, .foreign_cookies = i & 1});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p;

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[i / 2]);
		if (i & 1) {
			world_pass(w, 129 * TICKS_PER_S);
		} else {
			p = flow_backend(&f, PACKET_ACK, 1, 1);
			passes(w, SIDE_BACKEND, &p);
		}
		p = flow_ack(&f);
		passes(w, SIDE_CLIENT, &p);
		world_free(w);
	}
}

/* 8. Another SYN of a half-open client's tuple gets the backend; the one before keeps its cookie.
 */
static void
test_other_syn(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(MODE_PROTECT);
		struct flow_script f = flow_script_default(4, 40000);
		struct packet syn = flow_syn(&f), p;

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[m]);
		syn.seq += 1000;
		passes(w, SIDE_CLIENT, &syn);
		world_pass(w, 3 * TICKS_PER_S);
		world_nothing_emitted(w);
		p = flow_ack(&f);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_ack_connecting);
		world_free(w);
	}
}

/* 9. A half-open client's reset ends its entry; any other passes. */
static void
test_resets(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(MODE_PROTECT);
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p;

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[m]);
		p = flow_client(&f, PACKET_RST, f.client_isn + 2, 0);
		passes(w, SIDE_CLIENT, &p);
		assert_int_equal(w->shared[0].syn, 1);
		p = flow_client(&f, PACKET_RST, f.client_isn + 1, 0);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_syn_queue_reset);
		assert_int_equal(w->shared[0].syn, 0);
		passes(w, SIDE_CLIENT, &p);
		world_free(w);
	}
}

/* 10. Switched on: connections that stood are strays, and `stray` pass takes them over; new ones
 * are proved. */
static void
test_switched_on(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(open_modes[m]);
		struct flow_script f = flow_script_default(4, 40000), g = f;
		struct packet p = flow_syn(&f);

		passes(w, SIDE_CLIENT, &p);
		p = flow_synack(&f);
		passes(w, SIDE_BACKEND, &p);
		f.iss = f.backend_isn;
		p = flow_ack(&f);
		passes(w, SIDE_CLIENT, &p);
		w->configs[0].stray = STRAY_PASS;
		world_set_mode(w, MODE_PROTECT);
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
		assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_stray_passed);
		w->configs[0].stray = STRAY_DROP;
		world_publish(w);
		send_data(w, &f);
		g.client_port = 40001;
		flow_establish(w, &g);
		/* And off again: it goes on, too. */
		world_set_mode(w, open_modes[m]);
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 2);
		assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_spliced);
		world_free(w);
	}
}

static size_t
icmp_write(uint8_t frame[FRAME_MAX])
{
	struct packet quoted = packet_ip4("10.0.0.2", 80, "10.0.0.1", 40000);
	struct packet outer = packet_ip4("10.0.0.1", 40000, "10.0.0.2", 80);
	uint8_t inner[FRAME_MAX];
	const size_t length = 14 + 20 + 8 + 28;

	packet_write(&quoted, inner, sizeof(inner));
	packet_write(&outer, frame, FRAME_MAX);
	frame[14 + 3] = (uint8_t)(length - 14);
	frame[14 + 9] = 1;
	memset(frame + 34, 0, FRAME_MAX - 34);
	frame[34] = 3; /* destination unreachable, fragmentation needed */
	frame[35] = 4;
	memcpy(frame + 34 + 8, inner + 14, 28);
	return length;
}

/* 11. An ICMP error about what passes passes. */
static void
test_icmp_error(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(open_modes[m]);
		uint8_t frame[FRAME_MAX];
		size_t length = icmp_write(frame);

		assert_int_equal(passes_frame(w, SIDE_CLIENT, frame, length),
				open_modes[m] == MODE_OFF ? REASON_pass_off
							  : REASON_monitor_passed);
		world_set_mode(w, MODE_PROTECT);
		assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
				REASON_icmp_unknown);
		world_free(w);
	}
}

/* 12. A fragment passes if none of the backends with the address is protected; else as those that
 * are say. Slots 0 and 2 are one address. */
static void
test_fragments(void **state)
{
	static const struct {
		enum backend_mode modes[2];
		enum fragment_policy fragments[2];
		enum reason reason;
	} cases[] = {
			/* 1 */ {{MODE_OFF, MODE_MONITOR}, {0, 0}, REASON_fragment_passed},
			/* 2 */ {{MODE_OFF, MODE_PROTECT}, {0, 0}, REASON_fragment},
			/* 3 */ {{MODE_PROTECT, MODE_MONITOR}, {0, 1}, REASON_fragment},
			/* 4 */ {{MODE_PROTECT, MODE_MONITOR}, {1, 0}, REASON_fragment_unsafe},
			/* 5 */ {{MODE_MONITOR, MODE_PROTECT}, {0, 1}, REASON_fragment_unsafe},
			/* 6 */ {{MODE_MONITOR, MODE_MONITOR}, {0, 0}, REASON_fragment_passed},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_in(MODE_PROTECT);
		struct packet p = packet_ip4("10.0.0.1", 40000, "10.0.0.2", 80);

		for (unsigned b = 0; b < 2; b++) {
			w->configs[2 * b].mode = (uint8_t)cases[i].modes[b];
			w->configs[2 * b].fragments = (uint8_t)cases[i].fragments[b];
		}
		world_publish(w);
		p.ip4_fragment = 0x2000;
		p.flags = PACKET_SYN;
		assert_int_equal(sends(w, SIDE_CLIENT, &p), cases[i].reason);
		world_free(w);
	}
}

/* 13. A backend that is removed: what Sluice began ends as ever, the rest passes; nothing counts.
 */
static void
test_draining(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_in(MODE_PROTECT);
		struct flow_script f = flow_script_default(4, 40000), g = f;
		struct packet p;

		flow_establish(w, &f);
		w->configs[0].is_draining = true;
		world_set_mode(w, open_modes[m]);
		g.client_port = 40001;
		p = flow_syn(&g);
		assert_int_equal(sends(w, SIDE_CLIENT, &p),
				open_modes[m] == MODE_OFF ? REASON_pass_off
							  : REASON_monitor_passed);
		send_data(w, &f);
		assert_int_equal(w->shared[0].syn, 0);
		world_free(w);
	}
}

/* 14. Probes go on in monitor mode, and their answers are ours, but no other's; with off there are
 * none. */
static void
test_probes(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct probe_config probe = probe_world_config();
		struct world *w = probe_world_new(0, &probe);
		struct packet syn, p;

		world_set_mode(w, open_modes[m]);
		world_pass(w, 50 * TICKS_PER_MS);
		if (open_modes[m] == MODE_OFF) {
			world_nothing_emitted(w);
			world_free(w);
			continue;
		}
		probe_world_take(w);
		assert_int_equal(probe_world_tell(w, 4, false, 2).reason, REASON_probe_resolved);
		world_pass(w, 300 * TICKS_PER_MS);
		syn = probe_world_take(w).packet;
		assert_int_equal(syn.flags & PACKET_SYN, PACKET_SYN);
		p = packet_ip4("10.0.0.2", 80, "10.0.0.250", syn.source_port);
		p.flags = PACKET_SYN | PACKET_ACK;
		p.ack = syn.seq + 2;
		passes(w, SIDE_BACKEND, &p);
		p.ack = syn.seq + 1;
		assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_probe_answered);
		world_free(w);
	}
}

/* 15. A client whose cookie is out repeats its SYN after the switch, and hears both: who answered
 * it first proves it, whatever the backend says of the other handshake. */
static void
test_syn_again_after_switch(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(open_modes); i++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p = flow_syn(&f);

		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[i / 2]);
		passes(w, SIDE_CLIENT, &p);
		p = flow_synack(&f);
		if (i & 1)
			p.flags = PACKET_RST | PACKET_ACK;
		passes(w, SIDE_BACKEND, &p);
		p = flow_ack(&f);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_ack_connecting);
		world_free(w);
	}
}

/* 16. What a backend said in an earlier time without protection says nothing of a client that was
 * answered in between. */
static void
test_passing_is_forgotten(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_COUNT(open_modes); m++) {
		struct world *w = world_new(&(struct world_options){
				.mode = WORLD_MODE_2, .backend.mode = (uint8_t)open_modes[m]});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p = flow_backend(&f, PACKET_ACK, 1, 1);

		passes(w, SIDE_BACKEND, &p);
		world_set_mode(w, MODE_PROTECT);
		world_pass(w, TICKS_PER_S);
		flow_send_syn(w, &f);
		world_set_mode(w, open_modes[m]);
		p = flow_ack(&f);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_ack_connecting);
		world_free(w);
	}
}

/* 17. What is malformed below TCP might be for anyone, and is dropped in every mode. */
static void
test_malformed_below_tcp(void **state)
{
	static const enum backend_mode modes[] = {MODE_PROTECT, MODE_MONITOR, MODE_OFF};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(modes); i++) {
		struct world *w = world_in(modes[i / 2]);
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p = flow_syn(&f);
		uint8_t frame[FRAME_MAX];
		size_t length;

		/* A backend's, or nobody's. */
		p.destination[3] ^= (uint8_t)(i & 1);
		length = packet_write(&p, frame, sizeof(frame));
		frame[14 + 3] = 30; /* the IP packet ends inside the TCP header */
		assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
				REASON_tcp_truncated);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_untouched),
			cmocka_unit_test(test_open_checksum),
			cmocka_unit_test(test_connections_go_on),
			cmocka_unit_test(test_answered_are_let_in),
			cmocka_unit_test(test_proof_in_a_burst),
			cmocka_unit_test(test_data_before_proof),
			cmocka_unit_test(test_cookies_end),
			cmocka_unit_test(test_other_syn),
			cmocka_unit_test(test_resets),
			cmocka_unit_test(test_switched_on),
			cmocka_unit_test(test_icmp_error),
			cmocka_unit_test(test_fragments),
			cmocka_unit_test(test_draining),
			cmocka_unit_test(test_probes),
			cmocka_unit_test(test_syn_again_after_switch),
			cmocka_unit_test(test_passing_is_forgotten),
			cmocka_unit_test(test_malformed_below_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
