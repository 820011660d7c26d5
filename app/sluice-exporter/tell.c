/* SPDX-License-Identifier: BSD-3-Clause */
/* One write per line, so that lines of both threads never mix. */
#include "tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
tell(const char *format, ...)
{
	char line[1024] = "sluice-exporter: ";
	const size_t prefix = strlen(line);
	va_list arguments;

	va_start(arguments, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it loses the line above */
	vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, arguments);
	va_end(arguments);
	strcat(line, "\n");
	(void)!write(STDERR_FILENO, line, strlen(line));
}
