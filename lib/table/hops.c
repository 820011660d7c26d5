/* SPDX-License-Identifier: BSD-3-Clause */
/* A store that another worker overtakes loses one answer or question: the next try makes it good.
 */
#include "table/hops.h"

#define STATE_SHIFT 48
#define STATE_MASK 3u
#define TAG_MASK (~UINT64_C(0) << 50)

static_assert(HOPS_CELLS <= UINT64_C(1) << 50, "a place's low bits choose the cell, not the tag");

static uint64_t *
cell_at(struct hops *hops, uint64_t place)
{
	return &hops->cells[place % HOPS_CELLS];
}

static uint64_t
cell_read(const struct hops *hops, uint64_t place)
{
	return __atomic_load_n(&hops->cells[place % HOPS_CELLS], __ATOMIC_RELAXED);
}

static enum hop_state
cell_state(uint64_t cell, uint64_t place)
{
	if ((cell ^ place) & TAG_MASK)
		return HOP_UNKNOWN;
	return (enum hop_state)(cell >> STATE_SHIFT & STATE_MASK);
}

uint64_t
hops_place(const struct siphash_key *key, const union ip_addr *address)
{
	return siphash(key, address->bytes, sizeof(address->bytes));
}

enum hop_state
hops_find(const struct hops *hops, uint64_t place, uint8_t mac[ETHER_ADDR_BYTES])
{
	uint64_t cell = cell_read(hops, place);
	enum hop_state state = cell_state(cell, place);

	if (state == HOP_KNOWN)
		for (unsigned i = 0; i < ETHER_ADDR_BYTES; i++)
			mac[i] = (uint8_t)(cell >> 8 * i);
	return state;
}

void
hops_set(struct hops *hops, uint64_t place, enum hop_state state)
{
	__atomic_store_n(cell_at(hops, place), (place & TAG_MASK) | (uint64_t)state << STATE_SHIFT,
			__ATOMIC_RELAXED);
}

bool
hops_answer(struct hops *hops, uint64_t place, const uint8_t mac[ETHER_ADDR_BYTES])
{
	enum hop_state state = cell_state(cell_read(hops, place), place);
	uint64_t cell = (place & TAG_MASK) | (uint64_t)HOP_KNOWN << STATE_SHIFT;

	if (state != HOP_ASKED)
		return state == HOP_KNOWN;
	for (unsigned i = 0; i < ETHER_ADDR_BYTES; i++)
		cell |= (uint64_t)mac[i] << 8 * i;
	__atomic_store_n(cell_at(hops, place), cell, __ATOMIC_RELAXED);
	return true;
}
