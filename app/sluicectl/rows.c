/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ss syn-recv, ss established and profile: listings that the appliance gives out in pages. Each
 * page is printed before the next is asked for. A page may be empty and still have one behind it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "command.h"
#include "field.h"
#include "session.h"
#include "table.h"
#include "text.h"

#define PAGE_ROWS 128 /* as many as the appliance gives at once */

/* How a member is written. */
enum kind { KIND_PLAIN, KIND_MS };

struct row_column {
	const char *key;
	enum kind kind;
};

static const struct table_column syn_recv_titles[] = {
		{"State", TABLE_LEFT},
		{"Client-Address:Port", TABLE_LEFT},
		{"Local-Address:Port", TABLE_LEFT},
		{"Backend", TABLE_LEFT},
		{"Age", TABLE_RIGHT},
		{"Timer", TABLE_RIGHT},
		{"Repeats", TABLE_RIGHT},
		{"Acked", TABLE_LEFT},
		{"MSS", TABLE_RIGHT},
		{"WScale", TABLE_RIGHT},
		{"SACK", TABLE_LEFT},
		{"TS", TABLE_LEFT},
		{"VLAN", TABLE_RIGHT},
		{"Worker", TABLE_RIGHT},
};

static const struct row_column syn_recv_keys[] = {
		{"state", KIND_PLAIN},
		{"client", KIND_PLAIN},
		{"local", KIND_PLAIN},
		{"backend", KIND_PLAIN},
		{"age_ms", KIND_MS},
		{"due_ms", KIND_MS},
		{"repeats", KIND_PLAIN},
		{"acked", KIND_PLAIN},
		{"mss", KIND_PLAIN},
		{"wscale", KIND_PLAIN},
		{"sack", KIND_PLAIN},
		{"timestamps", KIND_PLAIN},
		{"vlan", KIND_PLAIN},
		{"worker", KIND_PLAIN},
};
static_assert(ARRAY_COUNT(syn_recv_keys) == ARRAY_COUNT(syn_recv_titles), "a key per title");

static const struct table_column established_titles[] = {
		{"State", TABLE_LEFT},
		{"Client-Address:Port", TABLE_LEFT},
		{"Local-Address:Port", TABLE_LEFT},
		{"Backend", TABLE_LEFT},
		{"Age", TABLE_RIGHT},
		{"Timer", TABLE_RIGHT},
		{"Repeats", TABLE_RIGHT},
		{"VLAN", TABLE_RIGHT},
		{"Worker", TABLE_RIGHT},
};

static const struct row_column established_keys[] = {
		{"state", KIND_PLAIN},
		{"client", KIND_PLAIN},
		{"local", KIND_PLAIN},
		{"backend", KIND_PLAIN},
		{"age_ms", KIND_MS},
		{"due_ms", KIND_MS},
		{"repeats", KIND_PLAIN},
		{"vlan", KIND_PLAIN},
		{"worker", KIND_PLAIN},
};
static_assert(ARRAY_COUNT(established_keys) == ARRAY_COUNT(established_titles), "a key per title");

static const struct table_column profile_titles[] = {
		{"Backend", TABLE_LEFT},
		{"Worker", TABLE_RIGHT},
		{"Profile", TABLE_LEFT},
		{"MSS", TABLE_RIGHT},
		{"WScale", TABLE_RIGHT},
		{"SACK", TABLE_LEFT},
		{"TS", TABLE_LEFT},
		{"ECN", TABLE_LEFT},
		{"Window", TABLE_RIGHT},
		{"Learned-Ago", TABLE_RIGHT},
		{"Refused-Ago", TABLE_RIGHT},
		{"Drift", TABLE_RIGHT},
		{"Source", TABLE_LEFT},
		{"Probed-Ago", TABLE_RIGHT},
		{"Answers", TABLE_RIGHT},
		{"Failures", TABLE_RIGHT},
};

static const struct row_column profile_keys[] = {
		{"backend", KIND_PLAIN},
		{"worker", KIND_PLAIN},
		{"profile", KIND_PLAIN},
		{"mss", KIND_PLAIN},
		{"wscale", KIND_PLAIN},
		{"sack", KIND_PLAIN},
		{"timestamps", KIND_PLAIN},
		{"ecn", KIND_PLAIN},
		{"window", KIND_PLAIN},
		{"learned_ago_ms", KIND_MS},
		{"refused_ago_ms", KIND_MS},
		{"drift", KIND_PLAIN},
		{"source", KIND_PLAIN},
		{"probed_ago_ms", KIND_MS},
		{"probe_answers", KIND_PLAIN},
		{"probe_failures", KIND_PLAIN},
};
static_assert(ARRAY_COUNT(profile_keys) == ARRAY_COUNT(profile_titles), "a key per title");

