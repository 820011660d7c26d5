/* SPDX-License-Identifier: BSD-3-Clause */
/* A desk at which the control socket's requests are answered, with workers that hold rows. */
#ifndef SLUICE_TESTS_UNIT_DESK_H
#define SLUICE_TESTS_UNIT_DESK_H

#include "control/command.h"
#include "registry_world.h"

enum { DESK_ROWS = 300 };

struct desk {
	struct registry_world *world;
	struct command_env env;
	json_t *reply;
};

/** What the workers list and find. */
extern struct inspect_row desk_rows[WORLD_WORKERS][DESK_ROWS];
extern unsigned desk_row_counts[WORLD_WORKERS];
/** What became of the last packet of a tuple, an enum reason. */
extern uint8_t desk_remembered_reason;

/** With the backends web, mail and vpn, and no rows. */
struct desk desk_open(void);

void desk_close(struct desk *desk);

/** The reply to a request, in which ' stands for ". It lives until the next request. */
const json_t *desk_run(struct desk *desk, const char *request);

/** The result of a request that must be carried out. */
const json_t *desk_result(struct desk *desk, const char *request);

/** Fails unless the request is refused with an error that has these words. */
void desk_expect_refused(struct desk *desk, const char *request, const char *words);

/** A string of an object; "null" when it has none. */
const char *text_at(const json_t *object, const char *key);

/** A number of an object, which must have it. */
json_int_t number_at(const json_t *object, const char *key);

/** Whether one of an array's strings has these words. */
bool has_line(const json_t *lines, const char *words);

/** A client 10.1.0.x of web, in a state. */
struct inspect_row desk_row(uint8_t x, const char *state);

#endif
