/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluice --probe: a look at this machine before deployment, without starting anything: what will
 * and what won't work, and the command that cures it. With a configuration it is held against that;
 * without, against what any would need.
 */
#ifndef SLUICE_APP_MACHINE_H
#define SLUICE_APP_MACHINE_H

#include "control/config.h"
#include "options.h"
#include "say.h"

/**
 * Prints the findings on standard output. config may be NULL. EXIT_CODE_ENVIRONMENT when anything
 * is a problem. The environment's SLUICE_PROBE_ROOT names another folder than / to find /sys and
 * /proc in; then interfaces are asked nothing that isn't in there.
 */
enum exit_code machine_probe(const struct options *options, const struct config *config);

#endif
