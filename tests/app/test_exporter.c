/* SPDX-License-Identifier: BSD-3-Clause */
/* The exporter's pure parts: names and formats of metrics, addresses, hosts, and who is sent away
 * when many wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "callers.h"
#include "families.h"
#include "http.h"
#include "metrics.h"
#include "options.h"
#include "sample.h"
#include "status.h"

/* 1. Linux's names as words. */
static void
test_snake(void **state)
{
	static const struct {
		const char *camel, *snake;
	} cases[] = {
			{"ListenOverflows", "listen_overflows"},
			{"TCPReqQFullDoCookies", "tcp_req_q_full_do_cookies"},
			{"TCPTimeouts", "tcp_timeouts"},
			{"CurrEstab", "curr_estab"},
			{"SynAcksWithheld", "syn_acks_withheld"},
			{"already_snake", "already_snake"},
			{"", ""},
	};
	char snake[64];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		metrics_snake(snake, cases[i].camel);
		assert_string_equal(snake, cases[i].snake);
	}
}

/* Writes one of each kind. */
static char *
families_text(bool is_open)
{
	const struct label label = {"backend", "a\"b\\c\nd"};
	const uint64_t buckets[] = {1, 0, 2, 4};
	char *text = NULL;
	size_t length;
	struct families families = {.out = open_memstream(&text, &length), .is_open = is_open};

	family_begin(&families, "a", FAMILY_COUNTER, NULL, "one\ntwo");
	family_count(&families, &label, 1, 12345678901234567);
	family_begin(&families, "b_seconds", FAMILY_HISTOGRAM, "seconds", "waits");
	family_histogram(&families, NULL, 0, buckets, 4, 0.25, 7.5);
	family_begin(&families, "c", FAMILY_INFO, NULL, "version");
	family_number(&families, NULL, 0, 1);
	families_end(&families);
	assert_int_equal(fclose(families.out), 0);
	return text;
}

/* 2. Both formats, escapes, whole numbers to the last digit, buckets that add up. */
static void
test_families(void **state)
{
	static const char *const wanted[] = {
			"# TYPE a_total counter\n# HELP a_total one\\ntwo\n"
			"a_total{backend=\"a\\\"b\\\\c\\nd\"} 12345678901234567\n"
			"# TYPE b_seconds histogram\n# HELP b_seconds waits\n"
			"b_seconds_bucket{le=\"0.25\"} 1\nb_seconds_bucket{le=\"0.5\"} 1\n"
			"b_seconds_bucket{le=\"1\"} 3\nb_seconds_bucket{le=\"+Inf\"} 7\n"
			"b_seconds_count 7\nb_seconds_sum 7.5\n"
			"# TYPE c_info gauge\n# HELP c_info version\nc_info 1\n",
			"# TYPE a counter\n# HELP a one\\ntwo\n"
			"a_total{backend=\"a\\\"b\\\\c\\nd\"} 12345678901234567\n"
			"# TYPE b_seconds histogram\n# UNIT b_seconds seconds\n"
			"# HELP b_seconds waits\n"
			"b_seconds_bucket{le=\"0.25\"} 1\nb_seconds_bucket{le=\"0.5\"} 1\n"
			"b_seconds_bucket{le=\"1\"} 3\nb_seconds_bucket{le=\"+Inf\"} 7\n"
			"b_seconds_count 7\nb_seconds_sum 7.5\n"
			"# TYPE c info\n# HELP c version\nc_info 1\n# EOF\n",
	};

	(void)state;
	for (unsigned is_open = 0; is_open < 2; is_open++) {
		char *text = families_text(is_open);

		assert_string_equal(text, wanted[is_open]);
		free(text);
	}
}

/* 3. Where to listen, and whether others can reach that. */
static void
test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool is_valid, is_loopback;
	} cases[] = {
			{"127.0.0.1:9797", true, true},
			{"127.9.9.9:0", true, true},
			{"[::1]:65535", true, true},
			{"0.0.0.0:9797", true, false},
			{"[::]:9797", true, false},
			{"192.0.2.1:9797", true, false},
			{"127.0.0.1", false, false},
			{"127.0.0.1:", false, false},
			{"127.0.0.1:65536", false, false},
			{"127.0.0.1:-1", false, false},
			{"127.0.0.1:80x", false, false},
			{":9797", false, false},
			{"localhost:9797", false, false},
			{"::1:9797", false, false},
			{"[::1:9797", false, false},
			{"[]:9797", false, false},
			{"", false, false},
	};
	struct options options;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(options_read_address(&options, cases[i].text), cases[i].is_valid);
		if (cases[i].is_valid)
			assert_int_equal(options_is_loopback(&options), cases[i].is_loopback);
	}
}

