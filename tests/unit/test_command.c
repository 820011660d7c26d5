/* SPDX-License-Identifier: BSD-3-Clause */
/* Every command of lib/control/README.md, and what is refused, as the control socket sees them.
 * What lists or explains clients is in test_command_rows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "net/tcp_opt.h"

/* 1. What is no request at all, or of no known shape. */
static void
test_malformed(void **state)
{
	static const struct {
		const char *request, *words;
	} cases[] = {
			{"", "not JSON"},
			{"{", "not JSON"},
			{"nonsense", "not JSON"},
			{"{} {}", "not JSON"},
			{"5", "one JSON object"},
			{"['ping']", "one JSON object"},
			{"null", "one JSON object"},
			{"{}", "\"command\" is missing"},
			{"{'command': 5}", "\"command\" must be a string"},
			{"{'command': 'ping', 'command': 'ping'}", "duplicate"},
			{"{'command': 'ping', 'version': 2}", "\"version\" must be 1"},
			{"{'command': 'ping', 'version': '1'}", "\"version\" must be 1"},
			{"{'command': 'ping', 'version': 99999999999999999999}", "not JSON"},
			{"{'command': 'sss'}", "unknown command \"sss\"; nearest: ss"},
			{"{'command': 'estabilshed'}", "nearest: established"},
			{"{'command': 'format my disk'}", "there are ping, ss, syn-recv"},
			{"{'command': ''}", "unknown command"},
			{"{'command': 'ping', 'colour': 1}", "unknown key \"colour\""},
			{"{'command': 'ss', 'backend': 5}", "\"backend\" must be a string"},
			{"{'command': 'ss', 'backend': 'wen'}", "no backend \"wen\"; nearest: web"},
			{"{'command': 'ss', 'backend': ''}", "no backend"},
			{"{'command': 'flush'}", "\"backend\" is missing"},
			{"{'command': '\xff\xfe'}", "not JSON"},
			{"{'command': 'p\\u0000ng'}", "not JSON"},
			{"{'command': 'p\xc3\xa4ng'}", "nearest: ping"},
	};
	struct desk desk = desk_open();

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		desk_expect_refused(&desk, cases[i].request, cases[i].words);
	desk_close(&desk);
}

/* 2. Nesting without end, and a request too long: refused, whatever follows. */
static void
test_huge(void **state)
{
	static char text[COMMAND_REQUEST_BYTES + 1];
	struct desk desk = desk_open();
	const char *error;

	(void)state;
	memset(text, '[', sizeof(text));
	for (unsigned i = 0; i < 2; i++) {
		json_decref(desk.reply);
		desk.reply = command_run(
				&desk.env, text, COMMAND_REQUEST_BYTES + i, desk.world->now);
		error = text_at(desk.reply, "error");
		assert_non_null(strstr(error, i == 0 ? "not JSON" : "larger than 65536"));
	}
	desk_close(&desk);
}

/* 3. ping, before and after a reload that was refused. */
static void
test_ping(void **state)
{
	struct desk desk = desk_open();
	const json_t *ping = desk_result(&desk, "{'version': 1, 'command': 'ping'}");

	(void)state;
	assert_int_equal(number_at(ping, "generation"), 1);
	assert_string_equal(text_at(ping, "config"), desk.world->path);
	assert_true(json_is_null(json_object_get(ping, "last_reload")));
	registry_world_write_text(desk.world, "{");
	desk_expect_refused(&desk, "{'command': 'reload'}", "not JSON");
	assert_int_equal(json_array_size(json_object_get(desk.reply, "errors")), 1);
	desk.world->now += 5 * TICKS_PER_S;
	ping = json_object_get(desk_result(&desk, "{'command': 'ping'}"), "last_reload");
	assert_true(json_is_false(json_object_get(ping, "accepted")));
	assert_int_equal(number_at(ping, "ago_s"), 5);
	assert_non_null(strstr(text_at(ping, "first_error"), "not JSON"));
	desk_close(&desk);
}

