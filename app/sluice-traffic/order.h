/* SPDX-License-Identifier: BSD-3-Clause */
/* What capture is wanted: the command line of sluice-traffic, checked. */
#ifndef SLUICE_TRAFFIC_ORDER_H
#define SLUICE_TRAFFIC_ORDER_H

#include "base/siphash.h"
#include "base/ticks.h"
#include "net/tuple.h"

#define ORDER_MAC_BYTES 6
#define ORDER_PAYLOAD_MAX 1400

enum order_kind { ORDER_SYN, ORDER_ACK, ORDER_MIX };

/** What SYNs offer, hence what their ACKs carry. */
enum order_options {
	ORDER_OPTIONS_ALL,  /**< as Linux: MSS, SACK, timestamps, window scale */
	ORDER_OPTIONS_MSS,  /**< only MSS */
	ORDER_OPTIONS_NONE, /**< nothing */
};

struct order {
	const char *path; /**< of the capture */
	enum family family;
	union ip_addr to;
	uint16_t port;
	union ip_addr from;   /**< host bits are drawn */
	unsigned from_bits;   /**< how many of them: 0..32, IPv6 0..64 */
	uint16_t source_port; /**< 0: drawn, from 1024 up */
	enum order_kind kind;
	unsigned ack_percent; /**< in a mix: 1..99 */
	enum order_options options;
	unsigned payload; /**< bytes of data in each ACK: 0..ORDER_PAYLOAD_MAX */
	unsigned vlan_count;
	uint16_t vlans[VLAN_TAGS_MAX]; /**< VIDs, outermost first; two: 0x88a8 and 0x8100 */
	uint8_t source_mac[ORDER_MAC_BYTES];
	uint8_t destination_mac[ORDER_MAC_BYTES];
	uint32_t count; /**< packets */
	uint64_t seed;
	bool has_secret; /**< ACKs carry valid cookies */
	struct siphash_key secret;
	ticks_t now; /**< when their SYNs were answered */
};

/** Reads the command line; ends the program when something in it is wrong (status 2), the secret
 * can't be read (status 1), or only help was asked for (0). */
struct order order_parse(int argc, char **argv);

#endif
