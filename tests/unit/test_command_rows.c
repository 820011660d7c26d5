/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that list or explain clients, as the control socket sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/prefix_file.h"
#include "desk.h"
#include "net/tcp_opt.h"

/* 1. Listings: all pages hold every row once, whichever the page's size. */
static void
test_pages(void **state)
{
	static const unsigned limits[] = {1, 7, 100, 128};
	struct desk desk = desk_open();

	(void)state;
	desk_row_counts[0] = 250;
	desk_row_counts[1] = 41;
	for (unsigned worker = 0; worker < WORLD_WORKERS; worker++) {
		for (unsigned i = 0; i < desk_row_counts[worker]; i++) {
			desk_rows[worker][i] = desk_row((uint8_t)i, "syn-recv");
			desk_rows[worker][i].tuple.client_port = (uint16_t)(50000 + worker);
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
			page = desk_result(&desk, request);
			assert_in_range(json_array_size(json_object_get(page, "rows")), 0,
					limits[i]);
			seen += (unsigned)json_array_size(json_object_get(page, "rows"));
			snprintf(cursor, sizeof(cursor), "%s", text_at(page, "cursor"));
		} while (strcmp(cursor, "null") != 0);
		assert_int_equal(seen, 291);
	}
	desk_close(&desk);
}

/* 2. A row as the protocol has it, and the filters. */
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
	desk_row_counts[1] = 3;
	desk_rows[1][0] = desk_row(1, "established");
	desk_rows[1][1] = desk_row(1, "connecting");
	desk_rows[1][1].tuple.client_port = 40001;
	desk_rows[1][2] = desk_row(2, "established");
	desk_rows[1][2].slot = 1;
	desk_rows[1][0].tuple.vlan = 100 | VLAN_TAG_8100 << 12;
	desk_rows[1][2].wscale = TCP_WSCALE_NONE;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		char request[200];

		snprintf(request, sizeof(request), "{'command': 'established'%s}", cases[i].filter);
		if (json_array_size(json_object_get(desk_result(&desk, request), "rows")) !=
				cases[i].count)
			fail_msg("%s: %s", request, json_dumps(desk.reply, 0));
	}
	row = json_array_get(
			json_object_get(desk_result(&desk, "{'command': 'established'}"), "rows"),
			0);
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

/* 3. Listings refused; a worker that does not answer is said so. */
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
		desk_expect_refused(&desk, cases[i].request, cases[i].words);
	desk_close(&desk);
}

