/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pkt_parse(): what it finds in whole packets, what it says of every truncation, and a numbered
 * case for each reason and kind. pkt_check_tcp() has its own file, test_pkt_check.c.
 */
#include "net/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "packets.h"

#define FRAME_MAX 2048

/*
 * The packet in a block that ends with it, so that a sanitizer sees every byte read behind it,
 * and that begins at any alignment.
 */
static struct pkt
load(const uint8_t *frame, size_t length)
{
	size_t shift = length % 8;
	uint8_t *block = malloc(shift + length + !length);

	assert_non_null(block);
	memcpy(block + shift, frame, length);
	return (struct pkt){.data = block + shift, .owner = block, .len = (uint32_t)length};
}

static void
unload(struct pkt *pkt)
{
	free(pkt->owner);
}

static struct packet
sample_ip4(void)
{
	struct packet packet = packet_ip4("192.0.2.1", 40000, "198.51.100.7", 443);

	packet.seq = 0x01020304;
	packet.ack = 0xfffefdfc;
	packet.tos = 0xb9;
	packet.ttl = 57;
	packet.window = 0xabcd;
	return packet;
}

static struct packet
sample_ip6(void)
{
	struct packet packet = packet_ip6("2001:db8::1", 40000, "2001:db8:1::7", 443);

	packet.tos = 0xb9;
	packet.flow_label = 0xf1234;
	packet.seq = 0xf0f1f2f3;
	return packet;
}

/* Appends an extension header of that kind; its next header is TCP until another one follows. */
static void
add_extension(struct packet *packet, uint8_t *last, uint8_t kind, unsigned length)
{
	uint8_t *at = packet->extensions + packet->extensions_length;

	assert_true(packet->extensions_length + length <= sizeof(packet->extensions));
	if (packet->extensions_length == 0)
		packet->extensions_first = kind;
	else
		packet->extensions[*last] = kind;
	*last = (uint8_t)packet->extensions_length;
	memset(at, 0, length);
	at[0] = 6;
	at[1] = (uint8_t)(kind == 51 ? length / 4 - 2 : kind == 44 ? 0 : length / 8 - 1);
	packet->extensions_length += length;
}

/* Every kind that is walked over, in lengths that tell their units apart. */
static struct packet
sample_extensions(void)
{
	struct packet packet = sample_ip6();
	uint8_t last = 0;

	add_extension(&packet, &last, 0, 8);
	add_extension(&packet, &last, 60, 24);
	add_extension(&packet, &last, 43, 16);
	add_extension(&packet, &last, 51, 28);
	add_extension(&packet, &last, 135, 8);
	return packet;
}

static struct packet
with_tags(struct packet packet, unsigned tags)
{
	static const uint16_t protocols[][2] = {{0x8100, 0}, {0x88a8, 0x8100}, {0x9100, 0x88a8}};

	for (unsigned i = 0; i < (tags < 2 ? tags : 2); i++)
		packet_add_vlan(&packet, protocols[tags - 1][i], (uint16_t)(0xe123 + 0x111 * i));
	return packet;
}

/* Six shapes by four ways to be tagged. */
#define SHAPES 6
#define TAGGINGS 4

static struct packet
sample(unsigned shape, unsigned tags)
{
	static const uint8_t payload[11] = "hello world";
	struct packet packet = shape < 3 ? sample_ip4() : sample_ip6();

	if (shape == 1) {
		packet.ip4_options_length = 40;
		memset(packet.ip4_options, 1, 40);
	}
	if (shape == 4)
		packet = sample_extensions();
	if (shape == 2 || shape == 5) {
		packet_add_mss(&packet, 1460);
		packet_add_sack_permitted(&packet);
		packet_add_timestamp(&packet, 1, 2);
	}
	packet.payload = payload;
	packet.payload_length = sizeof(payload);
	return with_tags(packet, tags);
}

static const vlan_tags_t tags_expected[TAGGINGS] = {
		0,
		0x123 | VLAN_TAG_8100 << 12,
		0x123 | VLAN_TAG_88A8 << 12 | (0x234 | VLAN_TAG_8100 << 12) << 16,
		0x123 | VLAN_TAG_9100 << 12 | (0x234 | VLAN_TAG_88A8 << 12) << 16,
};

