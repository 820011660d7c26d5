/* SPDX-License-Identifier: BSD-3-Clause */
/* Every command of lib/control/README.md, and what is refused, as the control socket sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/command.h"
#include "net/tcp_opt.h"
#include "registry_world.h"

enum { ROWS = 300 };

/* A desk at which requests are answered, with workers that hold rows. */
struct desk {
	struct registry_world *world;
	struct command_env env;
	json_t *reply;
};

/* Rows of worker 0 and 1, found by ask(), which gets the world for its context. */
static struct inspect_row rows[WORLD_WORKERS][ROWS];
static unsigned row_counts[WORLD_WORKERS];
static uint8_t remembered_reason;

static void
answer_list(unsigned worker, struct inspect *letter)
{
	while (letter->cursor < row_counts[worker] && letter->count < letter->limit) {
		const struct inspect_row *row = &rows[worker][letter->cursor++];

		if (letter->slot == INSPECT_SLOT_ANY || letter->slot == row->slot)
			letter->rows[letter->count++] = *row;
	}
	letter->more = letter->cursor < row_counts[worker];
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
	for (unsigned i = 0; i < row_counts[worker]; i++) {
		if (tuple_is_equal(&rows[worker][i].tuple, &letter->tuple))
			letter->rows[letter->count++] = rows[worker][i];
	}
	letter->last_reason = remembered_reason;
	letter->last_ago_ms = 1500;
	return true;
}

static struct desk
desk_open(void)
{
	struct desk desk = {.world = registry_world_new(WEB "," MAIL "," VPN, NULL)};

	desk.world->registry.env.ask = ask;
	desk.env = (struct command_env){.registry = &desk.world->registry,
			.history = history_new(&desk.world->registry)};
	row_counts[0] = row_counts[1] = 0;
	remembered_reason = REASON_NONE;
	return desk;
}

static void
desk_close(struct desk *desk)
{
	json_decref(desk->reply);
	history_free(desk->env.history);
	registry_world_free(desk->world);
}

static const json_t *
run(struct desk *desk, const char *request)
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

/* The result of a request that must be carried out. */
static const json_t *
result(struct desk *desk, const char *request)
{
	const json_t *reply = run(desk, request);

	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s: %s", request, json_dumps(reply, 0));
	return json_object_get(reply, "result");
}

static void
expect_refused(struct desk *desk, const char *request, const char *words)
{
	const json_t *reply = run(desk, request);
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (!json_is_false(json_object_get(reply, "ok")) || error == NULL ||
			strstr(error, words) == NULL)
		fail_msg("%s: %s", request, json_dumps(reply, 0));
}

static const char *
text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "null";
}

static json_int_t
number_at(const json_t *object, const char *key)
{
	if (!json_is_integer(json_object_get(object, key)))
		fail_msg("no number %s", key);
	return json_integer_value(json_object_get(object, key));
}

static bool
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

