/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the syn queue may do, seen from outside: a record of every client that Sluice says it
 * queued, from its SYN to its proof or reset, and the backends' counts after every call. Rules and
 * limits are written down here once more, from SEMANTICS and not from lib/table/queue_rules.c.
 */
#ifndef SLUICE_TESTS_SIM_QUEUE_WATCH_H
#define SLUICE_TESTS_SIM_QUEUE_WATCH_H

#include "checker.h"
#include "proxy/worker.h"
#include "tables.h"

/** A half-open client. Whether its entry is still there is not known: it may have expired, made
 * way, or been flushed. But once it has ended by a proof or a reset, it must not be heard of. */
struct half_open {
	uint8_t client[16];
	uint16_t port;
	uint8_t slot;
	bool has_ended;
	bool is_acked;	    /**< it proved itself, and met a full accept ring */
	enum origin origin; /**< of the SYN */
	uint32_t isn;
	uint32_t iss;
	unsigned repeats; /**< SYN-ACKs made from nothing */
	ticks_t sent_at;  /**< the first SYN-ACK, or the last one made */
};

struct queue_watch {
	struct checker *checker;
	unsigned count;
	unsigned room;
	struct half_open *clients;
	uint32_t before[BACKENDS]; /**< syn, at the end of the call before the last */
	uint32_t syn[BACKENDS];	   /**< the same of the last */
	uint32_t most[BACKENDS];   /**< the same in the middle of the last call, at most */
	uint32_t accept[BACKENDS];
	ticks_t full_at[BACKENDS]; /**< when the queue was last seen full; 0: never */
	uint64_t evicted;	   /**< entries that made way, all in all */
	uint64_t left;		   /**< those, and SYNs refused for want of a budget */
	bool has_evicted;	   /**< in the last call */
	bool is_crowded;	   /**< a worker's table of half-open clients is almost full */
};

void queue_watch_init(struct queue_watch *watch, struct checker *checker);
void queue_watch_fini(struct queue_watch *watch);

/** After every call of a worker: the counts against the tables, and against their limits. */
void queue_watch_call(struct queue_watch *watch, struct worker *const *workers, unsigned count,
		const struct backend_shared *shared);

/** A packet taken from the client side in the last call, by that worker; pkt as it came back. */
void queue_watch_taken(struct queue_watch *watch, const struct worker *w, const struct frame *came,
		const struct frame *left, const struct pkt *pkt);

/** A packet that a worker made; a SYN-ACK repeated to an attacker is the attacker's packet. */
void queue_watch_made(struct queue_watch *watch, enum side to, struct frame *frame);

/** A restart forgot all half-open clients. */
void queue_watch_forget(struct queue_watch *watch);

/** A row of a listing of half-open clients, from a worker that has counted so many. */
void queue_watch_row(struct queue_watch *watch, const struct inspect_row *row);

/** When nothing is left. */
void queue_watch_empty(struct queue_watch *watch, const struct backend_shared *shared);

#endif