/* 4. ss: the queues as they are, mode by syncookies and load, IPv6, one backend alone. */
static void
test_ss(void **state)
{
	struct desk desk = desk_open();
	const json_t *list, *web, *waits, *buckets;

	(void)state;
	desk.world->shared[0].accept = 5;
	desk.world->shared[0].syn = 9;
	desk.world->shared[0].young = 4;
	desk.world->counters[0][0].values[COUNTER_CurrEstab] = 2;
	desk.world->counters[1][0].values[COUNTER_CurrEstab] = 3;
	history_sample(desk.env.history, desk.env.registry, desk.world->now);
	desk.world->counters[1][0].wait[wait_bucket(3000)] = 10;
	desk.world->counters[1][0].wait_us = 30000;
	list = desk_result(&desk, "{'command': 'ss'}");
	assert_int_equal(json_array_size(list), 3);
	web = json_array_get(list, 0);
	assert_string_equal(text_at(web, "backend"), "web");
	assert_string_equal(text_at(web, "state"), "LISTEN");
	assert_string_equal(text_at(web, "local"), "10.0.0.2:80");
	assert_int_equal(number_at(web, "recv_q"), 5);
	waits = json_object_get(web, "waits");
	buckets = json_object_get(waits, "buckets");
	assert_int_equal(number_at(waits, "first_us"), 256);
	assert_int_equal(number_at(waits, "sum_us"), 30000);
	assert_int_equal(json_array_size(buckets), WAIT_BUCKETS);
	assert_int_equal(json_integer_value(json_array_get(buckets, wait_bucket(3000))), 10);
	assert_int_equal(json_integer_value(json_array_get(buckets, 0)), 0);
	assert_int_equal(number_at(web, "send_q"), 4096);
	assert_int_equal(number_at(web, "syn_recv"), 9);
	assert_int_equal(number_at(web, "syn_recv_max"), 4097);
	assert_int_equal(number_at(web, "young"), 4);
	assert_int_equal(number_at(web, "established"), 5);
	assert_string_equal(text_at(web, "mode"), "queue");
	assert_int_equal(number_at(json_object_get(web, "waiting_ms"), "count"), 10);
	assert_true(json_real_value(json_object_get(json_object_get(web, "waiting_ms"), "mean")) ==
			3.0);
	assert_true(json_is_null(json_object_get(web, "drain_left_s")));
	assert_string_equal(text_at(json_array_get(list, 2), "local"), "[2001:db8::9]:443");
	desk_result(&desk, "{'command': 'set', 'backend': 'mail', 'key': 'tcp_syncookies', "
			   "'value': 2}");
	list = desk_result(&desk, "{'command': 'ss', 'backend': 'mail'}");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_at(json_array_get(list, 0), "mode"), "cookie");
	desk_close(&desk);
}

/* 4b. profile: one row per backend and worker; null is what was not learned. */
static void
test_profile(void **state)
{
	static const char *const unknown[] = {"mss", "scales", "wscale", "sack", "timestamps",
			"ecn", "window", "learned_ago_ms", "refused_ago_ms", "source",
			"probed_ago_ms"};
	struct desk desk = desk_open();
	const json_t *array, *row;

	(void)state;
	desk_result(&desk, "{'command': 'set', 'backend': 'mail', 'key': 'profile', 'value': "
			   "'fixed'}");
	array = json_object_get(desk_result(&desk, "{'command': 'profile'}"), "rows");
	assert_int_equal(json_array_size(array), 3 * WORLD_WORKERS);
	row = json_array_get(array, 0);
	assert_string_equal(text_at(row, "backend"), "web");
	assert_string_equal(text_at(row, "profile"), "learn");
	assert_int_equal(number_at(row, "worker"), 0);
	assert_int_equal(number_at(row, "mss"), 1400);
	assert_true(json_is_true(json_object_get(row, "scales")));
	assert_int_equal(number_at(row, "wscale"), 9);
	assert_true(json_is_true(json_object_get(row, "sack")));
	assert_true(json_is_false(json_object_get(row, "timestamps")));
	assert_true(json_is_null(json_object_get(row, "ecn")));
	assert_int_equal(number_at(row, "window"), 65160);
	assert_int_equal(number_at(row, "learned_ago_ms"), 2500);
	assert_int_equal(number_at(row, "refused_ago_ms"), 2600);
	assert_int_equal(number_at(row, "drift"), 4000000000);
	assert_string_equal(text_at(row, "source"), "probe");
	assert_int_equal(number_at(row, "probed_ago_ms"), 2501);
	assert_int_equal(number_at(row, "probe_answers"), 4000000001);
	assert_int_equal(number_at(row, "probe_failures"), 7);
	row = json_array_get(array, 1);
	assert_string_equal(text_at(row, "profile"), "fixed");
	for (unsigned i = 0; i < ARRAY_COUNT(unknown); i++)
		assert_true(json_is_null(json_object_get(row, unknown[i])));
	assert_int_equal(number_at(row, "drift"), 0);

	array = json_object_get(
			desk_result(&desk, "{'command': 'profile', 'backend': 'vpn', 'limit': 1}"),
			"rows");
	assert_int_equal(json_array_size(array), 1);
	assert_string_equal(text_at(json_array_get(array, 0), "backend"), "vpn");
	desk_expect_refused(&desk, "{'command': 'profile', 'backend': 'vnp'}", "no backend");
	desk_expect_refused(&desk, "{'command': 'profile', 'client': '10.0.0.1'}", "client");
	desk_close(&desk);
}

