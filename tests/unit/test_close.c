/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every cell of the state table against a twin that keeps the two directions apart, as the
 * drawing in close.h does: each is open, has a FIN under way, or is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/close.h"

enum direction { OPEN, FIN, DONE };

static const enum conn_state grid[3][3] = {
		[OPEN] = {CONN_ESTABLISHED, CONN_BACKEND_FIN, CONN_BACKEND_DONE},
		[FIN] = {CONN_CLIENT_FIN, CONN_BOTH_FIN, CONN_CLIENT_FIN_BACKEND_DONE},
		[DONE] = {CONN_CLIENT_DONE, CONN_CLIENT_DONE_BACKEND_FIN, CONN_TIME_WAIT},
};

static enum direction
twin_step(enum direction direction, bool fin, bool acked, bool is_void)
{
	if (direction == OPEN && fin)
		return FIN;
	if (direction == FIN && acked)
		return DONE;
	if (direction == FIN && is_void)
		return OPEN;
	return direction;
}

/* 1. All nine spliced states x all events. */
static void
test_grid(void **state)
{
	(void)state;
	for (enum direction client = OPEN; client <= DONE; client++)
		for (enum direction backend = OPEN; backend <= DONE; backend++)
			for (enum close_event e = 0; e < CLOSE_RESET; e++) {
				enum direction c = twin_step(client, e == CLOSE_CLIENT_FIN,
						e == CLOSE_CLIENT_FIN_ACKED,
						e == CLOSE_CLIENT_FIN_VOID);
				enum direction b = twin_step(backend, e == CLOSE_BACKEND_FIN,
						e == CLOSE_BACKEND_FIN_ACKED,
						e == CLOSE_BACKEND_FIN_VOID);

				/* The end is the end. */
				if (client == DONE && backend == DONE)
					c = b = DONE;
				assert_int_equal(close_next(grid[client][backend], e), grid[c][b]);
			}
}

/* 2. A reset ends every spliced state, and only those; nothing leads out of CONN_RESET. */
static void
test_reset(void **state)
{
	(void)state;
	for (enum conn_state s = CONN_ESTABLISHED; s < CONN_STATE_COUNT; s++)
		assert_int_equal(close_next(s, CLOSE_RESET), CONN_RESET);
	for (enum close_event e = 0; e < CLOSE_EVENT_COUNT; e++) {
		assert_int_equal(close_next(CONN_QUEUED, e), CONN_QUEUED);
		assert_int_equal(close_next(CONN_CONNECTING, e), CONN_CONNECTING);
		assert_int_equal(close_next(CONN_RESET, e), CONN_RESET);
	}
}

/* 3. The columns agree with the grid: whose FIN is under way, what counts as open. */
static void
test_columns(void **state)
{
	(void)state;
	for (enum direction client = OPEN; client <= DONE; client++)
		for (enum direction backend = OPEN; backend <= DONE; backend++) {
			enum conn_state s = grid[client][backend];

			assert_int_equal(close_fin_pending(s, SIDE_CLIENT), client == FIN);
			assert_int_equal(close_fin_pending(s, SIDE_BACKEND), backend == FIN);
			assert_int_equal(close_is_finished(s, SIDE_CLIENT), client == DONE);
			assert_int_equal(close_is_finished(s, SIDE_BACKEND), backend == DONE);
			assert_int_equal(close_is_open(s), !(client == DONE && backend == DONE));
		}
	assert_false(close_is_open(CONN_RESET));
	assert_true(close_is_finished(CONN_RESET, SIDE_CLIENT));
	assert_true(close_is_finished(CONN_RESET, SIDE_BACKEND));
	assert_false(close_is_finished(CONN_CONNECTING, SIDE_CLIENT));
	assert_false(close_is_open(CONN_QUEUED));
	assert_false(close_is_open(CONN_CONNECTING));
}

/* 4. PITFALLS 16: while one direction may still send, nothing is shorter than five days. */
static void
test_pitfall_16_half_close(void **state)
{
	const struct timeouts timeouts = timeouts_default();

	(void)state;
	for (enum direction other = OPEN; other <= DONE; other++) {
		assert_int_equal(close_timeout(&timeouts, grid[OPEN][other]),
				5 * 24 * 3600 * TICKS_PER_S);
		assert_int_equal(close_timeout(&timeouts, grid[other][OPEN]),
				5 * 24 * 3600 * TICKS_PER_S);
	}
	assert_int_equal(close_timeout(&timeouts, CONN_TIME_WAIT), 120 * TICKS_PER_S);
	assert_int_equal(close_timeout(&timeouts, CONN_RESET), 10 * TICKS_PER_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_grid),
			cmocka_unit_test(test_reset),
			cmocka_unit_test(test_columns),
			cmocka_unit_test(test_pitfall_16_half_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
