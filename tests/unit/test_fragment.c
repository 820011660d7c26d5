/* SPDX-License-Identifier: BSD-3-Clause */
/* IP fragments of TCP by policy: what passes, what never does, and who decides for an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/fragment.h"
#include "world.h"

#define FRAME_MAX 256
#define FRAGMENT_HEADER 44

/* 1. Every offset and length, with every flag byte: a SYN shows in no fragment that is plain, and
 * none that is plain can be made one by another that is. */
static void
test_judge(void **state)
{
	uint8_t data[64] = {0};

	(void)state;
	for (uint32_t offset = 0; offset < 65536; offset += 8)
		for (uint32_t length = 0; length <= sizeof(data); length++) {
			enum fragment_kind kind = fragment_judge(data, length, offset);
			bool hides = offset == 0 ? length < 20 : offset < 20;

			assert_int_equal(kind, hides ? FRAGMENT_UNSAFE : FRAGMENT_PLAIN);
		}
	for (unsigned flags = 0; flags < 256; flags++) {
		data[13] = (uint8_t)flags;
		assert_int_equal(fragment_judge(data, 20, 0),
				flags & PACKET_SYN ? FRAGMENT_SYN : FRAGMENT_PLAIN);
		assert_int_equal(fragment_judge(data, 19, 0), FRAGMENT_UNSAFE);
	}
}

static struct world *
world_with(enum fragment_policy policy)
{
	struct world *w = world_new(&(struct world_options){.backend = {.fragments = policy}});

	return w;
}

/* A fragment of total bytes of IPv4, cut from a segment with 40 bytes of payload. */
static struct outcome
send_ip4(struct world *w, enum side from, uint16_t port, uint8_t flags, uint16_t field,
		uint32_t data_length)
{
	static const uint8_t payload[40] = {1, 2, 3};
	struct packet p = from == SIDE_CLIENT ? packet_ip4("10.0.0.1", 40000, "10.0.0.2", port)
					      : packet_ip4("10.0.0.2", port, "10.0.0.1", 40000);
	uint8_t frame[FRAME_MAX];
	struct outcome out;
	size_t length;

	p.flags = flags;
	p.payload = payload;
	p.payload_length = sizeof(payload);
	p.ip4_fragment = field;
	packet_write(&p, frame, sizeof(frame));
	length = 14 + 20 + data_length;
	frame[14 + 2] = 0;
	frame[14 + 3] = (uint8_t)(20 + data_length);
	out = world_send_frame(w, from, frame, length);
	if (out.verdict == VERDICT_FORWARD) {
		assert_int_equal(out.length, length);
		assert_memory_equal(out.frame, frame, length);
	}
	return out;
}

/* Flags of a first fragment, its offset field, its bytes behind the IP header, and what becomes of
 * it from either side where fragments pass. */
static const struct {
	uint8_t flags;
	uint16_t field;
	uint32_t length;
	enum reason client;
	enum reason backend;
} cases[] = {
#define PASSES REASON_fragment_passed
#define UNSAFE REASON_fragment_unsafe
		/* 1: first, whole header */ {PACKET_ACK, 0x2000, 24, PASSES, PASSES},
		/* 2: later */ {PACKET_ACK, 0x2003, 24, PASSES, PASSES},
		/* 3: last */ {PACKET_ACK, 0x0003, 24, PASSES, PASSES},
		/* 4: SYN */ {PACKET_SYN, 0x2000, 24, UNSAFE, PASSES},
		/* 5 */ {PACKET_SYN | PACKET_ACK, 0x2000, 24, UNSAFE, PASSES},
		/* 6: flags left to the next one (RFC 1858 3.1) */
		{PACKET_ACK, 0x2000, 8, UNSAFE, PASSES},
		/* 7 */ {PACKET_ACK, 0x2000, 0, UNSAFE, PASSES},
		/* 8: over the flags (RFC 1858 3.2) */ {PACKET_ACK, 0x2001, 24, UNSAFE, PASSES},
		/* 9 */ {PACKET_ACK, 0x0002, 24, UNSAFE, PASSES},
		/* 10: a second first one (RFC 3128) */ {PACKET_SYN, 0x6000, 40, UNSAFE, PASSES},
		/* 11 */ {PACKET_RST, 0x2000, 24, PASSES, PASSES},
};

