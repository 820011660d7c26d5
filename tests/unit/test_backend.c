/* SPDX-License-Identifier: BSD-3-Clause */
/* The profile: what a SYN-ACK teaches, and what the next client is told because of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/syn_ack.h"
#include "table/backend.h"

#define NOW (UINT64_C(1700000000) * TICKS_PER_S)

static const struct backend_config config = {.announced_mss = 1460, .announced_wscale = 7};

/* A backend that is said to speak nothing but SACK. */
static const struct backend_config fixed_config = {
		.announced_mss = 1300,
		.announced_wscale = 5,
		.profile = PROFILE_FIXED,
		.profile_sack = 1,
};

enum { BITS = 32, BIT_ECN = 16, BIT_MSS = 8, BIT_SCALE = 4, BIT_SACK = 2, BIT_TS = 1 };

static struct tcp_opt
opt_from_bits(unsigned bits)
{
	return (struct tcp_opt){
			.mss = bits & BIT_MSS ? 1400 : 0,
			.wscale = bits & BIT_SCALE ? 3 : TCP_WSCALE_NONE,
			.sack_permitted = bits & BIT_SACK,
			.has_timestamp = bits & BIT_TS,
	};
}

static struct pkt
syn_from_bits(unsigned bits)
{
	return (struct pkt){
			.flags = TCP_SYN | (bits & BIT_ECN ? TCP_ECE | TCP_CWR : 0),
			.opt = opt_from_bits(bits),
	};
}

static struct pkt
answer_from_bits(unsigned bits)
{
	return (struct pkt){
			.flags = TCP_SYN | TCP_ACK | (bits & BIT_ECN ? TCP_ECE : 0),
			.window = 65160,
			.opt = opt_from_bits(bits),
	};
}

static struct tcp_opt_syn
asked_from_bits(unsigned bits)
{
	struct tcp_opt opt = opt_from_bits(bits);

	return (struct tcp_opt_syn){
			.mss = 1460,
			.wscale = opt.wscale,
			.sack_permitted = opt.sack_permitted,
			.has_timestamp = opt.has_timestamp,
			.ecn = bits & BIT_ECN,
	};
}

static struct tcp_opt_syn
announce(const struct backend_profile *profile, const struct backend_config *of, unsigned bits,
		ticks_t now)
{
	struct pkt syn = syn_from_bits(bits);

	const struct tcp_opt_syn offer = backend_profile_offer(profile, of, now);
	struct tcp_opt_syn announce = {.tsval = 0};

	syn_ack_offer(&announce, &offer, &syn);
	return announce;
}

static void
learn(struct backend_profile *profile, const struct backend_config *of, unsigned asked,
		unsigned answered, ticks_t now)
{
	struct tcp_opt_syn question = asked_from_bits(asked);
	struct pkt answer = answer_from_bits(answered);

	backend_profile_learn(profile, of, &question, &answer, now);
}

/* 1. Every offer to an unknown backend: all that was offered, with the configured values. */
static void
test_unknown(void **state)
{
	const struct backend_profile profile = {0};

	(void)state;
	for (unsigned bits = 0; bits < BITS; bits++) {
		struct tcp_opt_syn told = announce(&profile, &config, bits, NOW);

		assert_int_equal(told.mss, 1460);
		assert_int_equal(told.wscale, bits & BIT_SCALE ? 7 : TCP_WSCALE_NONE);
		assert_int_equal(told.sack_permitted, (bits & BIT_SACK) != 0);
		assert_int_equal(told.has_timestamp, (bits & BIT_TS) != 0);
		assert_int_equal(told.ecn, (bits & BIT_ECN) != 0);
	}
}

/* 2. Every question x every answer x every next offer: refused things are not promised again, and
 * what was not asked teaches nothing. */
static void
test_learn(void **state)
{
	(void)state;
	for (unsigned asked = 0; asked < BITS; asked++)
		for (unsigned answered = 0; answered < BITS; answered++)
			for (unsigned offered = 0; offered < BITS; offered++) {
				struct backend_profile profile = {0};
				unsigned left = offered & ~(asked & ~answered);
				struct tcp_opt_syn told;

				learn(&profile, &config, asked, answered & (asked | BIT_MSS), NOW);
				told = announce(&profile, &config, offered, NOW);
				assert_int_equal(told.mss, answered & BIT_MSS ? 1400 : 1460);
				assert_int_equal(told.wscale,
						offered & BIT_SCALE ? 7 : TCP_WSCALE_NONE);
				assert_int_equal(told.sack_permitted, (left & BIT_SACK) != 0);
				assert_int_equal(told.has_timestamp, (left & BIT_TS) != 0);
				assert_int_equal(told.ecn, (left & BIT_ECN) != 0);
			}
}

