/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources that are exempt from the proxy: what passes untouched, and what Sluice began goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "table/exempt.h"
#include "world.h"

#define FRAME_MAX 256

static union ip_addr
address_of(unsigned ip_version)
{
	struct packet p = ip_version == 4 ? packet_ip4("10.0.0.1", 1, "10.0.0.2", 80)
					  : packet_ip6("fd00::1", 1, "fd00::2", 80);
	union ip_addr address = {.bytes = {0}};

	memcpy(address.bytes + (ip_version == 4 ? 12 : 0), p.source, ip_version == 4 ? 4 : 16);
	if (ip_version == 4)
		address.bytes[10] = address.bytes[11] = 0xff;
	return address;
}

/* Exempts the lab's client, of both families, at some backends: bits by slot. */
static void
exempt_at(struct world *w, unsigned slots)
{
	for (unsigned slot = 0; slot < WORLD_BACKENDS; slot++) {
		struct backend_config *config = &w->configs[slot];

		config->exempt_count = slots >> slot & 1 ? 2 : 0;
		config->exempt = (struct exempt_list){
				.addresses = {address_of(4), address_of(6)},
				.lengths = {128, 128},
		};
	}
	world_publish(w);
}

static struct world *
world_exempting(enum world_mode mode, unsigned slots)
{
	struct world *w = world_new(&(struct world_options){.mode = mode});

	exempt_at(w, slots);
	return w;
}

/* Sends a packet that must pass as it is. */
static void
passes(struct world *w, enum side from, const struct packet *p)
{
	uint8_t frame[FRAME_MAX];
	size_t length = packet_write(p, frame, sizeof(frame));
	struct outcome out = world_send_frame(w, from, frame, length);

	assert_int_equal(out.reason, REASON_pass_exempt);
	assert_int_equal(out.verdict, VERDICT_FORWARD);
	assert_int_equal(out.to, side_other(from));
	assert_int_equal(out.length, length);
	assert_memory_equal(out.frame, frame, length);
	world_nothing_emitted(w);
}

/* 1. Every length of prefix has what it should, and only that, bit by bit. */
static void
test_prefixes(void **state)
{
	const union ip_addr prefix = {.words_be = {0x5a5a5a5a, 0xa5a5a5a5, 0x5a5a5a5a, 0xa5a5a5a5}};

	(void)state;
	for (unsigned length = 0; length <= 128; length++) {
		struct exempt_list list = {.addresses = {{.words_be = {0}}, prefix},
				.lengths = {128, (uint8_t)length}};
		union ip_addr only = {.words_be = {0}};

		for (unsigned bit = 0; bit < 128; bit++) {
			union ip_addr other = prefix;
			uint8_t mask = (uint8_t)(0x80 >> bit % 8);

			other.bytes[bit / 8] ^= mask;
			assert_int_equal(exempt_list_has(&list, 2, &other), bit >= length);
			assert_false(exempt_list_has(&list, 1, &other));
			only = (union ip_addr){.words_be = {0}};
			only.bytes[bit / 8] = mask;
			assert_int_equal(exempt_is_prefix(&only, length), bit < length);
		}
		assert_true(exempt_list_has(&list, 2, &prefix));
		assert_false(exempt_list_has(&list, 0, &prefix));
	}
}

/* 2. PITFALLS 30: a check meets the server itself: SYNs with anything in them, the answers, data,
 * resets and segments that no stack sends, both ways, whatever the queues are like. */
