/* SPDX-License-Identifier: BSD-3-Clause */
/* What keeps proved clients from their backend, in words; doctor_evidence.c tells it apart. */
#include "control/doctor_evidence.h"

#define QUICK_ANSWER_US 200000 /* the backend is quick: the connect window is what limits */
#define CURE_MAX (1 << 20)     /* backlog and somaxconn: config/README.md */
#define WINDOW_MAX 65535
#define EVENTS_OUTAGE 3

static void
say_overflows(struct finding *finding, const struct evidence *e)
{
	const struct episode *overflow = e->overflow;
	char last[DURATION_TEXT_BYTES], time[DURATION_TEXT_BYTES];

	if (overflow == NULL)
		return;
	duration_write(e->now - overflow->began, time);
	duration_write(e->now - overflow->last, last);
	finding_say(finding,
			"Its accept queue was full for clients %llu times in the last %s, most "
			"recently %s ago (a client that tries again counts again).",
			(unsigned long long)overflow->events, time, last);
	finding_number(finding, "ListenOverflows", overflow->events);
	finding_number(finding, "accept_limit", e->limit);
	finding_number(finding, "backlog", e->slot->config.backlog);
	finding_number(finding, "somaxconn", e->slot->config.somaxconn);
	finding_number(finding, "recv_q_peak", overflow->accept_peak);
	finding_number(finding, "arrivals_per_s_peak", overflow->arrivals_peak);
	finding_number(finding, "wait_p50_ms", (e->p50_us + 999) / 1000);
	finding_number(finding, "wait_p99_ms", (e->p99_us + 999) / 1000);
}

static void
say_outcome(struct finding *finding, const struct evidence *e)
{
	if (e->slot->config.tcp_abort_on_overflow)
		finding_say(finding, "Clients saw \"connection reset by peer\" "
				     "(tcp_abort_on_overflow 1); those refused at their SYN tried "
				     "again, and timed out in the end.");
	else
		finding_say(finding, "Clients saw delays of a second or more while they repeated "
				     "their SYN or data, and a connection timeout where that did "
				     "not help (tcp_abort_on_overflow 0: refused in silence).");
}

/* The cure of a ring that is too small: whichever of backlog and somaxconn is the smaller decides;
 * both are raised where both are too low. */
static void
cure_ring(struct finding *finding, const struct evidence *e)
{
	const struct backend_config *config = &e->slot->config;
	const struct episode *overflow = e->overflow;
	uint64_t little = (overflow->arrivals_peak * e->p99_us + 999999) / 1000000;
	uint64_t burst = e->limit + UINT64_C(1) + overflow->turned_peak;
	uint64_t value = cure_round(larger(little, burst), CURE_MAX);
	bool is_backlog = config->backlog <= config->somaxconn;
	uint32_t other = is_backlog ? config->somaxconn : config->backlog;

	finding_say(finding,
			"Little's law: at worst %llu clients/s x %.3f s in the queue = %llu "
			"places. In the worst second %llu were turned away besides the %u that "
			"fit: %llu places at once. The larger of both, a quarter more, rounded up "
			"to a power of two: %llu.",
			(unsigned long long)overflow->arrivals_peak, (double)e->p99_us / 1e6,
			(unsigned long long)little, (unsigned long long)overflow->turned_peak,
			e->limit + 1, (unsigned long long)burst, (unsigned long long)value);
	finding_number(finding, "places_by_littles_law", little);
	finding_number(finding, "places_in_worst_second", burst);
	finding_cure(finding, is_backlog ? "backlog" : "somaxconn", value, e->limit,
			other >= value ? NULL
			: is_backlog   ? "somaxconn"
				       : "backlog");
}

static int
find_ring_small(const struct evidence *e, json_t *findings)
{
	const struct episode *overflow = e->overflow;
	const struct finding_kind kind = {"accept-ring-too-small",
			overflow->events >= EVENTS_OUTAGE, "accept",
			e->slot->config.tcp_abort_on_overflow ? "reset" : "timeout"};
	struct finding finding;

	finding_begin(&finding, e->registry, e->slot, &kind, e->now - overflow->began,
			overflow->events);
	finding_say(&finding, "%s loses clients: its accept queue is too small for their bursts.",
			finding.name);
	say_overflows(&finding, e);
	if (e->waits.count > 0)
		finding_say(&finding,
				"The backend itself is quick: half of its clients waited less than "
				"%.3f s for it, 99 %% less than %.3f s.",
				(double)e->p50_us / 1e6, (double)e->p99_us / 1e6);
	finding_say(&finding,
			"The queue has %u places: the smaller of backlog %u and somaxconn %u, and "
			"one more.",
			e->limit + 1, e->slot->config.backlog, e->slot->config.somaxconn);
	say_outcome(&finding, e);
	cure_ring(&finding, e);
	return finding_end(&finding, findings);
}

