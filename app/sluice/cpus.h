/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPUs the configuration names, held against those this process may use. */
#ifndef SLUICE_APP_CPUS_H
#define SLUICE_APP_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/config.h"

/** True when every CPU of the configuration exists and is allowed; says every one that isn't. */
bool cpus_check(const struct config *config);

/** Writes a set as ranges: "0-3,8", cut to size. */
void cpus_format(char *text, size_t size, const cpu_set_t *set);

/** NUMA node of a CPU; 0 on a machine without NUMA. */
int cpus_node(unsigned cpu);

#endif