static void
test_pitfall_30_untouched(void **state)
{
	static const uint8_t flags[] = {PACKET_SYN, PACKET_SYN | PACKET_ACK, PACKET_ACK,
			PACKET_ACK | PACKET_FIN, PACKET_RST, PACKET_RST | PACKET_ACK, 0, 0xff};
	static const uint8_t payload[9] = "GET / HT";

	(void)state;
	for (unsigned ip_version = 4; ip_version <= 6; ip_version += 2) {
		struct world *w = world_exempting(WORLD_MODE_1, 7);
		struct flow_script f = flow_script_default(ip_version, 40000);
		uint16_t slot = ip_version == 4 ? 0 : 1;
		unsigned sent = 0;

		/* The queue is full; others get cookies. */
		w->configs[0].tcp_max_syn_backlog = w->configs[0].backlog = 4;
		world_publish(w);
		world_flood(w, 0, 200);
		world_take_syn_acks(w);
		for (unsigned i = 0; i < ARRAY_COUNT(flags); i++)
			for (enum side from = 0; from < SIDE_COUNT; from++) {
				struct packet p =
						from == SIDE_CLIENT
								? flow_client(&f, flags[i], 7, 8)
								: flow_backend(&f, flags[i], 9, 7);

				p.payload = payload;
				p.payload_length = sizeof(payload);
				if (flags[i] == PACKET_SYN) {
					/* A fast open cookie, and an option that nobody knows. */
					memcpy(p.options,
							"\x22\x0a"
							"cookie!!"
							"\xfd\x02",
							12);
					p.options_length = 12;
				}
				passes(w, from, &p);
				assert_int_equal(world_counter(w, slot, COUNTER_ExemptPassed),
						++sent);
			}
		assert_int_equal(world_connections(w), 0);
		assert_int_equal(world_counter(w, slot, COUNTER_PassiveOpens), 0);
		/* Another source, which the flood's clients are too, is proved as ever. */
		struct packet other =
				ip_version == 4 ? packet_ip4("10.0.0.3", 40000, "10.0.0.2", 80)
						: packet_ip6("fd00::3", 40000, "fd00::2", 80);

		other.flags = PACKET_SYN;
		assert_int_equal(world_send(w, SIDE_CLIENT, &other).verdict, VERDICT_REPLY);
		world_free(w);
	}
}

/* 3. A bad checksum stays bad, for the server to see. */
static void
test_bad_checksum(void **state)
{
	struct world *w = world_exempting(WORLD_MODE_2, 1);
	struct packet p = packet_ip4("10.0.0.1", 40000, "10.0.0.2", 80);
	uint8_t frame[FRAME_MAX];
	struct outcome out;
	size_t length = packet_write(&p, frame, sizeof(frame));

	(void)state;
	frame[14 + 20 + 17] ^= 1;
	out = world_send_frame(w, SIDE_CLIENT, frame, length);
	assert_int_equal(out.reason, REASON_pass_exempt);
	assert_memory_equal(out.frame, frame, length);
	world_free(w);
}

/* 4. Only at the backends that say so. */
static void
test_other_backend(void **state)
{
	struct world *w = world_exempting(WORLD_MODE_2, 4);
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_establish(w, &f);
	world_free(w);
}

/* 5. A connection from before the reload that exempts its client lives on, translated; its next one
 * with the same tuple, once it is over, is the server's own. */
static void
test_reload_keeps_connections(void **state)
{
	(void)state;
	for (unsigned ip_version = 4; ip_version <= 6; ip_version += 2) {
		struct world *w = world_exempting(WORLD_MODE_2, 0);
		struct flow_script f = flow_script_default(ip_version, 40000);
		struct packet p, syn;

		flow_establish(w, &f);
		exempt_at(w, 7);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
		p.payload = (const uint8_t *)"x";
		p.payload_length = 1;
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_spliced);
		/* While it lives a SYN, forged or not, ends nothing and gets a cookie. */
		syn = flow_syn(&f);
		assert_int_equal(world_send(w, SIDE_CLIENT, &syn).reason, REASON_syn_cookie_sent);
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 2);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_spliced);
		/* Reset, it is remembered a while, but not for a new SYN. */
		p = flow_backend(&f, PACKET_RST, f.backend_isn + 1, 0);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_spliced_reset);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_spliced_reset);
		assert_int_equal(world_connections(w), 1);
		passes(w, SIDE_CLIENT, &syn);
		assert_int_equal(world_connections(w), 0);
		p = flow_synack(&f);
		passes(w, SIDE_BACKEND, &p);
		world_free(w);
	}
}

/* 6. So does a half-open client from before: its ACK is its proof. */
static void
test_reload_keeps_half_open(void **state)
{
	struct world *w = world_exempting(WORLD_MODE_1, 0);
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_send_syn(w, &f);
	exempt_at(w, 7);
	p = flow_ack(&f);
	assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_ack_connecting);
	p = flow_synack(&f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
	assert_int_equal(world_counter(w, 0, COUNTER_ExemptPassed), 0);
	world_free(w);
}

