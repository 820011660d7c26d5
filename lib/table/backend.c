/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A missing answer teaches only what was asked: a backend that leaves out SACK because the
 * client did says nothing about the next client. A refusal is believed for a while only: a
 * backend that was told to do without, or replaced, is asked again.
 *
 * The window scale is not learned: the cookie has no room for the scale that was announced, so it
 * must be the same when the ACK comes back. The configured one is announced and the splice
 * rescales.
 */
#include "table/backend.h"

void
backend_profile_learn(struct backend_profile *profile, const struct tcp_opt_syn *asked,
		const struct tcp_opt *answer, ticks_t now)
{
	bool refuses = (asked->sack_permitted && !answer->sack_permitted) ||
		       (asked->has_timestamp && !answer->has_timestamp);

	if (answer->mss != 0)
		profile->mss = answer->mss;
	if (asked->sack_permitted)
		profile->sack = answer->sack_permitted ? LEARNED_YES : LEARNED_NO;
	if (asked->has_timestamp)
		profile->timestamps = answer->has_timestamp ? LEARNED_YES : LEARNED_NO;
	if (refuses)
		profile->refused_at = now;
}

struct tcp_opt_syn
backend_profile_announce(const struct backend_profile *profile, const struct backend_config *config,
		const struct tcp_opt *offer, ticks_t now)
{
	bool believed = now - profile->refused_at < PROFILE_REFUSAL_S * TICKS_PER_S;
	bool scales = offer->wscale != TCP_WSCALE_NONE;

	return (struct tcp_opt_syn){
			.mss = profile->mss != 0 ? profile->mss : config->announced_mss,
			.wscale = scales ? config->announced_wscale : TCP_WSCALE_NONE,
			.sack_permitted = offer->sack_permitted &&
					  !(believed && profile->sack == LEARNED_NO),
			.has_timestamp = offer->has_timestamp &&
					 !(believed && profile->timestamps == LEARNED_NO),
	};
}
