/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks about every serving backend, then about the appliance as a whole, and sums it up in lines.
 */
#include "control/doctor.h"

#include <stdio.h>
#include <string.h>

#include "control/command_text.h"
#include "control/doctor_finding.h"

static void
cure_limit(struct finding *finding, const char *key, uint64_t now, uint64_t most)
{
	uint64_t value = cure_round(now + 1, most);
	json_t *cure = json_pack("{s:s, s:I, s:I, s:n}", "key", key, "value", (json_int_t)value,
			"now", (json_int_t)now, "command");

	finding->failed |= json_object_set_new(finding->object, "cure", cure) != 0;
	finding_say(finding,
			"Cure: \"%s\": %llu instead of %llu in %s, and a restart: it is memory "
			"taken at start.",
			key, (unsigned long long)value, (unsigned long long)now,
			finding->registry->path);
}

static int
find_strays(const struct registry *registry, const struct history_totals *strays, ticks_t now,
		json_t *findings)
{
	static const struct finding_kind kind = {"forged-acks", false, "none", "nothing"};
	char time[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, NULL, &kind, now - strays->began, 0);
	finding_say(&finding,
			"Nobody new is lost: %llu segments that belong to no connection came from "
			"the client side in the last %s, at worst %llu in a second, and were "
			"dropped.",
			(unsigned long long)strays->events,
			duration_write(now - strays->began, time),
			(unsigned long long)strays->peak);
	finding_say(&finding, "They are a flood of forged ACKs, or come from connections that were "
			      "made before Sluice was started. No setting is needed.");
	finding_number(&finding, "stray_client", strays->events);
	finding_number(&finding, "acks_per_s_peak", strays->peak);
	return finding_end(&finding, findings);
}

static int
find_table_full(const struct registry *registry, const struct history_totals *full, ticks_t now,
		json_t *findings)
{
	static const struct finding_kind kind = {"connection-table-full", true, "none", "timeout"};
	char time[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, NULL, &kind, now - full->began, full->events);
	finding_say(&finding,
			"Clients are lost: a worker's connection table was full for %llu proved "
			"clients in the last %s. They saw no data and timed out.",
			(unsigned long long)full->events, duration_write(now - full->began, time));
	finding_number(&finding, "conn_table_full", full->events);
	finding_number(&finding, "connections_per_worker",
			registry->config->connections_per_worker);
	cure_limit(&finding, "limits.connections_per_worker",
			registry->config->connections_per_worker, 1 << 26);
	return finding_end(&finding, findings);
}

static int
find_buffers(const struct registry *registry, const struct history_totals *buffers, ticks_t now,
		json_t *findings)
{
	static const struct finding_kind kind = {"out-of-buffers", true, "none", "delay"};
	char time[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, NULL, &kind, now - buffers->began, 0);
	finding_say(&finding,
			"Packet buffers ran out: %llu packets could not be made in the last %s, "
			"and were made later. Arriving packets were probably lost as well; clients "
			"repeated them.",
			(unsigned long long)buffers->events,
			duration_write(now - buffers->began, time));
	finding_number(&finding, "emit_failed", buffers->events);
	finding_number(&finding, "mbufs", registry->config->mbufs);
	cure_limit(&finding, "limits.mbufs", registry->config->mbufs, 1 << 24);
	return finding_end(&finding, findings);
}

static int
find_common(const struct registry *registry, const struct history *history, ticks_t now,
		json_t *findings)
{
	static int (*const find[COMMON_COUNT])(const struct registry *,
			const struct history_totals *, ticks_t, json_t *) = {
			[COMMON_STRAYS] = find_strays,
			[COMMON_TABLE_FULL] = find_table_full,
			[COMMON_BUFFERS] = find_buffers,
	};
	int failed = 0;

	for (unsigned i = 0; i < COMMON_COUNT; i++) {
		const struct history_totals *totals =
				history_common(history, (enum history_common)i);

		if (find[i] != NULL && totals_are_known(totals, now))
			failed |= find[i](registry, totals, now, findings);
	}
	return failed;
}

/* A draining backend takes no new clients, so none can be lost. */
static int
find_backends(const struct registry *registry, const struct history *history, ticks_t now,
		json_t *findings, unsigned *count)
{
	int failed = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];
		const struct history_slot *past = history_at(history, registry, i);
		bool is_ill = false;

		if (slot->use != SLOT_SERVING)
			continue;
		++*count;
		if (past == NULL)
			continue;
		failed |= doctor_accept(registry, slot, past, now, findings, &is_ill);
		failed |= doctor_syn(registry, slot, past, history_sources_of(history, i), is_ill,
				now, findings);
	}
	return failed;
}

/* Outages before warnings, the rest in the order found. */
static json_t *
sorted(json_t *findings)
{
	static const char *const severities[] = {"outage", "warning"};
	json_t *sorted = json_array();
	json_t *finding;
	size_t index;

	for (unsigned i = 0; sorted != NULL && i < ARRAY_COUNT(severities); i++) {
		json_array_foreach(findings, index, finding)
		{
			const char *severity =
					json_string_value(json_object_get(finding, "severity"));

			if (strcmp(severity, severities[i]) == 0 &&
					json_array_append(sorted, finding) != 0) {
				json_decref(sorted);
				return NULL;
			}
		}
	}
	return sorted;
}

/* All sentences, each finding under a head of its own. */
static json_t *
lines_of(const json_t *findings, const struct registry *registry, unsigned backends)
{
	json_t *lines = json_array();
	unsigned failed = lines == NULL;
	const json_t *finding;
	size_t index;

	if (json_array_size(findings) == 0)
		failed |= json_array_append_new(lines,
					  json_sprintf("Nothing wrong: no client of %u backends "
						       "was turned away in the last minute.",
							  backends)) != 0;
	json_array_foreach(findings, index, finding)
	{
		const char *name = json_string_value(json_object_get(finding, "backend"));
		char time[DURATION_TEXT_BYTES];
		ticks_t since = (ticks_t)json_integer_value(json_object_get(finding, "since_s")) *
				TICKS_PER_S;

		failed |= json_array_append_new(lines,
					  json_sprintf("%s: %s, %s, for %s",
							  name != NULL ? name : "sluice",
							  json_string_value(json_object_get(
									  finding, "severity")),
							  json_string_value(json_object_get(
									  finding, "cause")),
							  duration_write(since, time))) != 0;
		failed |= json_array_extend(lines, json_object_get(finding, "text")) != 0;
	}
	failed |= doctor_modes(registry, lines) != 0;
	if (failed == 0)
		return lines;
	json_decref(lines);
	return NULL;
}

json_t *
doctor_json(const struct history *history, const struct registry *registry, ticks_t now)
{
	json_t *found = json_array();
	unsigned backends = 0;
	json_t *findings = NULL;

	if (find_backends(registry, history, now, found, &backends) == 0 &&
			doctor_workers(registry, now, found) == 0 &&
			doctor_egress(registry, history, now, found) == 0 &&
			find_common(registry, history, now, found) == 0)
		findings = sorted(found);
	json_decref(found);
	if (findings == NULL)
		return NULL;

	json_t *lines = lines_of(findings, registry, backends);
	bool healthy = json_array_size(findings) == 0;

	return json_pack("{s:b, s:o, s:o}", "healthy", healthy, "findings", findings, "lines",
			lines);
}
