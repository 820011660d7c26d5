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
};

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
