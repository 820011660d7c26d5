/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Common segments, one after the other, in registers: the connection's line is compared with what
 * the segment says in one subtraction for all edges, and the TCP header is translated in one
 * addition for all its numbers.
 */
#include <immintrin.h>

#include "proxy/paws.h"
#include "proxy/splice_impl.h"
#include "proxy/worker_impl.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,bmi2,popcnt")))
#define TARGET_INLINE                                                                              \
	__attribute__((target("avx512f,avx512bw,avx512vl,bmi2,popcnt"), always_inline)) inline

static TARGET_INLINE __m256i
load_256(const void *at)
{
	return _mm256_loadu_si256((const __m256i *)at);
}

/* Lanes of the connection's state: both legs, when it was last heard, and its state and flags. */
#define LEG_LANES 3u
#define LANE_LAST_SEEN (SIDE_COUNT * LEG_LANES)
#define LANE_STATE (LANE_LAST_SEEN + 1)
#define CONN_STATE_AT offsetof(struct conn, leg)
static_assert(sizeof(struct leg) == LEG_LANES * 4 && offsetof(struct leg, snd_nxt) == 0 &&
				offsetof(struct leg, rcv_nxt) == 4 &&
				offsetof(struct leg, window_end) == 8 &&
				offsetof(struct conn, last_seen) ==
						CONN_STATE_AT + 4 * LANE_LAST_SEEN &&
				offsetof(struct conn, state) ==
						CONN_STATE_AT + 4 * LANE_STATE + 2 &&
				offsetof(struct conn, flags) == CONN_STATE_AT + 4 * LANE_STATE + 3,
		"how a connection lies in a register");
static_assert(offsetof(struct conn, flow) == 0 && offsetof(struct flow, client) == 0 &&
				offsetof(struct flow, backend) == 4 &&
				offsetof(struct flow, client_port) == 8 &&
				offsetof(struct flow, vlan_family) == 12,
		"and its tuple, in another");

/* Lanes of the second half of tuple and numbers: family; window, flags and header length. */
#define LANE_FAMILY 2
#define LANE_FLAGS 6
#define TUPLE_HALF 32u
static_assert(offsetof(struct tuple, client_port) == TUPLE_HALF &&
				offsetof(struct tuple, vlan) == TUPLE_HALF + 4 &&
				offsetof(struct tuple, family) == TUPLE_HALF + 4 * LANE_FAMILY &&
				offsetof(struct pkt, window) - offsetof(struct pkt, tuple) ==
						TUPLE_HALF + 4 * LANE_FLAGS &&
				offsetof(struct pkt, flags) - offsetof(struct pkt, window) == 2,
		"how a packet lies in two registers");

/* The tuple as a connection has it, out of both halves. */
static TARGET_INLINE __m128i
flow_words(__m256i first, __m256i second)
{
	const __m256i words = _mm256_setr_epi32(3, 7, 8, 9, 0, 0, 0, 0);

	return _mm256_castsi256_si128(_mm256_permutex2var_epi32(first, words, second));
}

/* That the record is the segment's, established, even, heard of in this span; that the segment is
 * an ACK that ends nothing. */
static TARGET_INLINE bool
is_plain(const struct conn *conn, __m256i state, const struct pkt *pkt, uint32_t step)
{
	const __m256i first = load_256(&pkt->tuple);
	const __m256i second = load_256((const uint8_t *)&pkt->tuple + TUPLE_HALF);
	const __m256i is_state =
			_mm256_setr_epi32(0, 0, 0, 0, 0, 0, (int)step, CONN_ESTABLISHED << 16);
	const __m256i state_mask =
			_mm256_setr_epi32(0, 0, 0, 0, 0, 0, (int)(UINT32_MAX << PAWS_SPAN_SHIFT),
					(int)(0xffu << 16 | (uint32_t)FLAGS_UNEVEN << 24));
	const __m256i is_segment = _mm256_setr_epi32(0, 0, FAMILY_IP4, 0, 0, 0, TCP_ACK << 16, 0);
	const __m256i segment_mask = _mm256_setr_epi32(
			0, 0, -1, 0, 0, 0, (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK) << 16, 0);
	const __mmask8 other_flow = _mm_cmpneq_epi32_mask(flow_words(first, second),
			_mm_loadu_si128((const __m128i *)(const void *)&conn->flow));
	const __mmask8 other_state =
			_mm256_test_epi32_mask(_mm256_xor_si256(state, is_state), state_mask);
	const __mmask8 other_segment =
			_mm256_test_epi32_mask(_mm256_xor_si256(second, is_segment), segment_mask);

	return (other_flow | other_state | other_segment) == 0;
}

