/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/proven.h"

/* Two products with secret summands, not a MAC: whoever finds addresses that share a cell, and
 * completes connections from them, pushes a few clients out of a courtesy. */
static uint64_t
client_hash(const struct proven *proven, const union ip_addr *client)
{
	uint64_t hash = (client->halves_be[0] ^ proven->seed.k0) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32 ^ client->halves_be[1]) + proven->seed.k1;
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
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