static void
assert_address(const union ip_addr *addr, const uint8_t *raw, unsigned ip_version)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (ip_version == 4) {
		assert_memory_equal(addr->bytes, mapped, sizeof(mapped));
		assert_memory_equal(addr->bytes + 12, raw, 4);
	} else {
		assert_memory_equal(addr->bytes, raw, 16);
	}
}

static void
assert_tuple(const struct pkt *pkt, const struct packet *packet, enum side from)
{
	const struct tuple *tuple = &pkt->tuple;
	bool from_client = from == SIDE_CLIENT;

	assert_address(from_client ? &tuple->client : &tuple->backend, packet->source,
			packet->ip_version);
	assert_address(from_client ? &tuple->backend : &tuple->client, packet->destination,
			packet->ip_version);
	assert_int_equal(from_client ? tuple->client_port : tuple->backend_port,
			packet->source_port);
	assert_int_equal(from_client ? tuple->backend_port : tuple->client_port,
			packet->destination_port);
	assert_int_equal(tuple->family, packet->ip_version);
	assert_int_equal(tuple->zero, 0);
}

static void
test_fields(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < SHAPES * TAGGINGS * SIDE_COUNT; n++) {
		unsigned tags = n / SHAPES % TAGGINGS;
		enum side from = n / SHAPES / TAGGINGS ? SIDE_BACKEND : SIDE_CLIENT;
		struct packet packet = sample(n % SHAPES, tags);
		struct pkt pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));

		memset(&pkt.tuple, 0xa5, sizeof(pkt.tuple));
		pkt.reason = REASON_spliced;
		pkt_parse(&pkt, from);
		assert_int_equal(pkt.kind, PKT_TCP);
		assert_int_equal(pkt.reason, REASON_NONE);
		assert_int_equal(pkt.from, from);
		assert_tuple(&pkt, &packet, from);
		assert_int_equal(pkt.tuple.vlan, tags_expected[tags]);
		assert_int_equal(pkt.l3_offset, packet_l3_offset(frame, pkt.len));
		assert_int_equal(pkt.l4_offset, packet_l4_offset(frame, pkt.len));
		assert_int_equal(pkt.l4_length, pkt.len - pkt.l4_offset);
		assert_int_equal(pkt.tcp_header_length, 20 + packet.options_length);
		assert_int_equal(pkt.seq, packet.seq);
		assert_int_equal(pkt.ack, packet.ack);
		assert_int_equal(pkt.window, packet.window);
		assert_int_equal(pkt.flags, packet.flags);
		assert_int_equal(pkt.ttl, packet.ttl);
		assert_int_equal(pkt.tos, packet.tos);
		assert_int_equal(pkt.flow_label, packet.flow_label);
		assert_int_equal(pkt_payload_length(&pkt), packet.payload_length);
		assert_memory_equal(pkt.data, frame, pkt.len);
		unload(&pkt);
	}
}

/* What a frame cut off after length bytes is, from where its headers end. */
static enum reason
reason_cut(const struct packet *packet, size_t length)
{
	size_t l3 = 14 + 4 * packet->vlan_count;
	bool is_ip4 = packet->ip_version == 4;

	if (length < 14)
		return REASON_eth_truncated;
	if (length < l3)
		return REASON_vlan_truncated;
	if (length < l3 + (is_ip4 ? 20 : 40))
		return is_ip4 ? REASON_ip4_truncated : REASON_ip6_truncated;
	if (is_ip4 && length < l3 + 20 + packet->ip4_options_length)
		return REASON_ip4_header_length;
	return is_ip4 ? REASON_ip4_total_length : REASON_ip6_payload_length;
}

static void
test_every_truncation(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < SHAPES * TAGGINGS; n++) {
		struct packet packet = sample(n % SHAPES, n / SHAPES);
		size_t size = packet_write(&packet, frame, sizeof(frame));

		for (size_t length = 0; length < size; length++) {
			struct pkt pkt = load(frame, length);

			pkt_parse(&pkt, SIDE_CLIENT);
			assert_int_equal(pkt.kind, PKT_BAD);
			assert_int_equal(pkt.reason, reason_cut(&packet, length));
			unload(&pkt);
		}
	}
}

