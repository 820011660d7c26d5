/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What syn_lanes_avx512.h read of sixteen SYNs becomes their answers: words and checksums a lane
 * per packet, then one register per packet, which holds a whole IPv4 SYN-ACK, stored at once.
 *
 * Nothing here reads a frame but its MAC addresses: all the rest comes from what the parser found.
 */
#include "net/rewrite.h"
#include "net/syn_lanes_avx512.h"

#define IP4_WORDS (IP4_BYTES_MIN / WORD_BYTES)
#define TCP_WORDS (TCP_BYTES_MIN / WORD_BYTES)
#define OPTION_WORDS 5

/* The answer's words of each packet, network order: an IPv4 header and TCP's; of IPv6 TCP's, and
 * the two first of its header at the end. */
struct answer {
	__m512i words[GROUP];
	__m512i length; /* words of TCP */
};
#define IP6_WORDS_AT (GROUP - 2)

static TARGET_INLINE __m512i
swap_bytes(__m512i words)
{
	const __m512i order = _mm512_broadcast_i32x4(
			_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));

	return _mm512_shuffle_epi8(words, order);
}

/* The checksum of a sum, in the low half. */
static TARGET_INLINE __m512i
sum_finish(__m512i sum)
{
	sum = sum_add(_mm512_setzero_si512(), sum);
	sum = sum_add(_mm512_setzero_si512(), sum);
	return _mm512_andnot_si512(sum, all(0xffff));
}

/* tcp_opt_put_syn(): the words in order, those that are left out at the end and 0. */
static TARGET_INLINE void
options_make(struct answer *answer, unsigned at, const struct lanes *lanes,
		const struct agreed *agreed, const struct cookies *cookies)
{
	const __mmask16 timestamps = agreed->timestamps, wscale = agreed->wscale;
	const __mmask16 sack = agreed->sack & (__mmask16)~timestamps;
	const __m512i scales = _mm512_and_si512(_mm512_srli_epi32(lanes->terms, 16), all(0xff));
	const __m512i scale = _mm512_or_si512(all(OPT_WORD_NOP_WSCALE), scales);
	__m512i words[OPTION_WORDS], length = all(TCP_WORDS + 1);

	words[0] = _mm512_or_si512(all(OPT_WORD_MSS), low_half(lanes->terms));
	words[1] = _mm512_maskz_mov_epi32(wscale, scale);
	words[1] = _mm512_mask_mov_epi32(words[1], sack, all(OPT_WORD_NOPS_SACK));
	words[1] = _mm512_mask_mov_epi32(words[1], timestamps, all(OPT_WORD_NOPS_TIMESTAMP));
	words[1] = _mm512_mask_mov_epi32(
			words[1], timestamps & agreed->sack, all(OPT_WORD_SACK_TIMESTAMP));
	words[2] = _mm512_maskz_mov_epi32(sack & wscale, scale);
	words[2] = _mm512_mask_mov_epi32(words[2], timestamps, cookies->tsval);
	words[3] = _mm512_maskz_mov_epi32(timestamps, lanes->tsval);
	words[4] = _mm512_maskz_mov_epi32(timestamps & wscale, scale);
	for (unsigned i = 0; i < OPTION_WORDS; i++)
		answer->words[at + i] = swap_bytes(words[i]);
	length = _mm512_mask_add_epi32(length, timestamps, length, all(3));
	length = _mm512_mask_add_epi32(length, sack, length, all(1));
	answer->length = _mm512_mask_add_epi32(length, wscale, length, all(1));
}

/* early_window() */
static TARGET_INLINE __m512i
windows(const struct lanes *lanes)
{
	__m512i mss = low_half(lanes->mss);

	mss = _mm512_mask_mov_epi32(mss, _mm512_testn_epi32_mask(mss, mss), all(EARLY_MSS_DEFAULT));
	mss = _mm512_min_epu32(mss, low_half(lanes->terms));
	return _mm512_maskz_min_epu32(terms_test(lanes, SYN_TERMS_DATA), _mm512_add_epi32(mss, mss),
			all(EARLY_WINDOW_MAX));
}

