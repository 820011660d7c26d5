/* SPDX-License-Identifier: BSD-3-Clause */
/* One write per line, so that lines of several threads never mix. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
say(const char *format, ...)
{
	char line[1024] = "sluice: ";
	const size_t prefix = strlen(line);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, arguments);
	va_end(arguments);

	strcat(line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* nobody listens, and there is nobody else to tell */
}
