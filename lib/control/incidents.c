/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What began between two samples began at an unknown moment between them; it is dated by the first.
 * Rates are of the time between, so a late sample does not make a peak.
 */
#include "control/incidents.h"

#include <stdlib.h>
#include <string.h>

#include "control/doctor_evidence.h"
#include "table/queue_rules.h"

#define SAMPLE_LEAST (TICKS_PER_S / 4)
#define QUIET (INCIDENT_QUIET_S * TICKS_PER_S)

/* What is counted per backend; increments, and the sums before. */
enum tally { TALLY_COOKIES, TALLY_PROOFS, TALLY_FULL_DROPS, TALLY_OVERFLOWS, TALLY_DROPS, TALLIES };

static const enum backend_counter tallied[TALLIES] = {
		[TALLY_COOKIES] = COUNTER_SyncookiesSent,
		[TALLY_PROOFS] = COUNTER_SyncookiesRecv,
		[TALLY_FULL_DROPS] = COUNTER_TCPReqQFullDrop,
		[TALLY_OVERFLOWS] = COUNTER_ListenOverflows,
		[TALLY_DROPS] = COUNTER_ListenDrops,
};

/* One that lasts. */
struct incident {
	ticks_t began; /* 0: none */
	ticks_t last;  /* seen */
	uint64_t events;
	uint64_t peak;	 /* per second */
	uint64_t proofs; /* meanwhile */
	bool is_told;	 /* that it began */
};

struct incident_slot {
	uint32_t incarnation;
	bool is_cookie_mode;
	uint8_t mode;	    /* enum backend_mode */
	ticks_t last;	    /* sample */
	ticks_t down_since; /* 0: it is not down */
	uint64_t sums[TALLIES];
	struct incident flood, overflow;
	char *name; /* as the latest of them, or an outage, began; owned. NULL: none did */
};
static_assert(sizeof(struct incident_slot) == INCIDENT_SLOT_BYTES, "said in the header");

struct incidents {
	void (*tell)(void *context, const struct event *event);
	void *context;
	ticks_t last; /* sample; 0: none yet */
	uint32_t slot_count;
	struct incident_slot *slots[];
};

/* One backend while it is looked at. */
struct view {
	struct incidents *incidents;
	struct history *history;
	const struct registry *registry;
	const struct slot *slot;
	struct incident_slot *past;
	ticks_t now;
	ticks_t time; /* since the sample before, at least 1 */
	uint64_t deltas[TALLIES];
};

struct incidents *
incidents_new(const struct registry *registry, void (*tell)(void *, const struct event *),
		void *context)
{
	uint32_t count = registry->config->backends_max;
	struct incidents *incidents =
			calloc(1, sizeof(*incidents) + count * sizeof(incidents->slots[0]));

	if (incidents == NULL)
		return NULL;
	incidents->tell = tell;
	incidents->context = context;
	incidents->slot_count = count;
	return incidents;
}

static void
slot_free(struct incident_slot *slot)
{
	if (slot != NULL)
		free(slot->name);
	free(slot);
}

void
incidents_free(struct incidents *incidents)
{
	for (uint32_t i = 0; incidents != NULL && i < incidents->slot_count; i++)
		slot_free(incidents->slots[i]);
	free(incidents);
}

static uint64_t
counter_sum(const struct view *view, enum backend_counter counter)
{
	const struct registry_env *env = &view->registry->env;
	const uint16_t slot = registry_slot(view->registry, view->slot);
	uint64_t sum = 0;

	for (unsigned i = 0; i < env->worker_count; i++)
		if (env->workers[i].backends != NULL)
			sum += counter_read(&env->workers[i].backends[slot].values[counter]);
	return sum - view->slot->baseline.values[counter];
}

static uint64_t
per_second(const struct view *view, uint64_t n)
{
	return n * TICKS_PER_S / view->time;
}

/* What is told of a monitored backend would be, if it were protected. */
static void
event_as_if(struct event *event, const struct view *view)
{
	if (view->past->mode != MODE_PROTECT)
		event_text(event, "protection",
				backend_mode_name((enum backend_mode)view->past->mode));
}

/* An event of a beginning. The name is kept, to tell the end by: when a backend drains its name is
 * another, and when it is gone it has none. */
static void
event_for_begin(struct event *event, const struct view *view, enum event_kind kind,
		enum event_priority priority)
{
	struct incident_slot *past = view->past;
	char name[REGISTRY_NAME_BYTES];

