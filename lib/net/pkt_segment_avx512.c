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
#define LANES_IP4_COUNT 5u
#define LANES_TCP_COUNT 13u
static_assert(LANES_IP4_COUNT * 4 == IP4_BYTES_MIN &&
				(LANES - LANES_TCP_COUNT) * 4 == IP4_SOURCE_AT,
		"as the header is laid out");

/* What the sums are made with. Read from memory by those who have nothing else to hold it in
 * registers for. */
struct constants {
	uint16_t highest[STEP_BYTES / 2]; /* bit of each word */
	uint16_t one[STEP_BYTES / 2];
	uint32_t lanes_tcp[LANES], lanes_ip4[LANES / 2];
};
#define SUMS                                                                                       \
	{                                                                                          \
		WORDS(0x8000), WORDS(1),                                                           \
				{[LANES - LANES_TCP_COUNT] = TWICE(TWICE(TWICE(UINT32_MAX))),      \
						TWICE(TWICE(UINT32_MAX)),                          \
						UINT32_MAX},                                       \
		{                                                                                  \
			TWICE(TWICE(UINT32_MAX)), UINT32_MAX                                       \
		}                                                                                  \
	}
#define TWICE(...) __VA_ARGS__, __VA_ARGS__
#define WORDS(word)                                                                                \
	{                                                                                          \
		TWICE(TWICE(TWICE(TWICE(TWICE(word)))))                                            \
	}

/* At most STEP_BYTES. */
static TARGET_INLINE __m512i
load_last(const uint8_t *at, uint32_t bytes)
{
	return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, bytes), at);
}

static TARGET_INLINE __m512i
lanes_of(const struct constants *with, __m512i bytes)
{
	return _mm512_madd_epi16(_mm512_xor_si512(bytes, _mm512_load_si512(with->highest)),
			_mm512_load_si512(with->one));
}

static TARGET_INLINE __m128i
add_halves(__m256i lanes)
{
	return _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
}

/* csum_fold() is 0xffff. */
static TARGET_INLINE bool
is_right(uint32_t sum)
{
	return sum + (sum >> 16 | sum << 16) >= 0xffff0000;
}

/*
 * The pseudo-header's rest. Its length is the packet's without the header's: a difference of two
 * words in memory order, of which the second is turned over. With no carry lost, the sums of 64 KB
 * fill 31 bits.
 */
#define PSEUDO_SUM (htobe16(PROTOCOL_TCP) + (uint16_t)~htobe16(IP4_BYTES_MIN))

/* Both sums, but for their bias, out of their lanes: the header's in the low half. */
static TARGET_INLINE uint64_t
add_lanes(const struct constants *with, __m512i first, __m512i tcp)
{
	const __m256i lanes_ip4 = _mm256_load_si256((const __m256i *)(const void *)with->lanes_ip4);
	const __m128i ip4_lanes =
			add_halves(_mm256_and_si256(_mm512_castsi512_si256(first), lanes_ip4));
	const __m128i tcp_lanes = add_halves(_mm256_add_epi32(
			_mm512_castsi512_si256(tcp), _mm512_extracti64x4_epi64(tcp, 1)));
	const __m128i both = _mm_add_epi32(_mm_unpacklo_epi32(ip4_lanes, tcp_lanes),
			_mm_unpackhi_epi32(ip4_lanes, tcp_lanes));

	return (uint64_t)_mm_cvtsi128_si64(_mm_add_epi32(both, _mm_unpackhi_epi64(both, both)));
}

/* Of the IPv4 header, and of both addresses and all behind it. bytes: the first step. The last step
 * of a packet longer than one is never whole, and may be empty. */
