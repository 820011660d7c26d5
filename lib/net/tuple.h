/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who talks to whom, always written client first, whichever way the packet travels: so both
 * directions of a connection have the same tuple. Addresses are raw network order, IPv4 as
 * IPv4-mapped IPv6 (RFC 4291 2.5.5.2); ports are host order.
 */
#ifndef SLUICE_NET_TUPLE_H
#define SLUICE_NET_TUPLE_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"

enum family { FAMILY_NONE = 0, FAMILY_IP4 = 4, FAMILY_IP6 = 6 };

/** An address of either family; IPv4 sits in words_be[3] behind ::ffff. */
union ip_addr {
	uint8_t bytes[16];
	uint32_t words_be[4];
	uint64_t halves_be[2];
};

/**
 * VLAN tags of a frame in one word; 0 means untagged. Priority bits are not part of it.
 * Bits 0-11 outer VID, 12-13 outer tag protocol, 16-27 inner VID, 28-29 inner tag protocol.
 */
typedef uint32_t vlan_tags_t;

/** Tag protocols, as stored in vlan_tags_t; VLAN_TAG_NONE ends the tags. */
enum vlan_tag { VLAN_TAG_NONE, VLAN_TAG_8100, VLAN_TAG_88A8, VLAN_TAG_9100 };

#define VLAN_TAGS_MAX 2

struct tuple {
	union ip_addr client;
	union ip_addr backend;
	uint16_t client_port;
	uint16_t backend_port;
	vlan_tags_t vlan;
	uint32_t family; /**< enum family; a full word, so that a tuple has no padding bytes */
	uint32_t zero;	 /**< always 0: keeps the size a multiple of 8 */
};
static_assert(sizeof(struct tuple) == 48, "tuples are compared and hashed as six words");

/** The IPv4-mapped form of a raw IPv4 address. */
static inline union ip_addr
ip_addr_from_ip4(uint32_t ip4_be)
{
	/* Two whole halves: bytes put together in memory would be waited for by those who read
	 * them. */
	return (union ip_addr){.halves_be = {
					       0,
					       htobe64(UINT64_C(0xffff) << 32 | be32toh(ip4_be)),
			       }};
}

static inline bool
ip_addr_is_equal(const union ip_addr *a, const union ip_addr *b)
{
	return a->halves_be[0] == b->halves_be[0] && a->halves_be[1] == b->halves_be[1];
}

static inline bool
tuple_is_equal(const struct tuple *a, const struct tuple *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