	registry_name(view->registry, view->slot, name);
	if (past->name == NULL || view->slot->use != SLOT_DRAINING) {
		free(past->name);
		past->name = strdup(name);
	}
	event_begin(event, kind, priority, past->name != NULL ? past->name : name);
	event_as_if(event, view);
}

/* An event of an end. */
static void
event_for_end(struct event *event, const struct view *view, enum event_kind kind)
{
	const char *name = view->past->name;

	event_begin(event, kind, EVENT_NOTICE, name != NULL ? name : "unknown");
	event_as_if(event, view);
}

static void
tell(const struct view *view, const struct event *event)
{
	view->incidents->tell(view->incidents->context, event);
}

static void
event_sources(struct event *event, const struct view *view)
{
	const uint16_t slot = registry_slot(view->registry, view->slot);
	char text[SOURCES_TEXT_BYTES];

	if (sources_write(history_sources_of(view->history, slot), text) > 0)
		event_text(event, "sources", text);
	else
		event_text(event, "sources", "none stands out");
}

/* Counts events of this sample in. */
static void
incident_see(struct incident *incident, const struct view *view, uint64_t events)
{
	const uint64_t rate = per_second(view, events);

	if (incident->began == 0)
		*incident = (struct incident){
				.began = view->past->last != 0 ? view->past->last : 1};
	incident->last = view->now;
	incident->events += events;
	incident->proofs += view->deltas[TALLY_PROOFS];
	incident->peak = rate > incident->peak ? rate : incident->peak;
}

static bool
incident_is_over(const struct incident *incident, const struct view *view)
{
	return incident->began != 0 && view->now - incident->last >= QUIET;
}

static void
event_length(struct event *event, const struct incident *incident)
{
	const ticks_t lasted = incident->last - incident->began;

	event_number(event, "lasted_s", (lasted + TICKS_PER_S / 2) / TICKS_PER_S);
}

static void
flood_tell_begin(struct incident *flood, const struct view *view)
{
	struct event event;

	flood->is_told = true;
	event_for_begin(&event, view, EVENT_FLOOD_BEGINS, EVENT_WARNING);
	event_number(&event, "syns_per_s", flood->peak);
	event_text(&event, "mode", view->past->is_cookie_mode ? "cookie" : "queue");
	event_sources(&event, view);
	tell(view, &event);
}

static void
flood_tell_end(const struct incident *flood, const struct view *view)
{
	struct event event;

	event_for_end(&event, view, EVENT_FLOOD_ENDS);
	event_length(&event, flood);
	event_number(&event, "syns", flood->events);
	event_number(&event, "syns_per_s_peak", flood->peak);
	event_number(&event, "proved", flood->proofs);
	event_sources(&event, view);
	tell(view, &event);
}

/* SYNs that no entry was made for, and among them those that nobody followed up. ListenDrops beyond
 * what has a name is mode 0's reserved quarter. */
static uint64_t
flood_syns(const struct view *view, uint64_t *unproved)
{
	const uint64_t *deltas = view->deltas;
	const uint64_t named = deltas[TALLY_FULL_DROPS] + deltas[TALLY_OVERFLOWS];
	uint64_t syns = deltas[TALLY_COOKIES] + deltas[TALLY_FULL_DROPS];

	if (view->slot->config.tcp_syncookies == 0 && deltas[TALLY_DROPS] > named)
		syns += deltas[TALLY_DROPS] - named;
	*unproved = syns > deltas[TALLY_PROOFS] ? syns - deltas[TALLY_PROOFS] : 0;
	return syns;
}

static void
flood_look(const struct view *view)
{
	struct incident *flood = &view->past->flood;
	uint64_t unproved, syns = flood_syns(view, &unproved);

	if (per_second(view, unproved) >= INCIDENT_FLOOD_LEAST &&
			unproved > view->deltas[TALLY_PROOFS]) {
		const bool is_second = flood->began != 0;

		if (!is_second)
			sources_forget(history_sources(view->history),
					registry_slot(view->registry, view->slot));
		incident_see(flood, view, syns);
		if (is_second && !flood->is_told)
			flood_tell_begin(flood, view);
	} else if (flood->began != 0 && !flood->is_told) {
		*flood = (struct incident){0}; /* one second is no flood */
	} else if (incident_is_over(flood, view)) {
		flood_tell_end(flood, view);
		*flood = (struct incident){0};
	}
}