static TARGET_INLINE bool
sums_are_right(const struct constants *with, const uint8_t *ip, uint32_t length, __m512i bytes)
{
	const __m512i first = lanes_of(with, bytes);
	const uint32_t last = length / STEP_BYTES;
	__m512i tcp = _mm512_and_si512(first, _mm512_load_si512(with->lanes_tcp));
	uint64_t sums;

	for (uint32_t step = 1; step < last; step++)
		tcp = _mm512_add_epi32(
				tcp, lanes_of(with, _mm512_loadu_si512(ip + step * STEP_BYTES)));
	if (LIKELY(last > 0))
		tcp = _mm512_add_epi32(tcp, lanes_of(with, load_last(ip + last * STEP_BYTES,
									   length % STEP_BYTES)));
	sums = add_lanes(with, first, tcp);
	return is_right((uint32_t)sums + LANES_IP4_COUNT * LANE_BIAS) &&
	       is_right((uint32_t)(sums >> 32) + PSEUDO_SUM + load_raw16(ip + IP4_TOTAL_LENGTH_AT) +
			       (last * LANES + LANES_TCP_COUNT) * LANE_BIAS);
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

/* What is behind the numbers in struct pkt: the options read, and what all these packets have in
 * common. */
#define FOUND_BYTES 32u
static_assert(offsetof(struct pkt, opt) + sizeof(struct tcp_opt) ==
						offsetof(struct pkt, l3_offset) &&
				sizeof(struct pkt) - offsetof(struct pkt, opt) == FOUND_BYTES,
		"options and the rest are stored together");
static_assert(offsetof(struct tcp_opt, tsval) == 0 && offsetof(struct tcp_opt, tsecr) == 4 &&
				offsetof(struct pkt, ttl) == offsetof(struct pkt, l3_offset) + 1 &&
				offsetof(struct pkt, tos) == offsetof(struct pkt, l3_offset) + 2,
		"where the bytes of a packet go");

/* A register's worth of struct pkt's end. */
union found {
	struct {
		struct tcp_opt opt;
		uint8_t l3_offset, ttl, tos, from;
		uint16_t l4_offset;
		uint8_t reason, checked;
		uint32_t flow_label, conn;
	};
	uint8_t bytes[FOUND_BYTES];
};

#define FOUND(side)                                                                                \
	.l3_offset = ETHER_BYTES, .from = (side), .l4_offset = ETHER_BYTES + IP4_BYTES_MIN,        \
	.reason = REASON_NONE, .checked = PKT_SOUND
#define FOUND_PLAIN(side)                                                                          \
	{                                                                                          \
		{                                                                                  \
			.opt = {.wscale = TCP_WSCALE_NONE}, FOUND(side)                            \
		}                                                                                  \
	}
#define FOUND_STAMPED(side)                                                                        \
	{                                                                                          \
		{                                                                                  \
			.opt = {.wscale = TCP_WSCALE_NONE,                                         \
					.timestamp_offset = 2,                                     \
					.has_timestamp = true},                                    \
			FOUND(side)                                                                \
		}                                                                                  \
	}

#define FOUND_LINUX(side)                                                                          \
	{                                                                                          \
		{                                                                                  \
			.opt = {.timestamp_offset = 6,                                             \
					.sack_permitted = true,                                    \
					.has_timestamp = true},                                    \
			FOUND(side)                                                                \
		}                                                                                  \
	}

/* How the first step becomes tuple and numbers: its words, then bytes of each quarter, then what is
 * added. And how it becomes what is behind them: words, bytes, and what is the same for all, with
 * timestamps, without options, and with those of a Linux SYN. */
static const struct layout {
	uint32_t words[LANES];
	uint8_t bytes[STEP_BYTES];
	uint32_t added[LANES];
	struct constants with __attribute__((aligned(CACHE_LINE_SIZE)));
	union found stamped, plain, linux_syn;
} layouts[SIDE_COUNT] __attribute__((aligned(CACHE_LINE_SIZE))) = {
		[SIDE_CLIENT] = {{[3] = 3, [7] = 4, [8] = 5, [12] = 6, 7, 8, 0},
				{ADDRESS_BYTES, ADDRESS_BYTES, 1, 0, 3, 2, NO_BYTES, NO_BYTES,
						NO_BYTES, NUMBER_BYTES},
				{[2] = 0xffff0000,
						[6] = 0xffff0000,
						[10] = FAMILY_IP4,
						[15] = (uint32_t)-IP4_BYTES_MIN},
				SUMS, FOUND_STAMPED(SIDE_CLIENT), FOUND_PLAIN(SIDE_CLIENT),
				FOUND_LINUX(SIDE_CLIENT)},
		[SIDE_BACKEND] = {{[3] = 4, [7] = 3, [8] = 5, [12] = 6, 7, 8, 0},
				{ADDRESS_BYTES, ADDRESS_BYTES, 3, 2, 1, 0, NO_BYTES, NO_BYTES,
						NO_BYTES, NUMBER_BYTES},
				{[2] = 0xffff0000,
						[6] = 0xffff0000,
						[10] = FAMILY_IP4,
						[15] = (uint32_t)-IP4_BYTES_MIN},
				SUMS, FOUND_STAMPED(SIDE_BACKEND), FOUND_PLAIN(SIDE_BACKEND),
				FOUND_LINUX(SIDE_BACKEND)},
};

/* Both timestamps, then the first 16 bytes of the packet. */
static TARGET_INLINE __m256i
found_words(__m512i bytes)
{
	const __m512i words = _mm512_setr_epi32(11, 12, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0);

	return _mm512_castsi512_si256(_mm512_permutexvar_epi32(words, bytes));
}

static TARGET_INLINE void
fill_found(struct pkt *pkt, __m512i bytes, const union found *same, bool is_stamped)
{
	/* tsval and tsecr; nothing, TTL, DSCP and ECN. */
	const __m256i from = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, -1, -1, -1, -1, -1, -1, -1,
			-1, -1, IP4_TTL_AT, IP4_TOS_AT, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
			-1, -1);
	const __m256i at =
			is_stamped ? from : _mm256_or_si256(from, _mm256_setr_epi64x(-1, 0, 0, 0));
	const __m256i found = _mm256_shuffle_epi8(found_words(bytes), at);

	_mm256_storeu_si256((__m256i *)(void *)&pkt->opt,
			_mm256_or_si256(found, _mm256_loadu_si256((const __m256i *)(const void *)
										  same->bytes)));
}

