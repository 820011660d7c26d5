/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prefixes that say nothing new, since the next shorter one says the same, are left out. All of a
 * family (/0) is no prefix to these tables but what they say when they find nothing.
 */
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_fib.h>
#include <rte_lpm6.h>
#include <rte_memory.h>

#include "table/exempt.h"

#define MB ((size_t)1 << 20)
#define ADDRESS_BYTES 16
#define FIRST_TABLE_BYTES 3 /* of an address; each further byte has tables of its own */
#define FIRST_TABLE_ENTRIES ((size_t)1 << 24)
#define TABLE_ENTRIES ((size_t)256)
#define RIB_NODE_BYTES 208 /* of rte_rib, in its mempool; measured, two per prefix at most */
#define NAME_BYTES 32
#define RULE_BYTES 96 /* of rte_lpm6, in its rte_hash */

/* As many small tables as next hops of 7 and 15 bits can tell apart. From more on rte_fib would
 * take long to find a free one, and rte_lpm6 doesn't: it keeps a stack of them. */
#define FIB_TABLES_1B 127
#define FIB_TABLES_2B 32767

/* Of rte_lpm6, which has 21 bits for a table's number; one more is asked for than are used. */
#define LPM_TABLES_MAX ((uint32_t)1 << 21)

/* What a family's tables have to hold. */
struct need {
	uint32_t prefixes;
	uint32_t tables;   /* of 256 entries, behind the first 24 bits */
	uint8_t otherwise; /* enum source_verdict: what the prefix of length 0 says */
};

struct survey {
	struct need ip4;
	struct need ip6;
};

/* Walks a sorted list; those that cover the present prefix are on the stack. */
struct walk {
	const struct prefix_list *list;
	uint32_t next;
	unsigned depth;
	const struct prefix *stack[129];
};

struct tables {
	struct source_lists lists;
	/* NULL: none of that family, or, of IPv4's two, the other one. */
	struct rte_fib *ip4;
	struct rte_lpm6 *ip4_many; /* an address is the first four bytes */
	struct rte_lpm6 *ip6;
	/* What those say that find nothing: enum source_verdict. */
	uint8_t otherwise4;
	uint8_t otherwise6;
};

/* The next prefix that says something new, or NULL. */
static const struct prefix *
walk_next(struct walk *walk)
{
	while (walk->next < walk->list->count) {
		const struct prefix *prefix = &walk->list->prefixes[walk->next++];

		while (walk->depth > 0 && !prefix_covers(walk->stack[walk->depth - 1], prefix))
			walk->depth--;
		if (walk->depth > 0 && walk->stack[walk->depth - 1]->verdict == prefix->verdict)
			continue;
		walk->stack[walk->depth++] = prefix;
		return prefix;
	}
	return NULL;
}

static bool
is_ip4(const struct prefix *prefix)
{
	return prefix->family == FAMILY_IP4;
}

static bool
is_everything(const struct prefix *prefix)
{
	return prefix->length == (is_ip4(prefix) ? EXEMPT_IP4_BITS : 0);
}

/* The beginnings, by their bytes, that were last seen to need a table. */
struct beginnings {
	bool is_any[ADDRESS_BYTES];
	union ip_addr seen[ADDRESS_BYTES];
};

/* How many tables the prefix needs that none before did: since the list is sorted, equal beginnings
 * stand in a row. */
static uint32_t
tables_of(const struct prefix *prefix, struct beginnings *beginnings)
{
	const unsigned before = is_ip4(prefix) ? EXEMPT_IP4_BITS / 8 : 0;
	uint32_t tables = 0;

	for (unsigned bytes = before + FIRST_TABLE_BYTES; 8 * bytes < prefix->length; bytes++) {
		union ip_addr *seen = &beginnings->seen[bytes];

		if (beginnings->is_any[bytes] &&
				memcmp(seen->bytes, prefix->address.bytes, bytes) == 0)
			continue;
		beginnings->is_any[bytes] = true;
		*seen = prefix->address;
		tables++;
	}
	return tables;
}

static struct survey
survey_make(const struct prefix_list *list)
{
	struct survey survey = {.ip4 = {0}};
	struct beginnings beginnings = {.is_any = {false}};
	struct walk walk = {.list = list};
	const struct prefix *prefix;

	while ((prefix = walk_next(&walk)) != NULL) {
		struct need *need = is_ip4(prefix) ? &survey.ip4 : &survey.ip6;

		if (is_everything(prefix))
			need->otherwise = prefix->verdict;
		else
			need->prefixes++;
		need->tables += tables_of(prefix, &beginnings);
	}
	return survey;
}

