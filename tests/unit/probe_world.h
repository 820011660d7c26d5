/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world whose backends are probed, and neighbours on the servers' side that ask and tell MAC
 * addresses: written byte by byte, without any code of the library.
 */
#ifndef SLUICE_TESTS_PROBE_WORLD_H
#define SLUICE_TESTS_PROBE_WORLD_H

#include "world.h"

#define MAC_BYTES 6

/** The MAC of the neighbour that asks and tells. */
#define PROBE_WORLD_HOP_MAC                                                                        \
	{                                                                                          \
		0x02, 0, 0, 0, 0, 0x42                                                             \
	}

/** Probes from 10.0.0.250/24 and fd00::250/64, without gateways, untagged. */
struct probe_config probe_world_config(void);

/** Only the backend of that slot is probed. */
struct world *probe_world_new(uint16_t slot, const struct probe_config *probe);

/** The slot of port 80's backend of an IP version. */
uint16_t probe_world_slot(unsigned version);

/** What was emitted, which must be one packet to the servers' side. */
struct emitted_packet probe_world_take(struct world *w);

/** One's complement sum of an ICMPv6 message with its pseudo-header: 0xffff when right. */
uint32_t probe_world_icmp6_sum(const uint8_t *ip, const uint8_t *message, size_t length);

/** Writes the right checksum into the message of length bytes behind an IPv6 header. */
void probe_world_icmp6_fix(uint8_t *ip, size_t length);

/** An Ethernet header from the neighbour, tagged: with VLAN 10. Returns its length. */
size_t probe_world_ether(uint8_t *frame, const uint8_t *to, bool tagged, uint16_t type);

/** An ARP packet from the neighbour to us, with that sender and target (last bytes of 10.0.0.x);
 * tagged: in VLAN 10. Returns its length, at most 128. */
size_t probe_world_arp(
		uint8_t *frame, bool tagged, uint8_t operation, uint8_t sender, uint8_t target);

/** A neighbour message from fd00::source (0: from ::) to an address, about fd00::target, with the
 * neighbour's MAC as that option (0: none). Returns its length, at most 128. */
size_t probe_world_nd(uint8_t *frame, bool tagged, uint8_t type, uint16_t source,
		const uint8_t to[16], uint16_t target, uint8_t option);

/** Tells us the MAC of a hop (last byte of its address). */
struct outcome probe_world_tell(struct world *w, unsigned version, bool tagged, uint8_t hop);

#endif
