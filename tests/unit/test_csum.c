/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum against a twin that adds big-endian 16-bit numbers one by one, and
 * changes by difference against sums made anew.
 */
#include "net/csum.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/kernel.h"
#include "packets.h"

#define BYTES_MAX 300

/* Values at which one's complement goes wrong first. */
static const uint16_t corners[] = {
		0x0000,
		0x0001,
		0x00ff,
		0x0100,
		0x7fff,
		0x8000,
		0xff00,
		0xfffe,
		0xffff,
};

static unsigned
naive_add(unsigned sum, unsigned word)
{
	sum += word;
	return sum > 0xffff ? sum - 0xffff : sum;
}

static unsigned
naive_sum(const uint8_t *bytes, size_t length)
{
	unsigned sum = 0;

	for (size_t i = 0; i < length; i++)
		sum = naive_add(sum, i % 2 == 0 ? bytes[i] * 256u : bytes[i]);
	return sum;
}

static void
fill(uint8_t *bytes, size_t length, uint64_t *seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)packet_random(seed);
}

static void
test_every_length(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t length = 0; length <= BYTES_MAX; length++)
		for (size_t shift = 0; shift < 8; shift++) {
			/* Its own block, so that a sanitizer sees a read behind its end. */
			uint8_t *block = malloc(shift + length + !length);

			assert_non_null(block);
			fill(block + shift, length, &seed);
			assert_int_equal(be16toh(csum_fold(csum_add(0, block + shift, length))),
					naive_sum(block + shift, length));
			free(block);
		}
}

static void
test_extremes(void **state)
{
	static uint8_t bytes[65535 + 60];

	(void)state;
	assert_int_equal(csum_fold(csum_add(0, bytes, sizeof(bytes))), 0);
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t length = sizeof(bytes) - 16; length <= sizeof(bytes); length++)
		assert_int_equal(be16toh(csum_fold(csum_add(0, bytes, length))),
				naive_sum(bytes, length));
}

/* A sum may be made in parts, as long as all but the last are even. */
static void
test_parts(void **state)
{
	uint8_t bytes[BYTES_MAX];
	uint64_t seed = 2;

	(void)state;
	fill(bytes, sizeof(bytes), &seed);
	for (size_t cut = 0; cut < BYTES_MAX; cut += 2) {
		uint64_t sum = csum_add(0, bytes, cut);

		sum = csum_add(sum, bytes + cut, sizeof(bytes) - cut - 1);
		assert_int_equal(be16toh(csum_fold(sum)), naive_sum(bytes, sizeof(bytes) - 1));
	}
}

/* A checksum carried along is the one made anew, to the bit: where that is 0x0000 too, which the
 * update of RFC 1141 has as 0xffff (RFC 1624 3). */
static void
test_pitfall_20_update(void **state)
{
	uint8_t bytes[8] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	bool has_met_zero = false;
	uint16_t old, check;

	(void)state;
	memcpy(&old, bytes, sizeof(old));
	check = csum_ip4(bytes, sizeof(bytes));
	for (unsigned value = 0; value <= UINT16_MAX; value++) {
		uint16_t new = (uint16_t)value, anew;

		memcpy(bytes, &new, sizeof(new));
		anew = csum_ip4(bytes, sizeof(bytes));
		assert_int_equal(csum_apply(check, csum_diff16(0, old, new)), anew);
		has_met_zero = has_met_zero || anew == 0;
	}
	assert_true(has_met_zero);
}