/* A range's two ends may want a table each, for a moment; one more is what it asks for then. */
static uint32_t
fib_tables(const struct need *need)
{
	return need->tables + 2;
}

static bool
is_for_fib(const struct need *need)
{
	return fib_tables(need) <= FIB_TABLES_2B;
}

static enum rte_fib_dir24_8_nh_sz
fib_width(const struct need *need)
{
	return fib_tables(need) <= FIB_TABLES_1B ? RTE_FIB_DIR24_8_1B : RTE_FIB_DIR24_8_2B;
}

static size_t
fib_memsize(const struct need *need)
{
	const size_t entries = FIRST_TABLE_ENTRIES + TABLE_ENTRIES * (fib_tables(need) + 64);

	return (entries << fib_width(need)) + 2 * (size_t)need->prefixes * RIB_NODE_BYTES + 2 * MB;
}

static uint32_t
lpm_tables(const struct need *need)
{
	return need->tables + 1; /* 0 is refused */
}

static size_t
lpm_memsize(const struct need *need)
{
	const size_t entries = FIRST_TABLE_ENTRIES + TABLE_ENTRIES * lpm_tables(need);

	return entries * sizeof(uint32_t) + (size_t)need->prefixes * RULE_BYTES + 2 * MB;
}

static size_t
survey_memsize(const struct survey *survey)
{
	const struct need *ip4 = &survey->ip4, *ip6 = &survey->ip6;
	size_t size = ip6->prefixes > 0 ? lpm_memsize(ip6) : 0;

	if (ip4->prefixes > 0)
		size += is_for_fib(ip4) ? fib_memsize(ip4) : lpm_memsize(ip4);
	return size;
}

size_t
lists_memsize(const struct prefix_list *list)
{
	struct survey survey;

	if (list == NULL)
		return 0;
	survey = survey_make(list);
	return survey_memsize(&survey);
}

/* By its address the name differs from those of tables that serve. */
static struct rte_fib *
fib_create(const struct tables *tables, const struct need *need)
{
	struct rte_fib_conf config = {
			.type = RTE_FIB_DIR24_8,
			.default_nh = need->otherwise,
			.max_routes = (int)need->prefixes,
			.dir24_8 = {.nh_sz = fib_width(need), .num_tbl8 = fib_tables(need)},
	};
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "s4%p", (const void *)tables);
	return rte_fib_create(name, SOCKET_ID_ANY, &config);
}

static struct rte_lpm6 *
lpm_create(const struct tables *tables, const struct need *need, const char *family)
{
	const struct rte_lpm6_config config = {
			.max_rules = need->prefixes,
			.number_tbl8s = lpm_tables(need),
	};
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "s%s%p", family, (const void *)tables);
	return rte_lpm6_create(name, SOCKET_ID_ANY, &config);
}

/* False when there is no memory for all that is needed. */
static bool
create(struct tables *tables, const struct survey *survey)
{
	const struct need *ip4 = &survey->ip4, *ip6 = &survey->ip6;

	tables->otherwise4 = ip4->otherwise;
	tables->otherwise6 = ip6->otherwise;
	if (ip4->prefixes > 0 && is_for_fib(ip4))
		tables->ip4 = fib_create(tables, ip4);
	else if (ip4->prefixes > 0)
		tables->ip4_many = lpm_create(tables, ip4, "4");
	if (ip6->prefixes > 0)
		tables->ip6 = lpm_create(tables, ip6, "6");
	return (ip4->prefixes == 0 || tables->ip4 != NULL || tables->ip4_many != NULL) &&
	       (ip6->prefixes == 0 || tables->ip6 != NULL);
}

static int
insert_ip4(const struct tables *tables, const struct prefix *prefix)
{
	const uint8_t length = (uint8_t)(prefix->length - EXEMPT_IP4_BITS);
	const uint32_t address = prefix->address.words_be[3];
	uint8_t bytes[ADDRESS_BYTES] = {0};

	if (tables->ip4 != NULL)
		return rte_fib_add(tables->ip4, be32toh(address), length, prefix->verdict);
	memcpy(bytes, &address, sizeof(address));
	return rte_lpm6_add(tables->ip4_many, bytes, length, prefix->verdict);
}

static int
insert(const struct tables *tables, const struct prefix *prefix)
{
	if (is_everything(prefix))
		return 0;
	if (is_ip4(prefix))
		return insert_ip4(tables, prefix);
	return rte_lpm6_add(tables->ip6, prefix->address.bytes, prefix->length, prefix->verdict);
}

