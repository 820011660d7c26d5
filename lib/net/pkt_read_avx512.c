/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen packets side by side: the 64 bytes from four before each IP header on are one row each;
 * turned round, column n holds the n-th four bytes of all, and each question is put to all packets
 * at once. What is found is turned round again, and goes to each packet in two wide stores.
 *
 *	column  0      1 .. 5      6     7   8   9       10      11 .. 15
 *	        ether  IPv4        ports seq ack head    sum     options, payload
 *	        ether  IPv6 1..10                                          11    12  13  14   15
 *	                                                                   ports seq ack head sum
 *
 * Where one of them is longer, the next 32 bytes of all are more columns, 16 to 23.
 *
 * Words are summed by signed multiplication, so every column has the highest bit of its 16-bit
 *words turned over (WORD_BIAS): then a sum is too small by 0x8000 for each word, whatever it holds.
 */
#include <immintrin.h>

#include "base/base.h"
#include "net/bytes.h"
#include "net/csum.h"
#include "net/pkt_read.h"
#include "net/tcp_opt_words.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl")))
#define TARGET_INLINE __attribute__((target("avx512f,avx512bw,avx512vl"), always_inline)) inline

#define LANES PKT_READ_LANES
#define LANES_ALL 0xffffu
#define ROW_BYTES 64
#define MORE_BYTES 32
#define MORE_COLUMNS (MORE_BYTES / 4)
#define ROW_AT (ETHER_BYTES - 4) /* in an untagged frame */
#define FRAME_BYTES_READ (ROW_AT + VLAN_TAG_BYTES + ROW_BYTES)
#define FRAME_BYTES_MORE (FRAME_BYTES_READ + MORE_BYTES)
#define ROW_IP_BYTES (ROW_BYTES - 4)
static_assert(ROW_IP_BYTES + MORE_BYTES == PKT_READ_IP_BYTES && FRAME_BYTES_MORE == 110,
		"as the header says");

#define WORD_BIAS 0x80008000u
#define COLUMN_BIAS 0x10000u /* what a column's two words are too small by */

/* Columns of what stands there in IPv4 and in IPv6. */
enum {
	ETHER = 0,
	IP4_LENGTH = 1,
	IP4_FRAGMENT = 2,
	IP4_PROTOCOL = 3,
	IP4_SOURCE = 4,
	IP4_DESTINATION = 5,
	IP4_TCP = 6,
	IP6_FIRST = 1,
	IP6_NEXT = 2,
	IP6_SOURCE = 3,
	IP6_DESTINATION = 7,
	IP6_TCP = 11,
	/* From the first of TCP on. */
	TCP_PORTS = 0,
	TCP_SEQ = 1,
	TCP_ACK_NUMBER = 2,
	TCP_HEAD = 3, /* data offset, flags, window */
	TCP_SUM = 4,
	TCP_OPTIONS = 5,
	TCP_OPTION_COLUMNS = 5, /* that are looked at */
};

/* For packets that have not as much. */
static const uint8_t nothing[ROW_BYTES + MORE_BYTES + VLAN_TAG_BYTES] = {0};

struct group {
	__m512i column[LANES + MORE_COLUMNS];
	/* The caller's words. */
	__m512i length;
	__m512i rest;
	__m512i misc; /* tailroom, csum, kind */
	/* Host order. */
	__m512i ip_length; /* header included */
	__m512i l4_length;
	/* As they lie, biased, of either family. */
	__m512i ports, seq, ack, head;
	__m512i options[TCP_OPTION_COLUMNS];
	struct pkt *pkts;
	const uint8_t *rows[LANES];
	__mmask16 tagged; /* by one 802.1Q tag */
	__mmask16 ip4;	  /* of that common shape */
	__mmask16 ip6;
	bool has_more;
};

static TARGET_INLINE __m512i
all(uint32_t word)
{
	return _mm512_set1_epi32((int)word);
}

/* Where the bytes of mask are those of value; both in network order. */
static TARGET_INLINE __mmask16
column_is(__mmask16 lanes, __m512i column, uint32_t mask, uint32_t value)
{
	return _mm512_mask_cmpeq_epi32_mask(lanes, _mm512_and_si512(column, all(htobe32(mask))),
			all((htobe32(value) ^ WORD_BIAS) & htobe32(mask)));
}

/* Bytes of each word: b0 is the one that goes lowest; 0x80 for zero. */
static TARGET_INLINE __m512i
bytes_of(__m512i words, unsigned b0, unsigned b1, unsigned b2, unsigned b3)
{
	const uint32_t picked = b0 | b1 << 8 | b2 << 16 | b3 << 24;
	const __m128i each = _mm_setr_epi32((int)picked, (int)(picked + 0x04040404u),
			(int)(picked + 0x08080808u), (int)(picked + 0x0c0c0c0cu));

	return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(each));
}

