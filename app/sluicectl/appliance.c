/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands about the appliance as a whole: ping, lists and stats. */
#include <stdlib.h>

#include "base/base.h"
#include "command.h"
#include "field.h"
#include "session.h"
#include "table.h"
#include "text.h"

static void
reload_print(const json_t *reload)
{
	char ago[TEXT_BYTES];

	if (!json_is_object(reload)) {
		puts("not reloaded since its start");
		return;
	}
	text_duration(ago, field_number(reload, "ago_s"));
	if (json_is_true(json_object_get(reload, "accepted"))) {
		printf("last reload %s ago: accepted\n", ago);
		return;
	}
	printf("last reload %s ago: refused, %lld errors, the first: ", ago,
			(long long)field_count(reload, "errors"));
	text_print(stdout, field_text(reload, "first_error"));
	fputc('\n', stdout);
}

static void
ping_print(const json_t *ping)
{
	char uptime[TEXT_BYTES];

	text_duration(uptime, field_number(ping, "uptime_s"));
	fputs("sluice ", stdout);
	text_print(stdout, field_text(ping, "sluice"));
	printf(", process %lld, up %s\n", (long long)field_count(ping, "pid"), uptime);
	printf("configuration %lld of ", (long long)field_count(ping, "config_generation"));
	text_print(stdout, field_text(ping, "config"));
	printf(", generation %lld\n", (long long)field_count(ping, "generation"));
	reload_print(json_object_get(ping, "last_reload"));
}

enum status
appliance_ping_run(struct session *session)
{
	json_t *ping = session_ask_for(session, session_request("ping"), JSON_OBJECT);

	if (ping == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session))
		session_print_json(ping);
	else
		ping_print(ping);
	json_decref(ping);
	return STATUS_OK;
}

static void
list_add(struct table *table, const json_t *sources, const char *name)
{
	const json_t *list = json_object_get(sources, name);
	const char *file = json_string_value(json_object_get(list, "file"));

	table_add(table, name);
	table_addf(table, "%lld", (long long)field_count(list, "ipv4"));
	table_addf(table, "%lld", (long long)field_count(list, "ipv6"));
	table_add(table, file != NULL ? file : "-");
}

static void
lists_print(const json_t *ping, bool has_colour)
{
	static const struct table_column columns[] = {{"List", TABLE_LEFT}, {"IPv4", TABLE_RIGHT},
			{"IPv6", TABLE_RIGHT}, {"File", TABLE_LEFT}};
	const json_t *sources = json_object_get(ping, "sources");
	struct table table;
	char ago[TEXT_BYTES];

	table_init(&table, columns, ARRAY_COUNT(columns), has_colour);
	list_add(&table, sources, "deny");
	list_add(&table, sources, "allow");
	table_print(&table, stdout);
	table_fini(&table);
	text_duration(ago, field_number(sources, "read_ago_s"));
	printf("read %s ago, with configuration %lld\n", ago,
			(long long)field_count(ping, "config_generation"));
	if (field_count(sources, "syn_per_s") == 0)
		puts("SYNs are not limited");
	else
		printf("at most %lld SYNs per second of one network (IPv4 /%lld, IPv6 /%lld), %lld "
		       "at once\n",
				(long long)field_count(sources, "syn_per_s"),
				(long long)field_count(sources, "prefix"),
				(long long)field_count(sources, "prefix6"),
				(long long)field_count(sources, "syn_burst"));
}

enum status
appliance_lists_run(struct session *session)
{
	json_t *ping = session_ask_for(session, session_request("ping"), JSON_OBJECT);

	if (ping == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session))
		session_print_json(json_object_get(ping, "sources"));
	else
		lists_print(ping, text_has_colour(stdout));
	json_decref(ping);
	return STATUS_OK;
}

enum status
appliance_stats_run(struct session *session)
{
	json_t *stats = session_ask_for(session, session_request("stats"), JSON_OBJECT);
	char *text;

	if (stats == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session)) {
		session_print_json(stats);
	} else {
		/* All but the line ends, which are ours, is free of control characters but DEL. */
		text = json_dumps(stats, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		ENSURE(text != NULL);
		puts(text);
		free(text);
	}
	json_decref(stats);
	return STATUS_OK;
}
