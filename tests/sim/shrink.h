/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a failing run small before anybody reads it: takes things out of its plan, one after the
 * other, as long as the same fault still shows.
 */
#ifndef SLUICE_TESTS_SIM_SHRINK_H
#define SLUICE_TESTS_SIM_SHRINK_H

#include "sim.h"

/** Changes a plan that failed with that text to a smaller one that fails in the same way, in at
 * most runs_max runs. Returns its result. */
struct sim_result shrink(struct plan *plan, const struct sim_result *failed, unsigned runs_max);

#endif