static TARGET_INLINE __m512i
unbiased(__m512i column)
{
	return _mm512_xor_si512(column, all(WORD_BIAS));
}

static TARGET_INLINE __m512i
host32(__m512i column)
{
	return bytes_of(unbiased(column), 3, 2, 1, 0);
}

/* The 16 bits at byte 2 of a column. */
static TARGET_INLINE __m512i
host16_second(__m512i column)
{
	return bytes_of(unbiased(column), 3, 2, 0x80, 0x80);
}

/* Turns four by four words round, in each quarter by itself. */
static TARGET_INLINE void
turn_quarters(__m512i *rows)
{
	const __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]);
	const __m512i b = _mm512_unpackhi_epi32(rows[0], rows[1]);
	const __m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]);
	const __m512i d = _mm512_unpackhi_epi32(rows[2], rows[3]);

	rows[0] = _mm512_unpacklo_epi64(a, c);
	rows[1] = _mm512_unpackhi_epi64(a, c);
	rows[2] = _mm512_unpacklo_epi64(b, d);
	rows[3] = _mm512_unpackhi_epi64(b, d);
}

/* Quarter g of the four rows holds column 4 * g + n of four packets each. */
static TARGET_INLINE void
turn_whole(__m512i *column, unsigned n, __m512i a, __m512i b, __m512i c, __m512i d)
{
	const __m512i ab_even = _mm512_shuffle_i32x4(a, b, 0x88);
	const __m512i ab_odd = _mm512_shuffle_i32x4(a, b, 0xdd);
	const __m512i cd_even = _mm512_shuffle_i32x4(c, d, 0x88);
	const __m512i cd_odd = _mm512_shuffle_i32x4(c, d, 0xdd);

	column[n] = _mm512_shuffle_i32x4(ab_even, cd_even, 0x88);
	column[n + 4] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88);
	column[n + 8] = _mm512_shuffle_i32x4(ab_even, cd_even, 0xdd);
	column[n + 12] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd);
}

/* The caller's sixteen bytes from len on, of the packets whose number is n modulo 4. */
static TARGET_INLINE __m512i
words_load(const struct group *g, unsigned n)
{
	__m512i words = _mm512_castsi128_si512(
			_mm_loadu_si128((const __m128i *)(const void *)&g->pkts[n].len));

	words = _mm512_inserti32x4(words,
			_mm_loadu_si128((const __m128i *)(const void *)&g->pkts[n + 4].len), 1);
	words = _mm512_inserti32x4(words,
			_mm_loadu_si128((const __m128i *)(const void *)&g->pkts[n + 8].len), 2);
	return _mm512_inserti32x4(words,
			_mm_loadu_si128((const __m128i *)(const void *)&g->pkts[n + 12].len), 3);
}

static_assert(offsetof(struct pkt, rest) == offsetof(struct pkt, len) + 4 &&
				offsetof(struct pkt, tailroom) == offsetof(struct pkt, len) + 8 &&
				offsetof(struct pkt, csum) == offsetof(struct pkt, len) + 10 &&
				offsetof(struct pkt, kind) == offsetof(struct pkt, len) + 11 &&
				offsetof(struct pkt, tuple) == offsetof(struct pkt, len) + 16,
		"sixteen bytes with the caller's words");

static TARGET_INLINE void
words_of_caller(struct group *g)
{
	__m512i rows[4];

	for (unsigned n = 0; n < 4; n++)
		rows[n] = words_load(g, n);
	turn_quarters(rows);
	g->length = rows[0];
	g->rest = rows[1];
	g->misc = rows[2];
}

/*
 * Where each row is, if no frame has a tag. It lies within what the caller owns, len + tailroom
 * from data on, so that no load can meet a page that is not his; a packet with less room than that
 * is taken for nothing.
 */
static TARGET_INLINE void
rows_find(struct group *g)
{
	const __m512i room = _mm512_add_epi32(g->length, _mm512_and_si512(g->misc, all(0xffff)));
	const unsigned roomy = _mm512_cmpge_epu32_mask(room, all(FRAME_BYTES_READ));

	for (unsigned i = 0; i < LANES; i++)
		g->rows[i] = g->pkts[i].data + ROW_AT;
	if (UNLIKELY(roomy != LANES_ALL))
		for (unsigned i = 0; i < LANES; i++)
			if (!(roomy >> i & 1))
				g->rows[i] = nothing;
}

static TARGET_INLINE __m512i
row_load(const struct group *g, unsigned i)
{
	return unbiased(_mm512_loadu_si512(g->rows[i]));
}

static TARGET_INLINE void
columns_load(struct group *g)
{
	__m512i quarter[4][4];

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned n = 0; n < 4; n++)
			quarter[i][n] = row_load(g, 4 * i + n);
		turn_quarters(quarter[i]);
	}
	for (unsigned n = 0; n < 4; n++)
		turn_whole(g->column, n, quarter[0][n], quarter[1][n], quarter[2][n],
				quarter[3][n]);
}

