/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/prefix_file.h"

#include <stdlib.h>
#include <string.h>

#include "control/config_text.h"
#include "control/file_read.h"

static_assert(PREFIX_FILE_BYTES_MAX >> 20 == 64, "64 MiB is what the message says");
static_assert(PREFIX_LIST_MAX == 1000000, "what the message says");

/* One file on its way into the list. */
struct reading {
	struct config_report *report;
	struct prefix_list *list;
	const char *name;
	enum source_verdict verdict;
	uint32_t line;
	unsigned errors;
};

static bool
is_blank(char letter)
{
	return letter == ' ' || letter == '\t' || letter == '\r';
}

static void
refuse(struct reading *reading, const char *problem, const char *text, size_t length)
{
	char shown[CONFIG_REPORT_VALUE_BYTES];

	if (++reading->errors > PREFIX_FILE_ERRORS_MAX)
		return;
	config_report_shorten(shown, text, length);
	config_report_line(reading->report, reading->name, reading->line, "%s (value %s)", problem,
			shown);
}

/* Tells how many lines were not told of one by one. */
static void
refuse_rest(struct config_report *report, const char *name, unsigned errors, const char *what)
{
	if (errors > PREFIX_FILE_ERRORS_MAX)
		config_report_other(report, name, "%u more lines %s",
				errors - PREFIX_FILE_ERRORS_MAX, what);
}

/* True for IPv6's way of writing an IPv4 address, which no packet has as its source. */
static bool
is_mapped(const struct prefix *prefix)
{
	static const uint8_t begin[12] = {[10] = 0xff, [11] = 0xff};

	return prefix->family == FAMILY_IP6 &&
	       memcmp(prefix->address.bytes, begin, sizeof(begin)) == 0;
}

/* False when there is no room for one more prefix: that is told, and nothing else is read. */
static bool
read_line(struct reading *reading, const char *text, size_t length)
{
	struct prefix prefix = {.line = reading->line, .verdict = (uint8_t)reading->verdict};
	enum family family = FAMILY_NONE;
	const char *problem;
	size_t begin = 0, end = 0;

	while (end < length && text[end] != '#' && text[end] != ';')
		end++;
	while (begin < end && is_blank(text[begin]))
		begin++;
	while (end > begin && is_blank(text[end - 1]))
		end--;
	if (begin == end)
		return true;
	problem = config_prefix_text(
			text + begin, end - begin, 0, &prefix.address, &family, &prefix.length);
	prefix.family = (uint8_t)family;
	if (problem == NULL && is_mapped(&prefix))
		problem = "IPv4-mapped prefix; write the IPv4 prefix itself";
	if (problem != NULL) {
		refuse(reading, problem, text + begin, end - begin);
		return true;
	}
	if (reading->list->count == PREFIX_LIST_MAX) {
		config_report_line(reading->report, reading->name, reading->line,
				"more than 1000000 prefixes in all lists");
		return false;
	}
	prefix_list_add(reading->list, &prefix);
	return true;
}

void
prefix_text_read(struct config_report *report, struct prefix_list *list, const char *name,
		const char *text, size_t length, enum source_verdict verdict)
{
	struct reading reading = {.report = report, .list = list, .name = name, .verdict = verdict};

	while (length > 0) {
		const char *end = memchr(text, '\n', length);
		const size_t own = end != NULL ? (size_t)(end - text) : length;
		const size_t whole = end != NULL ? own + 1 : own;

		reading.line++;
		if (!read_line(&reading, text, own))
			break;
		text += whole;
		length -= whole;
	}
	refuse_rest(report, name, reading.errors, "are no prefixes");
}

void
prefix_list_join(struct config_report *report, struct prefix_list *list, const char *deny_name,
		const char *allow_name)
{
	uint32_t kept = 0;
	unsigned errors = 0;

	prefix_list_sort(list);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct prefix *prefix = &list->prefixes[i];
		const struct prefix *before = kept > 0 ? &list->prefixes[kept - 1] : NULL;
		char text[PREFIX_TEXT_BYTES];

		if (before == NULL || !prefix_is_equal(before, prefix)) {
			list->prefixes[kept++] = *prefix;
			continue;
		}
		/* The denying one stands before the other. */
		if (before->verdict == prefix->verdict || ++errors > PREFIX_FILE_ERRORS_MAX)
			continue;
		prefix_write(prefix, text);
		config_report_line(report, allow_name, prefix->line,
				"also denied, by %s:%u (value %s)", deny_name, before->line, text);
	}
	list->count = kept;
	prefix_list_seal(list);
	if (errors > 0)
		refuse_rest(report, allow_name, errors, "are denied, too");
}

static void
read_file(struct config_report *report, struct prefix_list *list, const char *path,
		enum source_verdict verdict)
{
	char problem[FILE_READ_PROBLEM_BYTES];
	size_t length;
	char *text;

	if (path == NULL)
		return;
	/* Never waits: at a reload nothing else is served meanwhile. */
	text = file_read(path, false, PREFIX_FILE_BYTES_MAX, &length, problem);
	if (text == NULL)
		config_report_other(report, path, "%s", problem);
	else if (length > PREFIX_FILE_BYTES_MAX)
		config_report_other(report, path, "larger than 64 MiB");
	else
		prefix_text_read(report, list, path, text, length, verdict);
	free(text);
}

struct prefix_list *
prefix_files_read(struct config_report *report, const char *deny_path, const char *allow_path)
{
	struct prefix_list *list = prefix_list_new();

	read_file(report, list, deny_path, SOURCE_DENIED);
	read_file(report, list, allow_path, SOURCE_ALLOWED);
	prefix_list_join(report, list, deny_path, allow_path);
	return list;
}
