/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The syn queue's troubles, and those that only look like trouble: a full syn queue in mode 1
 * loses nobody, since the SYNs beyond it are answered with cookies, and forged ACKs harm nobody.
 */
#include "control/doctor_finding.h"
#include "table/queue_rules.h"

#define CURE_MAX (1 << 20) /* tcp_max_syn_backlog, backlog, somaxconn: config/README.md */
#define EVENTS_OUTAGE 3

/* The setting that decides the syn queue's size under the backend's rules. */
static const char *
size_key(const struct backend_config *config, bool is_reserve)
{
	bool is_backlog = config->backlog <= config->somaxconn;

	if (is_reserve || config->queue_rules == QUEUE_RULES_CLASSIC)
		return "tcp_max_syn_backlog";
	if (config->queue_rules == QUEUE_RULES_LINUX_2_6 &&
			config->tcp_max_syn_backlog < backend_config_accept_limit(config))
		return "tcp_max_syn_backlog";
	return is_backlog ? "backlog" : "somaxconn";
}

static uint32_t
size_now(const struct backend_config *config, const char *key)
{
	return key[0] == 't'   ? config->tcp_max_syn_backlog
	       : key[0] == 'b' ? config->backlog
			       : config->somaxconn;
}

static void
say_drops(struct finding *finding, const struct slot *slot, const struct episode *episode,
		ticks_t now)
{
	const struct backend_config *config = &slot->config;
	uint64_t full = episode->totals[HISTORY_FULL_DROPS];
	uint64_t reserved = episode->totals[HISTORY_RESERVED];
	char time[DURATION_TEXT_BYTES], last[DURATION_TEXT_BYTES];

	duration_write(now - episode->began, time);
	duration_write(now - episode->last, last);
	finding_say(finding,
			"%llu SYNs were dropped in the last %s, most recently %s ago: %llu because "
			"the queue of %u was full, %llu because the rest of it is kept for proven "
			"clients.",
			(unsigned long long)episode->events, time, last, (unsigned long long)full,
			queue_rules_syn_limit(config), (unsigned long long)reserved);
	finding_number(finding, "TCPReqQFullDrop", full);
	finding_number(finding, "syn_reserved", reserved);
	finding_number(finding, "syn_recv_max", queue_rules_syn_limit(config));
	finding_number(finding, "syn_recv_unproven_max", queue_rules_syn_limit_unproven(config));
	finding_number(finding, "syn_recv_peak", episode->syn_peak);
	finding_number(finding, "syns_dropped_per_s_peak", episode->events_peak);
	finding_number(finding, "tcp_syncookies", config->tcp_syncookies);
}

/* Whose SYNs they were, as far as samples tell. Nothing where the samples also are of an earlier
 * time: who came then would be blamed for what is lost now. */
static void
say_sources(struct finding *finding, const struct sources *sources, const struct episode *episode)
{
	char text[SOURCES_TEXT_BYTES];

	if (sources == NULL || sources->began < episode->began)
		return;
	if (sources_write(sources, text) > 0)
		finding_say(finding,
				"Of the SYNs without a proof, by samples, so many came from: %s.",
				text);
	else
		finding_say(finding, "No network stands out among their sources.");
}

static int
find_drops(const struct registry *registry, const struct slot *slot, const struct episode *episode,
		const struct sources *sources, ticks_t now, json_t *findings)
{
	static const struct finding_kind kinds[] = {
			{"syn-queue-too-small", false, "syn", "timeout"},
			{"syn-queue-too-small", true, "syn", "timeout"},
	};
	const struct backend_config *config = &slot->config;
	bool is_reserve = episode->totals[HISTORY_RESERVED] > episode->totals[HISTORY_FULL_DROPS];
	const char *key = size_key(config, is_reserve);
	uint64_t value = cure_round(queue_rules_syn_limit(config) + episode->events_peak, CURE_MAX);
	struct finding finding;

	finding_begin(&finding, registry, slot, &kinds[episode->events >= EVENTS_OUTAGE],
			now - episode->began, episode->events);
	finding_say(&finding, "%s loses clients: its syn queue is too small%s.", finding.name,
			config->tcp_syncookies == 0 ? ", and SYN cookies are off" : "");
	say_drops(&finding, slot, episode, now);
	say_sources(&finding, sources, episode);
	finding_say(&finding, "Clients saw delays of a second or more while they repeated their "
			      "SYN, and a connection timeout where that did not help.");
	if (config->tcp_syncookies == 0) {
		finding_cure(&finding, "tcp_syncookies", 1, 0, NULL);
		finding_say(&finding,
				"With tcp_syncookies 1 clients beyond the queue are answered with "
				"cookies, and none is lost. Only if that is not wanted, raise %s "
				"from %u to %llu; a flood fills any queue.",
				key, size_now(config, key), (unsigned long long)value);
	} else {
		finding_cure(&finding, key, value, size_now(config, key), NULL);
	}
	return finding_end(&finding, findings);
}

