/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen SYNs side by side, as far as their cookies: what is read of each struct pkt becomes one
 * register per field, a lane per packet; from these what is agreed on, the MACs' messages, and what
 * is drawn from the MACs. For syn_ack_burst_avx512.c, and for cookie_check_avx512.c, whose ACKs'
 * messages are the same; where a comment names a function, that is the twin.
 */
#ifndef SLUICE_NET_SYN_LANES_AVX512_H
#define SLUICE_NET_SYN_LANES_AVX512_H

#include <immintrin.h>

#include "net/cookie_bits.h"
#include "net/syn_ack_burst.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl")))
#define TARGET_INLINE __attribute__((target("avx512f,avx512bw,avx512vl"), always_inline)) inline

#define GROUP 16 /* 32-bit lanes */
#define WORD_BYTES 4
static_assert(SYN_ACK_BURST_MAX % GROUP == 0, "groups are whole");

/* Blocks of four words of struct pkt that are read at once. */
#define BLOCK_LENGTHS offsetof(struct pkt, len)
#define BLOCK_CLIENT offsetof(struct pkt, tuple.client)
#define BLOCK_ENDS offsetof(struct pkt, tuple.backend.words_be[3])
#define BLOCK_NUMBERS offsetof(struct pkt, seq)
#define BLOCK_OPTIONS offsetof(struct pkt, opt)
#define BLOCK_REST offsetof(struct pkt, l3_offset)
static_assert(offsetof(struct pkt, rest) == BLOCK_LENGTHS + 4 &&
				offsetof(struct pkt, tailroom) == BLOCK_LENGTHS + 8 &&
				offsetof(struct pkt, csum) == BLOCK_LENGTHS + 10 &&
				offsetof(struct pkt, kind) == BLOCK_LENGTHS + 11 &&
				offsetof(struct pkt, hash) == BLOCK_LENGTHS + 12,
		"lanes_read() and notes_make()");
static_assert(offsetof(struct pkt, flags) == BLOCK_NUMBERS + 10 &&
				offsetof(struct pkt, tos) == BLOCK_REST + 2,
		"lanes_read()");
static_assert(offsetof(struct tuple, client_port) == offsetof(struct tuple, backend) + 16 &&
				offsetof(struct tuple, backend_port) ==
						offsetof(struct tuple, client_port) + 2 &&
				offsetof(struct tuple, vlan) ==
						offsetof(struct tuple, client_port) + 4 &&
				offsetof(struct tuple, family) ==
						offsetof(struct tuple, client_port) + 8,
		"lanes_read()");
static_assert(offsetof(struct tcp_opt, mss) == 8 && offsetof(struct tcp_opt, wscale) == 10 &&
				offsetof(struct tcp_opt, sack_permitted) == 14 &&
				offsetof(struct tcp_opt, has_timestamp) == 15 &&
				sizeof(struct tcp_opt) == 16,
		"lanes_read()");
static_assert(offsetof(struct syn_terms, wscale) == 2 && offsetof(struct syn_terms, flags) == 3,
		"terms_test()");

/* Fields of a group; words as they lie in the struct where a name says so. */
struct lanes {
	__m512i len;
	__m512i room; /* tailroom, csum, kind */
	__m512i hash;
	__m512i l3; /* l3_offset, ttl, tos */
	__m512i seq;
	__m512i flags; /* window, flags */
	__m512i client;
	__m512i backend; /* IPv4 addresses, network order */
	__m512i ports;	 /* client's, backend's */
	__m512i vlan;
	__m512i family;
	__m512i tsval;
	__m512i mss;	/* mss, wscale, and what follows it */
	__m512i spoken; /* .., sack_permitted, has_timestamp */
	__m512i terms;
};

/* What becomes of the options, and what the cookie says of it. */
struct agreed {
	__mmask16 sack, timestamps, wscale, ecn;
	__m512i code, tsval_code;
};