/* Frames with a tag are read once more, four bytes later. */
static TARGET_INLINE void
tags_skip(struct group *g)
{
	g->tagged = column_is(LANES_ALL, g->column[ETHER], 0xffff, ETHER_TYPE_VLAN);
	if (LIKELY(g->tagged == 0))
		return;
	for (unsigned i = 0; i < LANES; i++)
		g->rows[i] += (g->tagged >> i & 1) * VLAN_TAG_BYTES;
	columns_load(g);
}

/* Which packets are of a common shape: EtherType, version, no header options or extension headers,
 * no fragment, TCP with a whole header within the IP packet, that within the frame. */
static TARGET_INLINE void
shapes_find(struct group *g)
{
	const __m512i room = _mm512_mask_sub_epi32(_mm512_sub_epi32(g->length, all(ETHER_BYTES)),
			g->tagged, _mm512_sub_epi32(g->length, all(ETHER_BYTES)),
			all(VLAN_TAG_BYTES));
	const __mmask16 open = _mm512_testn_epi32_mask(
			_mm512_or_si512(g->rest, _mm512_srli_epi32(g->misc, 24)), all(~0u));
	const __m512i ip6_length = _mm512_add_epi32(
			bytes_of(unbiased(g->column[IP6_NEXT]), 1, 0, 0x80, 0x80), all(IP6_BYTES));
	__mmask16 ip4, ip6;

	ip4 = column_is(open, g->column[ETHER], 0xffff, ETHER_TYPE_IP4);
	ip4 = column_is(ip4, g->column[IP4_LENGTH], 0xff000000, 0x45000000);
	ip4 = column_is(ip4, g->column[IP4_FRAGMENT], 0x3fff, 0);
	ip4 = column_is(ip4, g->column[IP4_PROTOCOL], 0xff0000, PROTOCOL_TCP << 16);
	ip6 = column_is(open, g->column[ETHER], 0xffff, ETHER_TYPE_IP6);
	ip6 = column_is(ip6, g->column[IP6_FIRST], 0xf0000000, 0x60000000);
	ip6 = column_is(ip6, g->column[IP6_NEXT], 0xff00, PROTOCOL_TCP << 8);

	g->ip_length = _mm512_mask_mov_epi32(host16_second(g->column[IP4_LENGTH]), ip6, ip6_length);
	g->l4_length = _mm512_mask_sub_epi32(_mm512_sub_epi32(g->ip_length, all(IP4_BYTES_MIN)),
			ip6, g->ip_length, all(IP6_BYTES));
	ip4 = _mm512_mask_cmple_epi32_mask(ip4, g->ip_length, room);
	ip6 = _mm512_mask_cmple_epi32_mask(ip6, g->ip_length, room);
	g->ip4 = _mm512_mask_cmpge_epi32_mask(ip4, g->l4_length, all(TCP_BYTES_MIN));
	g->ip6 = _mm512_mask_cmpge_epi32_mask(ip6, g->l4_length, all(TCP_BYTES_MIN));
}

static TARGET_INLINE __m512i
tcp_column(const struct group *g, unsigned n)
{
	return _mm512_mask_mov_epi32(g->column[IP4_TCP + n], g->ip6, g->column[IP6_TCP + n]);
}

/* Two halves of a packet's 32 bytes, and of those of the eighth behind it. */
static TARGET_INLINE __m512i
more_load(const struct group *g, unsigned i)
{
	const __m256i *a = (const __m256i *)(const void *)(g->rows[i] + ROW_BYTES);
	const __m256i *b = (const __m256i *)(const void *)(g->rows[i + 8] + ROW_BYTES);

	return unbiased(_mm512_inserti64x4(
			_mm512_castsi256_si512(_mm256_loadu_si256(a)), _mm256_loadu_si256(b), 1));
}

static TARGET_INLINE void
more_columns_load(struct group *g)
{
	const __m512i lower = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
	const __m512i upper = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
	__m512i even[4], odd[4];

	for (unsigned n = 0; n < 4; n++) {
		even[n] = more_load(g, n);
		odd[n] = more_load(g, n + 4);
	}
	turn_quarters(even);
	turn_quarters(odd);
	for (unsigned n = 0; n < 4; n++) {
		g->column[LANES + n] = _mm512_permutex2var_epi64(even[n], lower, odd[n]);
		g->column[LANES + 4 + n] = _mm512_permutex2var_epi64(even[n], upper, odd[n]);
	}
}

/* Packets beside them that have not so much room go the other way. */
static TARGET_INLINE void
more_find(struct group *g)
{
	const __m512i room = _mm512_add_epi32(g->length, _mm512_and_si512(g->misc, all(0xffff)));
	const __mmask16 roomy = _mm512_cmpge_epu32_mask(room, all(FRAME_BYTES_MORE));
	const __mmask16 longer = _mm512_mask_cmpgt_epi32_mask(
			g->ip4 | g->ip6, g->ip_length, all(ROW_IP_BYTES));

	g->has_more = longer != 0;
	if (!g->has_more)
		return;
	if (UNLIKELY(roomy != LANES_ALL)) {
		g->ip4 &= roomy;
		g->ip6 &= roomy;
		for (unsigned i = 0; i < LANES; i++)
			if (!(roomy >> i & 1))
				g->rows[i] = nothing;
	}
	more_columns_load(g);
}

