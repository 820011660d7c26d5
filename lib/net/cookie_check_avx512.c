/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen ACKs side by side: their fields a register each, a lane per packet, as
 * syn_lanes_avx512.h has those of SYNs, whose messages these MACs cover too. The twin is
 * cookie_check().
 */
#include "net/syn_lanes_avx512.h"

/* What an ACK shows of its cookie. */
struct shown {
	__m512i iss, tsval;
	__mmask16 timestamps;
};

static TARGET_INLINE void
acks_read(struct lanes *lanes, struct shown *shown, struct pkt *const *pkts)
{
	__m512i words[4];

	read_block(pkts, BLOCK_NUMBERS, words);
	lanes->seq = words[0];
	shown->iss = _mm512_sub_epi32(words[1], all(1));
	read_block(pkts, BLOCK_OPTIONS, words);
	shown->tsval = words[1];
	shown->timestamps = _mm512_test_epi32_mask(words[3], all(1 << 24));
	read_ends(lanes, pkts);
}
static_assert(offsetof(struct pkt, ack) == BLOCK_NUMBERS + 4 &&
				offsetof(struct tcp_opt, tsecr) == 4,
		"acks_read()");

/* find_isn(): puts it in the place of seq; returns where there is none. */
static TARGET_INLINE __mmask16
isns_find(struct lanes *lanes, const struct shown *shown)
{
	const __m512i below = _mm512_sub_epi32(lanes->seq, all(1)), low = all(TSVAL_ISN_MASK);
	const __mmask16 not_below = _mm512_mask_test_epi32_mask(
			shown->timestamps, _mm512_xor_si512(below, shown->tsval), low);
	const __mmask16 neither = _mm512_mask_test_epi32_mask(
			not_below, _mm512_xor_si512(lanes->seq, shown->tsval), low);

	lanes->seq = _mm512_mask_mov_epi32(below, not_below, lanes->seq);
	return neither;
}

/* code_key() for each lane; odd: those whose code has that parity. */
static TARGET_INLINE void
keys_put(struct siphash_lanes *message, const struct jar *jar, __mmask16 odd)
{
	const struct siphash_key *keys = jar->key;

	for (unsigned lane = 0; lane < GROUP; lane += GROUP / 2) {
		const __mmask8 here = (__mmask8)(odd >> lane);

		_mm512_store_si512(&message->k0[lane],
				_mm512_mask_set1_epi64(_mm512_set1_epi64((int64_t)keys[0].k0), here,
						(int64_t)keys[1].k0));
		_mm512_store_si512(&message->k1[lane],
				_mm512_mask_set1_epi64(_mm512_set1_epi64((int64_t)keys[0].k1), here,
						(int64_t)keys[1].k1));
	}
}

/* ack_mac(), under ack_mac_mask(). */
static TARGET_INLINE __mmask16
macs_match(const struct jar *jar, const struct siphash_lanes *message, const struct shown *shown)
{
	const __m512i first = _mm512_load_si512(&message->macs[0]);
	const __m512i second = _mm512_load_si512(&message->macs[GROUP / 2]);
	const __m512i later = narrow(_mm512_srli_epi64(first, COOKIE_MAC_BITS),
			_mm512_srli_epi64(second, COOKIE_MAC_BITS));
	__m512i differs = _mm512_xor_si512(
			narrow(first, second), _mm512_srli_epi32(shown->iss, ISS_CODE_BITS));
	__m512i differs_later =
			_mm512_xor_si512(later, _mm512_srli_epi32(shown->tsval, TSVAL_CODE_BITS));

	differs = _mm512_and_si512(differs, all(jar->mac_mask));
	differs_later = _mm512_maskz_and_epi32(
			shown->timestamps, differs_later, all(jar->mac_mask_timestamp));
	return _mm512_testn_epi32_mask(_mm512_or_si512(differs, differs_later), all(~0u));
}

/* Those of a group in which, all of one family. Returns which are valid. */
static TARGET_INLINE __mmask16
check_family(const struct jar *jar, const struct lanes *lanes, const struct shown *shown,
		struct pkt *const *pkts, __mmask16 which, bool is_ip4)
{
	struct siphash_lanes message;
	struct agreed agreed;

	agreed.timestamps = shown->timestamps;
	agreed.code = _mm512_and_si512(shown->iss, all(UINT8_MAX));
	agreed.tsval_code = _mm512_maskz_and_epi32(shown->timestamps, shown->tsval, all(UINT8_MAX));
	keys_put(&message, jar, _mm512_test_epi32_mask(agreed.code, all(1u << CODE_PARITY_SHIFT)));
	message_make(&message, lanes, &agreed, pkts, is_ip4);
	siphash_lanes_avx512(&message, is_ip4 ? MESSAGE_WORDS_IP4 : MESSAGE_WORDS_IP6,
			which > 0xff ? GROUP : GROUP / 2);
	return which & macs_match(jar, &message, shown);
}

/* The first count packets of a group, whose lanes are all somebody's. */
static TARGET uint32_t
check_group(const struct jar *jar, const struct pkt *const *acks, unsigned count)
{
	struct pkt *pkts[GROUP]; /* only read */
	__mmask16 which = (__mmask16)((1u << count) - 1), ip4;
	struct lanes lanes;
	struct shown shown;
	uint32_t valid = 0;

	for (unsigned i = 0; i < GROUP; i++)
		pkts[i] = (struct pkt *)acks[i < count ? i : 0];
	acks_read(&lanes, &shown, pkts);
	which &= (__mmask16)~isns_find(&lanes, &shown);
	ip4 = which & _mm512_cmpeq_epi32_mask(lanes.family, all(FAMILY_IP4));
	if (ip4 != 0)
		valid = check_family(jar, &lanes, &shown, pkts, ip4, true);
	if (ip4 != which)
		valid |= check_family(jar, &lanes, &shown, pkts, which & (__mmask16)~ip4, false);
	return valid;
}

uint32_t
cookie_check_burst_avx512(const struct jar *jar, const struct pkt *const *acks, unsigned count)
{
	uint32_t valid = 0;

	for (unsigned i = 0; i < count; i += GROUP)
		valid |= check_group(jar, &acks[i], count - i < GROUP ? count - i : GROUP) << i;
	return valid;
}
