/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option walker against numbered cases and against a twin that first cuts the block into
 * options and then looks for each kind; the builders against the walker's twin and by size.
 */
#include "net/tcp_opt.h"

#include <endian.h>
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

/* One option as the twin cuts it out. */
struct piece {
	unsigned kind, length, offset;
};

/* Cuts a block up; -1 when a length is wrong. */
static int
cut(const uint8_t *block, unsigned length, struct piece *pieces)
{
	int count = 0;
	unsigned i;

	for (i = 0; i < length; i += pieces[count++].length) {
		pieces[count].kind = block[i];
		pieces[count].offset = i;
		pieces[count].length = 1;
		if (block[i] == PACKET_OPTION_END)
			return count;
		if (block[i] == PACKET_OPTION_NOP)
			continue;
		if (i + 1 == length)
			return -1;
		pieces[count].length = block[i + 1];
		if (pieces[count].length < 2)
			return -1;
	}
	return i == length ? count : -1;
}

static const struct piece *
find_piece(const struct piece *pieces, int count, unsigned kind, unsigned length)
{
	for (int i = 0; i < count; i++)
		if (pieces[i].kind == kind && pieces[i].length == length)
			return &pieces[i];
	return NULL;
}

static uint32_t
number(const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value * 256 + *at++;
	return value;
}

/* MSS: the first that isn't 0, since 0 is how the struct says "none". */
static uint16_t
naive_mss(const uint8_t *block, const struct piece *pieces, int count)
{
	uint16_t mss = 0;

	for (int i = count - 1; i >= 0; i--)
		if (pieces[i].kind == 2 && pieces[i].length == 4 &&
				number(block + pieces[i].offset + 2, 2) != 0)
			mss = (uint16_t)number(block + pieces[i].offset + 2, 2);
	return mss;
}

static bool
naive_parse(const uint8_t *block, unsigned length, struct tcp_opt *opt)
{
	struct piece pieces[TCP_OPT_BYTES_MAX + 1];
	const struct piece *piece;
	int count = cut(block, length, pieces);
	int sacks = 0;

	memset(opt, 0, sizeof(*opt));
	opt->wscale = TCP_WSCALE_NONE;
	if (count < 0)
		return false;
	opt->mss = naive_mss(block, pieces, count);
	if ((piece = find_piece(pieces, count, 3, 3)))
		opt->wscale = block[piece->offset + 2] < 14 ? block[piece->offset + 2] : 14;
	opt->sack_permitted = find_piece(pieces, count, 4, 2) != NULL;
	for (int i = 0; i < count; i++)
		for (unsigned blocks = 1; blocks <= 4; blocks++)
			if (pieces[i].kind == 5 && pieces[i].length == 2 + 8 * blocks) {
				opt->sack_offset = (uint8_t)pieces[i].offset;
				opt->sack_blocks = (uint8_t)blocks;
				sacks++;
			}
	if (sacks != 1)
		opt->sack_blocks = 0;
	if ((piece = find_piece(pieces, count, 8, 10))) {
		opt->has_timestamp = true;
		opt->timestamp_offset = (uint8_t)piece->offset;
		opt->tsval = number(block + piece->offset + 2, 4);
		opt->tsecr = number(block + piece->offset + 6, 4);
	}
	return true;
}

static void
assert_opt_equal(const struct tcp_opt *a, const struct tcp_opt *b)
{
	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->wscale, b->wscale);
	assert_int_equal(a->sack_permitted, b->sack_permitted);
	assert_int_equal(a->sack_blocks, b->sack_blocks);
	if (b->sack_blocks > 0)
		assert_int_equal(a->sack_offset, b->sack_offset);
	assert_int_equal(a->has_timestamp, b->has_timestamp);
	if (b->has_timestamp) {
		assert_int_equal(a->timestamp_offset, b->timestamp_offset);
		assert_true(a->tsval == b->tsval);
		assert_true(a->tsecr == b->tsecr);
	}
}

