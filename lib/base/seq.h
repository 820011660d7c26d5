/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP sequence numbers compare modulo 2^32 (RFC 9293 3.4): a is before b when the way from a
 * forward to b is the shorter one. Timestamps (RFC 7323 5.2) compare the same way.
 */
#ifndef SLUICE_BASE_SEQ_H
#define SLUICE_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
seq_after(uint32_t a, uint32_t b)
{
	return seq_before(b, a);
}

/** True when first <= seq <= last, going forward from first. */
static inline bool
seq_between(uint32_t seq, uint32_t first, uint32_t last)
{
	return last - first >= seq - first;
}

static inline uint32_t
seq_max(uint32_t a, uint32_t b)
{
	return seq_before(a, b) ? b : a;
}

#endif
