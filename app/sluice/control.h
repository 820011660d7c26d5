/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread between start and stop: signals, and once a second a look at the ports. */
#ifndef SLUICE_APP_CONTROL_H
#define SLUICE_APP_CONTROL_H

#include "report.h"
#include "say.h"

/** Says "ready", and runs until a stop is wished (EXIT_CODE_OK) or a port is gone
 * (EXIT_CODE_ENVIRONMENT). */
enum exit_code control_run(const struct workers *workers, struct port ports[SIDE_COUNT],
		const struct mbufs *mbufs);

#endif
