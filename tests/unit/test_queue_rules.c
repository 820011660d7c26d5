/* SPDX-License-Identifier: BSD-3-Clause */
/* Every row of SEMANTICS' tables, numbered; and the five measured rows of the reference kernel as
 * floods through the pure rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/queue_rules.h"

#define RULES(name) QUEUE_RULES_##name

static struct backend_config
config_of(enum queue_rules rules, uint32_t backlog, uint32_t somaxconn, uint32_t syn_backlog,
		uint8_t cookies)
{
	return (struct backend_config){
			.queue_rules = (uint8_t)rules,
			.backlog = backlog,
			.somaxconn = somaxconn,
			.tcp_max_syn_backlog = syn_backlog,
			.tcp_syncookies = cookies,
			.tcp_synack_retries = 5,
	};
}

/* 1. The accept limit is min(backlog, somaxconn). */
static void
test_accept_limit(void **state)
{
	static const uint32_t rows[][3] = {
			{128, 4096, 128}, {4096, 128, 128}, {5, 5, 5}, {1, 1 << 20, 1}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct backend_config config =
				config_of(RULES(LINUX_6_18), rows[i][0], rows[i][1], 1024, 1);

		assert_int_equal(backend_config_accept_limit(&config), rows[i][2]);
	}
}

/* 2. The syn queue's limit under each kernel's rules. */
static void
test_syn_limit(void **state)
{
	static const struct {
		unsigned number;
		enum queue_rules rules;
		uint32_t backlog, somaxconn, syn_backlog, limit;
	} rows[] = {
			{1, RULES(LINUX_2_6), 128, 128, 1024, 256}, /* SEMANTICS' example */
			{2, RULES(LINUX_2_6), 127, 128, 1024, 128},
			{3, RULES(LINUX_2_6), 128, 4096, 64, 128},
			{4, RULES(LINUX_2_6), 1, 1, 1, 16}, /* q = 8, q + 1 = 9 */
			{5, RULES(LINUX_2_6), 8, 8, 8, 16},
			{6, RULES(LINUX_2_6), 1 << 20, 1 << 20, 1 << 20, 1 << 21},
			{7, RULES(LINUX_4_4), 128, 4096, 1024, 128},
			{8, RULES(LINUX_4_4), 4096, 128, 16, 128},
			{9, RULES(LINUX_4_4), 1, 1, 1024, 1},
			{10, RULES(LINUX_6_18), 128, 4096, 1024, 129},
			{11, RULES(LINUX_6_18), 5, 5, 512, 6},
			{12, RULES(LINUX_6_18), 256, 256, 16, 257},
			{13, RULES(CLASSIC), 5, 5, 512, 512},
			{14, RULES(CLASSIC), 4096, 4096, 10, 64},
			{15, RULES(CLASSIC), 4096, 4096, 64, 64},
			{16, RULES(CLASSIC), 4096, 4096, 65, 65},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct backend_config config = config_of(rows[i].rules, rows[i].backlog,
				rows[i].somaxconn, rows[i].syn_backlog, 1);

		assert_int_equal(rows[i].number, i + 1);
		assert_int_equal(queue_rules_syn_limit(&config), rows[i].limit);
	}
}

/* 3. What becomes of a SYN: each row of the SYN table, at the edge and beside it. A is 128, the
 * limits are 256 / 128 / 129 / 1024. */
