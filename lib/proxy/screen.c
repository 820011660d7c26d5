/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a backend that is not protected any more gets here belongs to what Sluice began, and goes
 * on.
 *
 * A source is looked for once per packet, all of a burst together. Nothing is answered and no queue
 * is touched: to a denied client there is nobody here.
 */
#include "proxy/screen.h"

#include "proxy/worker_impl.h"

static_assert(BURST_MAX <= SOURCE_LISTS_BURST_MAX, "sources of a burst are looked up together");

static bool
is_limited(const struct worker *w, const struct source_rule *rule)
{
	return source_rule_is_on(rule) && w->sources.set_count > 0;
}

void
screen_plan(struct worker *w)
{
	const struct source_policy *policy = snapshot_sources(w->snapshot);

	w->denies = policy->lists != NULL;
	w->screens = w->denies || is_limited(w, &policy->rule);
}

/* What the lists say about each client; without lists, nothing. */
static void
find_verdicts(const struct source_lists *lists, const struct task *tasks, unsigned count,
		uint8_t *verdicts)
{
	const struct tuple *tuples[BURST_MAX];

	for (unsigned i = 0; i < count; i++) {
		tuples[i] = &tasks[i].pkt->tuple;
		verdicts[i] = SOURCE_UNLISTED;
	}
	if (lists != NULL && count > 0)
		lists->find(lists, tuples, count, verdicts);
}

/* Ends the way of one. Its reason would else be noted with the others, at the end of the burst. */
static void
turn_away(struct worker *w, struct pkt *pkt, enum reason reason)
{
	pkt->reason = (uint8_t)reason;
	recent_note(&w->recent, pkt->hash, reason, w->now);
}

static bool
is_screened(const struct backend_config *config)
{
	return LIKELY(config->mode == MODE_PROTECT);
}

/* Closes the gaps that those with a reason leave. */
static unsigned
keep_others(struct task *tasks, unsigned count)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < count; i++)
		if (tasks[i].pkt->reason == REASON_NONE)
			tasks[kept++] = tasks[i];
	return kept;
}

/* Has every SYN that no list speaks about pay for itself. */
static void
limit_syns(struct worker *w, const struct source_rule *rule, const struct task *tasks,
		unsigned count, const uint8_t *verdicts)
{
	struct source_place places[BURST_MAX];

	for (unsigned i = 0; i < count; i++)
		if (verdicts[i] == SOURCE_UNLISTED)
			places[i] = source_limit_place(&w->sources, rule, &tasks[i].pkt->tuple);
	for (unsigned i = 0; i < count; i++)
		if (verdicts[i] == SOURCE_UNLISTED && is_screened(tasks[i].config) &&
				!source_limit_take(rule, &places[i], w->now))
			turn_away(w, tasks[i].pkt, REASON_syn_rate_limited);
}

unsigned
screen_syns(struct worker *w, struct task *tasks, unsigned count)
{
	const struct source_policy *policy = snapshot_sources(w->snapshot);
	uint8_t verdicts[BURST_MAX];

	find_verdicts(policy->lists, tasks, count, verdicts);
	for (unsigned i = 0; i < count; i++)
		if (verdicts[i] == SOURCE_DENIED && is_screened(tasks[i].config))
			turn_away(w, tasks[i].pkt, REASON_syn_denied);
	if (is_limited(w, &policy->rule))
		limit_syns(w, &policy->rule, tasks, count, verdicts);
	return keep_others(tasks, count);
}

unsigned
screen_strays(struct worker *w, struct task *tasks, unsigned count)
{
	const struct source_lists *lists = snapshot_sources(w->snapshot)->lists;
	uint8_t verdicts[BURST_MAX];

	if (lists == NULL)
		return count;
	find_verdicts(lists, tasks, count, verdicts);
	for (unsigned i = 0; i < count; i++)
		if (verdicts[i] == SOURCE_DENIED && tasks[i].pkt->conn == FLOW_NONE &&
				is_screened(tasks[i].config))
			turn_away(w, tasks[i].pkt, REASON_stray_denied);
	return keep_others(tasks, count);
}

bool
screen_denies(const struct worker *w, const struct backend_config *config,
		const struct tuple *tuple)
{
	const struct source_lists *lists = snapshot_sources(w->snapshot)->lists;
	uint8_t verdict = SOURCE_UNLISTED;

	if (UNLIKELY(lists != NULL) && is_screened(config))
		lists->find(lists, &tuple, 1, &verdict);
	return verdict == SOURCE_DENIED;
}

enum reason
screen_as_if(struct worker *w, const struct pkt *syn)
{
	const struct source_policy *policy = snapshot_sources(w->snapshot);
	const struct tuple *tuple = &syn->tuple;
	uint8_t verdict = SOURCE_UNLISTED;
	struct source_place place;

	if (LIKELY(!w->screens))
		return REASON_NONE;
	if (policy->lists != NULL)
		policy->lists->find(policy->lists, &tuple, 1, &verdict);
	if (verdict == SOURCE_DENIED)
		return REASON_monitor_syn_denied;
	if (verdict == SOURCE_ALLOWED || !is_limited(w, &policy->rule))
		return REASON_NONE;
	place = source_limit_place(&w->sources, &policy->rule, tuple);
	return source_limit_take(&policy->rule, &place, w->now) ? REASON_NONE
								: REASON_monitor_syn_rate_limited;
}
