/* SPDX-License-Identifier: BSD-3-Clause */
/* Sluice, the appliance: a ladder of steps up, the same steps down. */
#ifndef SLUICE_APP_APPLIANCE_H
#define SLUICE_APP_APPLIANCE_H

#include "options.h"
#include "say.h"

/** Starts everything, runs until a stop is wished, and ends everything. Takes config over, which
 * was read from options->config_path; reloads read that again. */
enum exit_code appliance_run(const struct options *options, struct config *config);

#endif