/* Lanes of a header, in host order: numbers, and those of options behind two NOPs. */
#define LANE_SEQ 1
#define LANE_ACK 2
#define LANE_TSVAL 6
#define LANE_TSECR 7
#define LANE_SACK_EDGES 9

/* Options as they lie in pkt->opt, behind both timestamps: none, timestamps alone, and with SACK
 * blocks, whose number is left out. */
#define OPTIONS_NONE ((uint64_t)TCP_WSCALE_NONE << 16)
#define OPTIONS_STAMPED (OPTIONS_NONE | UINT64_C(2) << 40 | UINT64_C(1) << 56)
#define OPTIONS_SACK (OPTIONS_STAMPED | UINT64_C(14) << 32)
#define BLOCKS_SHIFT 24
#define BLOCKS_MASK (UINT64_C(0xff) << BLOCKS_SHIFT)
static_assert(offsetof(struct tcp_opt, mss) == 8 && offsetof(struct tcp_opt, wscale) == 10 &&
				offsetof(struct tcp_opt, sack_blocks) == 11 &&
				offsetof(struct tcp_opt, sack_offset) == 12 &&
				offsetof(struct tcp_opt, timestamp_offset) == 13 &&
				offsetof(struct tcp_opt, has_timestamp) == 15,
		"how options lie in a word");

/* What of a segment's options is translated. */
struct layout {
	unsigned edges; /* of SACK blocks */
	unsigned stamps;
};

/* False for options of other layouts. */
static TARGET_INLINE bool
layout_read(const struct pkt *pkt, struct layout *layout)
{
	uint64_t options;

	memcpy(&options, &pkt->opt.mss, sizeof(options));
	*layout = (struct layout){0, 1};
	if ((options & ~BLOCKS_MASK) == OPTIONS_SACK) {
		layout->edges = 2 * pkt->opt.sack_blocks;
		return true;
	}
	if (LIKELY(options == OPTIONS_STAMPED))
		return true;
	layout->stamps = 0;
	return options == OPTIONS_NONE;
}

/* Translates the header, with its checksum by difference, as rewrite_even() does. */
static TARGET_INLINE void
translate(const struct conn *conn, const struct pkt *pkt, enum side from, struct layout layout)
{
	const __m512i swap = _mm512_broadcast_i32x4(
			_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
	uint8_t *tcp = pkt->data + pkt->l4_offset;
	const __mmask16 present = (__mmask16)_bzhi_u32(UINT16_MAX, pkt->tcp_header_length / 4u);
	const __m512i old = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi32(present, tcp), swap);
	const uint16_t check = load_be16(tcp + TCP_CHECKSUM_AT); /* before they are stored */
	uint32_t add = conn->seq_delta, stamp_add = conn->ts_delta;
	uint32_t numbers = 1u << LANE_SEQ, stamps = layout.stamps << LANE_TSVAL;
	uint16_t window;
	uint64_t diff;
	__m512i new, added;

	if (from == SIDE_CLIENT) {
		add = -add;
		stamp_add = -stamp_add;
		numbers = 1u << LANE_ACK | _bzhi_u32(UINT32_MAX, layout.edges) << LANE_SACK_EDGES;
		stamps = layout.stamps << LANE_TSECR;
	}
	added = _mm512_maskz_set1_epi32((__mmask16)numbers, (int)add);
	added = _mm512_mask_set1_epi32(added, (__mmask16)stamps, (int)stamp_add);
	new = _mm512_add_epi32(old, added);
	_mm512_mask_storeu_epi32(tcp, present, _mm512_shuffle_epi8(new, swap));

	/* Each that wrapped is one less: see rewrite_add32(). */
	diff = (uint64_t)add * (from == SIDE_CLIENT ? 1 + layout.edges : 1) +
	       (layout.stamps ? stamp_add : 0) -
	       (unsigned)__builtin_popcount(_mm512_cmplt_epu32_mask(new, old));
	window = from == SIDE_CLIENT ? window_rescale(pkt->window, conn->scale_client,
						       conn->scale_to_backend)
				     : window_rescale(pkt->window, conn->scale_backend,
						       conn->scale_to_client);
	if (UNLIKELY(window != pkt->window)) {
		store_be16(tcp + TCP_WINDOW_AT, window);
		diff = csum_diff16(diff, pkt->window, window);
	}
	store_be16(tcp + TCP_CHECKSUM_AT, csum_apply(check, diff));
}