/* syn_ack_put_tcp(); addresses: their sum. */
static TARGET_INLINE void
tcp_make(struct answer *answer, unsigned at, const struct lanes *lanes, const struct agreed *agreed,
		const struct cookies *cookies, __m512i addresses)
{
	__m512i head = _mm512_or_si512(windows(lanes), all((TCP_SYN | TCP_ACK) << 16));
	__m512i sum = _mm512_add_epi32(addresses, all(PROTOCOL_TCP << 8));

	options_make(answer, at + TCP_WORDS, lanes, agreed, cookies);
	head = _mm512_mask_or_epi32(head, agreed->ecn, head, all(TCP_ECE << 16));
	head = _mm512_or_si512(head, _mm512_slli_epi32(answer->length, 28));
	answer->words[at] = swap_bytes(lanes->ports);
	answer->words[at + 1] = swap_bytes(cookies->iss);
	answer->words[at + 2] = swap_bytes(_mm512_add_epi32(lanes->seq, all(1)));
	answer->words[at + 3] = swap_bytes(head);
	/* The pseudo-header's length in bytes, as it lies in memory. */
	sum = _mm512_add_epi32(sum, _mm512_slli_epi32(answer->length, 2 + 8));
	for (unsigned i = 0; i < TCP_WORDS + OPTION_WORDS; i++)
		if (i != TCP_WORDS - 1)
			sum = sum_add(sum, answer->words[at + i]);
	answer->words[at + TCP_WORDS - 1] = sum_finish(sum);
}

/* syn_ack_put_ip4(), before tcp_make() but for the length. */
static TARGET_INLINE void
ip4_make(struct answer *answer, const struct lanes *lanes, __m512i addresses)
{
	const uint32_t protocol_be = htobe32((uint32_t)PKT_TTL_DEFAULT << 24 | PROTOCOL_TCP << 16);
	__m512i sum = sum_add(addresses, all(protocol_be));

	answer->words[0] = swap_bytes(_mm512_add_epi32(
			all(0x45000000u | IP4_BYTES_MIN), _mm512_slli_epi32(answer->length, 2)));
	answer->words[1] = all(htobe32(SYN_ACK_IP4_FRAGMENT));
	sum = sum_add(sum_add(sum, answer->words[0]), answer->words[1]);
	answer->words[2] =
			_mm512_or_si512(all(protocol_be), _mm512_slli_epi32(sum_finish(sum), 16));
	answer->words[3] = lanes->backend;
	answer->words[4] = lanes->client;
	answer->words[GROUP - 1] = _mm512_setzero_si512();
}

/* The first words of syn_ack_put_ip6(); the addresses are put in as the packet is stored. */
static TARGET_INLINE void
ip6_make(struct answer *answer)
{
	for (unsigned i = TCP_WORDS + OPTION_WORDS; i < IP6_WORDS_AT; i++)
		answer->words[i] = _mm512_setzero_si512();
	answer->words[IP6_WORDS_AT] = all(htobe32(6u << 28));
	answer->words[IP6_WORDS_AT + 1] =
			swap_bytes(_mm512_or_si512(_mm512_slli_epi32(answer->length, 2 + 16),
					all(PROTOCOL_TCP << 8 | PKT_TTL_DEFAULT)));
}

/* What the scalar twin leaves in each struct pkt. */
struct notes {
	uint8_t blocks[4][GROUP / 4][4 * WORD_BYTES]; /* BLOCK_LENGTHS of packet 4j + i at [i][j] */
	uint32_t bytes[GROUP];			      /* of TCP */
} __attribute__((aligned(CACHE_LINE_SIZE)));

