/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a spliced segment's cycles go into: the frames of the case splice, and of the way through
 * sluice_burst() only the first stages, each case one more than the one before. What is missing to
 * splice itself is the windows' check and the translation. stage_splice_touch is the machine's
 * share: the three cache lines of each frame loaded, a burst ahead as the pipeline does it, the two
 * with headers written, and nothing else.
 */
#include "cases.h"
#include "clients.h"

#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "kernel_wanted.h"
#include "net/pkt_read.h"
#include "proxy/worker_impl.h"

#define PAYLOAD 64

enum stage {
	STAGE_TOUCH,
	STAGE_READ, /* pkt_read_segments(): headers, both checksums, options */
	STAGE_FIND, /* and flow_table_find_all(), with the connection's line loaded */
};

static uint8_t *
frame(const struct bench *b, unsigned i)
{
	return b->frames + i * b->frame_bytes;
}

/* One word of each line is enough. */
static uint64_t
touch(uint8_t *at)
{
	uint64_t words[3];

	for (unsigned line = 0; line < 3; line++)
		memcpy(&words[line], at + line * CACHE_LINE_SIZE, sizeof(words[line]));
	words[0] += words[2];
	memcpy(at, &words[0], sizeof(words[0]));
	memcpy(at + CACHE_LINE_SIZE, &words[0], sizeof(words[0]));
	return words[1];
}

/* Headers, both checksums, options. */
static void
read_all(const struct bench *b, struct pkt *pkts, unsigned first)
{
	const enum kernel kernel = b->worker->env.kernel;

	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct pkt *pkt = &pkts[i];

		pkt->data = frame(b, first + i);
		pkt->len = b->lengths[first + i];
		pkt->tailroom = (uint16_t)(b->frame_bytes - pkt->len);
		pkt->kind = PKT_UNPARSED;
	}
	for (unsigned i = 0; i < BURST_MAX; i += PKT_READ_LANES)
		pkt_read_segments(kernel, &pkts[i], PKT_READ_LANES, SIDE_CLIENT);
	for (unsigned i = 0; i < BURST_MAX; i++)
		if (pkt_check(kernel, &pkts[i]) != REASON_NONE)
			abort();
}

/* What the answers add up to, so that they are waited for. */
static uint32_t
find_all(const struct bench *b, struct pkt *pkts)
{
	const struct flow_table *flows = &b->worker->flows;
	struct flow_query queries[BURST_MAX];
	uint32_t sum = 0;

	for (unsigned i = 0; i < BURST_MAX; i++) {
		const uint32_t hash = flow_table_hash(flows, &pkts[i].tuple);

		flow_table_prefetch(flows, hash);
		queries[i] = (struct flow_query){&pkts[i].tuple, hash, FLOW_NONE};
	}
	flow_table_find_all(flows, queries, BURST_MAX);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		if (queries[i].handle == FLOW_NONE)
			abort();
		sum += queries[i].handle;
	}
	return sum;
}

static uint64_t
burst_run(const struct bench *b, enum stage stage, unsigned first)
{
	static struct pkt pkts[BURST_MAX];
	uint64_t sum = 0;

	for (unsigned i = 0; i < BURST_MAX; i++) {
		const unsigned ahead = first + BURST_MAX + i;

		if (ahead < BUFFERS)
			burst_prefetch(frame(b, ahead), b->lengths[ahead]);
		if (stage == STAGE_TOUCH)
			sum += touch(frame(b, first + i));
	}
	if (stage != STAGE_TOUCH)
		read_all(b, pkts, first);
	return stage == STAGE_FIND ? find_all(b, pkts) : sum;
}

static void
run_at(const struct bench_case *c, const struct request *request, uint32_t connections)
{
	static const uint8_t data[PAYLOAD] = "sluice";
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint32_t *iss = clients_open_many(&b, connections, FRAME_BYTES);
	uint64_t random = 1, sum = 0;

	for (unsigned i = 0; i < BUFFERS; i++) {
		const uint32_t n = (uint32_t)(packet_random(&random) % connections);
		struct packet p = client_segment(n, iss[n], data, PAYLOAD);

		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned round = 0; round < request->rounds; round++) {
		uint64_t begin;

		bench_restore(&b);
		begin = __rdtsc();
		for (unsigned i = 0; i < BUFFERS; i += BURST_MAX)
			sum += burst_run(&b, (enum stage)c->variant, i);
		/* Kept from the optimiser by being used. */
		cycles[round] = (double)(__rdtsc() - begin) / BUFFERS + (double)(sum == 1);
	}
	bench_report(&(struct line){.name = c->name,
				     .burst = BURST_MAX,
				     .connections = connections,
				     .payload = PAYLOAD},
			cycles, request->rounds);
	free(iss);
	bench_fini(&b);
}

static void
run(const struct bench_case *c, const struct request *request)
{
	const unsigned count = c->variant == STAGE_FIND ? request->connections_count : 1;

	for (unsigned i = 0; i < count; i++)
		run_at(c, request, request->connections[i]);
}

const struct bench_case cases_splice_stages[] = {
		{"stage_splice_touch", run, STAGE_TOUCH},
		{"stage_splice_read", run, STAGE_READ},
		{"stage_splice_find", run, STAGE_FIND},
		{0},
};
