/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a file to a configuration, in steps that each report into one list: bytes, JSON tree
 * (jansson) with its lines (json_lines.c), draft (config_read.c), cross-checks (config_check.c).
 * A step that fails as a whole ends the way. Only lack of memory stops the process: then not even
 * an error could be told.
 */
#include "control/config.h"

#include <stdlib.h>
#include <string.h>

#include "control/config_keys.h"
#include "control/config_read.h"
#include "control/file_read.h"
#include "control/prefix_file.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)

/* Enough for thousands of clients that begin at once; a bound on the memory they tie up. */
#define EARLY_PACKETS_INITIAL 4096

static_assert(FILE_BYTES_MAX >> 20 == 16, "16 MiB is what the message says");

static void
report_too_large(struct config_report *report)
{
	config_report_file(report, "larger than 16 MiB");
}

static void
report_repeated(struct config_report *report)
{
	const struct json_lines *lines = report->lines;
	char value[CONFIG_REPORT_VALUE_BYTES];

	for (uint32_t node = 0; node < lines->count; node++) {
		uint32_t first = lines->nodes[node].first;

		if (first == node)
			continue;
		config_report_show(lines, node, value);
		config_report_node(report, node, "key repeated (value %s; first in line %u)", value,
				lines->nodes[first].line);
	}
}

/* Everything that config_free() frees, but not config itself. */
static void
release(struct config *config)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		free(config->ports[side].device);
	free(config->control_socket);
	free(config->secret_file);
	free(config->sources.deny_file);
	free(config->sources.allow_file);
	prefix_list_free(config->sources.list);
	for (unsigned i = 0; i < config->eal_count; i++)
		free(config->eal[i]);
	free(config->eal);
	free(config->backends);
}

/* Reads a well-formed tree into draft; whether it may be used, the report says. */
static void
read_tree(struct config_report *report, json_t *top, const char *text, size_t length,
		struct config_draft *draft)
{
	struct json_lines *lines = json_lines_new(text, length);

	report->lines = lines;
	report_repeated(report);
	config_read(report, top, draft);
	config_check(report, draft);
	report->lines = NULL;
	json_lines_free(lines);
}

static void
read_text(struct config_report *report, const char *text, size_t length, struct config_draft *draft)
{
	json_error_t error;
	json_t *top;

	if (length == 0) {
		config_report_file(report, "empty file");
		return;
	}
	if (length > FILE_BYTES_MAX) {
		report_too_large(report);
		return;
	}
	/* NULs in strings are let through, so that they are reported as what they are. */
	top = json_loadb(text, length, JSON_ALLOW_NUL, &error);
	if (top != NULL) {
		read_tree(report, top, text, length, draft);
		json_decref(top);
	} else {
		config_report_syntax(
				report, (unsigned)error.line, (unsigned)error.column, error.text);
	}
}

/* Ends a report with the configuration, or NULL when it has any line. */
static struct config *
finish(struct config_report *report, struct config_draft *draft, struct config_errors *errors)
{
	struct config *config = NULL;

	if (report->count == 0) {
		config = malloc(sizeof(*config));
		ENSURE(config != NULL);
		*config = draft->config;
	} else {
		release(&draft->config);
	}
	config_report_finish(report, errors);
	return config;
}

struct config *
config_parse(const char *name, const char *text, size_t length, struct config_errors *errors)
{
	struct config_report report = {.name = name};
	struct config_draft draft = {0};

	read_text(&report, text, length, &draft);
	return finish(&report, &draft, errors);
}

/* The files that the configuration names; their errors stand behind its own. */
static void
read_lists(struct config_report *report, struct config_sources *sources)
{
	if (sources->deny_file != NULL || sources->allow_file != NULL)
		sources->list = prefix_files_read(report, sources->deny_file, sources->allow_file);
}

static struct config *
load(const char *path, bool may_wait, struct config_errors *errors)
{
	struct config_report report = {.name = path};
	struct config_draft draft = {0};
	char problem[FILE_READ_PROBLEM_BYTES];
	size_t length;
	char *text = file_read(path, may_wait, FILE_BYTES_MAX, &length, problem);

	if (text == NULL) {
		config_report_file(&report, "%s", problem);
		return finish(&report, &draft, errors);
	}
	read_text(&report, text, length, &draft);
	free(text);
	read_lists(&report, &draft.config.sources);
	return finish(&report, &draft, errors);
}

bool
config_set(struct backend_config *backend, const char *key, const json_t *value,
		struct config_errors *errors)
{
	char name[sizeof("set .") + BACKEND_NAME_BYTES];
	struct config_report report = {.name = name, .is_order = true};
	struct backend_config changed = *backend;
	json_t *top = json_object();

	snprintf(name, sizeof(name), "set %s.", backend->name);
	ENSURE(top != NULL && json_object_set_nocheck(top, key, (json_t *)value) == 0);

	/* Written and read again, so that messages quote the value as they do a file's. */
	char *text = json_dumps(top, JSON_ENSURE_ASCII);

	ENSURE(text != NULL);

	struct json_lines *lines = json_lines_new(text, strlen(text));

	report.lines = lines;
	config_read_setting(&report, top, &changed);
	json_lines_free(lines);
	free(text);
	json_decref(top);
	if (report.count == 0)
		*backend = changed;
	config_report_finish(&report, errors);
	return errors->count == 0;
}

uint32_t
config_early_packets(const struct config *config)
{
	uint32_t share = config->mbufs / 8 / config->worker_count;

	if (config->early_packets_per_worker != (uint32_t)CONFIG_ELSEWHERE)
		return config->early_packets_per_worker;
	return share < EARLY_PACKETS_INITIAL ? share : EARLY_PACKETS_INITIAL;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	release(config);
	free(config);
}

void
config_errors_free(struct config_errors *errors)
{
	for (unsigned i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	free(errors->lines);
	*errors = (struct config_errors){0};
}

struct config *
config_load(const char *path, struct config_errors *errors)
{
	return load(path, true, errors);
}

struct config *
config_load_again(const char *path, struct config_errors *errors)
{
	return load(path, false, errors);
}
