/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of any content, ending at a guard page, through everything lib/net does to a packet:
 * parse, judge, translate, answer as a neighbour, build over it. packets.c, which shares no code
 *with lib/net, has the second opinion on the checksums.
 *
 *	input = from and checksum 1, switches 1, window 2, seq_add 4, ack_add 4, tsval_add 4,
 *		tsecr_add 4, frame
 */
#include <string.h>

#include "guard_page.h"
#include "net/neighbour.h"
#include "net/rewrite.h"
#include "packets.h"

#define CONTROL_BYTES 20
#define FRAME_BYTES_MAX 70000

/* Bits of the first two bytes; the lowest two of the first are enum pkt_csum. */
#define CONTROL_FROM_BACKEND 0x10
#define CONTROL_FIX_CHECKSUMS 0x20
#define SWITCH_STRIP_TIMESTAMP 0x01
#define SWITCH_STRIP_SACK 0x02

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static uint32_t
number_at(const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof(number));
	return number;
}

static struct rewrite
rewrite_from(const uint8_t *control)
{
	return (struct rewrite){
			.window = (uint16_t)(control[2] | control[3] << 8),
			.seq_add = number_at(control + 4),
			.ack_add = number_at(control + 8),
			.tsval_add = number_at(control + 12),
			.tsecr_add = number_at(control + 16),
			.strip_timestamp = control[1] & SWITCH_STRIP_TIMESTAMP,
			.strip_sack = control[1] & SWITCH_STRIP_SACK,
	};
}

static struct pkt
parse(const struct guarded_block *block, size_t length, const uint8_t *control)
{
	struct pkt pkt = {
			.data = block->bytes,
			.len = (uint32_t)length,
			.tailroom = (uint16_t)(block->size - length),
			.csum = control[0] & 3,
	};

	pkt_parse(&pkt, control[0] & CONTROL_FROM_BACKEND ? SIDE_BACKEND : SIDE_CLIENT);
	return pkt;
}

static void
ensure_parsed(const struct pkt *pkt)
{
	ENSURE(pkt->kind != PKT_UNPARSED);
	ENSURE((pkt->kind == PKT_FOREIGN || pkt->kind == PKT_BAD) == (pkt->reason != REASON_NONE));
	if (pkt->reason != REASON_NONE) {
		enum verdict verdict = reason_verdict((enum reason)pkt->reason);

		ENSURE(verdict == (pkt->kind == PKT_BAD ? VERDICT_DROP : VERDICT_FORWARD));
	}
	if (pkt->kind == PKT_TCP) {
		ENSURE(pkt->l3_offset >= 14 && pkt->l3_offset <= 22);
		ENSURE(pkt->l4_offset >= pkt->l3_offset + 20);
		ENSURE(pkt->l4_length >= 20);
		ENSURE(pkt->l4_offset + pkt->l4_length <= pkt->len);
		ENSURE(packet_l3_offset(pkt->data, pkt->len) == pkt->l3_offset);
		ENSURE(packet_l4_offset(pkt->data, pkt->len) == pkt->l4_offset);
	}
}

static bool
is_right(const struct pkt *pkt)
{
	return packet_checksums_are_right(pkt->data, pkt->len);
}

static void
translate(struct pkt *pkt, const uint8_t *control)
{
	struct rewrite rewrite = rewrite_from(control);
	bool was_right = is_right(pkt);

	ENSURE(was_right || pkt->csum == PKT_CSUM_GOOD || pkt->csum == PKT_CSUM_LATER);
	rewrite_segment(pkt, &rewrite);
	/* What is left open is the port's to fill in, whatever stands there. */
	ENSURE(pkt->csum == PKT_CSUM_LATER || is_right(pkt) == was_right);
}

/* The frame in a block that has room for a build and no byte more. */
static void
build_over(const uint8_t *frame, size_t length, const uint8_t *control)
{
	size_t room = length > PKT_BUILD_BYTES_MAX ? length : PKT_BUILD_BYTES_MAX;
	struct guarded_block block = guarded_block_map(room);
	struct pkt_build build = {
			.to = control[1] & 4 ? SIDE_CLIENT : SIDE_BACKEND,
			.seq = number_at(control + 4),
			.ack = number_at(control + 8),
			.flags = control[1],
			.ttl = control[12],
			.tos = control[13],
			.flow_label = number_at(control + 16),
			.options_length = control[14] % 11 * 4,
	};
	struct pkt pkt;

	memcpy(block.bytes, frame, length);
	memset(build.options, 1, sizeof(build.options));
	pkt = parse(&block, length, control);
	pkt_turn_round(&pkt);
	pkt_build_tcp(&pkt, &build);
	ENSURE(pkt.len <= room && is_right(&pkt));

	pkt_build_ether(&pkt, control, control + ETHER_ADDR_BYTES);
	pkt_build_tcp(&pkt, &build);
	ENSURE(pkt.len <= PKT_BUILD_BYTES_MAX && is_right(&pkt));
	guarded_block_unmap(&block);
}

/* A question is answered where there is room for it; and an answer is none that is answered. */
static void
answer(struct pkt *pkt, const uint8_t *control)
{
	struct neighbour neighbour;
	uint32_t room = pkt->len + pkt->tailroom;

	if (neighbour_parse(pkt, &neighbour) != NEIGHBOUR_QUESTION ||
			!neighbour_answer(pkt, control + ETHER_ADDR_BYTES))
		return;
	ENSURE(pkt->len <= room);
	ENSURE(memcmp(pkt->data + ETHER_ADDR_BYTES, control + ETHER_ADDR_BYTES, ETHER_ADDR_BYTES) ==
			0);
	ENSURE(neighbour_parse(pkt, &neighbour) != NEIGHBOUR_QUESTION);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct guarded_block block;
	struct pkt pkt;

	if (size < CONTROL_BYTES || size - CONTROL_BYTES > FRAME_BYTES_MAX)
		return 0;
	block = guarded_block_map(size - CONTROL_BYTES);
	memcpy(block.bytes, input + CONTROL_BYTES, block.size);
	pkt = parse(&block, block.size, input);
	ensure_parsed(&pkt);
	answer(&pkt, input);
	if (pkt.kind == PKT_TCP) {
		if (input[0] & CONTROL_FIX_CHECKSUMS)
			packet_fix_checksums(block.bytes, block.size);
		if (pkt_check_tcp(&pkt) == REASON_NONE)
			translate(&pkt, input);
		build_over(input + CONTROL_BYTES, block.size, input);
	}
	guarded_block_unmap(&block);
	return 0;
}
