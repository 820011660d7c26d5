/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The states of a connection and how it ends, as data. Each direction is open, or has its FIN
 * under way, or has its FIN acknowledged ("done"); the nine combinations are states of their own,
 *so that one FIN never ends the other direction. Every cell is checked by tests/unit/test_close.c.
 *
 *	                 backend open      backend FIN                backend done
 *	client open      ESTABLISHED       BACKEND_FIN                BACKEND_DONE
 *	client FIN       CLIENT_FIN        BOTH_FIN                   CLIENT_FIN_BACKEND_DONE
 *	client done      CLIENT_DONE       CLIENT_DONE_BACKEND_FIN    TIME_WAIT
 */
#ifndef SLUICE_PROXY_CLOSE_H
#define SLUICE_PROXY_CLOSE_H

#include "base/base.h"
#include "base/ticks.h"
#include "table/timeouts.h"

enum conn_state {
	CONN_QUEUED,	 /**< proved, waits in the accept ring */
	CONN_CONNECTING, /**< SYN sent to the backend */
	CONN_ESTABLISHED,
	CONN_CLIENT_FIN,
	CONN_CLIENT_DONE,
	CONN_BACKEND_FIN,
	CONN_BACKEND_DONE,
	CONN_BOTH_FIN,
	CONN_CLIENT_DONE_BACKEND_FIN,
	CONN_CLIENT_FIN_BACKEND_DONE,
	CONN_TIME_WAIT,
	CONN_RESET, /**< a valid RST passed; stays a little, so that a lost RST can be asked for
		       again */
	CONN_UNANSWERED, /**< tracked without translation, and only the client was heard yet */
	CONN_STATE_COUNT
};

enum close_event {
	CLOSE_CLIENT_FIN,
	CLOSE_BACKEND_FIN,
	CLOSE_CLIENT_FIN_ACKED,	 /**< by the backend */
	CLOSE_BACKEND_FIN_ACKED, /**< by the client */
	CLOSE_CLIENT_FIN_VOID,	 /**< the client sent bytes behind what looked like its FIN: it was
				    forged */
	CLOSE_BACKEND_FIN_VOID,
	CLOSE_RESET,
	CLOSE_EVENT_COUNT
};

/** The state after an event; the same state when the event changes nothing. */
enum conn_state close_next(enum conn_state state, enum close_event event);

/** True when a FIN of that side is under way and not acknowledged yet. */
bool close_fin_pending(enum conn_state state, enum side side);

/** True once that side can send nothing new: its FIN is acknowledged, or the connection was reset.
 * A FIN only seen may be forged. */
bool close_is_finished(enum conn_state state, enum side side);

/** True from the backend's answer until both directions are done or reset: what CurrEstab counts.
 */
bool close_is_open(enum conn_state state);

/** The state's name for listings, for example "established" or "client-fin". */
const char *close_state_name(enum conn_state state);

/** How long a spliced connection may stay silent in this state before it is forgotten. */
ticks_t close_timeout(const struct timeouts *timeouts, enum conn_state state);

#endif