static TARGET_INLINE __m512i
column_cut(__m512i column, unsigned n, __m512i bits)
{
	const __m512i behind =
			_mm512_sllv_epi32(all(~0u), _mm512_subs_epu16(bits, all(32 * (n - 1))));

	/* behind ? WORD_BIAS : column */
	return _mm512_ternarylogic_epi32(column, behind, all(WORD_BIAS), 0xb8);
}

/* What lies behind the IP packet counts as zero. */
static TARGET_INLINE void
columns_cut(struct group *g)
{
	const __m512i bits = _mm512_slli_epi32(
			_mm512_min_epu32(g->ip_length, all(PKT_READ_IP_BYTES)), 3);

	for (unsigned n = IP4_TCP + TCP_OPTIONS; n < LANES; n++)
		g->column[n] = column_cut(g->column[n], n, bits);
	if (g->has_more)
		for (unsigned n = LANES; n < LANES + MORE_COLUMNS; n++)
			g->column[n] = column_cut(g->column[n], n, bits);
}

/* Each field out of the column that has it. */
static TARGET_INLINE void
fields_pick(struct group *g)
{
	g->ports = tcp_column(g, TCP_PORTS);
	g->seq = tcp_column(g, TCP_SEQ);
	g->ack = tcp_column(g, TCP_ACK_NUMBER);
	g->head = tcp_column(g, TCP_HEAD);
	for (unsigned n = 0; n < TCP_OPTION_COLUMNS; n++)
		g->options[n] = g->column[IP4_TCP + TCP_OPTIONS + n];
	if (g->has_more)
		for (unsigned n = 0; n < TCP_OPTION_COLUMNS; n++)
			g->options[n] = tcp_column(g, TCP_OPTIONS + n);
}

static TARGET_INLINE __m512i
sum_columns(const struct group *g, unsigned first, unsigned last)
{
	__m512i sum = all((last - first + 1) * COLUMN_BIAS);

	for (unsigned n = first; n <= last; n++)
		sum = _mm512_add_epi32(sum, _mm512_madd_epi16(g->column[n], _mm512_set1_epi16(1)));
	return sum;
}

static TARGET_INLINE __m512i
fold_once(__m512i sum)
{
	return _mm512_add_epi32(_mm512_and_si512(sum, all(0xffff)), _mm512_srli_epi32(sum, 16));
}

/* Where all is summed and right. */
static TARGET_INLINE __mmask16
sum_is_right(__mmask16 lanes, __m512i sum)
{
	return _mm512_mask_cmpeq_epi32_mask(lanes, fold_once(fold_once(sum)), all(0xffff));
}

/* The running TCP sum of each packet's first PKT_READ_IP_BYTES. */
static TARGET_INLINE __m512i
tcp_sum(const struct group *g)
{
	/* Both addresses of IPv4 and all behind; those of IPv6 begin one column earlier. */
	__m512i sum = sum_columns(g, IP4_SOURCE, LANES - 1);

	sum = _mm512_mask_add_epi32(sum, g->ip6, sum, sum_columns(g, IP6_SOURCE, IP6_SOURCE));
	if (g->has_more)
		sum = _mm512_add_epi32(sum, sum_columns(g, LANES, LANES + MORE_COLUMNS - 1));
	/* The pseudo-header's rest. */
	sum = _mm512_add_epi32(sum, bytes_of(g->l4_length, 1, 0, 0x80, 0x80));
	return _mm512_add_epi32(sum, all(htobe16(PROTOCOL_TCP)));
}

/* pkt_has_valid_source(), IPv4. */
static TARGET_INLINE __mmask16
sources_ip4(const struct group *g, __mmask16 lanes)
{
	const __m512i source = g->column[IP4_SOURCE];
	const __m512i first = _mm512_and_si512(source, all(0xff)); /* no bias there */

	lanes = _mm512_mask_cmpneq_epi32_mask(lanes, source, g->column[IP4_DESTINATION]);
	lanes = _mm512_mask_cmpneq_epi32_mask(lanes, source, unbiased(all(~0u)));
	lanes = _mm512_mask_cmpneq_epi32_mask(lanes, first, all(0));
	lanes = _mm512_mask_cmpneq_epi32_mask(lanes, first, all(127));
	return _mm512_mask_cmpneq_epi32_mask(lanes, _mm512_and_si512(first, all(0xf0)), all(0xe0));
}

