/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transparent huge pages where the kernel grants them (madvise), and every page touched at
 * start: a page fault in the packet path would cost more than a thousand packets.
 */
#include "memory.h"

#include <numa.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t
page_align(size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

void *
memory_alloc(size_t size, int node)
{
	const size_t whole = page_align(size);
	void *memory = mmap(
			NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (numa_available() >= 0)
		numa_tonode_memory(memory, whole, node);
	madvise(memory, whole, MADV_HUGEPAGE);
	if (madvise(memory, whole, MADV_POPULATE_WRITE) != 0) {
		munmap(memory, whole);
		return NULL;
	}
	return memory;
}

void
memory_free(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, page_align(size));
}
