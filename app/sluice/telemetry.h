/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our endpoints in DPDK's telemetry, for dpdk-telemetry.py and whatever else speaks its protocol:
 *
 *	/sluice/backends[,FROM]   names of backends, 128 at a time
 *	/sluice/backend,NAME      queues, limits and counters of one
 *	/sluice/workers[,FROM]    load, pauses and packets of each, 32 at a time
 *	/sluice/reasons           packets by the one reason that each was given
 *	/sluice/ports             both ports' counters, and mbufs
 *
 * DPDK calls back in threads of its own, one per client. What they ask for belongs to the control
 * thread, so nothing is shared: the question is put on a desk, the control thread's poll() wakes
 *up, answers with a JSON object that it gives away, and goes on. A worker notices nothing.
 */
#ifndef SLUICE_APP_TELEMETRY_H
#define SLUICE_APP_TELEMETRY_H

#include "control/telemetry_answer.h"

/** Opens the desk; before EAL starts, since its descriptor belongs to the poll set. Without one,
 * which is said, everything else works. env outlives telemetry_close(). */
void telemetry_open(const struct command_env *env);

/** Makes the endpoints known to DPDK; once EAL has started. */
void telemetry_register(void);

/** Puts a question on the desk and waits for its answer, at most two seconds: a new reference, or
 * NULL when it is refused. Any thread but the control thread. */
json_t *telemetry_ask(enum telemetry_question question, const char *parameter);

/** Readable while a question waits; -1: there is no desk. */
int telemetry_fd(void);

/** Answers the question that waits, if there is one. Control thread only. */
void telemetry_serve(ticks_t now);

/** Questions from now on are refused at once; none is under way any more. */
void telemetry_close(void);

#endif
