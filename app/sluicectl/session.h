/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of sluicectl: its options, its connection, and its two ways of speaking, text for people
 * and JSON for programs. Every command gets one.
 */
#ifndef SLUICECTL_SESSION_H
#define SLUICECTL_SESSION_H

#include <jansson.h>

#include "connection.h"
#include "options.h"
#include "status.h"

struct session {
	const struct options *options;
	struct connection connection;
	const char *json_end; /**< closes the JSON that is printed so far; NULL: none is open */
};

enum answer_outcome {
	ANSWER_OK,
	ANSWER_REFUSED,	    /**< the appliance said no */
	ANSWER_UNREACHABLE, /**< it said nothing, or nothing that makes sense */
	ANSWER_WOKEN,	    /**< the connection's wake_fd became readable meanwhile */
};

struct answer {
	enum answer_outcome outcome;
	json_t *result; /**< ANSWER_OK: never NULL */
	json_t *errors; /**< ANSWER_REFUSED: an array of strings, or NULL */
	char problem[1024];
};

/** The start of a request; NULL-safe like jansson's setters. */
json_t *session_request(const char *command);

/** Sends the request, which it takes over, and waits for the reply. Says nothing. answer_fini() it
 * in every case. */
void session_try(struct session *session, json_t *request, struct answer *answer);

void answer_fini(struct answer *answer);

/** session_try() whose result is a new reference; NULL when there is none, which has been said. */
json_t *session_ask(struct session *session, json_t *request);

/** session_ask() for a result that must be an object or array; anything else is said as well. */
json_t *session_ask_for(struct session *session, json_t *request, json_type type);

/** Says what is wrong on standard error, with --json on standard output too, with the lines of
 * errors (may be NULL). Returns status. */
enum status session_fail(const struct session *session, enum status status, json_t *errors,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/** True when results are to be JSON. */
bool session_is_json(const struct session *session);

/** Writes value as one line. */
void session_print_json(const json_t *value);

/** Writes value, as part of a line. */
void session_write_json(const json_t *value);

/** Puts a word of the command line, known to be UTF-8, into a request. */
void session_put(json_t *request, const char *key, const char *word);

/** Writes each string of an array as a line, cleaned; returns how many there were. */
unsigned session_print_lines(FILE *out, const json_t *lines);

#endif
