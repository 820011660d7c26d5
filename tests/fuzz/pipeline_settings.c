/* SPDX-License-Identifier: BSD-3-Clause */
#include <endian.h>
#include <string.h>

#include "pipeline_script.h"

static void
reload_cookies(struct fuzz_world *w, bool is_new_secret)
{
	struct siphash_key secret = w->cookies.secrets[COOKIE_PLAN_EPOCHS - 1];
	struct cookie_plan next;

	secret.k0 += is_new_secret;
	next = cookie_plan_next(&w->cookies, &secret, w->now);
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		struct backend_config *backend = &w->backends[slot];
		uint8_t earlier[COOKIE_PLAN_EPOCHS - 1];

		for (unsigned i = 0; i < ARRAY_COUNT(earlier); i++)
			earlier[i] = (uint8_t)(1 + backend_config_wscale(backend, &w->cookies,
								   next.first + i));
		memcpy(backend->earlier_wscale, earlier, sizeof(earlier));
	}
	w->cookies = next;
}

/* One that was removed comes back as another. */
static void
publish(struct fuzz_world *w, unsigned slot)
{
	if (!w->is_published[slot]) {
		w->backends[slot].incarnation++;
		w->is_published[slot] = true;
	}
	fuzz_world_publish(w);
}

void
settings_reload(struct fuzz_world *w, struct script *script, unsigned slot)
{
	const uint8_t flags = (uint8_t)script_take(script, 1);
	const uint8_t sizes = (uint8_t)script_take(script, 1);
	const uint8_t limits = (uint8_t)script_take(script, 1);
	const uint8_t window = (uint8_t)script_take(script, 1);
	const uint8_t more = (uint8_t)script_take(script, 1);
	struct backend_config *backend = &w->backends[slot % BACKENDS];

	fuzz_world_flush(w);
	reload_cookies(w, flags & 64);
	backend->tcp_syncookies = (flags & 3) % 3;
	backend->queue_rules = flags >> 2 & 3;
	backend->tcp_abort_on_overflow = flags >> 4 & 1;
	backend->is_draining = w->is_published[slot % BACKENDS] && flags >> 5 & 1;
	backend->backlog = 1 + (sizes & 15);
	backend->tcp_max_syn_backlog = UINT32_C(1) << (sizes >> 4);
	backend->tcp_synack_retries = (limits & 15) % 11;
	backend->announced_wscale = (limits >> 4) % 10;
	backend->connect_window = 1 + (window & 15);
	backend->early_data = (window >> 4 & 3) % 3;
	backend->fragments = window >> 6 & 1;
	backend->stray = (more & 3) % 3;
	backend->profile = more >> 2 & 1;
	backend->profile_sack = more >> 3 & 1;
	backend->profile_timestamps = more >> 4 & 1;
	backend->profile_ecn = more >> 5 & 1;
	backend->announced_mss = more >> 6 & 1 ? 536 : 1460;
	w->timeouts = timeouts_default();
	if (window >> 7)
		w->timeouts = (struct timeouts){.s = {600, 60, 30, 20, 1}};
	w->has_foreign_cookies = flags >> 7;
	publish(w, slot % BACKENDS);
}

/* The flows' clients are 10.0.0.1 and fd00::1. */
static void
set_exempt(struct backend_config *backend, unsigned choice)
{
	static const struct exempt_list lists[] = {
			{.lengths = {0}},
			{.addresses = {{.bytes = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}}},
					.lengths = {128}},
			{.addresses = {{.bytes = {0xfd}},
					 {.bytes = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 0}}},
					.lengths = {64, 120}},
			{.addresses = {{.bytes = {[10] = 0xff, [11] = 0xff, 10, 9, 0, 0}}},
					.lengths = {112}},
	};
	static const uint8_t counts[] = {0, 1, 2, 1};

	backend->exempt = lists[choice];
	backend->exempt_count = counts[choice];
}

static void
set_probe(struct probe_config *probe, unsigned choice)
{
	*probe = (struct probe_config){.ip4 = {.prefix = 24}, .ip6 = {.prefix = 64}};
	if (!(choice & 1))
		return;
	probe->ip4.source = ip_addr_from_ip4(htobe32(0x0a0000fa));
	probe->ip6.source = (union ip_addr){.bytes = {0xfd, [14] = 0x02, [15] = 0x50}};
	if (choice & 2) {
		probe->ip4.prefix = 32;
		probe->ip4.gateway = ip_addr_from_ip4(htobe32(0x0a0000fe));
	}
	if (choice & 4)
		probe->vlan = 10;
}

/* Clients are denied whose address is odd, or all; or allowed. */
static void
find_odd(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	(void)lists;
	ENSURE(count >= 1 && count <= SOURCE_LISTS_BURST_MAX);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = tuples[i]->client.bytes[15] & 1 ? SOURCE_DENIED : SOURCE_ALLOWED;
}

static void
find_none(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	(void)lists;
	(void)tuples;
	memset(verdicts, SOURCE_UNLISTED, count);
}

static void
set_sources(struct source_policy *policy, unsigned choice)
{
	static struct source_lists odd = {.find = find_odd}, none = {.find = find_none};
	static const struct source_rates rates = {2, 3, 31, 63};

	*policy = (struct source_policy){.lists = NULL};
	if (choice & 1)
		policy->lists = choice & 2 ? &odd : &none;
	if (choice & 4)
		policy->rule = source_rule_make(&rates, 2);
}

void
settings_reload_more(struct fuzz_world *w, struct script *script, unsigned slot)
{
	static const struct egress_rates rates[] = {
			{EGRESS_NETWORK_PER_S, EGRESS_SIDE_PER_S},
			{0, EGRESS_SIDE_PER_S},
			{1, 0},
			{2, 3},
	};
	const uint8_t flags = (uint8_t)script_take(script, 1);
	const uint8_t probe = (uint8_t)script_take(script, 1);
	struct backend_config *backend = &w->backends[slot % BACKENDS];

	fuzz_world_flush(w);
	w->egress = rates[flags & 3];
	set_exempt(backend, flags >> 2 & 3);
	w->may_be_exempt |= backend->exempt_count > 0;
	backend->profile = flags >> 4 & 1 ? PROFILE_PROBE : PROFILE_LEARN;
	backend->mode = (flags >> 5 & 3) % 3;
	w->may_be_open |= backend->mode != MODE_PROTECT;
	set_probe(&w->probe, probe);
	set_sources(&w->sources, probe >> 5);
	publish(w, slot % BACKENDS);
}
