/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who runs Sluice: publishes each version of the configuration at its moment, as lib/control would,
 * and sends letters to the workers that list half-open clients or flush a backend.
 */
#ifndef SLUICE_TESTS_SIM_OPERATOR_H
#define SLUICE_TESTS_SIM_OPERATOR_H

#include "appliance.h"

struct operator
{
	const struct plan *plan;
	struct clock *clock;
	struct dice *dice;
	struct checker *checker;
	struct appliance *appliance;
	uint8_t filler; /**< of new memory */
	uint64_t generation;
	struct cookie_plan cookies;
	struct backend_config backends[BACKENDS];
	void *memory; /**< of the published snapshot */
	struct inspect letters[WORKERS_MAX];
	unsigned letters_out; /**< not answered yet */
};

/** Publishes the first version and sets the moments of all that follows. */
void operator_start(struct operator* operator);
void operator_fini(struct operator* operator);

#endif
