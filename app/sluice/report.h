/* SPDX-License-Identifier: BSD-3-Clause */
/* All counters as one line of JSON on standard output, for SIGUSR1 and at the end. */
#ifndef SLUICE_APP_REPORT_H
#define SLUICE_APP_REPORT_H

#include "mbufs.h"
#include "port.h"
#include "workers.h"

/**
 * Prints the line; nothing when the workers were never built. A reader that went away or doesn't
 * read costs a second at most, never the process. Control thread only; ports are still open.
 */
void report_print(const struct workers *workers, const struct port ports[SIDE_COUNT],
		const struct mbufs *mbufs);

#endif