/* Where not the backend but the connect window limits: answers come quickly, and more clients
 * wait than may be connected at a time. Says the cure then. */
static bool
cure_window(struct finding *finding, const struct evidence *e)
{
	const struct episode *overflow = e->overflow;
	uint64_t each_us, value;

	if (overflow == NULL || overflow->accept_peak <= e->window || overflow->full_time == 0 ||
			overflow->answered_full == 0)
		return false;
	each_us = e->window * overflow->full_time / overflow->answered_full;
	if (each_us >= QUICK_ANSWER_US)
		return false;
	value = cure_round(larger(overflow->arrivals_peak * each_us / 1000000,
					   (uint64_t)e->slot->config.connect_window * 2),
			WINDOW_MAX);
	finding_say(finding,
			"The backend answers each SYN within %.3f s, but no more than "
			"connect_window %u of them are sent at a time by each worker: that is what "
			"limits.",
			(double)each_us / 1e6, e->slot->config.connect_window);
	finding_number(finding, "connect_window", e->slot->config.connect_window);
	finding_cure(finding, "connect_window", value, e->slot->config.connect_window, NULL);
	return true;
}

static void
say_rates(struct finding *finding, const struct evidence *e)
{
	const struct episode *overflow = e->overflow;
	ticks_t time;
	uint64_t answered;

	if (overflow == NULL)
		return;
	time = episode_time(overflow);
	answered = overflow->totals[HISTORY_ANSWERED];
	finding_say(finding,
			"At worst %llu clients/s wanted to be connected; the backend took %llu in "
			"%llu s, %.1f/s.",
			(unsigned long long)overflow->arrivals_peak, (unsigned long long)answered,
			(unsigned long long)(time / TICKS_PER_S),
			(double)answered * 1e6 / (double)time);
	finding_number(finding, "connected", answered);
	finding_number(finding, "connected_per_min", answered * 60 * TICKS_PER_S / time);
}

static int
find_slow(const struct evidence *e, json_t *findings)
{
	const struct episode *overflow = e->overflow;
	const struct episode *first = overflow != NULL ? overflow : e->failed;
	const bool is_reset = overflow != NULL && e->slot->config.tcp_abort_on_overflow;
	const struct finding_kind kind = {"slow-backend",
			overflow != NULL && overflow->events >= EVENTS_OUTAGE, "backend",
			first == NULL ? "delay"
			: is_reset    ? "reset"
				      : "timeout"};
	struct finding finding;

	finding_begin(&finding, e->registry, e->slot, &kind,
			first != NULL ? e->now - first->began : e->now - e->past->wait_turned,
			overflow != NULL ? overflow->events
			: first != NULL	 ? first->events
					 : e->waits.count);
	finding_say(&finding, "%s %s clients: its backend takes connections too slowly.",
			finding.name, first != NULL ? "loses" : "delays");
	say_overflows(&finding, e);
	say_rates(&finding, e);
	if (e->waits.count > 0)
		finding_say(&finding,
				"Half of the clients waited %.1f s or more for it, 1 %% %.1f s.",
				(double)e->p50_us / 1e6, (double)e->p99_us / 1e6);
	if (e->failed != NULL) {
		finding_say(&finding,
				"It left %llu connection attempts unanswered and answered others "
				"in the same time.",
				(unsigned long long)e->failed->totals[HISTORY_SILENT]);
		finding_number(&finding, "unanswered", e->failed->totals[HISTORY_SILENT]);
	}
	if (overflow != NULL)
		say_outcome(&finding, e);
	if (!cure_window(&finding, e))
		finding_say(&finding, "A larger backlog would not help: the queue would fill as "
				      "well, and clients would only wait longer in it. Look at the "
				      "backend: its own accept queue (ss -lnt there), its load, "
				      "its threads; or give it company.");
	return finding_end(&finding, findings);
}

