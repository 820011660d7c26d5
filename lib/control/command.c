/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From text to a command and back. Nothing of a request is trusted: what an error message shows of
 * it is shortened, and bytes that are not printable ASCII are written as \xNN.
 */
#include "control/command.h"

#include <stdio.h>
#include <string.h>

#include "control/command_request.h"
#include "control/command_text.h"
#include "control/word.h"

#define KEYS_MAX 6

enum command_kind {
	COMMAND_READS, /* what workers and control thread have in memory */
	COMMAND_ACTS,  /* changes something, or reads files */
};

static const struct command {
	const char *name;
	command_function *run;
	enum command_kind kind;
	const char *keys[KEYS_MAX]; /* besides version and command; ended by NULL */
} commands[] = {
		{"ping", command_ping, COMMAND_READS, {NULL}},
		{"ss", command_ss, COMMAND_READS,
				{"backend", "first", "fullest", "counters", NULL}},
		{"syn-recv", command_syn_recv, COMMAND_READS,
				{"backend", "client", "state", "limit", "cursor", NULL}},
		{"established", command_established, COMMAND_READS,
				{"backend", "client", "state", "limit", "cursor", NULL}},
		{"profile", command_profile, COMMAND_READS, {"backend", "limit", "cursor", NULL}},
		{"netstat", command_netstat, COMMAND_READS, {"backend", NULL}},
		{"stats", command_stats, COMMAND_READS, {"backends", NULL}},
		{"explain", command_explain, COMMAND_READS, {"client", "backend", "vlan", NULL}},
		{"doctor", command_doctor, COMMAND_READS, {NULL}},
		{"set", command_set, COMMAND_ACTS, {"backend", "key", "value", NULL}},
		{"reload", command_reload, COMMAND_ACTS, {"drain_deadline_s", NULL}},
		{"check", command_check, COMMAND_ACTS, {NULL}},
		{"flush", command_flush, COMMAND_ACTS, {"backend", NULL}},
};

static json_t *
refuse_unknown(struct request *request, const char *name)
{
	const char *nearest = NULL;
	unsigned nearest_distance = UINT32_MAX;

	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		unsigned distance = word_distance(name, commands[i].name);

		if (distance < nearest_distance) {
			nearest = commands[i].name;
			nearest_distance = distance;
		}
	}
	if (nearest != NULL)
		return request_refuse(
				request, "unknown command \"%.48s\"; nearest: %s", name, nearest);
	request_refuse(request, "unknown command \"%.48s\"; there are", name);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		size_t used = strlen(request->error);

		snprintf(request->error + used, sizeof(request->error) - used, "%s %s",
				i == 0 ? "" : ",", commands[i].name);
	}
	return NULL;
}

static bool
has_key(const struct command *command, const char *key)
{
	if (strcmp(key, "version") == 0 || strcmp(key, "command") == 0)
		return true;
	for (unsigned i = 0; command->keys[i] != NULL; i++) {
		if (strcmp(command->keys[i], key) == 0)
			return true;
	}
	return false;
}

static bool
keys_are_known(struct request *request, const struct command *command)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)request->object, key, value)
	{
		if (has_key(command, key))
			continue;
		request_refuse(request, "unknown key \"%.48s\"; \"%s\" takes version, command", key,
				command->name);
		for (unsigned i = 0; command->keys[i] != NULL; i++) {
			size_t used = strlen(request->error);

			snprintf(request->error + used, sizeof(request->error) - used, ", %s",
					command->keys[i]);
		}
		return false;
	}
	return true;
}

static json_t *
request_run(struct request *request)
{
	const char *name;
	json_int_t version;

	if (!json_is_object(request->object))
		return request_refuse(request, "a request is one JSON object");
	if (!request_integer(request, "version", COMMAND_VERSION, COMMAND_VERSION, COMMAND_VERSION,
			    &version) ||
			!request_string(request, "command", true, &name))
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, name) != 0)
			continue;
		if (command->kind == COMMAND_ACTS && request->env->reads_only)
			return request_refuse(request,
					"\"%s\" is not for this socket, which only reads", name);
		return keys_are_known(request, command) ? command->run(request) : NULL;
	}
	return refuse_unknown(request, name);
}

static json_t *
refusal(const char *error, json_t *errors)
{
	json_t *text = plain_json(error, strlen(error));

	if (errors == NULL)
		return json_pack("{s:i, s:b, s:o}", "version", COMMAND_VERSION, "ok", 0, "error",
				text);
	return json_pack("{s:i, s:b, s:o, s:o}", "version", COMMAND_VERSION, "ok", 0, "error", text,
			"errors", errors);
}

json_t *
command_refusal(const char *error)
{
	return refusal(error, NULL);
}

json_t *
command_run(const struct command_env *env, const char *text, size_t length, ticks_t now)
{
	struct request request = {.env = env, .now = now};
	json_error_t error;
	json_t *object, *result = NULL;

	if (length > COMMAND_REQUEST_BYTES)
		return command_refusal("request larger than 65536 bytes");
	object = json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	request.object = object;
	if (object != NULL)
		result = request_run(&request);
	else
		request_refuse(&request, "not JSON: %s (column %d)", error.text, error.column);
	json_decref(object);
	if (result != NULL) {
		json_decref(request.errors);
		return json_pack("{s:i, s:b, s:o}", "version", COMMAND_VERSION, "ok", 1, "result",
				result);
	}
	if (request.error[0] != '\0')
		return refusal(request.error, request.errors);
	json_decref(request.errors);
	return command_refusal("out of memory");
}