/* Where an address is not ::ffff:0:0/96, nor, if is_source, ::, ::1 or multicast. */
static TARGET_INLINE __mmask16
addresses_ip6(const __m512i *address, __mmask16 lanes, bool is_source)
{
	const __m512i zero = all(WORD_BIAS);
	const __m512i upper = _mm512_or_si512(
			_mm512_xor_si512(address[0], zero), _mm512_xor_si512(address[1], zero));
	const __m512i middle = _mm512_xor_si512(address[2], zero);

	lanes &= (__mmask16)~_mm512_mask_cmpeq_epi32_mask(
			_mm512_testn_epi32_mask(upper, upper), middle, all(htobe32(0xffff)));
	if (is_source) {
		const __m512i rest = _mm512_or_si512(_mm512_or_si512(upper, middle),
				_mm512_and_si512(_mm512_xor_si512(address[3], zero),
						all(htobe32(~1u))));

		lanes = _mm512_mask_test_epi32_mask(lanes, rest, rest);
		lanes = _mm512_mask_cmpneq_epi32_mask(
				lanes, _mm512_and_si512(address[0], all(0xff)), all(0xff));
	}
	return lanes;
}

static TARGET_INLINE __mmask16
sources_ip6(const struct group *g, __mmask16 lanes)
{
	const __m512i *source = &g->column[IP6_SOURCE];
	const __m512i *destination = &g->column[IP6_DESTINATION];
	__m512i differs = all(0);

	for (unsigned n = 0; n < 4; n++)
		differs = _mm512_or_si512(differs, _mm512_xor_si512(source[n], destination[n]));
	lanes = _mm512_mask_test_epi32_mask(lanes, differs, differs);
	return addresses_ip6(destination, addresses_ip6(source, lanes, true), false);
}

/* tcp_flags_are_valid(): a bit for each combination of the lowest five without PSH. */
static TARGET_INLINE __mmask16
flags_are_valid(__mmask16 lanes, __m512i head)
{
	const uint32_t plain = 1u << TCP_SYN | 1u << (TCP_SYN | TCP_ACK) | 1u << TCP_RST |
			       1u << (TCP_RST | TCP_ACK) | 1u << (TCP_FIN | TCP_ACK) |
			       1u << TCP_ACK;
	const uint32_t urgent = 1u << TCP_SYN | 1u << (TCP_FIN | TCP_ACK) | 1u << TCP_ACK;
	const __m512i flags = _mm512_srli_epi32(head, 8);
	const __m512i allowed = _mm512_mask_mov_epi32(
			all(plain), _mm512_test_epi32_mask(flags, all(TCP_URG)), all(urgent));
	const __m512i which = _mm512_and_si512(flags, all(TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK));

	return _mm512_mask_test_epi32_mask(lanes, _mm512_srlv_epi32(allowed, which), all(1));
}

/* pkt->window, flags and tcp_header_length in one word. */
static TARGET_INLINE __m512i
head_word(const struct group *g)
{
	const __m512i head = host32(g->head);
	const __m512i length = _mm512_and_si512(_mm512_srli_epi32(head, 2), all(0x3c000000));

	return _mm512_or_si512(_mm512_and_si512(head, all(0xffffff)), length);
}

/* All of pkt_check_tcp() but TCP's checksum and options. */
static TARGET_INLINE __mmask16
headers_are_sound(const struct group *g, __m512i head_words)
{
	const __m512i csum = _mm512_and_si512(_mm512_srli_epi32(g->misc, 16), all(0xff));
	const __m512i header_length = _mm512_srli_epi32(head_words, 24);
	__mmask16 sound = sources_ip4(g, g->ip4);

	sound = sum_is_right(sound, sum_columns(g, IP4_LENGTH, IP4_DESTINATION)) |
		_mm512_mask_cmpeq_epi32_mask(sound, csum, all(PKT_CSUM_GOOD));
	if (g->ip6 != 0)
		sound |= sources_ip6(g, g->ip6);
	sound = _mm512_mask_cmpneq_epi32_mask(sound, csum, all(PKT_CSUM_BAD));
	sound = _mm512_mask_cmpge_epi32_mask(sound, header_length, all(TCP_BYTES_MIN));
	sound = _mm512_mask_cmple_epi32_mask(sound, header_length, g->l4_length);
	sound = _mm512_mask_test_epi32_mask(sound, unbiased(g->ports), all(0xffff));
	return flags_are_valid(sound, g->head);
}

/* Where the sum is whole and right, or the port's word counts. */
static TARGET_INLINE __mmask16
sums_are_right(const struct group *g, __mmask16 sound, __m512i sum)
{
	const __m512i csum = _mm512_and_si512(_mm512_srli_epi32(g->misc, 16), all(0xff));
	const __mmask16 whole =
			_mm512_mask_cmple_epi32_mask(sound, g->ip_length, all(PKT_READ_IP_BYTES));

	return sum_is_right(whole, sum) |
	       _mm512_mask_cmpeq_epi32_mask(sound, csum, all(PKT_CSUM_GOOD)) |
	       _mm512_mask_cmpeq_epi32_mask(sound, csum, all(PKT_CSUM_LATER));
}

