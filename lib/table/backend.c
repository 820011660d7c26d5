/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A missing answer teaches only what was asked: a backend that leaves out SACK because the
 * client did says nothing about the next client. A refusal is believed for a while only: a
 * backend that was told to do without, or replaced, is asked again.
 *
 * Nothing known counts as spoken: what was promised in vain the splice makes up for, and only by
 * asking is anything learned.
 *
 * The window scale is only learned to be shown: the cookie has no room for the scale that was
 * announced, so it must be the same when the ACK comes back. The configured one is announced and
 * the splice rescales.
 */
#include "table/backend.h"

/* Notes whether the backend speaks something; true when that is news. What was never promised in
 * a fixed profile is never asked for. */
static bool
learn_spoken(uint8_t *known, const struct backend_config *config, bool asked, bool answered)
{
	bool expected = backend_profile_is_fixed(config) || *known != LEARNED_NO;

	if (!asked)
		return false;
	*known = answered ? LEARNED_YES : LEARNED_NO;
	return answered != expected;
}

/* The same for the window scale. */
static bool
learn_wscale(struct backend_profile *profile, const struct backend_config *config, bool asked,
		uint8_t wscale)
{
	bool is_learned = !backend_profile_is_fixed(config) && profile->scales == LEARNED_YES;
	uint8_t expected = is_learned ? profile->wscale : config->announced_wscale;
	bool is_news = learn_spoken(&profile->scales, config, asked, wscale != TCP_WSCALE_NONE);

	if (!asked || wscale == TCP_WSCALE_NONE)
		return is_news;
	profile->wscale = wscale;
	return is_news || wscale != expected;
}

/* The same for the MSS. */
static bool
learn_mss(struct backend_profile *profile, const struct backend_config *config, uint16_t mss)
{
	uint16_t expected = backend_profile_mss(profile, config);

	if (mss == 0)
		return false;
	profile->mss = mss;
	return mss != expected;
}

void
backend_profile_learn(struct backend_profile *profile, const struct backend_config *config,
		const struct tcp_opt_syn *asked, const struct pkt *answer, ticks_t now)
{
	const struct tcp_opt *opt = &answer->opt;
	bool accepts_ecn = pkt_accepts_ecn(answer);
	bool is_news = learn_mss(profile, config, opt->mss);

	is_news |= learn_wscale(profile, config, asked->wscale != TCP_WSCALE_NONE, opt->wscale);
	is_news |= learn_spoken(&profile->sack, config, asked->sack_permitted, opt->sack_permitted);
	is_news |= learn_spoken(
			&profile->timestamps, config, asked->has_timestamp, opt->has_timestamp);
	is_news |= learn_spoken(&profile->ecn, config, asked->ecn, accepts_ecn);
	profile->window = answer->window;
	profile->drift += is_news;
	profile->learned_at = now;
	if ((asked->sack_permitted && !opt->sack_permitted) ||
			(asked->has_timestamp && !opt->has_timestamp) ||
			(asked->ecn && !accepts_ecn))
		profile->refused_at = now;
}
