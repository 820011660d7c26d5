/* SPDX-License-Identifier: BSD-3-Clause */
/* Lack of memory is collected and looked at once, at the end of a finding. */
#include "control/doctor_finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/command_text.h"

#define SENTENCE_BYTES 768

void
finding_begin(struct finding *finding, const struct registry *registry, const struct slot *slot,
		const struct finding_kind *kind, ticks_t since, uint64_t clients)
{
	const bool is_as_if = slot != NULL && slot->config.mode != MODE_PROTECT;

	*finding = (struct finding){
			.registry = registry,
			.text = json_array(),
			.numbers = json_object(),
	};
	if (slot != NULL)
		registry_name(registry, slot, finding->name);
	finding->object = json_pack("{s:s?, s:s, s:s, s:s, s:I, s:I, s:s, s:n}", "backend",
			slot != NULL ? finding->name : NULL, "cause", kind->cause, "severity",
			kind->is_outage && !is_as_if ? "outage" : "warning", "queue", kind->queue,
			"since_s", (json_int_t)(since / TICKS_PER_S), "clients",
			(json_int_t)clients, "clients_saw", kind->clients_saw, "cure");
	finding->failed = finding->object == NULL;
	if (is_as_if)
		finding_say(finding,
				"Mode is %s: all of its traffic passes. What follows would be if "
				"it "
				"were protected.",
				backend_mode_name((enum backend_mode)slot->config.mode));
}

void
finding_say(struct finding *finding, const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	finding->failed |= json_array_append_new(finding->text,
					   plain_json(sentence, strlen(sentence))) != 0;
}

void
finding_number(struct finding *finding, const char *name, uint64_t value)
{
	finding->failed |= json_object_set_new(finding->numbers, name,
					   json_integer((json_int_t)value)) != 0;
}

void
finding_cure(struct finding *finding, const char *key, uint64_t value, uint64_t now,
		const char *also)
{
	char command[2 * BACKEND_NAME_BYTES + 128] = "";
	unsigned long long to = value;

	if (also != NULL)
		snprintf(command, sizeof(command), "sluicectl set %s %s %llu && ", finding->name,
				also, to);
	snprintf(command + strlen(command), sizeof(command) - strlen(command),
			"sluicectl set %s %s %llu", finding->name, key, to);
	finding->failed |=
			json_object_set_new(finding->object, "cure",
					json_pack("{s:s, s:I, s:I, s:s}", "key", key, "value",
							(json_int_t)value, "now", (json_int_t)now,
							"command", command)) != 0;
	finding_say(finding, "Cure: %s", command);
	finding_say(finding,
			"It counts at once, until the next reload or restart. To keep it, give "
			"backend %s \"%s\": %llu%s%s%s in %s.",
			finding->name, key, to, also != NULL ? " and \"" : "",
			also != NULL ? also : "", also != NULL ? "\" the same" : "",
			finding->registry->path);
}

int
finding_end(struct finding *finding, json_t *findings)
{
	finding->failed |= json_object_set_new(finding->object, "text", finding->text) != 0;
	finding->failed |= json_object_set_new(finding->object, "numbers", finding->numbers) != 0;
	if (finding->failed == 0)
		return json_array_append_new(findings, finding->object);
	json_decref(finding->object);
	return -1;
}

const char *
duration_write(ticks_t time, char text[DURATION_TEXT_BYTES])
{
	unsigned long long s = time / TICKS_PER_S;

	if (s < 60)
		snprintf(text, DURATION_TEXT_BYTES, "%llu s", s);
	else if (s < 3600)
		snprintf(text, DURATION_TEXT_BYTES, "%llu min %llu s", s / 60, s % 60);
	else
		snprintf(text, DURATION_TEXT_BYTES, "%llu h %llu min", s / 3600, s / 60 % 60);
	return text;
}

uint64_t
cure_round(uint64_t needed, uint64_t most)
{
	uint64_t value = 1;

	while (value < needed + needed / 4 && value < most)
		value *= 2;
	return value < most ? value : most;
}

bool
episode_is_known(const struct episode *episode, ticks_t now)
{
	return episode->began != 0 && now - episode->last < HISTORY_QUIET_S * TICKS_PER_S;
}

bool
totals_are_known(const struct history_totals *totals, ticks_t now)
{
	return totals->began != 0 && now - totals->last < HISTORY_QUIET_S * TICKS_PER_S;
}

ticks_t
episode_time(const struct episode *episode)
{
	ticks_t time = episode->last - episode->began;

	return time > TICKS_PER_S ? time : TICKS_PER_S;
}
