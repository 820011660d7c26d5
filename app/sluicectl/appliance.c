/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands about the appliance as a whole: ping and stats. */
#include <stdlib.h>

#include "base/base.h"
#include "command.h"
#include "field.h"
#include "session.h"
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
