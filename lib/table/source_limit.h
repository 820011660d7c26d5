/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many SYNs a second one client network may send: a token bucket per address prefix, in a
 * bounded table of one worker. Nothing is allocated, and nothing has to be looked after: a bucket
 * that is full again is as good as an empty cell.
 *
 * A prefix has a set of four cells on one cache line, by a keyed hash, and is known by all of its
 * bits, so it never pays for another one. When all four are of others, the newcomer takes the cell
 * that is nearest to full: who is over the rate keeps its cell, and who loses one begins anew with
 * a full bucket. So the table being too small lets packets through, never the other way round.
 */
#ifndef SLUICE_TABLE_SOURCE_LIMIT_H
#define SLUICE_TABLE_SOURCE_LIMIT_H

#include "base/siphash.h"
#include "base/token_bucket.h"
#include "net/tuple.h"

#define SOURCE_PER_S_MAX 1000000
#define SOURCE_BURST_MAX 1000000
#define SOURCE_LIMIT_PREFIXES_LEAST 64
#define SOURCE_LIMIT_PREFIXES_MAX (1 << 22)

/** As configured, of all workers together. */
struct source_rates {
	uint32_t syn_per_s; /**< 0..SOURCE_PER_S_MAX; 0: no limit */
	uint32_t burst;	    /**< SYNs at once, 1..SOURCE_BURST_MAX */
	uint8_t prefix;	    /**< bits of an IPv4 address that make a prefix, 1..32 */
	uint8_t prefix6;    /**< of an IPv6 address, 1..64 */
};

/** The same as one worker works with it. All zero: no limit. */
struct source_rule {
	struct token_rate rate; /**< in fractions of a tick: SOURCE_TIME_SHIFT */
	uint32_t ip4_mask;	/**< host order */
	uint64_t ip6_mask;	/**< of the first half, host order */
};

/** A tick has 2^SOURCE_TIME_SHIFT of the limit's units of time: so the rate that is kept is at most
 * a thousandth below the one that was asked for, and never above. Until the year 2500 such a time
 * fits 64 bits. */
#define SOURCE_TIME_SHIFT 10

/** One worker's share: rate and burst divided by the workers, rounded up. */
struct source_rule source_rule_make(const struct source_rates *rates, unsigned workers);

static inline bool
source_rule_is_on(const struct source_rule *rule)
{
	return rule->rate.burst != 0;
}

#define SOURCE_SET_CELLS 4

struct source_set {
	struct source_cell {
		uint64_t key;
		struct token_bucket bucket; /**< all zero: full */
	} cells[SOURCE_SET_CELLS];
};
static_assert(sizeof(struct source_set) == 64, "one cache line per look-up");

struct source_limit {
	uint64_t seed[2];
	struct source_set *sets;
	uint32_t set_count; /**< 0: no memory for any */
};

/** Bytes for so many prefixes, 0 or SOURCE_LIMIT_PREFIXES_LEAST..SOURCE_LIMIT_PREFIXES_MAX. */
size_t source_limit_memsize(uint32_t prefixes);

/** All full. mem: source_limit_memsize() bytes, cache-line aligned. seed: secret, or prefixes
 * could be chosen to share a set. */
void source_limit_init(struct source_limit *limit, void *mem, uint32_t prefixes,
		const struct siphash_key *seed);

/** Where a client's prefix belongs, whether it is there or not. */
struct source_place {
	uint64_t key;
	struct source_set *set;
};

/** Finds the client's place and starts loading it. The table has memory, and the rule is on. */
struct source_place source_limit_place(const struct source_limit *limit,
		const struct source_rule *rule, const struct tuple *tuple);

/** Takes a token of that place. False: none is left, the SYN is above the rate. now must not go
 * backwards. */
bool source_limit_take(
		const struct source_rule *rule, const struct source_place *place, ticks_t now);

#endif
