/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The desk between DPDK's telemetry threads and the control thread, with threads of both kinds.
 * Also run under ThreadSanitizer.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "desk.h"
#include "telemetry.h"

enum { ASKERS = 4, QUESTIONS = 200 };

struct asker {
	pthread_t thread;
	unsigned index;
	unsigned right, refused;
};

static void *
ask(void *argument)
{
	static const char *const names[] = {"web", "mail", "vpn", "none"};
	struct asker *asker = argument;

	for (unsigned i = 0; i < QUESTIONS; i++) {
		const char *name = names[(asker->index + i) % ARRAY_COUNT(names)];
		json_t *answer = telemetry_ask(TELEMETRY_BACKEND, name);

		if (answer == NULL)
			asker->refused++;
		else
			asker->right += strcmp(text_at(answer, "backend"), name) == 0;
		json_decref(answer);
	}
	return NULL;
}

static void
askers_start(struct asker askers[ASKERS])
{
	for (unsigned i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){.index = i};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
	}
}

/* 1. Everybody gets the answer to his own question, while the control thread goes on changing what
 * it answers from. */
static void
test_own_answers(void **state)
{
	struct asker askers[ASKERS];
	struct desk desk = desk_open();
	unsigned answered = 0;

	(void)state;
	telemetry_open(&desk.env);
	askers_start(askers);
	while (answered < ASKERS * QUESTIONS) {
		struct pollfd waiting = {.fd = telemetry_fd(), .events = POLLIN};

		assert_int_equal(poll(&waiting, 1, 10000), 1);
		desk.world->now++;
		telemetry_serve(desk.world->now);
		answered++;
		if (answered % 100 == 0)
			registry_world_reload(desk.world);
	}
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].right, QUESTIONS * 3 / 4);
		assert_int_equal(askers[i].refused, QUESTIONS / 4);
	}
	telemetry_close();
	desk_close(&desk);
}

/* 2. Closed under questions: they end, as do all later ones, and nobody looks at the desk's owner
 * any more. */
static void
test_close(void **state)
{
	struct asker askers[ASKERS];
	struct desk desk = desk_open();
	struct pollfd waiting;

	(void)state;
	telemetry_open(&desk.env);
	askers_start(askers);
	waiting = (struct pollfd){.fd = telemetry_fd(), .events = POLLIN};
	assert_int_equal(poll(&waiting, 1, 10000), 1);
	telemetry_close();
	desk_close(&desk);
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].refused, QUESTIONS);
	}
	assert_int_equal(telemetry_fd(), -1);
}

/* 3. Parameters of any length and none. */
static void
test_parameters(void **state)
{
	char text[4096];

	(void)state;
	assert_null(telemetry_ask(TELEMETRY_BACKENDS, ""));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_null(telemetry_ask(TELEMETRY_BACKEND, text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_own_answers),
			cmocka_unit_test(test_close),
			cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