static_assert(offsetof(struct tcp_opt, tsval) == 0 && offsetof(struct tcp_opt, tsecr) == 4 &&
				offsetof(struct tcp_opt, mss) == 8 &&
				offsetof(struct tcp_opt, wscale) == 10 &&
				offsetof(struct tcp_opt, sack_blocks) == 11 &&
				offsetof(struct tcp_opt, sack_offset) == 12 &&
				offsetof(struct tcp_opt, timestamp_offset) == 13 &&
				offsetof(struct tcp_opt, sack_permitted) == 14 &&
				offsetof(struct tcp_opt, has_timestamp) == 15 &&
				sizeof(struct tcp_opt) == 16,
		"options as four words");

#define OPT_WORD_SCALE_ABSENT ((uint32_t)TCP_WSCALE_NONE << 16)
#define OPT_WORD_TIMESTAMP_AT(offset) ((offset) << 8 | 1u << 24)
#define OPT_WORD_SACK_PERMITTED (1u << 16)

/*
 * Options of the layouts that nearly all segments have, as struct tcp_opt; returns where. None;
 * timestamps behind NOPs; those of a Linux SYN.
 */
static TARGET_INLINE __mmask16
options_read(const struct group *g, __mmask16 sound, __m512i head_words, __m512i *options)
{
	const __m512i *column = g->options;
	const __m512i length = _mm512_srli_epi32(head_words, 24);
	const __mmask16 none = _mm512_mask_cmpeq_epi32_mask(sound, length, all(TCP_BYTES_MIN));
	__mmask16 stamped = _mm512_mask_cmpeq_epi32_mask(sound, length, all(TCP_BYTES_MIN + 12));
	__mmask16 linux_syn = _mm512_mask_cmpeq_epi32_mask(sound, length, all(TCP_BYTES_MIN + 20));
	__m512i scale;

	stamped = column_is(stamped, column[0], ~0u, OPT_WORD_NOPS_TIMESTAMP);
	linux_syn = column_is(linux_syn, column[0], 0xffff0000, OPT_WORD_MSS);
	linux_syn = column_is(linux_syn, column[1], ~0u, OPT_WORD_SACK_TIMESTAMP);
	linux_syn = column_is(linux_syn, column[4], 0xffffff00, OPT_WORD_NOP_WSCALE);

	options[0] = _mm512_mask_mov_epi32(column[1], linux_syn, column[2]);
	options[0] = _mm512_maskz_mov_epi32(stamped | linux_syn, host32(options[0]));
	options[1] = _mm512_mask_mov_epi32(column[2], linux_syn, column[3]);
	options[1] = _mm512_maskz_mov_epi32(stamped | linux_syn, host32(options[1]));
	scale = _mm512_min_epu32(_mm512_srli_epi32(unbiased(column[4]), 24), all(TCP_WSCALE_MAX));
	options[2] = _mm512_mask_or_epi32(all(OPT_WORD_SCALE_ABSENT), linux_syn,
			host16_second(column[0]), _mm512_slli_epi32(scale, 16));
	options[3] = _mm512_maskz_mov_epi32(stamped, all(OPT_WORD_TIMESTAMP_AT(2u)));
	options[3] = _mm512_mask_mov_epi32(options[3], linux_syn,
			all(OPT_WORD_TIMESTAMP_AT(6u) | OPT_WORD_SACK_PERMITTED));
	return none | stamped | linux_syn;
}

static_assert(offsetof(struct pkt, seq) == offsetof(struct pkt, tuple) + 48 &&
				offsetof(struct pkt, ack) == offsetof(struct pkt, seq) + 4 &&
				offsetof(struct pkt, window) == offsetof(struct pkt, seq) + 8 &&
				offsetof(struct pkt, flags) == offsetof(struct pkt, seq) + 10 &&
				offsetof(struct pkt, tcp_header_length) ==
						offsetof(struct pkt, seq) + 11 &&
				offsetof(struct pkt, l4_length) == offsetof(struct pkt, seq) + 12 &&
				offsetof(struct pkt, opt) == offsetof(struct pkt, seq) + 16,
		"numbers as four words, behind the tuple");

static_assert(offsetof(struct pkt, l3_offset) == offsetof(struct pkt, opt) + 16 &&
				offsetof(struct pkt, ttl) == offsetof(struct pkt, l3_offset) + 1 &&
				offsetof(struct pkt, tos) == offsetof(struct pkt, l3_offset) + 2 &&
				offsetof(struct pkt, from) == offsetof(struct pkt, l3_offset) + 3 &&
				offsetof(struct pkt, l4_offset) ==
						offsetof(struct pkt, l3_offset) + 4 &&
				offsetof(struct pkt, reason) ==
						offsetof(struct pkt, l3_offset) + 6 &&
				offsetof(struct pkt, checked) ==
						offsetof(struct pkt, l3_offset) + 7 &&
				offsetof(struct pkt, flow_label) ==
						offsetof(struct pkt, l3_offset) + 8 &&
				offsetof(struct pkt, csum_begun) ==
						offsetof(struct pkt, l3_offset) + 12 &&
				sizeof(struct pkt) == offsetof(struct pkt, l3_offset) + 16,
		"the rest as four words");