struct cookies {
	__m512i iss, tsval;
};

static TARGET_INLINE __m512i
all(uint32_t word)
{
	return _mm512_set1_epi32((int)word);
}

/* Rows and columns of each 128-bit quarter exchanged; its own inverse. */
static TARGET_INLINE void
transpose(const __m512i in[4], __m512i out[4])
{
	const __m512i low01 = _mm512_unpacklo_epi32(in[0], in[1]);
	const __m512i high01 = _mm512_unpackhi_epi32(in[0], in[1]);
	const __m512i low23 = _mm512_unpacklo_epi32(in[2], in[3]);
	const __m512i high23 = _mm512_unpackhi_epi32(in[2], in[3]);

	out[0] = _mm512_unpacklo_epi64(low01, low23);
	out[1] = _mm512_unpackhi_epi64(low01, low23);
	out[2] = _mm512_unpacklo_epi64(high01, high23);
	out[3] = _mm512_unpackhi_epi64(high01, high23);
}

static TARGET_INLINE __m128i
load_block(const struct pkt *pkt, size_t at)
{
	return _mm_loadu_si128((const void *)((const uint8_t *)pkt + at));
}

/* The four words at that place of each packet. */
static TARGET_INLINE void
read_block(struct pkt *const *pkts, size_t at, __m512i words[4])
{
	__m512i rows[4];

	for (unsigned i = 0; i < 4; i++) {
		__m512i row = _mm512_broadcast_i32x4(load_block(pkts[i], at));

		row = _mm512_mask_broadcast_i32x4(row, 0x00f0, load_block(pkts[4 + i], at));
		row = _mm512_mask_broadcast_i32x4(row, 0x0f00, load_block(pkts[8 + i], at));
		rows[i] = _mm512_mask_broadcast_i32x4(row, 0xf000, load_block(pkts[12 + i], at));
	}
	transpose(rows, words);
}

/* Who speaks with whom. */
static TARGET_INLINE void
read_ends(struct lanes *lanes, struct pkt *const *pkts)
{
	__m512i words[4];

	read_block(pkts, BLOCK_CLIENT, words);
	lanes->client = words[3];
	read_block(pkts, BLOCK_ENDS, words);
	lanes->backend = words[0];
	lanes->ports = words[1];
	lanes->vlan = words[2];
	lanes->family = words[3];
}

static TARGET_INLINE void
lanes_read(struct lanes *lanes, struct pkt *const *pkts, const struct syn_terms *terms)
{
	__m512i words[4];

	read_block(pkts, BLOCK_LENGTHS, words);
	lanes->len = words[0];
	lanes->room = words[2];
	lanes->hash = words[3];
	read_block(pkts, BLOCK_NUMBERS, words);
	lanes->seq = words[0];
	lanes->flags = words[2];
	read_block(pkts, BLOCK_REST, words);
	lanes->l3 = words[0];
	read_ends(lanes, pkts);
	read_block(pkts, BLOCK_OPTIONS, words);
	lanes->tsval = words[0];
	lanes->mss = words[2];
	lanes->spoken = words[3];
	lanes->terms = _mm512_loadu_si512(terms);
}

static TARGET_INLINE __mmask16
terms_test(const struct lanes *lanes, uint32_t flag)
{
	return _mm512_test_epi32_mask(lanes->terms, all(flag << 24));
}

static TARGET_INLINE __m512i
low_half(__m512i words)
{
	return _mm512_and_si512(words, all(0xffff));
}

/* mss_index() */
static TARGET_INLINE __m512i
mss_indices(const struct lanes *lanes, bool is_ip4)
{
	const uint16_t *table = is_ip4 ? mss_ip4 : mss_ip6;
	__m512i mss = low_half(lanes->mss);
	__m512i index = _mm512_setzero_si512();

	mss = _mm512_mask_mov_epi32(mss, _mm512_testn_epi32_mask(mss, mss),
			all(is_ip4 ? MSS_DEFAULT_IP4 : MSS_DEFAULT_IP6));
	for (unsigned i = 1; i < MSS_COUNT; i++)
		index = _mm512_mask_add_epi32(
				index, _mm512_cmpge_epu32_mask(mss, all(table[i])), index, all(1));
	return index;
}

