/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One packet on its way through a burst: where its bytes are, what the parser found, how it
 * ended. The bytes belong to the caller of sluice_burst (in the appliance: an mbuf); struct pkt
 * only borrows them. Parsing reads each byte after its length check and changes nothing.
 *
 * Two steps: pkt_parse() tells what the packet is and between whom, cheap enough for foreign
 * traffic; pkt_check_tcp() then judges a TCP packet of a backend completely.
 */
#ifndef SLUICE_NET_PKT_H
#define SLUICE_NET_PKT_H

#include <assert.h>

#include "base/reason.h"
#include "net/tcp_opt.h"
#include "net/tuple.h"

/** Largest header stack we ever build: Ethernet, two tags, IPv6, TCP with all options. */
#define PKT_BUILD_BYTES_MAX (14 + 2 * 4 + 40 + 60)

enum pkt_kind {
	PKT_UNPARSED,
	PKT_FOREIGN,	/**< not TCP: reason says which; passes */
	PKT_TCP,	/**< tuple and the fixed TCP header are valid; not checked further */
	PKT_ICMP_ERROR, /**< ICMP error that quotes a TCP segment: tuple and seq are the segment's
			 */
	PKT_FRAGMENT,	/**< fragment of TCP, or one that could overlap its header: tuple's
			   addresses valid, ports 0 */
	PKT_BAD,	/**< refused below TCP: reason says why */
};

/** What the port knows about the checksums. */
enum pkt_csum {
	PKT_CSUM_UNKNOWN, /**< verify in software */
	PKT_CSUM_PARTIAL, /**< verify in software; a field that holds just the pseudo-header sum (a
			       virtual peer left the rest to hardware) is completed instead of
			     refused */
	PKT_CSUM_LATER, /**< a virtual peer vouches for TCP and left its checksum to the port, which
			     fills it in as the packet leaves; IP is verified here */
	PKT_CSUM_GOOD,	/**< the NIC verified IP and TCP */
	PKT_CSUM_BAD,	/**< the NIC found the TCP checksum wrong */
};

/** TCP flag bits as in the header's byte 13. */
enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/** What pkt_read() has found right already, bit by bit; without a bit nothing is known. */
enum pkt_checked {
	PKT_HEADERS_SOUND = 1, /**< all that pkt_check_tcp() judges before flags and options, and
				  the flags; but for the TCP checksum */
	PKT_SUM_RIGHT = 2,     /**< the TCP checksum, or the port's word counts */
	PKT_OPTIONS_READ = 4,  /**< opt is filled */
	PKT_SOUND = PKT_HEADERS_SOUND | PKT_SUM_RIGHT | PKT_OPTIONS_READ,
};

struct pkt {
	/* Set by the caller before the burst. */
	uint8_t *data;	   /**< first byte of the Ethernet header */
	void *owner;	   /**< the caller's: never touched */
	uint32_t len;	   /**< bytes at data */
	uint32_t rest;	   /**< the frame's bytes that lie elsewhere, behind those at data: payload,
			      which nobody here reads. 0 but for large frames, whose checksum the
			      caller must know */
	uint16_t tailroom; /**< writable bytes behind data + len */
	uint8_t csum;	   /**< enum pkt_csum */
	uint8_t kind;	   /**< enum pkt_kind; the caller sets PKT_UNPARSED, pkt_parse() the rest */

	uint32_t hash; /**< flow hash of the tuple; set by the pipeline */

	/* Set by pkt_parse(); offsets from data. */
	struct tuple tuple;
	uint32_t seq; /**< host order, as all below */
	union {
		uint32_t ack;
		uint32_t quote_offset; /**< PKT_ICMP_ERROR: the quoted TCP header */
	};
	uint16_t window;	   /**< as it stands in the header, unscaled */
	uint8_t flags;		   /**< enum tcp_flag bits */
	uint8_t tcp_header_length; /**< 20..60; below that before pkt_check_tcp */
	uint32_t l4_length; /**< bytes of it and its payload, by the IP length, not the frame's */

