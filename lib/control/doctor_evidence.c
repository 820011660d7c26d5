/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same counter, ListenOverflows, moves for a ring that is too small for a burst and for a
 * backend that can't keep up; the waits tell them apart:
 *
 *	Little's law: places = arrivals per second x seconds that each stays
 *
 * A quick backend frees its places at once, and more places help. A slow one keeps the ring full,
 * however large it is: then more places only make clients wait longer.
 */
#include "control/doctor_evidence.h"

#define SLOW_US 750000 /* half of the clients wait longer: no ring is to blame */
#define FULL_TIME_LEAST (2 * TICKS_PER_S)
#define FULL_TIME_LASTING (5 * TICKS_PER_S)
#define WAITS_LEAST 5 /* to judge by */
#define WAITS_CALM_LEAST 20

static void
gather_waits(struct evidence *e)
{
	static const struct history_wait none;
	const struct history_slot *past = e->past;
	struct waits calm;

	waits_since(&e->waits, &past->wait,
			e->overflow != NULL ? &e->overflow->wait : &past->wait_older);
	e->p50_us = waits_below(&e->waits, 500);
	e->p99_us = waits_below(&e->waits, 990);
	if (e->overflow == NULL)
		return;
	waits_since(&calm, &e->overflow->wait, &none);
	if (calm.count >= WAITS_CALM_LEAST)
		e->calm_us = waits_below(&calm, 500);
	if (e->overflow->full_time >= FULL_TIME_LEAST) {
		uint64_t left = e->overflow->answered_full > 0 ? e->overflow->answered_full : 1;

		e->implied_us = (e->limit + UINT64_C(1)) * e->overflow->full_time / left;
	}
}

void
evidence_gather(struct evidence *e, const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, ticks_t now)
{
	const struct episode *overflow = &past->episodes[TROUBLE_OVERFLOW];
	const struct episode *failed = &past->episodes[TROUBLE_FAILED];

	*e = (struct evidence){
			.registry = registry,
			.slot = slot,
			.past = past,
			.overflow = episode_is_known(overflow, now) ? overflow : NULL,
			.failed = episode_is_known(failed, now) ? failed : NULL,
			.now = now,
			.limit = backend_config_accept_limit(&slot->config),
			.waiting = past->accept,
			.window = (uint64_t)slot->config.connect_window *
				  registry->env.worker_count,
			.silent = past->silent_since != 0 ? now - past->silent_since : 0,
	};
	gather_waits(e);
}

static bool
is_refusing(const struct evidence *e)
{
	return e->failed->totals[HISTORY_REFUSED] >= e->failed->totals[HISTORY_SILENT];
}

/* True when nothing was answered while those attempts were made that failed. The sample that saw
 * an answer may be as much as two seconds late. */
static bool
is_down(const struct evidence *e)
{
	const struct episode *failed = e->failed;
	ticks_t tried = patience(e);

	if (e->silent >= larger(patience(e), SILENT_TIME))
		return true;
	if (failed->answered_last > 0)
		return false;
	/* Refused at once, or given up before the next sample: only that sample can tell. */
	if (is_refusing(e) || tried <= 2 * TICKS_PER_S)
		return failed->answered_first == 0;
	return failed->answer_before == 0 ||
	       failed->began - failed->answer_before >= tried - 2 * TICKS_PER_S;
}

static bool
is_slow(const struct evidence *e)
{
	const struct episode *overflow = e->overflow;

	if (larger(e->p50_us, e->implied_us) >= SLOW_US)
		return true;
	return overflow->full_time >= FULL_TIME_LASTING &&
	       overflow->full_time * 10 >= episode_time(overflow) * 8 && e->calm_us > 0 &&
	       e->p50_us > 4 * e->calm_us;
}

/* True for fewer failures than one in ten answers. */
static bool
is_rare(const struct episode *failed)
{
	return failed->events * 10 < failed->totals[HISTORY_ANSWERED];
}

enum accept_cause
evidence_diagnose(const struct evidence *e)
{
	if (e->failed != NULL && is_down(e))
		return is_refusing(e) ? CAUSE_REFUSES : CAUSE_DOWN;
	/* A few failures beside many answers are another story than a ring that overflows. */
	if (e->failed != NULL && (e->overflow == NULL || !is_rare(e->failed)))
		return is_refusing(e) ? CAUSE_REFUSES : CAUSE_SLOW;
	if (e->silent >= larger(patience(e), SILENT_TIME))
		return CAUSE_DOWN;
	if (e->overflow != NULL) {
		if (e->silent >= SILENT_TIME && e->overflow->totals[HISTORY_ANSWERED] == 0)
			return CAUSE_DOWN;
		return is_slow(e) ? CAUSE_SLOW : CAUSE_RING_SMALL;
	}
	if (e->waits.count >= WAITS_LEAST && e->p50_us >= SLOW_US)
		return CAUSE_SLOW;
	return CAUSE_NONE;
}
