/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of connections, one after the other: the first 64 bytes from the IPv4 header on are
 * looked at for both sums, and turned into the tuple and the numbers behind it, which go to struct
 * pkt in one store. What has another shape than nearly all, or is wrong, is left alone.
 *
 * Words are summed as in csum_avx512.c: by signed multiplication, with the highest bit of each
 * turned over, so that a lane of two words is too small by LANE_BIAS.
 */
#include <immintrin.h>

#include "net/pkt_read.h"
#include "net/pkt_valid.h"
#include "net/tcp_opt_words.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))
#define TARGET_INLINE                                                                              \
	__attribute__((target("avx512f,avx512bw,avx512vl,bmi2"), always_inline)) inline

#define STEP_BYTES 64u
#define LANES (STEP_BYTES / 4)
#define LANE_BIAS 0x10000u
/* Lanes of the first step: of the IPv4 header, and of its addresses and all that follows. */
#define LANES_IP4 0x1f
#define LANES_TCP 0xfff8
#define LANES_IP4_COUNT 5u
#define LANES_TCP_COUNT 13u
static_assert(LANES_IP4 == (1 << LANES_IP4_COUNT) - 1 && LANES_IP4_COUNT * 4 == IP4_BYTES_MIN &&
				(LANES - LANES_TCP_COUNT) * 4 == IP4_SOURCE_AT,
		"as the header is laid out");

/* Sums of words, in memory order, with no carry lost: those of 64 KB fill 31 bits. */
struct sums {
	uint32_t ip4; /* of the header */
	uint32_t tcp; /* of both addresses and all behind the header */
};

static TARGET_INLINE __m512i
lanes_of(__m512i bytes)
{
	const __m512i biased = _mm512_xor_si512(bytes, _mm512_set1_epi16(INT16_MIN));

	return _mm512_madd_epi16(biased, _mm512_set1_epi16(1));
}

/* At most STEP_BYTES. */
static TARGET_INLINE __m512i
load_last(const uint8_t *at, uint32_t bytes)
{
	return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, bytes), at);
}

static TARGET_INLINE __m128i
add_halves(__m256i lanes)
{
	return _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
}

/* Both sums, but for their bias, out of their lanes. */
static TARGET_INLINE struct sums
add_lanes(__m512i first, __m512i tcp)
{
	const __m128i ip4_lanes = add_halves(
			_mm256_maskz_mov_epi32(LANES_IP4, _mm512_castsi512_si256(first)));
	const __m128i tcp_lanes = add_halves(_mm256_add_epi32(
			_mm512_castsi512_si256(tcp), _mm512_extracti64x4_epi64(tcp, 1)));
	__m128i both = _mm_add_epi32(_mm_unpacklo_epi32(ip4_lanes, tcp_lanes),
			_mm_unpackhi_epi32(ip4_lanes, tcp_lanes));
	uint64_t words;

	both = _mm_add_epi32(both, _mm_unpackhi_epi64(both, both));
	words = (uint64_t)_mm_cvtsi128_si64(both);
	return (struct sums){(uint32_t)words, (uint32_t)(words >> 32)};
}

/* bytes: the first step of an IP packet of that length. */
static TARGET_INLINE struct sums
sums_of(const uint8_t *ip, uint32_t length, __m512i bytes)
{
	const __m512i first = lanes_of(bytes);
	__m512i tcp = _mm512_maskz_mov_epi32(LANES_TCP, first);
	uint32_t bias = LANES_TCP_COUNT * LANE_BIAS;
	struct sums sums;

	for (uint32_t at = STEP_BYTES; at < length; at += STEP_BYTES) {
		const uint32_t left = length - at;

		tcp = _mm512_add_epi32(
				tcp, lanes_of(left >= STEP_BYTES ? _mm512_loadu_si512(ip + at)
								 : load_last(ip + at, left)));
		bias += LANES * LANE_BIAS;
	}
	sums = add_lanes(first, tcp);
	sums.ip4 += LANES_IP4_COUNT * LANE_BIAS;
	sums.tcp += bias;
	return sums;
}

/* csum_fold() is 0xffff. */
static TARGET_INLINE bool
is_right(uint32_t sum)
{
	return sum + (sum >> 16 | sum << 16) >= 0xffff0000;
}

static TARGET_INLINE bool
sums_are_right(const uint8_t *ip, uint32_t length, __m512i bytes)
{
	struct sums sums = sums_of(ip, length, bytes);

	/* The pseudo-header's rest. */
	sums.tcp += htobe16((uint16_t)(length - IP4_BYTES_MIN)) + htobe16(PROTOCOL_TCP);
	return is_right(sums.ip4) && is_right(sums.tcp);
}

static_assert(offsetof(struct pkt, seq) == offsetof(struct pkt, tuple) + 48 &&
				offsetof(struct pkt, ack) == offsetof(struct pkt, seq) + 4 &&
				offsetof(struct pkt, window) == offsetof(struct pkt, seq) + 8 &&
				offsetof(struct pkt, flags) == offsetof(struct pkt, seq) + 10 &&
				offsetof(struct pkt, l4_length) == offsetof(struct pkt, seq) + 12,
		"tuple and numbers fill a register");

