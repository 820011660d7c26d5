/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A block of memory that ends exactly where a page begins that nobody may touch: one byte read
 * or written behind the block ends the program, also where no sanitizer knows the block's size.
 */
#ifndef SLUICE_TESTS_GUARD_PAGE_H
#define SLUICE_TESTS_GUARD_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded_block {
	uint8_t *bytes; /**< size bytes, zero at first */
	size_t size;
	uint8_t *pages;
	size_t pages_size;
};

static inline struct guarded_block
guarded_block_map(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (size + page - 1) / page * page;
	struct guarded_block block = {.size = size, .pages_size = room + page};

	block.pages = mmap(NULL, block.pages_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block.pages == MAP_FAILED || mprotect(block.pages + room, page, PROT_NONE) != 0)
		abort();
	block.bytes = block.pages + room - size;
	return block;
}

static inline void
guarded_block_unmap(struct guarded_block *block)
{
	munmap(block->pages, block->pages_size);
}

#endif