/* The last sixteen bytes of a packet; checked: its bits, shifted to their place. */
static TARGET_INLINE void
rest_words(const struct group *g, enum side from, __m512i checked, __m512i sum, __m512i *rest)
{
	const __m512i first = unbiased(g->column[1]);
	const __m512i tag = _mm512_maskz_mov_epi32(g->tagged, all(VLAN_TAG_BYTES));
	__m512i ttl = _mm512_slli_epi32(_mm512_and_si512(g->column[IP4_PROTOCOL], all(0xff)), 8);
	__m512i tos = _mm512_slli_epi32(_mm512_and_si512(first, all(0xff00)), 8);
	__m512i l4_offset = all(ETHER_BYTES + IP4_BYTES_MIN);

	rest[2] = all(0);
	if (g->ip6 != 0) {
		const __m512i host = host32(g->column[IP6_FIRST]);

		rest[2] = _mm512_maskz_and_epi32(g->ip6, host, all(0xfffff));
		ttl = _mm512_mask_mov_epi32(ttl, g->ip6,
				bytes_of(unbiased(g->column[IP6_NEXT]), 0x80, 3, 0x80, 0x80));
		tos = _mm512_mask_and_epi32(tos, g->ip6, _mm512_srli_epi32(host, 4), all(0xff0000));
		l4_offset = _mm512_mask_mov_epi32(l4_offset, g->ip6, all(ETHER_BYTES + IP6_BYTES));
	}
	rest[0] = _mm512_add_epi32(tag, all(ETHER_BYTES | (uint32_t)from << 24));
	rest[0] = _mm512_or_si512(_mm512_or_si512(rest[0], ttl), tos);
	rest[1] = _mm512_or_si512(_mm512_add_epi32(tag, l4_offset), checked);
	rest[3] = sum;
}

/* Ports, tags, family, and nothing. */
static TARGET_INLINE void
ends_words(const struct group *g, enum side from, __m512i *ends)
{
	const __m512i tag = bytes_of(unbiased(g->column[ETHER]), 1, 0, 0x80, 0x80);
	const __m512i vlan = _mm512_or_si512(
			_mm512_and_si512(tag, all(0xfff)), all(VLAN_TAG_8100 << 12));

	ends[0] = from == SIDE_CLIENT ? bytes_of(unbiased(g->ports), 1, 0, 3, 2)
				      : bytes_of(unbiased(g->ports), 3, 2, 1, 0);
	ends[1] = _mm512_maskz_mov_epi32(g->tagged, vlan);
	ends[2] = _mm512_mask_mov_epi32(all(FAMILY_IP4), g->ip6, all(FAMILY_IP6));
	ends[3] = all(0);
}

static_assert(offsetof(struct tuple, backend) == 16 && offsetof(struct tuple, client_port) == 32 &&
				offsetof(struct tuple, backend_port) == 34 &&
				offsetof(struct tuple, vlan) == 36 &&
				offsetof(struct tuple, family) == 40 &&
				offsetof(struct tuple, zero) == 44,
		"addresses, and four words");

/* How the 32 bytes of a row that hold both addresses become those of a tuple. */
static const struct layout {
	uint32_t order[8]; /* of the words */
	uint32_t others[8];
	uint32_t at;	/* in the row */
	__mmask8 which; /* of the words are taken from there */
} layouts[2][SIDE_COUNT] = {
		{{{[7] = 1}, {[2] = 0xffff0000, [6] = 0xffff0000}, 4 * IP4_SOURCE, 0x88},
				{{[3] = 1}, {[2] = 0xffff0000, [6] = 0xffff0000}, 4 * IP4_SOURCE,
						0x88}},
		{{{0, 1, 2, 3, 4, 5, 6, 7}, {0}, 4 * IP6_SOURCE, 0xff},
				{{4, 5, 6, 7, 0, 1, 2, 3}, {0}, 4 * IP6_SOURCE, 0xff}},
};

static TARGET_INLINE void
addresses_store(const struct group *g, __mmask16 lanes, const struct layout *layout)
{
	const __m256i order = _mm256_loadu_si256((const void *)layout->order);
	const __m256i others = _mm256_loadu_si256((const void *)layout->others);
	const __mmask8 which = layout->which;
	const uint32_t at = layout->at;

	for (unsigned i = 0; i < LANES; i++) {
		__m256i words = _mm256_loadu_si256((const void *)(g->rows[i] + at));

		words = _mm256_mask_permutexvar_epi32(others, which, order, words);
		if (LIKELY(lanes >> i & 1))
			_mm256_storeu_si256((void *)&g->pkts[i].tuple, words);
	}
}