static_assert(offsetof(struct tcp_opt, mss) == 8 && offsetof(struct tcp_opt, wscale) == 10,
		"where the bytes of a SYN go");

/* Both timestamps, MSS and scale of a Linux SYN, then as fill_found(). */
static TARGET_INLINE void
fill_linux(struct pkt *pkt, __m512i bytes, const union found *same)
{
	const __m512i words = _mm512_setr_epi32(12, 13, 10, 14, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m256i from = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 15, -1, -1, -1, -1,
			-1, -1, IP4_TTL_AT, IP4_TOS_AT, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
			-1, -1);
	const __m256i most = _mm256_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
			TCP_WSCALE_MAX, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
			-1, -1, -1, -1, -1, -1);
	__m256i found = _mm512_castsi512_si256(_mm512_permutexvar_epi32(words, bytes));

	found = _mm256_min_epu8(_mm256_shuffle_epi8(found, from), most);
	_mm256_storeu_si256((__m256i *)(void *)&pkt->opt,
			_mm256_or_si256(found, _mm256_loadu_si256((const __m256i *)(const void *)
										  same->bytes)));
}

/* Returns the tuple and the numbers. */
static TARGET_INLINE __m512i
fill(struct pkt *pkt, const struct layout *layout, __m512i bytes, uint32_t header_length)
{
	__m512i words = _mm512_permutexvar_epi32(_mm512_load_si512(layout->words), bytes);

	words = _mm512_shuffle_epi8(words, _mm512_load_si512(layout->bytes));
	words = _mm512_add_epi32(words, _mm512_load_si512(layout->added));
	_mm512_storeu_si512(&pkt->tuple, words);
	pkt->tcp_header_length = (uint8_t)header_length;
	pkt->kind = PKT_TCP;
	return words;
}

/* Bytes of a packet's first step that all have, as far as the mask says: version and header
 * length, no fragment, TCP. */
#define SAME_BYTES                                                                                 \
	{                                                                                          \
		0x45, [IP4_PROTOCOL_AT] = PROTOCOL_TCP                                             \
	}
