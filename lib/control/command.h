/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket's language: one JSON object in, one JSON object out. Requests and replies are
 * listed in lib/control/README.md; here is only how one becomes the other. Never ends the process,
 * whatever it is asked. Control thread only.
 */
#ifndef SLUICE_CONTROL_COMMAND_H
#define SLUICE_CONTROL_COMMAND_H

#include <jansson.h>

#include "control/history.h"
#include "control/registry.h"

#define COMMAND_VERSION 1
#define COMMAND_REQUEST_BYTES 65536 /**< of a request, without its newline */

struct command_env {
	void *context;
	struct registry *registry;
	struct history *history;
	bool reads_only; /**< commands that change something, or read files, are refused */
	/** What only the appliance knows, as an object ("ports", "mbufs", "steered"): a new
	 * reference, or NULL. May itself be NULL. */
	json_t *(*appliance)(void *context);
	/** Told before and after a reload is tried. May be NULL. */
	void (*reloading)(void *context, bool begins);
};

/**
 * Carries out the request in text of length bytes (no NUL needed) at time now. A new reference:
 * {"version": 1, "ok": true, "result": ...} or {"version": 1, "ok": false, "error": "...",
 * "errors": [...]}; NULL when out of memory.
 */
json_t *command_run(const struct command_env *env, const char *text, size_t length, ticks_t now);

/** The reply that refuses a request for the reason given. A new reference, NULL when out of memory.
 */
json_t *command_refusal(const char *error);

#endif
