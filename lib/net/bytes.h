/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing header fields at any alignment, and where the fields are. For the files
 * of this floor, and for what the appliance still has to do to a frame that leaves; everybody else
 * works with struct pkt.
 */
#ifndef SLUICE_NET_BYTES_H
#define SLUICE_NET_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/** EtherTypes and IP protocol numbers (IANA). */
enum {
	ETHER_TYPE_IP4 = 0x0800,
	ETHER_TYPE_VLAN = 0x8100,
	ETHER_TYPE_IP6 = 0x86dd,
	ETHER_TYPE_QINQ = 0x88a8,
	ETHER_TYPE_QINQ_OLD = 0x9100,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_ICMP6 = 58,
};

/** Header sizes and field offsets, each from its own header's first byte. */
enum {
	ETHER_TYPE_AT = 12, /**< of the last EtherType 4 more per tag */
	ETHER_BYTES = 14,
	VLAN_TAG_BYTES = 4,

	IP4_TOS_AT = 1,
	IP4_TOTAL_LENGTH_AT = 2,
	IP4_FRAGMENT_AT = 6,
	IP4_TTL_AT = 8,
	IP4_PROTOCOL_AT = 9,
	IP4_CHECKSUM_AT = 10,
	IP4_SOURCE_AT = 12,
	IP4_DESTINATION_AT = 16,
	IP4_BYTES_MIN = 20,

	IP6_PAYLOAD_LENGTH_AT = 4,
	IP6_NEXT_HEADER_AT = 6,
	IP6_HOP_LIMIT_AT = 7,
	IP6_SOURCE_AT = 8,
	IP6_DESTINATION_AT = 24,
	IP6_BYTES = 40,

	TCP_SOURCE_PORT_AT = 0,
	TCP_DESTINATION_PORT_AT = 2,
	TCP_SEQ_AT = 4,
	TCP_ACK_AT = 8,
	TCP_DATA_OFFSET_AT = 12,
	TCP_FLAGS_AT = 13, /* directly behind the data offset, as rewrite_flags() counts on */
	TCP_WINDOW_AT = 14,
	TCP_CHECKSUM_AT = 16,
	TCP_BYTES_MIN = 20,
};

/** The bytes as they lie in memory: for sums and comparisons, which need no byte order. */
static inline uint16_t
load_raw16(const uint8_t *at)
{
	uint16_t raw;

	memcpy(&raw, at, sizeof(raw));
	return raw;
}

static inline uint32_t
load_raw32(const uint8_t *at)
{
	uint32_t raw;

	memcpy(&raw, at, sizeof(raw));
	return raw;
}

static inline uint64_t
load_raw64(const uint8_t *at)
{
	uint64_t raw;

	memcpy(&raw, at, sizeof(raw));
	return raw;
}

static inline void
store_raw16(uint8_t *at, uint16_t raw)
{
	memcpy(at, &raw, sizeof(raw));
}

static inline void
store_raw32(uint8_t *at, uint32_t raw)
{
	memcpy(at, &raw, sizeof(raw));
}

/** Network order in memory, host order in the argument and result. */
static inline uint16_t
load_be16(const uint8_t *at)
{
	return be16toh(load_raw16(at));
}

static inline uint32_t
load_be32(const uint8_t *at)
{
	return be32toh(load_raw32(at));
}

static inline void
store_be16(uint8_t *at, uint16_t value)
{
	store_raw16(at, htobe16(value));
}

static inline void
store_be32(uint8_t *at, uint32_t value)
{
	store_raw32(at, htobe32(value));
}

#endif
