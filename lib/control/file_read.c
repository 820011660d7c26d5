/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* Reads what fd gives into text, room bytes at most. -1 with errno set when it cannot be read. */
static ssize_t
read_all(int fd, char *text, size_t room)
{
	size_t length = 0;

	while (length < room) {
		ssize_t got = read(fd, text + length, room - length);

		if (got > 0)
			length += (size_t)got;
		else if (got == 0)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)length;
}

/* What open() doesn't refuse, but can't be read, or could keep its reader waiting; NULL: nothing.
 */
static const char *
kind_problem(int fd, bool may_wait)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return strerror(errno);
	if (S_ISDIR(status.st_mode))
		return "is a directory";
	return may_wait || S_ISREG(status.st_mode) ? NULL : "is no regular file";
}

char *
file_read(const char *path, bool may_wait, size_t most, size_t *length,
		char problem[FILE_READ_PROBLEM_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | (may_wait ? 0 : O_NONBLOCK));
	ssize_t got = -1;

	problem[0] = '\0';
	if (fd < 0) {
		snprintf(problem, FILE_READ_PROBLEM_BYTES, "cannot be opened: %s", strerror(errno));
		return NULL;
	}

	/* Pages that the file doesn't fill are never touched. */
	char *text = malloc(most + 1);
	const char *kind = kind_problem(fd, may_wait);

	ENSURE(text != NULL);
	if (kind != NULL)
		snprintf(problem, FILE_READ_PROBLEM_BYTES, "%s", kind);
	else if ((got = read_all(fd, text, most + 1)) < 0)
		snprintf(problem, FILE_READ_PROBLEM_BYTES, "cannot be read: %s", strerror(errno));
	close(fd);
	if (got < 0) {
		free(text);
		return NULL;
	}
	*length = (size_t)got;
	return text;
}
