/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparison of sequence numbers, near and across the wrap at 2^32. */
#include "base/seq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* Distances a -> b; up to half the circle b comes after a. */
static const struct {
	uint32_t distance;
	bool is_before;
	bool is_after;
} distances[] = {
		/* 0 */ {0, false, false},
		/* 1 */ {1, true, false},
		/* 2 */ {2, true, false},
		/* 3 */ {0x7ffffffe, true, false},
		/* 4 */ {0x7fffffff, true, false},
		/* 5: just opposite: before each other, as in Linux before() */
		{0x80000000, true, true},
		/* 6 */ {0x80000001, false, true},
		/* 7 */ {0xfffffffe, false, true},
		/* 8 */ {0xffffffff, false, true},
};

/* Where a stands: the points at which some signed or unsigned comparison would go wrong. */
static const uint32_t starts[] = {
		0,
		1,
		2,
		0x7ffffffe,
		0x7fffffff,
		0x80000000,
		0x80000001,
		0xfffffffe,
		0xffffffff,
};

static void
test_before_after(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(distances); i++)
		for (unsigned j = 0; j < ARRAY_COUNT(starts); j++) {
			uint32_t a = starts[j];
			uint32_t b = a + distances[i].distance;

			assert_int_equal(seq_before(a, b), distances[i].is_before);
			assert_int_equal(seq_after(a, b), distances[i].is_after);
		}
}

/* Against a twin that walks in steps of one. */
static void
test_between_near(void **state)
{
	(void)state;
	for (unsigned j = 0; j < ARRAY_COUNT(starts); j++)
		for (uint32_t length = 0; length < 20; length++) {
			uint32_t first = starts[j] - 10;

			for (uint32_t at = 0; at < 40; at++) {
				uint32_t seq = first - 10 + at;
				bool expected = at >= 10 && at <= 10 + length;

				assert_int_equal(seq_between(seq, first, first + length), expected);
			}
		}
}

static void
test_between_wide(void **state)
{
	(void)state;
	for (unsigned j = 0; j < ARRAY_COUNT(starts); j++) {
		uint32_t first = starts[j];

		assert_true(seq_between(first + 5, first, first - 1));
		assert_true(seq_between(first - 1, first, first - 1));
		assert_false(seq_between(first - 1, first, first - 2));
		assert_true(seq_between(first + 0x80000000, first, first + 0xc0000000));
		assert_false(seq_between(first + 0xc0000001, first, first + 0xc0000000));
	}
}

static void
test_max(void **state)
{
	(void)state;
	for (unsigned j = 0; j < ARRAY_COUNT(starts); j++) {
		uint32_t a = starts[j];

		assert_true(seq_max(a, a) == a);
		assert_true(seq_max(a, a + 1) == a + 1);
		assert_true(seq_max(a + 1, a) == a + 1);
		assert_true(seq_max(a, a + 0x7fffffff) == a + 0x7fffffff);
		assert_true(seq_max(a, a - 0x7fffffff) == a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_before_after),
			cmocka_unit_test(test_between_near),
			cmocka_unit_test(test_between_wide),
			cmocka_unit_test(test_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
