/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PITFALLS 13 below TCP: TTL or hop limit, DSCP, flow label, identification and DF of what passes
 * and of what is made; and PITFALLS 19, what of a SYN never gets to the backend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define IP4_DF 0x4000

static const unsigned versions[] = {4, 6};

/* The IP header's own fields, as no host of the tests has them by default. */
static void
set_ip_fields(struct packet *p, unsigned n)
{
	p->ttl = (uint8_t)(37 + n);
	p->tos = (uint8_t)(0x48 + 4 * n);
	if (p->ip_version == 6) {
		p->flow_label = 0xf1234 + n;
		return;
	}
	p->ip4_id = (uint16_t)(0xfff0 + n);
	p->ip4_fragment = n % 2 ? IP4_DF : 0;
}

static void
assert_ip_fields(const struct packet *p, const struct packet *sent)
{
	assert_int_equal(p->ttl, sent->ttl);
	assert_int_equal(p->tos, sent->tos);
	assert_int_equal(p->flow_label, sent->flow_label);
	if (p->ip_version == 6)
		return;
	assert_int_equal(p->ip4_id, sent->ip4_id);
	assert_int_equal(p->ip4_fragment, sent->ip4_fragment);
}

/* What we make from nothing: whole and unfragmentable. */
static void
assert_made(const struct packet *p, uint8_t ttl, uint8_t tos, uint32_t flow_label)
{
	assert_int_equal(p->ttl, ttl);
	assert_int_equal(p->tos, tos);
	assert_int_equal(p->flow_label, p->ip_version == 6 ? flow_label : 0);
	assert_int_equal(p->ip4_id, 0);
	assert_int_equal(p->ip4_fragment, p->ip_version == 4 ? IP4_DF : 0);
}

/* 1. Every spliced segment keeps its TTL, DSCP, flow label, identification and DF. */
static void
test_pitfall_13_spliced(void **state)
{
	static const uint8_t flags[] = {PACKET_ACK, PACKET_ACK | PACKET_PSH,
			PACKET_ACK | PACKET_FIN, PACKET_ACK | PACKET_RST};

	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned n = 0; n < 2 * ARRAY_COUNT(flags); n++) {
			struct world *w = world_new(&(struct world_options){0});
			struct flow_script f = flow_script_default(versions[v], 40000);
			struct packet p;
			struct outcome out;

			flow_establish(w, &f);
			p = flow_client(&f, flags[n / 2], f.client_isn + 1, f.iss + 1);
			set_ip_fields(&p, n);
			out = world_send(w, SIDE_CLIENT, &p);
			assert_int_equal(out.to, SIDE_BACKEND);
			assert_ip_fields(&out.packet, &p);
			p = flow_backend(&f, flags[n / 2], f.backend_isn + 1, f.client_isn + 1);
			set_ip_fields(&p, n + 7);
			out = world_send(w, SIDE_BACKEND, &p);
			assert_int_equal(out.to, SIDE_CLIENT);
			assert_ip_fields(&out.packet, &p);
			world_free(w);
		}
}

/* 2. Made towards the client: our SYN-ACK with a TTL of our own and no DSCP, since no backend was
 * asked yet; the window update with all of the backend's SYN-ACK. Towards the backend: SYN and ACK
 * with all of the client's proof. Nothing is ECN-capable. */
static void
test_pitfall_13_made(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_1; mode++) {
			struct world *w = world_new(
					&(struct world_options){.mode = (enum world_mode)mode});
			struct flow_script f = flow_script_default(versions[v], 40000);
			struct packet p = flow_syn(&f);
			struct outcome out;

			set_ip_fields(&p, 1);
			p = world_send(w, SIDE_CLIENT, &p).packet;
			assert_made(&p, 64, 0, 0);
			p = flow_send_syn(w, &f);
			assert_made(&p, 64, 0, 0);
			p = flow_ack(&f);
			p.ttl = 57;
			p.tos = 0xb8 | 3;
			p.flow_label = versions[v] == 6 ? 0xabcde : 0;
			out = world_send(w, SIDE_CLIENT, &p);
			assert_int_equal(out.reason, REASON_ack_connecting);
			assert_made(&out.packet, 57, 0xb8, 0xabcde);
			world_pass(w, TICKS_PER_S + TICKS_PER_S / 10);
			p = world_emitted(w, SIDE_BACKEND);
			assert_int_equal(p.flags, PACKET_SYN);
			assert_made(&p, 57, 0xb8, 0xabcde);

			p = flow_synack(&f);
			p.ttl = 61;
			p.tos = 0x28 | 2;
			p.flow_label = versions[v] == 6 ? 0x54321 : 0;
			out = world_send(w, SIDE_BACKEND, &p);
			assert_int_equal(out.reason, REASON_backend_connected);
			assert_made(&out.packet, 57, 0xb8, 0xabcde);
			p = world_emitted(w, SIDE_CLIENT);
			assert_made(&p, 61, 0x28, 0x54321);
			world_free(w);
		}
}

/* 3. Resets: a backend's refusal and a client's early end keep the TTL, DSCP and flow label of who
 * sent them, without ECN; one of our own has our TTL. */
