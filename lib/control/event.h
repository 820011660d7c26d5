/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One thing that an operator wants to have read in the log: what kind, about which backend, with
 * which numbers. Made here, written by the appliance (app/sluice/log.h). As text:
 *
 *	flood-ends: backend=web lasted_s=31 syns=3400123 syns_per_s_peak=120034 sources="..."
 */
#ifndef SLUICE_CONTROL_EVENT_H
#define SLUICE_CONTROL_EVENT_H

#include "control/registry.h"
#include "control/sources.h"

enum event_kind {
	EVENT_START,
	EVENT_RELOAD,
	EVENT_MODE,	  /**< SYNs are queued, or answered with cookies alone */
	EVENT_PROTECTION, /**< a backend is protected, monitored or off */
	EVENT_FLOOD_BEGINS,
	EVENT_FLOOD_ENDS,
	EVENT_OVERFLOW_BEGINS, /**< clients meet a full accept ring */
	EVENT_OVERFLOW_ENDS,
	EVENT_BACKEND_DOWN, /**< none of its clients is answered */
	EVENT_BACKEND_UP,
	EVENT_BACKEND_REMOVED, /**< while it was down */
	EVENT_KIND_COUNT
};

/** syslog's, which journald's PRIORITY is. */
enum event_priority {
	EVENT_ERROR = 3,
	EVENT_WARNING = 4,
	EVENT_NOTICE = 5,
	EVENT_INFO = 6,
};

#define EVENT_FIELDS_MAX 8
#define EVENT_TEXT_BYTES 900 /**< below what a line of log may have */

struct event_field {
	const char *name; /**< lower case with underscores; a constant */
	char value[SOURCES_TEXT_BYTES];
};

struct event {
	enum event_kind kind;
	enum event_priority priority;
	const char *message; /**< NULL: kind and fields are the message. Borrowed */
	unsigned count;
	struct event_field fields[EVENT_FIELDS_MAX];
};

/** "flood-ends". */
const char *event_name(enum event_kind kind);

/** backend: its name, the first field; NULL for what concerns the appliance as a whole. */
void event_begin(struct event *event, enum event_kind kind, enum event_priority priority,
		const char *backend);

/** Adds a field; at most EVENT_FIELDS_MAX. A text too long is cut. */
void event_number(struct event *event, const char *name, uint64_t value);
void event_text(struct event *event, const char *name, const char *value);

/** The message, as above. Values that are not plain words get quotation marks. */
void event_write(const struct event *event, char text[EVENT_TEXT_BYTES]);

#endif