/* 5. set: at once, with the value before; what a file could not say is refused. */
static void
test_set(void **state)
{
	struct desk desk = desk_open();
	const json_t *set =
			desk_result(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog', "
					   "'value': 77}");

	(void)state;
	assert_int_equal(number_at(set, "value"), 77);
	assert_int_equal(number_at(set, "before"), 4096);
	assert_int_equal(number_at(set, "generation"), 2);
	assert_non_null(strstr(text_at(set, "note"), "not saved"));
	assert_int_equal(registry_world_find(desk.world, 2, 80)->backlog, 77);
	set = desk_result(&desk,
			"{'command': 'set', 'backend': 'web', 'key': 'queue_rules', 'value': "
			"'classic'}");
	assert_string_equal(text_at(set, "before"), "linux-6.18");
	assert_string_equal(text_at(set, "value"), "classic");
	desk_expect_refused(&desk,
			"{'command': 'set', 'backend': 'web', 'key': 'backlog', 'value': 0}",
			"out of range");
	desk_expect_refused(&desk,
			"{'command': 'set', 'backend': 'web', 'key': 'backlgo', 'value': 1}",
			"backlog");
	desk_expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog'}",
			"\"value\" is missing");
	desk_expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'value': 1}",
			"\"key\" is missing");
	desk_expect_refused(&desk,
			"{'command': 'set', 'backend': 'no', 'key': 'backlog', 'value': 1}",
			"no backend");
	assert_int_equal(registry_world_find(desk.world, 2, 80)->backlog, 77);
	desk_close(&desk);
}

/* 6. reload and check say what changes; flush says how many it ended. */
static void
test_reload_check_flush(void **state)
{
	struct desk desk = desk_open();
	const json_t *reloaded;

	(void)state;
	desk.world->shared[0].accept = 1;
	registry_world_write(desk.world, MAIL "," NEWS "," VPN, "");
	reloaded = desk_result(&desk, "{'command': 'check'}");
	assert_true(json_array_size(json_object_get(reloaded, "notes")) >= 2);
	assert_int_equal(desk.world->registry.generation, 1);
	reloaded = desk_result(&desk, "{'command': 'reload', 'drain_deadline_s': 30}");
	assert_int_equal(number_at(reloaded, "generation"), 2);
	assert_int_equal(number_at(reloaded, "config_generation"), 2);
	assert_string_equal(
			json_string_value(json_array_get(json_object_get(reloaded, "added"), 0)),
			"news");
	assert_string_equal(
			json_string_value(json_array_get(json_object_get(reloaded, "removed"), 0)),
			"web");
	assert_int_equal(json_array_size(json_object_get(reloaded, "changed")), 0);
	reloaded = json_array_get(desk_result(&desk, "{'command': 'ss', 'backend': 'web~0'}"), 0);
	assert_string_equal(text_at(reloaded, "state"), "DRAIN");
	assert_int_equal(number_at(reloaded, "drain_left_s"), 30);
	reloaded = desk_result(&desk, "{'command': 'flush', 'backend': 'web~0'}");
	assert_int_equal(number_at(reloaded, "ended"), 14);
	assert_true(json_is_true(json_object_get(reloaded, "complete")));
	desk_expect_refused(&desk, "{'command': 'reload', 'drain_deadline_s': -5}", "0..31536000");
	registry_world_write(desk.world, "{}", "");
	desk_expect_refused(&desk, "{'command': 'check'}", "and 2 more");
	assert_int_equal(json_array_size(json_object_get(desk.reply, "errors")), 3);
	desk_close(&desk);
}

static json_t *
appliance(void *context)
{
	(void)context;
	return json_pack("{s:i}", "steered", 12);
}

