/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sample as metric families. Names: sluice_ and what is counted; Linux's counters keep their
 * words (ListenOverflows becomes sluice_backend_listen_overflows_total).
 *
 * Cardinality is bounded: reasons, causes and counters are the appliance's fixed lists, workers are
 * its CPUs, and at most backends_max backends (the first in the file) have series of their own; the
 * others are in the sums, and sluice_backends_without_series counts them.
 */
#ifndef SLUICE_EXPORTER_METRICS_H
#define SLUICE_EXPORTER_METRICS_H

#include "families.h"
#include "sample.h"

/** What the exporter knows of itself. */
struct metrics_own {
	uint64_t samples, failures; /**< looks at the appliance, and those of them without an answer
				     */
	uint64_t requests,
			refused; /**< HTTP requests, and connections ended before they were one */
	unsigned callers;	 /**< connections now */
	unsigned backends_max;
};

/** Writes all of it. A sample that was not taken leaves sluice_up 0 and the exporter's own. */
void metrics_write(struct families *families, const struct sample *sample,
		const struct metrics_own *own);

/** ListenOverflows to listen_overflows: at most 63 bytes into snake. */
void metrics_snake(char snake[64], const char *camel);

#endif
