/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What runs on top of an endpoint: one dialogue, at the client's end or at the backend's.
 */
#ifndef SLUICE_TESTS_SIM_APPLICATION_H
#define SLUICE_TESTS_SIM_APPLICATION_H

#include "endpoint.h"

struct application {
	struct endpoint endpoint; /**< its owner is the application */
	void *owner;		  /**< the host's */
	struct dialogue dialogue;
	bool has_started;
	bool has_written;
	bool has_closed;
	bool is_reading; /**< an event is set */
};

/** Starts over with another dialogue. */
void application_reset(struct application *app, uint64_t key, enum way way);

/** Goes on, after the endpoint has changed. */
void application_run(struct application *app);

/** True when this end has said and heard all of the dialogue. */
bool application_is_complete(const struct application *app);

#endif
