/* SPDX-License-Identifier: BSD-3-Clause */
#include "proxy/close.h"

struct close_row {
	uint8_t next[CLOSE_EVENT_COUNT];
	uint8_t fin_pending[SIDE_COUNT];
	uint8_t fin_done[SIDE_COUNT];
	uint8_t is_open;
	uint8_t timeout; /* enum timeout_kind */
};

#define ROW(cf, bf, cfa, bfa, cfv, bfv)                                                            \
	{                                                                                          \
		CONN_##cf, CONN_##bf, CONN_##cfa, CONN_##bfa, CONN_##cfv, CONN_##bfv, CONN_RESET   \
	}

/*
 * Events in order: client FIN, backend FIN, client FIN acknowledged, backend FIN acknowledged,
 * client FIN void, backend FIN void; a reset always leads to CONN_RESET. The two states before the
 * splice take no events here: connect.c ends them.
 */
static const struct close_row rows[CONN_STATE_COUNT] = {
		[CONN_QUEUED] = {.next = {CONN_QUEUED, CONN_QUEUED, CONN_QUEUED, CONN_QUEUED,
						 CONN_QUEUED, CONN_QUEUED, CONN_QUEUED}},
		[CONN_CONNECTING] = {.next = {CONN_CONNECTING, CONN_CONNECTING, CONN_CONNECTING,
						     CONN_CONNECTING, CONN_CONNECTING,
						     CONN_CONNECTING, CONN_CONNECTING}},
		[CONN_ESTABLISHED] = {.next = ROW(CLIENT_FIN, BACKEND_FIN, ESTABLISHED, ESTABLISHED,
						      ESTABLISHED, ESTABLISHED),
				.is_open = true,
				.timeout = TIMEOUT_ESTABLISHED},
		[CONN_CLIENT_FIN] = {.next = ROW(CLIENT_FIN, BOTH_FIN, CLIENT_DONE, CLIENT_FIN,
						     ESTABLISHED, CLIENT_FIN),
				.fin_pending = {[SIDE_CLIENT] = true},
				.is_open = true,
				.timeout = TIMEOUT_HALF_CLOSED},
		[CONN_CLIENT_DONE] = {.next = ROW(CLIENT_DONE, CLIENT_DONE_BACKEND_FIN, CLIENT_DONE,
						      CLIENT_DONE, CLIENT_DONE, CLIENT_DONE),
				.fin_done = {[SIDE_CLIENT] = true},
				.is_open = true,
				.timeout = TIMEOUT_HALF_CLOSED},
		[CONN_BACKEND_FIN] = {.next = ROW(BOTH_FIN, BACKEND_FIN, BACKEND_FIN, BACKEND_DONE,
						      BACKEND_FIN, ESTABLISHED),
				.fin_pending = {[SIDE_BACKEND] = true},
				.is_open = true,
				.timeout = TIMEOUT_HALF_CLOSED},
		[CONN_BACKEND_DONE] = {.next = ROW(CLIENT_FIN_BACKEND_DONE, BACKEND_DONE,
						       BACKEND_DONE, BACKEND_DONE, BACKEND_DONE,
						       BACKEND_DONE),
				.fin_done = {[SIDE_BACKEND] = true},
				.is_open = true,
				.timeout = TIMEOUT_HALF_CLOSED},
		[CONN_BOTH_FIN] = {.next = ROW(BOTH_FIN, BOTH_FIN, CLIENT_DONE_BACKEND_FIN,
						   CLIENT_FIN_BACKEND_DONE, BACKEND_FIN,
						   CLIENT_FIN),
				.fin_pending = {true, true},
				.is_open = true,
				.timeout = TIMEOUT_CLOSING},
		[CONN_CLIENT_DONE_BACKEND_FIN] =
				{.next = ROW(CLIENT_DONE_BACKEND_FIN, CLIENT_DONE_BACKEND_FIN,
						 CLIENT_DONE_BACKEND_FIN, TIME_WAIT,
						 CLIENT_DONE_BACKEND_FIN, CLIENT_DONE),
						.fin_pending = {[SIDE_BACKEND] = true},
						.fin_done = {[SIDE_CLIENT] = true},
						.is_open = true,
						.timeout = TIMEOUT_CLOSING},
		[CONN_CLIENT_FIN_BACKEND_DONE] =
				{.next = ROW(CLIENT_FIN_BACKEND_DONE, CLIENT_FIN_BACKEND_DONE,
						 TIME_WAIT, CLIENT_FIN_BACKEND_DONE, BACKEND_DONE,
						 CLIENT_FIN_BACKEND_DONE),
						.fin_pending = {[SIDE_CLIENT] = true},
						.fin_done = {[SIDE_BACKEND] = true},
						.is_open = true,
						.timeout = TIMEOUT_CLOSING},
		[CONN_TIME_WAIT] = {.next = ROW(TIME_WAIT, TIME_WAIT, TIME_WAIT, TIME_WAIT,
						    TIME_WAIT, TIME_WAIT),
				.fin_done = {true, true},
				.timeout = TIMEOUT_TIME_WAIT},
		[CONN_RESET] = {.next = ROW(RESET, RESET, RESET, RESET, RESET, RESET),
				.timeout = TIMEOUT_RESET},
		[CONN_UNANSWERED] = {.next = ROW(UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED,
						     UNANSWERED, UNANSWERED),
				.timeout = TIMEOUT_CLOSING},
};

enum conn_state
close_next(enum conn_state state, enum close_event event)
{
	return rows[state].next[event];
}

bool
close_fin_pending(enum conn_state state, enum side side)
{
	return rows[state].fin_pending[side];
}

bool
close_is_finished(enum conn_state state, enum side side)
{
	return rows[state].fin_done[side] || state == CONN_RESET;
}

bool
close_is_open(enum conn_state state)
{
	return rows[state].is_open;
}

static const char *const state_names[CONN_STATE_COUNT] = {
		[CONN_QUEUED] = "queued",
		[CONN_CONNECTING] = "connecting",
		[CONN_ESTABLISHED] = "established",
		[CONN_CLIENT_FIN] = "client-fin",
		[CONN_CLIENT_DONE] = "client-done",
		[CONN_BACKEND_FIN] = "backend-fin",
		[CONN_BACKEND_DONE] = "backend-done",
		[CONN_BOTH_FIN] = "both-fin",
		[CONN_CLIENT_DONE_BACKEND_FIN] = "client-done-backend-fin",
		[CONN_CLIENT_FIN_BACKEND_DONE] = "client-fin-backend-done",
		[CONN_TIME_WAIT] = "time-wait",
		[CONN_RESET] = "reset",
		[CONN_UNANSWERED] = "unanswered",
};

const char *
close_state_name(enum conn_state state)
{
	return state_names[state];
}

ticks_t
close_timeout(const struct timeouts *timeouts, enum conn_state state)
{
	return timeouts->s[rows[state].timeout] * TICKS_PER_S;
}