/* A client 10.1.0.x of web, in a state. */
static struct inspect_row
row_of(uint8_t x, const char *state)
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
		expect_refused(&desk, cases[i].request, cases[i].words);
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
	const json_t *ping = result(&desk, "{'version': 1, 'command': 'ping'}");

	(void)state;
	assert_int_equal(number_at(ping, "generation"), 1);
	assert_string_equal(text_at(ping, "config"), desk.world->path);
	assert_true(json_is_null(json_object_get(ping, "last_reload")));
	registry_world_write_text(desk.world, "{");
	expect_refused(&desk, "{'command': 'reload'}", "not JSON");
	assert_int_equal(json_array_size(json_object_get(desk.reply, "errors")), 1);
	desk.world->now += 5 * TICKS_PER_S;
	ping = json_object_get(result(&desk, "{'command': 'ping'}"), "last_reload");
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
	const json_t *list, *web;

	(void)state;
	desk.world->shared[0].accept = 5;
	desk.world->shared[0].syn = 9;
	desk.world->shared[0].young = 4;
	desk.world->counters[0][0].values[COUNTER_CurrEstab] = 2;
	desk.world->counters[1][0].values[COUNTER_CurrEstab] = 3;
	history_sample(desk.env.history, desk.env.registry, desk.world->now);
	desk.world->counters[1][0].wait[wait_bucket(3000)] = 10;
	desk.world->counters[1][0].wait_us = 30000;
	list = result(&desk, "{'command': 'ss'}");
	assert_int_equal(json_array_size(list), 3);
	web = json_array_get(list, 0);
	assert_string_equal(text_at(web, "backend"), "web");
	assert_string_equal(text_at(web, "state"), "LISTEN");
	assert_string_equal(text_at(web, "local"), "10.0.0.2:80");
	assert_int_equal(number_at(web, "recv_q"), 5);
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
	result(&desk, "{'command': 'set', 'backend': 'mail', 'key': 'tcp_syncookies', 'value': 2}");
	list = result(&desk, "{'command': 'ss', 'backend': 'mail'}");
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
	result(&desk, "{'command': 'set', 'backend': 'mail', 'key': 'profile', 'value': 'fixed'}");
	array = json_object_get(result(&desk, "{'command': 'profile'}"), "rows");
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
			result(&desk, "{'command': 'profile', 'backend': 'vpn', 'limit': 1}"),
			"rows");
	assert_int_equal(json_array_size(array), 1);
	assert_string_equal(text_at(json_array_get(array, 0), "backend"), "vpn");
	expect_refused(&desk, "{'command': 'profile', 'backend': 'vnp'}", "no backend");
	expect_refused(&desk, "{'command': 'profile', 'client': '10.0.0.1'}", "client");
	desk_close(&desk);
}

/* 5. Listings: all pages hold every row once, whichever the page's size. */
static void
test_pages(void **state)
{
	static const unsigned limits[] = {1, 7, 100, 128};
	struct desk desk = desk_open();

	(void)state;
	row_counts[0] = 250;
	row_counts[1] = 41;
	for (unsigned worker = 0; worker < WORLD_WORKERS; worker++) {
		for (unsigned i = 0; i < row_counts[worker]; i++) {
			rows[worker][i] = row_of((uint8_t)i, "syn-recv");
			rows[worker][i].tuple.client_port = (uint16_t)(50000 + worker);
		}
	}
	for (unsigned i = 0; i < ARRAY_COUNT(limits); i++) {
		char cursor[40] = "", request[200];
		unsigned seen = 0;

		do {
			const json_t *page;

			snprintf(request, sizeof(request),
					"{'command': 'syn-recv', 'limit': %u%s%s%s}", limits[i],
					cursor[0] != '\0' ? ", 'cursor': '" : "", cursor,
					cursor[0] != '\0' ? "'" : "");
			page = result(&desk, request);
			assert_in_range(json_array_size(json_object_get(page, "rows")), 0,
					limits[i]);
			seen += (unsigned)json_array_size(json_object_get(page, "rows"));
			snprintf(cursor, sizeof(cursor), "%s", text_at(page, "cursor"));
		} while (strcmp(cursor, "null") != 0);
		assert_int_equal(seen, 291);
	}
	desk_close(&desk);
}

