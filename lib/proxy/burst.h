/* SPDX-License-Identifier: BSD-3-Clause */
/* The packets of one poll of one port, handed to sluice_burst() together. */
#ifndef SLUICE_PROXY_BURST_H
#define SLUICE_PROXY_BURST_H

#include "net/pkt.h"

#define BURST_MAX 32

/** A burst as large is worth receiving ahead: its headers come from memory while the one before is
 * worked on. A smaller one had better not wait. */
#define BURST_AHEAD_LEAST 16

/** A frame of the next burst. */
struct burst_ahead {
	const uint8_t *data; /**< first byte of the Ethernet header */
	uint32_t len;	     /**< bytes at data */
};

struct burst {
	enum side from; /**< the side whose port they came in by */
	unsigned count; /**< 0..BURST_MAX */
	/** 0..BURST_MAX of the next burst's frames, to be loaded meanwhile. sluice_burst() leaves
	 * 0. */
	unsigned ahead_count;
	struct burst_ahead ahead[BURST_MAX];
	struct pkt pkts[BURST_MAX] __attribute__((aligned(CACHE_LINE_SIZE)));
};

/** Starts loading a frame's headers: they fill one line and begin the next. */
static PREFETCHING void
burst_prefetch_headers(const uint8_t *data)
{
	__builtin_prefetch(data, 1);
	__builtin_prefetch(data + CACHE_LINE_SIZE, 1);
}

/** Starts loading the part of a frame that is read: the headers, which fill one line and begin the
 * next, and what the checksum goes on with. What lies behind, the CPU sees coming itself. */
static PREFETCHING void
burst_prefetch(const uint8_t *data, uint32_t len)
{
	burst_prefetch_headers(data);
	__builtin_prefetch(data + (len > 2 * CACHE_LINE_SIZE ? 2 * CACHE_LINE_SIZE : 0));
}

/** The same for a burst that is received ahead: into L2, since a whole burst's lines are more than
 * L1 can wait for at a time, and the burst before would be kept from its own. */
static PREFETCHING void
burst_prefetch_ahead(const uint8_t *data)
{
	__builtin_prefetch(data, 1, 2);
	__builtin_prefetch(data + CACHE_LINE_SIZE, 1, 2);
}

/** The same for a segment of a connection, as burst_prefetch(). */
static PREFETCHING void
burst_prefetch_segment_ahead(const uint8_t *data, uint32_t len)
{
	burst_prefetch_ahead(data);
	__builtin_prefetch(data + (len > 2 * CACHE_LINE_SIZE ? 2 * CACHE_LINE_SIZE : 0), 0, 2);
}

#endif