static void
overflow_tell_end(const struct incident *overflow, const struct view *view)
{
	struct event event;

	event_for_end(&event, view, EVENT_OVERFLOW_ENDS);
	event_length(&event, overflow);
	event_number(&event, "turned_away", overflow->events);
	event_number(&event, "turned_away_per_s_peak", overflow->peak);
	tell(view, &event);
}

static void
overflow_look(const struct view *view)
{
	const uint16_t index = registry_slot(view->registry, view->slot);
	struct incident *overflow = &view->past->overflow;
	struct event event;

	if (view->deltas[TALLY_OVERFLOWS] > 0) {
		incident_see(overflow, view, view->deltas[TALLY_OVERFLOWS]);
		if (overflow->is_told)
			return;
		overflow->is_told = true;
		event_for_begin(&event, view, EVENT_OVERFLOW_BEGINS, EVENT_WARNING);
		event_number(&event, "turned_away", overflow->events);
		event_number(&event, "recv_q",
				shared_read(&view->registry->env.shared[index].accept));
		event_number(&event, "send_q", backend_config_accept_limit(&view->slot->config));
		tell(view, &event);
	} else if (incident_is_over(overflow, view)) {
		overflow_tell_end(overflow, view);
		*overflow = (struct incident){0};
	}
}

/* CAUSE_NONE unless the latest attempts failed. */
static enum accept_cause
down_cause(const struct view *view, const struct history_slot *past)
{
	const struct episode *failed = &past->episodes[TROUBLE_FAILED];
	struct evidence evidence;
	enum accept_cause cause;

	if (past->silent_since == 0 && (failed->began == 0 || failed->last != view->now ||
						       failed->last <= past->answered_at))
		return CAUSE_NONE;
	evidence_gather(&evidence, view->registry, view->slot, past, view->now);
	cause = evidence_diagnose(&evidence);
	return cause == CAUSE_DOWN || cause == CAUSE_REFUSES ? cause : CAUSE_NONE;
}

static void
health_look(const struct view *view)
{
	const struct history_slot *past = history_at(
			view->history, view->registry, registry_slot(view->registry, view->slot));
	struct incident_slot *mine = view->past;
	struct event event;
	enum accept_cause cause;

	if (past == NULL)
		return;
	if (mine->down_since != 0) {
		if (past->answered_at <= mine->down_since)
			return;
		event_for_end(&event, view, EVENT_BACKEND_UP);
		event_number(&event, "down_s", (view->now - mine->down_since) / TICKS_PER_S);
		mine->down_since = 0;
		tell(view, &event);
		return;
	}
	cause = down_cause(view, past);
	if (cause == CAUSE_NONE)
		return;
	mine->down_since = view->now;
	event_for_begin(&event, view, EVENT_BACKEND_DOWN, EVENT_ERROR);
	event_text(&event, "cause", cause == CAUSE_REFUSES ? "refuses" : "silent");
	event_number(&event, "waiting", past->accept);
	event_number(&event, "failed", past->episodes[TROUBLE_FAILED].events);
	tell(view, &event);
}

static bool
is_cookie_mode(const struct view *view)
{
	const struct backend_config *config = &view->slot->config;
	const struct backend_shared *shared =
			&view->registry->env.shared[registry_slot(view->registry, view->slot)];

	return queue_rules_cookies(config, shared_read(&shared->syn),
			shared_read(&shared->cookies) != 0, shared_read(&shared->full_ms),
			queue_rules_ms(view->now));
}

static void
mode_look(const struct view *view)
{
	const bool is_cookie = is_cookie_mode(view);
	char name[REGISTRY_NAME_BYTES];
	struct event event;

	if (is_cookie == view->past->is_cookie_mode)
		return;
	view->past->is_cookie_mode = is_cookie;
	registry_name(view->registry, view->slot, name);
	event_begin(&event, EVENT_MODE, EVENT_NOTICE, name);
	event_text(&event, "mode", is_cookie ? "cookie" : "queue");
	event_number(&event, "tcp_syncookies", (uint64_t)view->slot->config.tcp_syncookies);
	tell(view, &event);
}

static void
incidents_end(const struct view *view)
{
	struct incident_slot *past = view->past;

	if (past->flood.is_told)
		flood_tell_end(&past->flood, view);
	if (past->overflow.is_told)
		overflow_tell_end(&past->overflow, view);
	past->flood = past->overflow = (struct incident){0};
}

