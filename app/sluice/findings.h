/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a look at something brought up: a list of findings, each on a topic, with how good it is and
 * what cures it. Filled by machine*.c, printed once as text or JSON.
 */
#ifndef SLUICE_APP_FINDINGS_H
#define SLUICE_APP_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>

enum finding_level {
	FINDING_OK,	 /**< as it should be */
	FINDING_NOTE,	 /**< works, and could be better */
	FINDING_PROBLEM, /**< something won't work */
	FINDING_LEVELS
};

struct findings {
	json_t *list; /**< owned; objects in the order they were added */
	unsigned counts[FINDING_LEVELS];
};

/** An empty list. */
void findings_init(struct findings *findings);
void findings_fini(struct findings *findings);

/** Adds one: topic is a word that findings of a kind share; format makes one sentence or so of up
 * to 511 bytes. */
__attribute__((format(printf, 4, 5))) void findings_add(struct findings *findings,
		enum finding_level level, const char *topic, const char *format, ...);

/** Gives the latest finding its cure, a command where there is one, of up to 511 bytes. */
__attribute__((format(printf, 2, 3))) void findings_cure(
		struct findings *findings, const char *format, ...);

/** Prints all on standard output: as lines below their topics, or as one line of JSON,
 * {"findings": [{"topic", "level", "text", "cure"}], "ok": n, "notes": n, "problems": n}. */
void findings_print(const struct findings *findings, bool as_json);

#endif
