/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums 32 bits at a time into 64: a packet of 64 KiB leaves the upper half nearly empty, so
 * no carry is lost until the fold. The Internet checksum doesn't care which way round the
 * bytes of a word are, as long as all words agree (RFC 1071 2B).
 */
#include "net/csum.h"

#include "net/bytes.h"

uint64_t
csum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data;
	uint8_t last[2] = {0};

	for (; length >= 8; at += 8, length -= 8)
		sum += (uint64_t)load_raw32(at) + load_raw32(at + 4);
	if (length & 4) {
		sum += load_raw32(at);
		at += 4;
	}
	if (length & 2) {
		sum += load_raw16(at);
		at += 2;
	}
	if (length & 1) {
		last[0] = *at;
		sum += load_raw16(last);
	}
	return sum;
}

/*
 * IPv4 addresses take the same path: the ::ffff in front of each adds 0xffff, which is 0 in
 * one's complement.
 */
uint64_t
csum_pseudo(const struct tuple *tuple, uint32_t tcp_length)
{
	uint64_t sum = (uint64_t)htobe32(tcp_length) + htobe16(PROTOCOL_TCP);

	for (unsigned i = 0; i < 4; i++)
		sum += (uint64_t)tuple->client.words_be[i] + tuple->backend.words_be[i];
	return sum;
}

uint16_t
csum_ip4(const void *header, unsigned header_length)
{
	return (uint16_t)~csum_fold(csum_add(0, header, header_length));
}
