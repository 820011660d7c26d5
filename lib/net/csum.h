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

/* One's complement addition of 64-bit words: the carry comes in again at the other end. */
static inline uint64_t
csum_add_wide(uint64_t wide, uint64_t word)
{
	wide += word;
	return wide + (wide < word);
}

/* A sum of wide words as one that other sums may be added to. */
static inline uint64_t
csum_narrow(uint64_t wide)
{
	return (wide & 0xffffffff) + (wide >> 32);
}

/** csum_add() for what is no whole number of words, or long. */
uint64_t csum_add_other(uint64_t sum, const void *data, size_t length);

#define CSUM_SHORT_MAX 256 /**< bytes: headers, and what small segments carry */

/**
 * Adds length bytes at data (any alignment, even start offset in the sum) to a running sum, which
 * grows by less than 2^34 with each call, so that no sum of sums overflows.
 */
static inline uint64_t
csum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data, *end = at + length;
	uint64_t even = 0, odd = 0;

	if (UNLIKELY(length > CSUM_SHORT_MAX || length % 4 != 0))
		return csum_add_other(sum, data, length);
	for (; end - at >= 16; at += 16) {
		even = csum_add_wide(even, load_raw64(at));
		odd = csum_add_wide(odd, load_raw64(at + 8));
	}
	if (length & 8) {
		even = csum_add_wide(even, load_raw64(at));
		at += 8;
	}
	if (length & 4)
		odd = csum_add_wide(odd, load_raw32(at));
	return sum + csum_narrow(csum_add_wide(even, odd));
}

/** The most bytes that csum_add_avx512() takes: its lanes hold no more. Twice an IP packet. */
#define CSUM_AVX512_BYTES_MAX (((1u << 11) - 2) * 64)

/** csum_add() with AVX-512 (F, BW, VL, and BMI2), for at most CSUM_AVX512_BYTES_MAX. */
uint64_t csum_add_avx512(uint64_t sum, const void *data, size_t length);

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
	for (unsigned i = 0; i < 2; i++)
		sum += csum_narrow(csum_add_wide(
				tuple->client.halves_be[i], tuple->backend.halves_be[i]));
	return sum;
}

/** Header checksum of an IPv4 header of header_length bytes, memory order, over the bytes as they
 * stand (0 for a right one). */
static inline uint16_t
csum_ip4(const void *header, unsigned header_length)
{
	const uint8_t *at = header;

	if (LIKELY(header_length == IP4_BYTES_MIN))
		return (uint16_t)~csum_fold(
				csum_add_wide(csum_add_wide(load_raw64(at), load_raw64(at + 8)),
						load_raw32(at + 16)));
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
