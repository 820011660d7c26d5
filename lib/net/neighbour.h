/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address on the link: ARP (RFC 826) and neighbour discovery (RFC 4861), as bytes.
 * For an address of our own, which only the probe of backends has (proxy/probe.h); everybody
 * else's questions and answers pass through us unread.
 */
#ifndef SLUICE_NET_NEIGHBOUR_H
#define SLUICE_NET_NEIGHBOUR_H

#include "net/pkt.h"
#include "net/rewrite.h"

enum neighbour_kind {
	NEIGHBOUR_NONE,	    /**< neither, or not sound */
	NEIGHBOUR_QUESTION, /**< ARP request, neighbour solicitation */
	NEIGHBOUR_ANSWER,   /**< ARP reply, neighbour advertisement */
};

struct neighbour {
	union ip_addr target;	       /**< whose MAC address is asked for, or told */
	union ip_addr destination;     /**< who is told */
	uint8_t mac[ETHER_ADDR_BYTES]; /**< of an answer: the target's, a host's */
};

/**
 * Reads a packet that pkt_parse() found to be PKT_FOREIGN. The solicitation's and the
 * advertisement's checks of RFC 4861 7.1 are made: hop limit, checksum, code, lengths, options. An
 * advertisement without the target's MAC is NEIGHBOUR_NONE. neighbour is valid unless that.
 */
enum neighbour_kind neighbour_parse(const struct pkt *pkt, struct neighbour *neighbour);

/**
 * Writes the question for target's MAC over an empty packet of at least PKT_BUILD_BYTES_MAX bytes:
 * from source (same family as tuple.family) and mac, on tuple.vlan; to all, or the target's
 * solicited-node address (RFC 4291 2.7.1).
 */
void neighbour_build_question(struct pkt *pkt, const union ip_addr *source,
		const union ip_addr *target, const uint8_t mac[ETHER_ADDR_BYTES]);

/**
 * Turns a question that neighbour_parse() took in place into its answer, that the target has mac.
 * False, and the packet as it was, when the buffer has no room for the answer (86 bytes and tags).
 */
bool neighbour_answer(struct pkt *pkt, const uint8_t mac[ETHER_ADDR_BYTES]);

#endif