/* 4. explain: what is there, why, and what would be next. */
static void
test_explain(void **state)
{
	static const char ask_web[] =
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': 'web'}";
	struct desk desk = desk_open();
	const json_t *explained;

	(void)state;
	explained = desk_result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "no such connection"));
	assert_true(json_is_null(json_object_get(explained, "last")));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_queued");
	assert_non_null(strstr(text_at(json_object_get(explained, "next"), "ack"), "stray"));

	desk_remembered_reason = REASON_syn_accept_full;
	desk.world->shared[0].accept = 4097;
	explained = desk_result(&desk, ask_web);
	assert_string_equal(
			text_at(json_object_get(explained, "last"), "reason"), "syn_accept_full");
	assert_string_equal(text_at(json_object_get(explained, "last"), "verdict"), "drop");
	assert_int_equal(number_at(json_object_get(explained, "last"), "ago_ms"), 1500);
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_accept_full");

	desk_row_counts[1] = 1;
	desk_rows[1][0] = desk_row(1, "syn-recv");
	explained = desk_result(&desk, ask_web);
	assert_string_equal(text_at(json_object_get(explained, "syn_recv"), "state"), "syn-recv");
	assert_true(json_is_null(json_object_get(explained, "connection")));
	assert_true(has_line(json_object_get(explained, "lines"), "half open"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_again");
	assert_non_null(strstr(
			text_at(json_object_get(explained, "next"), "ack"), "full accept queue"));

	desk_rows[1][0] = desk_row(1, "established");
	desk_rows[1][0].tuple.vlan = 7 | VLAN_TAG_88A8 << 12;
	explained = desk_result(&desk,
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': "
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
	desk_row_counts[0] = desk_row_counts[1] = 0;
	explained = desk_result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "exempt from the proxy"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"pass_exempt");
	assert_string_equal(text_at(json_object_get(explained, "next"), "ack"), "passes unchanged");
	desk_row_counts[1] = 1;
	desk_rows[1][0] = desk_row(1, "established");
	explained = desk_result(&desk, ask_web);
	assert_true(has_line(json_object_get(explained, "lines"), "State established"));
	desk_close(&desk);
}

/* 5. explain beyond the ordinary: no backend, a draining one, silent workers, wrong words. */
static void
test_explain_edges(void **state)
{
	struct desk desk = desk_open();
	const json_t *explained = desk_result(&desk, "{'command': 'explain', 'client': "
						     "'10.1.0.1:40000', 'backend': '10.0.0.9:80'}");

	(void)state;
	assert_true(has_line(json_object_get(explained, "lines"), "passes through"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"pass_not_protected");
	desk_expect_refused(&desk, "{'command': 'explain', 'client': '10.1.0.1', 'backend': 'web'}",
			"address and port");
	desk_expect_refused(&desk,
			"{'command': 'explain', 'client': '10.1.0.1:1', 'backend': 'vpn'}",
			"same family");
	desk_expect_refused(&desk,
			"{'command': 'explain', 'client': '10.1.0.1:1', 'backend': 'wen'}",
			"nearest: web");
	desk_expect_refused(&desk,
			"{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
			"'10.0.0.2'}",
			"needs a port");
	desk.world->is_silent[0] = desk.world->is_silent[1] = true;
	explained = desk_result(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
				       "'web'}");
	assert_true(has_line(json_object_get(explained, "lines"), "2 workers did not answer"));
	desk.world->is_silent[0] = desk.world->is_silent[1] = false;
	desk.world->shared[0].accept = 1;
	registry_world_write(desk.world, MAIL, "");
	registry_world_reload(desk.world);
	explained = desk_result(&desk, "{'command': 'explain', 'client': '10.1.0.1:1', 'backend': "
				       "'10.0.0.2:80'}");
	assert_true(has_line(json_object_get(explained, "lines"), "draining"));
	assert_string_equal(text_at(json_object_get(json_object_get(explained, "next"), "syn"),
					    "reason"),
			"syn_draining");
	desk_close(&desk);
}

/* True when explain tells so of a client and the backend web. */
static bool
explain_says(struct desk *desk, const char *client, const char *text)
{
	char ask[256];

	snprintf(ask, sizeof(ask), "{'command': 'explain', 'client': '%s:40000', 'backend': 'web'}",
			client);
	return has_line(json_object_get(desk_result(desk, ask), "lines"), text);
}

/* The prefixes of both lists, as text, in place of what files would say. */
static void
configure_lists(struct desk *desk, const char *deny, const char *allow)
{
	struct config_sources *sources = &desk->env.registry->config->sources;
	struct config_report report = {.name = "test"};

	sources->deny_file = strdup("/etc/deny.txt");
	sources->allow_file = strdup("/etc/allow.txt");
	sources->list = prefix_list_new();
	prefix_text_read(&report, sources->list, "d", deny, strlen(deny), SOURCE_DENIED);
	prefix_text_read(&report, sources->list, "a", allow, strlen(allow), SOURCE_ALLOWED);
	prefix_list_join(&report, sources->list, "d", "a");
	assert_int_equal(report.count, 0);
}

/* 6. explain and ping: which line of which list decides, and how many there are. */
static void
test_lists(void **state)
{
	static const char ask_web[] =
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': 'web'}";
	struct desk desk = desk_open();
	const json_t *told, *next;

	(void)state;
	told = json_object_get(desk_result(&desk, "{'command': 'ping'}"), "sources");
	assert_true(json_is_null(json_object_get(json_object_get(told, "deny"), "file")));
	assert_int_equal(number_at(json_object_get(told, "deny"), "ipv4"), 0);
	assert_int_equal(number_at(told, "syn_per_s"), 0);

	configure_lists(&desk, "# all\n10.0.0.0/8\nfd00::/8\n", "10.1.2.0/24\n");
	told = json_object_get(desk_result(&desk, "{'command': 'ping'}"), "sources");
	assert_string_equal(text_at(json_object_get(told, "deny"), "file"), "/etc/deny.txt");
	assert_int_equal(number_at(json_object_get(told, "deny"), "ipv4"), 1);
	assert_int_equal(number_at(json_object_get(told, "deny"), "ipv6"), 1);
	assert_int_equal(number_at(json_object_get(told, "allow"), "ipv4"), 1);
	assert_int_equal(number_at(json_object_get(told, "allow"), "ipv6"), 0);

	told = desk_result(&desk, ask_web);
	next = json_object_get(told, "next");
	assert_true(has_line(json_object_get(told, "lines"),
			"Its address is denied by 10.0.0.0/8 (/etc/deny.txt:2)."));
	assert_string_equal(text_at(json_object_get(next, "syn"), "reason"), "syn_denied");
	assert_string_equal(text_at(next, "ack"), "dropped: its address is denied");

	/* A connection that is there goes on; a half-open client is out. */
	desk_row_counts[1] = 1;
	desk_rows[1][0] = desk_row(1, "established");
	next = json_object_get(desk_result(&desk, ask_web), "next");
	assert_string_equal(text_at(json_object_get(next, "syn"), "reason"), "syn_denied");
	assert_non_null(strstr(text_at(next, "ack"), "belongs to the connection"));
	desk_rows[1][0] = desk_row(1, "syn-recv");
	told = desk_result(&desk, ask_web);
	next = json_object_get(told, "next");
	assert_true(has_line(json_object_get(told, "lines"), "it is given up in"));
	assert_string_equal(text_at(json_object_get(next, "syn"), "reason"), "syn_denied");
	assert_string_equal(text_at(next, "ack"), "dropped: its address is denied");
	desk_row_counts[1] = 0;

	told = desk_result(&desk, "{'command': 'explain', 'client': '10.1.2.3:40000', "
				  "'backend': 'web'}");
	assert_true(has_line(json_object_get(told, "lines"),
			"Its address is allowed by 10.1.2.0/24 (/etc/allow.txt:1)."));
	assert_string_equal(
			text_at(json_object_get(json_object_get(told, "next"), "syn"), "reason"),
			"syn_queued");
	told = desk_result(&desk, "{'command': 'explain', 'client': '11.1.2.3:40000', "
				  "'backend': 'web'}");
	assert_false(has_line(json_object_get(told, "lines"), "Its address is"));
	desk_close(&desk);
}

/* 7. explain tells the rate of those that pay it, whatever else is said of them. */
static void
test_rate(void **state)
{
	struct desk desk = desk_open();
	struct config_sources *sources = &desk.env.registry->config->sources;
	struct backend_config *web = &registry_find(desk.env.registry, "web")->config;

	(void)state;
	configure_lists(&desk, "10.3.0.0/16\n", "10.2.0.0/16\n");
	assert_false(explain_says(&desk, "10.1.0.1", "SYNs per second"));
	sources->rates = (struct source_rates){100, 200, 24, 56};
	assert_true(explain_says(&desk, "10.1.0.1",
			"At most 100 SYNs per second of its network (/24); above that they are "
			"dropped."));
	assert_false(explain_says(&desk, "10.2.0.1", "SYNs per second"));
	assert_false(explain_says(&desk, "10.3.0.1", "SYNs per second"));
	web->mode = MODE_MONITOR;
	assert_true(explain_says(&desk, "10.1.0.1", "they would be dropped."));
	web->mode = MODE_OFF;
	assert_false(explain_says(&desk, "10.1.0.1", "SYNs per second"));
	desk_close(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pages),
			cmocka_unit_test(test_rows),
			cmocka_unit_test(test_rows_refused),
			cmocka_unit_test(test_explain),
			cmocka_unit_test(test_explain_edges),
			cmocka_unit_test(test_lists),
			cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