/* What a packet is told in its last 64 bytes, by the sixteen; column by column, then turned. */
struct result {
	__m512i ends[4], numbers[4], options[4], rest[4];
};

static_assert(offsetof(struct pkt, seq) == offsetof(struct pkt, tuple.client_port) + 16 &&
				sizeof(struct pkt) == offsetof(struct pkt, tuple.client_port) + 64,
		"a line is stored at once");

static TARGET_INLINE void
lines_store(const struct group *g, struct result *result)
{
	const unsigned common = g->ip4 | g->ip6;

	turn_quarters(result->ends);
	turn_quarters(result->numbers);
	turn_quarters(result->options);
	turn_quarters(result->rest);
	for (unsigned n = 0; n < 4; n++) {
		__m512i lines[LANES];

		turn_whole(lines, 0, result->ends[n], result->numbers[n], result->options[n],
				result->rest[n]);
		for (unsigned i = 0; i < 4; i++) {
			struct pkt *pkt = &g->pkts[4 * i + n];

			if (UNLIKELY(!(common >> (4 * i + n) & 1)))
				continue;
			_mm512_storeu_si512(&pkt->tuple.client_port, lines[4 * i]);
			pkt->kind = PKT_TCP;
		}
	}
}

static TARGET_INLINE void
group_store(const struct group *g, enum side from, struct result *result)
{
	if (g->ip4 != 0)
		addresses_store(g, g->ip4, &layouts[0][from]);
	if (g->ip6 != 0)
		addresses_store(g, g->ip6, &layouts[1][from]);
	lines_store(g, result);
}

/* Where a column is what the first lane has there. */
static TARGET_INLINE __mmask16
same_as_first(__mmask16 lanes, __m512i column, uint32_t mask)
{
	const __m512i first = _mm512_broadcastd_epi32(_mm512_castsi512_si128(column));

	return _mm512_mask_testn_epi32_mask(lanes, _mm512_xor_si512(column, first), all(mask));
}

/* Of packets that are sound in every way. */
static TARGET_INLINE struct pkt_alike
alike_find(const struct group *g, __mmask16 sound, enum side from)
{
	const unsigned at = g->ip6 != 0 ? IP6_DESTINATION : IP4_DESTINATION;
	const unsigned last = IP6_DESTINATION + 3;
	__mmask16 same = sound, syns;

	if (from != SIDE_CLIENT || (g->ip4 != 0 && g->ip6 != 0) || !(sound & 1))
		return (struct pkt_alike){0};
	same = same_as_first(same, g->ports, htobe32(0xffff));
	same = same_as_first(same, g->column[at], ~0u);
	for (unsigned n = IP6_DESTINATION + 1; g->ip6 != 0 && n <= last; n++)
		same = same_as_first(same, g->column[n], ~0u);
	syns = _mm512_mask_cmpeq_epi32_mask(same,
			_mm512_and_si512(g->head, all((TCP_SYN | TCP_ACK) << 8)),
			all(TCP_SYN << 8));
	return (struct pkt_alike){
			.syns = syns,
			.acks = _mm512_mask_testn_epi32_mask(
					same, g->head, all((TCP_SYN | TCP_RST) << 8)),
	};
}

TARGET struct pkt_alike
pkt_read_avx512(struct pkt *pkts, enum side from)
{
	struct group g;
	struct result result;
	__mmask16 sound, summed, read;
	__m512i head_words, sum, checked;

	g.pkts = pkts; /* all else is filled step by step: zeroing it first would show */
	words_of_caller(&g);
	rows_find(&g);
	columns_load(&g);
	tags_skip(&g);
	shapes_find(&g);
	more_find(&g);
	columns_cut(&g);
	fields_pick(&g);

	head_words = head_word(&g);
	sum = tcp_sum(&g);
	sound = headers_are_sound(&g, head_words);
	summed = sums_are_right(&g, sound, sum);
	read = options_read(&g, sound, head_words, result.options);
	checked = _mm512_maskz_mov_epi32(sound, all((uint32_t)PKT_HEADERS_SOUND << 24));
	checked = _mm512_mask_or_epi32(
			checked, summed, checked, all((uint32_t)PKT_SUM_RIGHT << 24));
	checked = _mm512_mask_or_epi32(
			checked, read, checked, all((uint32_t)PKT_OPTIONS_READ << 24));

	result.numbers[0] = host32(g.seq);
	result.numbers[1] = host32(g.ack);
	result.numbers[2] = head_words;
	result.numbers[3] = g.l4_length;
	rest_words(&g, from, checked, sum, result.rest);
	ends_words(&g, from, result.ends);
	group_store(&g, from, &result);
	return alike_find(&g, sound & summed & read, from);
}
