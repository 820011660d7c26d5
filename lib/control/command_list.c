/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syn-recv, established and profile: one page of rows per request, gathered by letters to one
 * worker after the other. A letter can only pick a backend; the other filters are applied here, so
 * a page may take many letters. Their number is bounded: then the page is short, and the cursor
 * goes on.
 *
 * A cursor is "WORKER:HANDLE", the handle being the worker's own.
 */
#include <stdio.h>
#include <string.h>

#include "control/command_request.h"
#include "control/command_text.h"

#define LETTERS_MAX 64

struct listing {
	enum inspect_kind kind;
	uint32_t slot; /* or INSPECT_SLOT_ANY */
	bool has_client;
	struct endpoint client;
	const char *state; /* NULL: any */
	unsigned limit;
	/* Where it goes on. */
	unsigned worker;
	uint32_t cursor;
	json_t *rows;
};

static bool
read_cursor(struct request *request, struct listing *listing)
{
	const char *text;
	char rest;

	if (!request_string(request, "cursor", false, &text))
		return false;
	if (text == NULL)
		return true;
	if (strlen(text) <= 15 && strspn(text, "0123456789:") == strlen(text) &&
			sscanf(text, "%u:%u%c", &listing->worker, &listing->cursor, &rest) == 2 &&
			listing->worker < request->env->registry->env.worker_count)
		return true;
	request_refuse(request, "\"cursor\" must be null or the cursor of the reply before");
	return false;
}

static bool
read_client(struct request *request, struct listing *listing)
{
	const char *text;

	if (!request_string(request, "client", false, &text))
		return false;
	if (text == NULL)
		return true;
	listing->has_client = true;
	if (endpoint_parse(text, &listing->client))
		return true;
	request_refuse(request,
			"\"client\" must be an address, or address and port (10.0.0.1:40000, "
			"[fd00::1]:40000), not \"%.48s\"",
			text);
	return false;
}

static bool
read_listing(struct request *request, struct listing *listing)
{
	json_int_t limit;
	struct slot *slot;

	if (!request_backend(request, false, &slot) || !read_client(request, listing) ||
			!request_string(request, "state", false, &listing->state) ||
			!request_integer(request, "limit", 1, INSPECT_ROWS, INSPECT_ROWS, &limit) ||
			!read_cursor(request, listing))
		return false;
	listing->slot = slot != NULL ? registry_slot(request->env->registry, slot)
				     : INSPECT_SLOT_ANY;
	listing->limit = (unsigned)limit;
	return true;
}

static bool
is_wanted(const struct listing *listing, const struct inspect_row *row)
{
	if (listing->has_client &&
			(!ip_addr_is_equal(&row->tuple.client, &listing->client.address) ||
					(listing->client.port != 0 &&
							listing->client.port !=
									row->tuple.client_port)))
		return false;
	return listing->state == NULL || strcmp(listing->state, row->state) == 0;
}

/* A row of the reply; NULL for one that is not wanted, or when out of memory. */
static json_t *
read_row(const struct request *request, const struct listing *listing, const struct inspect *letter,
		unsigned index, bool *wanted)
{
	*wanted = true;
	if (letter->kind == INSPECT_PROFILES)
		return profile_json(request, &letter->profiles[index], listing->worker);
	*wanted = is_wanted(listing, &letter->rows[index]);
	return *wanted ? row_json(request, &letter->rows[index], listing->worker) : NULL;
}

/* One letter's worth of rows. False: refused, or out of memory. */
static bool
read_letter(struct request *request, struct listing *listing)
{
	const struct registry *registry = request->env->registry;
	struct inspect letter = {
			.kind = listing->kind,
			.slot = listing->slot,
			.limit = listing->limit - (unsigned)json_array_size(listing->rows),
			.cursor = listing->cursor,
	};

	if (!registry->env.ask(registry->env.context, listing->worker, &letter)) {
		request_refuse(request, "worker %u did not answer in time", listing->worker);
		return false;
	}
	for (unsigned i = 0; i < letter.count && i < letter.limit; i++) {
		bool wanted;
		json_t *row = read_row(request, listing, &letter, i, &wanted);

		if (wanted && json_array_append_new(listing->rows, row) != 0)
			return false;
	}
	listing->cursor = letter.more ? letter.cursor : 0;
	listing->worker += !letter.more;
	return true;
}

static json_t *
list(struct request *request, enum inspect_kind kind)
{
	const unsigned workers = request->env->registry->env.worker_count;
	struct listing listing = {.kind = kind};
	json_t *cursor;

	if (!read_listing(request, &listing))
		return NULL;
	listing.rows = json_array();
	for (unsigned i = 0; i < LETTERS_MAX && listing.worker < workers &&
			     json_array_size(listing.rows) < listing.limit;
			i++) {
		if (!read_letter(request, &listing)) {
			json_decref(listing.rows);
			return NULL;
		}
	}
	cursor = listing.worker < workers ? json_sprintf("%u:%u", listing.worker, listing.cursor)
					  : json_null();
	return json_pack("{s:o, s:o}", "rows", listing.rows, "cursor", cursor);
}

json_t *
command_syn_recv(struct request *request)
{
	return list(request, INSPECT_SYN_QUEUE);
}

json_t *
command_established(struct request *request)
{
	return list(request, INSPECT_CONNECTIONS);
}

json_t *
command_profile(struct request *request)
{
	return list(request, INSPECT_PROFILES);
}
