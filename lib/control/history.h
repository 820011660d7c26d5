/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened to each backend lately, kept up to date once a second from its counters and queues,
 * so that doctor can say since when and how fast. No row of samples is kept: each kind of trouble
 * has an episode, which begins when its counter moves and ends when it has stood still for a
 * minute, and adds up what else moved meanwhile.
 *
 * Memory: below 2.25 KiB per backend in use (HISTORY_SLOT_BYTES_MAX, 144 MiB with 65,535 of them),
 * a pointer per slot that is not, and 130 KiB of summaries of sources. Control thread only.
 */
#ifndef SLUICE_CONTROL_HISTORY_H
#define SLUICE_CONTROL_HISTORY_H

#include "control/registry.h"
#include "control/sources.h"

#define HISTORY_QUIET_S 60 /**< an episode ends when it was not seen for so long */
#define HISTORY_SLOT_BYTES_MAX 2304

/** What is added up, as increments since the sample before. */
enum history_value {
	HISTORY_OVERFLOWS,	/**< ListenOverflows */
	HISTORY_FULL_DROPS,	/**< TCPReqQFullDrop */
	HISTORY_RESERVED,	/**< ListenDrops of mode 0 for the reserved quarter */
	HISTORY_FULL_COOKIES,	/**< TCPReqQFullDoCookies */
	HISTORY_COOKIES_FAILED, /**< SyncookiesFailed */
	HISTORY_RESETS,		/**< EmbryonicRsts */
	HISTORY_PROVED,		/**< PassiveOpens */
	HISTORY_ANSWERED,	/**< Established */
	HISTORY_SILENT,		/**< AttemptFails: never answered */
	HISTORY_REFUSED,	/**< AttemptFails: answered by a reset */
	HISTORY_VALUES
};

/** What has episodes, of a backend. */
enum history_trouble {
	TROUBLE_OVERFLOW, /**< clients met a full accept ring */
	TROUBLE_FAILED,	  /**< connecting to the backend failed */
	TROUBLE_SYN_DROP, /**< SYNs dropped because of the syn queue */
	TROUBLE_FLOOD,	  /**< SYNs answered with cookies because the syn queue was full */
	TROUBLE_FORGED,	  /**< ACKs with invalid cookies, more than a few */
	TROUBLE_COUNT
};

/** The same of the appliance as a whole. */
enum history_common {
	COMMON_STRAYS,	   /**< client segments that belong to nothing, more than a few */
	COMMON_TABLE_FULL, /**< proved clients without room in a worker's connection table */
	COMMON_BUFFERS,	   /**< packets not made for lack of a buffer */
	COMMON_WITHHELD,   /**< SYN-ACKs not repeated for lack of budget, more than a few, while
			      nothing else says that the backend is flooded */
	COMMON_REPEATED,   /**< SYN-ACKs repeated */
	COMMON_COUNT
};

struct history_wait {
	uint32_t buckets[WAIT_BUCKETS]; /**< modulo 2^32 */
	uint64_t us;
};

struct episode {
	ticks_t began; /**< the sample before it was first seen; 0: there is none */
	ticks_t last;  /**< the sample that saw it last */
	uint64_t totals[HISTORY_VALUES];
	uint64_t answered_last;	  /**< of totals[HISTORY_ANSWERED], before last */
	uint64_t answered_first;  /**< in the sample that saw it first */
	uint64_t arrivals_peak;	  /**< proved and turned away, in the worst second */
	uint64_t turned_peak;	  /**< of them turned away, in the second with most of these */
	uint64_t events;	  /**< of its own counter */
	uint64_t events_peak;	  /**< in the worst second */
	ticks_t full_time;	  /**< the accept ring was full at both ends of a sample */
	uint64_t answered_full;	  /**< answered in that time */
	ticks_t answer_before;	  /**< when the backend had last answered as it began; 0: never */
	uint32_t accept_peak;	  /**< clients in the ring */
	uint32_t syn_peak;	  /**< clients in the syn queue */
	struct history_wait wait; /**< as it began: what was waited in it is above */
};

struct history_slot {
	uint32_t incarnation;
	struct backend_config config; /**< as of the last sample: a change ends the episodes */
	ticks_t last;		      /**< sample */
	ticks_t answered_at;	      /**< sample that saw the backend answer last; 0: never */
	ticks_t silent_since; /**< clients have been waiting and nothing was answered; 0: not */
	uint64_t sums[HISTORY_VALUES]; /**< of the counters, as of the last sample */
	uint64_t drops;		       /**< ListenDrops, the same */
	uint64_t failed;	       /**< AttemptFails, the same */
	uint64_t withheld;	       /**< SynAcksWithheld, the same */
	uint64_t arrivals;	       /**< in the last sample, per second */
	uint32_t accept;	       /**< in the ring at the last sample */
	struct history_wait wait;      /**< as of the last sample */
	/** Waits as of one to two minutes ago, and as of less than one. */
	struct history_wait wait_older, wait_newer;
	ticks_t wait_turned; /**< when the newer was taken */
	struct episode episodes[TROUBLE_COUNT];
};
static_assert(sizeof(struct history_slot) <= HISTORY_SLOT_BYTES_MAX, "said above");

struct history_totals {
	uint64_t events;
	uint64_t peak; /**< in the worst second */
	ticks_t began; /**< 0: there is none */
	ticks_t last;
};

struct history;

/** For as many slots as the registry's configuration allows. NULL when out of memory. */
struct history *history_new(const struct registry *registry);
void history_free(struct history *history);

/** Takes a sample; about once a second. Does nothing less than a quarter of a second after the one
 * before. */
void history_sample(struct history *history, const struct registry *registry, ticks_t now);

/** When the first sample was taken; 0: not yet. */
ticks_t history_began(const struct history *history);

/** What is known of a slot's backend; NULL for a free slot, or one never sampled since it was
 * taken, or when there was no memory. */
const struct history_slot *history_at(
		const struct history *history, const struct registry *registry, uint32_t slot);

/** Of the appliance as a whole. */
const struct history_totals *history_common(
		const struct history *history, enum history_common common);

/** Where unproved SYNs come from; filled and begun anew by incidents_sample(). */
struct sources_pool *history_sources(struct history *history);

/** The same of one slot; NULL when nothing is known. */
const struct sources *history_sources_of(const struct history *history, uint32_t slot);

/** What was waited since the older reading. */
struct waits {
	uint64_t count;
	uint64_t buckets[WAIT_BUCKETS];
	uint64_t us;
};

/** Reads the waits of a backend now. */
void history_wait_read(struct history_wait *wait, const struct backend_counters *counters);

void waits_since(struct waits *waits, const struct history_wait *now,
		const struct history_wait *older);

/** Microseconds that permille of the waits stayed below, interpolated in its bucket; 0 without
 * waits. */
uint64_t waits_below(const struct waits *waits, unsigned permille);

/** Average in microseconds, 0 without waits. */
uint64_t waits_mean(const struct waits *waits);

#endif
