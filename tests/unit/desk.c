/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers answer letters from the rows that a test put down, by the world's number of the worker.
 */
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct inspect_row desk_rows[WORLD_WORKERS][DESK_ROWS];
unsigned desk_row_counts[WORLD_WORKERS];
uint8_t desk_remembered_reason;

static void
answer_list(unsigned worker, struct inspect *letter)
{
	while (letter->cursor < desk_row_counts[worker] && letter->count < letter->limit) {
		const struct inspect_row *row = &desk_rows[worker][letter->cursor++];

		if (letter->slot == INSPECT_SLOT_ANY || letter->slot == row->slot)
			letter->rows[letter->count++] = *row;
	}
	letter->more = letter->cursor < desk_row_counts[worker];
}

/* Backend 0 is known to worker 0 alone. */
static void
answer_profiles(unsigned worker, struct inspect *letter)
{
	for (; letter->cursor < 3 && letter->count < letter->limit; letter->cursor++) {
		struct inspect_profile *row = &letter->profiles[letter->count];

		if (letter->slot != INSPECT_SLOT_ANY && letter->slot != letter->cursor)
			continue;
		*row = (struct inspect_profile){.slot = (uint16_t)letter->cursor};
		if (worker == 0 && letter->cursor == 0) {
			row->profile = (struct backend_profile){
					.mss = 1400,
					.window = 65160,
					.wscale = 9,
					.scales = LEARNED_YES,
					.sack = LEARNED_YES,
					.timestamps = LEARNED_NO,
					.drift = 4000000000,
					.learned_at = 5,
					.refused_at = 4,
			};
			row->learned_ago_ms = 2500;
			row->refused_ago_ms = 2600;
			row->probe = (struct backend_probe){.sent_at = 3,
					.answered_at = 5,
					.answers = 4000000001,
					.failures = 7};
			row->probed_ago_ms = 2501;
		}
		letter->count++;
	}
	letter->more = letter->cursor < 3;
}

static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	struct registry_world *w = context;

	w->asked++;
	if (w->is_silent[worker])
		return false;
	if (letter->kind == INSPECT_PROFILES) {
		answer_profiles(worker, letter);
		return true;
	}
	if (letter->kind != INSPECT_TUPLE) {
		answer_list(worker, letter);
		letter->affected = 7;
		return true;
	}
	for (unsigned i = 0; i < desk_row_counts[worker]; i++) {
		if (tuple_is_equal(&desk_rows[worker][i].tuple, &letter->tuple))
			letter->rows[letter->count++] = desk_rows[worker][i];
	}
	letter->last_reason = desk_remembered_reason;
	letter->last_ago_ms = 1500;
	return true;
}

struct desk
desk_open(void)
{
	struct desk desk = {.world = registry_world_new(WEB "," MAIL "," VPN, NULL)};

	desk.world->registry.env.ask = ask;
	desk.env = (struct command_env){.registry = &desk.world->registry,
			.history = history_new(&desk.world->registry)};
	desk_row_counts[0] = desk_row_counts[1] = 0;
	desk_remembered_reason = REASON_NONE;
	return desk;
}

void
desk_close(struct desk *desk)
{
	json_decref(desk->reply);
	history_free(desk->env.history);
	registry_world_free(desk->world);
}

const json_t *
desk_run(struct desk *desk, const char *request)
{
	char text[1024];
	size_t length = strlen(request);

	assert_true(length < sizeof(text));
	for (size_t i = 0; i <= length; i++)
		text[i] = request[i] == '\'' ? '"' : request[i];
	json_decref(desk->reply);
	desk->reply = command_run(&desk->env, text, length, desk->world->now);
	assert_int_equal(json_integer_value(json_object_get(desk->reply, "version")), 1);
	return desk->reply;
}

const json_t *
desk_result(struct desk *desk, const char *request)
{
	const json_t *reply = desk_run(desk, request);

	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s: %s", request, json_dumps(reply, 0));
	return json_object_get(reply, "result");
}

void
desk_expect_refused(struct desk *desk, const char *request, const char *words)
{
	const json_t *reply = desk_run(desk, request);
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (!json_is_false(json_object_get(reply, "ok")) || error == NULL ||
			strstr(error, words) == NULL)
		fail_msg("%s: %s", request, json_dumps(reply, 0));
}

const char *
text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "null";
}

json_int_t
number_at(const json_t *object, const char *key)
{
	if (!json_is_integer(json_object_get(object, key)))
		fail_msg("no number %s", key);
	return json_integer_value(json_object_get(object, key));
}

bool
has_line(const json_t *lines, const char *words)
{
	const json_t *line;
	size_t index;

	json_array_foreach(lines, index, line)
	{
		if (strstr(json_string_value(line), words) != NULL)
			return true;
	}
	return false;
}

struct inspect_row
desk_row(uint8_t x, const char *state)
{
	return (struct inspect_row){
			.tuple = {.client = {.bytes = {[10] = 0xff,
							     [11] = 0xff,
							     [12] = 10,
							     [13] = 1,
							     [15] = x}},
					.backend = {.bytes = {[10] = 0xff,
								    [11] = 0xff,
								    [12] = 10,
								    [15] = 2}},
					.client_port = 40000,
					.backend_port = 80,
					.family = FAMILY_IP4},
			.state = state,
			.age_ms = 250,
			.due_ms = 750,
			.repeats = 1,
			.mss = 1460,
			.wscale = 7,
			.sack_permitted = true,
			.reason = REASON_syn_queued,
	};
}
