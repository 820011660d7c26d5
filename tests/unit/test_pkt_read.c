/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every variant of pkt_read(), pkt_read_segments(), pkt_read_lone() and pkt_check() against
 * pkt_parse() and pkt_check_tcp(): ten million random packets, right and wrong, in bursts of any
 * size. What each caller owns ends at a page that nobody may touch, and is full of bytes that don't
 * count.
 */
#include "net/pkt_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/guard_page.h"
#include "net/csum.h"
#include "packets.h"

/* A sanitizer makes each take fifty times as long. */
#define TWINS (SLUICE_TEST_CHECKS ? 200000u : 10000000u)
#define BURST 32
#define TEMPLATES 256
#define FRAME_BYTES_MAX 1600
#define ROOM_BYTES 4096

struct template
{
	uint8_t frame[FRAME_BYTES_MAX];
	unsigned length;
	unsigned l3, l4; /* offsets */
};

static struct template templates[TEMPLATES];

/* One of them lies at the end of its page, the other one anywhere. */
static struct guarded_block blocks[BURST];
static uint8_t copies[BURST][ROOM_BYTES];

static void
add_options(struct packet *p, unsigned which)
{
	static const uint32_t edges[] = {1, 2, 3, 4, 5, 6};

	switch (which % 8) {
	case 0: /* Linux's SYN */
	case 1:
		packet_add_mss(p, which % 2 ? 1460 : 0);
		packet_add_sack_permitted(p);
		packet_add_timestamp(p, 0x01020304, 0xfffefdfc);
		packet_add_nop(p);
		packet_add_wscale(p, (uint8_t)(which / 8 % 18));
		break;
	case 2:
	case 3:
		packet_add_nop(p);
		packet_add_nop(p);
		packet_add_timestamp(p, 0x81828384, 0x7f7e7d7c);
		break;
	case 4:
		packet_add_nop(p);
		packet_add_nop(p);
		packet_add_timestamp(p, 1, 2);
		packet_add_nop(p);
		packet_add_nop(p);
		packet_add_sack(p, 1 + which / 8 % 3, edges);
		break;
	case 5:
		packet_add_mss(p, 536);
		break;
	}
}

static void
templates_write(uint64_t *random)
{
	static const uint8_t flags[] = {PACKET_SYN, PACKET_ACK, PACKET_ACK | PACKET_PSH,
			PACKET_SYN | PACKET_ACK, PACKET_FIN | PACKET_ACK, PACKET_RST};
	static uint8_t payload[1400];

	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)packet_random(random);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		struct template *t = &templates[i];
		uint64_t bits = packet_random(random);
		struct packet p = bits & 1 ? packet_ip4("192.0.2.1", 40000, "192.0.2.80", 80)
					   : packet_ip6("2001:db8::1", 40000, "fd00::2", 80);

		p.tos = (uint8_t)(bits >> 8);
		p.flow_label = (uint32_t)(bits >> 44);
		p.seq = (uint32_t)packet_random(random);
		p.ack = (uint32_t)packet_random(random);
		p.flags = flags[(bits >> 16) % sizeof(flags)];
		add_options(&p, (unsigned)(bits >> 24 & 0xff));
		if (bits >> 32 & 1)
			packet_add_vlan(&p, bits >> 33 & 7 ? 0x8100 : 0x88a8,
					(uint16_t)(bits >> 36));
		if ((bits >> 52 & 31) == 0)
			packet_add_vlan(&p, 0x8100, 7);
		p.payload = payload;
		p.payload_length = bits >> 2 & 1 ? 0 : (bits >> 57) + (i % 64 == 0 ? 1200 : 0);
		t->length = (unsigned)packet_write(&p, t->frame, sizeof(t->frame));
		t->l3 = (unsigned)packet_l3_offset(t->frame, t->length);
		t->l4 = (unsigned)packet_l4_offset(t->frame, t->length);
	}
}