/* 4. A name that is made to point here is not answered; addresses and localhost are. */
static void
test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is_local;
	} cases[] = {
			{NULL, true},
			{"localhost", true},
			{"LOCALHOST:9797", true},
			{"127.0.0.1:9797", true},
			{"192.0.2.1", true},
			{"[::1]:9797", true},
			{"[::1]", true},
			{"evil.example", false},
			{"evil.example:9797", false},
			{"127.0.0.1.evil.example", false},
			{"localhost.evil.example", false},
			{"[::1", false},
			{"[", false},
			{"", false},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(http_host_is_local(cases[i].host), cases[i].is_local);
}

static bool
is_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* 5. In a crowd the oldest silent caller goes, one that has asked stays; the slow go in time. */
static void
test_callers(void **state)
{
	struct callers callers;
	struct caller *places[CALLERS_CROWD + 2];
	int pairs[CALLERS_CROWD + 2][2];
	uint64_t asked, refused;
	unsigned count;

	(void)state;
	callers_init(&callers);
	for (int i = 0; i < CALLERS_CROWD + 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
		places[i] = callers_add(&callers, pairs[i][0], 1000 + i);
		assert_non_null(places[i]);
		if (i == 0)
			callers_asked(&callers, places[i]);
	}
	assert_false(is_ended(pairs[0][1]));
	assert_true(is_ended(pairs[1][1]));
	assert_true(is_ended(pairs[2][1]));
	assert_false(is_ended(pairs[3][1]));
	callers_sweep(&callers, 1003 + CALLERS_HEADER_MS);
	assert_false(is_ended(pairs[3][1]));
	callers_sweep(&callers, 1004 + CALLERS_HEADER_MS);
	assert_true(is_ended(pairs[3][1]));
	assert_false(is_ended(pairs[4][1]));
	callers_sweep(&callers, 1001 + CALLERS_WHOLE_MS);
	assert_true(is_ended(pairs[0][1]));
	callers_count(&callers, &asked, &refused, &count);
	assert_int_equal(asked, 1);
	assert_int_equal(refused, CALLERS_CROWD + 2);
	assert_int_equal(count, CALLERS_CROWD + 2);
	for (int i = 0; i < CALLERS_CROWD + 2; i++) {
		callers_remove(&callers, places[i]);
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	callers_count(&callers, &asked, &refused, &count);
	assert_int_equal(count, 0);
	callers_fini(&callers);
}

/* 6. A look that takes long is repeated less often, and yet soon enough to be believed. */
static void
test_rest(void **state)
{
	static const struct {
		int64_t took_ms, rest_ms;
	} cases[] = {
			{0, 0},
			{10, 90},
			{1600, 14400},
			{1667, 15000},
			{12000, 15000},
			{INT64_C(86400) * 1000, 15000},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(sample_rest_ms(cases[i].took_ms), cases[i].rest_ms);
}

/* 7. Of the look before only what rates need stays, and rates are right. */
static void
test_before(void **state)
{
	struct status status;
	json_t *point;

	(void)state;
	status_init(&status);
	for (int i = 0; i < 3; i++) {
		struct sample sample = {
				.ping = json_pack("{s:i}", "pid", 7),
				.ss = json_pack("[{s:s}]", "backend", "web"),
				.doctor = json_object(),
				.stats = json_pack("{s:{s:i}}", "reasons", "syn_cookie_sent",
						1000 * i),
				.at_ms = 2000 * i,
		};

		status_add(&status, &sample);
	}
	assert_null(status.before.ss);
	assert_null(status.before.doctor);
	assert_int_equal(json_array_size(status.now.ss), 1);
	assert_int_equal(status.point_count, 2);
	point = json_loads(status.points[1], 0, NULL);
	assert_true(json_number_value(json_object_get(point, "cookie")) == 500);
	json_decref(point);
	status_fini(&status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_snake),
			cmocka_unit_test(test_families),
			cmocka_unit_test(test_addresses),
			cmocka_unit_test(test_hosts),
			cmocka_unit_test(test_callers),
			cmocka_unit_test(test_rest),
			cmocka_unit_test(test_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