static bool
fill(const struct tables *tables, const struct prefix_list *list, char *message, size_t size)
{
	struct walk walk = {.list = list};
	const struct prefix *prefix;

	while ((prefix = walk_next(&walk)) != NULL) {
		const int error = insert(tables, prefix);
		char text[PREFIX_TEXT_BYTES];

		if (error == 0)
			continue;
		prefix_write(prefix, text);
		snprintf(message, size, "DPDK's table takes no %s: %s", text, strerror(-error));
		return false;
	}
	return true;
}

static void
lists_end(struct source_lists *lists)
{
	struct tables *tables = (struct tables *)(void *)lists;

	rte_fib_free(tables->ip4);
	rte_lpm6_free(tables->ip4_many);
	rte_lpm6_free(tables->ip6);
	free(tables);
}

static void
find_fib(struct rte_fib *fib, uint32_t *ips, unsigned count, uint8_t *found)
{
	uint64_t hops[SOURCE_LISTS_BURST_MAX];

	rte_fib_lookup_bulk(fib, ips, hops, (int)count);
	for (unsigned i = 0; i < count; i++)
		found[i] = (uint8_t)hops[i];
}

static void
find_lpm(const struct rte_lpm6 *lpm, uint8_t ips[][ADDRESS_BYTES], unsigned count,
		uint8_t otherwise, uint8_t *found)
{
	int32_t hops[SOURCE_LISTS_BURST_MAX];

	rte_lpm6_lookup_bulk_func(lpm, ips, hops, count);
	for (unsigned i = 0; i < count; i++)
		found[i] = hops[i] < 0 ? otherwise : (uint8_t)hops[i];
}

static void
find_ip4(const struct tables *tables, uint32_t *ips, unsigned count, uint8_t *found)
{
	uint8_t bytes[SOURCE_LISTS_BURST_MAX][ADDRESS_BYTES] = {{0}};

	if (tables->ip4 != NULL) {
		find_fib(tables->ip4, ips, count, found);
	} else if (tables->ip4_many != NULL) {
		for (unsigned i = 0; i < count; i++) {
			const uint32_t address = htobe32(ips[i]);

			memcpy(bytes[i], &address, sizeof(address));
		}
		find_lpm(tables->ip4_many, bytes, count, tables->otherwise4, found);
	} else {
		memset(found, tables->otherwise4, count);
	}
}

static void
find_ip6(const struct tables *tables, uint8_t ips[][ADDRESS_BYTES], unsigned count, uint8_t *found)
{
	if (tables->ip6 != NULL)
		find_lpm(tables->ip6, ips, count, tables->otherwise6, found);
	else
		memset(found, tables->otherwise6, count);
}

/* Sorted by family, looked up, and put back in order. */
static void
lists_find(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	const struct tables *tables = (const struct tables *)(const void *)lists;
	uint32_t ip4[SOURCE_LISTS_BURST_MAX];
	uint8_t ip6[SOURCE_LISTS_BURST_MAX][ADDRESS_BYTES];
	uint8_t found4[SOURCE_LISTS_BURST_MAX] = {0}, found6[SOURCE_LISTS_BURST_MAX] = {0};
	unsigned count4 = 0, count6 = 0;

	for (unsigned i = 0; i < count; i++) {
		const union ip_addr *client = &tuples[i]->client;

		if (tuples[i]->family == FAMILY_IP4)
			ip4[count4++] = be32toh(client->words_be[3]);
		else
			memcpy(ip6[count6++], client->bytes, ADDRESS_BYTES);
	}
	if (count4 > 0)
		find_ip4(tables, ip4, count4, found4);
	if (count6 > 0)
		find_ip6(tables, ip6, count6, found6);
	count4 = count6 = 0;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = tuples[i]->family == FAMILY_IP4 ? found4[count4++] : found6[count6++];
}

struct source_lists *
lists_make(const struct prefix_list *list, char *message, size_t size)
{
	const struct survey survey = survey_make(list);
	struct tables *tables = calloc(1, sizeof(*tables));

	message[0] = '\0';
	if (tables == NULL) {
		snprintf(message, size, "out of memory");
		return NULL;
	}
	tables->lists = (struct source_lists){.find = lists_find, .end = lists_end, .holders = 1};
	if (lpm_tables(&survey.ip6) > LPM_TABLES_MAX)
		snprintf(message, size,
				"too many scattered IPv6 prefixes: they take %u tables of 256 "
				"entries, and there may be %u",
				survey.ip6.tables, LPM_TABLES_MAX - 1);
	else if (!create(tables, &survey))
		snprintf(message, size,
				"no memory for %u prefixes: their tables take about %zu MB of huge "
				"pages (of what \"-m\" in \"eal\" gives, without huge pages)",
				list->count, (survey_memsize(&survey) >> 20) + 1);
	else if (fill(tables, list, message, size))
		return &tables->lists;
	lists_end(&tables->lists);
	return NULL;
}