/* Makes both sums right again by what stands at field: the checksum, or the urgent pointer, so that
 * any checksum, 0 and 0xffff too, can be a right one. csum.h has tests of its own. */
static void
fix(const struct template *t, uint8_t *frame, bool by_urgent)
{
	uint8_t *ip = frame + t->l3, *tcp = frame + t->l4;
	uint8_t *field = tcp + 16 + 2 * by_urgent;
	uint32_t length = t->length - t->l4;
	uint64_t sum = htobe16(6) + (uint64_t)htobe32(length);

	memset(field, 0, 2);
	sum = ip[0] >> 4 == 4 ? csum_add(sum, ip + 12, 8) : csum_add(sum, ip + 8, 32);
	store_raw16(field, (uint16_t)~csum_fold(csum_add(sum, tcp, length)));
	if (ip[0] >> 4 != 4)
		return;
	store_raw16(ip + 10, 0);
	store_raw16(ip + 10, (uint16_t)~csum_fold(csum_add(0, ip, 20)));
}

static void
spoil(const struct template *t, uint8_t *frame, uint64_t *random)
{
	uint64_t bits = packet_random(random);
	bool by_urgent = (bits & 7) == 0;

	if (by_urgent)
		store_raw16(frame + t->l4 + 16, bits & 8 ? 0 : bits & 16 ? 0xffff : 0x1234);
	/* The numbers, so that sums have any value. */
	store_raw32(frame + t->l4 + 4, (uint32_t)(bits >> 32));
	for (unsigned n = bits >> 5 & 3; n > 1; n--) {
		uint64_t where = packet_random(random);
		unsigned first = where & 1 ? 12 : t->l3;
		unsigned at = first + (unsigned)((where >> 8) % (t->l4 + 40 - first));

		if (at < t->length)
			frame[at] = where & 2 ? (uint8_t)(where >> 40)
					      : (uint8_t)(frame[at] + (where >> 1 & 2) - 1);
	}
	if ((bits >> 20 & 63) == 0) /* no port, any flags */
		store_raw16(frame + t->l4, 0);
	if ((bits >> 20 & 63) == 1)
		frame[t->l4 + 13] = (uint8_t)(bits >> 48);
	if (bits >> 7 & 7)
		fix(t, frame, by_urgent);
	if ((bits >> 10 & 15) == 0) /* a wrong bit anywhere */
		frame[(bits >> 16 & 0xffff) % t->length] ^= (uint8_t)(1u << (bits >> 14 & 3));
}

/* A random one; like: of the same family and with the same tags as that. */
static const struct template *
template_draw(uint64_t random, const struct template *like)
{
	const struct template *t = &templates[random % TEMPLATES];

	while (like != NULL &&
			(t->l3 != like->l3 || t->frame[t->l3] >> 4 != like->frame[like->l3] >> 4))
		t = &templates[(unsigned)(t - templates + 1) % TEMPLATES];
	return t;
}

/* Twins of one random packet, which has some room behind it up to the page's end. */
static void
make(struct pkt *pkt, struct pkt *twin, unsigned i, const struct template *like, uint64_t *random)
{
	uint64_t bits = packet_random(random);
	const struct template *t = template_draw(bits, like);
	unsigned length = t->length, room;

	memcpy(copies[i], t->frame, length);
	if (like == NULL || bits >> 47 & 1)
		spoil(t, copies[i], random);
	if ((bits >> 8 & 7) == 0)
		length -= (unsigned)((bits >> 11 & 0xff) % length);
	room = bits >> 19 & 1 ? length + (bits >> 20 & 63) : length + 64;
	if ((bits >> 26 & 3) == 0) /* padding is the frame's */
		length += (unsigned)((bits >> 28) % (room - length + 1));
	if (room > t->length)
		memset(copies[i] + t->length, (int)(bits >> 36), room - t->length);
	*twin = (struct pkt){.data = copies[i],
			.len = length,
			.tailroom = (uint16_t)(room - length),
			.rest = (bits >> 44 & 63) == 0 ? 20000 : 0,
			.csum = bits >> 50 & 3 ? PKT_CSUM_UNKNOWN : (bits >> 52 & 0xff) % 5};
	*pkt = *twin;
	memset(&pkt->hash, 0xa5, sizeof(*pkt) - offsetof(struct pkt, hash));
	pkt->reason = REASON_NONE;
	pkt->data = blocks[i].bytes + blocks[i].size - room;
	memcpy(pkt->data, copies[i], room);
}

