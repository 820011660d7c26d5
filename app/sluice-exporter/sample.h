/* SPDX-License-Identifier: BSD-3-Clause */
/* One look at the appliance: what it answers to four commands in a row (lib/control/README.md). Of
 * tens of thousands of backends it asks only for those that are shown. */
#ifndef SLUICE_EXPORTER_SAMPLE_H
#define SLUICE_EXPORTER_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../sluicectl/connection.h"

/** Which backends a look asks for: the first ones, and the fullest of the others. */
struct sample_scope {
	unsigned first, fullest;
};

/** Results of the commands of these names. What stats has of backends is what ss has of them. */
struct sample {
	json_t *ping, *ss, *stats,
			*doctor; /**< all owned, or all NULL; see sample_keep_counters() */
	int64_t at_ms;		 /**< monotonic: when stats had come */
	int64_t took_ms;	 /**< asking for all of it */
};

enum sample_outcome {
	SAMPLE_TAKEN,
	SAMPLE_FAILED, /**< problem says why */
	SAMPLE_WOKEN,  /**< the connection's wake_fd became readable first */
};

/** Asks the appliance. The sample is to be given to sample_free() in any case. */
enum sample_outcome sample_take(struct sample *sample, struct connection *connection,
		struct sample_scope scope, char *problem, size_t problem_size);

/** How many backends the appliance has, those included that the sample is not about. */
size_t sample_backends(const struct sample *sample);

void sample_free(struct sample *sample);

/** Frees what no rate needs: ss and doctor are NULL then. */
void sample_keep_counters(struct sample *sample);

static inline bool
sample_is_taken(const struct sample *sample)
{
	return sample->ping != NULL;
}

/** The integer at a key of an object; 0 when there is none. */
int64_t count_at(const json_t *object, const char *key);

/** How much the counter at a key grew per second from before to now, both objects of counters;
 * 0 when it did not, was not there before, or began again. */
double rate_at(const json_t *now, const json_t *before, const char *key, double seconds);

/** A look is begun this often, unless the one before took long. */
#define SAMPLE_INTERVAL_MS 1000
/** Then the appliance spends at most a tenth of its control thread's time on us... */
#define SAMPLE_DUTY 10
/** ...but what is served is never older than this, and the look itself. */
#define SAMPLE_REST_MS_MAX 15000

/** From the end of a look that took took_ms to the next one at the earliest. */
int64_t sample_rest_ms(int64_t took_ms);

/** CLOCK_MONOTONIC. */
int64_t sample_clock_ms(void);

#endif
