/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two queues of a backend in monitor mode, as if they were there: the same rules, shared counts
 * and counters as of one that is protected, so that whatever shows or watches those shows these.
 * Called with what was seen of its clients (proxy/monitor.h); sends nothing.
 *
 * An estimate, since nobody was answered here: a client counts as half-open until its ACK of the
 * backend's own SYN-ACK, and then waits in the accept ring as long as the backend took for that;
 * or, if the backend did not answer, from its SYN's repetition until the backend does, or would
 * have been given up. Those that would have got a cookie alone are remembered apart, so that a
 * flood of them leaves those that occupy something; the oldest of them are forgotten first.
 */
#ifndef SLUICE_PROXY_AS_IF_H
#define SLUICE_PROXY_AS_IF_H

#include "net/pkt.h"
#include "proxy/worker.h"
#include "table/observed.h"

/** Both sets of a worker, and its walk over the clients that count. */
struct as_if {
	struct observed_set counted; /**< in the syn queue or the accept ring, or were */
	struct observed_set cookies; /**< would have got a cookie alone; no timers */
	uint32_t cursor;	     /**< of the walk: next record, or AS_IF_NO_WALK */
};
#define AS_IF_NO_WALK UINT32_MAX

/** A client that is known. */
struct observed_record {
	struct observed_set *set;
	struct observed_client *client;
	uint32_t id;
};

/** Bytes for that many clients, 0 or OBSERVED_CLIENTS_LEAST..OBSERVED_CLIENTS_MAX. */
size_t as_if_memsize(uint32_t clients);
void as_if_init(struct as_if *as_if, void *mem, uint32_t clients, const struct siphash_key *seed,
		ticks_t now);

/** Starts loading what as_if_find() will read for a tuple with that hash. */
static inline void
as_if_prefetch(const struct as_if *as_if, uint32_t hash)
{
	if (as_if->counted.capacity == 0)
		return;
	flow_table_prefetch(&as_if->counted.flows, hash);
	flow_table_prefetch(&as_if->cookies.flows, hash);
}

/** Finds the client of a packet of that backend. */
bool as_if_find(struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		struct observed_record *record);

/** Judges the SYN, checked, of a client that is not known, and remembers it. */
enum reason as_if_syn(struct worker *w, const struct backend_config *config, const struct pkt *syn);

/** The backend's SYN-ACK, checked, the first to its client. Teaches the backend's profile. */
void as_if_answer(struct worker *w, const struct backend_config *config,
		const struct observed_record *record, const struct pkt *answer);

/** The client, in OBSERVED_SYN, has proved itself. False when it would meet a full accept ring. The
 * record is gone, or elsewhere, afterwards. */
bool as_if_prove(struct worker *w, const struct backend_config *config,
		const struct observed_record *record);

/** The backend resets the client's attempt. */
void as_if_refuse(struct worker *w, const struct backend_config *config,
		const struct observed_record *record);

/** The client resets its own. */
void as_if_reset(struct worker *w, const struct observed_record *record);

/** Gives back what the client occupies, and its record. */
void as_if_forget(struct worker *w, const struct observed_record *record);

/** Another configuration is published: begins a walk that forgets clients of backends that are
 * monitored no more. */
void as_if_plan(struct worker *w);

/** Goes on with the walk, and runs due timers; returns what is left of the budget. */
unsigned as_if_tick(struct worker *w, unsigned budget);

/** A time not later than the next thing to do, TICKS_NEVER when there is none. */
ticks_t as_if_when(const struct worker *w);

/** Forgets the client of that number, if there is one and it counts for the slot. False behind the
 * last number. */
bool as_if_flush(struct worker *w, uint32_t id, uint16_t slot);

#endif
