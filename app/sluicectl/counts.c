/* SPDX-License-Identifier: BSD-3-Clause */
/* A file is replaced by rename(), so two calls at once leave one whole file. */
#include "counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* FNV-1a, 64 bits: only to make a file name of a path; the file says which socket it is about. */
static uint64_t
hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return value;
}

bool
counts_path(char path[COUNTS_PATH_BYTES], const char *socket)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	int length;

	if (folder == NULL || folder[0] != '/')
		folder = "/tmp";
	length = snprintf(path, COUNTS_PATH_BYTES, "%s/sluicectl-%u-%016" PRIx64 ".json", folder,
			(unsigned)geteuid(), hash(socket));
	return length > 0 && length < COUNTS_PATH_BYTES;
}

static const char *
file_problem(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "not a plain file";
	if (status->st_uid != geteuid())
		return "belongs to another user";
	if ((status->st_mode & 077) != 0)
		return "others may read or write it";
	if (status->st_nlink != 1)
		return "has another name";
	if (status->st_size > COUNTS_BYTES_MAX)
		return "too large";
	return NULL;
}

json_t *
counts_read(const char *path, char *problem, size_t size)
{
	/* O_NONBLOCK: not to wait for the writer of a FIFO. */
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *wrong;
	struct stat status;
	json_t *counts;

	problem[0] = '\0';
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &status) != 0) {
		wrong = fd < 0 && errno == ELOOP ? "a symbolic link" : strerror(errno);
		if (fd >= 0)
			close(fd);
		snprintf(problem, size, "%s: %s; not used", path, wrong);
		return NULL;
	}
	wrong = file_problem(&status);
	if (wrong != NULL) {
		close(fd);
		snprintf(problem, size, "%s: %s; not used", path, wrong);
		return NULL;
	}
	/* What can't be read is overwritten: it is ours, and of no other use. */
	counts = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
	close(fd);
	return counts;
}

static bool
write_fail(const char *path, const char *temporary, char *problem, size_t size)
{
	snprintf(problem, size, "%s: can't remember the counters: %s", path, strerror(errno));
	if (temporary != NULL)
		unlink(temporary);
	return false;
}

bool
counts_write(const char *path, const json_t *counts, char *problem, size_t size)
{
	char temporary[COUNTS_PATH_BYTES + 8];
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC); /* O_EXCL and mode 0600 */
	if (fd < 0)
		return write_fail(path, NULL, problem, size);
	if (json_dumpfd(counts, fd, JSON_COMPACT) != 0) {
		close(fd);
		return write_fail(path, temporary, problem, size);
	}
	if (close(fd) != 0 || rename(temporary, path) != 0)
		return write_fail(path, temporary, problem, size);
	return true;
}
