/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run: a world drawn from a seed, lived through to the end and beyond, until Sluice must have
 * forgotten everything.
 *
 *	honest clients ─┐                        ┌─ backends
 *	hostile hosts ──┴─ cables ── Sluice ── cables ┘
 */
#ifndef SLUICE_TESTS_SIM_SIM_H
#define SLUICE_TESTS_SIM_SIM_H

#include <stdio.h>

#include "checker.h"

struct sim_result {
	bool has_failed;
	char text[256];	   /**< what was wrong */
	ticks_t when;	   /**< since the run's beginning */
	uint64_t hash;	   /**< of the trace */
	uint64_t outcomes; /**< of what every client experienced, in any order */
	uint64_t packets;
	uint64_t ends[ROUND_ENDS];
};

/**
 * Runs a plan. out: where the diagram goes, or NULL. filler: what memory holds before it is used;
 * no two of them may give different results.
 */
struct sim_result sim_run(const struct plan *plan, FILE *out, uint8_t filler);

#endif
