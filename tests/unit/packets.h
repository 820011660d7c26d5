/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP packets for tests, written and read without any code of the library: own header
 * layout, own naive checksum, so that a test compares two independent opinions.
 *
 *	struct packet p = packet_ip4("192.0.2.1", 40000, "192.0.2.80", 80);
 *	p.flags = PACKET_SYN;
 *	p.seq = 1000;
 *	packet_add_mss(&p, 1460);
 *	length = packet_write(&p, frame, sizeof(frame));
 *	...
 *	assert_true(packet_read(&reply, frame, length));
 *	assert_true(packet_checksums_are_right(frame, length));
 *	assert_int_equal(reply.ack, 1001);
 */
#ifndef SLUICE_TESTS_PACKETS_H
#define SLUICE_TESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_VLANS_MAX 3
#define PACKET_EXTENSION_BYTES_MAX 256

/** TCP flags, byte 13 of the header. */
enum packet_flag {
	PACKET_FIN = 1,
	PACKET_SYN = 2,
	PACKET_RST = 4,
	PACKET_PSH = 8,
	PACKET_ACK = 16,
	PACKET_URG = 32,
	PACKET_ECE = 64,
	PACKET_CWR = 128,
};

/** Option kinds, as in the header. */
enum packet_option {
	PACKET_OPTION_END = 0,
	PACKET_OPTION_NOP = 1,
	PACKET_OPTION_MSS = 2,
	PACKET_OPTION_WSCALE = 3,
	PACKET_OPTION_SACK_PERMITTED = 4,
	PACKET_OPTION_SACK = 5,
	PACKET_OPTION_TIMESTAMP = 8,
};

/** One TCP packet taken apart; numbers in host order, addresses as on the wire. */
struct packet {
	uint8_t ether_destination[6];
	uint8_t ether_source[6];
	unsigned vlan_count; /**< 0..3, outermost first */
	struct {
		uint16_t protocol; /**< 0x8100, 0x88a8, 0x9100 */
		uint16_t tci;	   /**< priority and VID */
	} vlans[PACKET_VLANS_MAX];

	unsigned ip_version;	     /**< 4 or 6 */
	uint8_t source[16];	     /**< IPv4: the first 4 bytes, the rest 0 */
	uint8_t destination[16];     /**< the same */
	uint8_t tos;		     /**< IPv6: traffic class */
	uint8_t ttl;		     /**< IPv6: hop limit */
	uint16_t ip4_id;	     /**< IPv4 identification */
	uint16_t ip4_fragment;	     /**< IPv4 flags and fragment offset; 0x4000 is DF alone */
	uint32_t flow_label;	     /**< IPv6 */
	uint8_t ip4_options[40];     /**< IPv4 */
	unsigned ip4_options_length; /**< a multiple of 4 */
	uint8_t extensions[PACKET_EXTENSION_BYTES_MAX]; /**< IPv6 extension headers, complete; the
							   last one's next header is 6 */
	unsigned extensions_length;
	uint8_t extensions_first; /**< next header of the IPv6 header when extensions_length > 0 */

	uint16_t source_port;
	uint16_t destination_port;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags; /**< enum packet_flag bits */
	uint16_t window;
	uint16_t urgent;
	uint8_t options[40];
	unsigned options_length; /**< written padded with NOPs to a multiple of 4 */
	const uint8_t *payload;	 /**< borrowed; after packet_read() it points into the frame */
	size_t payload_length;
	size_t padding_length; /**< bytes of 0xa5 behind the IP packet */
};

/**
 * An ACK without payload between two addresses given as text: fixed locally administered
 * MAC addresses, TTL 64, window 65535, IPv4 with DF. Stops the test when the text is no
 * address.
 */
struct packet packet_ip4(
		const char *source, uint16_t source_port, const char *destination, uint16_t port);
struct packet packet_ip6(
		const char *source, uint16_t source_port, const char *destination, uint16_t port);

/** Adds an inner VLAN tag. */
void packet_add_vlan(struct packet *packet, uint16_t protocol, uint16_t tci);

/** Append one option. They stop the test when 40 bytes don't hold it. */
void packet_add_nop(struct packet *packet);
void packet_add_mss(struct packet *packet, uint16_t mss);
void packet_add_wscale(struct packet *packet, uint8_t shift);
void packet_add_sack_permitted(struct packet *packet);
void packet_add_timestamp(struct packet *packet, uint32_t tsval, uint32_t tsecr);

/** edges holds left and right of each block in turn: 2 * blocks numbers. */
void packet_add_sack(struct packet *packet, unsigned blocks, const uint32_t *edges);

/** The first option of that kind (at its kind byte) in packet->options, or NULL. */
const uint8_t *packet_find_option(const struct packet *packet, enum packet_option kind);

/** What the options say; for one that is absent: 0 for the MSS, -1 for the scale, false. */
unsigned packet_mss(const struct packet *packet);
int packet_wscale(const struct packet *packet);
bool packet_timestamp(const struct packet *packet, uint32_t *tsval, uint32_t *tsecr);

/** Bytes that packet_write() will write. */
size_t packet_size(const struct packet *packet);

/** Writes the frame with right checksums and returns its length; stops the test when room is
 * short. */
size_t packet_write(const struct packet *packet, uint8_t *frame, size_t room);

/** Takes a frame apart; false when it isn't one whole, unfragmented TCP packet. */
bool packet_read(struct packet *packet, const uint8_t *frame, size_t length);

/** True when the IPv4 header checksum (if any) and the TCP checksum verify. */
bool packet_checksums_are_right(const uint8_t *frame, size_t length);

/** Writes right checksums over those of a frame whose bytes a test has changed; its lengths must
 * still be true. */
void packet_fix_checksums(uint8_t *frame, size_t length);

/** Leaves in the TCP checksum just the folded pseudo-header sum, as Linux does for hardware that
 * is to complete it (CHECKSUM_PARTIAL). */
void packet_make_checksum_partial(uint8_t *frame, size_t length);

/** Offsets of the IP and of the TCP header in a frame that packet_read() takes. */
size_t packet_l3_offset(const uint8_t *frame, size_t length);
size_t packet_l4_offset(const uint8_t *frame, size_t length);

/** The same numbers for the same seed (splitmix64): state is any number, advanced by each call. */
uint64_t packet_random(uint64_t *state);

#endif
