/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Look-up tables of the operator's lists (control/prefix_list.h), in DPDK's memory: rte_fib's
 * DIR-24-8 for IPv4, rte_lpm6 for IPv6 and for very many IPv4 hosts. They are sized by what is in
 * the list; a family without prefixes takes none. Built and ended by the control thread, while
 * others serve.
 *
 * rte_fib6 would be the sibling, but counts the tables that a prefix may need without those it
 * shares with its neighbours; rte_lpm looks for each prefix among all of its length.
 */
#ifndef SLUICE_APP_LISTS_H
#define SLUICE_APP_LISTS_H

#include "control/prefix_list.h"

/** Bytes of DPDK's memory that tables of the list take, about. NULL: 0. */
size_t lists_memsize(const struct prefix_list *list);

/** Tables of a sorted list, held once. While EAL is up. NULL with what is wrong in message. */
struct source_lists *lists_make(const struct prefix_list *list, char *message, size_t size);

#endif
