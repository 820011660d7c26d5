/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events (control/event.h) on their way to the operator: to journald with their fields when
 * standard error is journald's (systemd sets JOURNAL_STREAM) and journald takes them at once, else
 * as lines of standard error.
 * Bounded per kind, so that no flood of events fills a disk. Control thread only.
 */
#ifndef SLUICE_APP_LOG_H
#define SLUICE_APP_LOG_H

#include "control/event_limit.h"

struct log {
	int journal; /**< its socket, open as long as the process; -1: standard error alone */
	struct event_limit limit;
};

/** Decides where it goes. */
void log_init(struct log *log);

/** Writes it, unless too many of its kind were. now may be any clock that does not go back. */
void log_event(struct log *log, const struct event *event, ticks_t now);

/** Once a second: tells how many were suppressed, as soon as there may be lines again. */
void log_tick(struct log *log, ticks_t now);

#endif