/* Parses a copy in a block of exactly that size, so that a sanitizer sees every over-read. */
static bool
parse(const uint8_t *bytes, unsigned length, struct tcp_opt *opt)
{
	uint8_t *block = malloc(length + !length);
	bool result;

	assert_non_null(block);
	memcpy(block, bytes, length);
	result = tcp_opt_parse(block, length, opt);
	free(block);
	return result;
}

static void
assert_as_twin(const uint8_t *bytes, unsigned length)
{
	struct tcp_opt opt, twin;
	bool expected = naive_parse(bytes, length, &twin);

	memset(&opt, 0xa5, sizeof(opt));
	assert_int_equal(parse(bytes, length, &opt), expected);
	if (expected)
		assert_opt_equal(&opt, &twin);
}

#define MSS(n) 2, 4, (n) >> 8, (n)&255
#define WSCALE(n) 3, 3, (n)
#define SACK_PERMITTED 4, 2
#define TIMESTAMP(a, b) 8, 10, 0, 0, 0, (a), 0, 0, 0, (b)
#define SACK_BLOCK 0, 0, 0, 1, 0, 0, 0, 2

static const struct {
	uint8_t bytes[TCP_OPT_BYTES_MAX];
	unsigned length;
	bool is_valid;
	struct tcp_opt opt;
} cases[] = {
#define NONE .wscale = TCP_WSCALE_NONE
		/* 0: nothing */
		{{0}, 0, true, {NONE}},
		/* 1: end of list; what follows doesn't count, not even as malformed */
		{{0, 2, 4, 5, 0xb4, 8, 0}, 8, true, {NONE}},
		/* 2: only NOPs */
		{{1, 1, 1, 1}, 4, true, {NONE}},
		/* 3: Linux's SYN */
		{{MSS(1460), SACK_PERMITTED, TIMESTAMP(7, 0), 1, WSCALE(7)}, 20, true,
				{.mss = 1460,
						.wscale = 7,
						.sack_permitted = true,
						.has_timestamp = true,
						.timestamp_offset = 6,
						.tsval = 7}},
		/* 4: Windows' SYN */
		{{MSS(1460), 1, WSCALE(8), 1, 1, SACK_PERMITTED}, 12, true,
				{.mss = 1460, .wscale = 8, .sack_permitted = true}},
		/* 5: every later segment */
		{{1, 1, TIMESTAMP(7, 9)}, 12, true,
				{NONE, .has_timestamp = true, .timestamp_offset = 2, .tsval = 7,
						.tsecr = 9}},
		/* 6: the same in 13 bytes of which the last is malformed */
		{{1, 1, TIMESTAMP(7, 9), 5}, 13, false, {NONE}},
		/* 7: timestamps at the block's start, then one SACK block at an odd offset */
		{{TIMESTAMP(1, 2), 1, 5, 10, SACK_BLOCK, 1, 1, 1}, 24, true,
				{NONE, .has_timestamp = true, .tsval = 1, .tsecr = 2,
						.sack_blocks = 1, .sack_offset = 11}},
		/* 8: four SACK blocks */
		{{5, 34, SACK_BLOCK, SACK_BLOCK, SACK_BLOCK, SACK_BLOCK}, 34, true,
				{NONE, .sack_blocks = 4}},
		/* 9: a SACK option of no block, and one of half a block, count as absent */
		{{5, 2, 5, 6, 0, 0, 0, 0}, 8, true, {NONE}},
		/* 10: two SACK options count as none */
		{{5, 10, SACK_BLOCK, 5, 10, SACK_BLOCK}, 20, true, {NONE}},
		/* 11: three as well */
		{{5, 10, SACK_BLOCK, 5, 10, SACK_BLOCK, 5, 10, SACK_BLOCK}, 30, true, {NONE}},
		/* 12: no scale above 14 */
		{{WSCALE(15)}, 3, true, {.wscale = 14}},
		/* 13 */
		{{WSCALE(255)}, 3, true, {.wscale = 14}},
		/* 14 */
		{{WSCALE(14)}, 3, true, {.wscale = 14}},
		/* 15: a scale of 0 is not none */
		{{WSCALE(0)}, 3, true, {.wscale = 0}},
		/* 16: the first of each counts */
		{{MSS(1000), MSS(2000), WSCALE(3), WSCALE(4), TIMESTAMP(1, 2), TIMESTAMP(3, 4)}, 34,
				true,
				{.mss = 1000,
						.wscale = 3,
						.has_timestamp = true,
						.timestamp_offset = 14,
						.tsval = 1,
						.tsecr = 2}},
		/* 17: with the wrong length it doesn't */
		{{2, 3, 9, MSS(2000), 3, 4, 9, 9, WSCALE(4), 4, 3, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9},
				26, true, {.mss = 2000, .wscale = 4}},
		/* 18: length 0 */
		{{2, 0, 1, 1}, 4, false, {NONE}},
		/* 19: length 1 */
		{{254, 1, 1, 1}, 4, false, {NONE}},
		/* 20: no length byte */
		{{1, 1, 1, 2}, 4, false, {NONE}},
		/* 21: one byte too long */
		{{1, 2, 4, 5}, 4, false, {NONE}},
		/* 22: length 255 */
		{{253, 255, 0, 0}, 4, false, {NONE}},
		/* 23: kinds nobody knows here are skipped (TFO, MD5 by length, MPTCP) */
		{{34, 2, 19, 18, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 30, 4, 9, 9,
				 MSS(536)},
				28, true, {NONE, .mss = 536}},
		/* 24: an option that ends exactly with the block */
		{{1, 1, SACK_PERMITTED}, 4, true, {NONE, .sack_permitted = true}},
		/* 25: Linux's SYN without timestamps */
		{{MSS(1460), 1, 1, SACK_PERMITTED, 1, WSCALE(7)}, 12, true,
				{.mss = 1460, .wscale = 7, .sack_permitted = true}},
		/* 26: macOS's SYN */
		{{MSS(1440), 1, WSCALE(6), 1, 1, TIMESTAMP(7, 0), SACK_PERMITTED, 0, 0}, 24, true,
				{.mss = 1440,
						.wscale = 6,
						.sack_permitted = true,
						.has_timestamp = true,
						.timestamp_offset = 10,
						.tsval = 7}},
		/* 27: timestamps and 1 SACK block */
		{{1, 1, TIMESTAMP(1, 2), 1, 1, 5, 10}, 24, true,
				{NONE, .sack_blocks = 1, .sack_offset = 14, .has_timestamp = true,
						.timestamp_offset = 2, .tsval = 1, .tsecr = 2}},
		/* 28: timestamps and 2 SACK blocks */
		{{1, 1, TIMESTAMP(1, 2), 1, 1, 5, 18}, 32, true,
				{NONE, .sack_blocks = 2, .sack_offset = 14, .has_timestamp = true,
						.timestamp_offset = 2, .tsval = 1, .tsecr = 2}},
		/* 29: timestamps and 3 SACK blocks */
		{{1, 1, TIMESTAMP(1, 2), 1, 1, 5, 26}, 40, true,
				{NONE, .sack_blocks = 3, .sack_offset = 14, .has_timestamp = true,
						.timestamp_offset = 2, .tsval = 1, .tsecr = 2}},
		/* 30: 1 SACK block */
		{{1, 1, 5, 10}, 12, true, {NONE, .sack_blocks = 1, .sack_offset = 2}},
		/* 31: 2 SACK blocks */
		{{1, 1, 5, 18}, 20, true, {NONE, .sack_blocks = 2, .sack_offset = 2}},
		/* 32: 3 SACK blocks */
		{{1, 1, 5, 26}, 28, true, {NONE, .sack_blocks = 3, .sack_offset = 2}},
		/* 33: 4 SACK blocks */
		{{1, 1, 5, 34}, 36, true, {NONE, .sack_blocks = 4, .sack_offset = 2}},
#undef NONE
};