/* The same, but the IP length tells the truth about the cut. */
static enum reason
reason_cut_known(const struct packet *packet, size_t l4, size_t length)
{
	size_t l3 = 14 + 4 * packet->vlan_count;

	if (packet->ip_version == 6 && length < l4)
		return REASON_ip6_extension;
	if (length >= l4)
		return length < l4 + 20 ? REASON_tcp_truncated : REASON_NONE;
	return length < l3 + 20 + packet->ip4_options_length ? REASON_ip4_header_length
							     : REASON_ip4_total_length;
}

static void
test_every_truncation_with_true_length(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < SHAPES * TAGGINGS; n++) {
		struct packet packet = sample(n % SHAPES, n / SHAPES);
		size_t size = packet_write(&packet, frame, sizeof(frame));
		size_t l3 = packet_l3_offset(frame, size);
		size_t l4 = packet_l4_offset(frame, size);
		bool is_ip4 = packet.ip_version == 4;

		for (size_t length = l3 + (is_ip4 ? 20 : 40); length < size; length++) {
			size_t told = length - l3 - (is_ip4 ? 0 : 40);
			enum reason expected = reason_cut_known(&packet, l4, length);
			struct pkt pkt;

			frame[l3 + (is_ip4 ? 2 : 4)] = (uint8_t)(told >> 8);
			frame[l3 + (is_ip4 ? 3 : 5)] = (uint8_t)told;
			pkt = load(frame, length);
			pkt_parse(&pkt, SIDE_CLIENT);
			assert_int_equal(pkt.reason, expected);
			assert_int_equal(pkt.kind, expected == REASON_NONE ? PKT_TCP : PKT_BAD);
			unload(&pkt);
		}
	}
}

/* Bytes behind the IP packet are nobody's payload, however many. */
static void
test_padding(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < SHAPES; n++)
		for (size_t padding = 0; padding < 50; padding++) {
			struct packet packet = sample(n, 0);
			size_t size = packet_size(&packet);
			struct pkt pkt;

			packet.padding_length = padding;
			pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
			pkt_parse(&pkt, SIDE_CLIENT);
			assert_int_equal(pkt.kind, PKT_TCP);
			assert_int_equal(pkt.l4_offset + pkt.l4_length, size);
			assert_int_equal(pkt_payload_length(&pkt), packet.payload_length);
			unload(&pkt);
		}
}

/* Which packet a case starts from, and where its changes count from. */
enum start { IP4, IP6, EXTENSIONS, QINQ };
enum anchor { END, ETHER, L3, L4 };

struct change {
	enum anchor anchor;
	unsigned offset;
	uint8_t value;
};