static void
protection_tell(const struct view *view)
{
	const enum backend_mode mode = (enum backend_mode)view->slot->config.mode;
	char name[REGISTRY_NAME_BYTES];
	struct event event;

	view->past->mode = (uint8_t)mode;
	registry_name(view->registry, view->slot, name);
	event_begin(&event, EVENT_PROTECTION, EVENT_NOTICE, name);
	event_text(&event, "mode", backend_mode_name(mode));
	tell(view, &event);
}

/* What came until now counts for the mode before, and ends with it: what was true as if is not what
 * is, and of a backend that is off nobody would see the end. */
static void
protection_look(const struct view *view)
{
	if (view->slot->config.mode == view->past->mode)
		return;
	incidents_end(view);
	view->past->down_since = 0;
	protection_tell(view);
}

/* The backend is gone: ends what is under way, and forgets whose SYNs its were. */
static void
slot_leave(const struct view *view)
{
	const struct incident_slot *past = view->past;
	struct event event;

	incidents_end(view);
	if (past->down_since != 0) {
		event_for_end(&event, view, EVENT_BACKEND_REMOVED);
		event_number(&event, "down_s", (view->now - past->down_since) / TICKS_PER_S);
		tell(view, &event);
	}
	sources_forget(history_sources(view->history), registry_slot(view->registry, view->slot));
}

/* The slot has been taken since the look before. */
static void
slot_begin(const struct view *view)
{
	slot_leave(view);
	free(view->past->name);
	*view->past = (struct incident_slot){
			.incarnation = view->slot->config.incarnation,
			.is_cookie_mode = view->slot->config.tcp_syncookies == 2,
			.last = view->slot->since,
	};
	if (view->slot->config.mode != MODE_PROTECT)
		protection_tell(view);
}

/* Samples from before a trouble of the syn queue say nothing about it. */
static void
sources_look(const struct view *view)
{
	static const enum history_trouble troubles[] = {TROUBLE_SYN_DROP, TROUBLE_FLOOD};
	const uint16_t slot = registry_slot(view->registry, view->slot);
	const struct history_slot *past = history_at(view->history, view->registry, slot);

	for (unsigned i = 0; past != NULL && i < ARRAY_COUNT(troubles); i++) {
		const struct episode *episode = &past->episodes[troubles[i]];
		const struct sources *sources;

		if (episode->began == 0 || episode->last != view->now)
			continue;
		sources = history_sources_of(view->history, slot);
		if (sources != NULL && sources->began < episode->began)
			sources_forget(history_sources(view->history), slot);
	}
}

static void
slot_look(struct view *view)
{
	struct incident_slot *past = view->past;

	if (past->incarnation != view->slot->config.incarnation)
		slot_begin(view);
	view->time = view->now > past->last ? view->now - past->last : 1;
	for (unsigned i = 0; i < TALLIES; i++) {
		const uint64_t sum = counter_sum(view, tallied[i]);

		view->deltas[i] = sum - past->sums[i];
		past->sums[i] = sum;
	}
	mode_look(view);
	sources_look(view);
	flood_look(view);
	overflow_look(view);
	health_look(view);
	protection_look(view);
	past->last = view->now;
}

/* All that workers have left, so that what is told in this round counts them. */
static void
samples_take(struct history *history, const struct registry *registry, ticks_t now)
{
	struct syn_sample sample;

	for (unsigned i = 0; i < registry->env.worker_count; i++) {
		struct syn_samples *samples = registry->env.workers[i].samples;

		/* A worker adds as we take; each ring once is enough. */
		for (unsigned n = 0; samples != NULL && n < SYN_SAMPLES_MAX; n++) {
			if (!syn_samples_take(samples, &sample))
				break;
			sources_add(history_sources(history), &sample, now);
		}
	}
}

void
incidents_sample(struct incidents *incidents, struct history *history,
		const struct registry *registry, ticks_t now)
{
	struct view view = {
			.incidents = incidents,
			.history = history,
			.registry = registry,
			.now = now,
	};

	if (incidents->last != 0 && now - incidents->last < SAMPLE_LEAST)
		return;
	incidents->last = now;
	for (uint32_t i = 0; i < registry->slots_used && i < incidents->slot_count; i++) {
		view.slot = &registry->slots[i];
		view.past = incidents->slots[i];
		if (view.slot->use == SLOT_FREE) {
			if (view.past != NULL)
				slot_leave(&view);
			slot_free(view.past);
			incidents->slots[i] = NULL;
			continue;
		}
		if (view.past == NULL)
			view.past = incidents->slots[i] = calloc(1, sizeof(struct incident_slot));
		if (view.past != NULL)
			slot_look(&view);
	}
	samples_take(history, registry, now);
}
