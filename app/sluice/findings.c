/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON is what they are kept in, so that text and --json can't differ. */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static const char *const level_names[FINDING_LEVELS] = {"ok", "note", "problem"};

void
findings_init(struct findings *findings)
{
	*findings = (struct findings){.list = json_array()};
	ENSURE(findings->list != NULL);
}

void
findings_fini(struct findings *findings)
{
	json_decref(findings->list);
}

/* What files of the machine say may be any bytes; JSON takes UTF-8 alone. */
static void
ascii_only(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
findings_add(struct findings *findings, enum finding_level level, const char *topic,
		const char *format, ...)
{
	char text[512];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	ascii_only(text);
	ENSURE(json_array_append_new(findings->list,
			       json_pack("{s:s, s:s, s:s, s:n}", "topic", topic, "level",
					       level_names[level], "text", text, "cure")) == 0);
	findings->counts[level]++;
}

void
findings_cure(struct findings *findings, const char *format, ...)
{
	char text[512];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	ascii_only(text);
	json_object_set_new(json_array_get(findings->list, json_array_size(findings->list) - 1),
			"cure", json_string(text));
}

static void
print_json(const struct findings *findings)
{
	json_t *all = json_pack("{s:O, s:i, s:i, s:i}", "findings", findings->list, "ok",
			(int)findings->counts[FINDING_OK], "notes",
			(int)findings->counts[FINDING_NOTE], "problems",
			(int)findings->counts[FINDING_PROBLEM]);

	ENSURE(all != NULL);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static const char *
member(const json_t *finding, const char *key)
{
	return json_string_value(json_object_get(finding, key));
}

void
findings_print(const struct findings *findings, bool as_json)
{
	const char *topic = "";
	const json_t *finding;
	size_t i;

	if (as_json) {
		print_json(findings);
		return;
	}
	json_array_foreach(findings->list, i, finding)
	{
		const char *cure = member(finding, "cure");

		if (strcmp(topic, member(finding, "topic")) != 0) {
			topic = member(finding, "topic");
			puts(topic);
		}
		printf("  %-8s %s\n", member(finding, "level"), member(finding, "text"));
		if (cure != NULL)
			printf("           cure: %s\n", cure);
	}
	printf("problems: %u, notes: %u, ok: %u\n", findings->counts[FINDING_PROBLEM],
			findings->counts[FINDING_NOTE], findings->counts[FINDING_OK]);
}
