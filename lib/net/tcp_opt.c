/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walker below is the only code that follows option lengths; nobody else may. What the
 * layout of a SYN's options must be is nobody's standard, but middleboxes know Linux's best.
 */
#include "net/tcp_opt.h"

#include <assert.h>

#include "base/base.h"
#include "net/bytes.h"
#include "net/tcp_opt_words.h"

enum {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WSCALE = 3,
	KIND_SACK_PERMITTED = 4,
	KIND_SACK = 5,
	KIND_TIMESTAMP = 8,
};

/* Lengths with kind and length byte. */
enum {
	MSS_BYTES = 4,
	WSCALE_BYTES = 3,
	SACK_PERMITTED_BYTES = 2,
	TIMESTAMP_BYTES = 10,
	SACK_HEAD_BYTES = 2,
	SACK_BLOCK_BYTES = 8,
	SACK_BLOCKS_MAX = 4,
};
static_assert(SACK_HEAD_BYTES + SACK_BLOCKS_MAX * SACK_BLOCK_BYTES <= TCP_OPT_BYTES_MAX &&
				SACK_HEAD_BYTES + (SACK_BLOCKS_MAX + 1) * SACK_BLOCK_BYTES >
						TCP_OPT_BYTES_MAX,
		"four blocks is what 40 bytes hold");

#define ALIGNED_TIMESTAMP_BYTES (2 + TIMESTAMP_BYTES)

/* Lengths of what real stacks' SYNs look like, word by word. */
#define SHORT_BYTES                                                                                \
	12	       /* Linux: MSS, NOPs, SACK-permitted, NOP, scale; Windows: the other order   \
			*/
#define MACOS_BYTES 24 /* MSS, NOP, scale, NOPs, timestamps, SACK-permitted, end */

static void
opt_read_timestamp(struct tcp_opt *opt, const uint8_t *option, unsigned offset)
{
	opt->has_timestamp = true;
	opt->timestamp_offset = (uint8_t)offset;
	opt->tsval = load_be32(option + 2);
	opt->tsecr = load_be32(option + 6);
}

static bool
is_sack_length(unsigned length)
{
	return length > SACK_HEAD_BYTES && (length - SACK_HEAD_BYTES) % SACK_BLOCK_BYTES == 0;
}

/* Takes in one option that lies wholly inside the block. */
static void
opt_read(struct tcp_opt *opt, const uint8_t *option, unsigned offset, unsigned *sacks)
{
	unsigned length = option[1];

	switch (option[0]) {
	case KIND_MSS:
		if (length == MSS_BYTES && opt->mss == 0)
			opt->mss = load_be16(option + 2);
		break;
	case KIND_WSCALE:
		if (length == WSCALE_BYTES && opt->wscale == TCP_WSCALE_NONE)
			opt->wscale = option[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : option[2];
		break;
	case KIND_SACK_PERMITTED:
		if (length == SACK_PERMITTED_BYTES)
			opt->sack_permitted = true;
		break;
	case KIND_SACK:
		if (is_sack_length(length)) {
			opt->sack_offset = (uint8_t)offset;
			opt->sack_blocks = (uint8_t)((length - SACK_HEAD_BYTES) / SACK_BLOCK_BYTES);
			++*sacks;
		}
		break;
	case KIND_TIMESTAMP:
		if (length == TIMESTAMP_BYTES && !opt->has_timestamp)
			opt_read_timestamp(opt, option, offset);
		break;
	}
}

static bool
opt_walk(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	unsigned sacks = 0;
	unsigned at = 0;

	while (at < length && options[at] != KIND_END) {
		if (options[at] == KIND_NOP) {
			at++;
			continue;
		}
		if (length - at < 2 || options[at + 1] < 2 || options[at + 1] > length - at)
			return false;
		opt_read(opt, options + at, at, &sacks);
		at += options[at + 1];
	}
	if (sacks > 1)
		opt->sack_blocks = 0;
	return true;
}

static uint8_t
read_wscale(uint32_t word)
{
	return (uint8_t)word > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : (uint8_t)word;
}

static bool
is_nop_wscale(uint32_t word)
{
	return (word & 0xffffff00) == OPT_WORD_NOP_WSCALE;
}

/* What all the layouts below have: the MSS comes first, and SACK is permitted. */
static void
opt_set_syn(struct tcp_opt *opt, uint32_t mss_word, uint32_t wscale_word)
{
	opt->mss = (uint16_t)mss_word;
	opt->wscale = read_wscale(wscale_word);
	opt->sack_permitted = true;
}

static bool
opt_read_short(const uint8_t *options, struct tcp_opt *opt)
{
	uint32_t first = load_be32(options);
	uint32_t second = load_be32(options + 4), third = load_be32(options + 8);
	uint32_t scale = second == OPT_WORD_NOPS_SACK ? third : second;

	if ((first & 0xffff0000) != OPT_WORD_MSS || !is_nop_wscale(scale) ||
			(second != OPT_WORD_NOPS_SACK && third != OPT_WORD_NOPS_SACK))
		return false;
	opt_set_syn(opt, first, scale);
	return true;
}

static bool
opt_read_macos(const uint8_t *options, struct tcp_opt *opt)
{
	uint32_t first = load_be32(options), second = load_be32(options + 4);

	if ((first & 0xffff0000) != OPT_WORD_MSS || !is_nop_wscale(second) ||
			load_be32(options + 8) != OPT_WORD_NOPS_TIMESTAMP ||
			(load_be32(options + 20) & 0xffffff00) != OPT_WORD_SACK_END)
		return false;
	opt_set_syn(opt, first, second);
	opt_read_timestamp(opt, options + 10, 10);
	return true;
}

/* NOPs and SACK blocks to the end: an acknowledgement beside losses, without timestamps. */
static bool
opt_read_sack(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	unsigned bytes = length - 2;

	if (length < 4 || !is_sack_length(bytes) ||
			load_be32(options) != (OPT_WORD_NOPS_SACK_BLOCKS | bytes))
		return false;
	opt->sack_offset = 2;
	opt->sack_blocks = (uint8_t)((bytes - SACK_HEAD_BYTES) / SACK_BLOCK_BYTES);
	return true;
}

/* False: none of the known layouts of that length; nothing is read into opt. */
static bool
opt_read_known(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	switch (length) {
	case SHORT_BYTES:
		return opt_read_short(options, opt) || opt_read_sack(options, length, opt);
	case MACOS_BYTES:
		return opt_read_macos(options, opt) || opt_read_sack(options, length, opt);
	default:
		return opt_read_sack(options, length, opt);
	}
}

bool
tcp_opt_parse(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	if (LIKELY(tcp_opt_read_stamped(options, length, opt)) ||
			tcp_opt_read_linux(options, length, opt))
		return true;
	*opt = (struct tcp_opt){.wscale = TCP_WSCALE_NONE};
	if (length == 0 || LIKELY(opt_read_known(options, length, opt)))
		return true;
	return opt_walk(options, length, opt);
}

unsigned
tcp_opt_build_timestamp(uint8_t *out, uint32_t tsval, uint32_t tsecr)
{
	store_be32(out, OPT_WORD_NOPS_TIMESTAMP);
	store_be32(out + 4, tsval);
	store_be32(out + 8, tsecr);
	return ALIGNED_TIMESTAMP_BYTES;
}

unsigned
tcp_opt_build_syn(uint8_t *out, const struct tcp_opt_syn *syn)
{
	uint64_t sum = 0;

	tcp_opt_put_syn(out, syn, &sum);
	return tcp_opt_syn_length(syn);
}