/* 7. An ICMP error about an exempt connection passes as it is. */
static void
test_icmp_error(void **state)
{
	struct world *w = world_exempting(WORLD_MODE_2, 1);
	struct packet quoted = packet_ip4("10.0.0.2", 80, "10.0.0.1", 40000);
	uint8_t frame[FRAME_MAX] = {0}, inner[FRAME_MAX];
	struct outcome out;
	const size_t length = 14 + 20 + 8 + 28;

	(void)state;
	packet_write(&quoted, inner, sizeof(inner));
	/* The ICMP packet's own header is a client's segment's with another protocol. */
	quoted = packet_ip4("10.0.0.1", 40000, "10.0.0.2", 80);
	packet_write(&quoted, frame, sizeof(frame));
	frame[14 + 3] = (uint8_t)(length - 14);
	frame[14 + 9] = 1;
	memset(frame + 34, 0, sizeof(frame) - 34);
	frame[34] = 3; /* destination unreachable, fragmentation needed */
	frame[35] = 4;
	memcpy(frame + 34 + 8, inner + 14, 28);
	out = world_send_frame(w, SIDE_CLIENT, frame, length);
	assert_int_equal(out.reason, REASON_pass_exempt);
	assert_memory_equal(out.frame, frame, length);
	exempt_at(w, 0);
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
			REASON_icmp_unknown);
	world_free(w);
}

static enum reason
send_fragment(struct world *w, enum side from, const char *client)
{
	struct packet p = from == SIDE_CLIENT ? packet_ip4(client, 40000, "10.0.0.2", 80)
					      : packet_ip4("10.0.0.2", 80, client, 40000);

	p.ip4_fragment = 0x2000;
	p.flags = PACKET_SYN;
	return world_send(w, from, &p).reason;
}

/* 8. A fragment passes, from either side, if all backends with the address exempt its source. */
static void
test_fragments(void **state)
{
	/* Slots 0 and 2 are one address. */
	static const struct {
		unsigned slots;
		enum reason reason;
	} cases[] = {
			/* 1 */ {0, REASON_fragment},
			/* 2 */ {1, REASON_fragment},
			/* 3 */ {4, REASON_fragment},
			/* 4 */ {5, REASON_pass_exempt},
			/* 5 */ {7, REASON_pass_exempt},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		for (enum side from = 0; from < SIDE_COUNT; from++) {
			struct world *w = world_exempting(WORLD_MODE_2, cases[i].slots);

			assert_int_equal(send_fragment(w, from, "10.0.0.1"), cases[i].reason);
			assert_int_equal(send_fragment(w, from, "10.0.0.9"), REASON_fragment);
			world_free(w);
		}
}

/* 9. Two packets of one burst: a connection's last reset, and the SYN that comes after it. */
static void
test_one_burst(void **state)
{
	struct world *w = world_exempting(WORLD_MODE_2, 0);
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packets[3];
	struct outcome out[3];

	(void)state;
	flow_establish(w, &f);
	exempt_at(w, 7);
	packets[0] = flow_client(&f, PACKET_RST, f.client_isn + 1, 0);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packets[0]).reason, REASON_spliced_reset);
	packets[1] = flow_syn(&f);
	packets[2] = flow_client(&f, PACKET_ACK, 5, 6);
	world_send_burst(w, SIDE_CLIENT, 3, packets, out);
	/* All of a burst are judged before any is spliced: the late RST has no connection any more.
	 */
	assert_int_equal(out[0].verdict, VERDICT_DROP);
	assert_int_equal(out[1].reason, REASON_pass_exempt);
	assert_int_equal(out[2].reason, REASON_pass_exempt);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_prefixes),
			cmocka_unit_test(test_pitfall_30_untouched),
			cmocka_unit_test(test_bad_checksum),
			cmocka_unit_test(test_other_backend),
			cmocka_unit_test(test_reload_keeps_connections),
			cmocka_unit_test(test_reload_keeps_half_open),
			cmocka_unit_test(test_icmp_error),
			cmocka_unit_test(test_fragments),
			cmocka_unit_test(test_one_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
