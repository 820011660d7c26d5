/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/egress_budget.h"

#include <endian.h>

#define HASH_LENGTH_BYTE ((uint64_t)8 << 56)
#define PREFIX_IP4_MASK 0xffffff00u
#define PREFIX_IP6_MASK (~UINT64_C(0xff))

static struct token_bucket *
prefix_bucket(struct egress_budget *budget, const struct tuple *tuple)
{
	const union ip_addr *client = &tuple->client;
	uint64_t words[] = {tuple->family == FAMILY_IP4
					    ? client->words_be[3] & htobe32(PREFIX_IP4_MASK)
					    : client->halves_be[0] & htobe64(PREFIX_IP6_MASK),
			HASH_LENGTH_BYTE};
	uint64_t hash = siphash_words(&budget->seed, words, ARRAY_COUNT(words));

	return &budget->prefixes[hash % EGRESS_BUDGET_CELLS];
}

void
egress_budget_init(struct egress_budget *budget, const struct siphash_key *seed)
{
	*budget = (struct egress_budget){.seed = *seed};
}

static bool
bucket_take(struct token_bucket *bucket, uint32_t per_s, ticks_t now)
{
	if (per_s == 0)
		return false;

	struct token_rate rate = {TICKS_PER_S / per_s, per_s};

	return token_bucket_take(bucket, &rate, now);
}
static_assert(TICKS_PER_S / EGRESS_PER_S_MAX >= 1, "a rate's interval is at least a tick");

bool
egress_budget_take(struct egress_budget *budget, const struct egress_rates *rates,
		const struct tuple *tuple, enum side to, ticks_t now)
{
	/* The prefix first: who is over its own budget uses up nobody else's. */
	if (to == SIDE_CLIENT &&
			!bucket_take(prefix_bucket(budget, tuple), rates->network_per_s, now))
		return false;
	return bucket_take(&budget->sides[to], rates->side_per_s, now);
}

bool
egress_flood_watch(struct egress_flood *flood, uint64_t cookies, ticks_t now)
{
	uint64_t sent = cookies - flood->cookies;
	ticks_t elapsed = now - flood->since;

	/* Over a longer time the mean counts; within the first second, the sum. */
	if (elapsed < TICKS_PER_S)
		elapsed = TICKS_PER_S;
	if (sent * TICKS_PER_S > EGRESS_FLOOD_COOKIES_PER_S * elapsed)
		flood->until = now + EGRESS_FLOOD_HOLD;
	if (now - flood->since >= TICKS_PER_S) {
		flood->since = now;
		flood->cookies = cookies;
	}
	return now < flood->until;
}

#define DOUBT_MAX (EGRESS_DOUBT_CLIENTS * DOUBT_PER_CLIENT)
#define DOUBT_PER_CLIENT (TICKS_PER_S / EGRESS_DOUBT_CLIENTS_PER_S)
#define EIGHTH (DOUBT_PER_CLIENT / 8)

static_assert(EIGHTH * 8 * EGRESS_DOUBT_CLIENTS_PER_S == TICKS_PER_S, "eighths are whole");

void
egress_doubt_note(struct egress_doubt *doubt, uint64_t cookies, uint64_t proved, ticks_t now)
{
	uint64_t answered = doubt->asked + cookies;
	ticks_t elapsed = now - doubt->at, forgiven = elapsed;

	/* What happened while nobody was queued for so long is past. */
	if (elapsed < DOUBT_MAX) {
		doubt->level += 8 * EIGHTH * (answered - doubt->answered);
		forgiven += 9 * EIGHTH * (proved - doubt->proved);
	}
	doubt->level -= forgiven < doubt->level ? forgiven : doubt->level;
	doubt->answered = answered;
	doubt->proved = proved;
	doubt->at = now;
}

bool
egress_doubt_is_on(const struct egress_doubt *doubt, ticks_t now)
{
	return doubt->level > DOUBT_MAX || now < doubt->until;
}

bool
egress_doubt_covers(struct egress_doubt *doubt, ticks_t came, ticks_t now)
{
	if (doubt->level > DOUBT_MAX) {
		doubt->level = DOUBT_MAX;
		doubt->until = now + EGRESS_DOUBT_HOLD;
	}
	return came < doubt->until;
}
