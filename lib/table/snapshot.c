/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An open-addressed hash of 32-bit indices over the array of backends, at most half full. Every
 * backend is entered under its address and port, and every distinct address once under port 0,
 * which no backend has, for snapshot_address().
 */
#include "table/snapshot.h"

#include <errno.h>

#include "base/mix.h"

#define INDEX_NONE UINT32_MAX

/* With few backends hardly any other address meets an occupied cell. */
#define CELLS_LEAST 64

#define CELL_ADDRESS 1u /* entered by its address only */
#define CELL_DROP 2u	/* besides: a backend with this address drops fragments */
#define CELL_EXEMPT 4u	/* besides: its backends all have the same exempt sources */
#define CELL_SHIFT 3

struct snapshot {
	uint64_t generation;
	uint64_t key[2];
	struct cookie_plan cookies;
	struct timeouts timeouts;
	struct probe_config probe;
	struct egress_rates egress;
	bool has_foreign_cookies;
	uint32_t count;
	uint32_t capacity;
	uint32_t mask;	 /* cells - 1 */
	uint32_t *cells; /* index << CELL_SHIFT, with the bits below */
	struct backend_config *backends;
};

static uint32_t
cell_count_for(unsigned count)
{
	uint32_t cells = CELLS_LEAST;

	while (cells < 4 * (uint64_t)count)
		cells *= 2;
	return cells;
}

size_t
snapshot_memsize(unsigned count)
{
	return cache_align(sizeof(struct snapshot)) +
	       cache_align(cell_count_for(count) * sizeof(uint32_t)) +
	       cache_align(count * sizeof(struct backend_config));
}

struct snapshot *
snapshot_init(void *mem, unsigned count, uint64_t generation, uint64_t seed)
{
	struct snapshot *snapshot = mem;
	uint32_t cells = cell_count_for(count);
	uint8_t *next = (uint8_t *)mem + cache_align(sizeof(*snapshot));

	*snapshot = (struct snapshot){
			.generation = generation,
			.key = {mix_key(seed), mix_key(~seed)},
			.timeouts = timeouts_default(),
			.egress = egress_rates_default(),
			.capacity = count,
			.mask = cells - 1,
			.cells = (uint32_t *)(void *)next,
			.backends = (struct backend_config *)(void
							*)(next +
							   cache_align(cells * sizeof(uint32_t))),
	};
	for (uint32_t i = 0; i < cells; i++)
		snapshot->cells[i] = INDEX_NONE;
	return snapshot;
}

void
snapshot_set_cookies(struct snapshot *snapshot, const struct cookie_plan *plan, bool foreign)
{
	snapshot->cookies = *plan;
	snapshot->has_foreign_cookies = foreign;
}

const struct cookie_plan *
snapshot_cookies(const struct snapshot *snapshot)
{
	return &snapshot->cookies;
}

bool
snapshot_has_foreign_cookies(const struct snapshot *snapshot)
{
	return snapshot->has_foreign_cookies;
}

void
snapshot_set_timeouts(struct snapshot *snapshot, const struct timeouts *timeouts)
{
	snapshot->timeouts = *timeouts;
}

const struct timeouts *
snapshot_timeouts(const struct snapshot *snapshot)
{
	return &snapshot->timeouts;
}

void
snapshot_set_probe(struct snapshot *snapshot, const struct probe_config *probe)
{
	snapshot->probe = *probe;
}

const struct probe_config *
snapshot_probe(const struct snapshot *snapshot)
{
	return &snapshot->probe;
}

void
snapshot_set_egress(struct snapshot *snapshot, const struct egress_rates *rates)
{
	snapshot->egress = *rates;
}

const struct egress_rates *
snapshot_egress(const struct snapshot *snapshot)
{
	return &snapshot->egress;
}

static inline uint32_t
cell_first(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	uint64_t hash = mix_fold(address->halves_be[0] ^ snapshot->key[0] ^ (uint64_t)port << 32,
			address->halves_be[1] ^ snapshot->key[1]);

	return (uint32_t)(hash >> 32) & snapshot->mask;
}

/* The cell that holds the address and port (0: the address alone), or the empty one where
 * it belongs. */
static inline uint32_t
cell_find(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	uint32_t cell = cell_first(snapshot, address, port);

	for (;; cell = (cell + 1) & snapshot->mask) {
		uint32_t entry = snapshot->cells[cell];

		if (entry == INDEX_NONE)
			return cell;

		const struct backend_config *config = &snapshot->backends[entry >> CELL_SHIFT];
		uint16_t entry_port = entry & CELL_ADDRESS ? 0 : config->port;

		if (entry_port == port && ip_addr_is_equal(&config->address, address))
			return cell;
	}
}

static bool
has_same_exempt(const struct backend_config *a, const struct backend_config *b)
{
	return a->exempt_count == b->exempt_count &&
	       exempt_list_is_equal(&a->exempt, &b->exempt, a->exempt_count);
}

/* What fragments need to know, by the address of the backend that is being inserted. */
static void
cell_insert_address(struct snapshot *snapshot, const struct backend_config *config)
{
	uint32_t *cell = &snapshot->cells[cell_find(snapshot, &config->address, 0)];

	if (*cell == INDEX_NONE)
		*cell = snapshot->count << CELL_SHIFT | CELL_ADDRESS |
			(config->exempt_count > 0 ? CELL_EXEMPT : 0);
	else if (!has_same_exempt(&snapshot->backends[*cell >> CELL_SHIFT], config))
		*cell &= ~CELL_EXEMPT;
	if (config->fragments != FRAGMENTS_PASS)
		*cell |= CELL_DROP;
}

int
snapshot_insert(struct snapshot *snapshot, const struct backend_config *config)
{
	uint32_t cell = cell_find(snapshot, &config->address, config->port);

	if (snapshot->cells[cell] != INDEX_NONE)
		return -EEXIST;
	if (snapshot->count == snapshot->capacity)
		return -ENOSPC;
	snapshot->backends[snapshot->count] = *config;
	snapshot->cells[cell] = snapshot->count << CELL_SHIFT;
	cell_insert_address(snapshot, config);
	snapshot->count++;
	return 0;
}

const struct backend_config *
snapshot_find(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	uint32_t entry = port == 0 ? INDEX_NONE
				   : snapshot->cells[cell_find(snapshot, address, port)];

	return entry == INDEX_NONE ? NULL : &snapshot->backends[entry >> CELL_SHIFT];
}

enum address_policy
snapshot_address(const struct snapshot *snapshot, const union ip_addr *address)
{
	uint32_t entry = snapshot->cells[cell_find(snapshot, address, 0)];

	if (entry == INDEX_NONE)
		return ADDRESS_FOREIGN;
	return entry & CELL_DROP ? ADDRESS_FRAGMENTS_DROP : ADDRESS_FRAGMENTS_PASS;
}

const struct backend_config *
snapshot_address_exempt(const struct snapshot *snapshot, const union ip_addr *address)
{
	uint32_t entry = snapshot->cells[cell_find(snapshot, address, 0)];

	return entry != INDEX_NONE && entry & CELL_EXEMPT ? &snapshot->backends[entry >> CELL_SHIFT]
							  : NULL;
}

const struct backend_config *
snapshot_at(const struct snapshot *snapshot, unsigned index)
{
	ENSURE(index < snapshot->count);
	return &snapshot->backends[index];
}

unsigned
snapshot_count(const struct snapshot *snapshot)
{
	return snapshot->count;
}

uint64_t
snapshot_generation(const struct snapshot *snapshot)
{
	return snapshot->generation;
}
