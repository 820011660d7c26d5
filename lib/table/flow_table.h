/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tuple -> connection record, for one worker. Bounded: all memory is given at init and nothing
 * grows. One writer, one reader, the same thread: no locks, no atomics.
 *
 * The table owns an array of records of the caller's size; each begins with a struct flow that
 * belongs to the table. A record is named by its handle, 0 <= handle < capacity, which stays the
 * same until removal. Lookup touches one bucket line and one record line when the tuple is
 * there, one bucket line when it is not. IPv6 addresses live in an array of pairs of their own,
 * so that an IPv4 connection does not pay for them.
 *
 * Buckets hold ten entries each; an entry lives in one of two buckets, and a full pair makes room
 * by moving one entry to its other bucket (cuckoo hashing, bounded to one move).
 */
#ifndef SLUICE_TABLE_FLOW_TABLE_H
#define SLUICE_TABLE_FLOW_TABLE_H

#include "base/kernel.h"
#include "base/mix.h"
#include "base/siphash.h"
#include "net/tuple.h"

#define FLOW_NONE UINT32_MAX /**< no handle */
#define FLOW_CAPACITY_MAX (UINT32_C(1) << 26)
#define FLOW_BUCKET_ENTRIES 10

/** Head of every record; written by the table only. */
struct flow {
	uint32_t client;  /**< IPv4: address, raw; IPv6: index of its pair */
	uint32_t backend; /**< IPv4: address, raw; IPv6: 0 */
	uint16_t client_port;
	uint16_t backend_port;
	uint32_t vlan_family; /**< vlan_tags_t, and FLOW_IP6 for IPv6 */
	uint32_t hash;	      /**< flow_table_hash() of its tuple */
};
static_assert(sizeof(struct flow) == 20, "leaves 44 bytes of a record's line to the caller");

#define FLOW_IP6 (UINT32_C(1) << 31)
/** vlan_family of a record that was given back: no tags look so. */
#define FLOW_UNUSED UINT32_MAX

struct flow_bucket {
	uint16_t tags[FLOW_BUCKET_ENTRIES];
	uint16_t displaced; /**< entries that belong here first but live in their other bucket */
	uint16_t unused;
	uint32_t handles[FLOW_BUCKET_ENTRIES]; /**< FLOW_NONE: empty */
};
static_assert(sizeof(struct flow_bucket) == CACHE_LINE_SIZE, "one line per bucket");

struct flow_pair {
	union ip_addr client;
	union ip_addr backend;
};

struct flow_table {
	struct flow_bucket *buckets;
	uint8_t *records;
	struct flow_pair *pairs;
	struct siphash_key seed;
	uint32_t bucket_count;
	uint32_t record_size;
	uint32_t capacity;
	uint32_t capacity_ip6;
	uint32_t count;	    /**< records in use */
	uint32_t touched;   /**< records ever used: the ones above are not on the free list */
	uint32_t free_head; /**< free records, linked through flow.client */
	uint32_t pairs_touched;
	uint32_t pairs_free_head; /**< free pairs, linked through client.words_be[0] */
};

/** Bytes for the given sizes; record_size a multiple of the cache line,
 * capacity 1..FLOW_CAPACITY_MAX. */
size_t flow_table_memsize(uint32_t capacity, uint32_t capacity_ip6, uint32_t record_size);

/** Makes an empty table in mem (cache-line aligned). seed keys the hash: secret and random, or
 * tuples could be chosen to collide. */
void flow_table_init(struct flow_table *table, void *mem, uint32_t capacity, uint32_t capacity_ip6,
		uint32_t record_size, const struct siphash_key *seed);

static_assert(offsetof(struct tuple, backend_port) == offsetof(struct tuple, client_port) + 2 &&
				offsetof(struct tuple, vlan) ==
						offsetof(struct tuple, client_port) + 4,
		"ports and tags are one word");