/* 6. A row as the protocol has it, and the filters. */
static void
test_rows(void **state)
{
	static const struct {
		const char *filter;
		unsigned count;
	} cases[] = {
			{"", 3},
			{", 'backend': 'web'", 2},
			{", 'backend': 'mail'", 1},
			{", 'backend': 'vpn'", 0},
			{", 'client': '10.1.0.1'", 2},
			{", 'client': '10.1.0.1:40000'", 1},
			{", 'client': '10.1.0.9'", 0},
			{", 'client': 'fd00::1'", 0},
			{", 'state': 'connecting'", 1},
			{", 'state': 'established', 'client': '10.1.0.1'", 1},
	};
	struct desk desk = desk_open();
	const json_t *row;

	(void)state;
	row_counts[1] = 3;
	rows[1][0] = row_of(1, "established");
	rows[1][1] = row_of(1, "connecting");
	rows[1][1].tuple.client_port = 40001;
	rows[1][2] = row_of(2, "established");
	rows[1][2].slot = 1;
	rows[1][0].tuple.vlan = 100 | VLAN_TAG_8100 << 12;
	rows[1][2].wscale = TCP_WSCALE_NONE;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		char request[200];

		snprintf(request, sizeof(request), "{'command': 'established'%s}", cases[i].filter);
		if (json_array_size(json_object_get(result(&desk, request), "rows")) !=
				cases[i].count)
			fail_msg("%s: %s", request, json_dumps(desk.reply, 0));
	}
	row = json_array_get(
			json_object_get(result(&desk, "{'command': 'established'}"), "rows"), 0);
	assert_string_equal(text_at(row, "backend"), "web");
	assert_string_equal(text_at(row, "client"), "10.1.0.1:40000");
	assert_string_equal(text_at(row, "local"), "10.0.0.2:80");
	assert_string_equal(text_at(row, "state"), "established");
	assert_int_equal(number_at(row, "vlan"), 100);
	assert_int_equal(number_at(row, "age_ms"), 250);
	assert_int_equal(number_at(row, "due_ms"), 750);
	assert_int_equal(number_at(row, "mss"), 1460);
	assert_int_equal(number_at(row, "wscale"), 7);
	assert_true(json_is_true(json_object_get(row, "sack")));
	assert_int_equal(number_at(row, "worker"), 1);
	row = json_array_get(json_object_get(json_object_get(desk.reply, "result"), "rows"), 2);
	assert_true(json_is_null(json_object_get(row, "wscale")));
	desk_close(&desk);
}

/* 7. Listings refused; a worker that does not answer is said so. */
static void
test_rows_refused(void **state)
{
	static const struct {
		const char *request, *words;
	} cases[] = {
			{"{'command': 'syn-recv', 'limit': 0}", "1..128"},
			{"{'command': 'syn-recv', 'limit': 129}", "1..128"},
			{"{'command': 'syn-recv', 'limit': 1.5}", "1..128"},
			{"{'command': 'syn-recv', 'client': '10.0.0'}", "must be an address"},
			{"{'command': 'syn-recv', 'client': '10.0.0.1:0'}", "must be an address"},
			{"{'command': 'syn-recv', 'client': '10.0.0.1:65536'}",
					"must be an address"},
			{"{'command': 'syn-recv', 'client': '[fd00::1'}", "must be an address"},
			{"{'command': 'syn-recv', 'client': '::ffff:10.0.0.1'}",
					"must be an address"},
			{"{'command': 'syn-recv', 'cursor': '9:0'}", "cursor"},
			{"{'command': 'syn-recv', 'cursor': '0:1:2'}", "cursor"},
			{"{'command': 'syn-recv', 'cursor': '-1:0'}", "cursor"},
			{"{'command': 'syn-recv', 'cursor': ''}", "cursor"},
			{"{'command': 'syn-recv'}", "worker 1 did not answer"},
	};
	struct desk desk = desk_open();

	(void)state;
	desk.world->is_silent[1] = true;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		expect_refused(&desk, cases[i].request, cases[i].words);
	desk_close(&desk);
}

