/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every case of the benchmark needs: a worker between packets that are made before, in more
 * distinct buffers than L2 holds, and restored outside the timed part; and the line of JSON.
 */
#ifndef SLUICE_TESTS_BENCH_HARNESS_H
#define SLUICE_TESTS_BENCH_HARNESS_H

#include "packets.h"
#include "proxy/worker.h"

#define BUFFERS 65536
#define FRAME_BYTES 256 /**< stride of a buffer */

struct bench {
	struct worker *worker;
	const struct snapshot *snapshot;
	struct backend_shared shared[2];
	ticks_t now;
	uint8_t *frames;    /* what is run */
	uint8_t *originals; /* what it is restored from */
	uint32_t *lengths;
	enum side *sides;
	uint8_t spare[2048];
};

/** What a case needs. */
struct options {
	uint32_t connections;
	uint32_t syn_entries;
	uint8_t syncookies;
	uint32_t backlog;
};

#define BACKLOG_ENDLESS (UINT32_C(1) << 30)
#define BACKLOG_SMALL 1024

/** Zeroed memory isn't promised; ends the program when there is none. */
void *memory_new(size_t size);

/** A worker with two backends, 10.0.0.2:80 and [fd00::2]:80. */
void bench_init(struct bench *b, const struct options *options);
void bench_fini(struct bench *b);

/** Makes the original of buffer i. */
void bench_place(struct bench *b, unsigned i, enum side from, const struct packet *packet);

/** Gives all buffers their originals again. */
void bench_restore(struct bench *b);

/** Runs count packets from first on and leaves the answers in their buffers. Returns cycles. */
uint64_t bench_run(struct bench *b, unsigned first, unsigned count, unsigned burst_size);

/** Ends the program unless so many packets ended so: a case must measure what it says. */
void bench_expect(const struct bench *b, const char *name, enum reason reason, uint64_t count);

/** One line; sorts cycles, one value per round. */
void bench_report(const char *name, double *cycles, unsigned rounds, unsigned burst,
		uint32_t connections);

#endif
