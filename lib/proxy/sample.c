/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flood is made of are SYNs that got a cookie alone or nothing; one that found room in the
 * syn queue is no part of it, nor are those that it would have stood for.
 */
#include "proxy/sample.h"

static bool
is_unproven(enum reason reason)
{
	return reason == REASON_syn_cookie_sent || reason == REASON_syn_queue_full ||
	       reason == REASON_syn_reserved || reason == REASON_syn_egress_limited ||
	       reason == REASON_monitor_syn_cookie || reason == REASON_monitor_syn_queue_full ||
	       reason == REASON_monitor_syn_reserved;
}

/* The one drawn, which stands for weight. */
static void
take(struct syn_samples *samples, const struct task *drawn, uint32_t weight)
{
	const struct tuple *tuple = &drawn->pkt->tuple;
	const struct syn_sample sample = {
			.client = tuple->client,
			.weight = weight,
			.slot = drawn->config->slot,
			.family = (uint8_t)tuple->family,
	};

	if (is_unproven((enum reason)drawn->pkt->reason))
		syn_samples_put(samples, &sample);
}

void
sample_drawn(struct worker *w, const struct task *syns, unsigned count)
{
	struct syn_samples *samples = w->env.samples;

	while (count > 0 && syn_samples_see(samples, count)) {
		const unsigned passed = samples->left > 0 ? samples->left : 1;
		const uint32_t weight = syn_samples_draw(samples, w->now);

		take(samples, &syns[passed - 1], weight);
		syns += passed;
		count -= passed;
	}
}