static void
test_pitfall_13_resets(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned kind = 0; kind < 3; kind++) {
			struct world *w = world_new(&(struct world_options){0});
			struct flow_script f = flow_script_default(versions[v], 40000);
			enum side from = kind == 0 ? SIDE_BACKEND : SIDE_CLIENT;
			struct packet p;

			flow_send_syn(w, &f);
			p = flow_ack(&f);
			world_send(w, SIDE_CLIENT, &p);
			p = kind == 0 ? flow_backend(&f, PACKET_RST | PACKET_ACK, 0,
							f.client_isn + 1)
				      : flow_client(&f, PACKET_RST, f.client_isn + 1, 0);
			p.ttl = 61;
			p.tos = 0x28 | 3;
			p.flow_label = versions[v] == 6 ? 0x54321 : 0;
			if (kind < 2) {
				p = world_send(w, from, &p).packet;
				assert_true(p.flags & PACKET_RST);
				assert_made(&p, 61, 0x28, 0x54321);
			} else {
				for (unsigned n = 1; n < 3; n++) {
					world_pass(w, (1u << n) * TICKS_PER_S / 2 +
									TICKS_PER_S / 10);
					world_emitted(w, SIDE_BACKEND);
				}
				world_pass(w, 5 * TICKS_PER_S);
				p = world_emitted(w, SIDE_CLIENT);
				assert_true(p.flags & PACKET_RST);
				assert_made(&p, 64, 0, 0);
			}
			world_free(w);
		}
}

/* 4. PITFALLS 19: neither data nor an option that can't be proxied gets from a SYN to the backend,
 * whatever it came with, and the SYN-ACK acknowledges the SYN alone; with an entry and without. */
static void
test_pitfall_19_syn_to_backend(void **state)
{
	static const uint8_t kinds[] = {
			34 /* TFO */, 19 /* MD5 */, 29 /* AO */, 30 /* MPTCP */, 254};

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_COUNT(kinds); i++) {
		const uint8_t kind = kinds[i / 4];
		struct world *w = world_new(&(struct world_options){
				.mode = i & 1 ? WORLD_MODE_1 : WORLD_MODE_2});
		struct flow_script f = flow_script_default(i & 2 ? 6 : 4, 40000);
		struct packet p = flow_syn(&f);
		struct outcome out;
		uint32_t tsecr;

		p.options[p.options_length] = kind;
		p.options[p.options_length + 1] = 8;
		memset(&p.options[p.options_length + 2], 0x77, 6);
		p.options_length += 8;
		p.payload = (const uint8_t *)"GET / HTTP/1.0\r\n\r\n";
		p.payload_length = 18;
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.packet.flags, PACKET_SYN | PACKET_ACK);
		assert_int_equal(out.packet.ack, f.client_isn + 1);
		assert_int_equal(out.packet.payload_length, 0);
		assert_null(packet_find_option(&out.packet, kind));

		f.iss = out.packet.seq;
		assert_true(packet_timestamp(&out.packet, &f.synack_tsval, &tsecr));
		p = flow_ack(&f);
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_ack_connecting);
		assert_int_equal(out.packet.flags, PACKET_SYN);
		assert_int_equal(out.packet.seq, f.client_isn);
		assert_int_equal(out.packet.payload_length, 0);
		assert_null(packet_find_option(&out.packet, kind));

		/* The client sends the data again, and it arrives once. */
		p = flow_synack(&f);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		p = flow_client(&f, PACKET_ACK | PACKET_PSH, f.client_isn + 1, f.iss + 1);
		p.payload = (const uint8_t *)"GET / HTTP/1.0\r\n\r\n";
		p.payload_length = 18;
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_spliced);
		assert_int_equal(out.packet.seq, f.client_isn + 1);
		assert_int_equal(out.packet.payload_length, 18);
		world_free(w);
	}
}

/* 5. PITFALLS 19: flags that make no sense together are dropped with a reason, from either side. */
static void
test_pitfall_19_absurd_flags(void **state)
{
	static const uint8_t flags[] = {0, PACKET_FIN, PACKET_SYN | PACKET_FIN,
			PACKET_SYN | PACKET_RST, PACKET_SYN | PACKET_FIN | PACKET_ACK,
			PACKET_RST | PACKET_FIN, PACKET_URG | PACKET_PSH | PACKET_FIN, 0xff};
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_establish(w, &f);
	for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
		struct packet p = flow_client(&f, flags[i], f.client_isn + 1, f.iss + 1);

		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_tcp_flags);
		p = flow_backend(&f, flags[i], f.backend_isn + 1, f.client_isn + 1);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_tcp_flags);
	}
	assert_int_equal(world_reason(w, REASON_tcp_flags), 2 * ARRAY_COUNT(flags));
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_13_spliced),
			cmocka_unit_test(test_pitfall_13_made),
			cmocka_unit_test(test_pitfall_13_resets),
			cmocka_unit_test(test_pitfall_19_syn_to_backend),
			cmocka_unit_test(test_pitfall_19_absurd_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
