/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ss, without a sub-command. A queue that stops growing looks like clients being dropped, also
 * where cookies answer them: the notes below the table say which of the two it is.
 */
#include "listing.h"

#include <string.h>

#include "base/base.h"
#include "command.h"
#include "field.h"
#include "session.h"
#include "table.h"
#include "text.h"

#define NAMES_MAX 5 /* of backends in one note; the rest is counted */

static const struct table_column columns[] = {
		{"State", TABLE_LEFT},
		{"Recv-Q", TABLE_MARKED},
		{"Send-Q", TABLE_RIGHT},
		{"Local-Address:Port", TABLE_LEFT},
		{"Backend", TABLE_LEFT},
		{"SYN-RECV", TABLE_MARKED},
		{"Max", TABLE_RIGHT},
		{"Mode", TABLE_LEFT},
		{"Estab", TABLE_RIGHT},
};

bool
listing_accept_is_full(const json_t *backend)
{
	return field_count(backend, "recv_q") > field_count(backend, "send_q");
}

bool
listing_syn_is_full(const json_t *backend)
{
	const int64_t most = field_count(backend, "syn_recv_max");

	return most > 0 && field_count(backend, "syn_recv") >= most;
}

/* An appliance that doesn't say protects. */
static const char *
listing_protection(const json_t *backend)
{
	const char *protection = json_string_value(json_object_get(backend, "protection"));

	return protection != NULL ? protection : "protect";
}

const char *
listing_mode(const json_t *backend)
{
	return strcmp(listing_protection(backend), "protect") == 0 ? field_text(backend, "mode")
								   : listing_protection(backend);
}

static bool
is_draining(const json_t *backend)
{
	return strcmp(field_text(backend, "state"), "DRAIN") == 0;
}

static bool
is_monitored(const json_t *backend)
{
	return strcmp(listing_protection(backend), "monitor") == 0;
}

static bool
is_off(const json_t *backend)
{
	return strcmp(listing_protection(backend), "off") == 0;
}

/* Takes clients into its queues, or would. */
static bool
is_serving(const json_t *backend)
{
	return !is_draining(backend) && !is_off(backend);
}

static bool
sends_cookies(const json_t *backend)
{
	return strcmp(field_text(backend, "mode"), "cookie") == 0;
}

/* What each note is true of; a backend with a full accept queue drops SYNs whatever its mode. */
static bool
drains(const json_t *backend)
{
	return is_draining(backend);
}

static bool
accept_overflows(const json_t *backend)
{
	return is_serving(backend) && listing_accept_is_full(backend);
}

static bool
cookies_answer(const json_t *backend)
{
	return is_serving(backend) && !listing_accept_is_full(backend) &&
	       field_count(backend, "tcp_syncookies") == 1 && listing_syn_is_full(backend);
}

static bool
cookies_linger(const json_t *backend)
{
	return is_serving(backend) && !listing_accept_is_full(backend) &&
	       field_count(backend, "tcp_syncookies") == 1 && sends_cookies(backend) &&
	       !listing_syn_is_full(backend);
}

static bool
cookies_always(const json_t *backend)
{
	return is_serving(backend) && !listing_accept_is_full(backend) &&
	       field_count(backend, "tcp_syncookies") == 2;
}

static bool
syn_drops(const json_t *backend)
{
	return is_serving(backend) && field_count(backend, "tcp_syncookies") == 0 &&
	       listing_syn_is_full(backend);
}

static bool
syn_reserves(const json_t *backend)
{
	const int64_t most = field_count(backend, "syn_recv_unproven_max");

	return is_serving(backend) && field_count(backend, "tcp_syncookies") == 0 && most > 0 &&
	       field_count(backend, "syn_recv") >= most && !listing_syn_is_full(backend);
}

