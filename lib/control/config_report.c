/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines are finished as they are added; sorting at the end only moves pointers. */
#include "control/config_report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 48 /* of a value or key, as written in the file */
#define PATH_BYTES 256

static_assert(CONFIG_REPORT_VALUE_BYTES >= (SHOWN_BYTES - 3) * 4 + sizeof("..."),
		"room for a shown text of nothing but escapes");
static_assert(PATH_BYTES >= CONFIG_REPORT_VALUE_BYTES + 32, "room for any last part of a path");

void
config_report_shorten(char text[CONFIG_REPORT_VALUE_BYTES], const char *raw, size_t length)
{
	size_t shown = length > SHOWN_BYTES ? SHOWN_BYTES - 3 : length;
	char *out = text;

	for (size_t i = 0; i < shown; i++) {
		uint8_t byte = (uint8_t)raw[i];

		if (byte >= ' ' && byte < 0x7f)
			*out++ = (char)byte;
		else
			out += sprintf(out, "\\x%02x", byte);
	}
	strcpy(out, shown < length ? "..." : "");
}

void
config_report_show(
		const struct json_lines *lines, uint32_t node, char text[CONFIG_REPORT_VALUE_BYTES])
{
	const struct json_node *value = &lines->nodes[node];
	const char *raw = lines->text + value->start;

	if (raw[0] == '{')
		strcpy(text, value->children == 0 ? "{}" : "{...}");
	else if (raw[0] == '[')
		strcpy(text, value->children == 0 ? "[]" : "[...]");
	else
		config_report_shorten(text, raw, value->length);
}

/* True for keys that a path can hold without quotes. */
static bool
is_plain(const char *key, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char letter = key[i];

		if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
				    (letter >= '0' && letter <= '9') || letter == '_' ||
				    letter == '-'))
			return false;
	}
	return length > 0;
}

/* The part of a path that a member's key is: .key, or ["key"] for a strange one. */
static void
key_part(char part[PATH_BYTES], const char *key, size_t length)
{
	char shown[CONFIG_REPORT_VALUE_BYTES];

	config_report_shorten(shown, key, length);
	snprintf(part, PATH_BYTES, is_plain(key, length) ? ".%s" : "[\"%s\"]", shown);
}

/*
 * The path from the top to a node, and on to a key that it lacks unless that is NULL. Written
 * from its end, so that of a path without end the part that matters is kept.
 */
static const char *
path_write(const struct json_lines *lines, uint32_t node, const char *lacks, char path[PATH_BYTES])
{
	char part[PATH_BYTES] = "";
	unsigned start = PATH_BYTES - 1;

	path[start] = '\0';
	if (lacks != NULL)
		key_part(part, lacks, strlen(lacks));
	for (;;) {
		const struct json_node *at = &lines->nodes[node];
		unsigned length = (unsigned)strlen(part);

		if (start < length + 3) {
			start -= 3;
			memcpy(&path[start], "...", 3);
			break;
		}
		start -= length;
		memcpy(&path[start], part, length);
		if (node == JSON_LINES_TOP)
			break;
		if (at->key != NULL)
			key_part(part, at->key, at->key_length);
		else
			snprintf(part, sizeof(part), "[%u]", at->index);
		node = at->parent;
	}
	if (path[start] == '\0')
		return "top level";
	/* The first key has no dot before it. */
	return &path[start + (path[start] == '.' && path[start + 1] != '.')];
}

/* Takes over text, which was allocated. */
static void
entry_add(struct config_report *report, uint32_t line, char *text)
{
	if (report->count == report->room) {
		report->room = report->room == 0 ? 16 : report->room * 2;
		report->entries = reallocarray(
				report->entries, report->room, sizeof(*report->entries));
		ENSURE(report->entries != NULL);
	}
	report->entries[report->count] = (struct config_report_entry){
			.line = line, .position = report->count, .text = text};
	report->count++;
}

