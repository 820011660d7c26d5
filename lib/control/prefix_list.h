/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prefixes of the operator's lists as one sorted array: what look-up tables are built from, and
 * what tells an operator which line decides about an address. Control thread only.
 */
#ifndef SLUICE_CONTROL_PREFIX_LIST_H
#define SLUICE_CONTROL_PREFIX_LIST_H

#include "table/source_lists.h"

#define PREFIX_LIST_MAX 1000000 /**< prefixes of both files */

struct prefix {
	union ip_addr address; /**< bits behind the length are 0 */
	uint32_t line;	       /**< of its file */
	uint8_t length;	       /**< of 128 bits: IPv4 /24 is 120 */
	uint8_t family;	       /**< enum family */
	uint8_t verdict;       /**< SOURCE_DENIED or SOURCE_ALLOWED: which file it is from */
};

struct prefix_list {
	uint32_t count;
	uint32_t room;
	uint32_t counts[2][2];	 /**< prefix_list_count()'s, from prefix_list_seal() on */
	struct prefix *prefixes; /**< by family, address, length, verdict, line */
};

/** An empty one. */
struct prefix_list *prefix_list_new(void);

/** NULL is none. */
void prefix_list_free(struct prefix_list *list);

/** Appends a copy; prefix_list_sort() has to follow. */
void prefix_list_add(struct prefix_list *list, const struct prefix *prefix);

void prefix_list_sort(struct prefix_list *list);

/** True for the same prefix, whatever its verdict. */
bool prefix_is_equal(const struct prefix *a, const struct prefix *b);

/** True when the shorter prefix, or the same, has the other in it. */
bool prefix_covers(const struct prefix *shorter, const struct prefix *other);

/** Of a sorted list, the longest prefix that has the address; NULL: none. O(length x log count). */
const struct prefix *prefix_list_find(
		const struct prefix_list *list, const union ip_addr *address, enum family family);

/** Counts what is in the list; to be called when it is complete. */
void prefix_list_seal(struct prefix_list *list);

/** Prefixes of that family, SOURCE_DENIED or SOURCE_ALLOWED. NULL is an empty list. */
uint32_t prefix_list_count(
		const struct prefix_list *list, enum family family, enum source_verdict verdict);

/** True when both decide the same about every address; their lines may differ. NULL is an empty
 * one. */
bool prefix_list_is_equal(const struct prefix_list *a, const struct prefix_list *b);

/** "10.0.0.0/8" into text. */
#define PREFIX_TEXT_BYTES 50
void prefix_write(const struct prefix *prefix, char text[PREFIX_TEXT_BYTES]);

#endif