static void
test_fold(void **state)
{
	static const struct {
		uint64_t sum;
		uint16_t folded;
	} cases[] = {
			/* 0 */ {0, 0},
			/* 1 */ {0xffff, 0xffff},
			/* 2 */ {0x10000, 1},
			/* 3 */ {0x1fffe, 0xffff},
			/* 4 */ {0xffffffff, 0xffff},
			/* 5 */ {0x100000000, 1},
			/* 6 */ {0xffff0001, 1},
			/* 7 */ {UINT64_MAX, 0xffff},
			/* 8 */ {0xfffffffffffffffe, 0xfffe},
			/* 9 */ {0x8000800080008000, 2},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(csum_fold(cases[i].sum), cases[i].folded);
}

/*
 * Pseudo-headers written out byte by byte; the same tuple must serve both directions, which the
 * sum does by not knowing them.
 */
static void
test_pseudo(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		bool is_ip4 = n % 2;
		size_t size = is_ip4 ? 4 : 16;
		uint32_t length = 20 + (uint32_t)packet_random(&seed) % 65516;
		struct tuple tuple = {.family = is_ip4 ? FAMILY_IP4 : FAMILY_IP6};
		uint8_t header[40] = {0};

		fill(header, 2 * size, &seed);
		if (is_ip4) {
			uint32_t words[2];

			memcpy(words, header, sizeof(words));
			tuple.client = ip_addr_from_ip4(words[0]);
			tuple.backend = ip_addr_from_ip4(words[1]);
		} else {
			memcpy(&tuple.client, header, 16);
			memcpy(&tuple.backend, header + 16, 16);
		}
		header[2 * size + 2] = (uint8_t)(length >> 8);
		header[2 * size + 3] = (uint8_t)length;
		header[2 * size + 7] = 6;
		assert_int_equal(be16toh(csum_fold(csum_pseudo(&tuple, length))),
				naive_sum(header, 2 * size + 8));
	}
}

static void
test_ip4(void **state)
{
	/* 192.168.0.1 to 192.168.0.199, UDP, 115 bytes: its checksum is b861. */
	static const uint8_t known[20] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61,
			0xc0, 0xa8, 0, 0x01, 0xc0, 0xa8, 0, 0xc7};
	uint8_t header[60];
	uint64_t seed = 5;

	(void)state;
	assert_int_equal(csum_ip4(known, sizeof(known)), 0);
	memcpy(header, known, sizeof(known));
	header[10] = header[11] = 0;
	assert_int_equal(be16toh(csum_ip4(header, sizeof(known))), 0xb861);
	for (unsigned bit = 0; bit < 8 * sizeof(known); bit++) {
		memcpy(header, known, sizeof(known));
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(csum_ip4(header, sizeof(known)), 0);
	}
	for (unsigned length = 20; length <= sizeof(header); length += 4) {
		fill(header, length, &seed);
		assert_int_equal(be16toh(csum_ip4(header, length)),
				0xffff - naive_sum(header, length));
	}
}

/* The other way to write 0 in one's complement. */
static unsigned
not_zero(unsigned sum)
{
	return sum == 0 ? 0xffff : sum;
}

/*
 * Three words with a right checksum, for each of its 65536 values and each pair of corners: one
 * word changes, and the checksum is right again. Had it been wrong, it stays wrong by as much.
 * The third word is never 0, as a pseudo-header never is: it names the protocol.
 */
static void
test_apply_16(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(corners); i++)
		for (unsigned j = 0; j < ARRAY_COUNT(corners); j++) {
			uint16_t old = corners[i], new = corners[j];
			uint64_t diff = csum_diff16(0, old, new);

			for (unsigned check = 0; check <= 0xffff; check++) {
				unsigned other = not_zero(0xffff - naive_add(old, check));
				unsigned changed = csum_apply((uint16_t)check, diff);
				unsigned bad = csum_apply((uint16_t)(check ^ 0x0100), diff);
				unsigned rest = naive_add(new, other);

				if (naive_add(rest, changed) != 0xffff ||
						naive_add(rest, bad) !=
								naive_add(naive_add(old, other),
										check ^ 0x0100))
					fail_msg("check %04x, %04x -> %04x", check, old, new);
			}
		}
}

static void
test_no_change(void **state)
{
	(void)state;
	for (unsigned check = 0; check <= 0xffff; check++)
		assert_int_equal(csum_apply((uint16_t)check, 0), check);
}

static uint32_t
corner32(unsigned i)
{
	return (uint32_t)corners[i / ARRAY_COUNT(corners)] << 16 |
	       corners[i % ARRAY_COUNT(corners)];
}