static void
say_down(struct finding *finding, const struct evidence *e)
{
	const struct episode *failed = e->failed;
	char last[DURATION_TEXT_BYTES];

	if (failed != NULL) {
		finding_say(finding,
				"%llu connection attempts to it failed without any answer, most "
				"recently %s ago.",
				(unsigned long long)failed->totals[HISTORY_SILENT],
				duration_write(e->now - failed->last, last));
		finding_number(finding, "unanswered", failed->totals[HISTORY_SILENT]);
	}
	if (e->silent >= SILENT_TIME)
		finding_say(finding, "%llu clients wait for it now; none was answered for %s.",
				(unsigned long long)e->waiting, duration_write(e->silent, last));
	finding_number(finding, "waiting", e->waiting);
	finding_number(finding, "tcp_syn_retries", e->slot->config.tcp_syn_retries);
}

/* True when it answered again after the last failure. */
static bool
is_well_again(const struct evidence *e)
{
	return e->failed != NULL && e->silent == 0 && e->past->answered_at > e->failed->last;
}

static ticks_t
down_since(const struct evidence *e)
{
	if (e->failed == NULL)
		return e->silent;
	/* What failed then had been tried for so long. */
	return e->now - e->failed->began +
	       (e->failed->totals[HISTORY_SILENT] > 0 ? patience(e) : 0);
}

static int
find_down(const struct evidence *e, json_t *findings)
{
	bool is_well = is_well_again(e);
	uint64_t clients = (e->failed != NULL ? e->failed->totals[HISTORY_SILENT] : e->waiting) +
			   (e->overflow != NULL ? e->overflow->events : 0);
	const struct finding_kind kind = {"backend-down",
			!is_well && (clients >= EVENTS_OUTAGE || e->failed != NULL), "backend",
			"timeout"};
	struct finding finding;

	finding_begin(&finding, e->registry, e->slot, &kind, down_since(e), clients);
	finding_say(&finding,
			is_well ? "%s did not answer; by now it does again."
				: "%s loses clients: its backend does not answer.",
			finding.name);
	say_down(&finding, e);
	say_overflows(&finding, e);
	finding_say(&finding,
			"Clients believed to be connected, saw no data, and were reset after %llu "
			"s (tcp_syn_retries %u).",
			(unsigned long long)(patience(e) / TICKS_PER_S),
			e->slot->config.tcp_syn_retries);
	if (!is_well)
		finding_say(&finding, "No setting of Sluice cures that. Look at the backend: is it "
				      "up, is its service started, does a firewall drop its SYNs?");
	return finding_end(&finding, findings);
}

static int
find_refuses(const struct evidence *e, json_t *findings)
{
	const struct episode *failed = e->failed;
	bool is_well = is_well_again(e);
	uint64_t refused = failed->totals[HISTORY_REFUSED];
	const struct finding_kind kind = {"backend-refuses",
			!is_well && failed->answered_last == 0 && failed->answered_first == 0,
			"backend", "reset"};
	char last[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, e->registry, e->slot, &kind, e->now - failed->began, refused);
	finding_say(&finding,
			is_well ? "%s refused connections; by now it takes them again."
				: "%s loses clients: its backend refuses connections.",
			finding.name);
	finding_say(&finding,
			"It answered %llu connection attempts by a reset, most recently %s ago, "
			"and took %llu in the same time. Clients saw \"connection reset by peer\".",
			(unsigned long long)refused, duration_write(e->now - failed->last, last),
			(unsigned long long)failed->totals[HISTORY_ANSWERED]);
	finding_number(&finding, "refused", refused);
	finding_number(&finding, "connected", failed->totals[HISTORY_ANSWERED]);
	say_overflows(&finding, e);
	if (!is_well)
		finding_say(&finding, "No setting of Sluice cures that. The host is up, but "
				      "nothing takes connections at that port: is its service "
				      "started and listening on that address and port?");
	return finding_end(&finding, findings);
}

int
doctor_accept(const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, ticks_t now, json_t *findings, bool *found)
{
	struct evidence evidence;
	enum accept_cause cause;

	evidence_gather(&evidence, registry, slot, past, now);
	cause = evidence_diagnose(&evidence);
	*found = cause != CAUSE_NONE;
	switch (cause) {
	case CAUSE_RING_SMALL:
		return find_ring_small(&evidence, findings);
	case CAUSE_SLOW:
		return find_slow(&evidence, findings);
	case CAUSE_DOWN:
		return find_down(&evidence, findings);
	case CAUSE_REFUSES:
		return find_refuses(&evidence, findings);
	case CAUSE_NONE:
		break;
	}
	return 0;
}
