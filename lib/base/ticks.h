/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time as the library sees it: a value handed in, never read. One tick is one microsecond of a
 * clock that never goes backwards. The appliance starts it at Unix time, so that nodes sharing
 * a secret agree on cookie epochs; a test starts it wherever it likes.
 */
#ifndef SLUICE_BASE_TICKS_H
#define SLUICE_BASE_TICKS_H

#include <stdint.h>

typedef uint64_t ticks_t;

#define TICKS_PER_MS ((ticks_t)1000)
#define TICKS_PER_S ((ticks_t)1000000)
#define TICKS_NEVER UINT64_MAX

#endif