static void
assert_same(const struct pkt *a, const struct pkt *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->reason, b->reason);
	if (b->kind != PKT_TCP)
		return;
	assert_memory_equal(&a->tuple, &b->tuple, sizeof(a->tuple));
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->tcp_header_length, b->tcp_header_length);
	assert_int_equal(a->l4_length, b->l4_length);
	assert_int_equal(a->l3_offset, b->l3_offset);
	assert_int_equal(a->l4_offset, b->l4_offset);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->tos, b->tos);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->flow_label, b->flow_label);
}

/* What a run went through, so that it can't go by without. */
static struct {
	unsigned sound, begun, syns, acks, segments, refused[REASON_COUNT];
} seen;

/* One of several packets that are for the same backend as the first of them. */
static void
check_common(const struct pkt *pkt, const struct pkt *first, struct pkt twin, enum side from)
{
	assert_int_equal(pkt->checked, PKT_SOUND);
	pkt_parse(&twin, from);
	assert_int_equal(twin.kind, PKT_TCP);
	assert_int_equal(pkt_check_tcp(&twin), REASON_NONE);
	assert_true(!(twin.flags & PACKET_RST));
	assert_memory_equal(&twin.tuple.backend, &first->tuple.backend, sizeof(twin.tuple.backend));
	assert_int_equal(twin.tuple.backend_port, first->tuple.backend_port);
}

/* The same of pkt_read_segments(). */
static void
check_segments(uint32_t segments, const struct pkt *pkts, const struct pkt *twins, unsigned count,
		enum side from)
{
	assert_true(count == PKT_SEGMENTS_MAX || segments >> count == 0);
	for (unsigned i = 0; i < count; i++) {
		if (!(segments >> i & 1))
			continue;
		check_common(&pkts[i], &pkts[__builtin_ctz(segments)], twins[i], from);
		assert_true(!(pkts[i].flags & PACKET_SYN));
		seen.segments++;
	}
}

/* What a burst has in common is true of each, as the twins have it. */
static void
check_alike(struct pkt_alike alike, const struct pkt *pkts, const struct pkt *twins, unsigned count,
		enum side from)
{
	for (unsigned i = 0; i < PKT_READ_LANES; i++) {
		const bool is_syn = alike.syns >> i & 1, is_ack = alike.acks >> i & 1;

		if (!is_syn && !is_ack)
			continue;
		assert_true(i < count && from == SIDE_CLIENT && !(is_syn && is_ack));
		check_common(&pkts[i], &pkts[0], twins[i], from);
		assert_int_equal(pkts[i].flags & (PACKET_SYN | PACKET_ACK),
				is_syn ? PACKET_SYN : PACKET_ACK);
		seen.syns += is_syn;
		seen.acks += is_ack;
	}
}

static void
check_twins(enum kernel kernel, struct pkt *pkt, struct pkt *twin, enum side from)
{
	enum reason reason, expected;

	pkt_parse(twin, from);
	assert_same(pkt, twin);
	if (twin->kind != PKT_TCP)
		return;
	seen.sound += pkt->checked == PKT_SOUND;
	seen.begun += pkt->checked == (PKT_HEADERS_SOUND | PKT_OPTIONS_READ);
	reason = pkt_check(kernel, pkt);
	expected = pkt_check_tcp(twin);
	assert_int_equal(reason, expected);
	seen.refused[expected]++;
	if (expected != REASON_NONE)
		return;
	assert_memory_equal(&pkt->opt, &twin->opt, sizeof(pkt->opt));
	/* Where a checksum was completed, the same one. */
	if (pkt->csum == PKT_CSUM_PARTIAL)
		assert_memory_equal(pkt->data, twin->data, pkt->len);
}

