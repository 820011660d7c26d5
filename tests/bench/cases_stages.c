/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a SYN's cycles go into: syn_cookie's frames, and of the way through sluice_burst() only the
 * first stages, each case one more than the one before. stage_touch is the machine's share: both
 * cache lines of each frame loaded, ahead as the appliance's loop does it with bursts of
 * BURST_AHEAD_LEAST, and written, and nothing else. stage_wrap instead only fills struct pkt, as
 * the harness does for every case. A lone packet is read as lone_take() reads it.
 */
#include "cases.h"
#include "clients.h"

#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "kernel_wanted.h"
#include "net/pkt_read.h"
#include "net/syn_ack_burst.h"

enum stage {
	STAGE_TOUCH,
	STAGE_WRAP,
	STAGE_READ,   /* pkt_read(): headers, both checksums, options */
	STAGE_ANSWER, /* and syn_ack_burst_answer(): cookies and frames */
};

static PREFETCHING void
prefetch(const struct bench *b, unsigned first, unsigned count)
{
	if (count < BURST_AHEAD_LEAST)
		return;
	for (unsigned i = first; i < first + count && i < BUFFERS; i++)
		burst_prefetch_ahead(b->frames + i * b->frame_bytes);
}

/* One word of each line is enough to make it ours. */
static void
touch(uint8_t *frame)
{
	uint64_t first, second;

	memcpy(&first, frame, sizeof(first));
	memcpy(&second, frame + CACHE_LINE_SIZE, sizeof(second));
	first += second;
	memcpy(frame, &first, sizeof(first));
	memcpy(frame + CACHE_LINE_SIZE, &first, sizeof(first));
}

static void
fill(struct pkt *pkts, const struct bench *b, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = &pkts[i];

		pkt->data = b->frames + (first + i) * b->frame_bytes;
		pkt->len = b->lengths[first + i];
		pkt->tailroom = (uint16_t)(b->frame_bytes - pkt->len);
		pkt->csum = PKT_CSUM_UNKNOWN;
		pkt->kind = PKT_UNPARSED;
		pkt->reason = REASON_NONE;
	}
}

static void
frames_read(enum kernel kernel, struct pkt *pkts, unsigned count)
{
	if (count == 1)
		pkt_read_lone(kernel, &pkts[0], SIDE_CLIENT);
	else
		pkt_read(kernel, pkts, count, SIDE_CLIENT);
}

/* Count of them from first on, at most BURST_MAX. */
static void
burst_run(struct bench *b, enum stage stage, enum kernel kernel, const struct jar *jar,
		unsigned first, unsigned count)
{
	static const struct syn_terms terms = {1460, 7,
			SYN_TERMS_SACK | SYN_TERMS_TIMESTAMPS | SYN_TERMS_ECN | SYN_TERMS_DATA};
	static struct burst burst;
	static struct syn_ack_burst answers;
	struct pkt *pkts = burst.pkts;

	prefetch(b, first + count, count);
	for (unsigned i = 0; stage == STAGE_TOUCH && i < count; i++)
		touch(b->frames + (first + i) * b->frame_bytes);
	if (stage != STAGE_TOUCH)
		fill(pkts, b, first, count);
	if (stage >= STAGE_READ)
		frames_read(kernel, pkts, count);
	if (stage != STAGE_ANSWER)
		return;
	answers.count = count;
	for (unsigned i = 0; i < count; i++) {
		answers.pkts[i] = &pkts[i];
		answers.terms[i] = terms;
	}
	if (syn_ack_burst_answer(jar, kernel, &answers) != UINT32_MAX >> (BURST_MAX - count))
		abort();
}
static_assert(BURST_MAX == 32, "a bit for each");

/* Cycles per packet of one round. */
static double
round_run(struct bench *b, enum stage stage, enum kernel kernel, const struct jar *jar,
		unsigned count)
{
	uint64_t begin;

	bench_restore(b);
	begin = __rdtsc();
	prefetch(b, 0, count);
	for (unsigned i = 0; i < BUFFERS; i += count)
		burst_run(b, stage, kernel, jar, i, count < BUFFERS - i ? count : BUFFERS - i);
	return (double)(__rdtsc() - begin) / BUFFERS;
}

static void
run(const struct bench_case *c, const struct request *request)
{
	static struct bench b;
	const enum kernel kernel = kernel_wanted();
	const struct siphash_key secret = {1, 2};
	const struct cookie_plan plan = cookie_plan_make(&secret);
	double cycles[ROUNDS_MAX];
	struct jar jar;

	bench_init(&b, &(struct options){.syncookies = 2});
	jar_init(&jar, &plan, b.now);
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 4, true);

		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++)
			cycles[round] = round_run(&b, (enum stage)c->variant, kernel, &jar,
					request->bursts[i]);
		bench_report(&(struct line){.name = c->name, .burst = request->bursts[i]}, cycles,
				request->rounds);
	}
	bench_fini(&b);
}

const struct bench_case cases_stages[] = {
		{"stage_touch", run, STAGE_TOUCH},
		{"stage_wrap", run, STAGE_WRAP},
		{"stage_read", run, STAGE_READ},
		{"stage_answer", run, STAGE_ANSWER},
		{0},
};