static void
test_cases(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tcp_opt opt;

		print_message("case %u\n", i);
		assert_int_equal(parse(cases[i].bytes, cases[i].length, &opt), cases[i].is_valid);
		if (cases[i].is_valid)
			assert_opt_equal(&opt, &cases[i].opt);
		assert_as_twin(cases[i].bytes, cases[i].length);
	}
}

static void
test_pitfall_22_every_truncation(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		for (unsigned length = 0; length < cases[i].length; length++)
			assert_as_twin(cases[i].bytes, length);
}

/* Every byte of every case replaced by every value. */
static void
test_every_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		for (unsigned at = 0; at < cases[i].length; at++)
			for (unsigned value = 0; value < 256; value++) {
				uint8_t bytes[TCP_OPT_BYTES_MAX];

				memcpy(bytes, cases[i].bytes, sizeof(bytes));
				bytes[at] = (uint8_t)value;
				assert_as_twin(bytes, cases[i].length);
			}
}

/* The layouts that are read at one go, with up to four bytes replaced. */
static void
test_nearly_known(void **state)
{
	static const unsigned known[] = {3, 4, 5, 25, 26, 27, 28, 29, 30, 31, 32, 33};
	uint64_t seed = 5;

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		unsigned i = known[n % ARRAY_COUNT(known)];
		uint64_t r = packet_random(&seed);
		uint8_t bytes[TCP_OPT_BYTES_MAX];

		memcpy(bytes, cases[i].bytes, sizeof(bytes));
		for (unsigned changes = r % 5; changes > 0; changes--) {
			r = packet_random(&seed);
			bytes[r % cases[i].length] =
					r >> 32 & 1 ? (uint8_t)(r >> 40) : r >> 40 & 15;
		}
		assert_as_twin(bytes, cases[i].length);
	}
}

