/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/proven.h"

#define HASH_LENGTH_BYTE ((uint64_t)16 << 56)

static uint64_t
client_hash(const struct proven *proven, const union ip_addr *client)
{
	uint64_t words[] = {client->halves_be[0], client->halves_be[1], HASH_LENGTH_BYTE};

	return siphash_words(&proven->seed, words, ARRAY_COUNT(words));
}

static uint32_t
seconds(ticks_t now)
{
	return (uint32_t)(now / TICKS_PER_S);
}

void
proven_init(struct proven *proven, const struct siphash_key *seed)
{
	*proven = (struct proven){.seed = *seed};
}

void
proven_note(struct proven *proven, const union ip_addr *client, ticks_t now)
{
	uint64_t hash = client_hash(proven, client);

	proven->cells[hash % PROVEN_CELLS] = (struct proven_cell){
			.tag = (uint32_t)(hash >> 32), .until_s = seconds(now) + PROVEN_S};
}

bool
proven_has(const struct proven *proven, const union ip_addr *client, ticks_t now)
{
	uint64_t hash = client_hash(proven, client);
	const struct proven_cell *cell = &proven->cells[hash % PROVEN_CELLS];

	return cell->tag == (uint32_t)(hash >> 32) && cell->until_s > seconds(now);
}