static void
test_syn(void **state)
{
	static const struct {
		unsigned number;
		enum queue_rules rules;
		uint8_t cookies;
		struct queue_load load;
		enum syn_outcome outcome;
	} rows[] = {
			/* Row 1: syn queue. */
			{1, RULES(LINUX_6_18), 0, {.syn = 128, .is_proven = true}, SYN_QUEUE},
			{2, RULES(LINUX_6_18), 0, {.syn = 129, .is_proven = true},
					SYN_DROP_QUEUE_FULL},
			{3, RULES(LINUX_6_18), 1, {.syn = 128}, SYN_QUEUE},
			{4, RULES(LINUX_6_18), 1, {.syn = 129}, SYN_COOKIE_QUEUE_FULL},
			{5, RULES(LINUX_6_18), 1, {.syn = 3000}, SYN_COOKIE_QUEUE_FULL},
			{6, RULES(LINUX_6_18), 2, {.syn = 0}, SYN_COOKIE},
			{7, RULES(LINUX_6_18), 2, {.syn = 129}, SYN_COOKIE_QUEUE_FULL},
			{8, RULES(LINUX_4_4), 1, {.syn = 127}, SYN_QUEUE},
			{9, RULES(LINUX_4_4), 1, {.syn = 128}, SYN_COOKIE_QUEUE_FULL},
			{10, RULES(LINUX_2_6), 1, {.syn = 255}, SYN_QUEUE},
			{11, RULES(LINUX_2_6), 1, {.syn = 256}, SYN_COOKIE_QUEUE_FULL},
			{12, RULES(CLASSIC), 1, {.syn = 1023}, SYN_QUEUE},
			{13, RULES(CLASSIC), 1, {.syn = 1024}, SYN_COOKIE_QUEUE_FULL},
			/* Row 2: accept ring; A + 1 fit; a cookie does not rescue it. */
			{14, RULES(LINUX_6_18), 1, {.accept = 128}, SYN_QUEUE},
			{15, RULES(LINUX_6_18), 1, {.accept = 129}, SYN_DROP_ACCEPT_FULL},
			{16, RULES(LINUX_6_18), 2, {.accept = 128}, SYN_COOKIE},
			{17, RULES(LINUX_6_18), 2, {.accept = 129}, SYN_DROP_ACCEPT_FULL},
			{18, RULES(LINUX_6_18), 1, {.accept = 129, .syn = 129},
					SYN_DROP_ACCEPT_FULL},
			{19, RULES(LINUX_6_18), 0, {.accept = 129, .syn = 129},
					SYN_DROP_QUEUE_FULL},
			{20, RULES(CLASSIC), 1, {.accept = 129}, SYN_DROP_ACCEPT_FULL},
			/* The old kernels: only with more than one young request. */
			{21, RULES(LINUX_2_6), 1, {.accept = 129, .syn = 5, .young = 0}, SYN_QUEUE},
			{22, RULES(LINUX_2_6), 1, {.accept = 129, .syn = 5, .young = 1}, SYN_QUEUE},
			{23, RULES(LINUX_2_6), 1, {.accept = 129, .syn = 5, .young = 2},
					SYN_DROP_ACCEPT_FULL},
			{24, RULES(LINUX_4_4), 2, {.accept = 129, .syn = 5, .young = 1},
					SYN_COOKIE},
			{25, RULES(LINUX_4_4), 2, {.accept = 129, .syn = 5, .young = 2},
					SYN_DROP_ACCEPT_FULL},
			/* Row 3: mode 0 keeps the last quarter of tcp_max_syn_backlog. */
			{26, RULES(CLASSIC), 0, {.syn = 768}, SYN_QUEUE},
			{27, RULES(CLASSIC), 0, {.syn = 769}, SYN_DROP_RESERVED},
			{28, RULES(CLASSIC), 0, {.syn = 769, .is_proven = true}, SYN_QUEUE},
			{29, RULES(CLASSIC), 0, {.syn = 1024, .is_proven = true},
					SYN_DROP_QUEUE_FULL},
			{30, RULES(CLASSIC), 1, {.syn = 769}, SYN_QUEUE},
			/* Mode 1 while it holds on to cookies. */
			{31, RULES(LINUX_6_18), 1, {.syn = 3, .cookies = true}, SYN_COOKIE},
			{32, RULES(LINUX_6_18), 0, {.syn = 3, .cookies = true}, SYN_QUEUE},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct backend_config config =
				config_of(rows[i].rules, 128, 4096, 1024, rows[i].cookies);

		assert_int_equal(rows[i].number, i + 1);
		assert_int_equal(queue_rules_syn(&config, &rows[i].load), rows[i].outcome);
	}
}

/* 4. The reference table: where SYN_RECV settles under a flood of strangers, and what happens
 * beyond. */
