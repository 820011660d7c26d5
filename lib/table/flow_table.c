/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bucket is chosen by the high bits of the hash (multiply and shift, so that the number of
 * buckets need not be a power of two); the tag is its low 16 bits; the other bucket follows
 * from the hash alone. An entry goes to its first bucket while that has room. `displaced`
 * counts those that could not, so that a miss, the case of every flood packet, ends after one line
 * unless the bucket once overflowed.
 */
#include "table/flow_table.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BUCKET_FILL_PERCENT 80

static uint32_t
bucket_count_for(uint32_t capacity)
{
	uint64_t slots = (uint64_t)capacity * 100 / BUCKET_FILL_PERCENT;

	return (uint32_t)(slots / FLOW_BUCKET_ENTRIES) + 2;
}

size_t
flow_table_memsize(uint32_t capacity, uint32_t capacity_ip6, uint32_t record_size)
{
	return (size_t)bucket_count_for(capacity) * sizeof(struct flow_bucket) +
	       (size_t)capacity * record_size +
	       cache_align((size_t)capacity_ip6 * sizeof(struct flow_pair));
}

void
flow_table_init(struct flow_table *table, void *mem, uint32_t capacity, uint32_t capacity_ip6,
		uint32_t record_size, const struct siphash_key *seed)
{
	uint32_t bucket_count = bucket_count_for(capacity);

	ENSURE(capacity > 0 && capacity <= FLOW_CAPACITY_MAX && capacity_ip6 <= capacity);
	ENSURE(record_size % CACHE_LINE_SIZE == 0 && (uintptr_t)mem % CACHE_LINE_SIZE == 0);
	*table = (struct flow_table){
			.buckets = mem,
			.records = (uint8_t *)mem +
				   (size_t)bucket_count * sizeof(struct flow_bucket),
			.seed = *seed,
			.bucket_count = bucket_count,
			.record_size = record_size,
			.capacity = capacity,
			.capacity_ip6 = capacity_ip6,
			.free_head = FLOW_NONE,
			.pairs_free_head = FLOW_NONE,
	};
	table->pairs = (struct flow_pair *)(void *)(table->records +
						    (size_t)capacity * record_size);
	for (uint32_t i = 0; i < bucket_count; i++) {
		struct flow_bucket *bucket = &table->buckets[i];

		memset(bucket, 0, sizeof(*bucket));
		for (unsigned e = 0; e < FLOW_BUCKET_ENTRIES; e++)
			bucket->handles[e] = FLOW_NONE;
	}
}

/* Never the first one: else a full bucket would count as two. */
static inline uint32_t
bucket_second(const struct flow_table *table, uint32_t hash)
{
	uint32_t first = flow_table_bucket(table, hash);
	uint32_t second = flow_table_scale(table, (hash << 16 | hash >> 16) * UINT32_C(0x9e3779b1));

	if (second == first)
		second = first + 1 == table->bucket_count ? 0 : first + 1;
	return second;
}

static inline struct flow *
flow_at(const struct flow_table *table, uint32_t handle)
{
	return flow_table_record(table, handle);
}

static_assert(offsetof(struct flow, backend_port) == offsetof(struct flow, client_port) + 2 &&
				offsetof(struct flow, vlan_family) ==
						offsetof(struct flow, client_port) + 4,
		"ports and tags lie as a tuple's");

/* Both ports and the tags. */
static inline uint64_t
ports_word(const void *from, size_t offset)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)from + offset, sizeof(word));
	return word;
}

/* IPv6 addresses lie in a line of their own, which only the same hash is worth. */
static bool
pair_matches(const struct flow_table *table, const struct flow *flow, uint32_t hash,
		const struct tuple *tuple)
{
	if (flow->hash != hash || flow->client_port != tuple->client_port ||
			flow->backend_port != tuple->backend_port ||
			flow->vlan_family != (tuple->vlan | FLOW_IP6))
		return false;
	return ip_addr_is_equal(&table->pairs[flow->client].client, &tuple->client) &&
	       ip_addr_is_equal(&table->pairs[flow->client].backend, &tuple->backend);
}