static char *
print_list(const char *format, va_list arguments)
{
	char *text;

	ENSURE(vasprintf(&text, format, arguments) >= 0);
	return text;
}

__attribute__((format(printf, 1, 2))) static char *
print(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = print_list(format, arguments);
	va_end(arguments);
	return text;
}

void
config_report_file(struct config_report *report, const char *format, ...)
{
	va_list arguments;
	char *message;

	va_start(arguments, format);
	message = print_list(format, arguments);
	va_end(arguments);
	entry_add(report, 0, print("%s: %s", report->name, message));
	free(message);
}

void
config_report_other(struct config_report *report, const char *other, const char *format, ...)
{
	va_list arguments;
	char *message;

	va_start(arguments, format);
	message = print_list(format, arguments);
	va_end(arguments);
	entry_add(report, UINT32_MAX, print("%s: %s", other, message));
	free(message);
}

void
config_report_line(struct config_report *report, const char *other, uint32_t line,
		const char *format, ...)
{
	va_list arguments;
	char *message;

	va_start(arguments, format);
	message = print_list(format, arguments);
	va_end(arguments);
	entry_add(report, UINT32_MAX, print("%s:%u: %s", other, line, message));
	free(message);
}

void
config_report_syntax(
		struct config_report *report, unsigned line, unsigned column, const char *message)
{
	size_t length = strlen(message);
	char *clean = malloc(length * 4 + 1);
	char *out = clean;

	ENSURE(clean != NULL);
	/* In pieces, since the message as a whole is bounded by jansson and worth reading. */
	for (size_t at = 0; at < length; at += SHOWN_BYTES) {
		char piece[CONFIG_REPORT_VALUE_BYTES];
		size_t left = length - at;

		config_report_shorten(piece, message + at, left < SHOWN_BYTES ? left : SHOWN_BYTES);
		out = stpcpy(out, piece);
	}
	entry_add(report, line, print("%s:%u:%u: not JSON: %s", report->name, line, column, clean));
	free(clean);
}

void
config_report_value(struct config_report *report, uint32_t node, const char *allowed,
		const char *format, ...)
{
	char value[CONFIG_REPORT_VALUE_BYTES];
	va_list arguments;
	char *message;

	va_start(arguments, format);
	message = print_list(format, arguments);
	va_end(arguments);
	config_report_show(report->lines, node, value);
	config_report_node(report, node, "%s (value %s; allowed %s)", message, value, allowed);
	free(message);
}

void
config_report_node(struct config_report *report, uint32_t node, const char *format, ...)
{
	uint32_t line = report->lines->nodes[node].line;
	char path[PATH_BYTES];
	va_list arguments;
	char *message;

	va_start(arguments, format);
	message = print_list(format, arguments);
	va_end(arguments);

	const char *at = path_write(report->lines, node, NULL, path);

	entry_add(report, line,
			report->is_order ? print("%s%s: %s", report->name, at, message)
					 : print("%s:%u: %s: %s", report->name, line, at, message));
	free(message);
}

void
config_report_missing(
		struct config_report *report, uint32_t object, const char *key, const char *allowed)
{
	uint32_t line = report->lines->nodes[object].line;
	char path[PATH_BYTES];

	entry_add(report, line,
			print("%s:%u: %s: required key is missing (allowed %s)", report->name, line,
					path_write(report->lines, object, key, path), allowed));
}

static int
entry_compare(const void *a, const void *b)
{
	const struct config_report_entry *left = a;
	const struct config_report_entry *right = b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

void
config_report_finish(struct config_report *report, struct config_errors *errors)
{
	*errors = (struct config_errors){.count = report->count};
	if (report->count == 0)
		return;
	qsort(report->entries, report->count, sizeof(*report->entries), entry_compare);
	errors->lines = calloc(report->count, sizeof(*errors->lines));
	ENSURE(errors->lines != NULL);
	for (unsigned i = 0; i < report->count; i++)
		errors->lines[i] = report->entries[i].text;
	free(report->entries);
}
