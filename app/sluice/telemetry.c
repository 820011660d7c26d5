/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A callback has no context argument (before DPDK 24.11), so the one desk is the process's. It has
 * two locks: one for the turn of whoever asks, one for what control thread and asker both touch.
 */
#include "telemetry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_telemetry.h>

#include "say.h"

#define ANSWER_TIMEOUT_S 2

enum desk_state { DESK_FREE, DESK_ASKED, DESK_ANSWERED };

static struct {
	pthread_mutex_t turn; /* held by the thread that asks, all the while */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t answered;
	const struct command_env *env; /* NULL: closed */
	int fd;
	enum desk_state state;
	enum telemetry_question question;
	char parameter[REGISTRY_NAME_BYTES]; /* empty: none */
	json_t *answer;			     /* owned; NULL: refused */
} desk = {
		.turn = PTHREAD_MUTEX_INITIALIZER,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.answered = PTHREAD_COND_INITIALIZER,
		.fd = -1,
};

/* Waits for the answer, with the lock held; NULL when none came or the question is refused. */
static json_t *
answer_wait(void)
{
	struct timespec until;
	json_t *answer;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ANSWER_TIMEOUT_S;
	while (desk.state == DESK_ASKED &&
			pthread_cond_timedwait(&desk.answered, &desk.lock, &until) == 0)
		;
	answer = desk.state == DESK_ANSWERED ? desk.answer : NULL;
	desk.state = DESK_FREE;
	desk.answer = NULL;
	return answer;
}

json_t *
telemetry_ask(enum telemetry_question question, const char *parameter)
{
	json_t *answer = NULL;

	pthread_mutex_lock(&desk.turn);
	pthread_mutex_lock(&desk.lock);
	if (desk.env != NULL && strlen(parameter) < sizeof(desk.parameter)) {
		desk.question = question;
		strcpy(desk.parameter, parameter);
		desk.state = DESK_ASKED;
		if (eventfd_write(desk.fd, 1) == 0)
			answer = answer_wait();
		desk.state = DESK_FREE;
	}
	pthread_mutex_unlock(&desk.lock);
	pthread_mutex_unlock(&desk.turn);
	return answer;
}

static struct rte_tel_data *container_fill(json_t *value);

/* Adds one member; what DPDK's format has no word for becomes a string, or is left out. */
static void
dict_add(struct rte_tel_data *data, const char *name, json_t *value)
{
	struct rte_tel_data *container;
	char number[32];

	switch (json_typeof(value)) {
	case JSON_INTEGER:
		rte_tel_data_add_dict_u64(data, name, (uint64_t)json_integer_value(value));
		break;
	case JSON_STRING:
		rte_tel_data_add_dict_string(data, name, json_string_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		rte_tel_data_add_dict_u64(data, name, json_is_true(value));
		break;
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.3g", json_real_value(value));
		rte_tel_data_add_dict_string(data, name, number);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		container = container_fill(value);
		if (container != NULL)
			rte_tel_data_add_dict_container(data, name, container, 0);
		break;
	case JSON_NULL:
		break;
	}
}

/* Of an array, its strings: DPDK copies from the pointer, whatever it is. */
static void
data_fill(struct rte_tel_data *data, json_t *value)
{
	if (json_is_array(value)) {
		rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
		for (size_t i = 0; i < json_array_size(value); i++) {
			const char *text = json_string_value(json_array_get(value, i));

			if (text != NULL)
				rte_tel_data_add_array_string(data, text);
		}
		return;
	}
	rte_tel_data_start_dict(data);
	for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at))
		dict_add(data, json_object_iter_key(at), json_object_iter_value(at));
}

/* DPDK frees it with what it is put into. NULL when out of memory. */
static struct rte_tel_data *
container_fill(json_t *value)
{
	struct rte_tel_data *data = rte_tel_data_alloc();

	if (data != NULL)
		data_fill(data, value);
	return data;
}

static int
reply(enum telemetry_question question, const char *parameter, struct rte_tel_data *data)
{
	json_t *answer = telemetry_ask(question, parameter != NULL ? parameter : "");

	if (answer == NULL)
		return -1;
	data_fill(data, answer);
	json_decref(answer);
	return 0;
}

/* One function per endpoint, as DPDK wants it; the command is told apart by nothing else. */
static int
take_backends(const char *command, const char *parameter, struct rte_tel_data *data)
{
	(void)command;
	return reply(TELEMETRY_BACKENDS, parameter, data);
}

static int
take_backend(const char *command, const char *parameter, struct rte_tel_data *data)
{
	(void)command;
	return reply(TELEMETRY_BACKEND, parameter, data);
}

static int
take_workers(const char *command, const char *parameter, struct rte_tel_data *data)
{
	(void)command;
	return reply(TELEMETRY_WORKERS, parameter, data);
}

static int
take_reasons(const char *command, const char *parameter, struct rte_tel_data *data)
{
	(void)command;
	return reply(TELEMETRY_REASONS, parameter, data);
}

static int
take_ports(const char *command, const char *parameter, struct rte_tel_data *data)
{
	(void)command;
	return reply(TELEMETRY_PORTS, parameter, data);
}

void
telemetry_open(const struct command_env *env)
{
	const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0) {
		say("telemetry: no descriptor left; its /sluice endpoints won't answer");
		return;
	}
	pthread_mutex_lock(&desk.lock);
	desk.fd = fd;
	desk.env = env;
	pthread_mutex_unlock(&desk.lock);
}

void
telemetry_register(void)
{
	rte_telemetry_register_cmd("/sluice/backends", take_backends,
			"Names of Sluice's backends, 128 at a time. Parameter: number of the first "
			"(optional)");
	rte_telemetry_register_cmd("/sluice/backend", take_backend,
			"Queues, limits and counters of one backend. Parameter: its name");
	rte_telemetry_register_cmd("/sluice/workers", take_workers,
			"CPU, load, pauses and packets of Sluice's workers, 32 at a time. "
			"Parameter: number of the first (optional)");
	rte_telemetry_register_cmd("/sluice/reasons", take_reasons,
			"Packets by the one reason that decided each packet's fate. Takes no "
			"parameters");
	rte_telemetry_register_cmd("/sluice/ports", take_ports,
			"Counters of Sluice's client and server port, and packet buffers. Takes no "
			"parameters");
}

int
telemetry_fd(void)
{
	return desk.fd;
}

void
telemetry_serve(ticks_t now)
{
	eventfd_t rings;

	pthread_mutex_lock(&desk.lock);
	eventfd_read(desk.fd, &rings);
	if (desk.state == DESK_ASKED) {
		desk.answer = telemetry_answer(desk.env, desk.question, desk.parameter, now);
		desk.state = DESK_ANSWERED;
		pthread_cond_signal(&desk.answered);
	}
	pthread_mutex_unlock(&desk.lock);
}

void
telemetry_close(void)
{
	pthread_mutex_lock(&desk.lock);
	desk.env = NULL;
	if (desk.state == DESK_ASKED) {
		desk.state = DESK_ANSWERED;
		pthread_cond_signal(&desk.answered);
	}
	if (desk.fd >= 0)
		close(desk.fd);
	desk.fd = -1;
	pthread_mutex_unlock(&desk.lock);
}
