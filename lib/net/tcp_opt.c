/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walker below is the only code that follows option lengths; nobody else may. What the
 * layout of a SYN's options must be is nobody's standard, but middleboxes know Linux's best.
 */
#include "net/tcp_opt.h"

#include <assert.h>

#include "base/base.h"
#include "net/bytes.h"

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

/* NOP, NOP, kind and length of a timestamp: how nearly every segment's options begin. */
#define ALIGNED_TIMESTAMP 0x0101080au
#define ALIGNED_TIMESTAMP_BYTES (2 + TIMESTAMP_BYTES)

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

bool
tcp_opt_parse(const uint8_t *options, unsigned length, struct tcp_opt *opt)
{
	*opt = (struct tcp_opt){.wscale = TCP_WSCALE_NONE};
	if (length == 0)
		return true;
	if (length == ALIGNED_TIMESTAMP_BYTES && load_be32(options) == ALIGNED_TIMESTAMP) {
		opt_read_timestamp(opt, options + 2, 2);
		return true;
	}
	return opt_walk(options, length, opt);
}

/* Four bytes: a two-byte option behind two NOPs. */
static void
write_padded(uint8_t *out, uint8_t kind, uint8_t length)
{
	out[0] = KIND_NOP;
	out[1] = KIND_NOP;
	out[2] = kind;
	out[3] = length;
}

unsigned
tcp_opt_build_timestamp(uint8_t *out, uint32_t tsval, uint32_t tsecr)
{
	write_padded(out, KIND_TIMESTAMP, TIMESTAMP_BYTES);
	store_be32(out + 4, tsval);
	store_be32(out + 8, tsecr);
	return ALIGNED_TIMESTAMP_BYTES;
}

/*
 *	MSS(4)
 *	SACK-permitted(2) timestamps(10)  or  NOP NOP timestamps  or  NOP NOP SACK-permitted
 *	NOP wscale(3)
 */
unsigned
tcp_opt_build_syn(uint8_t *out, const struct tcp_opt_syn *syn)
{
	unsigned at = 0;

	if (LIKELY(syn->mss != 0)) {
		out[0] = KIND_MSS;
		out[1] = MSS_BYTES;
		store_be16(out + 2, syn->mss);
		at = MSS_BYTES;
	}
	if (syn->has_timestamp) {
		tcp_opt_build_timestamp(out + at, syn->tsval, syn->tsecr);
		if (syn->sack_permitted) {
			out[at] = KIND_SACK_PERMITTED;
			out[at + 1] = SACK_PERMITTED_BYTES;
		}
		at += ALIGNED_TIMESTAMP_BYTES;
	} else if (syn->sack_permitted) {
		write_padded(out + at, KIND_SACK_PERMITTED, SACK_PERMITTED_BYTES);
		at += 2 + SACK_PERMITTED_BYTES;
	}
	if (syn->wscale != TCP_WSCALE_NONE) {
		out[at] = KIND_NOP;
		out[at + 1] = KIND_WSCALE;
		out[at + 2] = WSCALE_BYTES;
		out[at + 3] = syn->wscale;
		at += 1 + WSCALE_BYTES;
	}
	return at;
}
