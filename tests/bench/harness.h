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
#define FRAME_BYTES 256	       /**< stride of a buffer */
#define FRAME_BYTES_LARGE 2048 /**< the same for cases with full segments */
#define ROUNDS_MAX 99

/** The first two are 10.0.0.2:80 and [fd00::2]:80; the others from 10.64.0.0:80 upwards. */
#define BACKENDS_LEAST 2
#define BACKENDS_MAX 65535

struct bench {
	struct worker *worker;
	const struct snapshot *snapshot;
	struct backend_shared *shared;
	struct syn_samples *samples;
	ticks_t now;
	size_t memory;	    /**< bytes of the worker */
	size_t frame_bytes; /**< stride of a buffer */
	uint8_t *frames;    /**< what is run */
	uint8_t *originals; /**< what it is restored from */
	uint32_t *lengths;
	enum side *sides;
	uint8_t spare[2048];
};

/** What a case needs; members that are 0 get a default. */
struct options {
	uint32_t connections; /**< 1024 */
	uint32_t syn_entries; /**< 1024 */
	uint8_t syncookies;
	uint32_t backlog;   /**< BACKLOG_ENDLESS */
	size_t frame_bytes; /**< FRAME_BYTES */
	unsigned backends;  /**< BACKENDS_LEAST */
	enum backend_mode mode;
	uint32_t monitor_clients; /**< none */
};

#define BACKLOG_ENDLESS (UINT32_C(1) << 30)
#define BACKLOG_SMALL 1024

/** What a line of JSON says beside the figures. */
struct line {
	const char *name;
	unsigned burst; /**< 0: not in the line, as all that follow */
	uint32_t connections;
	unsigned payload; /**< bytes per segment */
	unsigned backends;
	size_t memory; /**< bytes of the worker */
};

/** Memory in large pages, all of it touched, as the appliance's; ends the program when there is
 * none. To be freed by free(). */
void *memory_new(size_t size);

/** A worker with its backends. */
void bench_init(struct bench *b, const struct options *options);
void bench_fini(struct bench *b);

/** Makes the original of buffer i. */
void bench_place(struct bench *b, unsigned i, enum side from, const struct packet *packet);

/** Gives all buffers their originals again. */
void bench_restore(struct bench *b);

/** Runs count packets from first on and leaves the answers in their buffers. Returns cycles. */
uint64_t bench_run(struct bench *b, unsigned first, unsigned count, unsigned burst_size);

/** bench_restore(), and bench_run() of all buffers: cycles per packet. */
double bench_round(struct bench *b, unsigned burst_size);

/** So many packets ended so, until now. */
uint64_t bench_count(const struct bench *b, enum reason reason);

/** Ends the program unless so many packets ended so: a case must measure what it says. */
void bench_expect(const struct bench *b, const char *name, enum reason reason, uint64_t count);

/** Prints what all lines have in common, to be called once before the first one. */
void bench_begin(void);

/** One line; sorts cycles, one value per round. */
void bench_report(const struct line *line, double *cycles, unsigned rounds);

#endif
