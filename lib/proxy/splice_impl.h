/* SPDX-License-Identifier: BSD-3-Clause */
/* What both ways of splicing common segments ask and do alike: for splice.c and splice_avx512.c. */
#ifndef SLUICE_PROXY_SPLICE_IMPL_H
#define SLUICE_PROXY_SPLICE_IMPL_H

#include "proxy/conn.h"
#include "proxy/handshake.h"

/** How far back duplicates may lie at least (nf_conntrack_proto_tcp.c MAXACKWINCONST). */
#define DUPLICATE_REACH 66000

/** A probe of a zero window may carry one byte beyond it (RFC 9293 3.8.6.1). */
#define PROBE_BYTES 1

/** Connections whose ends agreed on different things. */
#define FLAGS_UNEVEN (CONN_STRIP_TIMESTAMP | CONN_STRIP_SACK | CONN_ECN_ALONE)

static inline uint8_t
window_scale(const struct conn *conn, enum side from)
{
	return from == SIDE_CLIENT ? conn->scale_client : conn->scale_backend;
}

/** The window in the scale its receiver applies; a wider one than fits is cut, never wrapped. */
static inline uint16_t
window_rescale(uint16_t window, uint8_t from_scale, uint8_t to_scale)
{
	uint32_t rescaled = ((uint32_t)window << from_scale) >> to_scale;

	if (LIKELY(from_scale == to_scale))
		return window;
	return (uint16_t)(rescaled < UINT16_MAX ? rescaled : UINT16_MAX);
}

/**
 * splice_common() with AVX-512 (F, BW, VL, and BMI2), but for IPv4 and options as nearly all
 * segments have them alone, and a segment whose pkt->conn is a record of another tuple is not its.
 * Where there is no such CPU, it takes none.
 */
unsigned splice_common_avx512(
		struct worker *w, const struct task *tasks, unsigned count, enum side from);

#endif