static void
test_reference(void **state)
{
	static const struct {
		uint32_t somaxconn, syn_backlog;
		uint8_t cookies;
		uint32_t settles;
		enum syn_outcome beyond;
	} rows[] = {
			{1024, 128, 0, 97, SYN_DROP_RESERVED},
			{128, 512, 0, 129, SYN_DROP_QUEUE_FULL},
			{128, 512, 1, 129, SYN_COOKIE_QUEUE_FULL},
			{5, 512, 1, 6, SYN_COOKIE_QUEUE_FULL},
			{256, 512, 1, 257, SYN_COOKIE_QUEUE_FULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct backend_config config = config_of(RULES(LINUX_6_18), rows[i].somaxconn,
				rows[i].somaxconn, rows[i].syn_backlog, rows[i].cookies);
		struct queue_load load = {.syn = 0};

		while (queue_rules_syn(&config, &load) == SYN_QUEUE)
			load.syn++;
		assert_int_equal(load.syn, rows[i].settles);
		assert_int_equal(queue_rules_syn(&config, &load), rows[i].beyond);
		assert_int_equal(queue_rules_syn_limit_unproven(&config), rows[i].settles);
	}
}

/* 5. SYN-ACKs: 1 s, doubling, at most two minutes; five repetitions end after 63 s. */
static void
test_synack_timeout(void **state)
{
	static const unsigned seconds[] = {1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120};
	ticks_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(seconds); i++)
		assert_int_equal(queue_rules_synack_timeout(i), seconds[i] * TICKS_PER_S);
	for (unsigned i = 0; i <= 5; i++)
		sum += queue_rules_synack_timeout(i);
	assert_int_equal(sum, 63 * TICKS_PER_S);
}

/* 6. When more than half of the queue is old, SYN-ACKs are repeated less (reqsk_timer_handler). */
static void
test_synack_retries(void **state)
{
	static const struct {
		uint32_t backlog;
		uint8_t retries;
		uint32_t syn, young;
		unsigned at_most;
	} rows[] = {
			{128, 5, 64, 0, 5},  /* half full: everybody waits his time */
			{128, 5, 65, 65, 5}, /* all young */
			{128, 5, 65, 33, 5}, /* half of them young: 65 < 66 */
			{128, 5, 65, 32, 4}, /* 65 >= 64, 65 < 128 */
			{128, 5, 65, 16, 3}, /* 65 >= 64 */
			{128, 5, 65, 0, 2},
			{128, 1, 129, 0, 1}, /* never more than configured */
			{128, 0, 129, 0, 0},
			{1, 5, 4, 0, 5}, /* eight count as the least backlog */
			{1, 5, 5, 0, 2},
			{1 << 20, 10, 1 << 20, 1 << 18, 8},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct backend_config config =
				config_of(RULES(LINUX_6_18), rows[i].backlog, 1 << 20, 512, 1);

		config.tcp_synack_retries = rows[i].retries;
		assert_int_equal(queue_rules_synack_retries(&config, rows[i].syn, rows[i].young),
				rows[i].at_most);
	}
}

/* 7. PITFALLS 8: mode 1 takes to cookies when the queue is full, and leaves them below three
 * quarters and after a second of rest: a load that swings round the limit changes it once. */
static void
test_pitfall_8_hysteresis(void **state)
{
	struct backend_config config = config_of(RULES(LINUX_6_18), 127, 4096, 1024, 1);
	const uint32_t limit = 128, low = 96;
	bool cookies = false;
	unsigned changes = 0;

	(void)state;
	assert_false(queue_rules_cookies(&config, limit - 1, false, 0, 5000));
	assert_true(queue_rules_cookies(&config, limit, false, 0, 5000));
	assert_true(queue_rules_cookies(&config, limit - 1, true, 5000, 5001));
	assert_true(queue_rules_cookies(&config, low, true, 5000, 9000));
	assert_true(queue_rules_cookies(&config, low - 1, true, 5000, 5999));
	assert_false(queue_rules_cookies(&config, low - 1, true, 5000, 6000));
	/* The clock of milliseconds wraps. */
	assert_true(queue_rules_cookies(&config, 0, true, UINT32_MAX - 100, 500));
	assert_false(queue_rules_cookies(&config, 0, true, UINT32_MAX - 100, 900));

	for (uint32_t ms = 0, full_ms = 0; ms < 60000; ms++) {
		uint32_t syn = limit - ms % 8; /* full every eighth millisecond */
		bool now = queue_rules_cookies(&config, syn, cookies, full_ms, ms);

		if (syn == limit)
			full_ms = ms;
		changes += now != cookies;
		cookies = now;
	}
	assert_true(cookies);
	assert_int_equal(changes, 1);

	config.tcp_syncookies = 0;
	assert_false(queue_rules_cookies(&config, limit, true, 0, 0));
	config.tcp_syncookies = 2;
	assert_true(queue_rules_cookies(&config, 0, false, 0, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_accept_limit),
			cmocka_unit_test(test_syn_limit),
			cmocka_unit_test(test_syn),
			cmocka_unit_test(test_reference),
			cmocka_unit_test(test_synack_timeout),
			cmocka_unit_test(test_synack_retries),
			cmocka_unit_test(test_pitfall_8_hysteresis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