static inline bool
flow_is(const struct flow_table *table, uint32_t handle, uint32_t hash, const struct tuple *tuple)
{
	const struct flow *flow = flow_at(table, handle);

	if (LIKELY(tuple->family == FAMILY_IP4))
		return flow->client == tuple->client.words_be[3] &&
		       flow->backend == tuple->backend.words_be[3] &&
		       ports_word(flow, offsetof(struct flow, client_port)) ==
				       ports_word(tuple, offsetof(struct tuple, client_port));
	return pair_matches(table, flow, hash, tuple);
}

#define ENTRIES_MASK ((1u << FLOW_BUCKET_ENTRIES) - 1)
static_assert(FLOW_BUCKET_ENTRIES == 10 && offsetof(struct flow_bucket, handles) == 24,
		"a vector and half of one hold ten tags, and nothing but the head");

/* A bit for each entry that has the tag. */
static inline unsigned
bucket_match_plain(const struct flow_bucket *bucket, uint16_t tag)
{
	unsigned match = 0;

	for (unsigned e = 0; e < FLOW_BUCKET_ENTRIES; e++)
		match |= (unsigned)(bucket->tags[e] == tag) << e;
	return match;
}

#if defined(__SSE2__)
static inline unsigned
bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
	const __m128i tags = _mm_set1_epi16((short)tag);
	const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)bucket->tags);
	const __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(bucket->tags + 8));
	const __m128i both =
			_mm_packs_epi16(_mm_cmpeq_epi16(first, tags), _mm_cmpeq_epi16(last, tags));
	const unsigned match = (unsigned)_mm_movemask_epi8(both) & ENTRIES_MASK;

	if (SLUICE_TEST_CHECKS)
		ENSURE(match == bucket_match_plain(bucket, tag));
	return match;
}
#else
static inline unsigned
bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
	return bucket_match_plain(bucket, tag);
}
#endif

static inline unsigned
match_entry(unsigned match)
{
	return (unsigned)__builtin_ctz(match);
}

static inline uint32_t
bucket_find(const struct flow_table *table, uint32_t index, uint32_t hash,
		const struct tuple *tuple)
{
	const struct flow_bucket *bucket = &table->buckets[index];
	unsigned match = bucket_match(bucket, (uint16_t)hash);

	for (; match != 0; match &= match - 1) {
		uint32_t handle = bucket->handles[match_entry(match)];

		if (handle != FLOW_NONE && flow_is(table, handle, hash, tuple))
			return handle;
	}
	return FLOW_NONE;
}

/* Starts loading the record that a bucket has for the tag, and returns its handle. */
static inline uint32_t
bucket_guess(const struct flow_table *table, const struct flow_bucket *bucket, uint32_t hash)
{
	unsigned match = bucket_match(bucket, (uint16_t)hash);

	for (; match != 0; match &= match - 1) {
		uint32_t handle = bucket->handles[match_entry(match)];

		if (handle != FLOW_NONE) {
			__builtin_prefetch(flow_at(table, handle), 1);
			return handle;
		}
	}
	return FLOW_NONE;
}

uint32_t
flow_table_find(const struct flow_table *table, uint32_t hash, const struct tuple *tuple)
{
	uint32_t first = flow_table_bucket(table, hash);
	uint32_t handle = bucket_find(table, first, hash, tuple);

	if (handle == FLOW_NONE && table->buckets[first].displaced > 0)
		handle = bucket_find(table, bucket_second(table, hash), hash, tuple);
	return handle;
}

/* By the tags alone, each in the first bucket; those that may be in their second one, which is
 * loaded meanwhile, once more when all others are under way. */
unsigned
flow_table_guess_all(const struct flow_table *table, struct flow_query *queries, unsigned count)
{
	struct {
		struct flow_query *query;
		const struct flow_bucket *bucket;
	} seconds[FLOW_GUESS_MAX];
	unsigned n = 0, guessed = 0;

	ENSURE(count <= FLOW_GUESS_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct flow_query *query = &queries[i];
		const struct flow_bucket *bucket =
				&table->buckets[flow_table_bucket(table, query->hash)];

		query->handle = bucket_guess(table, bucket, query->hash);
		guessed += query->handle != FLOW_NONE;
		if (query->handle != FLOW_NONE || LIKELY(bucket->displaced == 0))
			continue;
		seconds[n].query = query;
		seconds[n].bucket = &table->buckets[bucket_second(table, query->hash)];
		__builtin_prefetch(seconds[n++].bucket);
	}
	for (unsigned i = 0; i < n; i++) {
		seconds[i].query->handle =
				bucket_guess(table, seconds[i].bucket, seconds[i].query->hash);
		guessed += seconds[i].query->handle != FLOW_NONE;
	}
	return guessed;
}