static const struct {
	const char *text;
	enum start start;
	struct change changes[4];
	enum pkt_kind kind;
	enum reason reason;
} cases[] = {
#define BAD(reason) PKT_BAD, REASON_##reason
#define PASS(reason) PKT_FOREIGN, REASON_##reason
#define TCP PKT_TCP, REASON_NONE
#define PIECE PKT_FRAGMENT, REASON_NONE
		/* EtherType. */
		/* 0 */ {"ARP", IP4, {{ETHER, 13, 0x06}}, PASS(pass_not_ip)},
		/* 1 */ {"802.3 length", IP4, {{ETHER, 12, 0}, {ETHER, 13, 46}}, PASS(pass_not_ip)},
		/* 2 */ {"ARP in QinQ", QINQ, {{ETHER, 21, 0x06}}, PASS(pass_not_ip)},
		/* 3 */ {"third tag", QINQ, {{ETHER, 20, 0x81}, {ETHER, 21, 0}}, BAD(vlan_depth)},
		/* 4 */
		{"third tag 88a8", QINQ, {{ETHER, 20, 0x88}, {ETHER, 21, 0xa8}}, BAD(vlan_depth)},
		/* 5 */
		{"third tag 9100", QINQ, {{ETHER, 20, 0x91}, {ETHER, 21, 0}}, BAD(vlan_depth)},
		/* 6 */ {"LLDP", IP4, {{ETHER, 12, 0x88}, {ETHER, 13, 0xcc}}, PASS(pass_not_ip)},

		/* IPv4. */
		/* 7 */ {"version 6", IP4, {{L3, 0, 0x65}}, BAD(ip4_version)},
		/* 8 */ {"version 0", IP4, {{L3, 0, 0x05}}, BAD(ip4_version)},
		/* 9 */ {"header length 16", IP4, {{L3, 0, 0x44}}, BAD(ip4_header_length)},
		/* 10 */ {"header length 0", IP4, {{L3, 0, 0x40}}, BAD(ip4_header_length)},
		/* 11 */
		{"header beyond total", IP4, {{L3, 0, 0x46}, {L3, 3, 23}}, BAD(ip4_total_length)},
		/* 12 */ {"header beyond frame", IP4, {{L3, 0, 0x4f}}, BAD(ip4_header_length)},
		/* 13 */ {"total length 19", IP4, {{L3, 3, 19}}, BAD(ip4_total_length)},
		/* 14 */ {"total length 0", IP4, {{L3, 3, 0}}, BAD(ip4_total_length)},
		/* 15 */ {"total length + 1", IP4, {{L3, 3, 52}}, BAD(ip4_total_length)},
		/* 16 */ {"total length 20", IP4, {{L3, 3, 20}}, BAD(tcp_truncated)},
		/* 17 */ {"total length 39", IP4, {{L3, 3, 39}}, BAD(tcp_truncated)},
		/* 18 */ {"total length 40", IP4, {{L3, 3, 40}}, TCP},
		/* 19 */ {"UDP", IP4, {{L3, 9, 17}}, PASS(pass_not_tcp)},
		/* 20 */ {"ICMP", IP4, {{L3, 9, 1}}, PASS(pass_not_tcp)},
		/* 21 */ {"more fragments", IP4, {{L3, 6, 0x20}}, PIECE},
		/* 22 */ {"DF and more fragments", IP4, {{L3, 6, 0x60}}, PIECE},
		/* 23 */ {"offset 8", IP4, {{L3, 6, 0}, {L3, 7, 1}}, PIECE},
		/* 24 */ {"offset 4096 * 8", IP4, {{L3, 6, 0x10}}, PIECE},
		/* 25 */ {"no DF", IP4, {{L3, 6, 0}}, TCP},
		/* 26 */ {"reserved flag", IP4, {{L3, 6, 0x80}}, TCP},
		/* 27 */ {"UDP fragment", IP4, {{L3, 6, 0x20}, {L3, 9, 17}}, PASS(pass_not_tcp)},
		/* 28 */
		{"fragment of 0 bytes", IP4, {{L3, 6, 0x20}, {L3, 3, 20}}, PIECE},

		/* IPv6. */
		/* 29 */ {"version 4", IP6, {{L3, 0, 0x4b}}, BAD(ip6_version)},
		/* 30 */ {"payload length + 1", IP6, {{L3, 5, 32}}, BAD(ip6_payload_length)},
		/* 31 */ {"payload length 64 K", IP6, {{L3, 4, 255}}, BAD(ip6_payload_length)},
		/* 32 */ {"payload length 19", IP6, {{L3, 5, 19}}, BAD(tcp_truncated)},
		/* 33 */ {"payload length 0", IP6, {{L3, 5, 0}}, BAD(tcp_truncated)},
		/* 34 */ {"payload length 20", IP6, {{L3, 5, 20}}, TCP},
		/* 35 */ {"UDP", IP6, {{L3, 6, 17}}, PASS(pass_not_tcp)},
		/* 36 */ {"ICMPv6", IP6, {{L3, 6, 58}}, PASS(pass_not_tcp)},
		/* 37 */ {"no next header", IP6, {{L3, 6, 59}}, PASS(pass_not_tcp)},
		/* 38 */ {"ESP", IP6, {{L3, 6, 50}}, PASS(pass_not_tcp)},
		/* 39 */
		{"HIP, which is no known extension", IP6, {{L3, 6, 139}}, PASS(pass_not_tcp)},
		/* 40 */ {"ICMPv6 behind", EXTENSIONS, {{L3, 40 + 76, 58}}, PASS(pass_not_tcp)},
		/* 41 */
		{"hop-by-hop too long", EXTENSIONS, {{L3, 41, 14}}, BAD(ip6_extension)},
		/* 42 */
		{"authentication too long", EXTENSIONS, {{L3, 40 + 49, 255}}, BAD(ip6_extension)},
		/* 43 */
		{"mobility too long by 8", EXTENSIONS, {{L3, 40 + 77, 4}}, BAD(ip6_extension)},
		/* 44: the last one's bytes are TCP's, which then starts at the payload's end */
		{"mobility up to the end", EXTENSIONS, {{L3, 40 + 77, 3}, {L3, 5, 84 + 24}},
				BAD(tcp_truncated)},
		/* 45 */
		{"extensions without room", EXTENSIONS, {{L3, 5, 7}}, BAD(ip6_extension)},
#undef BAD
#undef PASS
#undef TCP
#undef PIECE
};

