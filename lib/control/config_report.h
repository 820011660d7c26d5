/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The errors of one run over a configuration file, as they are found, and what they look like:
 *
 *	FILE:LINE: PATH: MESSAGE (value X; allowed Y)
 *
 * Whatever comes from the file is shortened, and bytes that are not printable ASCII are written
 * as \xNN, so that a line stays one line on any terminal. The finished list is in file order.
 */
#ifndef SLUICE_CONTROL_CONFIG_REPORT_H
#define SLUICE_CONTROL_CONFIG_REPORT_H

#include "control/config.h"
#include "control/json_lines.h"

struct config_report_entry {
	uint32_t line; /**< 0: about the file as a whole; UINT32_MAX: about another one */
	unsigned position;
	char *text;
};

struct config_report {
	const char *name; /**< stands for the file */
	bool is_order;	  /**< no file: a path follows the name at once, without line */
	const struct json_lines *lines; /**< set before anything with a node is reported */
	unsigned count;
	unsigned room;
	struct config_report_entry *entries;
};

/** An error of the file as a whole: "FILE: MESSAGE". */
__attribute__((format(printf, 2, 3))) void config_report_file(
		struct config_report *report, const char *format, ...);

/** An error of another file, which the configuration names: "OTHER: MESSAGE". These stand behind
 * the configuration's own, in the order of reporting. */
__attribute__((format(printf, 3, 4))) void config_report_other(
		struct config_report *report, const char *other, const char *format, ...);

/** The same in a line of it: "OTHER:LINE: MESSAGE". */
__attribute__((format(printf, 4, 5))) void config_report_line(struct config_report *report,
		const char *other, uint32_t line, const char *format, ...);

/** An error of the text: "FILE:LINE:COLUMN: MESSAGE"; the message may hold raw bytes of it. */
void config_report_syntax(
		struct config_report *report, unsigned line, unsigned column, const char *message);

/** A value that is wrong for a stated reason: "... (value X; allowed Y)". */
__attribute__((format(printf, 4, 5))) void config_report_value(struct config_report *report,
		uint32_t node, const char *allowed, const char *format, ...);

/** Any other error at a node; the format ends the line. */
__attribute__((format(printf, 3, 4))) void config_report_node(
		struct config_report *report, uint32_t node, const char *format, ...);

/** A key that an object lacks. */
void config_report_missing(struct config_report *report, uint32_t object, const char *key,
		const char *allowed);

#define CONFIG_REPORT_VALUE_BYTES 200

/** Text of length bytes as messages show it, into text: escaped, and not more than 48 bytes of it.
 */
void config_report_shorten(char text[CONFIG_REPORT_VALUE_BYTES], const char *raw, size_t length);

/** A node's value as messages show it, into text. */
void config_report_show(const struct json_lines *lines, uint32_t node,
		char text[CONFIG_REPORT_VALUE_BYTES]);

/** Moves all lines to errors, in file order, and ends the report. */
void config_report_finish(struct config_report *report, struct config_errors *errors);

#endif
