/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many resets a worker sends in answer to strays, so that nobody can have it pelt a third party
 * by forging its address, and a restart causes no storm. One worker's.
 *
 * Clients have a budget per source prefix: an IPv4 /24 or an IPv6 /56, what one network is usually
 * given, so that an attacker gains nothing by naming its neighbours. 100 resets per second are
 * 67 kbit/s on the wire, which harms no network, and 100 at once are what a few hosts have
 * open. Prefixes share 1,024 buckets by a keyed hash: a collision makes the budget smaller, never
 * larger. Besides, each side has one of 1,000 per second, for forged sources from everywhere.
 * Backends have no other: their side doesn't forge.
 */
#ifndef SLUICE_TABLE_RESET_BUDGET_H
#define SLUICE_TABLE_RESET_BUDGET_H

#include "base/siphash.h"
#include "base/token_bucket.h"
#include "net/tuple.h"

#define RESET_BUDGET_CELLS 1024
#define RESET_BUDGET_PREFIX_PER_S 100
#define RESET_BUDGET_SIDE_PER_S 1000

struct reset_budget {
	struct siphash_key seed;
	struct token_bucket sides[SIDE_COUNT];
	struct token_bucket prefixes[RESET_BUDGET_CELLS];
};

/** All full. seed: secret, or prefixes could be chosen to share a bucket. */
void reset_budget_init(struct reset_budget *budget, const struct siphash_key *seed);

/** Takes one reset towards the end of the tuple on that side. False: none is left. */
bool reset_budget_take(
		struct reset_budget *budget, const struct tuple *tuple, enum side to, ticks_t now);

#endif
