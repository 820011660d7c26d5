/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journald's own protocol, so that each number is a field to search for (journalctl
 * SLUICE_EVENT=flood-ends). Its socket takes 8 MB before it would block: what is limited to ten
 * lines a minute per kind never gets there. A line that journald does not take goes to standard
 * error.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION /* which line of ours wrote it is no operator's business */

#include "log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "say.h"

/* Message, priority, identifier, event, suppressed, and the event's own. */
#define FIELDS_MAX (5 + EVENT_FIELDS_MAX)
#define FIELD_BYTES (EVENT_TEXT_BYTES + 64)

/* One entry as journald wants it: "NAME=value", each a piece of its own. */
struct entry {
	int count;
	struct iovec pieces[FIELDS_MAX];
	char texts[FIELDS_MAX][FIELD_BYTES];
};

void
log_init(struct log *log)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	*log = (struct log){0};
	/* systemd.exec(5): the variable may be inherited where standard error is not journald's. */
	log->is_journal = stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
			  fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
			  status.st_ino == inode;
}

/* The name begins with prefix, and is in capitals from there on. */
static void
entry_add(struct entry *entry, const char *prefix, const char *name, const char *value)
{
	char *text = entry->texts[entry->count];
	const size_t start = strlen(prefix);
	const int length = snprintf(text, FIELD_BYTES, "%s%s=%s", prefix, name, value);

	for (size_t i = start; text[i] != '=' && text[i] != '\0'; i++)
		text[i] = (char)toupper((unsigned char)text[i]);
	entry->pieces[entry->count++] = (struct iovec){text, (size_t)length};
}

static bool
journal_write(const struct event *event, const char *message, uint64_t suppressed)
{
	struct entry entry = {0};
	char number[24];

	entry_add(&entry, "", "message", message);
	snprintf(number, sizeof(number), "%d", (int)event->priority);
	entry_add(&entry, "", "priority", number);
	entry_add(&entry, "", "syslog_identifier", "sluice");
	entry_add(&entry, "SLUICE_", "event", event_name(event->kind));
	for (unsigned i = 0; i < event->count; i++)
		entry_add(&entry, "SLUICE_", event->fields[i].name, event->fields[i].value);
	if (suppressed > 0) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)suppressed);
		entry_add(&entry, "SLUICE_", "suppressed", number);
	}
	return sd_journal_sendv(entry.pieces, entry.count) == 0;
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
	if (!log->is_journal || !journal_write(event, text, suppressed))
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
