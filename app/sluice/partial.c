/* SPDX-License-Identifier: BSD-3-Clause */
/* Every length is checked against the frame before the bytes behind it are read. */
#include "partial.h"

#include <netinet/in.h>
#include <string.h>

#include "net/csum.h"

#define TCP_CHECKSUM_OFFSET 16
#define UDP_CHECKSUM_OFFSET 6

/* Transport part of an IP packet: l4 is NULL when there is nothing to complete. */
struct transport {
	uint8_t *l4;
	uint32_t length;
	uint8_t protocol;
	uint64_t addresses; /* running sum of both addresses */
};

static uint16_t
load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct transport
transport_ip4(uint8_t *l3, uint32_t length)
{
	const uint32_t header = length >= 20 ? (l3[0] & 0x0fu) * 4 : 0;
	const uint32_t total = length >= 20 ? load16(l3 + 2) : 0;

	if (header < 20 || total < header || total > length || (load16(l3 + 6) & 0x3fff) != 0)
		return (struct transport){0};
	return (struct transport){l3 + header, total - header, l3[9], csum_add(0, l3 + 12, 8)};
}

static struct transport
transport_ip6(uint8_t *l3, uint32_t length)
{
	const uint32_t payload = length >= 40 ? load16(l3 + 4) : 0;

	if (payload == 0 || payload > length - 40)
		return (struct transport){0};
	return (struct transport){l3 + 40, payload, l3[6], csum_add(0, l3 + 8, 32)};
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 768, RFC 8200 8.1), folded. */
static uint16_t
pseudo_sum(const struct transport *transport)
{
	const uint8_t rest[8] = {
			(uint8_t)(transport->length >> 24),
			(uint8_t)(transport->length >> 16),
			(uint8_t)(transport->length >> 8),
			(uint8_t)transport->length,
			[7] = transport->protocol,
	};

	return csum_fold(csum_add(transport->addresses, rest, sizeof(rest)));
}

bool
partial_complete(uint8_t *data, uint32_t length, uint32_t l3_offset)
{
	struct transport transport = {0};
	uint32_t offset;
	uint16_t field, pseudo, sum;

	if (l3_offset >= length)
		return false;
	if (data[l3_offset] >> 4 == 4)
		transport = transport_ip4(data + l3_offset, length - l3_offset);
	else if (data[l3_offset] >> 4 == 6)
		transport = transport_ip6(data + l3_offset, length - l3_offset);

	if (transport.protocol == IPPROTO_TCP)
		offset = TCP_CHECKSUM_OFFSET;
	else if (transport.protocol == IPPROTO_UDP)
		offset = UDP_CHECKSUM_OFFSET;
	else
		return false;
	if (transport.l4 == NULL || transport.length < offset + sizeof(field))
		return false;

	memcpy(&field, transport.l4 + offset, sizeof(field));
	pseudo = pseudo_sum(&transport);
	if (field != pseudo)
		return false;
	sum = csum_fold(csum_add(0, transport.l4, transport.length));
	if (csum_fold((uint64_t)sum + pseudo) == 0xffff)
		return false; /* a right checksum that happens to look like this: one in 2^16 */
	field = (uint16_t)~sum;
	if (field == 0 && transport.protocol == IPPROTO_UDP)
		field = 0xffff; /* 0 would say: none (RFC 768) */
	memcpy(transport.l4 + offset, &field, sizeof(field));
	return true;
}
