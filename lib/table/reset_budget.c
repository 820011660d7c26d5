/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/reset_budget.h"

#include <endian.h>

#define HASH_LENGTH_BYTE ((uint64_t)8 << 56)
#define PREFIX_IP4_MASK 0xffffff00u
#define PREFIX_IP6_MASK (~UINT64_C(0xff))

static struct token_bucket *
prefix_bucket(struct reset_budget *budget, const struct tuple *tuple)
{
	const union ip_addr *client = &tuple->client;
	uint64_t words[] = {tuple->family == FAMILY_IP4
					    ? client->words_be[3] & htobe32(PREFIX_IP4_MASK)
					    : client->halves_be[0] & htobe64(PREFIX_IP6_MASK),
			HASH_LENGTH_BYTE};
	uint64_t hash = siphash_words(&budget->seed, words, ARRAY_COUNT(words));

	return &budget->prefixes[hash % RESET_BUDGET_CELLS];
}

void
reset_budget_init(struct reset_budget *budget, const struct siphash_key *seed)
{
	*budget = (struct reset_budget){.seed = *seed};
}

bool
reset_budget_take(struct reset_budget *budget, const struct tuple *tuple, enum side to, ticks_t now)
{
	static const struct token_rate per_prefix = {
			TICKS_PER_S / RESET_BUDGET_PREFIX_PER_S, RESET_BUDGET_PREFIX_PER_S};
	static const struct token_rate per_side = {
			TICKS_PER_S / RESET_BUDGET_SIDE_PER_S, RESET_BUDGET_SIDE_PER_S};

	/* The prefix first: who is over its own budget uses up nobody else's. */
	if (to == SIDE_CLIENT && !token_bucket_take(prefix_bucket(budget, tuple), &per_prefix, now))
		return false;
	return token_bucket_take(&budget->sides[to], &per_side, now);
}
