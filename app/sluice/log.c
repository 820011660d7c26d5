/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journald's own protocol, so that each number is a field to search for (journalctl
 * SLUICE_EVENT=flood-ends). A line that journald does not take at once goes to standard error.
 */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "say.h"

/* What an entry has to hold: message, priority, identifier, event, suppressed, and the event's own,
 * with their names. */
#define FIELD_NAME_BYTES 64
static_assert(EVENT_TEXT_BYTES + EVENT_FIELDS_MAX * sizeof(((struct event_field *)0)->value) +
						(5 + EVENT_FIELDS_MAX) * FIELD_NAME_BYTES <=
				JOURNAL_ENTRY_BYTES,
		"no event is too large for an entry");

/* systemd.exec(5): the variable may be inherited where standard error is not journald's. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void
log_init(struct log *log)
{
	*log = (struct log){.journal = stderr_is_journal() ? journal_open() : -1};
}

static bool
journal_write(const struct log *log, const struct event *event, const char *message,
		uint64_t suppressed)
{
	struct journal_entry entry = {0};
	char number[24];

	journal_add(&entry, "", "message", message);
	snprintf(number, sizeof(number), "%d", (int)event->priority);
	journal_add(&entry, "", "priority", number);
	journal_add(&entry, "", "syslog_identifier", "sluice");
	journal_add(&entry, "SLUICE_", "event", event_name(event->kind));
	for (unsigned i = 0; i < event->count; i++)
		journal_add(&entry, "SLUICE_", event->fields[i].name, event->fields[i].value);
	if (suppressed > 0) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)suppressed);
		journal_add(&entry, "SLUICE_", "suppressed", number);
	}
	return journal_send(log->journal, JOURNAL_PATH, &entry);
}

static void
event_log(const struct log *log, const struct event *event, uint64_t suppressed)
{
	char text[EVENT_TEXT_BYTES];
	size_t used;

	event_write(event, text);
	used = strlen(text);
	if (suppressed > 0)
		snprintf(text + used, sizeof(text) - used, " (%llu more suppressed before)",
				(unsigned long long)suppressed);
	if (log->journal < 0 || !journal_write(log, event, text, suppressed))
		say("%s", text);
}

void
log_event(struct log *log, const struct event *event, ticks_t now)
{
	uint64_t before;

	if (event_limit_admits(&log->limit, event->kind, now, &before))
		event_log(log, event, before);
}

void
log_tick(struct log *log, ticks_t now)
{
	enum event_kind kind;
	uint64_t count;

	while ((kind = event_limit_due(&log->limit, now, &count)) != EVENT_KIND_COUNT) {
		char text[64];
		struct event event;

		snprintf(text, sizeof(text), "%s: %llu more suppressed", event_name(kind),
				(unsigned long long)count);
		event_begin(&event, kind, EVENT_NOTICE, NULL);
		event_number(&event, "suppressed", count);
		event.message = text;
		event_log(log, &event, 0);
	}
}
