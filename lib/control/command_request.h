/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request while it is carried out: its keys, read with the checks that all commands share, and
 * what is wrong with it. The commands themselves are below.
 */
#ifndef SLUICE_CONTROL_COMMAND_REQUEST_H
#define SLUICE_CONTROL_COMMAND_REQUEST_H

#include "control/command.h"

#define REQUEST_ERROR_BYTES 1024

struct request {
	const struct command_env *env;
	const json_t *object; /**< its keys are known to be ones that the command takes */
	ticks_t now;
	char error[REQUEST_ERROR_BYTES]; /**< empty: nothing is wrong */
	json_t *errors;			 /**< all errors of a file, or NULL; owned */
};

/** Carries out a request: its result, a new reference; or NULL with an error in the request, or
 * without one when out of memory. */
typedef json_t *command_function(struct request *request);

/** Sets the error. Always NULL, so that a command can return it. */
__attribute__((format(printf, 2, 3))) json_t *request_refuse(
		struct request *request, const char *format, ...);

/** The same with the lines of a file's errors, which it frees. */
json_t *request_refuse_errors(struct request *request, struct config_errors *errors);

/** The string at key into *text; NULL when the request lacks it and it is not required. False:
 * refused. */
bool request_string(struct request *request, const char *key, bool is_required, const char **text);

/** The integer at key, from..to; initial when the request lacks it. False: refused. */
bool request_integer(struct request *request, const char *key, json_int_t from, json_int_t to,
		json_int_t initial, json_int_t *value);

/** The backend named at key "backend" into *slot; NULL when the request lacks it and it is not
 * required. False: refused, with the nearest name. */
bool request_backend(struct request *request, bool is_required, struct slot **slot);

/** How full the backend's queues are now, as a SYN of an unproven client sees it. */
struct queue_load request_load(const struct request *request, const struct slot *slot);

/** A row of a listing, as the protocol has it. A new reference, NULL when out of memory. */
json_t *row_json(const struct request *request, const struct inspect_row *row, unsigned worker);

/** The same of a backend's profile. */
json_t *profile_json(
		const struct request *request, const struct inspect_profile *row, unsigned worker);

/** What ping says of the lists of sources. A new reference, NULL when out of memory. */
json_t *source_lists_json(const struct request *request);

/** The prefix of the lists that decides about the tuple's client, and the file it is from; NULL:
 * none. */
const struct prefix *source_lists_decide(
		const struct registry *registry, const struct tuple *tuple, const char **file);

command_function command_ping, command_ss, command_netstat, command_stats, command_doctor;
command_function command_syn_recv, command_established, command_profile, command_explain;
command_function command_set, command_reload, command_check, command_flush;

#endif
