/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that leave otherwise than they came. Each segment of a merged frame is checked by DPDK's
 * own checksum verification and by putting the stream together again; the mbufs come from a real
 * pool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "base/base.h"
#include "depart.h"
#include "naive_sum.h"

#define MBUFS 1024
#define MTU 1500
#define PAYLOAD_MAX 60000
#define HEADERS_MAX 200
#define SEQ 0xfffff000u /* wraps within the frame */
#define IP4_ID 0xfffe	/* so does this */

static struct rte_mempool *pool;
static uint8_t payload[PAYLOAD_MAX];

/* Header stacks: IPv4, IPv6, IPv4 with a tag, IPv6 with two tags, IPv6 with an extension header. */
static const struct stack {
	bool is_ip6, has_extension;
	unsigned tags;
} stacks[] = {{0}, {.is_ip6 = true}, {.tags = 1}, {.is_ip6 = true, .tags = 2},
		{.is_ip6 = true, .has_extension = true}};

static const struct depart plain_port = {.mtu = MTU, .frame_max = MTU + 14 + 2 * 4};
static const struct depart clever_port = {.mtu = MTU,
		.frame_max = MTU + 14 + 2 * 4,
		.cuts_segments = true,
		.sums_tcp = true,
		.sums_ip4 = true};

struct layout {
	unsigned l3, l4, headers;
};

/* Headers of a segment of n bytes with timestamps, TCP checksum 0xdead, IPv4's right. */
static struct layout
headers_write(uint8_t *at, const struct stack *stack, unsigned n, uint8_t flags)
{
	struct layout layout = {.l3 = 14 + 4 * stack->tags};
	uint8_t *l3 = at + layout.l3;
	unsigned ip_bytes = stack->is_ip6 ? 40 + 8 * stack->has_extension : 20;
	struct rte_tcp_hdr tcp = {.src_port = RTE_BE16(40000),
			.dst_port = RTE_BE16(80),
			.sent_seq = RTE_BE32(SEQ),
			.data_off = 8 << 4,
			.tcp_flags = flags,
			.cksum = RTE_BE16(0xdead)};

	memset(at, 0, HEADERS_MAX);
	at[6] = 2;
	for (unsigned i = 0; i < stack->tags; i++)
		memcpy(at + 12 + 4 * i, "\x81\x00\x00\x0a", 4);
	memcpy(at + layout.l3 - 2, stack->is_ip6 ? "\x86\xdd" : "\x08\x00", 2);
	if (stack->is_ip6) {
		struct rte_ipv6_hdr ip = {.vtc_flow = RTE_BE32(6u << 28),
				.payload_len = rte_cpu_to_be_16((uint16_t)(ip_bytes - 40 + 32 + n)),
				.proto = stack->has_extension ? 60 : 6,
				.hop_limits = 64,
				.src_addr = {0x20, [15] = 1},
				.dst_addr = {0x20, [15] = 2}};

		memcpy(l3, &ip, sizeof(ip));
		l3[40] = 6; /* of the extension header, or overwritten */
	} else {
		struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
				.total_length = rte_cpu_to_be_16((uint16_t)(20 + 32 + n)),
				.packet_id = RTE_BE16(IP4_ID),
				.fragment_offset = RTE_BE16(0x4000),
				.time_to_live = 64,
				.next_proto_id = 6,
				.src_addr = RTE_BE32(0x0a000001),
				.dst_addr = RTE_BE32(0x0a000002)};

		ip.hdr_checksum = rte_ipv4_cksum(&ip);
		memcpy(l3, &ip, sizeof(ip));
	}
	layout.l4 = layout.l3 + ip_bytes;
	layout.headers = layout.l4 + 32;
	memcpy(at + layout.l4, &tcp, sizeof(tcp));
	memcpy(at + layout.l4 + 20, "\1\1\x8\xa", 4);
	return layout;
}