/* 3. A backend that changed its mind is believed. */
static void
test_relearn(void **state)
{
	struct backend_profile profile = {0};

	(void)state;
	learn(&profile, &config, BIT_SACK, 0, NOW);
	assert_false(announce(&profile, &config, BITS - 1, NOW).sack_permitted);
	learn(&profile, &config, BIT_SACK, BIT_SACK, NOW);
	assert_true(announce(&profile, &config, BITS - 1, NOW).sack_permitted);
}

/* 4. A refusal is believed for ten minutes; then the next client is offered all again. */
static void
test_forget(void **state)
{
	const ticks_t ten_minutes = 600 * TICKS_PER_S;
	const unsigned all = BITS - 1;
	struct backend_profile profile = {0};
	struct tcp_opt_syn told;

	(void)state;
	learn(&profile, &config, all, 0, NOW);
	told = announce(&profile, &config, all, NOW + ten_minutes - 1);
	assert_false(told.sack_permitted || told.has_timestamp || told.ecn);
	told = announce(&profile, &config, all, NOW + ten_minutes);
	assert_true(told.sack_permitted && told.has_timestamp && told.ecn);
	learn(&profile, &config, all, 0, NOW + ten_minutes);
	told = announce(&profile, &config, all, NOW + ten_minutes);
	assert_false(told.sack_permitted || told.has_timestamp || told.ecn);
}

/* 5. Drift: answers that differ from what was known, or at first from what is configured. */
static void
test_drift(void **state)
{
	static const struct {
		unsigned asked, answered;
		uint32_t drift;
	} rows[] = {
			{0, 0, 0}, /* nothing asked, nothing learned */
			{BIT_SACK | BIT_TS, BIT_SACK | BIT_TS, 0}, /* as expected */
			{BIT_SACK | BIT_TS, BIT_SACK, 1},	   /* no timestamps any more */
			{BIT_SACK | BIT_TS, BIT_SACK, 1},	   /* known by now */
			{BIT_SACK, BIT_SACK, 1},		   /* not asked for them */
			{BIT_TS, BIT_TS | BIT_MSS, 2}, /* again, and another MSS: one answer */
			{0, BIT_MSS, 2},
			{BIT_SCALE, BIT_SCALE, 3}, /* 3, but 7 is configured */
			{BIT_SCALE, BIT_SCALE, 3},
			{BIT_SCALE, 0, 4},
			{BIT_ECN, 0, 5},
			{BIT_ECN, BIT_ECN, 6},
			{BIT_ECN, BIT_ECN, 6},
	};
	struct backend_profile profile = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		learn(&profile, &config, rows[i].asked, rows[i].answered, NOW + i);
		assert_int_equal(profile.drift, rows[i].drift);
		assert_int_equal(profile.learned_at, NOW + i);
		assert_int_equal(profile.window, 65160);
	}
}

/* 6. A fixed profile: what is configured is announced whatever the backend answers, and counted
 * when it differs; what was learned is there to be seen. */
static void
test_fixed(void **state)
{
	struct backend_profile profile = {0};
	const unsigned all = BITS - 1;

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct tcp_opt_syn told = announce(&profile, &fixed_config, all, NOW);

		assert_int_equal(told.mss, 1300);
		assert_int_equal(told.wscale, 5);
		assert_true(told.sack_permitted);
		assert_false(told.has_timestamp || told.ecn);
		assert_false(announce(&profile, &fixed_config, 0, NOW).sack_permitted);
		/* It refuses SACK, and has an MSS of 1400. */
		learn(&profile, &fixed_config, BIT_SACK, BIT_MSS, NOW);
		assert_int_equal(profile.drift, n + 1);
	}
	assert_int_equal(profile.sack, LEARNED_NO);
	assert_int_equal(profile.mss, 1400);
	assert_int_equal(profile.timestamps, LEARNED_NOTHING);
}

/* 7. What offers ECN is both flags and an unmarked packet; what accepts it is ECE alone. */
static void
test_ecn_setup(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 4; flags++)
		for (unsigned field = 0; field < 4; field++) {
			uint8_t bits = (uint8_t)((flags & 1 ? TCP_ECE : 0) |
						 (flags & 2 ? TCP_CWR : 0));
			struct pkt pkt = {.flags = TCP_SYN | bits, .tos = (uint8_t)(0xb8 | field)};

			assert_int_equal(pkt_offers_ecn(&pkt), flags == 3 && field == 0);
			pkt.flags |= TCP_ACK;
			assert_int_equal(pkt_accepts_ecn(&pkt), flags == 1);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_unknown),
			cmocka_unit_test(test_learn),
			cmocka_unit_test(test_relearn),
			cmocka_unit_test(test_forget),
			cmocka_unit_test(test_drift),
			cmocka_unit_test(test_fixed),
			cmocka_unit_test(test_ecn_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