#define SAME_MASK                                                                                  \
	{                                                                                          \
		0xff, [IP4_FRAGMENT_AT] = 0x3f, 0xff, [IP4_PROTOCOL_AT] = 0xff                     \
	}
static const struct same {
	uint8_t bytes[STEP_BYTES];
	uint8_t mask[STEP_BYTES];
} __attribute__((aligned(CACHE_LINE_SIZE))) same = {SAME_BYTES, SAME_MASK};

static TARGET_INLINE bool
is_same(const struct same *wanted, __m512i bytes)
{
	const __m512i differs = _mm512_xor_si512(bytes, _mm512_load_si512(wanted->bytes));

	return _mm512_test_epi8_mask(differs, _mm512_load_si512(wanted->mask)) == 0;
}

/* ip4_is_host(), but for what nearly no host has: addresses from 240.0.0.0 on. */
static TARGET_INLINE bool
is_usual_host(uint8_t first)
{
	return (uint8_t)(first - 1) < 0xe0 - 1 && first != 127;
}

/* What the headers are asked before the sums. */
static TARGET_INLINE bool
headers_are_sound(const uint8_t *ip, __m512i bytes)
{
	const uint8_t *tcp = ip + IP4_BYTES_MIN;

	return load_raw16(ip - ETHER_BYTES + ETHER_TYPE_AT) == htobe16(ETHER_TYPE_IP4) &&
	       is_same(&same, bytes) && tcp_flags_are_valid(tcp[TCP_FLAGS_AT]) &&
	       is_usual_host(ip[IP4_SOURCE_AT]) &&
	       load_raw32(ip + IP4_SOURCE_AT) != load_raw32(ip + IP4_DESTINATION_AT) &&
	       load_raw16(tcp + TCP_SOURCE_PORT_AT) != 0;
}

/* The number of SACK blocks that fill the header behind timestamps; 0 when there is something
 * else. */
static TARGET_INLINE uint32_t
sack_blocks(const uint8_t *tcp, uint32_t header_length)
{
	const uint32_t edges = header_length - (uint32_t)TCP_BYTES_MIN - OPT_STAMPED_BYTES -
			       OPT_SACK_HEAD_BYTES;

	if (edges % TCP_OPT_SACK_BLOCK_BYTES != 0 ||
			load_be32(tcp + TCP_BYTES_MIN + OPT_STAMPED_BYTES) !=
					(OPT_WORD_NOPS_SACK_BLOCKS | (edges + 2)))
		return 0;
	return edges / TCP_OPT_SACK_BLOCK_BYTES;
}

#define OPTIONS_AT (IP4_BYTES_MIN + TCP_BYTES_MIN)
/* The same of a Linux SYN's options: the kinds and lengths of MSS, SACK-permitted and timestamps,
 * NOP, and those of the scale. */
#define LINUX_BYTES                                                                                \
	{                                                                                          \
		[OPTIONS_AT] = 2, 4, [OPTIONS_AT + 4] = 4, 2, 8, 10, [OPTIONS_AT + 16] = 1, 3, 3   \
	}
#define LINUX_MASK                                                                                 \
	{                                                                                          \
		[OPTIONS_AT] = 0xff, 0xff, [OPTIONS_AT + 4] = 0xff, 0xff, 0xff, 0xff,              \
		[OPTIONS_AT + 16] = 0xff, 0xff, 0xff                                               \
	}
static const struct same linux_syn = {LINUX_BYTES, LINUX_MASK};

/* Options other than timestamps. False: it is left alone. */
static TARGET_INLINE bool
options_fill_others(struct pkt *pkt, const struct layout *layout, const uint8_t *tcp, __m512i bytes,
		uint32_t header_length)
{
	if (LIKELY(header_length == TCP_BYTES_MIN)) {
		fill_found(pkt, bytes, &layout->plain, false);
		return true;
	}
	if (LIKELY(header_length == TCP_BYTES_MIN + OPT_LINUX_BYTES) &&
			LIKELY(is_same(&linux_syn, bytes))) {
		fill_linux(pkt, bytes, &layout->linux_syn);
		return true;
	}
	fill_found(pkt, bytes, &layout->plain, false);
	return tcp_opt_parse(
			tcp + TCP_BYTES_MIN, header_length - (uint32_t)TCP_BYTES_MIN, &pkt->opt);
}