static struct packet
start_packet(enum start start)
{
	switch (start) {
	case IP4:
		return sample(0, 0);
	case IP6:
		return sample(3, 0);
	case EXTENSIONS:
		return sample(4, 0);
	default:
		return sample(0, 2);
	}
}

static void
test_cases(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct packet packet = start_packet(cases[i].start);
		size_t size = packet_write(&packet, frame, sizeof(frame));
		const size_t anchors[] = {[L3] = packet_l3_offset(frame, size),
				[L4] = packet_l4_offset(frame, size)};
		const struct change *change = cases[i].changes;
		struct pkt pkt;

		print_message("case %u: %s\n", i, cases[i].text);
		for (unsigned c = 0; c < ARRAY_COUNT(cases[i].changes); c++)
			if (change[c].anchor != END)
				frame[anchors[change[c].anchor] + change[c].offset] =
						change[c].value;
		pkt = load(frame, size);
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt.kind, cases[i].kind);
		assert_int_equal(pkt.reason, cases[i].reason);
		unload(&pkt);
	}
}

/* The IPv6 fragment header, alone and among others: next header, offset field, what it is. */
static const struct {
	uint8_t next_header;
	uint16_t field;
	bool is_behind_options;
	enum pkt_kind kind;
	enum reason reason;
} fragments[] = {
		/* 0: first */ {6, 0x0001, false, PKT_FRAGMENT, REASON_NONE},
		/* 1: later */ {6, 0x0009, false, PKT_FRAGMENT, REASON_NONE},
		/* 2: last */ {6, 0xfff8, false, PKT_FRAGMENT, REASON_NONE},
		/* 3: atomic */ {6, 0x0000, false, PKT_FRAGMENT, REASON_NONE},
		/* 4: reserved bits are not an offset */
		{6, 0x0006, false, PKT_FRAGMENT, REASON_NONE},
		/* 5 */ {17, 0x0001, false, PKT_FOREIGN, REASON_pass_not_tcp},
		/* 6: could overlap TCP */ {17, 0x0008, false, PKT_FRAGMENT, REASON_NONE},
		/* 7 */ {6, 0x0001, true, PKT_FRAGMENT, REASON_NONE},
		/* 8 */ {6, 0x0100, true, PKT_FRAGMENT, REASON_NONE},
		/* 9 */ {58, 0x0001, true, PKT_FOREIGN, REASON_pass_not_tcp},
		/* 10: can not */ {17, 0x0018, false, PKT_FOREIGN, REASON_pass_not_tcp},
};

static void
test_ip6_fragments(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(fragments); i++) {
		struct packet packet = sample_ip6();
		uint8_t last = 0;
		struct pkt pkt;

		print_message("case %u\n", i);
		if (fragments[i].is_behind_options)
			add_extension(&packet, &last, 60, 16);
		add_extension(&packet, &last, 44, 8);
		packet.extensions[last] = fragments[i].next_header;
		packet.extensions[last + 2] = (uint8_t)(fragments[i].field >> 8);
		packet.extensions[last + 3] = (uint8_t)fragments[i].field;
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt.kind, fragments[i].kind);
		assert_int_equal(pkt.reason, fragments[i].reason);
		unload(&pkt);
	}
}

/* Behind the header of a first fragment the chain goes on; behind that of a later one it can't. */
static void
test_ip6_fragment_with_options(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct packet packet = sample_ip6();
	uint8_t last = 0;
	struct pkt pkt;

	(void)state;
	add_extension(&packet, &last, 44, 8);
	add_extension(&packet, &last, 60, 8);
	packet.extensions[3] = 1;
	pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
	pkt_parse(&pkt, SIDE_CLIENT);
	assert_int_equal(pkt.kind, PKT_FRAGMENT);
	unload(&pkt);

	packet.extensions[3] = 3 * 8 + 1;
	pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
	pkt_parse(&pkt, SIDE_CLIENT);
	assert_int_equal(pkt.kind, PKT_FOREIGN);
	unload(&pkt);
}

