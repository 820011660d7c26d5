/* SPDX-License-Identifier: BSD-3-Clause */
/* What only the appliance can count, and all counters as one line of JSON on standard output, for
 * SIGUSR1 and at the end. */
#ifndef SLUICE_APP_REPORT_H
#define SLUICE_APP_REPORT_H

#include "control/registry.h"
#include "mbufs.h"
#include "port.h"
#include "workers.h"

/** What only the appliance knows; all of it lives as long. */
struct report {
	const struct workers *workers;
	const struct port *ports; /**< SIDE_COUNT of them */
	const struct mbufs *mbufs;
};

/** {"ports": {"client": {...}, "server": {...}}, "mbufs": {...}, "steered": n}: a new reference, or
 * NULL. Ports are started. */
json_t *report_json(const struct report *report);

/**
 * Prints the line; nothing when the workers were never built. A reader that went away or doesn't
 * read costs a second at most, never the process. Control thread only; ports are still open.
 */
void report_print(const struct report *report, const struct registry *registry);

#endif
