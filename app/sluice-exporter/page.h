/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of page/, embedded by embed.py. */
#ifndef SLUICE_EXPORTER_PAGE_H
#define SLUICE_EXPORTER_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path; /**< as asked for */
	const char *type; /**< of its content */
	const unsigned char *bytes;
	size_t length;
};

extern const struct page_file page_files[];
extern const unsigned page_file_count;

#endif