/* syn_ack_offer(), code_pack(), tsval_code_pack() */
static TARGET_INLINE void
agree(struct agreed *agreed, const struct lanes *lanes, bool is_ip4, uint32_t parity)
{
	const __m512i wscale = _mm512_and_si512(_mm512_srli_epi32(lanes->mss, 16), all(15));
	const __m512i ecn_flags = all((TCP_ECE | TCP_CWR) << 16);
	const __m512i indices = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)wscale_indices));
	__m512i code = all(parity << CODE_PARITY_SHIFT), tsval_code;
	__mmask16 ecn;

	agreed->sack = _mm512_test_epi32_mask(lanes->spoken, all(1 << 16)) &
		       terms_test(lanes, SYN_TERMS_SACK);
	agreed->timestamps = _mm512_test_epi32_mask(lanes->spoken, all(1 << 24)) &
			     terms_test(lanes, SYN_TERMS_TIMESTAMPS);
	agreed->wscale = _mm512_cmpneq_epi32_mask(wscale, all(15));
	ecn = _mm512_cmpeq_epi32_mask(_mm512_and_si512(lanes->flags, ecn_flags), ecn_flags) &
	      _mm512_testn_epi32_mask(lanes->l3, all(IP_ECN_MASK << 16)) &
	      terms_test(lanes, SYN_TERMS_ECN);
	agreed->ecn = ecn & (agreed->timestamps | terms_test(lanes, SYN_TERMS_ECN_KEPT));

	code = _mm512_or_si512(code, _mm512_slli_epi32(mss_indices(lanes, is_ip4), CODE_MSS_SHIFT));
	code = _mm512_or_si512(code, _mm512_slli_epi32(_mm512_permutexvar_epi32(wscale, indices),
						     CODE_WSCALE_SHIFT));
	agreed->code = _mm512_mask_or_epi32(code, agreed->sack, code, all(1 << CODE_SACK_SHIFT));
	tsval_code = _mm512_or_si512(_mm512_slli_epi32(wscale, TSVAL_WSCALE_SHIFT),
			_mm512_and_si512(lanes->seq, all(TSVAL_ISN_MASK)));
	tsval_code = _mm512_mask_or_epi32(tsval_code, ecn, tsval_code, all(1 << TSVAL_ECN_SHIFT));
	agreed->tsval_code = _mm512_maskz_mov_epi32(agreed->timestamps, tsval_code);
}
static_assert((TCP_WSCALE_NONE & 15) == TSVAL_WSCALE_NONE, "agree()");

/* Pairs of words as the 64-bit lanes of a message. */
static TARGET_INLINE void
message_put(uint64_t *word, __m512i low, __m512i high)
{
	const __m512i first =
			_mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	const __m512i second = _mm512_add_epi32(first, all(8));

	_mm512_store_si512(word, _mm512_permutex2var_epi32(low, first, high));
	_mm512_store_si512(word + GROUP / 2, _mm512_permutex2var_epi32(low, second, high));
}

