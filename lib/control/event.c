/* SPDX-License-Identifier: BSD-3-Clause */
/* Values come from us or from checked names, so that none holds a quotation mark or a newline. */
#include "control/event.h"

#include <stdio.h>
#include <string.h>

const char *
event_name(enum event_kind kind)
{
	static const char *const names[EVENT_KIND_COUNT] = {
			[EVENT_START] = "start",
			[EVENT_RELOAD] = "reload",
			[EVENT_MODE] = "mode",
			[EVENT_PROTECTION] = "protection",
			[EVENT_FLOOD_BEGINS] = "flood-begins",
			[EVENT_FLOOD_ENDS] = "flood-ends",
			[EVENT_OVERFLOW_BEGINS] = "overflow-begins",
			[EVENT_OVERFLOW_ENDS] = "overflow-ends",
			[EVENT_BACKEND_DOWN] = "backend-down",
			[EVENT_BACKEND_UP] = "backend-up",
			[EVENT_BACKEND_REMOVED] = "backend-removed",
	};

	return names[kind];
}

void
event_begin(struct event *event, enum event_kind kind, enum event_priority priority,
		const char *backend)
{
	event->kind = kind;
	event->priority = priority;
	event->message = NULL;
	event->count = 0;
	if (backend != NULL)
		event_text(event, "backend", backend);
}

void
event_text(struct event *event, const char *name, const char *value)
{
	struct event_field *field = &event->fields[event->count];

	ENSURE(event->count < EVENT_FIELDS_MAX);
	event->count++;
	field->name = name;
	snprintf(field->value, sizeof(field->value), "%s", value);
}

void
event_number(struct event *event, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	event_text(event, name, text);
}

void
event_write(const struct event *event, char text[EVENT_TEXT_BYTES])
{
	size_t used;

	if (event->message != NULL) {
		snprintf(text, EVENT_TEXT_BYTES, "%s", event->message);
		return;
	}
	used = (size_t)snprintf(text, EVENT_TEXT_BYTES, "%s:", event_name(event->kind));
	for (unsigned i = 0; i < event->count && used < EVENT_TEXT_BYTES; i++) {
		const struct event_field *field = &event->fields[i];
		const char *mark = strpbrk(field->value, " ,=") != NULL || field->value[0] == '\0'
						   ? "\""
						   : "";

		used += (size_t)snprintf(text + used, EVENT_TEXT_BYTES - used, " %s=%s%s%s",
				field->name, mark, field->value, mark);
	}
}
