/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which instructions the hot loops that have several variants use. Chosen once, at start; all
 * variants give the same results, the scalar one everywhere.
 */
#ifndef SLUICE_BASE_KERNEL_H
#define SLUICE_BASE_KERNEL_H

#include <stdbool.h>

enum kernel {
	KERNEL_SCALAR,
	KERNEL_AVX2,   /**< four 64-bit lanes */
	KERNEL_AVX512, /**< eight; needs AVX512F, BW and VL, and BMI2 */
	KERNEL_COUNT
};

/** True when this CPU and its operating system can run it. */
bool kernel_is_supported(enum kernel kernel);

/** The widest one that is supported. */
enum kernel kernel_best(void);

/** "scalar", "avx2", "avx512". */
const char *kernel_name(enum kernel kernel);

/** The kernel of that name, or KERNEL_COUNT. */
enum kernel kernel_from_name(const char *name);

#endif
