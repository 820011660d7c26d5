/* SPDX-License-Identifier: BSD-3-Clause */
/* The syn queue of mode 1: entering it, meeting it full, and being found in it. */
#include "cases.h"
#include "clients.h"

static void
place_syns(struct bench *b, uint32_t first)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(first + i, 4, true);

		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

/* RSTs of the clients whose SYNs were run, which end their entries. */
static void
place_resets(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 4, false);

		p.flags = PACKET_RST;
		p.seq++;
		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
report(const struct bench_case *c, const struct request *request, unsigned burst, double *cycles)
{
	bench_report(&(struct line){.name = c->name, .burst = burst}, cycles, request->rounds);
}

/* Each SYN gets an entry; they are removed between the rounds. */
static void
run_insert(const struct bench_case *c, const struct request *request)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint64_t packets = 0;

	bench_init(&b, &(struct options){.syn_entries = 2 * BUFFERS, .syncookies = 1});
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++) {
			place_syns(&b, 0);
			cycles[round] = bench_round(&b, request->bursts[i]);
			place_resets(&b);
			bench_round(&b, BURST_MAX);
			packets += BUFFERS;
		}
		bench_expect(&b, c->name, REASON_syn_queued, packets);
		bench_expect(&b, c->name, REASON_syn_queue_reset, packets);
		report(c, request, request->bursts[i], cycles);
	}
	bench_fini(&b);
}

/* A flood on a queue that is full of other clients. */
static void
run_full(const struct bench_case *c, const struct request *request)
{
	/* The limit is one more than the backlog. */
	const unsigned held = BACKLOG_SMALL + 1;
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint64_t packets = 0;

	bench_init(&b, &(struct options){.syn_entries = 4 * BACKLOG_SMALL,
				       .syncookies = 1,
				       .backlog = BACKLOG_SMALL});
	place_syns(&b, 0);
	bench_restore(&b);
	bench_run(&b, 0, held, BURST_MAX);
	place_syns(&b, BUFFERS);
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++) {
			cycles[round] = bench_round(&b, request->bursts[i]);
			packets += BUFFERS;
		}
		bench_expect(&b, c->name, REASON_syn_queued, held);
		bench_expect(&b, c->name, REASON_syn_cookie_sent, packets);
		report(c, request, request->bursts[i], cycles);
	}
	bench_fini(&b);
}

/* The same SYNs over and over, answered from their entries. */
static void
run_again(const struct bench_case *c, const struct request *request)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint64_t packets = 0;

	bench_init(&b, &(struct options){.syn_entries = 2 * BUFFERS, .syncookies = 1});
	place_syns(&b, 0);
	bench_round(&b, BURST_MAX);
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++) {
			cycles[round] = bench_round(&b, request->bursts[i]);
			packets += BUFFERS;
		}
		bench_expect(&b, c->name, REASON_syn_again, packets);
		report(c, request, request->bursts[i], cycles);
	}
	bench_fini(&b);
}

const struct bench_case cases_queue[] = {
		{"syn_queue_insert", run_insert, 0},
		{"syn_queue_full", run_full, 0},
		{"syn_queue_again", run_again, 0},
		{0},
};
