/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a SYN's answer can't do without, each piece by itself, with everything it reads and writes
 * in L1: with stage_touch, which is the frames' way from memory and back, the least that syn_cookie
 * can come down to on a CPU. lib/README.md has the table.
 */
#include "cases.h"
#include "clients.h"

#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "base/siphash_lanes.h"
#include "kernel_wanted.h"
#include "net/csum.h"
#include "table/flow_table.h"

enum piece {
	PIECE_SIPHASH,	   /* a cookie's MAC, IPv4 */
	PIECE_SIPHASH_IP6, /* the same, IPv6 */
	PIECE_SIPHASH_ONE, /* the MAC of a single cookie, IPv4: the time until it is there */
	PIECE_CHECKSUMS,   /* of IP and TCP, of a SYN and of its answer, frame by frame */
	PIECE_FLOW_HASH,   /* of the tuple, IPv4 */
};

#define MESSAGE_WORDS_IP4 3
#define MESSAGE_WORDS_IP6 6
#define FRAME_IP_AT 14
#define FRAME_IP_BYTES 60

struct pieces {
	enum kernel kernel;
	struct siphash_lanes lanes;
	uint8_t frames[BURST_MAX][128] __attribute__((aligned(CACHE_LINE_SIZE)));
	struct flow_table flows;
	struct tuple tuples[BURST_MAX];
};

static void
pieces_init(struct pieces *p)
{
	memset(p, 0, sizeof(*p));
	p->kernel = kernel_wanted();
	p->flows.seed = (struct siphash_key){3, 4};
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet packet = client_syn(i, 4, true);

		packet_write(&packet, p->frames[i], sizeof(p->frames[i]));
		p->tuples[i].client_port = (uint16_t)i;
		p->tuples[i].family = FAMILY_IP4;
		p->lanes.words[0][i] = i;
	}
}

static uint64_t
sum(const struct pieces *p, const uint8_t *ip)
{
	if (p->kernel == KERNEL_AVX512)
		return csum_add_avx512(0, ip, FRAME_IP_BYTES);
	return csum_add(0, ip, FRAME_IP_BYTES);
}

/* One burst; what it returns keeps the work from being left out. */
static uint64_t
piece_run(struct pieces *p, enum piece piece)
{
	uint64_t result = 0;

	p->flows.seed.k0++; /* or it would be hashed once for all */
	if (piece == PIECE_SIPHASH || piece == PIECE_SIPHASH_IP6) {
		siphash_lanes(p->kernel, &p->lanes,
				piece == PIECE_SIPHASH ? MESSAGE_WORDS_IP4 : MESSAGE_WORDS_IP6,
				BURST_MAX);
		p->lanes.words[0][0] = p->lanes.macs[BURST_MAX - 1];
		return p->lanes.macs[0];
	}
	for (unsigned i = 0; i < BURST_MAX; i++) {
		if (piece == PIECE_SIPHASH_ONE) {
			const uint64_t words[MESSAGE_WORDS_IP4] = {result, i};

			result = siphash_words(&p->flows.seed, words, MESSAGE_WORDS_IP4);
		} else if (piece == PIECE_FLOW_HASH) {
			result ^= flow_table_hash(&p->flows, &p->tuples[i]);
		} else {
			result ^= sum(p, p->frames[i] + FRAME_IP_AT);
			result ^= sum(p, p->frames[BURST_MAX - 1 - i] + FRAME_IP_AT);
		}
	}
	return result;
}

static void
run(const struct bench_case *c, const struct request *request)
{
	static struct pieces p;
	double cycles[ROUNDS_MAX];
	uint64_t kept = 0;

	pieces_init(&p);
	for (unsigned round = 0; round < request->rounds; round++) {
		const uint64_t begin = __rdtsc();

		for (unsigned i = 0; i < BUFFERS; i += BURST_MAX)
			kept += piece_run(&p, (enum piece)c->variant);
		cycles[round] = (double)(__rdtsc() - begin) / BUFFERS;
		cycles[round] += (double)(kept == 0); /* used, so that it is not left out */
	}
	bench_report(&(struct line){.name = c->name, .burst = BURST_MAX}, cycles, request->rounds);
}

const struct bench_case cases_floor[] = {
		{"floor_siphash", run, PIECE_SIPHASH},
		{"floor_siphash_ip6", run, PIECE_SIPHASH_IP6},
		{"floor_siphash_one", run, PIECE_SIPHASH_ONE},
		{"floor_checksums", run, PIECE_CHECKSUMS},
		{"floor_flow_hash", run, PIECE_FLOW_HASH},
		{0},
};
