/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which backends a listing is about: all; or, where there are tens of thousands and whoever asks
 * can show a few, the first ones and the fullest others. Made for one request, by its command.
 * Control thread only.
 */
#ifndef SLUICE_CONTROL_SELECTION_H
#define SLUICE_CONTROL_SELECTION_H

#include "control/command_request.h"

/** Most of each kind that may be asked for. */
#define SELECTION_MAX 65535

struct selection {
	const struct slot *only; /**< this one alone, or NULL */
	uint8_t *chosen;	 /**< one per slot: 1 for those wanted; NULL: all are. Owned */
};

/** Reads the keys "backend", "first" and "fullest" of a request. False: refused, or out of memory;
 * else selection_fini() ends it. */
bool selection_init(struct selection *selection, struct request *request);
void selection_fini(struct selection *selection);

/** Whether the slot is in use and wanted. */
bool selection_has(const struct selection *selection, const struct registry *registry,
		const struct slot *slot);

#endif
