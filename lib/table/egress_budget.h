/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many packets a worker sends that nobody's packet of at least their size asked for: repeated
 * SYN-ACKs, SYN-ACKs longer than their SYN, resets for strays. So nobody can have it pelt a third
 * party by forging its address, and a restart causes no storm. One worker's.
 *
 * Clients have a budget per source prefix: an IPv4 /24 or an IPv6 /56, what one network is usually
 * given, so that an attacker gains nothing by naming its neighbours. Prefixes share 1,024 buckets
 * by a keyed hash: a collision makes the budget smaller, never larger. Besides, each side has one,
 * for forged sources from everywhere. Backends have no other: their side doesn't forge.
 *
 * And nothing of it goes to the clients of a backend that don't prove themselves (struct
 * egress_doubt): they are most likely forged, and what goes out then is no more than what came in.
 * Where that is a flood (struct egress_flood), they leave its queue early.
 */
#ifndef SLUICE_TABLE_EGRESS_BUDGET_H
#define SLUICE_TABLE_EGRESS_BUDGET_H

#include "base/siphash.h"
#include "base/token_bucket.h"
#include "net/tuple.h"

#define EGRESS_BUDGET_CELLS 1024

/** Packets per second, and as many at once: 0..EGRESS_PER_S_MAX; 0: none at all. */
struct egress_rates {
	uint32_t network_per_s; /**< towards one client network */
	uint32_t side_per_s;	/**< towards all of a side */
};

#define EGRESS_PER_S_MAX 1000000

/* 100 packets per second are at most 79 kbit/s, which harms no network, and 100 at once are what a
 * few hosts have open. */
#define EGRESS_NETWORK_PER_S 100
#define EGRESS_SIDE_PER_S 1000

static inline struct egress_rates
egress_rates_default(void)
{
	return (struct egress_rates){EGRESS_NETWORK_PER_S, EGRESS_SIDE_PER_S};
}

struct egress_budget {
	struct siphash_key seed;
	struct token_bucket sides[SIDE_COUNT];
	struct token_bucket prefixes[EGRESS_BUDGET_CELLS];
};

/** All full. seed: secret, or prefixes could be chosen to share a bucket. */
void egress_budget_init(struct egress_budget *budget, const struct siphash_key *seed);

/** Takes one packet towards the end of the tuple on that side. False: none is left. */
bool egress_budget_take(struct egress_budget *budget, const struct egress_rates *rates,
		const struct tuple *tuple, enum side to, ticks_t now);

/** So many cookies per second tell of a flood: more than a backend's clients are ever new. */
#define EGRESS_FLOOD_COOKIES_PER_S 4096
/** A flood counts as over so long after it was last seen: the last client that it left in the queue
 * has its first two SYN-ACKs due by then, 1 s and 2 s later. */
#define EGRESS_FLOOD_HOLD (4 * TICKS_PER_S)

/** What tells a worker that one backend is flooded. All zero: it is not. */
struct egress_flood {
	ticks_t since;	  /**< beginning of the time that is looked at, at least a second */
	uint64_t cookies; /**< the counter then */
	ticks_t until;
};

/**
 * True while the backend is flooded. cookies: its counter of SYNs answered by cookies. To be called
 * whenever a client is queued, too, so that a flood, which begins by that, is measured from its
 * beginning.
 */
bool egress_flood_watch(struct egress_flood *flood, uint64_t cookies, ticks_t now);

/** So many clients that failed to prove themselves are forgiven, and so many more per second. */
#define EGRESS_DOUBT_CLIENTS 100
#define EGRESS_DOUBT_CLIENTS_PER_S 10
/** Clients are doubted that came earlier than so long after doubt was last confirmed: some of a
 * flood, or all but their timers were late. */
#define EGRESS_DOUBT_HOLD (2 * TICKS_PER_S)

/**
 * What makes a worker doubt that the clients of one backend are real: of those that were answered
 * too few proved themselves. A proof speaks for its client and for an eighth of another one: its
 * bytes are about as many as five SYN-ACKs to each of the eighth take. All zero: no doubt.
 */
struct egress_doubt {
	uint64_t asked;	   /**< SYNs answered from an entry; the caller counts them */
	uint64_t answered; /**< asked and cookies, at the latest look */
	uint64_t proved;   /**< the counter then */
	ticks_t at;	   /**< the latest look */
	ticks_t level;	   /**< how long it takes to forgive all who have failed */
	ticks_t until;	   /**< who came before is doubted */
};

/** Takes in what the counters say now: of cookies sent, and of clients proved. To be called
 * whenever a client is queued, too. */
void egress_doubt_note(struct egress_doubt *doubt, uint64_t cookies, uint64_t proved, ticks_t now);

/** Whether a client that came then is doubted. For when a packet is due that nobody asked for, not
 * before: who was answered a moment ago has not had the time to prove himself. */
bool egress_doubt_covers(struct egress_doubt *doubt, ticks_t came, ticks_t now);

/** Whether clients are doubted now; confirms nothing, so it may be asked at any time. */
bool egress_doubt_is_on(const struct egress_doubt *doubt, ticks_t now);

#endif
