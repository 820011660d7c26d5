/* SPDX-License-Identifier: BSD-3-Clause */
/* Put together from what commands answer, so that both always say the same. */
#include "control/telemetry_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number of the first one of a page; false for anything but digits. */
static bool
from_read(const char *parameter, uint64_t *from)
{
	char *end;

	*from = 0;
	if (parameter[0] == '\0')
		return true;
	if (parameter[0] < '0' || parameter[0] > '9')
		return false;
	errno = 0;
	*from = strtoull(parameter, &end, 10);
	return *end == '\0' && errno == 0;
}

/* The result of a command without keys, or with that backend. A new reference, or NULL. */
static json_t *
result_of(const struct command_env *env, const char *command, const char *backend, ticks_t now)
{
	json_t *request = json_pack("{s:s, s:s*}", "command", command, "backend", backend);
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	json_t *reply = text != NULL ? command_run(env, text, strlen(text), now) : NULL;
	json_t *result = json_incref(json_object_get(reply, "result"));

	json_decref(reply);
	json_decref(request);
	free(text);
	return result;
}

static json_t *
backends_answer(const struct registry *registry, uint64_t from)
{
	json_t *names = json_array();
	uint64_t number = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		char name[REGISTRY_NAME_BYTES];

		if (registry->slots[i].use == SLOT_FREE)
			continue;
		if (number >= from && number - from < TELEMETRY_PAGE_BACKENDS) {
			registry_name(registry, &registry->slots[i], name);
			json_array_append_new(names, json_string(name));
		}
		number++;
	}
	return json_pack("{s:I, s:I, s:o*}", "backends", (json_int_t)number, "from",
			(json_int_t)from, "names", names);
}

/* The row of ss without what is a container in it (DPDK has the backend at one level), and the
 * counters of netstat. */
static json_t *
backend_answer(const struct command_env *env, const char *name, ticks_t now)
{
	json_t *rows = result_of(env, "ss", name, now);
	json_t *netstat = result_of(env, "netstat", name, now);
	json_t *answer = json_incref(json_array_get(rows, 0));

	json_object_update(answer, json_object_get(json_object_get(netstat, "backends"), name));
	json_object_del(answer, "waiting_ms");
	json_object_del(answer, "waits");
	if (json_is_null(json_object_get(answer, "drain_left_s")))
		json_object_del(answer, "drain_left_s");
	json_decref(rows);
	json_decref(netstat);
	return answer;
}

/* Moves the members of a nested object up: DPDK 22.11 writes a dictionary within a dictionary, but
 * none within that. */
static void
flatten(json_t *object, const char *nested)
{
	json_t *inner = json_incref(json_object_get(object, nested));
	json_t *member;
	const char *name;

	json_object_foreach(inner, name, member)
	{
		char text[64];

		snprintf(text, sizeof(text), "%s_%s", nested, name);
		json_object_set(object, text, member);
	}
	json_object_del(object, nested);
	json_decref(inner);
}

static json_t *
workers_answer(const struct registry *registry, uint64_t from)
{
	json_t *workers = stats_workers(registry);
	json_t *answer = json_pack("{s:I}", "workers", (json_int_t)json_array_size(workers));
	json_t *worker;
	size_t index;

	json_array_foreach(workers, index, worker)
	{
		char number[24];

		if (index < from || index - from >= TELEMETRY_PAGE_WORKERS)
			continue;
		flatten(worker, "received");
		if (json_is_null(json_object_get(worker, "busy_percent")))
			json_object_del(worker, "busy_percent");
		snprintf(number, sizeof(number), "%zu", index);
		json_object_set(answer, number, worker);
	}
	json_decref(workers);
	return answer;
}

static json_t *
ports_answer(const struct command_env *env)
{
	json_t *appliance = env->appliance != NULL ? env->appliance(env->context) : NULL;
	json_t *answer = json_incref(json_object_get(appliance, "ports"));

	json_object_set(answer, "mbufs", json_object_get(appliance, "mbufs"));
	json_object_set(answer, "steered", json_object_get(appliance, "steered"));
	json_decref(appliance);
	return answer;
}

json_t *
telemetry_answer(const struct command_env *env, enum telemetry_question question,
		const char *parameter, ticks_t now)
{
	uint64_t from = 0;

	switch (question) {
	case TELEMETRY_BACKENDS:
		return from_read(parameter, &from) ? backends_answer(env->registry, from) : NULL;
	case TELEMETRY_BACKEND:
		return backend_answer(env, parameter, now);
	case TELEMETRY_WORKERS:
		return from_read(parameter, &from) ? workers_answer(env->registry, from) : NULL;
	case TELEMETRY_REASONS:
		return stats_reasons(env->registry);
	case TELEMETRY_PORTS:
		return ports_answer(env);
	}
	return NULL;
}
