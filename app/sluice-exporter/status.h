/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the status page draws: the newest look at the appliance with rates since the one before, and
 * the last ten minutes of the rates in its charts. A page that is opened in the middle of trouble
 * sees how it began.
 */
#ifndef SLUICE_EXPORTER_STATUS_H
#define SLUICE_EXPORTER_STATUS_H

#include "sample.h"

#define STATUS_POINTS 600      /**< at one per second */
#define STATUS_BACKENDS_MAX 50 /**< rows on the page, the fullest of all */
#define STATUS_FINDINGS_MAX 20

struct status {
	struct sample now;	     /**< the newest */
	struct sample before;	     /**< the one before it, its counters only */
	bool is_answering;	     /**< the last look was answered */
	char problem[512];	     /**< why it was not; ASCII */
	char *points[STATUS_POINTS]; /**< JSON; a ring */
	unsigned point_next, point_count;
};

void status_init(struct status *status);
void status_fini(struct status *status);

/** Takes over a sample that was taken. */
void status_add(struct status *status, struct sample *sample);

/** The appliance did not answer. */
void status_fail(struct status *status, const char *problem);

/** The page's JSON, malloc; NULL when out of memory. */
char *status_text(const struct status *status, size_t *length);

/** {"points": [...], "texts": {REASON: sentence}}, the same. */
char *status_history(const struct status *status, size_t *length);

#endif
