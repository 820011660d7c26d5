/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rule may change under the cells. What a bucket owes is then cut to what the new one can owe; a
 * prefix of another length that happens to have the same first bits inherits that once.
 */
#include "table/source_limit.h"

#include "base/mix.h"

/* Multicast, which no source is, so that no IPv6 prefix has an IPv4 one's key. */
#define KEY_IP4 (UINT64_C(0xffffffff) << 32)

static uint32_t
share(uint32_t number, unsigned workers)
{
	return workers > 1 ? (number + workers - 1) / workers : number;
}

struct source_rule
source_rule_make(const struct source_rates *rates, unsigned workers)
{
	const uint32_t per_s = share(rates->syn_per_s, workers);
	const ticks_t second = TICKS_PER_S << SOURCE_TIME_SHIFT;

	if (per_s == 0)
		return (struct source_rule){.ip4_mask = 0};
	return (struct source_rule){
			.rate = {.each = (second + per_s - 1) / per_s,
					.burst = share(rates->burst, workers)},
			.ip4_mask = UINT32_MAX << (32 - rates->prefix),
			.ip6_mask = UINT64_MAX << (64 - rates->prefix6),
	};
}
static_assert((TICKS_PER_S << SOURCE_TIME_SHIFT) / SOURCE_PER_S_MAX >= 1000,
		"rounding the time of one SYN up costs at most a thousandth");

static uint32_t
set_count(uint32_t prefixes)
{
	return (prefixes + SOURCE_SET_CELLS - 1) / SOURCE_SET_CELLS;
}

size_t
source_limit_memsize(uint32_t prefixes)
{
	return set_count(prefixes) * sizeof(struct source_set);
}

void
source_limit_init(struct source_limit *limit, void *mem, uint32_t prefixes,
		const struct siphash_key *seed)
{
	*limit = (struct source_limit){
			.seed = {mix_key(seed->k0), mix_key(seed->k1)},
			.sets = mem,
			.set_count = set_count(prefixes),
	};
	memset(mem, 0, source_limit_memsize(prefixes));
}

struct source_place
source_limit_place(const struct source_limit *limit, const struct source_rule *rule,
		const struct tuple *tuple)
{
	const union ip_addr *client = &tuple->client;
	const uint64_t key =
			tuple->family == FAMILY_IP4
					? KEY_IP4 | (be32toh(client->words_be[3]) & rule->ip4_mask)
					: be64toh(client->halves_be[0]) & rule->ip6_mask;
	const uint64_t hash = mix_fold(key ^ limit->seed[0], limit->seed[1]);
	/* The upper half of the product: an even share for any count, without a division. */
	const uint64_t set = (hash >> 32) * limit->set_count >> 32;

	__builtin_prefetch(&limit->sets[set], 1);
	return (struct source_place){.key = key, .set = &limit->sets[set]};
}

/* The prefix's own cell, or the one it takes over. */
static struct source_cell *
cell_of(struct source_set *set, uint64_t key, ticks_t now, ticks_t most)
{
	struct source_cell *found = &set->cells[0];
	ticks_t least = TICKS_NEVER;

	for (unsigned i = 0; i < SOURCE_SET_CELLS; i++) {
		struct source_cell *cell = &set->cells[i];
		const ticks_t full_at = cell->bucket.full_at;
		/* One that owes more than it can is left over from another rule. */
		const ticks_t owes = full_at > now && full_at - now <= most ? full_at - now : 0;

		if (cell->key == key)
			return cell;
		if (owes < least) {
			least = owes;
			found = cell;
		}
	}
	*found = (struct source_cell){.key = key};
	return found;
}

bool
source_limit_take(const struct source_rule *rule, const struct source_place *place, ticks_t now)
{
	const ticks_t fine = now << SOURCE_TIME_SHIFT;
	const ticks_t most = rule->rate.each * rule->rate.burst;
	struct token_bucket *bucket = &cell_of(place->set, place->key, fine, most)->bucket;

	if (bucket->full_at > fine + most)
		bucket->full_at = fine + most;
	return token_bucket_take(bucket, &rule->rate, fine);
}