/* One of the listings under way. */
struct rows {
	const char *command;
	const struct row_column *keys;
	struct table table;
	bool is_json;
	bool has_begun;	 /* JSON: something was printed */
	uint64_t wanted; /* rows still to print */
	json_t *cursor;	 /* of the next page; NULL: the first */
};

static void
row_add(struct rows *rows, const json_t *row)
{
	for (unsigned i = 0; i < rows->table.column_count; i++) {
		const json_t *value = json_object_get(row, rows->keys[i].key);
		char text[FIELD_BYTES];

		if (rows->keys[i].kind == KIND_MS)
			field_render_ms(value, text, sizeof(text));
		else
			field_render(value, text, sizeof(text));
		table_add(&rows->table, text);
	}
}

/* One array on one line, row by row: a million of them need the memory of a page. */
static void
json_row_print(struct rows *rows, const json_t *row)
{
	fputs(rows->has_begun ? "," : "[", stdout);
	session_write_json(row);
	rows->has_begun = true;
}

static void
page_print(struct rows *rows, const json_t *page)
{
	const json_t *array = json_object_get(page, "rows");
	const json_t *row;
	size_t i;

	json_array_foreach(array, i, row)
	{
		if (rows->wanted == 0)
			break;
		rows->wanted--;
		if (rows->is_json)
			json_row_print(rows, row);
		else
			row_add(rows, row);
	}
	if (!rows->is_json)
		table_print(&rows->table, stdout);
}

static json_t *
page_request(const struct session *session, const struct rows *rows)
{
	static const enum option_id filters[] = {OPTION_BACKEND, OPTION_CLIENT, OPTION_STATE};
	json_t *request = session_request(rows->command);

	for (size_t i = 0; i < ARRAY_COUNT(filters); i++) {
		const char *value = session->options->values[filters[i]];

		if (value != NULL)
			session_put(request, option_specs()[filters[i]].name, value);
	}
	if (session->options->count > 0)
		session_put(request, "backend", session->options->arguments[0]);
	json_object_set_new(request, "limit",
			json_integer(rows->wanted < PAGE_ROWS ? (json_int_t)rows->wanted
							      : PAGE_ROWS));
	if (rows->cursor != NULL)
		json_object_set(request, "cursor", rows->cursor);
	return request;
}

/* Takes the cursor of the page; false when it leads nowhere. */
static bool
cursor_take(struct rows *rows, const json_t *page)
{
	json_t *cursor = json_object_get(page, "cursor");
	const bool is_empty = json_array_size(json_object_get(page, "rows")) == 0;

	if (is_empty && json_is_string(cursor) && json_equal(cursor, rows->cursor))
		return false;
	json_decref(rows->cursor);
	rows->cursor = json_is_string(cursor) ? json_incref(cursor) : NULL;
	return true;
}

static enum status
pages_print(struct session *session, struct rows *rows)
{
	do {
		json_t *page = session_ask_for(session, page_request(session, rows), JSON_OBJECT);
		bool goes_on;

		if (page == NULL)
			return STATUS_REFUSED;
		page_print(rows, page);
		session->json_end = rows->has_begun ? "]\n" : NULL;
		goes_on = cursor_take(rows, page);
		json_decref(page);
		if (!goes_on)
			return session_fail(session, STATUS_REFUSED, NULL,
					"the appliance gives the same page again and again");
	} while (rows->cursor != NULL && rows->wanted > 0);
	if (rows->is_json)
		puts(rows->has_begun ? "]" : "[]");
	return STATUS_OK;
}

static enum status
rows_run(struct session *session, const char *command, const struct table_column *titles,
		const struct row_column *keys, unsigned columns)
{
	const struct options *options = session->options;
	struct rows rows = {
			.command = command,
			.keys = keys,
			.is_json = session_is_json(session),
			.wanted = options_has(options, OPTION_LIMIT)
						  ? (uint64_t)options->numbers[OPTION_LIMIT]
						  : UINT64_MAX,
	};
	enum status status;

	table_init(&rows.table, titles, columns, false);
	status = pages_print(session, &rows);
	table_fini(&rows.table);
	json_decref(rows.cursor);
	return status;
}

enum status
rows_syn_recv_run(struct session *session)
{
	return rows_run(session, "syn-recv", syn_recv_titles, syn_recv_keys,
			ARRAY_COUNT(syn_recv_titles));
}

enum status
rows_established_run(struct session *session)
{
	return rows_run(session, "established", established_titles, established_keys,
			ARRAY_COUNT(established_titles));
}

enum status
rows_profile_run(struct session *session)
{
	return rows_run(session, "profile", profile_titles, profile_keys,
			ARRAY_COUNT(profile_titles));
}
