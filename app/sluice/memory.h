/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large zeroed memory on a NUMA node, for tables. Not from EAL: a table may be larger than the
 * memory EAL was given for packets, and needs no physical address.
 */
#ifndef SLUICE_APP_MEMORY_H
#define SLUICE_APP_MEMORY_H

#include <stddef.h>

/** size bytes, page aligned, all of them backed by memory now; NULL when there isn't as much. */
void *memory_alloc(size_t size, int node);

void memory_free(void *memory, size_t size);

#endif
