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

#include "net/bytes.h"
#include "net/tuple.h"

/**
 * Adds length bytes at data (any alignment, even start offset in the sum) to a running sum. Sums
 * eight bytes at a time and makes up for all carries at the end, so that a running sum grows by
 * less than 2^34 with each call, and no sum of sums overflows.
 */
static inline uint64_t
csum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data;
	unsigned __int128 even = 0, odd = 0;
	uint64_t low, high;

	for (; length >= 32; at += 32, length -= 32) {
		even += load_raw64(at);
		odd += load_raw64(at + 8);
		even += load_raw64(at + 16);
		odd += load_raw64(at + 24);
	}
	for (; length >= 8; at += 8, length -= 8)
		even += load_raw64(at);
	if (length & 4) {
		odd += load_raw32(at);
		at += 4;
	}
	if (length & 2) {
		odd += load_raw16(at);
		at += 2;
	}
	if (length & 1) {
		uint8_t last[2] = {*at};

		odd += load_raw16(last);
	}
	even += odd;
	low = (uint64_t)even;
	high = (uint64_t)(even >> 64);
	return sum + (low & 0xffffffff) + (low >> 32) + high;
}

/**
 * Folds a running sum to 16 bits, memory order, not complemented. A number plus itself with its
 * halves exchanged has their sum in the upper half, end-around carry included.
 */
static inline uint16_t
csum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum >> 32 | sum << 32;
	half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return (uint16_t)(half >> 16);
}

/**
 * Running sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1) of a TCP packet between the
 * tuple's two ends; both directions give the same. tcp_length: TCP header and payload, bytes.
 */
static inline uint64_t
csum_pseudo(const struct tuple *tuple, uint32_t tcp_length)
{
	uint64_t sum = (uint64_t)htobe32(tcp_length) + htobe16(PROTOCOL_TCP);

	/* The ::ffff in front of an IPv4 address adds 0xffff, which is 0 in one's complement. */
	if (tuple->family == FAMILY_IP4)
		return sum + tuple->client.words_be[3] + tuple->backend.words_be[3];
	sum = csum_add(sum, &tuple->client, sizeof(tuple->client));
	return csum_add(sum, &tuple->backend, sizeof(tuple->backend));
}

/** Header checksum of an IPv4 header of header_length bytes, memory order, over the bytes as they
 * stand (0 for a right one). */
static inline uint16_t
csum_ip4(const void *header, unsigned header_length)
{
	if (LIKELY(header_length == IP4_BYTES_MIN))
		return (uint16_t)~csum_fold(csum_add(0, header, IP4_BYTES_MIN));
	return (uint16_t)~csum_fold(csum_add(0, header, header_length));
}

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