/*
 * is_common() and common_track(), for what is_plain(). Of a leg's edges each has one number of the
 * segment to be compared with:
 *
 *	sender	 snd_nxt - seq	     rcv_nxt - ack	  window_end
 *	receiver snd_nxt - ack	     rcv_nxt - seq	  window_end - end
 *
 * Both rcv_nxt may be more than the segment's by the reach, so that without it and one more the
 * difference is negative; the others may not be less. Where seq_between() goes further than a
 * difference that is not negative, so does splice_segment().
 */
static TARGET_INLINE bool
track(struct conn *conn, __m256i state, const struct pkt *pkt, enum side from, uint32_t step,
		struct layout layout)
{
	enum { SEQ, ACK, END, EDGE }; /* of numbers */
	const unsigned s = from == SIDE_CLIENT ? 0 : LEG_LANES, r = LEG_LANES - s;
	const int reach = -DUPLICATE_REACH - 1;
	const bool is_first = from == SIDE_CLIENT;
	const __m256i compared = is_first ? _mm256_setr_epi32(SEQ, ACK, EDGE, ACK, SEQ, END, 0, 0)
					  : _mm256_setr_epi32(ACK, SEQ, END, SEQ, ACK, EDGE, 0, 0);
	const __m256i taken = is_first ? _mm256_setr_epi32(END, ACK, EDGE, 0, 0, 0, 0, 0)
				       : _mm256_setr_epi32(0, 0, 0, END, ACK, EDGE, 0, 0);
	const __m256i slack =
			is_first ? _mm256_setr_epi32(0, reach, 0, 0, reach, PROBE_BYTES, 0, 0)
				 : _mm256_setr_epi32(0, reach, PROBE_BYTES, 0, reach, 0, 0, 0);
	const unsigned inside = 1u << (s + 1) | 1u << (r + 1);
	const unsigned asked = inside | 1u << s | 1u << r | 1u << (r + 2);
	const unsigned edges = 7u << s, news = 6u << s;
	const uint32_t seq = from == SIDE_CLIENT ? pkt->seq : pkt->seq + conn->seq_delta;
	const uint32_t payload = pkt_payload_length(pkt);
	const uint32_t edge = pkt->ack + ((uint32_t)pkt->window << window_scale(conn, from));
	const __m256i numbers = _mm256_castsi128_si256(
			_mm_setr_epi32((int)seq, (int)pkt->ack, (int)(seq + payload), (int)edge));
	__m256i differs = _mm256_sub_epi32(state, _mm256_permutevar8x32_epi32(numbers, compared));
	__m256i moved;
	unsigned moves;

	differs = _mm256_add_epi32(differs, slack);
	if (((unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(differs)) & asked) != inside)
		return false;
	moved = _mm256_mask_permutexvar_epi32(
			_mm256_set1_epi32((int)step), (__mmask8)edges, taken, numbers);
	differs = _mm256_sub_epi32(state, moved);
	moves = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(differs)) &
		(edges | 1u << LANE_LAST_SEEN);
	if (((moves & news) | payload | layout.edges) == 0)
		return false;
	/* As a whole, so that the next segment's load finds it under way. */
	if (moves != 0)
		_mm256_storeu_si256((__m256i *)(void *)conn->leg,
				_mm256_mask_mov_epi32(state, (__mmask8)moves, moved));
	return true;
}

static TARGET_INLINE unsigned
run(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	struct conn *conns = flow_table_record(&w->flows, 0);
	const uint32_t step = timer_step(w->now);
	unsigned i;

	for (i = 0; i < count; i++) {
		struct pkt *pkt = tasks[i].pkt;
		struct conn *conn = &conns[pkt->conn];
		const __m256i state = load_256(conn->leg);
		struct layout layout;

		if (UNLIKELY(!is_plain(conn, state, pkt, step)) ||
				UNLIKELY(!layout_read(pkt, &layout)) ||
				UNLIKELY(!track(conn, state, pkt, from, step, layout)))
			break;
		worker_load_ahead(w);
		translate(conn, pkt, from, layout);
		pkt->reason = REASON_spliced;
	}
	return i;
}

TARGET unsigned
splice_common_avx512(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	return from == SIDE_CLIENT ? run(w, tasks, count, SIDE_CLIENT)
				   : run(w, tasks, count, SIDE_BACKEND);
}