/* 8. explain: what is there, why, and what would be next. */
static void
test_explain(void **state)
{
	static const char ask_web[] =
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': 'web'}";
	struct desk desk = desk_open();
	const json_t *explained;

	(void)state;
	explained = result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "no such connection"));
	assert_true(json_is_null(json_object_get(explained, "last")));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_queued");
	assert_non_null(strstr(text_at(json_object_get(explained, "next"), "ack"), "stray"));

	remembered_reason = REASON_syn_accept_full;
	desk.world->shared[0].accept = 4097;
	explained = result(&desk, ask_web);
	assert_string_equal(
			text_at(json_object_get(explained, "last"), "reason"), "syn_accept_full");
	assert_string_equal(text_at(json_object_get(explained, "last"), "verdict"), "drop");
	assert_int_equal(number_at(json_object_get(explained, "last"), "ago_ms"), 1500);
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_accept_full");

	row_counts[1] = 1;
	rows[1][0] = row_of(1, "syn-recv");
	explained = result(&desk, ask_web);
	assert_string_equal(text_at(json_object_get(explained, "syn_recv"), "state"), "syn-recv");
	assert_true(json_is_null(json_object_get(explained, "connection")));
	assert_true(has_line(json_object_get(explained, "lines"), "half open"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_again");
	assert_non_null(strstr(
			text_at(json_object_get(explained, "next"), "ack"), "full accept queue"));

	rows[1][0] = row_of(1, "established");
	rows[1][0].tuple.vlan = 7 | VLAN_TAG_88A8 << 12;
	explained = result(&desk, "{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': "
				  "'10.0.0.2:80', 'vlan': 7}");
	assert_true(json_is_null(json_object_get(explained, "syn_recv")));
	assert_int_equal(number_at(json_object_get(explained, "connection"), "vlan"), 7);
	assert_true(has_line(json_object_get(explained, "lines"), "State established"));

	/* An exempt source: nothing of it is kept, but what began before goes on. */
	struct backend_config *web = &registry_find(desk.env.registry, "web")->config;

	web->exempt_count = 1;
	web->exempt = (struct exempt_list){
			.addresses = {{.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1}}},
			.lengths = {EXEMPT_IP4_BITS + 16}};
	row_counts[0] = row_counts[1] = 0;
	explained = result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "exempt from the proxy"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"pass_exempt");
	assert_string_equal(text_at(json_object_get(explained, "next"), "ack"), "passes unchanged");
	row_counts[1] = 1;
	rows[1][0] = row_of(1, "established");
	explained = result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "State established"));
	desk_close(&desk);
}

/* 9. explain beyond the ordinary: no backend, a draining one, silent workers, wrong words. */
static void
test_explain_edges(void **state)
{
	struct desk desk = desk_open();
	const json_t *explained = result(&desk, "{'command': 'explain', 'client': "
						"'10.1.0.1:40000', 'backend': '10.0.0.9:80'}");

	(void)state;
	assert_true(has_line(json_object_get(explained, "lines"), "passes through"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"pass_not_protected");
	expect_refused(&desk, "{'command': 'explain', 'client': '10.1.0.1', 'backend': 'web'}",
			"address and port");
	expect_refused(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': 'vpn'}",
			"same family");
	expect_refused(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': 'wen'}",
			"nearest: web");
	expect_refused(&desk,
			"{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
			"'10.0.0.2'}",
			"needs a port");
	desk.world->is_silent[0] = desk.world->is_silent[1] = true;
	explained = result(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
				  "'web'}");
	assert_true(has_line(json_object_get(explained, "lines"), "2 workers did not answer"));
	desk.world->is_silent[0] = desk.world->is_silent[1] = false;
	desk.world->shared[0].accept = 1;
	registry_world_write(desk.world, MAIL, "");
	registry_world_reload(desk.world);
	explained = result(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
				  "'10.0.0.2:80'}");
	assert_true(has_line(json_object_get(explained, "lines"), "draining"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_draining");
	desk_close(&desk);
}

/* 10. set: at once, with the value before; what a file could not say is refused. */
static void
test_set(void **state)
{
	struct desk desk = desk_open();
	const json_t *set = result(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog', "
					  "'value': 77}");

	(void)state;
	assert_int_equal(number_at(set, "value"), 77);
	assert_int_equal(number_at(set, "before"), 4096);
	assert_int_equal(number_at(set, "generation"), 2);
	assert_non_null(strstr(text_at(set, "note"), "not saved"));
	assert_int_equal(registry_world_find(desk.world, 2, 80)->backlog, 77);
	set = result(&desk, "{'command': 'set', 'backend': 'web', 'key': 'queue_rules', 'value': "
			    "'classic'}");
	assert_string_equal(text_at(set, "before"), "linux-6.18");
	assert_string_equal(text_at(set, "value"), "classic");
	expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog', 'value': 0}",
			"out of range");
	expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlgo', 'value': 1}",
			"backlog");
	expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog'}",
			"\"value\" is missing");
	expect_refused(&desk, "{'command': 'set', 'backend': 'web', 'value': 1}",
			"\"key\" is missing");
	expect_refused(&desk, "{'command': 'set', 'backend': 'no', 'key': 'backlog', 'value': 1}",
			"no backend");
	assert_int_equal(registry_world_find(desk.world, 2, 80)->backlog, 77);
	desk_close(&desk);
}

