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

/* More backends than stay in L1 with all that belongs to them. */
#define LARGE_COUNT 32

#define CELL_ADDRESS 1u /* entered by its address only */
#define CELL_DROP 2u	/* besides: a protected backend with this address drops fragments */
#define CELL_EXEMPT 4u	/* besides: its backends all have the same exempt sources */
#define CELL_PROTECT 8u /* besides: at least one of them is protected */
#define CELL_SHIFT 4

struct cell {
	uint32_t entry; /* index << CELL_SHIFT, with the bits below; or INDEX_NONE */
	uint16_t tag;	/* of the hash: spares reading another's configuration */
	uint16_t slot;	/* the backend's */
};

struct snapshot {
	uint64_t generation;
	uint64_t key[2];
	struct cookie_plan cookies;
	struct timeouts timeouts;
	struct probe_config probe;
	struct egress_rates egress;
	struct source_policy sources;
	bool has_foreign_cookies;
	uint32_t count;
	uint32_t capacity;
	uint32_t mask; /* cells - 1 */
	struct cell *cells;
	uint8_t *backends; /* CONFIG_STRIDE apart */
};

const char *
backend_mode_name(enum backend_mode mode)
{
	static const char *const names[] = {
			[MODE_PROTECT] = "protect",
			[MODE_MONITOR] = "monitor",
			[MODE_OFF] = "off",
	};

	return names[mode];
}

/* What finds a backend and answers its SYNs lies on one line. */
#define CONFIG_STRIDE                                                                              \
	((sizeof(struct backend_config) + CACHE_LINE_SIZE - 1) & ~(size_t)(CACHE_LINE_SIZE - 1))
static_assert(offsetof(struct backend_config, name) <= CACHE_LINE_SIZE, "what SYNs need");

static inline struct backend_config *
config_at(const struct snapshot *snapshot, uint32_t index)
{
	return (struct backend_config *)(void *)(snapshot->backends + index * CONFIG_STRIDE);
}

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
	       cache_align(cell_count_for(count) * sizeof(struct cell)) + count * CONFIG_STRIDE;
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
			.cells = (struct cell *)(void *)next,
			.backends = next + cache_align(cells * sizeof(struct cell)),
	};
	for (uint32_t i = 0; i < cells; i++)
		snapshot->cells[i].entry = INDEX_NONE;
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

void
snapshot_set_sources(struct snapshot *snapshot, const struct source_policy *sources)
{
	snapshot->sources = *sources;
}

const struct source_policy *
snapshot_sources(const struct snapshot *snapshot)
{
	return &snapshot->sources;
}

static inline uint64_t
cell_hash(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	return mix_fold(address->halves_be[0] ^ snapshot->key[0] ^ (uint64_t)port << 32,
			address->halves_be[1] ^ snapshot->key[1]);
}

/* The first cell from there on that has the tag, or is empty. */
static inline uint32_t
cell_tagged(const struct snapshot *snapshot, uint32_t cell, uint16_t tag)
{
	cell &= snapshot->mask;
	while (snapshot->cells[cell].tag != tag && snapshot->cells[cell].entry != INDEX_NONE)
		cell = (cell + 1) & snapshot->mask;
	return cell;
}

/* The cell that holds the address and port (0: the address alone), or the empty one where
 * it belongs. */
static inline struct cell *
cell_find(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	const uint64_t hash = cell_hash(snapshot, address, port);
	uint32_t cell = cell_tagged(snapshot, (uint32_t)(hash >> 32), (uint16_t)hash);

	for (;; cell = cell_tagged(snapshot, cell + 1, (uint16_t)hash)) {
		uint32_t entry = snapshot->cells[cell].entry;

		if (entry == INDEX_NONE)
			return &snapshot->cells[cell];

		const struct backend_config *config = config_at(snapshot, entry >> CELL_SHIFT);
		uint16_t entry_port = entry & CELL_ADDRESS ? 0 : config->port;

		if (entry_port == port && ip_addr_is_equal(&config->address, address))
			return &snapshot->cells[cell];
	}
}

