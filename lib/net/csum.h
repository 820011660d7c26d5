/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071) whole and by difference (RFC 1624 eqn. 3). Sums are kept in
 * 64 bits in memory order, so they need no byte swaps; a field at an odd offset is folded in
 * with its bytes exchanged.
 */
#ifndef SLUICE_NET_CSUM_H
#define SLUICE_NET_CSUM_H

#include <stddef.h>
#include <stdint.h>

#include "net/tuple.h"

/** Adds length bytes at data (any alignment, even start offset in the sum) to a running sum. */
uint64_t csum_add(uint64_t sum, const void *data, size_t length);

/** Folds a running sum to 16 bits, memory order, not complemented. */
static inline uint16_t
csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/**
 * Running sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1) of a TCP packet between the
 * tuple's two ends; both directions give the same. tcp_length: TCP header and payload, bytes.
 */
uint64_t csum_pseudo(const struct tuple *tuple, uint32_t tcp_length);

/** Header checksum of an IPv4 header of header_length bytes, memory order, over the bytes as they
 * stand (0 for a right one). */
uint16_t csum_ip4(const void *header, unsigned header_length);

/**
 * A running difference: what a checksum must change by when fields change. Start with 0, add
 * every changed field, apply once.
 */
static inline uint64_t
csum_diff32(uint64_t diff, uint32_t old_be, uint32_t new_be)
{
	return diff + (uint32_t)~old_be + new_be;
}

static inline uint64_t
csum_diff16(uint64_t diff, uint16_t old_be, uint16_t new_be)
{
	return diff + (uint16_t)~old_be + new_be;
}

/** The same for a 32-bit field that starts at an odd offset from the header's first byte. */
static inline uint64_t
csum_diff32_odd(uint64_t diff, uint32_t old_be, uint32_t new_be)
{
	uint16_t folded = csum_fold(csum_diff32(0, old_be, new_be));

	return diff + (uint16_t)(folded << 8 | folded >> 8);
}

/**
 * Applies a difference to a checksum field; a wrong checksum stays wrong by as much. Never
 * turns a right checksum into a wrong one across 0x0000 and 0xffff (RFC 1624 3).
 */
static inline uint16_t
csum_apply(uint16_t check_be, uint64_t diff)
{
	return (uint16_t)~csum_fold((uint16_t)~check_be + diff);
}

#endif