static const struct note {
	bool (*is_true)(const json_t *backend);
	const char *text;
} notes[] = {
		{is_monitored, "mode is monitor; everything passes, and all this is counted as if "
			       "it "
			       "were protected"},
		{is_off, "mode is off; everything passes, and nothing is counted"},
		{accept_overflows,
				"accept queue full; clients wait or are refused until the backend "
				"takes connections, see: sluicectl doctor"},
		{syn_drops, "syn queue full and tcp_syncookies 0; further SYNs are dropped"},
		{syn_reserves, "tcp_syncookies 0 keeps the rest of the syn queue for proven "
			       "clients; "
			       "SYNs of others are dropped"},
		{cookies_answer, "syn queue full; further SYNs are answered with cookies, none is "
				 "dropped"},
		{cookies_linger, "syn queue was full a moment ago; SYNs are answered with cookies, "
				 "none "
				 "is dropped"},
		{cookies_always, "every SYN is answered with a cookie (tcp_syncookies 2) and none "
				 "is "
				 "queued or dropped"},
		{drains, "removed from the configuration; takes no new connections, old ones go "
			 "on"},
};

/* Only a draining backend has a deadline, and only one note. */
static void
drain_left_print(FILE *out, const json_t *backend)
{
	char left[TEXT_BYTES];

	if (!json_is_number(json_object_get(backend, "drain_left_s")))
		return;
	text_duration(left, field_number(backend, "drain_left_s"));
	fprintf(out, " (%s left)", left);
}

static void
note_print(FILE *out, const struct note *note, const json_t *backends)
{
	unsigned count = 0;
	const json_t *backend;
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		if (!note->is_true(backend))
			continue;
		if (count < NAMES_MAX) {
			fputs(count > 0 ? ", " : "", out);
			text_print(out, field_text(backend, "backend"));
			drain_left_print(out, backend);
		}
		count++;
	}
	if (count > NAMES_MAX)
		fprintf(out, " and %u more", count - NAMES_MAX);
	if (count > 0)
		fprintf(out, ": %s\n", note->text);
}

void
listing_print_notes(FILE *out, const json_t *backends)
{
	for (size_t i = 0; i < ARRAY_COUNT(notes); i++)
		note_print(out, &notes[i], backends);
}

static void
row_add(struct table *table, const json_t *backend)
{
	char text[FIELD_BYTES];

	table_add(table, field_text(backend, "state"));
	field_render(json_object_get(backend, "recv_q"), text, sizeof(text));
	table_add_marked(table, text, listing_accept_is_full(backend));
	field_render(json_object_get(backend, "send_q"), text, sizeof(text));
	table_add(table, text);
	table_add(table, field_text(backend, "local"));
	table_add(table, field_text(backend, "backend"));
	field_render(json_object_get(backend, "syn_recv"), text, sizeof(text));
	table_add_marked(table, text, listing_syn_is_full(backend));
	field_render(json_object_get(backend, "syn_recv_max"), text, sizeof(text));
	table_add(table, text);
	table_add(table, listing_mode(backend));
	field_render(json_object_get(backend, "established"), text, sizeof(text));
	table_add(table, text);
}

static void
listing_print(const json_t *backends)
{
	struct table table;
	const json_t *backend;
	size_t i;

	table_init(&table, columns, ARRAY_COUNT(columns), text_has_colour(stdout));
	json_array_foreach(backends, i, backend)
	{
		row_add(&table, backend);
	}
	table_print(&table, stdout);
	table_fini(&table);
	listing_print_notes(stdout, backends);
}

enum status
listing_run(struct session *session)
{
	json_t *request = session_request("ss");
	json_t *backends;

	if (options_has(session->options, OPTION_BACKEND))
		session_put(request, "backend", session->options->values[OPTION_BACKEND]);
	backends = session_ask_for(session, request, JSON_ARRAY);
	if (backends == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session))
		session_print_json(backends);
	else
		listing_print(backends);
	json_decref(backends);
	return STATUS_OK;
}
