/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of the benchmark, by what they need of a worker. Each measures at every burst size
 * asked for, and prints one line for it. */
#ifndef SLUICE_TESTS_BENCH_CASES_H
#define SLUICE_TESTS_BENCH_CASES_H

#include "harness.h"

#define LIST_MAX 8

/** What is asked for. */
struct request {
	unsigned rounds; /**< 1..ROUNDS_MAX */
	unsigned bursts[LIST_MAX];
	unsigned burst_count;
	uint32_t connections[LIST_MAX]; /**< of the splice cases */
	unsigned connections_count;
	unsigned backends[LIST_MAX]; /**< of syn_backends and reload */
	unsigned backends_count;
};

/** One case: its name, and what runs it. */
struct bench_case {
	const char *name;
	void (*run)(const struct bench_case *c, const struct request *request);
	unsigned variant; /**< for run to know */
};

/** The tables end with a case without name. */
extern const struct bench_case cases_stateless[];     /**< cases_stateless.c */
extern const struct bench_case cases_queue[];	      /**< cases_queue.c */
extern const struct bench_case cases_connection[];    /**< cases_connection.c */
extern const struct bench_case cases_reload[];	      /**< cases_reload.c */
extern const struct bench_case cases_stages[];	      /**< cases_stages.c */
extern const struct bench_case cases_splice_stages[]; /**< cases_splice_stages.c */
extern const struct bench_case cases_floor[];	      /**< cases_floor.c */

#endif
