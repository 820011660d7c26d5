/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes from the socket is checked before it is believed, and cleaned before it is printed. */
#include "session.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "text.h"

#define PROTOCOL_VERSION 1

json_t *
session_request(const char *command)
{
	json_t *request = json_pack("{s:i, s:s}", "version", PROTOCOL_VERSION, "command", command);

	ENSURE(request != NULL);
	return request;
}

__attribute__((format(printf, 2, 3))) static void
set_unreachable(struct answer *answer, const char *format, ...)
{
	va_list arguments;

	answer->outcome = ANSWER_UNREACHABLE;
	va_start(arguments, format);
	vsnprintf(answer->problem, sizeof(answer->problem), format, arguments);
	va_end(arguments);
}

/* Makes sense of a reply, or says that it makes none. */
static void
reply_read(const struct session *session, const json_t *reply, struct answer *answer)
{
	const char *path = session->connection.path;
	const json_t *version = json_object_get(reply, "version");
	const json_t *ok = json_object_get(reply, "ok");
	json_t *result = json_object_get(reply, "result");
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (version != NULL && json_integer_value(version) != PROTOCOL_VERSION) {
		set_unreachable(answer, "%.200s: speaks another version of the protocol", path);
	} else if (json_is_true(ok) && result != NULL) {
		answer->outcome = ANSWER_OK;
		answer->result = json_incref(result);
	} else if (json_is_false(ok) && error != NULL) {
		answer->outcome = ANSWER_REFUSED;
		answer->errors = json_incref(json_object_get(reply, "errors"));
		snprintf(answer->problem, sizeof(answer->problem), "%s", error);
	} else {
		set_unreachable(answer, "%.200s: the answer is no reply of an appliance", path);
	}
}

/* The request, which it takes over, as a line for free(). */
static char *
request_line(json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	char *line = NULL;

	ENSURE(text != NULL && asprintf(&line, "%s\n", text) > 0);
	free(text);
	json_decref(request);
	return line;
}

void
session_try(struct session *session, json_t *request, struct answer *answer)
{
	char *text = request_line(request);
	struct connection_reply reply;
	json_error_t error;
	json_t *json;

	*answer = (struct answer){.outcome = ANSWER_UNREACHABLE};
	switch (connection_ask(&session->connection, text, strlen(text), &reply)) {
	case CONNECTION_OK:
		json = json_loadb(reply.text, reply.length, 0, &error);
		if (json_is_object(json))
			reply_read(session, json, answer);
		else
			set_unreachable(answer, "%.200s: the answer is no JSON object%s%.200s",
					session->connection.path, json == NULL ? ": " : "",
					json == NULL ? error.text : "");
		json_decref(json);
		break;
	case CONNECTION_FAILED:
		set_unreachable(answer, "%s", reply.problem);
		break;
	case CONNECTION_WOKEN:
		answer->outcome = ANSWER_WOKEN;
		break;
	}
	free(reply.text);
	free(text);
}

void
answer_fini(struct answer *answer)
{
	json_decref(answer->result);
	json_decref(answer->errors);
	answer->result = answer->errors = NULL;
}

json_t *
session_ask(struct session *session, json_t *request)
{
	struct answer answer;
	json_t *result;

	session_try(session, request, &answer);
	if (answer.outcome != ANSWER_OK)
		session_fail(session, STATUS_REFUSED, answer.errors, "%s", answer.problem);
	result = json_incref(answer.result);
	answer_fini(&answer);
	return result;
}

json_t *
session_ask_for(struct session *session, json_t *request, json_type type)
{
	json_t *result = session_ask(session, request);

	if (result == NULL || json_typeof(result) == type)
		return result;
	json_decref(result);
	session_fail(session, STATUS_REFUSED, NULL, "%.200s: the result is of the wrong type",
			session->connection.path);
	return NULL;
}

static const char *
string_at(const json_t *array, size_t index)
{
	const char *text = json_string_value(json_array_get(array, index));

	return text != NULL ? text : "";
}

bool
session_is_json(const struct session *session)
{
	return options_has(session->options, OPTION_JSON);
}

enum status
session_fail(const struct session *session, enum status status, json_t *errors, const char *format,
		...)
{
	char problem[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	fflush(stdout);
	fputs("sluicectl: ", stderr);
	text_print(stderr, problem);
	fputc('\n', stderr);
	/* A single error is the message itself. */
	if (json_array_size(errors) != 1 || strcmp(problem, string_at(errors, 0)) != 0)
		session_print_lines(stderr, errors);
	if (session_is_json(session)) {
		json_t *object = json_object();

		/* A message cut within a character is no UTF-8 any more, which jansson refuses. */
		if (json_object_set_new(object, "error", json_string(problem)) != 0)
			json_object_set_new(object, "error", json_string("failed"));
		if (errors != NULL)
			json_object_set(object, "errors", errors);
		fputs(session->json_end != NULL ? session->json_end : "", stdout);
		session_print_json(object);
		json_decref(object);
	}
	return status;
}

void
session_print_json(const json_t *value)
{
	session_write_json(value);
	fputc('\n', stdout);
}

void
session_put(json_t *request, const char *key, const char *word)
{
	ENSURE(json_object_set_new(request, key, json_string(word)) == 0);
}

void
session_write_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	ENSURE(text != NULL);
	/* DEL, which JSON lets stand as it is, can only be within a string. */
	for (char *rest = text; *rest != '\0';) {
		const size_t plain = strcspn(rest, "\x7f");

		fwrite(rest, 1, plain, stdout);
		rest += plain;
		if (*rest == '\x7f') {
			fputs("\\u007f", stdout);
			rest++;
		}
	}
	free(text);
}

unsigned
session_print_lines(FILE *out, const json_t *lines)
{
	unsigned count = 0;
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		if (!json_is_string(line))
			continue;
		text_print(out, json_string_value(line));
		fputc('\n', out);
		count++;
	}
	return count;
}
