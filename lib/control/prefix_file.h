/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's lists of prefixes as text files, one prefix per line:
 *
 *	# offices
 *	192.0.2.0/24
 *	2001:db8::/32		; the new building
 *	198.51.100.7
 *
 * What follows "#" or ";" is a comment; blanks around, blank lines and CR LF don't matter. A bare
 * address is a prefix of its own length. A prefix may be repeated, but not stand in both files.
 */
#ifndef SLUICE_CONTROL_PREFIX_FILE_H
#define SLUICE_CONTROL_PREFIX_FILE_H

#include "control/config_report.h"
#include "control/prefix_list.h"

#define PREFIX_FILE_BYTES_MAX ((size_t)64 << 20)

/** So many wrong lines of a file are told one by one; the rest is counted. */
#define PREFIX_FILE_ERRORS_MAX 20

/** Reads the files at both paths, either of which may be NULL. All that is wrong goes to the
 * report: "FILE:LINE: what is wrong (value X)". The list is sorted, has each prefix once, and is
 * the caller's to free, also after errors. */
struct prefix_list *prefix_files_read(
		struct config_report *report, const char *deny_path, const char *allow_path);

/** The same for one file's text, appended unsorted; name stands for the file in messages. */
void prefix_text_read(struct config_report *report, struct prefix_list *list, const char *name,
		const char *text, size_t length, enum source_verdict verdict);

/** Sorts and seals the list, drops repetitions, and reports what stands in both files. */
void prefix_list_join(struct config_report *report, struct prefix_list *list, const char *deny_name,
		const char *allow_name);

#endif