static void
check_burst(enum kernel kernel, uint64_t *random)
{
	static struct pkt pkts[BURST], twins[BURST];
	uint64_t bits = packet_random(random);
	unsigned count = bits & 3 ? BURST : (unsigned)(bits >> 8) % (BURST + 1);
	enum side from = bits >> 2 & 1 ? SIDE_CLIENT : SIDE_BACKEND;
	const struct template *like = bits >> 3 & 1 ? template_draw(bits >> 20, NULL) : NULL;
	struct pkt_alike alike;

	for (unsigned i = 0; i < count; i++)
		make(&pkts[i], &twins[i], i, like, random);
	/* As a worker does that handed its neighbours' packets on. */
	if ((bits >> 16 & 15) == 0 && count > 0) {
		pkt_parse(&pkts[bits % count], from);
		assert_true(pkts[bits % count].kind != PKT_TCP || pkts[bits % count].checked == 0);
	}
	if (bits >> 19 & 1) {
		for (unsigned i = 0; i < count; i++)
			pkt_read_lone(kernel, &pkts[i], from);
	} else if (bits >> 20 & 1) {
		alike = pkt_read(kernel, pkts, count, from);
		check_alike(alike, pkts, twins, count, from);
	} else {
		check_segments(pkt_read_segments(kernel, pkts, count, from), pkts, twins, count,
				from);
	}
	for (unsigned i = 0; i < count; i++)
		check_twins(kernel, &pkts[i], &twins[i], from);
}

static void
test_ten_million_twins(void **state)
{
	static const enum reason wanted[] = {REASON_NONE, REASON_source_invalid,
			REASON_ip4_checksum, REASON_tcp_data_offset, REASON_tcp_checksum,
			REASON_tcp_port_zero, REASON_tcp_flags, REASON_tcp_options};
	uint64_t random = 11;

	(void)state;
	for (unsigned n = 0; n < TWINS; n += BURST)
		check_burst(kernel_best(), &random);
	if (kernel_best() == KERNEL_AVX512) {
		assert_in_range(seen.sound, TWINS / 10, TWINS);
		assert_in_range(seen.begun, TWINS / 40, TWINS);
		assert_in_range(seen.syns, TWINS / 8000, TWINS);
		assert_in_range(seen.acks, TWINS / 8000, TWINS);
		assert_in_range(seen.segments, TWINS / 8000, TWINS);
	} else {
		/* Nobody has looked, so nothing may count as found right. */
		assert_int_equal(
				seen.sound + seen.begun + seen.syns + seen.acks + seen.segments, 0);
	}
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_in_range(seen.refused[wanted[i]], TWINS / 10000, TWINS);
}

