/* SPDX-License-Identifier: BSD-3-Clause */
/* The profile: what a SYN-ACK teaches, and what the next client is told because of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "table/backend.h"

#define NOW (UINT64_C(1700000000) * TICKS_PER_S)

static const struct backend_config config = {.announced_mss = 1460, .announced_wscale = 7};

static struct tcp_opt
opt_from_bits(unsigned bits)
{
	return (struct tcp_opt){
			.mss = bits & 8 ? 1400 : 0,
			.wscale = bits & 4 ? 3 : TCP_WSCALE_NONE,
			.sack_permitted = bits & 2,
			.has_timestamp = bits & 1,
	};
}

/* 1. Every offer to an unknown backend: all that was offered, with the configured values. */
static void
test_unknown(void **state)
{
	const struct backend_profile profile = {0};

	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		struct tcp_opt offer = opt_from_bits(bits);
		struct tcp_opt_syn announce =
				backend_profile_announce(&profile, &config, &offer, NOW);

		assert_int_equal(announce.mss, 1460);
		assert_int_equal(announce.wscale, bits & 4 ? 7 : TCP_WSCALE_NONE);
		assert_int_equal(announce.sack_permitted, (bits & 2) != 0);
		assert_int_equal(announce.has_timestamp, (bits & 1) != 0);
	}
}

/* 2. Every question x every answer x every next offer: refused things are not promised again, and
 * what was not asked teaches nothing. */
static void
test_learn(void **state)
{
	(void)state;
	for (unsigned asked = 0; asked < 16; asked++)
		for (unsigned answered = 0; answered < 16; answered++)
			for (unsigned offered = 0; offered < 16; offered++) {
				struct backend_profile profile = {0};
				struct tcp_opt question = opt_from_bits(asked);
				struct tcp_opt answer = opt_from_bits(answered & (asked | 8));
				struct tcp_opt offer = opt_from_bits(offered);
				struct tcp_opt_syn syn = {
						.mss = 1460,
						.wscale = question.wscale,
						.sack_permitted = question.sack_permitted,
						.has_timestamp = question.has_timestamp,
				};
				struct tcp_opt_syn announce;
				unsigned refused = asked & ~answered;

				backend_profile_learn(&profile, &syn, &answer, NOW);
				announce = backend_profile_announce(&profile, &config, &offer, NOW);
				assert_int_equal(announce.mss, answered & 8 ? 1400 : 1460);
				assert_int_equal(
						announce.wscale, offered & 4 ? 7 : TCP_WSCALE_NONE);
				assert_int_equal(announce.sack_permitted,
						(offered & ~refused & 2) != 0);
				assert_int_equal(announce.has_timestamp,
						(offered & ~refused & 1) != 0);
			}
}

/* 3. A backend that changed its mind is believed. */
static void
test_relearn(void **state)
{
	struct backend_profile profile = {0};
	struct tcp_opt_syn syn = {.sack_permitted = true, .wscale = TCP_WSCALE_NONE};
	struct tcp_opt none = opt_from_bits(0), all = opt_from_bits(15);

	(void)state;
	backend_profile_learn(&profile, &syn, &none, NOW);
	assert_false(backend_profile_announce(&profile, &config, &all, NOW).sack_permitted);
	backend_profile_learn(&profile, &syn, &all, NOW);
	assert_true(backend_profile_announce(&profile, &config, &all, NOW).sack_permitted);
}

/* 4. A refusal is believed for ten minutes; then the next client is offered all again. */
static void
test_forget(void **state)
{
	const ticks_t ten_minutes = 600 * TICKS_PER_S;
	struct backend_profile profile = {0};
	struct tcp_opt_syn syn = {
			.sack_permitted = true, .has_timestamp = true, .wscale = TCP_WSCALE_NONE};
	struct tcp_opt none = opt_from_bits(0), all = opt_from_bits(15);
	struct tcp_opt_syn announce;

	(void)state;
	backend_profile_learn(&profile, &syn, &none, NOW);
	announce = backend_profile_announce(&profile, &config, &all, NOW + ten_minutes - 1);
	assert_false(announce.sack_permitted || announce.has_timestamp);
	announce = backend_profile_announce(&profile, &config, &all, NOW + ten_minutes);
	assert_true(announce.sack_permitted && announce.has_timestamp);
	backend_profile_learn(&profile, &syn, &none, NOW + ten_minutes);
	announce = backend_profile_announce(&profile, &config, &all, NOW + ten_minutes);
	assert_false(announce.sack_permitted || announce.has_timestamp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_unknown),
			cmocka_unit_test(test_learn),
			cmocka_unit_test(test_relearn),
			cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