/* Returns which of the packets are answered at all. */
static TARGET_INLINE __mmask16
notes_make(struct notes *notes, const struct lanes *lanes, const struct answer *answer, bool is_ip4)
{
	const uint32_t header = is_ip4 ? IP4_BYTES_MIN : IP6_BYTES;
	const __m512i bytes = _mm512_slli_epi32(answer->length, 2);
	const __m512i l3 = _mm512_and_si512(lanes->l3, all(0xff));
	const __m512i l4 = _mm512_add_epi32(l3, all(header));
	const __m512i total = _mm512_add_epi32(l4, bytes);
	const __m512i room = _mm512_add_epi32(lanes->len, low_half(lanes->room));
	const __m512i left = _mm512_min_epu32(_mm512_sub_epi32(room, total), all(UINT16_MAX));
	const __m512i kind = _mm512_and_si512(lanes->room, all(0xff000000));
	__m512i words[4], rows[4];

	words[0] = total;
	words[1] = _mm512_setzero_si512();
	words[2] = _mm512_or_si512(_mm512_or_si512(left, kind), all(PKT_CSUM_GOOD << 16));
	words[3] = lanes->hash;
	transpose(words, rows);
	for (unsigned i = 0; i < 4; i++)
		_mm512_store_si512(notes->blocks[i], rows[i]);
	_mm512_store_si512(notes->bytes, bytes);
	return (_mm512_cmple_epu32_mask(total, lanes->len) |
			       _mm512_cmple_epu32_mask(total, all(SYN_ACK_FRAME_MIN))) &
	       _mm512_cmple_epu32_mask(total, room) &
	       _mm512_test_epi32_mask(lanes->terms, all(0xffff));
}

static TARGET_INLINE void
turn_round(uint8_t *frame)
{
	const __m128i order = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
	__m128i macs = _mm_loadu_si128((const void *)frame);

	_mm_storeu_si128((void *)frame, _mm_shuffle_epi8(macs, order));
}

/* row: the answer's words. */
static TARGET_INLINE void
packet_store(struct pkt *pkt, const struct notes *notes, unsigned i, __m512i row, bool is_ip4)
{
	const uint32_t bytes = notes->bytes[i], words = bytes / WORD_BYTES;
	const uint32_t l3_offset = pkt->l3_offset;
	uint8_t *frame = pkt->data, *ip = frame + l3_offset;

	turn_round(frame);
	if (is_ip4) {
		_mm512_mask_storeu_epi32(ip, (__mmask16)((1u << (IP4_WORDS + words)) - 1), row);
	} else {
		const __m512i order = _mm512_setr_epi32(IP6_WORDS_AT, IP6_WORDS_AT + 1, 20, 21, 22,
				23, 16, 17, 18, 19, 0, 0, 0, 0, 0, 0);
		const __m512i addresses = _mm512_castsi256_si512(
				_mm256_loadu_si256((const void *)&pkt->tuple.client));

		_mm512_mask_storeu_epi32(
				ip, 0x3ff, _mm512_permutex2var_epi32(row, order, addresses));
		_mm512_mask_storeu_epi32(ip + IP6_BYTES, (__mmask16)((1u << words) - 1), row);
	}
	memcpy(&pkt->len, notes->blocks[i % 4][i / 4], sizeof(notes->blocks[0][0]));
	pkt->l4_offset = (uint16_t)(l3_offset + (is_ip4 ? IP4_BYTES_MIN : IP6_BYTES));
	pkt->l4_length = bytes;
	pkt->tcp_header_length = (uint8_t)bytes;
}

