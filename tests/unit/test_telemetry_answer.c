/* SPDX-License-Identifier: BSD-3-Clause */
/* What DPDK's telemetry is told: the same as the control socket, flat, and in pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/telemetry_answer.h"
#include "desk.h"

/* Arrays of strings alone. */
static void
expect_strings(const json_t *array)
{
	const json_t *value;
	size_t index;

	json_array_foreach(array, index, value) assert_true(json_is_string(value));
}

/* Objects of plain values, or one level deeper; nothing that DPDK's format has no word for. */
static void
expect_plain(const json_t *object, unsigned levels)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)object, name, value)
	{
		assert_false(json_is_null(value));
		assert_true(!json_is_object(value) || levels > 1);
		assert_int_equal(
				strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
					     "0123456789"),
				strlen(name));
		if (json_is_object(value))
			expect_plain(value, levels - 1);
		expect_strings(value);
	}
}

static json_t *
answer(struct desk *desk, enum telemetry_question question, const char *parameter)
{
	json_t *object = telemetry_answer(&desk->env, question, parameter, desk->world->now);

	if (object != NULL)
		expect_plain(object, 2);
	return object;
}

/* 1. Names, whole or from a number on. */
static void
test_backends(void **state)
{
	static const struct {
		const char *from;
		unsigned names;
	} cases[] = {{"", 3}, {"0", 3}, {"2", 1}, {"3", 0}, {"18446744073709551615", 0}};
	struct desk desk = desk_open();

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		json_t *object = answer(&desk, TELEMETRY_BACKENDS, cases[i].from);
		const json_t *names = json_object_get(object, "names");

		assert_int_equal(json_array_size(names), cases[i].names);
		assert_int_equal(number_at(object, "backends"), 3);
		if (cases[i].names == 1)
			assert_string_equal(json_string_value(json_array_get(names, 0)), "vpn");
		json_decref(object);
	}
	assert_null(answer(&desk, TELEMETRY_BACKENDS, "x"));
	assert_null(answer(&desk, TELEMETRY_BACKENDS, "-1"));
	assert_null(answer(&desk, TELEMETRY_BACKENDS, "99999999999999999999"));
	desk_close(&desk);
}

/* 2. One backend: its line of ss, and its counters. */
static void
test_backend(void **state)
{
	struct desk desk = desk_open();
	json_t *object;
	const json_t *value;
	const char *name;

	(void)state;
	desk.world->counters[1][1].values[COUNTER_SyncookiesSent] = 42;
	desk.world->shared[1].accept = 5;
	object = answer(&desk, TELEMETRY_BACKEND, "mail");
	assert_non_null(object);
	assert_string_equal(text_at(object, "backend"), "mail");
	assert_string_equal(text_at(object, "state"), "LISTEN");
	assert_int_equal(number_at(object, "recv_q"), 5);
	assert_int_equal(number_at(object, "SyncookiesSent"), 42);
	json_object_foreach(object, name, value)
	{
		if (json_is_object(value) || json_is_array(value))
			fail_msg("%s is a container", name);
	}
	json_decref(object);
	assert_null(answer(&desk, TELEMETRY_BACKEND, "none"));
	assert_null(answer(&desk, TELEMETRY_BACKEND, ""));
	assert_null(answer(&desk, TELEMETRY_BACKEND, "\xff\"}"));
	desk_close(&desk);
}

/* 3. Workers by number, reasons by name; ports only where there is an appliance. */
static void
test_others(void **state)
{
	struct desk desk = desk_open();
	json_t *object;

	(void)state;
	desk.world->worker_counters[1].received[SIDE_CLIENT] = 17;
	desk.world->worker_counters[0].reasons[REASON_spliced] = 4;
	desk.world->worker_counters[1].reasons[REASON_spliced] = 5;
	object = answer(&desk, TELEMETRY_WORKERS, "");
	assert_int_equal(number_at(object, "workers"), WORLD_WORKERS);
	assert_int_equal(number_at(json_object_get(object, "1"), "received_client"), 17);
	json_decref(object);
	object = answer(&desk, TELEMETRY_WORKERS, "1");
	assert_null(json_object_get(object, "0"));
	assert_non_null(json_object_get(object, "1"));
	json_decref(object);
	object = answer(&desk, TELEMETRY_REASONS, "");
	assert_int_equal(number_at(object, "spliced"), 9);
	assert_int_equal(json_object_size(object), REASON_COUNT - 1);
	json_decref(object);
	assert_null(answer(&desk, TELEMETRY_PORTS, ""));
	desk_close(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_backends),
			cmocka_unit_test(test_backend),
			cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