static int
find_flood(const struct registry *registry, const struct slot *slot, const struct episode *episode,
		const struct sources *sources, ticks_t now, json_t *findings)
{
	static const struct finding_kind kind = {"syn-flood", false, "syn", "nothing"};
	char time[DURATION_TEXT_BYTES], last[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, slot, &kind, now - episode->began, 0);
	finding_say(&finding,
			"%s loses nobody: its syn queue of %u was full, and the SYNs beyond it "
			"were answered with cookies.",
			finding.name, queue_rules_syn_limit(&slot->config));
	duration_write(now - episode->began, time);
	duration_write(now - episode->last, last);
	finding_say(&finding,
			"Those were %llu SYNs in the last %s, at worst %llu in a second, most "
			"recently %s ago. %llu clients proved themselves in the same time.",
			(unsigned long long)episode->events, time,
			(unsigned long long)episode->events_peak, last,
			(unsigned long long)episode->totals[HISTORY_PROVED]);
	say_sources(&finding, sources, episode);
	finding_say(&finding, "It is a SYN flood, or more new clients at a time than the queue has "
			      "places. No setting is needed; SYN-RECV that stops growing is the "
			      "queue's limit, not a loss.");
	finding_number(&finding, "TCPReqQFullDoCookies", episode->events);
	finding_number(&finding, "syns_per_s_peak", episode->events_peak);
	finding_number(&finding, "syn_recv_max", queue_rules_syn_limit(&slot->config));
	finding_number(&finding, "PassiveOpens", episode->totals[HISTORY_PROVED]);
	return finding_end(&finding, findings);
}

static int
find_forged(const struct registry *registry, const struct slot *slot, const struct episode *episode,
		ticks_t now, json_t *findings)
{
	static const struct finding_kind kind = {"forged-acks", false, "none", "nothing"};
	char time[DURATION_TEXT_BYTES], last[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, slot, &kind, now - episode->began, 0);
	finding_say(&finding, "%s loses nobody: somebody sends it ACKs with invented cookies.",
			finding.name);
	duration_write(now - episode->began, time);
	duration_write(now - episode->last, last);
	finding_say(&finding,
			"%llu such ACKs in the last %s, at worst %llu in a second, most recently "
			"%s ago; %llu clients proved themselves in the same time. All were "
			"dropped; none made any state or reached the backend.",
			(unsigned long long)episode->events, time,
			(unsigned long long)episode->events_peak, last,
			(unsigned long long)episode->totals[HISTORY_PROVED]);
	finding_say(&finding, "No setting is needed.");
	finding_number(&finding, "SyncookiesFailed", episode->events);
	finding_number(&finding, "acks_per_s_peak", episode->events_peak);
	finding_number(&finding, "PassiveOpens", episode->totals[HISTORY_PROVED]);
	return finding_end(&finding, findings);
}

int
doctor_syn(const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, const struct sources *sources, bool is_backend_ill,
		ticks_t now, json_t *findings)
{
	const struct episode *drops = &past->episodes[TROUBLE_SYN_DROP];
	const struct episode *flood = &past->episodes[TROUBLE_FLOOD];
	const struct episode *forged = &past->episodes[TROUBLE_FORGED];
	uint64_t turned = past->episodes[TROUBLE_OVERFLOW].events;
	int failed = 0;

	/* Behind a full accept ring half-open clients pile up: a consequence, not a cause. */
	if (episode_is_known(drops, now) && (!is_backend_ill || drops->events > turned))
		failed |= find_drops(registry, slot, drops, sources, now, findings);
	if (episode_is_known(flood, now))
		failed |= find_flood(registry, slot, flood, sources, now, findings);
	if (episode_is_known(forged, now) && forged->events > 4 * forged->totals[HISTORY_PROVED])
		failed |= find_forged(registry, slot, forged, now, findings);
	return failed;
}
