/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that change the appliance, and check, which says what a change would do. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "command.h"
#include "control/config.h"
#include "field.h"
#include "session.h"
#include "text.h"

/* Where the appliance doesn't say it. */
#define NOT_SAVED "not saved: it lasts until the next reload or restart"

/* A value as JSON would be written, strings without their quotes. */
static void
value_print(const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		text_print(stdout, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	text_print(stdout, text != NULL ? text : "-");
	free(text);
}

static void
set_print(const json_t *result)
{
	const char *note = field_text(result, "note");

	text_print(stdout, field_text(result, "backend"));
	fputc(' ', stdout);
	text_print(stdout, field_text(result, "key"));
	fputs(": ", stdout);
	value_print(json_object_get(result, "before"));
	fputs(" -> ", stdout);
	value_print(json_object_get(result, "value"));
	fputc('\n', stdout);
	text_print(stdout, strstr(note, "not saved") != NULL ? note : NOT_SAVED);
	puts("; to keep it, write it into the configuration file");
}

enum status
change_set_run(struct session *session)
{
	const char **arguments = session->options->arguments;
	json_t *request = session_request("set");
	json_t *value = json_loads(arguments[2], JSON_DECODE_ANY, NULL);
	json_t *result;

	session_put(request, "backend", arguments[0]);
	session_put(request, "key", arguments[1]);
	if (value != NULL)
		json_object_set_new(request, "value", value);
	else
		session_put(request, "value", arguments[2]);
	result = session_ask_for(session, request, JSON_OBJECT);
	if (result == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session))
		session_print_json(result);
	else
		set_print(result);
	json_decref(result);
	return STATUS_OK;
}

/* "added: a, b"; returns how many. */
static size_t
names_print(const json_t *result, const char *key)
{
	const json_t *names = json_object_get(result, key);
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (i == 0)
			printf("%s: ", key);
		else
			fputs(", ", stdout);
		text_print(stdout, json_string_value(name) != NULL ? json_string_value(name) : "?");
	}
	if (json_array_size(names) > 0)
		fputc('\n', stdout);
	return json_array_size(names);
}

enum status
change_reload_run(struct session *session)
{
	const struct options *options = session->options;
	json_t *request = session_request("reload");
	size_t names = 0;
	json_t *result;

	if (options_has(options, OPTION_DRAIN_DEADLINE))
		json_object_set_new(request, "drain_deadline_s",
				json_integer((json_int_t)options->numbers[OPTION_DRAIN_DEADLINE]));
	result = session_ask_for(session, request, JSON_OBJECT);
	if (result == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session)) {
		session_print_json(result);
	} else {
		printf("reloaded: configuration %lld, generation %lld\n",
				(long long)field_count(result, "config_generation"),
				(long long)field_count(result, "generation"));
		names += names_print(result, "added");
		names += names_print(result, "removed");
		names += names_print(result, "changed");
		if (names == 0)
			puts("no backend changed");
	}
	json_decref(result);
	return STATUS_OK;
}

/* Validates a file here. */
static enum status
file_check(struct session *session, const char *path)
{
	struct config_errors errors;
	struct config *config = config_load(path, &errors);
	enum status status = STATUS_OK;

	if (config == NULL) {
		json_t *lines = json_array();

		for (unsigned i = 0; i < errors.count; i++)
			json_array_append_new(lines, json_string(errors.lines[i]));
		status = session_fail(session, STATUS_USAGE, lines, "%s: refused, %u error%s", path,
				errors.count, errors.count == 1 ? "" : "s");
		json_decref(lines);
	} else if (session_is_json(session)) {
		json_t *result = json_pack("{s:b, s:I}", "ok", 1, "backends",
				(json_int_t)config->backend_count);

		ENSURE(result != NULL);
		session_print_json(result);
		json_decref(result);
	} else {
		text_print(stdout, path);
		printf(": ok, %u backend%s\n", config->backend_count,
				config->backend_count == 1 ? "" : "s");
	}
	config_free(config);
	config_errors_free(&errors);
	return status;
}

enum status
change_check_run(struct session *session)
{
	json_t *result;

	if (session->options->count > 0)
		return file_check(session, session->options->arguments[0]);
	result = session_ask_for(session, session_request("check"), JSON_OBJECT);
	if (result == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session)) {
		session_print_json(result);
	} else {
		puts("ok: a reload would be accepted");
		if (session_print_lines(stdout, json_object_get(result, "notes")) == 0)
			puts("no backend would change");
	}
	json_decref(result);
	return STATUS_OK;
}

/* Asks the person at the terminal, if there is one. */
static bool
flush_is_wanted(const struct options *options)
{
	char answer[16] = "";

	if (options_has(options, OPTION_YES) || isatty(STDIN_FILENO) != 1)
		return true;
	fputs("End all connections of ", stderr);
	text_print(stderr, options->arguments[0]);
	fputs("? Type y for yes: ", stderr);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}

enum status
change_flush_run(struct session *session)
{
	const struct options *options = session->options;
	json_t *request;
	json_t *result;

	if (!flush_is_wanted(options))
		return session_fail(session, STATUS_REFUSED, NULL, "nothing was ended");
	request = session_request("flush");
	session_put(request, "backend", options->arguments[0]);
	result = session_ask_for(session, request, JSON_OBJECT);
	if (result == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session)) {
		session_print_json(result);
	} else {
		text_print(stdout, field_text(result, "backend"));
		printf(": %lld ended\n", (long long)field_count(result, "ended"));
	}
	if (json_is_false(json_object_get(result, "complete")))
		fputs("sluicectl: a worker did not answer in time, some may be left; try again\n",
				stderr);
	json_decref(result);
	return STATUS_OK;
}