/* 7. netstat, stats and doctor, with and without what only the appliance knows. */
static void
test_counters(void **state)
{
	struct desk desk = desk_open();
	const json_t *stats;

	(void)state;
	desk.world->counters[1][0].values[COUNTER_ListenDrops] = 3;
	stats = desk_result(&desk, "{'command': 'netstat', 'backend': 'web'}");
	assert_int_equal(number_at(json_object_get(stats, "total"), "ListenDrops"), 3);
	assert_int_equal(json_object_size(json_object_get(stats, "backends")), 1);
	assert_null(json_object_get(desk_result(&desk, "{'command': 'stats'}"), "steered"));
	desk.env.appliance = appliance;
	assert_int_equal(number_at(desk_result(&desk, "{'command': 'stats'}"), "steered"), 12);
	stats = desk_result(&desk, "{'command': 'doctor'}");
	assert_true(json_is_true(json_object_get(stats, "healthy")));
	/* The sample is taken at once: no second passes until a loss is seen. */
	desk.world->counters[1][0].values[COUNTER_ListenOverflows] = 5;
	desk.world->now += TICKS_PER_S;
	stats = desk_result(&desk, "{'command': 'doctor'}");
	assert_string_equal(text_at(json_array_get(json_object_get(stats, "findings"), 0), "cause"),
			"accept-ring-too-small");
	desk_close(&desk);
}

/* Fails every allocation of jansson's after a number of them. */
static unsigned allocations_left;
static unsigned allocations_held;

static void *
allocate(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	allocations_held++;
	return malloc(size);
}

static void
release(void *memory)
{
	allocations_held -= memory != NULL;
	free(memory);
}

/* 8. Memory that ends at any allocation: a refusal or nothing, and all of it given back. */
static void
test_out_of_memory(void **state)
{
	static const char *const requests[] = {
			"{\"command\": \"ping\"}",
			"{\"command\": \"ss\"}",
			"{\"command\": \"ss\", \"first\": 1, \"fullest\": 1, \"counters\": 1}",
			"{\"command\": \"stats\", \"backends\": 0}",
			"{\"command\": \"sss\"}",
			"{\"command\": \"syn-recv\", \"limit\": 2}",
			"{\"command\": \"netstat\", \"backend\": \"web\"}",
			"{\"command\": \"doctor\"}",
			("{\"command\": \"explain\", \"client\": \"10.1.0.1:40000\", "
			 "\"backend\": \"web\"}"),
			"{\"command\": \"flush\", \"backend\": \"web\"}",
	};
	struct desk desk = desk_open();

	(void)state;
	desk_row_counts[0] = 2;
	desk_rows[0][0] = desk_rows[0][1] = desk_row(1, "syn-recv");
	desk.world->counters[0][0].values[COUNTER_ListenOverflows] = 9;
	history_sample(desk.env.history, desk.env.registry, desk.world->now + TICKS_PER_S);
	for (unsigned i = 0; i < ARRAY_COUNT(requests); i++) {
		bool enough = false;

		for (unsigned most = 0; !enough; most++) {
			json_t *reply;

			json_set_alloc_funcs(allocate, release);
			allocations_left = most;
			reply = command_run(&desk.env, requests[i], strlen(requests[i]),
					desk.world->now);
			enough = allocations_left > 0;
			json_decref(reply);
			json_set_alloc_funcs(malloc, free);
			if (allocations_held != 0)
				fail_msg("%s: %u of %u allocations lost", requests[i],
						allocations_held, most);
		}
	}
	desk_close(&desk);
}

/* 9. Whoever may only read gets no further than that; what changes nothing is as ever. */
static void
test_reads_only(void **state)
{
	static const struct {
		const char *request;
		bool reads;
	} cases[] = {
			{"{'command': 'ping'}", true},
			{"{'command': 'ss'}", true},
			{"{'command': 'syn-recv'}", true},
			{"{'command': 'established'}", true},
			{"{'command': 'profile'}", true},
			{"{'command': 'netstat'}", true},
			{"{'command': 'stats'}", true},
			{"{'command': 'explain', 'client': '10.0.0.1:1', 'backend': 'web'}", true},
			{"{'command': 'doctor'}", true},
			{"{'command': 'set', 'backend': 'web', 'key': 'backlog', 'value': 9}",
					false},
			{"{'command': 'reload'}", false},
			{"{'command': 'check'}", false},
			{"{'command': 'flush', 'backend': 'web'}", false},
	};
	struct desk desk = desk_open();

	(void)state;
	desk.env.reads_only = true;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		if (cases[i].reads)
			desk_result(&desk, cases[i].request);
		else
			desk_expect_refused(&desk, cases[i].request, "only reads");
	}
	assert_int_equal(desk.env.registry->generation, 1);
	desk.env.reads_only = false;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		desk_result(&desk, cases[i].request);
	desk_close(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_malformed),
			cmocka_unit_test(test_huge),
			cmocka_unit_test(test_ping),
			cmocka_unit_test(test_ss),
			cmocka_unit_test(test_profile),
			cmocka_unit_test(test_set),
			cmocka_unit_test(test_reload_check_flush),
			cmocka_unit_test(test_counters),
			cmocka_unit_test(test_reads_only),
			cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
