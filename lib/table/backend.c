/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A missing answer teaches only what was asked: a backend that leaves out SACK because the
 * client did says nothing about the next client.
 *
 * The window scale is not learned: the cookie has no room for the scale that was announced, so it
 * must be the same when the ACK comes back. The configured one is announced and the splice
 * rescales.
 */
#include "table/backend.h"

void
backend_profile_learn(struct backend_profile *profile, const struct tcp_opt_syn *asked,
		const struct tcp_opt *answer)
{
	if (answer->mss != 0)
		profile->mss = answer->mss;
	if (asked->sack_permitted)
		profile->sack = answer->sack_permitted ? LEARNED_YES : LEARNED_NO;
	if (asked->has_timestamp)
		profile->timestamps = answer->has_timestamp ? LEARNED_YES : LEARNED_NO;
}

struct tcp_opt_syn
backend_profile_announce(const struct backend_profile *profile, const struct backend_config *config,
		const struct tcp_opt *offer)
{
	bool scales = offer->wscale != TCP_WSCALE_NONE;

	return (struct tcp_opt_syn){
			.mss = profile->mss != 0 ? profile->mss : config->announced_mss,
			.wscale = scales ? config->announced_wscale : TCP_WSCALE_NONE,
			.sack_permitted = offer->sack_permitted && profile->sack != LEARNED_NO,
			.has_timestamp = offer->has_timestamp && profile->timestamps != LEARNED_NO,
	};
}
