/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which variant of the hot loops a test's workers use: SLUICE_KERNEL in the environment names it,
 * so that a whole suite can be run with each; without it the best this CPU has.
 */
#ifndef SLUICE_TESTS_KERNEL_WANTED_H
#define SLUICE_TESTS_KERNEL_WANTED_H

#include <stdio.h>
#include <stdlib.h>

#include "base/kernel.h"

static inline enum kernel
kernel_wanted(void)
{
	const char *name = getenv("SLUICE_KERNEL");
	enum kernel kernel = name != NULL ? kernel_from_name(name) : kernel_best();

	if (kernel_is_supported(kernel))
		return kernel;
	fprintf(stderr, "SLUICE_KERNEL=%s: not on this CPU\n", name);
	exit(1);
}

#endif
