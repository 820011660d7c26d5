/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts that are served: made once per look at the appliance, never changed, shared by all callers
 * of that time, freed when the last of them has it. The shelf holds the newest of each kind.
 */
#ifndef SLUICE_EXPORTER_BODY_H
#define SLUICE_EXPORTER_BODY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct body {
	char *text; /**< owned */
	size_t length;
	unsigned references; /**< atomic */
};

enum body_kind {
	BODY_METRICS,	  /**< Prometheus text format 0.0.4 */
	BODY_OPENMETRICS, /**< OpenMetrics 1.0.0 */
	BODY_STATUS,	  /**< what the page asks for once a second */
	BODY_HISTORY,	  /**< what it asks for when it is opened */
	BODY_COUNT
};

struct shelf {
	pthread_mutex_t lock;
	struct body *bodies[BODY_COUNT]; /**< NULL until the first was put there */
	bool is_ready;			 /**< the appliance answered at the last look */
};

void shelf_init(struct shelf *shelf);
void shelf_fini(struct shelf *shelf);

/** Takes over text (malloc, NULL: out of memory, the old one stays). */
void shelf_put(struct shelf *shelf, enum body_kind kind, char *text, size_t length);

void shelf_set_ready(struct shelf *shelf, bool is_ready);
bool shelf_is_ready(struct shelf *shelf);

/** The newest, for body_release() later; NULL when there is none yet. */
struct body *shelf_take(struct shelf *shelf, enum body_kind kind);

/** NULL is allowed. */
void body_release(void *body);

#endif
