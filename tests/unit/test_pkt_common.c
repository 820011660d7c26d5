/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets of the common shape are read at one go, all others header by header. A VLAN tag sends the
 * same packet the other way: on random headers, right and wrong, both find the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "net/pkt.h"
#include "packets.h"

#define ROUNDS 1000000
#define TYPE_AT 12 /* of the EtherType */
#define TAG_BYTES 4
#define HEADER_BYTES (14 + 20 + 20)
#define FRAME_BYTES 128

static size_t
random_frame(uint64_t *random, uint8_t *frame)
{
	static const uint8_t payload[40] = "bytes";
	struct packet p = packet_ip4("192.0.2.1", 40000, "192.0.2.80", 80);
	uint64_t bits = packet_random(random);
	size_t length;

	p.seq = (uint32_t)packet_random(random);
	p.ack = (uint32_t)packet_random(random);
	p.window = (uint16_t)(bits >> 40);
	p.tos = (uint8_t)(bits >> 32);
	p.ip4_fragment = bits & 1 ? 0x4000 : 0;
	p.payload = payload;
	p.payload_length = (unsigned)(bits >> 8 & 31);
	length = packet_write(&p, frame, FRAME_BYTES);
	/* Up to three bytes anywhere between EtherType and the end of the TCP header. */
	for (uint64_t n = bits >> 16 & 3; n > 0; n--) {
		uint64_t where = packet_random(random);
		unsigned at = TYPE_AT + (unsigned)(where % (HEADER_BYTES - TYPE_AT));

		frame[at] = where >> 32 & 1 ? (uint8_t)(where >> 40)
					    : (uint8_t)(frame[at] + (where >> 33 & 2) - 1);
	}
	/* One in four ends early. */
	if ((bits >> 18 & 3) == 0)
		length -= (bits >> 20) % (length - 14 + 1);
	return length;
}

static bool
is_tagged(const uint8_t *frame)
{
	unsigned type = (unsigned)frame[TYPE_AT] << 8 | frame[TYPE_AT + 1];

	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static void
assert_same(const struct pkt *a, const struct pkt *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->reason, b->reason);
	if (a->kind != PKT_TCP)
		return;
	assert_int_equal(a->l3_offset + TAG_BYTES, b->l3_offset);
	assert_int_equal(a->l4_offset + TAG_BYTES, b->l4_offset);
	assert_int_equal(a->l4_length, b->l4_length);
	assert_int_equal(a->tcp_header_length, b->tcp_header_length);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->tos, b->tos);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->flow_label, b->flow_label);

	struct tuple untagged = b->tuple;

	untagged.vlan = 0;
	assert_memory_equal(&a->tuple, &untagged, sizeof(untagged));
}

static void
test_same_either_way(void **state)
{
	uint64_t random = 7;
	unsigned tcp = 0, other = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		static const uint8_t tag[TAG_BYTES] = {0x81};
		enum side from = packet_random(&random) % 2 ? SIDE_CLIENT : SIDE_BACKEND;
		uint32_t rest = packet_random(&random) % 8 == 0 ? 20000 : 0;
		uint8_t frame[FRAME_BYTES], tagged[FRAME_BYTES + TAG_BYTES];
		size_t length = random_frame(&random, frame);

		if (is_tagged(frame))
			continue;
		memcpy(tagged, frame, TYPE_AT);
		memcpy(tagged + TYPE_AT, tag, TAG_BYTES);
		memcpy(tagged + TYPE_AT + TAG_BYTES, frame + TYPE_AT, length - TYPE_AT);

		struct pkt common = {.data = frame, .len = (uint32_t)length, .rest = rest};
		struct pkt any = {
				.data = tagged, .len = (uint32_t)length + TAG_BYTES, .rest = rest};

		/* What a packet before it left behind must not show. */
		memset(&common.tuple, 0xa5, sizeof(common.tuple));
		common.flow_label = 1;
		pkt_parse(&common, from);
		pkt_parse(&any, from);
		assert_same(&common, &any);
		if (common.kind == PKT_TCP) {
			assert_int_equal(pkt_check_tcp(&common), pkt_check_tcp(&any));
			tcp++;
		} else {
			other++;
		}
	}
	assert_in_range(tcp, ROUNDS / 4, ROUNDS);
	assert_in_range(other, ROUNDS / 10, ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_same_either_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