/* A received frame of n bytes of payload, in buffers of lengths drawn by rand(). */
static struct rte_mbuf *
frame_make(const struct stack *stack, unsigned n, uint8_t flags, struct layout *layout)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *tail = head;
	unsigned done = 0;

	assert_non_null(head);
	*layout = headers_write(rte_pktmbuf_mtod(head, uint8_t *), stack, n, flags);
	head->data_len = (uint16_t)layout->headers;
	while (done < n) {
		const unsigned room = rte_pktmbuf_tailroom(tail);
		const unsigned part = RTE_MIN(n - done, room - (unsigned)rand() % (room / 2));

		memcpy(rte_pktmbuf_mtod(tail, uint8_t *) + tail->data_len, payload + done, part);
		tail->data_len = (uint16_t)(tail->data_len + part);
		done += part;
		if (done < n) {
			tail->next = rte_pktmbuf_alloc(pool);
			tail = tail->next;
			assert_non_null(tail);
			head->nb_segs++;
		}
	}
	head->pkt_len = layout->headers + n;
	head->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	return head;
}

static bool
sums_are_right(const struct rte_mbuf *m, const struct stack *stack, const struct layout *layout)
{
	static uint8_t flat[HEADERS_MAX + PAYLOAD_MAX];
	const uint8_t *frame = rte_pktmbuf_read(m, 0, m->pkt_len, flat);
	const uint8_t *l3 = frame + layout->l3;
	const unsigned l4_length = m->pkt_len - layout->l4;
	const uint16_t pseudo = stack->is_ip6 ? naive_sum(6 + l4_length, l3 + 8, 32)
					      : naive_sum(6 + l4_length, l3 + 12, 8);

	return (stack->is_ip6 || naive_sum(0, l3, 20) == 0xffff) &&
	       naive_sum(pseudo, frame + layout->l4, l4_length) == 0xffff;
}

/* One segment of those that a frame of n bytes became; done bytes came before it. */
static unsigned
segment_check(const struct rte_mbuf *m, const struct stack *stack, const struct layout *layout,
		unsigned n, unsigned done, unsigned size)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, const void *, layout->l4);
	const unsigned part = m->pkt_len - layout->headers;
	const bool is_first = done == 0, is_last = done + part == n;

	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->ol_flags, 0);
	assert_in_range(m->pkt_len - layout->l3, 1, MTU);
	assert_int_equal(part, RTE_MIN(size, n - done));
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, const void *, layout->headers),
			payload + done, part);
	assert_int_equal(rte_be_to_cpu_32(tcp->sent_seq), SEQ + done);
	assert_int_equal(!!(tcp->tcp_flags & TCP_FIN), is_last);
	assert_int_equal(!!(tcp->tcp_flags & TCP_PSH), is_last);
	assert_int_equal(!!(tcp->tcp_flags & TCP_CWR), is_first);
	assert_true(tcp->tcp_flags & TCP_ACK);
	if (!stack->is_ip6) {
		const struct rte_ipv4_hdr *ip =
				rte_pktmbuf_mtod_offset(m, const void *, layout->l3);

		assert_int_equal(rte_be_to_cpu_16(ip->packet_id), (uint16_t)(IP4_ID + done / size));
	}
	assert_true(sums_are_right(m, stack, layout));
	return part;
}

/* 1. Sizes of frames and segments, also larger than the MTU carries and the smallest that the
 * kernel uses; the last payload byte may be alone in its segment, and buffers end at odd places. */
static void
test_pitfall_21_cut(void **state)
{
	static const unsigned lengths[] = {1449, 2896, 2897, 9001, PAYLOAD_MAX};
	static const unsigned sizes[] = {536, 1000, 1448, 9000};

	(void)state;
	srand(1);
	for (unsigned i = 0; i < ARRAY_COUNT(stacks) * ARRAY_COUNT(lengths) * ARRAY_COUNT(sizes);
			i++) {
		const struct stack *stack = &stacks[i % ARRAY_COUNT(stacks)];
		const unsigned n = lengths[i / ARRAY_COUNT(stacks) % ARRAY_COUNT(lengths)];
		const unsigned asked = sizes[i / ARRAY_COUNT(stacks) / ARRAY_COUNT(lengths)];
		struct layout layout;
		struct rte_mbuf *m = frame_make(
				stack, n, TCP_ACK | TCP_FIN | TCP_PSH | TCP_CWR, &layout);
		const unsigned size = RTE_MIN(asked, MTU - (layout.headers - layout.l3));
		struct segment_cut cut;
		unsigned done = 0;

		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = (uint16_t)asked;
		assert_false(depart_is_plain(m, layout.l3, &plain_port));
		assert_int_equal(depart_prepare(m, &plain_port, &cut), DEPART_IN_SEGMENTS);
		while (segment_is_left(&cut)) {
			struct rte_mbuf *segment = segment_next(&cut, pool);

			assert_non_null(segment);
			done += segment_check(segment, stack, &layout, n, done, size);
			rte_pktmbuf_free(segment);
		}
		assert_int_equal(done, n);
		rte_pktmbuf_free(m);
	}
}

