/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler's own look at the CPU, which includes what the operating system saves. */
#include "base/kernel.h"

#include <string.h>

static const char *const names[KERNEL_COUNT] = {
		[KERNEL_SCALAR] = "scalar",
		[KERNEL_AVX2] = "avx2",
		[KERNEL_AVX512] = "avx512",
};

bool
kernel_is_supported(enum kernel kernel)
{
	switch (kernel) {
	case KERNEL_SCALAR:
		return true;
#if defined(__x86_64__)
	case KERNEL_AVX2:
		return __builtin_cpu_supports("avx2") != 0;
	case KERNEL_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
#endif
	default:
		return false;
	}
}

enum kernel
kernel_best(void)
{
	enum kernel kernel = KERNEL_COUNT - 1;

	while (!kernel_is_supported(kernel))
		kernel--;
	return kernel;
}

const char *
kernel_name(enum kernel kernel)
{
	return names[kernel];
}

enum kernel
kernel_from_name(const char *name)
{
	enum kernel kernel = KERNEL_SCALAR;

	while (kernel < KERNEL_COUNT && strcmp(name, names[kernel]) != 0)
		kernel++;
	return kernel;
}
