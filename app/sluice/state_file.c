/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may write the file can make connections up: it has to be ours, and nobody else's to write or
 * read. */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/publish.h"
#include "device.h"
#include "say.h"

static uint64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * TICKS_PER_S + (uint64_t)now.tv_nsec / 1000;
}

/* Which ports: their interfaces or PCI addresses. Drivers and queues may change. */
static uint64_t
place_of(const struct config *config)
{
	const struct siphash_key key = {1, 2};
	uint64_t place = 0;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const char *text = config->ports[side].device;
		struct device device;

		if (device_parse(text, &device))
			text = device_is_kernel(&device) ? device.interface : device.name;
		place = (place << 1 | place >> 63) ^ siphash(&key, text, strlen(text));
	}
	return place;
}

struct state_here
state_file_here(const struct config *config)
{
	return (struct state_here){
			.place = place_of(config),
			.wall_us = clock_us(CLOCK_REALTIME),
			.boot_us = clock_us(CLOCK_BOOTTIME),
	};
}

static bool
path_beside(char beside[PATH_MAX], const char *path)
{
	return snprintf(beside, PATH_MAX, "%s.tmp", path) < PATH_MAX;
}

/* NULL when the file may be read; else why not. */
static const char *
file_problem(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "it is no regular file";
	if (status->st_uid != geteuid())
		return "it belongs to another user";
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		return "others may read or write it";
	return NULL;
}

static bool
read_whole(int fd, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		const ssize_t n = read(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

/* Fills bytes and size; NULL, or why that was not possible. */
static const char *
file_load(struct state_file *file, int fd)
{
	struct stat status;
	const char *problem = fstat(fd, &status) != 0 ? strerror(errno) : file_problem(&status);

	if (problem != NULL)
		return problem;
	file->size = (size_t)status.st_size;
	file->bytes = malloc(file->size + 1);
	if (file->bytes == NULL)
		return "out of memory";
	return read_whole(fd, file->bytes, file->size) ? NULL : "it can't be read";
}

static const char *
file_check(struct state_file *file, const struct config *config)
{
	const struct state_here here = state_file_here(config);
	const enum state_outcome outcome =
			state_check(&file->state, file->bytes, file->size, &here);

	if (outcome != STATE_VALID)
		return state_outcome_text(outcome);
	file->before = snapshot_new(file->state.backend_count, 1, 1);
	if (file->before == NULL)
		return "out of memory";
	state_describe(&file->state, file->before);
	return NULL;
}

void
state_file_find(struct state_file *file, const char *path, const struct config *config)
{
	char beside[PATH_MAX];
	const char *problem;
	int fd;

	*file = (struct state_file){.path = path};
	if (path == NULL)
		return;
	/* What an interrupted write left holds secrets, and nothing that could be used. */
	if (path_beside(beside, path))
		unlink(beside);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return;
	problem = fd < 0 ? strerror(errno) : file_load(file, fd);
	if (fd >= 0)
		close(fd);
	if (problem == NULL)
		problem = file_check(file, config);
	if (problem == NULL)
		return;
	state_file_free(file);
	say("--keep-state: %s is refused: %s; starting without it", path, problem);
}

/* The folder's entry is on disk, too. */
static bool
folder_flush(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	bool flushed;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	flushed = fsync(fd) == 0;
	close(fd);
	return flushed;
}

bool
state_file_claim(struct state_file *file)
{
	if (unlink(file->path) == 0 && folder_flush(file->path))
		return true;
	say("--keep-state: %s can't be removed (%s), and so must not be taken: its connections "
	    "would come back; starting without it",
			file->path, strerror(errno));
	return false;
}

static bool
write_whole(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		const ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static bool
bytes_write(const char *path, const uint8_t *bytes, size_t size)
{
	char beside[PATH_MAX];
	bool written;
	int fd;

	if (!path_beside(beside, path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	unlink(beside); /* so that the mode is the one asked for */
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return false;
	written = write_whole(fd, bytes, size);
	/* Some file systems say only here that there is no room. */
	written = close(fd) == 0 && written;
	written = written && rename(beside, path) == 0;
	if (!written) {
		const int error = errno;

		unlink(beside);
		errno = error;
		return false;
	}
	return folder_flush(path);
}

bool
state_file_write(const char *path, const struct state_source *source, ticks_t now)
{
	const size_t size = state_size(source);
	uint8_t *bytes = malloc(size);
	bool written;

	if (bytes == NULL) {
		say("--keep-state: no memory for %zu MB; connections are lost", size >> 20);
		return false;
	}
	state_save(source, now, bytes);
	written = bytes_write(path, bytes, size);
	if (!written)
		say("--keep-state: %s: %s; its connections are not kept", path, strerror(errno));
	explicit_bzero(bytes, size);
	free(bytes);
	return written;
}

void
state_file_free(struct state_file *file)
{
	const char *path = file->path;

	if (file->bytes != NULL)
		explicit_bzero(file->bytes, file->size);
	free(file->bytes);
	if (file->before != NULL)
		snapshot_free(file->before);
	explicit_bzero(file, sizeof(*file));
	file->path = path;
}
