/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When each backend's floods, overflows and outages begin and end, and when its mode changes: seen
 * once a second from counters, queues and history, told as events (control/event.h). What doctor
 * explains, this only marks, sooner and for the log.
 *
 *	flood     SYNs that nobody followed up by a proof: answered with a cookie alone, or dropped
 *	          for the syn queue; INCIDENT_FLOOD_LEAST a second or more and more than the proofs,
 *	          in two samples on end
 *	overflow  clients meet a full accept ring
 *	down      the last attempts to connect to it all failed (as doctor sees it); up: it answered
 *
 * A flood or an overflow has ended when it was not seen for INCIDENT_QUIET_S. What is under way
 * as a removed backend goes ends then; one that was down is told to be removed. Ends have the
 * name that the backend had as the latest of its incidents began.
 *
 * Memory: INCIDENT_SLOT_BYTES per backend in use (12 MiB with 65,535 of them), and a pointer per
 * slot that is not. Control thread only.
 */
#ifndef SLUICE_CONTROL_INCIDENTS_H
#define SLUICE_CONTROL_INCIDENTS_H

#include "control/event.h"
#include "control/history.h"

#define INCIDENT_QUIET_S 5
#define INCIDENT_FLOOD_LEAST 100
#define INCIDENT_SLOT_BYTES 168

struct incidents;

/** tell: called with each event, which is its caller's. NULL when out of memory. */
struct incidents *incidents_new(const struct registry *registry,
		void (*tell)(void *context, const struct event *event), void *context);
void incidents_free(struct incidents *incidents);

/** Takes a sample, right after history_sample(), and the workers' samples of SYNs, which go to the
 * history's sources. Does nothing less than a quarter of a second after the one before. */
void incidents_sample(struct incidents *incidents, struct history *history,
		const struct registry *registry, ticks_t now);

#endif
