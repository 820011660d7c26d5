/* SPDX-License-Identifier: BSD-3-Clause */
/* The sums that are not over a header: payloads, and odd lengths. */
#include "net/csum.h"

/* The last bytes, fewer than eight, of at least eight that end at end: the word they begin. */
static inline uint64_t
load_last(const uint8_t *end, size_t left)
{
	return htole64(le64toh(load_raw64(end - 8)) >> (64 - 8 * left));
}

/* The same where there are no eight bytes to load. */
static inline uint64_t
load_few(const uint8_t *at, size_t left)
{
	uint64_t word = 0;

	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)at[i] << 8 * i;
	return htole64(word);
}

/* Carries are kept in the upper words and come in again at the end. */
uint64_t
csum_add_other(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data, *end = at + length;
	unsigned __int128 a = 0, b = 0;
	size_t left = length % 8;

	for (; end - at >= 32; at += 32) {
		a += load_raw64(at);
		b += load_raw64(at + 8);
		a += load_raw64(at + 16);
		b += load_raw64(at + 24);
	}
	for (; end - at >= 8; at += 8)
		a += load_raw64(at);
	if (left > 0)
		b += LIKELY(length >= 8) ? load_last(end, left) : load_few(at, left);
	a += b;
	return sum + csum_narrow(csum_add_wide((uint64_t)a, (uint64_t)(a >> 64)));
}