/* Fills an empty cell for the backend that is being inserted. */
static void
cell_fill(const struct snapshot *snapshot, struct cell *cell, const struct backend_config *config,
		uint16_t port, uint32_t bits)
{
	*cell = (struct cell){
			.entry = snapshot->count << CELL_SHIFT | bits,
			.tag = (uint16_t)cell_hash(snapshot, &config->address, port),
			.slot = config->slot,
	};
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
	struct cell *cell = cell_find(snapshot, &config->address, 0);

	if (cell->entry == INDEX_NONE)
		cell_fill(snapshot, cell, config, 0,
				CELL_ADDRESS | (config->exempt_count > 0 ? CELL_EXEMPT : 0));
	else if (!has_same_exempt(config_at(snapshot, cell->entry >> CELL_SHIFT), config))
		cell->entry &= ~CELL_EXEMPT;
	if (config->mode != MODE_PROTECT)
		return;
	cell->entry |= CELL_PROTECT;
	if (config->fragments != FRAGMENTS_PASS)
		cell->entry |= CELL_DROP;
}

int
snapshot_insert(struct snapshot *snapshot, const struct backend_config *config)
{
	struct cell *cell = cell_find(snapshot, &config->address, config->port);

	if (cell->entry != INDEX_NONE)
		return -EEXIST;
	if (snapshot->count == snapshot->capacity)
		return -ENOSPC;
	*config_at(snapshot, snapshot->count) = *config;
	cell_fill(snapshot, cell, config, config->port, 0);
	cell_insert_address(snapshot, config);
	snapshot->count++;
	return 0;
}

const struct backend_config *
snapshot_find(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	uint32_t entry = port == 0 ? INDEX_NONE : cell_find(snapshot, address, port)->entry;

	return entry == INDEX_NONE ? NULL : config_at(snapshot, entry >> CELL_SHIFT);
}

bool
snapshot_is_large(const struct snapshot *snapshot)
{
	return snapshot->count > LARGE_COUNT;
}

uint64_t
snapshot_prefetch_cell(const struct snapshot *snapshot, const union ip_addr *address, uint16_t port)
{
	const uint64_t hash = cell_hash(snapshot, address, port);

	__builtin_prefetch(&snapshot->cells[(hash >> 32) & snapshot->mask]);
	return hash;
}

int
snapshot_prefetch_config(const struct snapshot *snapshot, uint64_t hash)
{
	const uint32_t cell = cell_tagged(snapshot, (uint32_t)(hash >> 32), (uint16_t)hash);
	const uint32_t entry = snapshot->cells[cell].entry;

	if (entry == INDEX_NONE)
		return -1;
	__builtin_prefetch(config_at(snapshot, entry >> CELL_SHIFT));
	return snapshot->cells[cell].slot;
}

enum address_policy
snapshot_address(const struct snapshot *snapshot, const union ip_addr *address)
{
	uint32_t entry = cell_find(snapshot, address, 0)->entry;

	if (entry == INDEX_NONE)
		return ADDRESS_FOREIGN;
	if (!(entry & CELL_PROTECT))
		return ADDRESS_UNPROTECTED;
	return entry & CELL_DROP ? ADDRESS_FRAGMENTS_DROP : ADDRESS_FRAGMENTS_PASS;
}

const struct backend_config *
snapshot_address_exempt(const struct snapshot *snapshot, const union ip_addr *address)
{
	uint32_t entry = cell_find(snapshot, address, 0)->entry;

	return entry != INDEX_NONE && entry & CELL_EXEMPT ? config_at(snapshot, entry >> CELL_SHIFT)
							  : NULL;
}

const struct backend_config *
snapshot_at(const struct snapshot *snapshot, unsigned index)
{
	ENSURE(index < snapshot->count);
	return config_at(snapshot, index);
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