/* Random bytes are soon malformed, so kinds and lengths are often drawn from those that matter. */
static void
random_options(uint8_t *bytes, unsigned length, uint64_t *seed)
{
	static const uint8_t likely[] = {0, 1, 1, 2, 3, 4, 5, 8, 2, 3, 4, 10, 10, 10, 18, 26};
	unsigned at = 0;

	for (unsigned i = 0; i < length; i++) {
		uint64_t r = packet_random(seed);

		bytes[i] = r % 4 ? likely[r >> 8 & 15] : (uint8_t)(r >> 16);
	}
	while (packet_random(seed) % 16 != 0 && at + 1 < length) {
		static const uint8_t whole[][2] = {
				{1, 1}, {2, 4}, {3, 3}, {4, 2}, {5, 10}, {5, 18}, {8, 10}, {99, 5}};
		const uint8_t *option = whole[packet_random(seed) % ARRAY_COUNT(whole)];

		bytes[at] = option[0];
		if (option[1] > 1)
			bytes[at + 1] = option[1];
		at += option[1];
	}
}

static void
test_random(void **state)
{
	uint64_t seed = 1;
	unsigned valid = 0;

	(void)state;
	for (unsigned length = 0; length <= TCP_OPT_BYTES_MAX; length++)
		for (unsigned n = 0; n < 10000; n++) {
			uint8_t bytes[TCP_OPT_BYTES_MAX];
			struct tcp_opt twin;

			random_options(bytes, length, &seed);
			assert_as_twin(bytes, length);
			valid += naive_parse(bytes, length, &twin);
		}
	/* Both outcomes were really compared. */
	assert_in_range(valid, 41 * 10000 / 10, 41 * 10000 / 10 * 9);
}