/** Keyed hash of a tuple. */
static inline uint32_t
flow_table_hash(const struct flow_table *table, const struct tuple *tuple)
{
	const struct siphash_key *seed = &table->seed;
	uint64_t ports, hash;

	/* Both ports and the tags, as they lie. */
	memcpy(&ports, (const uint8_t *)tuple + offsetof(struct tuple, client_port), sizeof(ports));

	if (LIKELY(tuple->family == FAMILY_IP4)) {
		uint64_t addresses = (uint64_t)tuple->client.words_be[3] << 32 |
				     tuple->backend.words_be[3];

		hash = mix_fold(addresses ^ seed->k0, ports ^ seed->k1);
	} else {
		hash = mix_fold(tuple->client.halves_be[0] ^ seed->k0,
				tuple->client.halves_be[1] ^ seed->k1);
		hash = mix_fold(hash ^ tuple->backend.halves_be[0] ^ seed->k1,
				tuple->backend.halves_be[1] ^ seed->k0);
		hash = mix_fold(hash ^ seed->k0, ports ^ seed->k1);
	}
	hash = mix_fold(hash ^ seed->k1, UINT64_C(0x9e3779b97f4a7c15));
	return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/** A bucket for 32 evenly spread bits. */
static inline uint32_t
flow_table_scale(const struct flow_table *table, uint32_t bits)
{
	return (uint32_t)((uint64_t)bits * table->bucket_count >> 32);
}

/** The bucket that a flow goes to while there is room. */
static inline uint32_t
flow_table_bucket(const struct flow_table *table, uint32_t hash)
{
	return flow_table_scale(table, hash);
}

/** Starts loading the bucket that find will read first. */
static inline void
flow_table_prefetch(const struct flow_table *table, uint32_t hash)
{
	__builtin_prefetch(&table->buckets[flow_table_bucket(table, hash)]);
}

/** The handle of tuple, or FLOW_NONE. hash is flow_table_hash(tuple). */
uint32_t flow_table_find(const struct flow_table *table, uint32_t hash, const struct tuple *tuple);

/** One of several look-ups made together. */
struct flow_query {
	const struct tuple *tuple;
	uint32_t hash;	 /**< flow_table_hash() of it */
	uint32_t handle; /**< the answer, as of flow_table_find() */
};

/** Answers all queries, and says how many found a record; their lines are loaded side by side.
 * flow_table_prefetch() should have been called for each. Loads found records to be written. */
unsigned flow_table_find_all(
		const struct flow_table *table, struct flow_query *queries, unsigned count);

/** At most so many look-ups are guessed together. */
#define FLOW_GUESS_MAX 32

/** The first half of flow_table_find_all(): answers each query by a record that is likely the
 * tuple's, or FLOW_NONE where there is none for certain. Returns how many have a guess. count at
 * most FLOW_GUESS_MAX. */
unsigned flow_table_guess_all(
		const struct flow_table *table, struct flow_query *queries, unsigned count);

/** The second half: makes guesses certain. Returns how many found a record. */
unsigned flow_table_confirm_all(
		const struct flow_table *table, struct flow_query *queries, unsigned count);

#define FLOW_SUSPECTS_MAX 32

/** Which of count hashes, at most FLOW_SUSPECTS_MAX, may have a record, which flow_table_find()
 * knows: bit i for hashes[i]; without it there is none. For floods, where hardly any has.
 * flow_table_prefetch() should have been called for each. */
uint32_t flow_table_suspects(const struct flow_table *table, enum kernel kernel,
		const uint32_t *hashes, unsigned count);

/** The variant, for flow_table_suspects(). */
uint32_t flow_table_suspects_avx512(
		const struct flow_table *table, const uint32_t *hashes, unsigned count);

/** Takes a record for tuple, which must not be in the table. FLOW_NONE when there is no room. The
 * rest of the record is whatever it was. */
uint32_t flow_table_insert(struct flow_table *table, uint32_t hash, const struct tuple *tuple);

/** Gives the record back. */
void flow_table_remove(struct flow_table *table, uint32_t handle);

/** True when the record is in use; for walks over all handles below table->touched. */
static inline bool
flow_table_is_used(const struct flow_table *table, uint32_t handle)
{
	const uint8_t *record = table->records + (size_t)handle * table->record_size;

	return ((const struct flow *)(const void *)record)->vlan_family != FLOW_UNUSED;
}

/** The tuple a record was inserted with. */
struct tuple flow_table_tuple(const struct flow_table *table, uint32_t handle);

static inline void *
flow_table_record(const struct flow_table *table, uint32_t handle)
{
	return table->records + (size_t)handle * table->record_size;
}

#endif
