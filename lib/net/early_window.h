/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The window that a SYN-ACK announces, where a client's first data may come before its backend has
 * answered (proxy/early.h).
 */
#ifndef SLUICE_NET_EARLY_WINDOW_H
#define SLUICE_NET_EARLY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/** Where no MSS option was sent (RFC 9293 3.7.1; IPv6 allows more, but less does no harm). */
#define EARLY_MSS_DEFAULT 536

/** No SYN-ACK can announce more, so nothing honest lies further behind the SYN. */
#define EARLY_WINDOW_MAX 65535

/** Two segments, as far as a window holds them. */
static inline uint16_t
early_two_segments(uint32_t mss)
{
	return (uint16_t)(2 * mss < EARLY_WINDOW_MAX ? 2 * mss : EARLY_WINDOW_MAX);
}

/**
 * The window that a SYN-ACK announces: 0, or, where data is welcome, two segments, as the ends' MSS
 * has them. Less than two segments would make Linux send smaller ones (tcp_bound_to_half_wnd).
 * Never scaled (RFC 7323 2.2). A client_mss of 0 means none was offered.
 */
static inline uint16_t
early_window(bool is_welcome, uint16_t announced_mss, uint16_t client_mss)
{
	uint16_t mss = client_mss != 0 ? client_mss : EARLY_MSS_DEFAULT;

	return is_welcome ? early_two_segments(announced_mss < mss ? announced_mss : mss) : 0;
}

#endif