/* Linux tcp_options_write: MSS, then SACK-permitted and timestamps sharing words, then scale. */
static const struct {
	bool sack_permitted, has_timestamp, has_wscale;
	unsigned length;
	uint8_t bytes[20];
} layouts[] = {
#define TS 8, 10, 1, 2, 3, 4, 5, 6, 7, 8
		/* 0 */ {false, false, false, 4, {MSS(1460)}},
		/* 1 */ {false, false, true, 8, {MSS(1460), 1, WSCALE(7)}},
		/* 2 */ {false, true, false, 16, {MSS(1460), 1, 1, TS}},
		/* 3 */ {false, true, true, 20, {MSS(1460), 1, 1, TS, 1, WSCALE(7)}},
		/* 4 */ {true, false, false, 8, {MSS(1460), 1, 1, SACK_PERMITTED}},
		/* 5 */ {true, false, true, 12, {MSS(1460), 1, 1, SACK_PERMITTED, 1, WSCALE(7)}},
		/* 6 */ {true, true, false, 16, {MSS(1460), SACK_PERMITTED, TS}},
		/* 7 */ {true, true, true, 20, {MSS(1460), SACK_PERMITTED, TS, 1, WSCALE(7)}},
#undef TS
};

static void
test_build_syn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(layouts); i++) {
		struct tcp_opt_syn syn = {
				.mss = 1460,
				.wscale = layouts[i].has_wscale ? 7 : TCP_WSCALE_NONE,
				.sack_permitted = layouts[i].sack_permitted,
				.has_timestamp = layouts[i].has_timestamp,
				.tsval = 0x01020304,
				.tsecr = 0x05060708,
		};
		uint8_t out[TCP_OPT_BYTES_MAX];

		memset(out, 0xa5, sizeof(out));
		assert_int_equal(tcp_opt_build_syn(out, &syn), layouts[i].length);
		assert_memory_equal(out, layouts[i].bytes, layouts[i].length);
		for (unsigned at = layouts[i].length; at < sizeof(out); at++)
			assert_int_equal(out[at], 0xa5);
	}
}

static void
test_build_round_trip(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct tcp_opt_syn syn = {
				.mss = (uint16_t)(packet_random(&seed) % 65535 + 1),
				.wscale = (uint8_t)(packet_random(&seed) % 16),
				.sack_permitted = packet_random(&seed) & 1,
				.has_timestamp = packet_random(&seed) & 1,
				.tsval = (uint32_t)packet_random(&seed),
				.tsecr = (uint32_t)packet_random(&seed),
		};
		uint8_t out[TCP_OPT_BYTES_MAX];
		struct tcp_opt opt;

		if (syn.wscale == 15)
			syn.wscale = TCP_WSCALE_NONE;
		assert_true(parse(out, tcp_opt_build_syn(out, &syn), &opt));
		assert_int_equal(opt.mss, syn.mss);
		assert_int_equal(opt.wscale, syn.wscale);
		assert_int_equal(opt.sack_permitted, syn.sack_permitted);
		assert_int_equal(opt.has_timestamp, syn.has_timestamp);
		assert_int_equal(opt.sack_blocks, 0);
		if (syn.has_timestamp)
			assert_true(opt.tsval == syn.tsval && opt.tsecr == syn.tsecr);
	}
}

static void
test_build_timestamp(void **state)
{
	static const uint8_t expected[12] = {1, 1, 8, 10, 1, 2, 3, 4, 0xfb, 0xfc, 0xfd, 0xfe};
	uint8_t out[TCP_OPT_BYTES_MAX];

	(void)state;
	memset(out, 0xa5, sizeof(out));
	assert_int_equal(tcp_opt_build_timestamp(out, 0x01020304, 0xfbfcfdfe), 12);
	assert_memory_equal(out, expected, sizeof(expected));
	assert_int_equal(out[12], 0xa5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_cases),
			cmocka_unit_test(test_pitfall_22_every_truncation),
			cmocka_unit_test(test_every_byte),
			cmocka_unit_test(test_nearly_known),
			cmocka_unit_test(test_random),
			cmocka_unit_test(test_build_syn),
			cmocka_unit_test(test_build_round_trip),
			cmocka_unit_test(test_build_timestamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