/* Every pair of addresses out of those that mean something, at each end of each family. */
static void
test_special_addresses(void **state)
{
	static const char *const ip4[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "126.255.255.255",
			"128.0.0.0", "223.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
			"255.255.255.255", "255.255.255.254", "10.0.0.1", "10.0.0.2"};
	static const char *const ip6[] = {"::", "::1", "::2", "::1:0", "::ffff:10.0.0.1",
			"::fffe:10.0.0.1", "::1:ffff:10.0.0.1", "0:0:0:1::ffff:1:1",
			"1::", "ff02::1", "feff::1", "fd00::1", "fd00::2", "fd00::1:0:0:1",
			"0:ff::"};
	const unsigned count = sizeof(ip4) / sizeof(ip4[0]) + sizeof(ip6) / sizeof(ip6[0]);

	(void)state;
	for (unsigned n = 0; n < count * count; n++) {
		unsigned a = n / count, b = n % count;
		unsigned ip4_count = sizeof(ip4) / sizeof(ip4[0]);
		struct pkt pkts[BURST], twin;
		struct packet p;

		if ((a < ip4_count) != (b < ip4_count))
			continue;
		p = a < ip4_count ? packet_ip4(ip4[a], 40000, ip4[b], 80)
				  : packet_ip6(ip6[a - ip4_count], 40000, ip6[b - ip4_count], 80);
		for (unsigned i = 0; i < BURST; i++) {
			size_t length = packet_write(&p, copies[i], ROOM_BYTES);

			pkts[i] = (struct pkt){
					.data = copies[i], .len = (uint32_t)length, .tailroom = 64};
		}
		for (enum kernel kernel = 0; kernel < KERNEL_COUNT; kernel++) {
			enum side from = n & 1 ? SIDE_CLIENT : SIDE_BACKEND;

			if (!kernel_is_supported(kernel))
				continue;
			for (unsigned i = 0; i < BURST; i++)
				pkts[i].kind = PKT_UNPARSED;
			twin = pkts[0];
			pkt_read(kernel, pkts, BURST, from);
			check_twins(kernel, &pkts[n % BURST], &twin, from);
			pkts[n % BURST].kind = PKT_UNPARSED;
			twin.kind = PKT_UNPARSED;
			pkt_read_segments(kernel, &pkts[n % BURST], 1, from);
			check_twins(kernel, &pkts[n % BURST], &twin, from);
		}
	}
}

/* A flood's packets are told as such: all of them but the one that differs. */
static void
test_alike(void **state)
{
	static const char *const clients[] = {"192.0.2.1", "2001:db8::1"};
	static const char *const backends[] = {"192.0.2.80", "fd00::2"},
				 *others[] = {"192.0.2.81", "fd00::2:0:0:2"};

	(void)state;
	if (!kernel_is_supported(KERNEL_AVX512))
		return;
	/* Family, flags, the odd one's place, how it differs. */
	for (unsigned n = 0; n < 2 * 2 * 15 * 4; n++) {
		const unsigned ip6 = n & 1, odd = 1 + n / 4 % 15, how = n / 60;
		const uint8_t flags = n & 2 ? PACKET_SYN : PACKET_ACK;
		struct pkt pkts[PKT_READ_LANES], again[PKT_READ_LANES];
		struct pkt_alike alike;

		for (unsigned i = 0; i < PKT_READ_LANES; i++) {
			const char *const to = i == odd && how == 0 ? others[ip6] : backends[ip6];
			struct packet p =
					ip6 ? packet_ip6(clients[1], (uint16_t)(1024 + i), to, 80)
					    : packet_ip4(clients[0], (uint16_t)(1024 + i), to, 80);

			p.flags = i == odd && how == 2 ? PACKET_RST : flags;
			p.destination_port += i == odd && how == 1;
			pkts[i] = (struct pkt){.data = copies[i],
					.len = (uint32_t)packet_write(&p, copies[i], ROOM_BYTES),
					.tailroom = 64};
			copies[i][i == odd && how == 3 ? 30 : ROOM_BYTES - 1] ^= 1;
		}
		memcpy(again, pkts, sizeof(again));
		alike = pkt_read(KERNEL_AVX512, pkts, PKT_READ_LANES, SIDE_CLIENT);
		assert_int_equal(n & 2 ? alike.syns : alike.acks, 0xffff & ~(1u << odd));
		assert_int_equal(n & 2 ? alike.acks : alike.syns, 0);
		/* Segments: of the common shape, and no SYNs. */
		assert_int_equal(pkt_read_segments(
						 KERNEL_AVX512, again, PKT_READ_LANES, SIDE_CLIENT),
				n & 3 ? 0 : 0xffff & ~(1u << odd));
	}
}

static int
setup(void **state)
{
	uint64_t random = 5;

	(void)state;
	templates_write(&random);
	for (unsigned i = 0; i < BURST; i++)
		blocks[i] = guarded_block_map(ROOM_BYTES);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BURST; i++)
		guarded_block_unmap(&blocks[i]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_ten_million_twins),
			cmocka_unit_test(test_special_addresses),
			cmocka_unit_test(test_alike),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
