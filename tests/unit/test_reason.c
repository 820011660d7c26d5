/* SPDX-License-Identifier: BSD-3-Clause */
/* The reason registry: complete, with unique names, and each reason with its verdict. */
#include "base/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static bool
is_identifier(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static void
test_names_and_texts(void **state)
{
	(void)state;
	for (unsigned r = 0; r < REASON_COUNT; r++) {
		const char *text = reason_text((enum reason)r);

		assert_true(is_identifier(reason_name((enum reason)r)));
		assert_true(strlen(text) > 0 && text[strlen(text) - 1] != '.');
		for (unsigned other = 0; other < r; other++) {
			assert_string_not_equal(reason_name((enum reason)r),
					reason_name((enum reason)other));
			assert_string_not_equal(text, reason_text((enum reason)other));
		}
	}
}

/* One reason of each group in reason.def, and every one that replies. */
static const struct {
	enum reason reason;
	const char *name;
	enum verdict verdict;
} cases[] = {
		/* 0 */ {REASON_NONE, "none", VERDICT_DROP},
		/* 1 */ {REASON_pass_not_ip, "pass_not_ip", VERDICT_FORWARD},
		/* 2 */ {REASON_pass_not_tcp, "pass_not_tcp", VERDICT_FORWARD},
		/* 3 */ {REASON_pass_not_protected, "pass_not_protected", VERDICT_FORWARD},
		/* 4 */ {REASON_eth_truncated, "eth_truncated", VERDICT_DROP},
		/* 5 */ {REASON_fragment, "fragment", VERDICT_DROP},
		/* 6 */ {REASON_tcp_checksum, "tcp_checksum", VERDICT_DROP},
		/* 7 */ {REASON_syn_cookie_sent, "syn_cookie_sent", VERDICT_REPLY},
		/* 8 */ {REASON_ack_connecting, "ack_connecting", VERDICT_FORWARD},
		/* 9 */ {REASON_ack_cookie_invalid, "ack_cookie_invalid", VERDICT_DROP},
		/* 10 */ {REASON_ack_overflow_reset, "ack_overflow_reset", VERDICT_REPLY},
		/* 11 */ {REASON_backend_connected, "backend_connected", VERDICT_REPLY},
		/* 12 */ {REASON_backend_connected_again, "backend_connected_again", VERDICT_REPLY},
		/* 13 */ {REASON_backend_refused, "backend_refused", VERDICT_FORWARD},
		/* 14 */ {REASON_backend_old_socket, "backend_old_socket", VERDICT_REPLY},
		/* 15 */ {REASON_spliced, "spliced", VERDICT_FORWARD},
		/* 16 */ {REASON_stray_client, "stray_client", VERDICT_DROP},
		/* 17 */ {REASON_stray_backend, "stray_backend", VERDICT_DROP},
		/* 18 */ {REASON_steer_full, "steer_full", VERDICT_DROP},
		/* 19 */ {REASON_ack_connecting_held, "ack_connecting_held", VERDICT_HOLD},
		/* 20 */ {REASON_ack_queued_held, "ack_queued_held", VERDICT_HOLD},
		/* 21 */ {REASON_client_early_held, "client_early_held", VERDICT_HOLD},
		/* 22 */
		{REASON_backend_connected_early, "backend_connected_early", VERDICT_FORWARD},
		/* 23 */ {REASON_ack_war, "ack_war", VERDICT_REPLY},
		/* 24 */ {REASON_stray_reset, "stray_reset", VERDICT_REPLY},
		/* 25 */ {REASON_stray_passed, "stray_passed", VERDICT_FORWARD},
		/* 26 */ {REASON_fragment_passed, "fragment_passed", VERDICT_FORWARD},
};

static void
test_cases(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_string_equal(reason_name(cases[i].reason), cases[i].name);
		assert_int_equal(reason_verdict(cases[i].reason), cases[i].verdict);
	}
}

/* What a name says about the verdict is true: malformed drops, passing forwards. */
static void
test_verdict_by_name(void **state)
{
	(void)state;
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		const char *name = reason_name((enum reason)r);
		enum verdict verdict = reason_verdict((enum reason)r);

		assert_true(verdict == VERDICT_HOLD || verdict == VERDICT_DROP ||
				verdict == VERDICT_FORWARD || verdict == VERDICT_REPLY);
		if (strncmp(name, "pass_", 5) == 0)
			assert_int_equal(verdict, VERDICT_FORWARD);
		if (strncmp(name, "ip4_", 4) == 0 || strncmp(name, "ip6_", 4) == 0 ||
				strncmp(name, "tcp_", 4) == 0 || strncmp(name, "vlan_", 5) == 0)
			assert_int_equal(verdict, VERDICT_DROP);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_names_and_texts),
			cmocka_unit_test(test_cases),
			cmocka_unit_test(test_verdict_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
