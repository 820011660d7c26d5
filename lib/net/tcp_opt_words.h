/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP options as 32-bit words, host order, the way real stacks lay them out and we do: for the two
 * places that read and write them a word at a time. Low bytes given as 0 are where values go.
 */
#ifndef SLUICE_NET_TCP_OPT_WORDS_H
#define SLUICE_NET_TCP_OPT_WORDS_H

#include "base/base.h"
#include "net/bytes.h"
#include "net/tcp_opt.h"

enum tcp_opt_word {
	OPT_WORD_MSS = 0x02040000,
	OPT_WORD_SACK_TIMESTAMP = 0x0402080a,
	OPT_WORD_NOPS_TIMESTAMP = 0x0101080a, /**< how nearly every segment's options begin */
	OPT_WORD_NOPS_SACK = 0x01010402,
	OPT_WORD_SACK_END = 0x04020000,
	OPT_WORD_NOP_WSCALE = 0x01030300,
	OPT_WORD_NOPS_SACK_BLOCKS = 0x01010500, /**< with the option's length in the low byte */
};

/** Bytes of NOP, NOP, timestamps. */
#define OPT_STAMPED_BYTES 12u
/* Behind them: two NOPs, kind and length. */
#define OPT_SACK_HEAD_BYTES 4u

/**
 * tcp_opt_parse() of what nearly all segments have: timestamps behind NOPs and no more, or SACK
 * blocks behind two more NOPs to the end. False for any other layout; opt is then unspecified.
 */
static inline bool
tcp_opt_read_stamped(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	const unsigned edges = length - OPT_STAMPED_BYTES - OPT_SACK_HEAD_BYTES;

	if (length < OPT_STAMPED_BYTES || load_be32(options) != OPT_WORD_NOPS_TIMESTAMP)
		return false;
	*opt = (struct tcp_opt){
			.tsval = load_be32(options + 4),
			.tsecr = load_be32(options + 8),
			.wscale = TCP_WSCALE_NONE,
			.timestamp_offset = 2,
			.has_timestamp = true,
	};
	if (length == OPT_STAMPED_BYTES)
		return true;
	if (length <= OPT_STAMPED_BYTES + OPT_SACK_HEAD_BYTES ||
			edges % TCP_OPT_SACK_BLOCK_BYTES != 0 ||
			load_be32(options + OPT_STAMPED_BYTES) !=
					(OPT_WORD_NOPS_SACK_BLOCKS | (edges + 2)))
		return false;
	opt->sack_offset = OPT_STAMPED_BYTES + 2;
	opt->sack_blocks = (uint8_t)(edges / TCP_OPT_SACK_BLOCK_BYTES);
	return true;
}

/** Bytes of a Linux SYN's options: MSS, SACK-permitted, timestamps, NOP, scale. */
#define OPT_LINUX_BYTES 20u

/** tcp_opt_parse() of these. False for any other layout; opt is then untouched. Written at one go:
 * who reads several members at once would wait for those stored by themselves. */
static inline bool
tcp_opt_read_linux(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	uint32_t first, last, wscale;

	if (length != OPT_LINUX_BYTES)
		return false;
	first = load_be32(options);
	last = load_be32(options + 16);
	if ((first & 0xffff0000) != OPT_WORD_MSS ||
			load_be32(options + 4) != OPT_WORD_SACK_TIMESTAMP ||
			(last & 0xffffff00) != OPT_WORD_NOP_WSCALE)
		return false;
	wscale = last & 0xff;
	*opt = (struct tcp_opt){
			.tsval = load_be32(options + 8),
			.tsecr = load_be32(options + 12),
			.mss = (uint16_t)first,
			.wscale = (uint8_t)(wscale < TCP_WSCALE_MAX ? wscale : TCP_WSCALE_MAX),
			.timestamp_offset = 6,
			.sack_permitted = true,
			.has_timestamp = true,
	};
	return true;
}

/** Bytes of the options of a SYN or SYN-ACK of ours. */
static inline unsigned
tcp_opt_syn_length(const struct tcp_opt_syn *syn)
{
	return (syn->mss != 0 ? 4u : 0) +
	       (syn->has_timestamp		     ? 12u
			       : syn->sack_permitted ? 4u
						     : 0) +
	       (syn->wscale != TCP_WSCALE_NONE ? 4u : 0);
}

static inline uint8_t *
tcp_opt_put_word(uint8_t *at, uint32_t word, uint64_t *sum)
{
	uint32_t word_be = htobe32(word);

	store_raw32(at, word_be);
	*sum += word_be;
	return at + sizeof(word_be);
}

/**
 * Writes them, tcp_opt_syn_length() bytes, and adds them to a running checksum, so that nothing
 *just written has to be read again:
 *
 *	MSS(4)
 *	SACK-permitted(2) timestamps(10)  or  NOP NOP timestamps  or  NOP NOP SACK-permitted
 *	NOP wscale(3)
 */
static inline void
tcp_opt_put_syn(uint8_t *at, const struct tcp_opt_syn *syn, uint64_t *sum)
{
	if (LIKELY(syn->mss != 0))
		at = tcp_opt_put_word(at, OPT_WORD_MSS | syn->mss, sum);
	if (syn->has_timestamp) {
		at = tcp_opt_put_word(at,
				syn->sack_permitted ? OPT_WORD_SACK_TIMESTAMP
						    : OPT_WORD_NOPS_TIMESTAMP,
				sum);
		at = tcp_opt_put_word(at, syn->tsval, sum);
		at = tcp_opt_put_word(at, syn->tsecr, sum);
	} else if (syn->sack_permitted) {
		at = tcp_opt_put_word(at, OPT_WORD_NOPS_SACK, sum);
	}
	if (syn->wscale != TCP_WSCALE_NONE)
		tcp_opt_put_word(at, OPT_WORD_NOP_WSCALE | syn->wscale, sum);
}

#endif
