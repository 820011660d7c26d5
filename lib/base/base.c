/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out when our own reasoning turned out wrong. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

void
ensure_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "sluice: %s:%d: expected %s\n", file, line, expression);
	abort();
}