/* 2. A port that can is told to cut, with all that it needs to know. */
static void
test_pitfall_21_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct layout layout;
		struct rte_mbuf *m = frame_make(&stacks[i], 30000, TCP_ACK, &layout);
		const uint64_t family =
				stacks[i].is_ip6 ? RTE_MBUF_F_TX_IPV6
						 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		struct segment_cut cut;

		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = 1000;
		assert_int_equal(depart_prepare(m, &clever_port, &cut), DEPART_WHOLE);
		assert_int_equal(m->ol_flags,
				family | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM);
		assert_int_equal(m->l2_len, layout.l3);
		assert_int_equal(m->l3_len, layout.l4 - layout.l3);
		assert_int_equal(m->l4_len, 32);
		assert_int_equal(m->tso_segsz, 1000);
		rte_pktmbuf_free(m);
	}
}

/* 3. PITFALLS 20: an open checksum of a frame that fits is filled in here, over any buffers, or
 * prepared for the port. */
static void
test_pitfall_20_filled_in(void **state)
{
	static const struct depart jumbo = {.mtu = 9000, .frame_max = 9022};

	(void)state;
	srand(3);
	for (unsigned i = 0; i < ARRAY_COUNT(stacks); i++) {
		for (unsigned n = 0; n < 8000; n += n < 20 ? 1 : 997) {
			struct layout layout;
			struct rte_mbuf *m = frame_make(&stacks[i], n, TCP_ACK, &layout);
			struct segment_cut cut;

			assert_false(depart_is_plain(m, layout.l3, &jumbo));
			assert_int_equal(depart_prepare(m, &jumbo, &cut), DEPART_WHOLE);
			assert_int_equal(m->ol_flags, 0);
			assert_true(sums_are_right(m, &stacks[i], &layout));
			assert_true(depart_is_plain(m, layout.l3, &jumbo));
			rte_pktmbuf_free(m);
		}
	}
}

/* 4. What was not handed over merged is not cut: 1 no mark, 2 no size, 3 a SYN, 4 not TCP; and a
 * tag makes no room for more than the MTU. */
static void
test_pitfall_21_not_cut(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		struct layout layout;
		struct rte_mbuf *m = frame_make(
				&stacks[0], 3000, i == 3 ? TCP_SYN | TCP_ACK : TCP_ACK, &layout);
		struct segment_cut cut;

		m->ol_flags |= i == 1 ? 0 : RTE_MBUF_F_RX_LRO;
		m->tso_segsz = i == 2 ? 0 : 1000;
		if (i == 4)
			rte_pktmbuf_mtod(m, uint8_t *)[layout.l3 + 9] = 17;
		assert_int_equal(depart_prepare(m, &clever_port, &cut), DEPART_NOT);
		rte_pktmbuf_free(m);
	}
	assert_true(depart_fits(MTU + 14, 14, &plain_port));
	assert_false(depart_fits(MTU + 15, 14, &plain_port));
	assert_true(depart_fits(MTU + 22, 22, &plain_port));
	assert_false(depart_fits(MTU + 23, 22, &plain_port));
}

static int
pool_up(void **state)
{
	char *arguments[] = {"test_depart", "--no-huge", "--no-shconf", "--no-pci",
			"--no-telemetry", "--log-level=error", "-m", "64", "-l", "0"};

	(void)state;
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)rand();
	if (rte_eal_init(ARRAY_COUNT(arguments), arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return pool != NULL ? 0 : -1;
}

static int
pool_down(void **state)
{
	(void)state;
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_21_cut),
			cmocka_unit_test(test_pitfall_21_told),
			cmocka_unit_test(test_pitfall_20_filled_in),
			cmocka_unit_test(test_pitfall_21_not_cut),
	};

	return cmocka_run_group_tests(tests, pool_up, pool_down);
}
