/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ground floor: what every file may use. Cache-line arithmetic, the two sides of the
 * appliance, and ENSURE, which stops the process when our own reasoning turned out wrong.
 * Hostile input never reaches an ENSURE; it gets a verdict and a reason.
 */
#ifndef SLUICE_BASE_BASE_H
#define SLUICE_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_SIZE 64
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/** For functions that do nothing but prefetch: to gcc a call of one has no effect, and it may leave
 * it out. */
#define PREFETCHING inline __attribute__((always_inline))

/** The end a segment comes from or goes to; also names the port that faces that end. */
enum side { SIDE_CLIENT, SIDE_BACKEND, SIDE_COUNT };

/** The other end. */
static inline enum side
side_other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_BACKEND : SIDE_CLIENT;
}

/** Says on standard error which expectation failed, and aborts. */
_Noreturn void ensure_failed(const char *expression, const char *file, int line);

/** Stops the process when our own invariant is broken; stays in release builds. */
#define ENSURE(expression)                                                                         \
	(LIKELY(expression) ? (void)0 : ensure_failed(#expression, __FILE__, __LINE__))

/** Costly self-checks of the packet path: a build option, on in sanitizer builds. */
#ifndef SLUICE_TEST_CHECKS
#define SLUICE_TEST_CHECKS 0
#endif

/** Rounds size up to whole cache lines, so that objects carved from one block share none. */
static inline size_t
cache_align(size_t size)
{
	return (size + CACHE_LINE_SIZE - 1) & ~(size_t)(CACHE_LINE_SIZE - 1);
}

#endif
