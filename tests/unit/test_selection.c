/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings narrowed to what a reader with little room can show: by name, the first ones, and the
 * fullest of the others, against a naive twin that sorts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"

enum { LEVELS = 4 };

/* One of each kind of share: none, half of the accept ring, more than half of the syn queue, full.
 */
static const uint32_t levels[LEVELS][2] = {{0, 0}, {50, 0}, {7, 60}, {300, 0}};
static const unsigned rank_of_level[LEVELS] = {0, 1, 2, 3};

static struct desk
crowd_open(void)
{
	struct desk desk = desk_open();

	registry_world_write(desk.world, WEB ", " MAIL ", " VPN ", " NEWS,
			", 'queues': {'somaxconn': 100}");
	registry_world_reload(desk.world);
	return desk;
}

/* A bit for each backend that the twin would list: takes the fullest that is left, the earlier of
 * two. */
static unsigned
naive(const unsigned level[WORLD_SLOTS], unsigned first, unsigned fullest)
{
	unsigned chosen = 0;

	for (unsigned i = 0; i < first && i < WORLD_SLOTS; i++)
		chosen |= 1U << i;
	for (unsigned n = 0; n < fullest; n++) {
		unsigned best = WORLD_SLOTS;

		for (unsigned i = 0; i < WORLD_SLOTS; i++) {
			if (chosen & 1U << i)
				continue;
			if (best == WORLD_SLOTS ||
					rank_of_level[level[i]] > rank_of_level[level[best]])
				best = i;
		}
		if (best < WORLD_SLOTS)
			chosen |= 1U << best;
	}
	return chosen;
}

static void
check(struct desk *desk, const unsigned level[WORLD_SLOTS], unsigned first, unsigned fullest)
{
	static const char *const names[] = {"web", "mail", "vpn", "news"};
	const unsigned wanted = naive(level, first, fullest);
	char request[100];
	const json_t *list;
	size_t n = 0;

	snprintf(request, sizeof(request), "{'command': 'ss', 'first': %u, 'fullest': %u}", first,
			fullest);
	list = desk_result(desk, request);
	for (unsigned i = 0; i < WORLD_SLOTS; i++) {
		if (wanted & 1U << i)
			assert_string_equal(
					text_at(json_array_get(list, n++), "backend"), names[i]);
	}
	assert_int_equal(json_array_size(list), n);
}

/* 1. Every load of four backends, and every number of rows. */
static void
test_every_choice(void **state)
{
	struct desk desk = crowd_open();

	(void)state;
	for (unsigned code = 0; code < LEVELS * LEVELS * LEVELS * LEVELS; code++) {
		unsigned level[WORLD_SLOTS];

		for (unsigned i = 0, rest = code; i < WORLD_SLOTS; i++, rest /= LEVELS) {
			level[i] = rest % LEVELS;
			desk.world->shared[i].accept = levels[level[i]][0];
			desk.world->shared[i].syn = levels[level[i]][1];
		}
		for (unsigned n = 0; n < 25; n++)
			check(&desk, level, n / 5, n % 5);
	}
	desk_close(&desk);
}

/* 2. One key alone, a name beside them, more than there are, numbers that are none. */
static void
test_keys(void **state)
{
	struct desk desk = crowd_open();

	(void)state;
	assert_int_equal(json_array_size(desk_result(&desk, "{'command': 'ss', 'first': 2}")), 2);
	assert_int_equal(json_array_size(desk_result(&desk, "{'command': 'ss', 'fullest': 3}")), 3);
	assert_int_equal(json_array_size(desk_result(&desk,
					 "{'command': 'ss', 'first': 65535, 'fullest': 65535}")),
			4);
	assert_int_equal(json_array_size(desk_result(
					 &desk, "{'command': 'ss', 'first': 0, 'backend': 'vpn'}")),
			1);
	desk_expect_refused(&desk, "{'command': 'ss', 'first': -1}", "\"first\"");
	desk_expect_refused(&desk, "{'command': 'ss', 'fullest': 65536}", "0..65535");
	desk_expect_refused(&desk, "{'command': 'ss', 'fullest': '5'}", "\"fullest\"");
	desk_expect_refused(&desk, "{'command': 'ss', 'counters': 2}", "\"counters\"");
	desk_expect_refused(&desk, "{'command': 'stats', 'backends': 2}", "\"backends\"");
	desk_close(&desk);
}

/* 3. A row's counters, and stats without the backends', are what stats has otherwise. */
static void
test_counters_of_rows(void **state)
{
	struct desk desk = crowd_open();
	json_t *all, *own;
	const json_t *row;

	(void)state;
	desk.world->counters[0][1].values[COUNTER_ListenDrops] = 3;
	desk.world->counters[1][1].values[COUNTER_ListenDrops] = 4;
	desk.world->shared[1].accept = 9;
	all = json_deep_copy(desk_result(&desk, "{'command': 'stats'}"));
	own = json_deep_copy(json_object_get(json_object_get(all, "backends"), "mail"));
	assert_int_equal(number_at(own, "ListenDrops"), 7);
	row = json_array_get(
			desk_result(&desk, "{'command': 'ss', 'counters': 1, 'fullest': 1}"), 0);
	assert_string_equal(text_at(row, "backend"), "mail");
	assert_true(json_equal(json_object_get(row, "counters"), own));
	row = json_array_get(desk_result(&desk, "{'command': 'ss', 'fullest': 1}"), 0);
	assert_null(json_object_get(row, "counters"));
	json_object_del(all, "backends");
	assert_true(json_equal(desk_result(&desk, "{'command': 'stats', 'backends': 0}"), all));
	assert_int_equal(number_at(desk_result(&desk, "{'command': 'ping'}"), "backends"), 4);
	json_decref(own);
	json_decref(all);
	desk_close(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_choice),
			cmocka_unit_test(test_keys),
			cmocka_unit_test(test_counters_of_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
