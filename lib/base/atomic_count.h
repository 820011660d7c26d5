/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts what a thread changes by atomic instructions that lock a line. Builds with test_checks put
 * this in front of every file of the library (lib/meson.build), so that an atomic counts wherever
 * somebody adds one; tests/unit/test_shared.c says which there may be. Loads and stores don't
 * count.
 */
#ifndef SLUICE_BASE_ATOMIC_COUNT_H
#define SLUICE_BASE_ATOMIC_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/** Of this thread, since it began. */
__attribute__((weak)) _Thread_local uint64_t atomic_count;

/* The inner name is the compiler's own: a macro is not expanded in itself. */
#define __atomic_fetch_add(at, n, order) (atomic_count++, __atomic_fetch_add(at, n, order))
#define __atomic_fetch_sub(at, n, order) (atomic_count++, __atomic_fetch_sub(at, n, order))
#define __atomic_fetch_and(at, n, order) (atomic_count++, __atomic_fetch_and(at, n, order))
#define __atomic_fetch_or(at, n, order) (atomic_count++, __atomic_fetch_or(at, n, order))
#define __atomic_fetch_xor(at, n, order) (atomic_count++, __atomic_fetch_xor(at, n, order))
#define __atomic_add_fetch(at, n, order) (atomic_count++, __atomic_add_fetch(at, n, order))
#define __atomic_sub_fetch(at, n, order) (atomic_count++, __atomic_sub_fetch(at, n, order))
#define __atomic_and_fetch(at, n, order) (atomic_count++, __atomic_and_fetch(at, n, order))
#define __atomic_or_fetch(at, n, order) (atomic_count++, __atomic_or_fetch(at, n, order))
#define __atomic_xor_fetch(at, n, order) (atomic_count++, __atomic_xor_fetch(at, n, order))
#define __atomic_exchange_n(at, n, order) (atomic_count++, __atomic_exchange_n(at, n, order))
#define __atomic_thread_fence(order) (atomic_count++, __atomic_thread_fence(order))
/* One that loses against another thread is tried again, and counts when it wins. */
#define __atomic_compare_exchange_n(at, seen, n, weak, won, lost)                                  \
	__extension__({                                                                            \
		bool did_ = __atomic_compare_exchange_n(at, seen, n, weak, won, lost);             \
		atomic_count += did_;                                                              \
		did_;                                                                              \
	})

#endif