unsigned
flow_table_confirm_all(const struct flow_table *table, struct flow_query *queries, unsigned count)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		struct flow_query *query = &queries[i];

		/* Another flow with the same tag may stand before it. */
		if (query->handle != FLOW_NONE &&
				UNLIKELY(!flow_is(table, query->handle, query->hash, query->tuple)))
			query->handle = flow_table_find(table, query->hash, query->tuple);
		found += query->handle != FLOW_NONE;
	}
	return found;
}

static inline unsigned
find_some(const struct flow_table *table, struct flow_query *queries, unsigned count)
{
	if (flow_table_guess_all(table, queries, count) == 0)
		return 0;
	return flow_table_confirm_all(table, queries, count);
}

unsigned
flow_table_find_all(const struct flow_table *table, struct flow_query *queries, unsigned count)
{
	unsigned found = 0;

	for (; count > FLOW_GUESS_MAX; count -= FLOW_GUESS_MAX, queries += FLOW_GUESS_MAX)
		found += find_some(table, queries, FLOW_GUESS_MAX);
	return found + find_some(table, queries, count);
}

static uint32_t
suspects_plain(const struct flow_table *table, const uint32_t *hashes, unsigned count)
{
	uint32_t suspects = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct flow_bucket *bucket =
				&table->buckets[flow_table_bucket(table, hashes[i])];

		if (UNLIKELY((bucket_match(bucket, (uint16_t)hashes[i]) | bucket->displaced) != 0))
			suspects |= UINT32_C(1) << i;
	}
	return suspects;
}

uint32_t
flow_table_suspects(const struct flow_table *table, enum kernel kernel, const uint32_t *hashes,
		unsigned count)
{
	ENSURE(count <= FLOW_SUSPECTS_MAX);
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512)
		return flow_table_suspects_avx512(table, hashes, count);
#else
	(void)kernel;
#endif
	return suspects_plain(table, hashes, count);
}

/* The entry's index in the bucket that holds handle (FLOW_NONE: a free entry), or -1. */
static int
bucket_entry(const struct flow_bucket *bucket, uint32_t handle)
{
	for (int e = 0; e < FLOW_BUCKET_ENTRIES; e++)
		if (bucket->handles[e] == handle)
			return e;
	return -1;
}

/* Writes an entry into a bucket with room and keeps `displaced` of its first bucket. */
static bool
bucket_put(struct flow_table *table, uint32_t index, uint32_t hash, uint32_t handle)
{
	struct flow_bucket *bucket = &table->buckets[index];
	int e = bucket_entry(bucket, FLOW_NONE);

	if (e < 0)
		return false;
	bucket->tags[e] = (uint16_t)hash;
	bucket->handles[e] = handle;
	if (index != flow_table_bucket(table, hash))
		table->buckets[flow_table_bucket(table, hash)].displaced++;
	return true;
}

static void
bucket_take(struct flow_table *table, uint32_t index, int e, uint32_t hash)
{
	struct flow_bucket *bucket = &table->buckets[index];

	bucket->tags[e] = 0;
	bucket->handles[e] = FLOW_NONE;
	if (index != flow_table_bucket(table, hash))
		table->buckets[flow_table_bucket(table, hash)].displaced--;
}

/* Frees one entry of a full bucket by moving its holder to the holder's other bucket. */
static bool
bucket_make_room(struct flow_table *table, uint32_t index)
{
	struct flow_bucket *bucket = &table->buckets[index];

	for (int e = 0; e < FLOW_BUCKET_ENTRIES; e++) {
		uint32_t handle = bucket->handles[e];
		uint32_t hash = flow_at(table, handle)->hash;
		uint32_t first = flow_table_bucket(table, hash);
		uint32_t other = index == first ? bucket_second(table, hash) : first;

		if (bucket_entry(&table->buckets[other], FLOW_NONE) < 0)
			continue;
		bucket_take(table, index, e, hash);
		ENSURE(bucket_put(table, other, hash, handle));
		return true;
	}
	return false;
}

