/* SPDX-License-Identifier: BSD-3-Clause */
/* Widths are counted in characters; colour comes around a cell, never into it. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "text.h"

#define GAP 2 /* spaces between columns */

void
table_init(struct table *table, const struct table_column *columns, unsigned count, bool has_colour)
{
	ENSURE(count <= TABLE_COLUMNS_MAX);
	*table = (struct table){
			.columns = columns, .column_count = count, .has_colour = has_colour};
	for (unsigned i = 0; i < count; i++)
		table->widths[i] = text_width(columns[i].title);
}

static void
rows_free(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	table->cell_count = 0;
}

void
table_fini(struct table *table)
{
	rows_free(table);
	free(table->cells);
	table->cells = NULL;
	table->room = 0;
}

void
table_add_marked(struct table *table, const char *text, bool marked)
{
	const unsigned column = (unsigned)(table->cell_count % table->column_count);
	struct table_cell cell = {text_clean(text), marked};
	const bool has_place = table->columns[column].align == TABLE_MARKED;
	const size_t width = text_width(cell.text) + (marked && !has_place ? 1 : 0);

	if (table->cell_count == table->room) {
		table->room = table->room == 0 ? 64 : 2 * table->room;
		table->cells = reallocarray(table->cells, table->room, sizeof(*table->cells));
		ENSURE(table->cells != NULL);
	}
	table->cells[table->cell_count++] = cell;
	if (width > table->widths[column])
		table->widths[column] = width;
}

void
table_add(struct table *table, const char *text)
{
	table_add_marked(table, text, false);
}

void
table_addf(struct table *table, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	table_add(table, text);
}

/* Spaces that are owed are only written before something else, so no line ends with one. */
static void
spaces_write(FILE *out, size_t *owed)
{
	fprintf(out, "%*s", (int)*owed, "");
	*owed = 0;
}

static void
cell_print(const struct table *table, unsigned column, const struct table_cell *cell, FILE *out,
		size_t *owed)
{
	const enum table_align align = table->columns[column].align;
	const size_t mark = cell->marked && align != TABLE_MARKED ? 1 : 0;
	const size_t padding = table->widths[column] - text_width(cell->text) - mark;
	const bool is_red = cell->marked && table->has_colour;

	if (align != TABLE_LEFT)
		*owed += padding;
	spaces_write(out, owed);
	fprintf(out, "%s%s%s%s", is_red ? TEXT_RED : "", cell->text, cell->marked ? "!" : "",
			is_red ? TEXT_PLAIN : "");
	if (align == TABLE_LEFT)
		*owed += padding;
	if (align == TABLE_MARKED && !cell->marked)
		*owed += 1;
	*owed += GAP;
}

void
table_print(struct table *table, FILE *out)
{
	size_t owed = 0;

	ENSURE(table->cell_count % table->column_count == 0);
	for (unsigned i = 0; i < table->column_count && !table->has_titles; i++) {
		const struct table_cell title = {(char *)table->columns[i].title, false};

		cell_print(table, i, &title, out, &owed);
		if (i + 1 == table->column_count)
			fputc('\n', out);
	}
	table->has_titles = true;
	for (size_t i = 0; i < table->cell_count; i++) {
		const unsigned column = (unsigned)(i % table->column_count);

		if (column == 0)
			owed = 0;
		cell_print(table, column, &table->cells[i], out, &owed);
		if (column + 1 == table->column_count)
			fputc('\n', out);
	}
	rows_free(table);
}
