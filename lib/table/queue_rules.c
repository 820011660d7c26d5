/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux-2.6   reqsk_queue_alloc, reqsk_queue_is_full: the table's size rounded up to a power of two
 * linux-4.4   inet_csk_reqsk_queue_is_full with >=
 * linux-6.18  the same with >
 * classic     max(64, tcp_max_syn_backlog), as the manuals of the time have it
 */
#include "table/queue_rules.h"

#define SYN_LIMIT_LEAST_2_6 8
#define SYN_LIMIT_LEAST_CLASSIC 64
#define SYNACK_TIMEOUT_S 1	 /* TCP_TIMEOUT_INIT */
#define SYNACK_TIMEOUT_S_MAX 120 /* TCP_RTO_MAX */
#define SYNACK_RETRIES_LEAST 2	 /* pressure never goes below */

static uint32_t
at_least(uint32_t value, uint32_t least)
{
	return value > least ? value : least;
}

static uint32_t
at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

/* The smallest power of two that is not below value, 1..2^31. */
static uint32_t
power_of_two_from(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power *= 2;
	return power;
}

uint32_t
queue_rules_syn_limit_older(const struct backend_config *config)
{
	uint32_t accept = backend_config_accept_limit(config);

	switch ((enum queue_rules)config->queue_rules) {
	case QUEUE_RULES_LINUX_2_6:
		return power_of_two_from(at_least(at_most(accept, config->tcp_max_syn_backlog),
							 SYN_LIMIT_LEAST_2_6) +
					 1);
	case QUEUE_RULES_LINUX_4_4:
		return accept;
	case QUEUE_RULES_CLASSIC:
		return at_least(config->tcp_max_syn_backlog, SYN_LIMIT_LEAST_CLASSIC);
	case QUEUE_RULES_LINUX_6_18:
		break;
	}
	return accept + 1;
}

/* Linux refuses when max_syn_backlog - qlen < max_syn_backlog >> 2. */
uint32_t
queue_rules_syn_limit_unproven(const struct backend_config *config)
{
	uint32_t limit = queue_rules_syn_limit(config);
	uint32_t backlog = config->tcp_max_syn_backlog;

	if (config->tcp_syncookies != 0)
		return limit;
	return at_most(limit, backlog - (backlog >> 2) + 1);
}

unsigned
queue_rules_synack_retries(const struct backend_config *config, uint32_t syn, uint32_t young)
{
	unsigned retries = config->tcp_synack_retries;
	uint64_t reserved = (uint64_t)young * 2;

	if ((uint64_t)syn * 2 <= at_least(backend_config_accept_limit(config), 8))
		return retries;
	while (retries > SYNACK_RETRIES_LEAST && syn >= reserved) {
		retries--;
		reserved *= 2;
		if (reserved == 0)
			return SYNACK_RETRIES_LEAST;
	}
	return retries;
}

ticks_t
queue_rules_synack_timeout(unsigned retries)
{
	return at_most(SYNACK_TIMEOUT_S << at_most(retries, 7), SYNACK_TIMEOUT_S_MAX) * TICKS_PER_S;
}

bool
queue_rules_cookies(const struct backend_config *config, uint32_t syn, bool cookies,
		uint32_t full_ms, uint32_t now_ms)
{
	uint32_t limit = queue_rules_syn_limit(config);

	if (config->tcp_syncookies != 1)
		return config->tcp_syncookies == 2;
	if (syn >= limit)
		return true;
	return cookies && (syn >= limit - limit / 4 || now_ms - full_ms < QUEUE_RULES_HOLD_MS);
}