/* 2. PITFALLS 18: where fragments pass, unchanged and counted, no SYN passes with them. */
static void
test_pitfall_18_fragments_pass(void **state)
{
	struct world *w = world_with(FRAGMENTS_PASS);

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		for (unsigned port = 22; port <= 80; port += 58) {
			assert_int_equal(send_ip4(w, SIDE_CLIENT, (uint16_t)port, cases[i].flags,
							 cases[i].field, cases[i].length)
							 .reason,
					cases[i].client);
			assert_int_equal(send_ip4(w, SIDE_BACKEND, (uint16_t)port, cases[i].flags,
							 cases[i].field, cases[i].length)
							 .reason,
					cases[i].backend);
		}
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* 3. Where they don't, none does. */
static void
test_pitfall_18_fragments_drop(void **state)
{
	struct world *w = world_with(FRAGMENTS_DROP);

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		for (enum side from = 0; from < SIDE_COUNT; from++)
			assert_int_equal(send_ip4(w, from, 80, cases[i].flags, cases[i].field,
							 cases[i].length)
							 .reason,
					REASON_fragment);
	world_free(w);
}

/* A fragment header's next header and field; headers around it; what becomes of it. */
static const struct {
	uint8_t next;
	uint16_t field;
	unsigned behind; /* 1: destination options behind it, 2: another fragment header */
	uint8_t flags;
	enum reason reason;
} ip6_cases[] = {
		/* 1 */ {6, 0x0001, 0, PACKET_ACK, REASON_fragment_passed},
		/* 2: atomic (RFC 6946) */ {6, 0x0000, 0, PACKET_SYN, REASON_fragment_unsafe},
		/* 3 */ {6, 0x0001, 0, PACKET_SYN, REASON_fragment_unsafe},
		/* 4 */ {6, 0x0018, 0, PACKET_SYN, REASON_fragment_passed},
		/* 5: over the header */ {6, 0x0009, 0, PACKET_ACK, REASON_fragment_unsafe},
		/* 6: the same under another name */
		{17, 0x0008, 0, PACKET_ACK, REASON_fragment_unsafe},
		/* 7 */ {17, 0x0018, 0, PACKET_ACK, REASON_pass_not_tcp},
		/* 8: where the header lies, nobody knows */
		{60, 0x0001, 1, PACKET_ACK, REASON_fragment_unsafe},
		/* 9 */ {60, 0x0008, 1, PACKET_ACK, REASON_fragment_unsafe},
		/* 10 */ {44, 0x0001, 2, PACKET_ACK, REASON_fragment_unsafe},
};

/* 4. PITFALLS 18: the same for IPv6, whose chain of headers gives more ways to hide. */
static void
test_pitfall_18_ip6_fragments(void **state)
{
	struct world *w = world_with(FRAGMENTS_PASS);

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(ip6_cases); i++) {
		struct packet p = packet_ip6("fd00::1", 40000, "fd00::2", 80);

		p.flags = ip6_cases[i].flags;
		p.extensions_first = FRAGMENT_HEADER;
		p.extensions_length = ip6_cases[i].behind != 0 ? 16 : 8;
		p.extensions[0] = ip6_cases[i].next;
		p.extensions[2] = (uint8_t)(ip6_cases[i].field >> 8);
		p.extensions[3] = (uint8_t)ip6_cases[i].field;
		p.extensions[8] = 6;
		p.extensions[8 + 2] = 1; /* PadN */
		if (ip6_cases[i].behind == 2)
			p.extensions[8 + 2] = 0;
		print_message("case %u\n", i + 1);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, ip6_cases[i].reason);
	}
	world_free(w);
}

/* 5. Backends that share an address: one that drops decides, whichever comes first; a reload
 * changes it. */
static void
test_shared_address(void **state)
{
	(void)state;
	for (unsigned dropping = 0; dropping <= 2; dropping += 2) {
		struct world *w = world_with(FRAGMENTS_PASS);

		w->configs[dropping].fragments = FRAGMENTS_DROP;
		world_publish(w);
		assert_int_equal(send_ip4(w, SIDE_CLIENT, 22, PACKET_ACK, 0x2000, 24).reason,
				REASON_fragment);
		w->configs[dropping].fragments = FRAGMENTS_PASS;
		world_publish(w);
		assert_int_equal(send_ip4(w, SIDE_CLIENT, 22, PACKET_ACK, 0x2000, 24).reason,
				REASON_fragment_passed);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_judge),
			cmocka_unit_test(test_pitfall_18_fragments_pass),
			cmocka_unit_test(test_pitfall_18_fragments_drop),
			cmocka_unit_test(test_pitfall_18_ip6_fragments),
			cmocka_unit_test(test_shared_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