static bool
table_place(struct flow_table *table, uint32_t hash, uint32_t handle)
{
	uint32_t first = flow_table_bucket(table, hash);
	uint32_t second = bucket_second(table, hash);

	if (bucket_put(table, first, hash, handle) || bucket_put(table, second, hash, handle))
		return true;
	if (bucket_make_room(table, first))
		return bucket_put(table, first, hash, handle);
	if (bucket_make_room(table, second))
		return bucket_put(table, second, hash, handle);
	return false;
}

static uint32_t
record_take(struct flow_table *table)
{
	uint32_t handle = table->free_head;

	if (handle != FLOW_NONE)
		table->free_head = flow_at(table, handle)->client;
	else if (table->touched < table->capacity)
		handle = table->touched++;
	return handle;
}

static void
record_give(struct flow_table *table, uint32_t handle)
{
	struct flow *flow = flow_at(table, handle);

	flow->vlan_family = FLOW_UNUSED;
	flow->client = table->free_head;
	table->free_head = handle;
}

static uint32_t
pair_take(struct flow_table *table)
{
	uint32_t pair = table->pairs_free_head;

	if (pair != FLOW_NONE)
		table->pairs_free_head = table->pairs[pair].client.words_be[0];
	else if (table->pairs_touched < table->capacity_ip6)
		pair = table->pairs_touched++;
	return pair;
}

static void
pair_give(struct flow_table *table, uint32_t pair)
{
	table->pairs[pair].client.words_be[0] = table->pairs_free_head;
	table->pairs_free_head = pair;
}

/* Fills the record's head; false when an IPv6 flow finds no pair. */
static bool
flow_write(struct flow_table *table, struct flow *flow, uint32_t hash, const struct tuple *tuple)
{
	*flow = (struct flow){
			.client = tuple->client.words_be[3],
			.backend = tuple->backend.words_be[3],
			.client_port = tuple->client_port,
			.backend_port = tuple->backend_port,
			.vlan_family = tuple->vlan,
			.hash = hash,
	};
	if (tuple->family == FAMILY_IP4)
		return true;

	flow->vlan_family |= FLOW_IP6;
	flow->backend = 0;
	flow->client = pair_take(table);
	if (flow->client == FLOW_NONE)
		return false;
	table->pairs[flow->client] = (struct flow_pair){tuple->client, tuple->backend};
	return true;
}

uint32_t
flow_table_insert(struct flow_table *table, uint32_t hash, const struct tuple *tuple)
{
	uint32_t handle = record_take(table);

	if (handle == FLOW_NONE)
		return FLOW_NONE;

	struct flow *flow = flow_at(table, handle);

	if (!flow_write(table, flow, hash, tuple)) {
		record_give(table, handle);
		return FLOW_NONE;
	}
	if (!table_place(table, hash, handle)) {
		if (flow->vlan_family & FLOW_IP6)
			pair_give(table, flow->client);
		record_give(table, handle);
		return FLOW_NONE;
	}
	table->count++;
	return handle;
}

void
flow_table_remove(struct flow_table *table, uint32_t handle)
{
	struct flow *flow = flow_at(table, handle);
	uint32_t index = flow_table_bucket(table, flow->hash);
	int e = bucket_entry(&table->buckets[index], handle);

	if (e < 0) {
		index = bucket_second(table, flow->hash);
		e = bucket_entry(&table->buckets[index], handle);
	}
	ENSURE(e >= 0);
	bucket_take(table, index, e, flow->hash);
	if (flow->vlan_family & FLOW_IP6)
		pair_give(table, flow->client);
	record_give(table, handle);
	table->count--;
}

struct tuple
flow_table_tuple(const struct flow_table *table, uint32_t handle)
{
	const struct flow *flow = flow_at(table, handle);
	struct tuple tuple = {
			.client_port = flow->client_port,
			.backend_port = flow->backend_port,
			.vlan = flow->vlan_family & ~FLOW_IP6,
	};

	if (flow->vlan_family & FLOW_IP6) {
		tuple.family = FAMILY_IP6;
		tuple.client = table->pairs[flow->client].client;
		tuple.backend = table->pairs[flow->client].backend;
	} else {
		tuple.family = FAMILY_IP4;
		tuple.client = ip_addr_from_ip4(flow->client);
		tuple.backend = ip_addr_from_ip4(flow->backend);
	}
	return tuple;
}
