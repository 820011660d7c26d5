/* SPDX-License-Identifier: BSD-3-Clause */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t
sample_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The result within a reply of the right shape: a new reference. */
static json_t *
result_read(const struct connection_reply *reply, char type, char *problem, size_t problem_size)
{
	json_error_t error;
	json_t *object = json_loadb(reply->text, reply->length, 0, &error);
	json_t *result = json_object_get(object, "result");
	const char *refused = json_string_value(json_object_get(object, "error"));

	if (type == '[' ? json_is_array(result) : json_is_object(result)) {
		json_incref(result);
	} else {
		snprintf(problem, problem_size, "the appliance answered: %.300s",
				refused != NULL ? refused : "nothing of use");
		result = NULL;
	}
	json_decref(object);
	return result;
}

static enum sample_outcome
ask(struct connection *connection, const char *command, char type, json_t **result, char *problem,
		size_t problem_size)
{
	struct connection_reply reply;
	char line[128];
	const int length = snprintf(
			line, sizeof(line), "{\"version\": 1, \"command\": %s}\n", command);

	switch (connection_ask(connection, line, (size_t)length, &reply)) {
	case CONNECTION_OK:
		*result = result_read(&reply, type, problem, problem_size);
		free(reply.text);
		return *result != NULL ? SAMPLE_TAKEN : SAMPLE_FAILED;
	case CONNECTION_WOKEN:
		return SAMPLE_WOKEN;
	case CONNECTION_FAILED:
	default:
		snprintf(problem, problem_size, "%s", reply.problem);
		return SAMPLE_FAILED;
	}
}

/* The rows' counters, where the rates look for them. */
static void
backends_fill(struct sample *sample)
{
	json_t *backends, *row;
	size_t i;

	if (json_object_get(sample->stats, "backends") != NULL)
		return;
	backends = json_object();
	json_array_foreach(sample->ss, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "backend"));

		if (name != NULL)
			json_object_set(backends, name, json_object_get(row, "counters"));
		json_object_del(row, "counters");
	}
	json_object_set_new(sample->stats, "backends", backends);
}

enum sample_outcome
sample_take(struct sample *sample, struct connection *connection, struct sample_scope scope,
		char *problem, size_t problem_size)
{
	const int64_t began = sample_clock_ms();
	char ss[96];
	struct {
		const char *command;
		char type;
		json_t **result;
	} const wanted[] = {
			{"\"ping\"", '{', &sample->ping},
			{ss, '[', &sample->ss},
			{"\"doctor\"", '{', &sample->doctor},
			{"\"stats\", \"backends\": 0", '{', &sample->stats},
	};

	snprintf(ss, sizeof(ss), "\"ss\", \"counters\": 1, \"first\": %u, \"fullest\": %u",
			scope.first, scope.fullest);
	*sample = (struct sample){.at_ms = began};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		enum sample_outcome outcome = ask(connection, wanted[i].command, wanted[i].type,
				wanted[i].result, problem, problem_size);

		if (outcome != SAMPLE_TAKEN) {
			sample_free(sample);
			return outcome;
		}
	}
	backends_fill(sample);
	sample->at_ms = sample_clock_ms();
	sample->took_ms = sample->at_ms - began;
	return SAMPLE_TAKEN;
}

size_t
sample_backends(const struct sample *sample)
{
	const json_t *count = json_object_get(sample->ping, "backends");

	return json_is_integer(count) && json_integer_value(count) >= 0
			       ? (size_t)json_integer_value(count)
			       : json_array_size(sample->ss);
}

void
sample_free(struct sample *sample)
{
	json_decref(sample->ping);
	json_decref(sample->ss);
	json_decref(sample->stats);
	json_decref(sample->doctor);
	sample->ping = sample->ss = sample->stats = sample->doctor = NULL;
}

void
sample_keep_counters(struct sample *sample)
{
	json_decref(sample->ss);
	json_decref(sample->doctor);
	sample->ss = sample->doctor = NULL;
}

int64_t
sample_rest_ms(int64_t took_ms)
{
	const int64_t rest_ms = took_ms * (SAMPLE_DUTY - 1);

	return rest_ms < SAMPLE_REST_MS_MAX ? rest_ms : SAMPLE_REST_MS_MAX;
}

int64_t
count_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

double
rate_at(const json_t *now, const json_t *before, const char *key, double seconds)
{
	const json_t *past = json_object_get(before, key);
	const int64_t grown = count_at(now, key) - json_integer_value(past);

	return json_is_integer(past) && grown > 0 && seconds > 0 ? (double)grown / seconds : 0;
}
