/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from a plan, for those who act on it and for those who check. */
#include "plan.h"

static bool
is_fault(const struct fault *fault, enum fault_kind kind, unsigned which)
{
	return fault->kind == kind && (kind == FAULT_NO_BUFFERS || fault->which == which);
}

bool
plan_has_fault(const struct plan *plan, enum fault_kind kind, unsigned which, ticks_t now)
{
	return plan_fault_ends(plan, kind, which, now) > now;
}

ticks_t
plan_fault_ends(const struct plan *plan, enum fault_kind kind, unsigned which, ticks_t now)
{
	ticks_t ends = now;

	/* One may begin before another has ended. */
	for (unsigned pass = 0; pass < plan->fault_count; pass++)
		for (unsigned i = 0; i < plan->fault_count; i++) {
			const struct fault *fault = &plan->faults[i];

			if (is_fault(fault, kind, which) && fault->at <= ends &&
					ends < fault->at + fault->lasts)
				ends = fault->at + fault->lasts;
		}
	return ends;
}

bool
plan_may_be_late(const struct plan *plan)
{
	return plan->buffer_refusals > 0 || plan->fault_count > 0;
}

bool
plan_may_withhold(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->version_count; i++)
		if (plan->versions[i].egress.network_per_s < EGRESS_NETWORK_PER_S ||
				plan->versions[i].egress.side_per_s < EGRESS_SIDE_PER_S)
			return true;
	/* Strangers have networks of their own, honest clients share one; but all of a backend are
	 * doubted when too many don't prove themselves. */
	return plan->floods + plan->oddities >= EGRESS_DOUBT_CLIENTS;
}

ticks_t
plan_frame_life(const struct plan *plan)
{
	ticks_t life = 2 * plan->poll_interval + 4 * STEER_DELAY_MAX + TICKS_PER_MS;

	for (unsigned i = 0; i < CABLES; i++)
		life += link_life(&plan->cables[i]);
	for (unsigned i = 0; i < plan->fault_count; i++)
		if (plan->faults[i].kind == FAULT_STANDSTILL)
			life += plan->faults[i].lasts;
	return life;
}

bool
plan_ever_aborts(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->version_count; i++)
		for (unsigned slot = 0; slot < BACKENDS; slot++)
			if (plan->versions[i].queues[slot].abort_on_overflow)
				return true;
	return false;
}

bool
plan_may_hold(const struct plan *plan, unsigned slot)
{
	for (unsigned i = 0; i < plan->version_count; i++)
		if (plan->versions[i].queues[slot].early_data != EARLY_DATA_ZERO_WINDOW)
			return plan->early_packets > 0;
	return false;
}

uint8_t
plan_least_retries(const struct plan *plan)
{
	uint8_t least = UINT8_MAX;

	for (unsigned i = 0; i < plan->version_count; i++)
		for (unsigned slot = 0; slot < BACKENDS; slot++)
			if (plan->versions[i].queues[slot].synack_retries < least)
				least = plan->versions[i].queues[slot].synack_retries;
	return least;
}

uint8_t
plan_most_retries(const struct plan *plan)
{
	uint8_t most = 0;

	for (unsigned i = 0; i < plan->version_count; i++)
		for (unsigned slot = 0; slot < BACKENDS; slot++)
			if (plan->versions[i].queues[slot].synack_retries > most)
				most = plan->versions[i].queues[slot].synack_retries;
	return most;
}