/* Turns words per field into words per packet. */
static TARGET_INLINE void
packets_store(struct pkt *const *pkts, const struct notes *notes, const struct answer *answer,
		__mmask16 which, bool is_ip4)
{
	__m512i blocks[4][4];

	for (unsigned i = 0; i < 4; i++)
		transpose(&answer->words[4 * i], blocks[i]);
	for (unsigned j = 0; j < 4; j++) {
		const __m512i a = _mm512_shuffle_i32x4(blocks[0][j], blocks[1][j], 0x44);
		const __m512i b = _mm512_shuffle_i32x4(blocks[0][j], blocks[1][j], 0xee);
		const __m512i c = _mm512_shuffle_i32x4(blocks[2][j], blocks[3][j], 0x44);
		const __m512i d = _mm512_shuffle_i32x4(blocks[2][j], blocks[3][j], 0xee);
		const __m512i rows[4] = {
				_mm512_shuffle_i32x4(a, c, 0x88),
				_mm512_shuffle_i32x4(a, c, 0xdd),
				_mm512_shuffle_i32x4(b, d, 0x88),
				_mm512_shuffle_i32x4(b, d, 0xdd),
		};

		for (unsigned i = 0; i < 4; i++)
			if (which >> (4 * i + j) & 1)
				packet_store(pkts[4 * i + j], notes, 4 * i + j, rows[i], is_ip4);
	}
}

/* Those of a group in which, all of one family. Returns which are answered. */
static TARGET_INLINE __mmask16
answer_family(const struct jar *jar, const struct lanes *lanes, struct pkt *const *pkts,
		struct siphash_lanes *message, uint32_t *iss, uint32_t *tsval, __mmask16 which,
		bool is_ip4)
{
	struct agreed agreed;
	struct cookies cookies;
	struct answer answer;
	struct notes notes;
	__m512i addresses;

	agree(&agreed, lanes, is_ip4, jar->epoch & 1);
	addresses = message_make(message, lanes, &agreed, pkts, is_ip4);
	siphash_lanes_avx512(message, is_ip4 ? MESSAGE_WORDS_IP4 : MESSAGE_WORDS_IP6,
			which > 0xff ? GROUP : GROUP / 2);
	cookies_draw(&cookies, message, &agreed);
	_mm512_mask_storeu_epi32(iss, which, cookies.iss);
	_mm512_mask_storeu_epi32(tsval, which, cookies.tsval);
	tcp_make(&answer, is_ip4 ? IP4_WORDS : 0, lanes, &agreed, &cookies, addresses);
	if (is_ip4)
		ip4_make(&answer, lanes, addresses);
	else
		ip6_make(&answer);
	which &= notes_make(&notes, lanes, &answer, is_ip4);
	packets_store(pkts, &notes, &answer, which, is_ip4);
	return which;
}

/* The first count packets of a group, whose lanes are all somebody's. */
static TARGET uint32_t
answer_group(const struct jar *jar, struct syn_ack_burst *burst, unsigned first, unsigned count,
		struct siphash_lanes *message)
{
	struct pkt *pkts[GROUP];
	struct lanes lanes;
	__mmask16 which = (__mmask16)((1u << count) - 1), ip4;
	uint32_t *iss = &burst->iss[first], *tsval = &burst->tsval[first];
	uint32_t answered = 0;

	for (unsigned i = 0; i < GROUP; i++)
		pkts[i] = burst->pkts[first + (i < count ? i : 0)];
	lanes_read(&lanes, pkts, &burst->terms[first]);
	ip4 = which & _mm512_cmpeq_epi32_mask(lanes.family, all(FAMILY_IP4));
	if (ip4 != 0)
		answered = answer_family(jar, &lanes, pkts, message, iss, tsval, ip4, true);
	if (ip4 != which)
		answered |= answer_family(jar, &lanes, pkts, message, iss, tsval,
				which & (__mmask16)~ip4, false);
	return answered;
}

TARGET uint32_t
syn_ack_burst_avx512(const struct jar *jar, struct syn_ack_burst *burst)
{
	const struct siphash_key *key = &jar->key[jar->epoch & 1];
	struct siphash_lanes message;
	uint32_t answered = 0;

	for (unsigned lane = 0; lane < GROUP; lane++)
		siphash_lanes_key(&message, lane, key);
	for (unsigned i = 0; i < burst->count; i += GROUP) {
		unsigned count = burst->count - i < GROUP ? burst->count - i : GROUP;

		answered |= answer_group(jar, burst, i, count, &message) << i;
	}
	return answered;
}
