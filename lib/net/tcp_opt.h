/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP options (RFC 9293 3.1, RFC 7323, RFC 2018): one bounded walker for every reader, and
 * the option block of our own SYNs and SYN-ACKs, laid out as Linux's tcp_options_write does.
 * The length byte is read only after its existence is checked; nothing is believed about
 * bytes behind the header.
 */
#ifndef SLUICE_NET_TCP_OPT_H
#define SLUICE_NET_TCP_OPT_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_OPT_BYTES_MAX 40 /**< data offset 15 leaves 60 - 20 bytes */
#define TCP_WSCALE_NONE 0xff /**< the option was absent: not the same as a scale of 0 */
#define TCP_WSCALE_MAX 14    /**< RFC 7323 2.3: a larger shift counts as 14 */

/** Where the numbers are, from the option's kind byte: RFC 7323 3.2, RFC 2018 3. */
enum {
	TCP_OPT_TSVAL_AT = 2,
	TCP_OPT_TSECR_AT = 6,
	TCP_OPT_SACK_EDGES_AT = 2,
	TCP_OPT_SACK_BLOCK_BYTES = 8,
};

/**
 * What one segment's options say. Offsets count from the first option byte; they mark the
 * option's kind byte. An option with a length its kind doesn't allow counts as absent; the
 * first of a repeated option counts, except that a repeated SACK option counts as absent.
 */
struct tcp_opt {
	uint32_t tsval;		  /**< host order; valid when has_timestamp */
	uint32_t tsecr;		  /**< host order; valid when has_timestamp */
	uint16_t mss;		  /**< 0: absent */
	uint8_t wscale;		  /**< 0..14, or TCP_WSCALE_NONE */
	uint8_t sack_blocks;	  /**< 0..4 */
	uint8_t sack_offset;	  /**< valid when sack_blocks > 0 */
	uint8_t timestamp_offset; /**< valid when has_timestamp */
	bool sack_permitted;
	bool has_timestamp;
};

/**
 * Reads length option bytes (0..40). False when an option has a length of 0 or 1 or runs
 * beyond the block; *opt is then unspecified. A missing length byte at the end is such a case.
 * Unknown kinds are skipped. End-of-list stops the walk.
 */
bool tcp_opt_parse(const uint8_t *options, unsigned length, struct tcp_opt *opt);

/** What a SYN or SYN-ACK of ours offers: its options, and ECN. */
struct tcp_opt_syn {
	uint32_t tsval; /**< host order; used when has_timestamp */
	uint32_t tsecr; /**< host order; used when has_timestamp */
	uint16_t mss;	/**< 0 to leave it out */
	uint8_t wscale; /**< 0..14, or TCP_WSCALE_NONE to leave it out */
	bool sack_permitted;
	bool has_timestamp;
	bool ecn; /**< no option: the caller sets the flags (RFC 3168 6.1.1) */
};

/** Writes the options into out (room for 40 bytes) and returns their length, a multiple of 4, at
 * most 20. */
unsigned tcp_opt_build_syn(uint8_t *out, const struct tcp_opt_syn *syn);

/** Writes NOP, NOP, timestamps (12 bytes) and returns 12: the layout of every later segment (RFC
 * 7323 A). */
unsigned tcp_opt_build_timestamp(uint8_t *out, uint32_t tsval, uint32_t tsecr);

#endif
