/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One write per line, so that lines of several threads never mix. A log that takes nothing (a full
 * disk, a pipe whose reader hangs) costs lines, never more than a moment of time; when it takes
 * lines again, the first says how many are missing. That count is the process's, as standard error
 * is.
 */
#include "say.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 20
#define LINE_BYTES 1024 /* below PIPE_BUF: a pipe that poll() calls writable takes it at once */

static const char *speaker = "sluice";
static unsigned lines_lost;
static bool is_torn; /* the last line written was cut off */

/* True when all of it was written. */
static bool
line_write(const char *line)
{
	struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
	const size_t length = strlen(line);
	ssize_t n;

	if (poll(&writable, 1, WAIT_MS) == 0)
		return false;
	n = write(STDERR_FILENO, line, length);
	is_torn |= n > 0 && (size_t)n < length;
	return n == (ssize_t)length;
}

/* True when nothing is missing before the next line, or what is was told. */
static bool
gap_tell(void)
{
	char line[LINE_BYTES];

	if (lines_lost == 0)
		return true;
	snprintf(line, sizeof(line), "%s%s: %u lines of log could not be written here\n",
			is_torn ? "\n" : "", speaker, lines_lost);
	if (!line_write(line))
		return false;
	lines_lost = 0;
	is_torn = false;
	return true;
}

void
say_as(const char *name)
{
	speaker = name;
}

void
say(const char *format, ...)
{
	char line[LINE_BYTES];
	const size_t prefix = (size_t)snprintf(line, sizeof(line), "%s: ", speaker);
	va_list arguments;

	va_start(arguments, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it loses the line above */
	vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, arguments);
	va_end(arguments);

	strcat(line, "\n");
	if (!gap_tell() || !line_write(line))
		lines_lost++;
}
