/* SPDX-License-Identifier: BSD-3-Clause */
/* In this order a prefix stands before all that it covers, and its equals stand beside it. */
#include "control/prefix_list.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "table/exempt.h"

static_assert(PREFIX_TEXT_BYTES > INET6_ADDRSTRLEN - 1 + sizeof("/128") - 1, "the longest");

struct prefix_list *
prefix_list_new(void)
{
	struct prefix_list *list = calloc(1, sizeof(*list));

	ENSURE(list != NULL);
	return list;
}

void
prefix_list_free(struct prefix_list *list)
{
	if (list != NULL)
		free(list->prefixes);
	free(list);
}

void
prefix_list_add(struct prefix_list *list, const struct prefix *prefix)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 64 : list->room * 2;
		list->prefixes = reallocarray(list->prefixes, list->room, sizeof(*list->prefixes));
		ENSURE(list->prefixes != NULL);
	}
	list->prefixes[list->count++] = *prefix;
}

/* What belongs to the prefix itself; 0 for the same. */
static int
compare(const struct prefix *a, const struct prefix *b)
{
	int order = (a->family > b->family) - (a->family < b->family);

	if (order == 0)
		order = memcmp(&a->address, &b->address, sizeof(a->address));
	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int
compare_all(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int order = compare(a, b);

	if (order == 0)
		order = (a->verdict > b->verdict) - (a->verdict < b->verdict);
	return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

void
prefix_list_sort(struct prefix_list *list)
{
	if (list->count > 1)
		qsort(list->prefixes, list->count, sizeof(*list->prefixes), compare_all);
}

bool
prefix_is_equal(const struct prefix *a, const struct prefix *b)
{
	return compare(a, b) == 0;
}

/* The address without the bits behind length. */
static union ip_addr
cut(const union ip_addr *address, unsigned length)
{
	const uint64_t first = length == 0    ? 0
			       : length >= 64 ? UINT64_MAX
					      : UINT64_MAX << (64 - length);
	const uint64_t second = length <= 64 ? 0 : UINT64_MAX << (128 - length);

	return (union ip_addr){.halves_be = {address->halves_be[0] & htobe64(first),
					       address->halves_be[1] & htobe64(second)}};
}

bool
prefix_covers(const struct prefix *shorter, const struct prefix *other)
{
	const union ip_addr begin = cut(&other->address, shorter->length);

	return shorter->family == other->family && shorter->length <= other->length &&
	       ip_addr_is_equal(&begin, &shorter->address);
}

const struct prefix *
prefix_list_find(const struct prefix_list *list, const union ip_addr *address, enum family family)
{
	const int least = family == FAMILY_IP4 ? EXEMPT_IP4_BITS : 0;

	for (int length = 128; list->count > 0 && length >= least; length--) {
		uint32_t from = 0, to = list->count;
		const struct prefix wanted = {.address = cut(address, (unsigned)length),
				.length = (uint8_t)length,
				.family = (uint8_t)family};

		while (from < to) {
			const uint32_t middle = from + (to - from) / 2;
			const int order = compare(&list->prefixes[middle], &wanted);

			if (order == 0)
				return &list->prefixes[middle];
			if (order < 0)
				from = middle + 1;
			else
				to = middle;
		}
	}
	return NULL;
}

void
prefix_list_seal(struct prefix_list *list)
{
	memset(list->counts, 0, sizeof(list->counts));
	for (uint32_t i = 0; i < list->count; i++) {
		const struct prefix *prefix = &list->prefixes[i];

		list->counts[prefix->family == FAMILY_IP6][prefix->verdict == SOURCE_ALLOWED]++;
	}
}

uint32_t
prefix_list_count(const struct prefix_list *list, enum family family, enum source_verdict verdict)
{
	return list != NULL ? list->counts[family == FAMILY_IP6][verdict == SOURCE_ALLOWED] : 0;
}

bool
prefix_list_is_equal(const struct prefix_list *a, const struct prefix_list *b)
{
	if (a == NULL || b == NULL)
		return (a == NULL || a->count == 0) && (b == NULL || b->count == 0);
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (compare(&a->prefixes[i], &b->prefixes[i]) != 0 ||
				a->prefixes[i].verdict != b->prefixes[i].verdict)
			return false;
	return true;
}

void
prefix_write(const struct prefix *prefix, char text[PREFIX_TEXT_BYTES])
{
	const bool is_ip4 = prefix->family == FAMILY_IP4;
	char address[INET6_ADDRSTRLEN];

	inet_ntop(is_ip4 ? AF_INET : AF_INET6, prefix->address.bytes + (is_ip4 ? 12 : 0), address,
			sizeof(address));
	snprintf(text, PREFIX_TEXT_BYTES, "%s/%u", address,
			prefix->length - (is_ip4 ? EXEMPT_IP4_BITS : 0u));
}
