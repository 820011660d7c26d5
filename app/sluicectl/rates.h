/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast things happen: the difference of two looks at the counters, by the time between. */
#ifndef SLUICECTL_RATES_H
#define SLUICECTL_RATES_H

#include <jansson.h>
#include <stdbool.h>

/** One look at the appliance; all zero for none. */
struct sample {
	double at_s; /**< of a clock that no one sets */
	json_t *ping;
	json_t *netstat;
	json_t *ss;
};

/** Per second. */
enum rate {
	RATE_SYNS, /**< of the appliance only: a backend's own are not counted */
	RATE_COOKIES,
	RATE_PROOFS,
	RATE_ESTABLISHED,
	RATE_DROPS,
	RATE_COUNT
};

struct rates {
	bool is_known; /**< false when there is nothing to compare with, or it was restarted */
	double values[RATE_COUNT];
};

/** "syns", "cookies", ... */
const char *rate_name(enum rate rate);

void sample_fini(struct sample *sample);

/** Of the whole appliance from before to now. */
struct rates rates_total(const struct sample *before, const struct sample *now);

/** Of one backend, without RATE_SYNS. */
struct rates rates_backend(
		const struct sample *before, const struct sample *now, const char *backend);

#endif
