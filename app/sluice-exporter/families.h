/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes metric families in one of two formats: OpenMetrics 1.0.0, and Prometheus' text format
 * 0.0.4 for whoever doesn't ask for the former. A family's name has no "_total"; the writer adds it
 * where the format wants it.
 */
#ifndef SLUICE_EXPORTER_FAMILIES_H
#define SLUICE_EXPORTER_FAMILIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct families {
	FILE *out;
	bool is_open;	  /**< OpenMetrics */
	const char *name; /**< of the family being written */
	const char *suffix;
};

struct label {
	const char *name;  /**< a metric's label name: [a-z_]+ */
	const char *value; /**< UTF-8, escaped by the writer */
};

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM, FAMILY_INFO };

/** Begins a family. unit: a base unit that the name ends with, or NULL. The name must stay valid
 * until the next begins. */
void family_begin(struct families *families, const char *name, enum family_type type,
		const char *unit, const char *help);

/** One sample of the family; labels may be NULL when there are none. */
void family_count(struct families *families, const struct label *labels, unsigned label_count,
		int64_t value);
void family_number(struct families *families, const struct label *labels, unsigned label_count,
		double value);

/** A histogram's lines for one set of labels. Bucket i counts observations below
 * first * 2^i, the last bucket all others. sum in the family's unit. */
void family_histogram(struct families *families, const struct label *labels, unsigned label_count,
		const uint64_t *buckets, unsigned bucket_count, double first, double sum);

/** Ends the whole text. */
void families_end(struct families *families);

#endif