#define NO_BYTES 0x80, 0x80, 0x80, 0x80
#define ADDRESS_BYTES NO_BYTES, NO_BYTES, NO_BYTES, 12, 13, 14, 15
/* seq, ack, window with flags, length. */
#define NUMBER_BYTES 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 0x80, 15, 14, 0x80, 0x80

/* How the first step becomes tuple and numbers: its words, then bytes of each quarter, then what is
 * added. */
static const struct layout {
	uint32_t words[LANES];
	uint8_t bytes[STEP_BYTES];
	uint32_t added[LANES];
} layouts[SIDE_COUNT] __attribute__((aligned(CACHE_LINE_SIZE))) = {
		[SIDE_CLIENT] = {{[3] = 3, [7] = 4, [8] = 5, [12] = 6, 7, 8, 0},
				{ADDRESS_BYTES, ADDRESS_BYTES, 1, 0, 3, 2, NO_BYTES, NO_BYTES,
						NO_BYTES, NUMBER_BYTES},
				{[2] = 0xffff0000,
						[6] = 0xffff0000,
						[10] = FAMILY_IP4,
						[15] = (uint32_t)-IP4_BYTES_MIN}},
		[SIDE_BACKEND] = {{[3] = 4, [7] = 3, [8] = 5, [12] = 6, 7, 8, 0},
				{ADDRESS_BYTES, ADDRESS_BYTES, 3, 2, 1, 0, NO_BYTES, NO_BYTES,
						NO_BYTES, NUMBER_BYTES},
				{[2] = 0xffff0000,
						[6] = 0xffff0000,
						[10] = FAMILY_IP4,
						[15] = (uint32_t)-IP4_BYTES_MIN}},
};

static TARGET_INLINE void
fill(struct pkt *pkt, enum side from, __m512i bytes, uint32_t header_length)
{
	const struct layout *layout = &layouts[from];
	const uint8_t *ip = pkt->data + ETHER_BYTES;
	__m512i words = _mm512_permutexvar_epi32(_mm512_load_si512(layout->words), bytes);

	words = _mm512_shuffle_epi8(words, _mm512_load_si512(layout->bytes));
	words = _mm512_add_epi32(words, _mm512_load_si512(layout->added));
	_mm512_storeu_si512(&pkt->tuple, words);
	pkt->tcp_header_length = (uint8_t)header_length;
	pkt->l3_offset = ETHER_BYTES;
	pkt->ttl = ip[IP4_TTL_AT];
	pkt->tos = ip[IP4_TOS_AT];
	pkt->from = (uint8_t)from;
	pkt->l4_offset = ETHER_BYTES + IP4_BYTES_MIN;
	pkt->reason = REASON_NONE;
	pkt->checked = PKT_SOUND;
	pkt->flow_label = 0;
	pkt->kind = PKT_TCP;
}

static TARGET_INLINE bool
options_read(const uint8_t *options, uint32_t length, struct tcp_opt *opt)
{
	if (LIKELY(tcp_opt_read_stamped(options, length, opt)))
		return true;
	*opt = (struct tcp_opt){.wscale = TCP_WSCALE_NONE};
	return length == 0;
}

/* What is left alone may have opt written to, which counts for nothing until it is checked. */
static TARGET_INLINE void
read_one(struct pkt *pkt, enum side from)
{
	const uint8_t *ip = pkt->data + ETHER_BYTES, *tcp = ip + IP4_BYTES_MIN;
	uint32_t source, length, header_length;
	__m512i bytes;

	if (pkt->kind != PKT_UNPARSED || !pkt_is_common(pkt) || pkt->rest > 0)
		return;
	source = load_raw32(ip + IP4_SOURCE_AT);
	length = load_be16(ip + IP4_TOTAL_LENGTH_AT);
	header_length = (uint32_t)(tcp[TCP_DATA_OFFSET_AT] >> 4) * 4;
	if (header_length < TCP_BYTES_MIN || header_length > length - IP4_BYTES_MIN ||
			!tcp_flags_are_valid(tcp[TCP_FLAGS_AT]) || !ip4_is_host(source) ||
			source == load_raw32(ip + IP4_DESTINATION_AT) ||
			load_raw16(tcp + TCP_SOURCE_PORT_AT) == 0)
		return;
	bytes = length >= STEP_BYTES ? _mm512_loadu_si512(ip) : load_last(ip, length);
	if (pkt->csum != PKT_CSUM_GOOD &&
			(pkt->csum > PKT_CSUM_PARTIAL || !sums_are_right(ip, length, bytes)))
		return;
	if (options_read(tcp + TCP_BYTES_MIN, header_length - (uint32_t)TCP_BYTES_MIN, &pkt->opt))
		fill(pkt, from, bytes, header_length);
}

TARGET void
pkt_read_segments_avx512(struct pkt *pkts, unsigned count, enum side from)
{
	for (unsigned i = 0; i < count; i++)
		read_one(&pkts[i], from);
}