	struct tcp_opt opt; /**< set by pkt_check_tcp() */

	uint8_t l3_offset;  /**< IP header, 14..22 */
	uint8_t ttl;	    /**< TTL or hop limit */
	uint8_t tos;	    /**< DSCP and ECN byte */
	uint8_t from;	    /**< enum side: the port it came in by */
	uint16_t l4_offset; /**< TCP or ICMP header */
	uint8_t reason;	    /**< enum reason; REASON_NONE until decided, as the packet ends */
	union {
		uint8_t checked;  /**< PKT_TCP: enum pkt_checked bits; for pkt_check() */
		uint8_t fragment; /**< PKT_FRAGMENT: enum fragment_kind */
	};
	uint32_t flow_label; /**< IPv6, 20 bits; 0 for IPv4 */
	union {
		uint32_t conn;	     /**< connection index; set by the pipeline */
		uint32_t csum_begun; /**< with PKT_HEADERS_SOUND, before pkt_check(): the running
					TCP sum of what pkt_read() has seen */
	};
};
static_assert(sizeof(struct pkt) == 2 * CACHE_LINE_SIZE,
		"a burst of 32 leaves most of L1 to others");

/** All members 0. In two halves: of one with 128 bytes gcc makes a string instruction, which takes
 * longer to start than both. */
static inline void
pkt_clear(struct pkt *pkt)
{
	memset(pkt, 0, CACHE_LINE_SIZE);
	memset((uint8_t *)pkt + CACHE_LINE_SIZE, 0, CACHE_LINE_SIZE);
}

/**
 * Finds out what the packet is and fills the parsed fields. `from` tells which port it came in
 * by, so that tuple is client first. Sets reason for PKT_FOREIGN and PKT_BAD, else leaves it
 * REASON_NONE. Does nothing to a packet already parsed.
 * Refuses (PKT_BAD) what could hide a protected packet: truncated headers, impossible lengths,
 * more than two VLAN tags, endless extension headers, headers that are not all at data. Does not
 * verify checksums.
 */
void pkt_parse(struct pkt *pkt, enum side from);

/**
 * Judges a PKT_TCP packet of a backend: source address, IPv4 header checksum, data offset,
 * TCP checksum, flags (the valid combinations of Linux nf_conntrack_proto_tcp.c
 * tcp_valid_flags), options. Returns REASON_NONE and fills tcp_header_length and opt, or the
 * reason to refuse. Completes a partial checksum (PKT_CSUM_PARTIAL) in place.
 */
enum reason pkt_check_tcp(struct pkt *pkt);

/** The ECN field of IP (RFC 3168 5), in pkt.tos. */
enum ip_ecn {
	IP_ECN_MASK = 3,
	IP_ECN_NOT_ECT = 0,
	IP_ECN_CE = 3, /**< congestion experienced */
};

/** True for a SYN that offers ECN (RFC 3168 6.1.1). One that is itself marked was not sent so: then
 * a router on its way can't be trusted with the field (Linux tcp_ecn_create_request). */
static inline bool
pkt_offers_ecn(const struct pkt *syn)
{
	return (syn->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) &&
	       (syn->tos & IP_ECN_MASK) == IP_ECN_NOT_ECT;
}

/** True for a SYN-ACK that accepts it. */
static inline bool
pkt_accepts_ecn(const struct pkt *syn_ack)
{
	return (syn_ack->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
}

/** Bytes of TCP payload; valid after pkt_check_tcp(). */
static inline uint32_t
pkt_payload_length(const struct pkt *pkt)
{
	return pkt->l4_length - pkt->tcp_header_length;
}

/** Sequence space the segment occupies: payload plus one each for SYN and FIN (RFC 9293 3.4). */
static inline uint32_t
pkt_seq_length(const struct pkt *pkt)
{
	return pkt_payload_length(pkt) + !!(pkt->flags & TCP_SYN) + !!(pkt->flags & TCP_FIN);
}

#endif
