/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What DPDK's telemetry is told (app/sluice/telemetry.h): the control socket's own numbers, flat
 * enough for its format, and in pages that fit its 16 KiB. Control thread only.
 */
#ifndef SLUICE_CONTROL_TELEMETRY_ANSWER_H
#define SLUICE_CONTROL_TELEMETRY_ANSWER_H

#include "control/command.h"

#define TELEMETRY_PAGE_BACKENDS 128
#define TELEMETRY_PAGE_WORKERS 32

enum telemetry_question {
	TELEMETRY_BACKENDS, /**< parameter: number of the first one, or empty */
	TELEMETRY_BACKEND,  /**< parameter: name */
	TELEMETRY_WORKERS,  /**< parameter: number of the first one, or empty */
	TELEMETRY_REASONS,
	TELEMETRY_PORTS,
};

/**
 * An object of integers, strings, booleans, arrays of strings and objects of the same, without
 * nulls; shared with nobody. A new reference; NULL when the parameter is wrong or memory short.
 */
json_t *telemetry_answer(const struct command_env *env, enum telemetry_question question,
		const char *parameter, ticks_t now);

#endif
