/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers under one configuration, between the ends of eight flows, for the pipeline's fuzzer.
 * Each packet lies before a guard page with no byte to spare but what the appliance's buffers
 * always have. After each burst and tick the world checks what must hold whatever came in:
 *
 *   - each packet has one reason, counted once, and the sums are right
 *   - what leaves has right checksums, and its payload as it came
 *   - nothing of a client reaches a backend before its proof, but for exempt sources, whose packets
 *     pass byte for byte
 *   - no answer to the unproved is longer than what it answers, nor repeated, without a budget
 *   - probes go to backends that are to be probed only
 *   - what a restart keeps of a spliced connection is all of it
 *   - tables are within their bounds, buffers where they belong
 */
#ifndef SLUICE_TESTS_PIPELINE_WORLD_H
#define SLUICE_TESTS_PIPELINE_WORLD_H

#include "guard_page.h"
#include "pipeline_flow.h"
#include "proxy/worker.h"

enum {
	WORKERS = 2,
	BACKENDS = 3,
	CONNECTIONS = 16,
	SYN_ENTRIES_MAX = 128,
	EARLY_PACKETS = 8,
	MONITOR_CLIENTS = 64,
	FRAMES = BURST_MAX + WORKERS * EARLY_PACKETS + 8,
};

/* What happens to a packet beside its bytes. */
struct passage {
	enum side from;
	int flow;	 /* or -1 */
	unsigned worker; /* where it arrives */
	enum pkt_csum csum;
	size_t head;	    /* bytes that the worker has at hand; 0: all */
	bool is_gathered;   /* goes into the burst under way, and waits with it */
	bool is_icmp_error; /* as icmp_error_write() makes them */
	bool is_lost;	    /* what comes of it gets lost: a wire, or a full transmit ring */
	const struct packet *packet; /* taken apart; NULL for raw bytes */
};

struct waiting {
	struct passage passage;
	struct packet packet;
	bool was_right;
};

/* What a frame was when it came, beside what the worker was given of it. */
struct arrival {
	size_t length; /* 0: a worker made it */
	bool is_open;  /* the port fills in its checksum as it leaves */
	uint8_t bytes[FLOW_FRAME_BYTES];
};

struct lane {
	struct fuzz_world *world;
	struct worker *worker;
	void *memory;
	struct inspect *box;
	struct inspect letter;
	uint64_t sent;
	uint64_t reasons[REASON_COUNT];
};

struct fuzz_world {
	struct lane lanes[WORKERS];
	const struct snapshot *snapshot;
	uint64_t generation;
	struct cookie_plan cookies;
	bool has_foreign_cookies;
	struct timeouts timeouts;
	struct egress_rates egress;
	struct source_policy sources;
	struct probe_config probe;
	struct backend_config backends[BACKENDS];
	bool is_published[BACKENDS];
	struct backend_shared shared[BACKENDS];
	struct fuzz_flow flows[FLOWS];
	bool strays_may_pass; /* or might have passed: then not only proved clients have connections
			       */
	bool may_be_exempt;   /* a source is, or was */
	bool may_be_open;     /* a backend is not protected, or was not */
	struct hops hops;
	struct syn_samples samples;		/* of both workers, which one thread runs */
	uint8_t probe_syn[PKT_BUILD_BYTES_MAX]; /* the latest probe */
	size_t probe_syn_length;
	unsigned starts; /* of processes */
	uint32_t syn_entries;
	ticks_t now;
	bool is_out_of_buffers;
	bool emitted_is_lost;

	struct guarded_block frames[FRAMES];
	struct arrival arrivals[FRAMES];
	unsigned free_frames[FRAMES];
	unsigned free_count;
	struct burst burst;
	unsigned burst_worker;
	struct waiting waiting[BURST_MAX];
};

/* Everything as after a start; the memory of the world before is used again. */
void fuzz_world_begin(struct fuzz_world *w, uint32_t syn_entries);

/* Makes backends, is_published, cookies, timeouts what workers load from now on. */
void fuzz_world_publish(struct fuzz_world *w);

/* Puts a frame through. */
void fuzz_world_send(struct fuzz_world *w, const struct passage *passage, const uint8_t *bytes,
		size_t length);

/* Sends what was gathered. */
void fuzz_world_flush(struct fuzz_world *w);

/* Lets time pass, and each worker tick once. */
void fuzz_world_tick(struct fuzz_world *w, ticks_t duration);

/* Takes backends that drain and are empty out of the configuration, as lib/control does it. */
void fuzz_world_settle(struct fuzz_world *w);

/* An hour of quiet with short timeouts, after which nothing may be left. */
void fuzz_world_calm(struct fuzz_world *w);

/* Workers like those of a new process, with nothing in them. */
void fuzz_world_start(struct fuzz_world *w);

/* A new process takes over what the old one saved, so much later; pipeline_restart.c. */
void fuzz_world_restart(struct fuzz_world *w, ticks_t silence);

/* The worker that packets of that tuple come to. */
unsigned fuzz_world_owner(const struct fuzz_world *w, const struct tuple *tuple);

/* What the frame of that owner was when it came. */
struct arrival *fuzz_world_arrival(struct fuzz_world *w, const void *owner);

/* pipeline_leave.c: checks what leaves, and lets the ends hear of it. */
void fuzz_world_emitted(struct fuzz_world *w, enum side out, const struct pkt *pkt);
void fuzz_world_left(struct fuzz_world *w, const struct waiting *waiting, const struct pkt *pkt);

/* True when an ACK that nobody asked for proves its client all the same. */
bool fuzz_world_is_lucky(const struct fuzz_world *w, const struct packet *packet);

#endif
