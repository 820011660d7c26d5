/* SPDX-License-Identifier: BSD-3-Clause */
/* The sums that are not over a header: payloads, and odd lengths. */
#include "net/csum.h"

/* Carries are kept in the upper words and come in again at the end. */
uint64_t
csum_add_other(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data;
	unsigned __int128 a = 0, b = 0, c = 0, d = 0;
	uint8_t last[8] = {0};

	for (; length >= 32; at += 32, length -= 32) {
		a += load_raw64(at);
		b += load_raw64(at + 8);
		c += load_raw64(at + 16);
		d += load_raw64(at + 24);
	}
	for (; length >= 8; at += 8, length -= 8)
		a += load_raw64(at);
	memcpy(last, at, length);
	a += b + c + d + load_raw64(last);
	return sum + csum_narrow(csum_add_wide((uint64_t)a, (uint64_t)(a >> 64)));
}
