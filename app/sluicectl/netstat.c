/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netstat: counters in sections, and with --diff what was added to them. What is remembered for the
 * next --diff is always the whole answer, whichever part of it was shown.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/reason.h"
#include "command.h"
#include "counts.h"
#include "field.h"
#include "session.h"
#include "table/counters.h"
#include "text.h"

/* The one counter that goes down: a level has no difference. */
#define GAUGE "CurrEstab"

/* What --diff found out. */
struct diff {
	bool is_first;	   /* nothing to compare with */
	bool is_restarted; /* another process counts now */
	double since_s;
};

/* Time that no one sets, across processes. */
static double
boot_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char *
counter_text(const char *name)
{
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++) {
		if (strcmp(name, backend_counter_name((enum backend_counter)i)) == 0)
			return backend_counter_text((enum backend_counter)i);
	}
	for (unsigned i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		if (strcmp(name, reason_name((enum reason)i)) == 0)
			return reason_text((enum reason)i);
	}
	return "";
}

static size_t
widest_name(const json_t *counters, size_t width)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)counters, name, value)
	{
		if (text_width(name) > width)
			width = text_width(name);
	}
	return width;
}

static void
section_print(const struct options *options, const char *title, const json_t *counters)
{
	const size_t width = widest_name(counters, 24);
	bool is_empty = true;
	const char *name;
	json_t *value;

	text_print(stdout, title);
	puts(":");
	json_object_foreach((json_t *)counters, name, value)
	{
		char text[FIELD_BYTES];

		if (json_number_value(value) == 0 && !options_has(options, OPTION_ZEROS))
			continue;
		field_render(value, text, sizeof(text));
		fputs("    ", stdout);
		text_print(stdout, name);
		printf("%*s ", (int)(width - text_width(name)), "");
		if (options_has(options, OPTION_EXPLAIN) && counter_text(name)[0] != '\0')
			printf("%12s  %s\n", text, counter_text(name));
		else
			printf("%12s\n", text);
		is_empty = false;
	}
	if (is_empty)
		puts("    (all 0)");
}

static void
netstat_print(const struct options *options, const json_t *netstat)
{
	const json_t *backends = json_object_get(netstat, "backends");
	const bool is_whole = options->count == 0;
	const char *name;
	json_t *counters;

	if (is_whole)
		section_print(options, "total", json_object_get(netstat, "total"));
	json_object_foreach((json_t *)backends, name, counters)
	{
		char title[FIELD_BYTES];

		snprintf(title, sizeof(title), "backend %s", name);
		section_print(options, title, counters);
	}
	if (is_whole) {
		section_print(options, "reasons", json_object_get(netstat, "reasons"));
		section_print(options, "emitted", json_object_get(netstat, "emitted"));
	}
}

/* Replaces each counter by what was added since; one that is lower began anew (a backend that was
 * removed and added again). Goes down into the objects of objects. */
static void
subtract(json_t *now, const json_t *before)
{
	const char *name;
	json_t *value;

	json_object_foreach(now, name, value)
	{
		const json_t *old = json_object_get(before, name);
		const json_int_t count = json_integer_value(value);

		if (json_is_object(value))
			subtract(value, old);
		else if (json_is_integer(value) && json_is_integer(old) &&
				strcmp(name, GAUGE) != 0 && json_integer_value(old) <= count)
			json_integer_set(value, count - json_integer_value(old));
	}
}

static void
diff_say(const struct diff *diff)
{
	char text[TEXT_BYTES];

	text_duration(text, diff->since_s);
	if (diff->is_first)
		puts("first call: everything since the appliance was started");
	else if (diff->is_restarted)
		printf("the appliance was restarted since your last call %s ago: everything "
		       "since\n",
				text);
	else
		printf("since your last call %s ago:\n", text);
}

