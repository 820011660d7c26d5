/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of any content, ending at a guard page: the walker stays inside, and what it reports
 * is really there. The input is the option block; what exceeds 40 bytes is cut off.
 */
#include "net/tcp_opt.h"

#include <string.h>

#include "base/base.h"
#include "guard_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* The option at offset lies in the block and has that kind and length. */
static void
ensure_option(const struct guarded_block *block, unsigned offset, unsigned kind, unsigned length)
{
	ENSURE(offset + length <= block->size);
	ENSURE(block->bytes[offset] == kind);
	ENSURE(block->bytes[offset + 1] == length);
}

static void
ensure_true_report(const struct guarded_block *block, const struct tcp_opt *opt)
{
	ENSURE(opt->wscale <= TCP_WSCALE_MAX || opt->wscale == TCP_WSCALE_NONE);
	ENSURE(opt->sack_blocks <= 4);
	if (opt->has_timestamp)
		ensure_option(block, opt->timestamp_offset, 8, 10);
	if (opt->sack_blocks > 0)
		ensure_option(block, opt->sack_offset, 5, 2 + 8u * opt->sack_blocks);
	if (opt->mss != 0)
		ENSURE(memmem(block->bytes, block->size, "\2\4", 2) != NULL);
	if (opt->wscale != TCP_WSCALE_NONE)
		ENSURE(memmem(block->bytes, block->size, "\3\3", 2) != NULL);
	if (opt->sack_permitted)
		ENSURE(memmem(block->bytes, block->size, "\4\2", 2) != NULL);
}

/* A SYN-ACK that takes over what was found says the same again. */
static void
ensure_round_trip(const struct tcp_opt *opt)
{
	struct tcp_opt_syn syn = {
			.tsval = opt->tsval,
			.tsecr = opt->tsecr,
			.mss = opt->mss,
			.wscale = opt->wscale,
			.sack_permitted = opt->sack_permitted,
			.has_timestamp = opt->has_timestamp,
	};
	uint8_t options[TCP_OPT_BYTES_MAX];
	unsigned length = tcp_opt_build_syn(options, &syn);
	struct tcp_opt again;

	ENSURE(length % 4 == 0 && length <= 20);
	ENSURE(tcp_opt_parse(options, length, &again));
	ENSURE(again.mss == opt->mss && again.wscale == opt->wscale);
	ENSURE(again.sack_permitted == opt->sack_permitted);
	ENSURE(again.has_timestamp == opt->has_timestamp);
	if (opt->has_timestamp)
		ENSURE(again.tsval == opt->tsval && again.tsecr == opt->tsecr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct guarded_block block =
			guarded_block_map(size < TCP_OPT_BYTES_MAX ? size : TCP_OPT_BYTES_MAX);
	struct tcp_opt opt;

	if (block.size > 0)
		memcpy(block.bytes, input, block.size);
	if (tcp_opt_parse(block.bytes, (unsigned)block.size, &opt)) {
		ensure_true_report(&block, &opt);
		ensure_round_trip(&opt);
	}
	guarded_block_unmap(&block);
	return 0;
}
