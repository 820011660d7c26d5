/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A warm restart of Sluice: its workers' state is saved, they are gone for a while, and new ones
 * take it up, with memory and a hash seed of their own. Every connection goes on; only half-open
 * clients are forgotten, whose cookies prove them.
 */
#ifndef SLUICE_TESTS_SIM_RESTART_H
#define SLUICE_TESTS_SIM_RESTART_H

#include "appliance.h"

/** Sets the plan's restarts as events. */
void restart_start(struct appliance *appliance);

#endif
