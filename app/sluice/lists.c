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
#define TABLE_ENTRIES 256
#define RIB_NODE_BYTES 208 /* of rte_rib, in its mempool; measured, two per prefix at most */
#define NAME_BYTES 32
#define RULE_BYTES 96 /* of rte_lpm6, in its rte_hash */

/* Next hops of 7, 15 and 31 bits: as many small tables can be told apart. */
static const uint32_t fib_tables_max[] = {127, 32767, (1u << 24) - 1};

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
	struct rte_fib *ip4;  /* NULL: none of that family */
	struct rte_lpm6 *ip6; /* the same */
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

/* The narrowest next hops that so many tables need. */
static enum rte_fib_dir24_8_nh_sz
fib_width(uint32_t tables)
{
	if (tables <= fib_tables_max[RTE_FIB_DIR24_8_1B])
		return RTE_FIB_DIR24_8_1B;
	return tables <= fib_tables_max[RTE_FIB_DIR24_8_2B] ? RTE_FIB_DIR24_8_2B
							    : RTE_FIB_DIR24_8_4B;
}

/* A range's two ends may want a table each, for a moment; one more is what it asks for then. */
static uint32_t
fib_tables(const struct need *need)
{
	const uint32_t tables = need->tables + 2;

	return RTE_MIN(tables, fib_tables_max[RTE_FIB_DIR24_8_4B]);
}

static size_t
ip4_memsize(const struct need *need)
{
	const uint32_t tables = fib_tables(need);
	const size_t entries = ((size_t)1 << 24) + (size_t)TABLE_ENTRIES * (tables + 64);

	return need->prefixes == 0 ? 0
				   : (entries << fib_width(tables)) +
						     2 * (size_t)need->prefixes * RIB_NODE_BYTES +
						     2 * MB;
}

static size_t
ip6_memsize(const struct need *need)
{
	const size_t entries = ((size_t)1 << 24) + (size_t)TABLE_ENTRIES * (need->tables + 1);

	return need->prefixes == 0 ? 0
				   : entries * sizeof(uint32_t) +
						     (size_t)need->prefixes * RULE_BYTES + 2 * MB;
}

static size_t
survey_memsize(const struct survey *survey)
{
	return ip4_memsize(&survey->ip4) + ip6_memsize(&survey->ip6);
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
static bool
ip4_create(struct tables *tables, const struct need *need)
{
	const uint32_t wanted = fib_tables(need);
	struct rte_fib_conf config = {
			.type = RTE_FIB_DIR24_8,
			.default_nh = need->otherwise,
			.max_routes = (int)need->prefixes,
			.dir24_8 = {.nh_sz = fib_width(wanted), .num_tbl8 = wanted},
	};
	char name[NAME_BYTES];

	tables->otherwise4 = need->otherwise;
	if (need->prefixes == 0)
		return true;
	snprintf(name, sizeof(name), "s4%p", (void *)tables);
	tables->ip4 = rte_fib_create(name, SOCKET_ID_ANY, &config);
	return tables->ip4 != NULL;
}

static bool
ip6_create(struct tables *tables, const struct need *need)
{
	const struct rte_lpm6_config config = {
			.max_rules = need->prefixes,
			.number_tbl8s = need->tables + 1, /* 0 is refused */
	};
	char name[NAME_BYTES];

	tables->otherwise6 = need->otherwise;
	if (need->prefixes == 0)
		return true;
	snprintf(name, sizeof(name), "s6%p", (void *)tables);
	tables->ip6 = rte_lpm6_create(name, SOCKET_ID_ANY, &config);
	return tables->ip6 != NULL;
}

static int
insert(const struct tables *tables, const struct prefix *prefix)
{
	if (is_everything(prefix))
		return 0;
	if (is_ip4(prefix))
		return rte_fib_add(tables->ip4, be32toh(prefix->address.words_be[3]),
				(uint8_t)(prefix->length - EXEMPT_IP4_BITS), prefix->verdict);
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
	rte_lpm6_free(tables->ip6);
	free(tables);
}

static void
find_ip4(const struct tables *tables, const uint32_t *ips, unsigned count, uint8_t *found)
{
	uint64_t hops[SOURCE_LISTS_BURST_MAX];

	if (tables->ip4 == NULL) {
		memset(found, tables->otherwise4, count);
		return;
	}
	rte_fib_lookup_bulk(tables->ip4, (uint32_t *)(uintptr_t)ips, hops, (int)count);
	for (unsigned i = 0; i < count; i++)
		found[i] = (uint8_t)hops[i];
}

static void
find_ip6(const struct tables *tables, uint8_t ips[][ADDRESS_BYTES], unsigned count, uint8_t *found)
{
	int32_t hops[SOURCE_LISTS_BURST_MAX];

	if (tables->ip6 == NULL) {
		memset(found, tables->otherwise6, count);
		return;
	}
	rte_lpm6_lookup_bulk_func(tables->ip6, ips, hops, count);
	for (unsigned i = 0; i < count; i++)
		found[i] = hops[i] < 0 ? tables->otherwise6 : (uint8_t)hops[i];
}

/* Sorted by family, looked up, and put back in order. */
static void
lists_find(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	const struct tables *tables = (const struct tables *)(const void *)lists;
	uint32_t ip4[SOURCE_LISTS_BURST_MAX];
	uint8_t ip6[SOURCE_LISTS_BURST_MAX][ADDRESS_BYTES];
	uint8_t found4[SOURCE_LISTS_BURST_MAX], found6[SOURCE_LISTS_BURST_MAX];
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
	if (!ip4_create(tables, &survey.ip4) || !ip6_create(tables, &survey.ip6))
		snprintf(message, size,
				"no memory for %u prefixes: their tables take about %zu MB of huge "
				"pages (of what \"-m\" in \"eal\" gives, without huge pages)",
				list->count, (survey_memsize(&survey) >> 20) + 1);
	else if (fill(tables, list, message, size))
		return &tables->lists;
	lists_end(&tables->lists);
	return NULL;
}
