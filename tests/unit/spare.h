/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker needs of its appliance in tests that only look at what it does with packets it was
 * given: one buffer for whatever it makes, which then goes nowhere. One per worker. */
#ifndef SLUICE_TESTS_UNIT_SPARE_H
#define SLUICE_TESTS_UNIT_SPARE_H

#include "proxy/worker.h"

struct spare {
	uint8_t bytes[PKT_BUILD_BYTES_MAX];
};

/** Sets the env's context and what it calls with packets. */
void spare_serve(struct spare *spare, struct sluice_env *env);

#endif
