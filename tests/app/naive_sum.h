/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum (RFC 1071) as plainly as it can be written, to hold ours against. */
#ifndef SLUICE_TESTS_APP_NAIVE_SUM_H
#define SLUICE_TESTS_APP_NAIVE_SUM_H

#include <stdint.h>

/** Sum of 16-bit words, big endian, folded, not complemented; sum: what was summed up before. */
static inline uint16_t
naive_sum(uint32_t sum, const uint8_t *bytes, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