/* Fragments keep their addresses and tags, and have no ports, from either side. */
static void
test_fragment_tuple(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		enum side from = n & 1 ? SIDE_BACKEND : SIDE_CLIENT;
		struct packet packet = n & 2 ? sample_ip6() : sample_ip4();
		uint8_t last = 0;
		struct pkt pkt;

		packet_add_vlan(&packet, 0x8100, 0x123);
		packet.ip4_fragment = 0x2000;
		if (n & 2)
			add_extension(&packet, &last, 44, 8);
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		memset(&pkt.tuple, 0xa5, sizeof(pkt.tuple));
		pkt_parse(&pkt, from);
		assert_int_equal(pkt.kind, PKT_FRAGMENT);
		packet.source_port = packet.destination_port = 0;
		assert_tuple(&pkt, &packet, from);
		assert_int_equal(pkt.tuple.vlan, tags_expected[1]);
		unload(&pkt);
	}
}

static void
test_extension_count(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned count = 0; count <= 12; count++) {
		struct packet packet = sample_ip6();
		uint8_t last = 0;
		struct pkt pkt;

		for (unsigned i = 0; i < count; i++)
			add_extension(&packet, &last, 60, 8);
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt.kind, count <= 8 ? PKT_TCP : PKT_BAD);
		assert_int_equal(pkt.reason, count <= 8 ? REASON_NONE : REASON_ip6_extension);
		unload(&pkt);
	}
}

/* The longest chain that is walked: its TCP header is where l4_offset says. */
static void
test_longest_extensions(void **state)
{
	static uint8_t frame[14 + 8 + 40 + 8 * 2048 + 20];
	struct packet packet = with_tags(sample_ip6(), 2);
	uint8_t tcp[FRAME_MAX];
	size_t size = packet_write(&packet, tcp, sizeof(tcp));
	size_t l3 = packet_l3_offset(tcp, size);
	size_t payload = 8 * 2048 + 20;
	struct pkt pkt;

	(void)state;
	memcpy(frame, tcp, l3 + 40);
	memcpy(frame + sizeof(frame) - 20, tcp + size - 20, 20);
	frame[l3 + 4] = (uint8_t)(payload >> 8);
	frame[l3 + 5] = (uint8_t)payload;
	frame[l3 + 6] = 60;
	for (unsigned i = 0; i < 8; i++) {
		frame[l3 + 40 + i * 2048] = i == 7 ? 6 : 60;
		frame[l3 + 41 + i * 2048] = 255;
	}
	pkt = load(frame, sizeof(frame));
	pkt_parse(&pkt, SIDE_CLIENT);
	assert_int_equal(pkt.kind, PKT_TCP);
	assert_int_equal(pkt.l4_offset, sizeof(frame) - 20);
	assert_int_equal(pkt.seq, packet.seq);
	unload(&pkt);
}

/* VID 0 with a priority is a tag like any other; the priority itself tells nobody apart. */
static void
test_priority_tag(void **state)
{
	uint8_t frame[FRAME_MAX];
	vlan_tags_t first = 0;

	(void)state;
	for (unsigned priority = 0; priority < 16; priority++) {
		struct packet packet = sample_ip4();
		struct pkt pkt;

		packet_add_vlan(&packet, 0x8100, (uint16_t)(priority << 12));
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt.kind, PKT_TCP);
		assert_int_not_equal(pkt.tuple.vlan, 0);
		if (priority == 0)
			first = pkt.tuple.vlan;
		assert_int_equal(pkt.tuple.vlan, first);
		unload(&pkt);
	}
}

/* A packet that is parsed already stays as it is. */
static void
test_parse_once(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct packet packet = sample_ip4();
	struct pkt pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
	struct pkt before;

	(void)state;
	pkt_parse(&pkt, SIDE_CLIENT);
	before = pkt;
	pkt_parse(&pkt, SIDE_BACKEND);
	assert_memory_equal(&pkt, &before, sizeof(pkt));
	unload(&pkt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_fields),
			cmocka_unit_test(test_every_truncation),
			cmocka_unit_test(test_every_truncation_with_true_length),
			cmocka_unit_test(test_padding),
			cmocka_unit_test(test_cases),
			cmocka_unit_test(test_ip6_fragments),
			cmocka_unit_test(test_ip6_fragment_with_options),
			cmocka_unit_test(test_fragment_tuple),
			cmocka_unit_test(test_extension_count),
			cmocka_unit_test(test_longest_extensions),
			cmocka_unit_test(test_priority_tag),
			cmocka_unit_test(test_parse_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