/* Every pair of 32-bit corners, at every offset: even, odd, and not a multiple of four. */
static void
test_apply_32_at_any_offset(void **state)
{
	const unsigned corner_count = ARRAY_COUNT(corners) * ARRAY_COUNT(corners);
	uint8_t bytes[16];
	uint64_t seed = 6;

	(void)state;
	for (unsigned offset = 0; offset <= 8; offset++)
		for (unsigned i = 0; i < corner_count * corner_count; i++) {
			uint32_t old = corner32(i / corner_count), new = corner32(i % corner_count);
			unsigned check, changed;
			uint64_t diff;

			fill(bytes, sizeof(bytes), &seed);
			memcpy(bytes + offset, &old, sizeof(old));
			check = 0xffff - naive_sum(bytes, sizeof(bytes));
			memcpy(bytes + offset, &new, sizeof(new));
			diff = offset % 2 ? csum_diff32_odd(0, old, new) : csum_diff32(0, old, new);
			changed = be16toh(csum_apply(htobe16((uint16_t)check), diff));
			if (naive_add(naive_sum(bytes, sizeof(bytes)), changed) != 0xffff)
				fail_msg("offset %u, %08x -> %08x", offset, old, new);
		}
}

/* Many changes collected in one difference, as a translated segment has. */
static void
test_apply_many(void **state)
{
	uint8_t bytes[64];
	uint64_t seed = 7;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned check, changed;
		uint64_t diff = 0;

		fill(bytes, sizeof(bytes), &seed);
		check = 0xffff - naive_sum(bytes, sizeof(bytes));
		for (unsigned change = 0; change < 11; change++) {
			unsigned offset = packet_random(&seed) % (sizeof(bytes) - 3);
			uint32_t old, new = (uint32_t)packet_random(&seed);

			memcpy(&old, bytes + offset, sizeof(old));
			memcpy(bytes + offset, &new, sizeof(new));
			diff = offset % 2 ? csum_diff32_odd(diff, old, new)
					  : csum_diff32(diff, old, new);
		}
		changed = be16toh(csum_apply(htobe16((uint16_t)check), diff));
		assert_int_equal(naive_add(naive_sum(bytes, sizeof(bytes)), changed), 0xffff);
	}
}

/* Both, where this CPU has both, add as the twin does. */
static void
add_as_naive(const uint8_t *bytes, size_t length)
{
	const unsigned naive = naive_sum(bytes, length);

	assert_int_equal(be16toh(csum_fold(csum_add(0, bytes, length))), naive);
#if defined(__x86_64__)
	if (kernel_is_supported(KERNEL_AVX512))
		assert_int_equal(be16toh(csum_fold(csum_add_avx512(0, bytes, length))), naive);
#endif
}

/* 12. Any length at any address, up to the most that the wide variant takes: there all zeros, and
 * all ones, are the furthest its lanes can go. */
static void
test_long(void **state)
{
	const int fills[] = {0x00, 0xff, 0x80, 0x7f};
	uint8_t *bytes = malloc(CSUM_AVX512_BYTES_MAX);
	uint64_t random = 12;

	(void)state;
	assert_non_null(bytes);
	for (unsigned i = 0; i < sizeof(fills) / sizeof(*fills); i++) {
		memset(bytes, fills[i], CSUM_AVX512_BYTES_MAX);
		add_as_naive(bytes, CSUM_AVX512_BYTES_MAX);
	}
	for (unsigned i = 0; i < CSUM_AVX512_BYTES_MAX; i++)
		bytes[i] = (uint8_t)packet_random(&random);
	for (unsigned length = 0; length < 2000; length++)
		add_as_naive(bytes + packet_random(&random) % 2000, length);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_length),
			cmocka_unit_test(test_extremes),
			cmocka_unit_test(test_parts),
			cmocka_unit_test(test_pitfall_20_update),
			cmocka_unit_test(test_fold),
			cmocka_unit_test(test_pseudo),
			cmocka_unit_test(test_ip4),
			cmocka_unit_test(test_apply_16),
			cmocka_unit_test(test_no_change),
			cmocka_unit_test(test_apply_32_at_any_offset),
			cmocka_unit_test(test_apply_many),
			cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