/* IPv6 addresses of eight packets as message words; returns their sums, below 2^35. */
static TARGET_INLINE __m512i
message_put_ip6(struct siphash_lanes *message, unsigned lane, struct pkt *const *pkts)
{
	const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
	const __m512i second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
	const __m512i half = _mm512_set1_epi64(0xffffffff);
	__m512i rows[4], halves[4], out[4], sum = _mm512_setzero_si512();

	for (unsigned i = 0; i < 4; i++) {
		rows[i] = _mm512_broadcast_i64x4(
				_mm256_loadu_si256((const void *)&pkts[lane + i]->tuple.client));
		rows[i] = _mm512_mask_broadcast_i64x4(rows[i], 0xf0,
				_mm256_loadu_si256(
						(const void *)&pkts[lane + 4 + i]->tuple.client));
	}
	for (unsigned i = 0; i < 2; i++) {
		halves[2 * i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
		halves[2 * i + 1] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
	}
	for (unsigned i = 0; i < 2; i++) {
		out[i] = _mm512_permutex2var_epi64(halves[i], first, halves[2 + i]);
		out[2 + i] = _mm512_permutex2var_epi64(halves[i], second, halves[2 + i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		_mm512_store_si512(&message->words[i][lane], out[i]);
		sum = _mm512_add_epi64(sum, _mm512_and_si512(out[i], half));
		sum = _mm512_add_epi64(sum, _mm512_srli_epi64(out[i], 32));
	}
	return sum;
}

/* The low words of 64-bit lanes. */
static TARGET_INLINE __m512i
narrow(__m512i first, __m512i second)
{
	const __m512i even = _mm512_setr_epi32(
			0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

	return _mm512_permutex2var_epi32(first, even, second);
}

/* Adds both halves of words. */
static TARGET_INLINE __m512i
sum_add(__m512i sum, __m512i words)
{
	return _mm512_add_epi32(
			sum, _mm512_add_epi32(low_half(words), _mm512_srli_epi32(words, 16)));
}

/* message_build(): returns the sum of the addresses. */
static TARGET_INLINE __m512i
message_make(struct siphash_lanes *message, const struct lanes *lanes, const struct agreed *agreed,
		struct pkt *const *pkts, bool is_ip4)
{
	const unsigned n = is_ip4 ? 1 : 4;
	const uint32_t domain = COOKIE_VERSION << 4 | (is_ip4 ? FAMILY_IP4 : FAMILY_IP6);
	__m512i last, sum, tsval_code = _mm512_slli_epi32(agreed->tsval_code, 16);

	if (is_ip4) {
		message_put(message->words[0], lanes->client, lanes->backend);
		sum = sum_add(sum_add(_mm512_setzero_si512(), lanes->client), lanes->backend);
	} else {
		__m512i first = message_put_ip6(message, 0, pkts), second;

		second = message_put_ip6(message, GROUP / 2, pkts);
		sum = sum_add(sum_add(_mm512_setzero_si512(), narrow(first, second)),
				narrow(_mm512_srli_epi64(first, 32),
						_mm512_srli_epi64(second, 32)));
	}
	message_put(message->words[n], lanes->ports, lanes->seq);
	last = _mm512_or_si512(agreed->code, all(domain << 8 | (n * 8 + 8 + 6) << 24));
	last = _mm512_mask_add_epi32(last, agreed->timestamps, _mm512_or_si512(last, tsval_code),
			all(1 << 11 | 1 << 24));
	message_put(message->words[n + 1], lanes->vlan, last);
	return sum;
}

/* mac_for_iss(), mac_for_tsval() */
static TARGET_INLINE void
cookies_draw(struct cookies *cookies, const struct siphash_lanes *message,
		const struct agreed *agreed)
{
	const __m512i first = _mm512_load_si512(&message->macs[0]);
	const __m512i second = _mm512_load_si512(&message->macs[GROUP / 2]);
	const __m512i later = narrow(_mm512_srli_epi64(first, COOKIE_MAC_BITS),
			_mm512_srli_epi64(second, COOKIE_MAC_BITS));

	cookies->iss = _mm512_or_si512(
			_mm512_slli_epi32(narrow(first, second), ISS_CODE_BITS), agreed->code);
	cookies->tsval = _mm512_maskz_or_epi32(agreed->timestamps,
			_mm512_slli_epi32(later, TSVAL_CODE_BITS), agreed->tsval_code);
}

#endif