/* False: it is left alone. */
static TARGET_INLINE bool
options_fill(struct pkt *pkt, const struct layout *layout, const uint8_t *tcp, __m512i bytes,
		uint32_t header_length)
{
	uint32_t blocks = 0;

	if (header_length < TCP_BYTES_MIN + OPT_STAMPED_BYTES ||
			load_raw32(tcp + TCP_BYTES_MIN) != htobe32(OPT_WORD_NOPS_TIMESTAMP))
		return options_fill_others(pkt, layout, tcp, bytes, header_length);
	if (header_length > TCP_BYTES_MIN + OPT_STAMPED_BYTES) {
		blocks = sack_blocks(tcp, header_length);
		if (blocks == 0)
			return false;
	}
	fill_found(pkt, bytes, &layout->stamped, true);
	if (blocks > 0) {
		pkt->opt.sack_offset = OPT_STAMPED_BYTES + 2;
		pkt->opt.sack_blocks = (uint8_t)blocks;
	}
	return true;
}

/* False: it is left alone. */
static TARGET_INLINE bool
read_one(struct pkt *pkt, const struct layout *layout, __m512i *words)
{
	const uint8_t *ip = pkt->data + ETHER_BYTES, *tcp = ip + IP4_BYTES_MIN;
	uint32_t length, header_length;
	__m512i bytes;

	if (pkt->kind != PKT_UNPARSED || pkt->rest > 0 || pkt->len < COMMON_BYTES_MIN)
		return false;
	length = load_be16(ip + IP4_TOTAL_LENGTH_AT);
	header_length = (tcp[TCP_DATA_OFFSET_AT] & 0xf0u) >> 2;
	if (length > pkt->len - ETHER_BYTES || header_length < TCP_BYTES_MIN ||
			IP4_BYTES_MIN + header_length > length)
		return false;
	bytes = length >= STEP_BYTES ? _mm512_loadu_si512(ip) : load_last(ip, length);
	if (!headers_are_sound(ip, bytes))
		return false;
	if (pkt->csum != PKT_CSUM_GOOD &&
			(pkt->csum > PKT_CSUM_PARTIAL ||
					!sums_are_right(&layout->with, ip, length, bytes)))
		return false;
	if (!options_fill(pkt, layout, tcp, bytes, header_length))
		return false;
	*words = fill(pkt, layout, bytes, header_length);
	return true;
}

/* 16-bit words of the register: the backend's IPv4 address, and its port. */
#define WORDS_BACKEND ((__mmask32)(3u << 14 | 1u << 17))
static_assert(offsetof(struct tuple, backend) + 12 == 14 * 2 &&
				offsetof(struct tuple, backend_port) == 17 * 2,
		"where the backend is");

/* As they lie: to take them out of the register again costs more. */
static inline uint8_t
tcp_flags(const struct pkt *pkt)
{
	return pkt->data[ETHER_BYTES + IP4_BYTES_MIN + TCP_FLAGS_AT];
}

TARGET uint32_t
pkt_read_segments_avx512(struct pkt *pkts, unsigned count, enum side from)
{
	const struct layout *layout = &layouts[from];
	__m512i words, model = _mm512_setzero_si512();
	uint32_t alike = 0;

	for (unsigned i = 0; i < count; i++) {
		if (UNLIKELY(!read_one(&pkts[i], layout, &words)) ||
				UNLIKELY(tcp_flags(&pkts[i]) & (TCP_SYN | TCP_RST)))
			continue;
		if (alike == 0)
			model = words;
		if (LIKELY(_mm512_mask_cmpneq_epi16_mask(WORDS_BACKEND, words, model) == 0))
			alike |= 1u << i;
	}
	return alike;
}

TARGET bool
pkt_read_lone_avx512(struct pkt *pkt, enum side from)
{
	__m512i words;

	return read_one(pkt, &layouts[from], &words);
}
