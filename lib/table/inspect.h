/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A letter from the control thread to one worker: a question about its tables, or an order to
 * empty them for one backend. The control thread fills it in and leaves it in the worker's
 * letter-box (sluice_env.inspect, store-release); the worker finds it in sluice_tick()
 * (load-acquire), works on it a bounded number of records per tick, empties the box, and last of
 * all sets done (store-release, read with load-acquire). Until then the letter is the worker's and
 * must stay where it is. One letter at a time per worker: the box must be empty before another is
 * posted.
 */
#ifndef SLUICE_TABLE_INSPECT_H
#define SLUICE_TABLE_INSPECT_H

#include "base/reason.h"
#include "base/ticks.h"
#include "net/tuple.h"
#include "table/backend.h"

enum inspect_kind {
	INSPECT_SYN_QUEUE,   /**< list half-open clients */
	INSPECT_CONNECTIONS, /**< list connections in any state, also those in the accept ring */
	INSPECT_TUPLE,	     /**< what is known about one tuple: its half-open client, then its
				  connection */
	INSPECT_FLUSH,	     /**< forget half-open clients of slot, which their cookies
				  still let in, and reset its connections */
	INSPECT_PROFILES,    /**< list what was learned of each configured backend */
};

#define INSPECT_ROWS 128
#define INSPECT_SLOT_ANY UINT32_MAX

struct inspect_row {
	struct tuple tuple;
	const char *state; /**< "syn-recv", "queued", "connecting", "established", "time-wait", ...;
			      lives for ever */
	uint64_t age_ms;   /**< syn-recv, queued, connecting: since the SYN or proof; else since the
			      last segment inside the windows */
	uint64_t due_ms;   /**< until its timer fires; 0 when none is armed */
	uint16_t slot;
	uint8_t reason;	 /**< enum reason of the last packet; REASON_NONE when not known */
	uint8_t repeats; /**< syn-recv: SYN-ACKs repeated; connecting: SYNs repeated */
	bool acked;	 /**< syn-recv: proved, but met a full accept ring */
	bool sack_permitted;
	bool has_timestamp;
	uint8_t wscale; /**< the client's, or TCP_WSCALE_NONE */
	uint16_t mss;	/**< the client's */
};

/** What a worker learned of one backend. */
struct inspect_profile {
	struct backend_profile profile;
	uint64_t learned_ago_ms; /**< valid unless profile.learned_at is 0 */
	uint64_t refused_ago_ms; /**< valid unless profile.refused_at is 0 */
	struct backend_probe probe;
	uint64_t probed_ago_ms; /**< valid unless probe.sent_at is 0 */
	uint16_t slot;
};

struct inspect {
	/* The control thread's, fixed when posted. */
	enum inspect_kind kind;
	uint32_t slot;	    /**< backend, or INSPECT_SLOT_ANY (not for a flush) */
	struct tuple tuple; /**< INSPECT_TUPLE; its VLAN tags count */
	unsigned limit;	    /**< rows wanted, 1..INSPECT_ROWS */
	/* First the control thread's, then the worker's. */
	uint32_t cursor; /**< listings: 0 to begin; where to go on, for the next letter */
	/* The worker's. */
	bool more;	   /**< listings: cursor is not at the end yet */
	unsigned count;	   /**< rows filled */
	uint64_t affected; /**< INSPECT_FLUSH: how many were ended */
	/** INSPECT_TUPLE without a row: reason of its last packet, if that is still remembered;
	 * else REASON_NONE. */
	uint8_t last_reason;
	uint64_t last_ago_ms; /**< how long ago that was */
	union {
		struct inspect_row rows[INSPECT_ROWS];
		struct inspect_profile profiles[INSPECT_ROWS]; /**< INSPECT_PROFILES */
	};
	uint32_t done;
};

#endif
