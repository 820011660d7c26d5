/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows in aligned columns. Rows are printed page by page: columns never become narrower, so a
 * listing that arrives in pages needs no more memory than one of them.
 */
#ifndef SLUICECTL_TABLE_H
#define SLUICECTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

enum table_align {
	TABLE_LEFT,
	TABLE_RIGHT,
	TABLE_MARKED, /**< right, with one more place for a mark */
};

struct table_column {
	const char *title;
	enum table_align align;
};

struct table {
	const struct table_column *columns;
	unsigned column_count;
	bool has_colour; /**< marked cells are red */
	bool has_titles; /**< already printed */
	size_t widths[TABLE_COLUMNS_MAX];
	size_t cell_count; /**< in the rows that are not printed yet */
	size_t room;
	struct table_cell *cells;
};

struct table_cell {
	char *text;
	bool marked;
};

void table_init(struct table *table, const struct table_column *columns, unsigned count,
		bool has_colour);
void table_fini(struct table *table);

/** Adds a copy of text, cleaned, as the next cell; rows are as long as there are columns. */
void table_add(struct table *table, const char *text);

/** The same, followed by "!" and red if it is marked. */
void table_add_marked(struct table *table, const char *text, bool marked);

/** The same from a format. */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Prints titles, unless that was done, and all rows added since. */
void table_print(struct table *table, FILE *out);

#endif