/* 11. reload and check say what changes; flush says how many it ended. */
static void
test_reload_check_flush(void **state)
{
	struct desk desk = desk_open();
	const json_t *reloaded;

	(void)state;
	desk.world->shared[0].accept = 1;
	registry_world_write(desk.world, MAIL "," NEWS "," VPN, "");
	reloaded = result(&desk, "{'command': 'check'}");
	assert_true(json_array_size(json_object_get(reloaded, "notes")) >= 2);
	assert_int_equal(desk.world->registry.generation, 1);
	reloaded = result(&desk, "{'command': 'reload', 'drain_deadline_s': 30}");
	assert_int_equal(number_at(reloaded, "generation"), 2);
	assert_int_equal(number_at(reloaded, "config_generation"), 2);
	assert_string_equal(
			json_string_value(json_array_get(json_object_get(reloaded, "added"), 0)),
			"news");
	assert_string_equal(
			json_string_value(json_array_get(json_object_get(reloaded, "removed"), 0)),
			"web");
	assert_int_equal(json_array_size(json_object_get(reloaded, "changed")), 0);
	reloaded = json_array_get(result(&desk, "{'command': 'ss', 'backend': 'web~0'}"), 0);
	assert_string_equal(text_at(reloaded, "state"), "DRAIN");
	assert_int_equal(number_at(reloaded, "drain_left_s"), 30);
	reloaded = result(&desk, "{'command': 'flush', 'backend': 'web~0'}");
	assert_int_equal(number_at(reloaded, "ended"), 14);
	assert_true(json_is_true(json_object_get(reloaded, "complete")));
	expect_refused(&desk, "{'command': 'reload', 'drain_deadline_s': -5}", "0..31536000");
	registry_world_write(desk.world, "{}", "");
	expect_refused(&desk, "{'command': 'check'}", "and 2 more");
	assert_int_equal(json_array_size(json_object_get(desk.reply, "errors")), 3);
	desk_close(&desk);
}

static json_t *
appliance(void *context)
{
	(void)context;
	return json_pack("{s:i}", "steered", 12);
}

/* 12. netstat, stats and doctor, with and without what only the appliance knows. */
static void
test_counters(void **state)
{
	struct desk desk = desk_open();
	const json_t *stats;

	(void)state;
	desk.world->counters[1][0].values[COUNTER_ListenDrops] = 3;
	stats = result(&desk, "{'command': 'netstat', 'backend': 'web'}");
	assert_int_equal(number_at(json_object_get(stats, "total"), "ListenDrops"), 3);
	assert_int_equal(json_object_size(json_object_get(stats, "backends")), 1);
	assert_null(json_object_get(result(&desk, "{'command': 'stats'}"), "steered"));
	desk.env.appliance = appliance;
	assert_int_equal(number_at(result(&desk, "{'command': 'stats'}"), "steered"), 12);
	stats = result(&desk, "{'command': 'doctor'}");
	assert_true(json_is_true(json_object_get(stats, "healthy")));
	/* The sample is taken at once: no second passes until a loss is seen. */
	desk.world->counters[1][0].values[COUNTER_ListenOverflows] = 5;
	desk.world->now += TICKS_PER_S;
	stats = result(&desk, "{'command': 'doctor'}");
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

/* 13. Memory that ends at any allocation: a refusal or nothing, and all of it given back. */
static void
test_out_of_memory(void **state)
{
	static const char *const requests[] = {
			"{\"command\": \"ping\"}",
			"{\"command\": \"ss\"}",
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
	row_counts[0] = 2;
	rows[0][0] = rows[0][1] = row_of(1, "syn-recv");
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_malformed),
			cmocka_unit_test(test_huge),
			cmocka_unit_test(test_ping),
			cmocka_unit_test(test_ss),
			cmocka_unit_test(test_profile),
			cmocka_unit_test(test_pages),
			cmocka_unit_test(test_rows),
			cmocka_unit_test(test_rows_refused),
			cmocka_unit_test(test_explain),
			cmocka_unit_test(test_explain_edges),
			cmocka_unit_test(test_set),
			cmocka_unit_test(test_reload_check_flush),
			cmocka_unit_test(test_counters),
			cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