/* Turns netstat into the difference to what was remembered for this socket. */
static struct diff
diff_apply(json_t *netstat, const json_t *remembered, const char *socket, json_int_t pid)
{
	struct diff diff = {.since_s = boot_seconds() - field_number(remembered, "at")};

	/* Another socket with the same hash, or a machine that was started again. */
	if (strcmp(field_text(remembered, "socket"), socket) != 0 || diff.since_s < 0)
		return (struct diff){.is_first = true};
	if (field_count(remembered, "pid") != pid)
		diff.is_restarted = true;
	else
		subtract(netstat, json_object_get(remembered, "netstat"));
	return diff;
}

/* Leaves one backend only. False when there is none of that name. */
static bool
backend_keep(json_t *netstat, const char *name)
{
	json_t *counters = json_object_get(json_object_get(netstat, "backends"), name);
	json_t *backends = json_pack("{s:O}", name, counters);

	if (backends == NULL)
		return false;
	json_object_set_new(netstat, "backends", backends);
	return true;
}

static void
result_print(const struct session *session, const json_t *netstat, const struct diff *diff)
{
	if (session_is_json(session)) {
		session_print_json(netstat);
	} else {
		if (diff != NULL)
			diff_say(diff);
		netstat_print(session->options, netstat);
	}
}

/* Prints the difference, and then remembers: output that nobody got is told again. */
static enum status
diff_print(struct session *session, json_t *netstat, const char *socket, json_int_t pid)
{
	const struct options *options = session->options;
	char path[COUNTS_PATH_BYTES];
	char problem[COUNTS_PATH_BYTES + 128] = "path too long";
	json_t *counts = json_pack("{s:s, s:I, s:f, s:o}", "socket", socket, "pid", pid, "at",
			boot_seconds(), "netstat", json_deep_copy(netstat));
	enum status status = STATUS_OK;
	struct diff diff;
	json_t *remembered;

	ENSURE(counts != NULL);
	remembered = counts_path(path, socket) ? counts_read(path, problem, sizeof(problem)) : NULL;
	if (problem[0] != '\0') {
		json_decref(counts);
		return session_fail(session, STATUS_REFUSED, NULL, "%s", problem);
	}
	diff = diff_apply(netstat, remembered, socket, pid);
	json_decref(remembered);
	json_object_set_new(
			netstat, "since_s", diff.is_first ? json_null() : json_real(diff.since_s));
	json_object_set_new(netstat, "restarted", json_boolean(diff.is_restarted));
	if (options->count > 0 && !backend_keep(netstat, options->arguments[0]))
		status = session_fail(session, STATUS_REFUSED, NULL, "no backend \"%s\"",
				options->arguments[0]);
	else
		result_print(session, netstat, &diff);
	if (status == STATUS_OK && fflush(stdout) == 0 &&
			!counts_write(path, counts, problem, sizeof(problem)))
		status = session_fail(session, STATUS_REFUSED, NULL, "%s", problem);
	json_decref(counts);
	return status;
}

static enum status
diff_run(struct session *session, json_t *netstat)
{
	json_t *ping = session_ask_for(session, session_request("ping"), JSON_OBJECT);
	char *socket = realpath(session->connection.path, NULL);
	enum status status;

	if (ping == NULL) {
		free(socket);
		return STATUS_REFUSED;
	}
	status = diff_print(session, netstat, socket != NULL ? socket : session->connection.path,
			field_count(ping, "pid"));
	free(socket);
	json_decref(ping);
	return status;
}

enum status
netstat_run(struct session *session)
{
	const struct options *options = session->options;
	const bool is_diff = options_has(options, OPTION_DIFF);
	json_t *request = session_request("netstat");
	enum status status = STATUS_OK;
	json_t *netstat;

	if (options->count > 0 && !is_diff)
		session_put(request, "backend", options->arguments[0]);
	netstat = session_ask_for(session, request, JSON_OBJECT);
	if (netstat == NULL)
		return STATUS_REFUSED;
	if (is_diff)
		status = diff_run(session, netstat);
	else
		result_print(session, netstat, NULL);
	json_decref(netstat);
	return status;
}
