/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file: written by a process that is killed at any moment, and found by the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy/state_format.h"
#include "state_file.h"

static char client_device[] = "c", server_device[] = "s";
static const struct config config = {
		.ports = {{.device = client_device}, {.device = server_device}}};

struct place {
	char folder[64];
	char path[96];
	char beside[128];
};

static struct place
place_make(void)
{
	struct place place = {.folder = "/tmp/test_state_file_XXXXXX"};

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.path, sizeof(place.path), "%s/state", place.folder);
	snprintf(place.beside, sizeof(place.beside), "%s.tmp", place.path);
	return place;
}

static void
place_remove(const struct place *place)
{
	unlink(place->path);
	unlink(place->beside);
	assert_int_equal(rmdir(place->folder), 0); /* nothing else was left */
}

/* A worker of a snapshot without connections but with many backends: a file of a megabyte, so that
 * a writer can be interrupted in the middle. */
struct source {
	struct worker *worker;
	const struct snapshot *snapshot;
	struct backend_shared *shared;
	void *memory;
	struct state_source state;
};

enum { BACKENDS = 20000, FILE_BYTES = 144 + BACKENDS * 48 + 8 };

static void
source_make(struct source *source)
{
	const struct sluice_limits limits = {.connections = 1, .backends = BACKENDS};
	struct snapshot *snapshot = snapshot_init(
			aligned_alloc(64, cache_align(snapshot_memsize(BACKENDS))), BACKENDS, 1, 1);
	struct backend_config backend = {.port = 80, .family = FAMILY_IP4};

	for (uint32_t i = 0; i < BACKENDS; i++) {
		backend.slot = (uint16_t)i;
		backend.address = ip_addr_from_ip4(i + 1);
		assert_int_equal(snapshot_insert(snapshot, &backend), 0);
	}
	source->snapshot = snapshot;
	source->shared = calloc(BACKENDS, sizeof(*source->shared));
	source->memory = aligned_alloc(64, cache_align(sluice_worker_memsize(&limits)));
	source->worker = sluice_worker_init(source->memory, &limits,
			&(struct sluice_env){.snapshot = &source->snapshot,
					.shared = source->shared,
					.now = 1000 * TICKS_PER_S});
	assert_non_null(source->worker);
	source->state = (struct state_source){.workers = &source->worker,
			.worker_count = 1,
			.here = state_file_here(&config)};
}

static void
source_free(struct source *source)
{
	free((void *)(uintptr_t)source->snapshot);
	free(source->shared);
	free(source->memory);
}

static bool
write_file(const struct place *place, const struct source *source)
{
	return state_file_write(place->path, &source->state, 1001 * TICKS_PER_S);
}

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* 1. Written with mode 0600, found, claimed, and then there is nothing to find any more. */
static void
test_taken_once(void **state)
{
	const struct place place = place_make();
	struct state_file file;
	struct source source;
	struct stat status;

	(void)state;
	source_make(&source);
	umask(0);
	assert_true(write_file(&place, &source));
	assert_int_equal(stat(place.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, FILE_BYTES);
	assert_false(is_there(place.beside));
	state_file_find(&file, place.path, &config);
	assert_non_null(file.bytes);
	assert_int_equal(file.state.backend_count, BACKENDS);
	assert_int_equal(snapshot_count(file.before), BACKENDS);
	assert_true(is_there(place.path)); /* until it is claimed, a start that fails may be tried
					      again */
	assert_true(state_file_claim(&file));
	state_file_free(&file);
	state_file_find(&file, place.path, &config);
	assert_null(file.bytes);
	state_file_free(&file);
	source_free(&source);
	place_remove(&place);
}

static void
corrupt(const char *path, off_t at)
{
	const int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* 2. Refused and left where it is: damaged, cut off, of other ports, readable by others, reached by
 * a link, no file at all. */
static void
test_refused(void **state)
{
	const struct place place = place_make();
	struct config elsewhere = config;
	struct source source;

	(void)state;
	source_make(&source);
	elsewhere.ports[SIDE_CLIENT].device = server_device;
	for (unsigned row = 0; row < 6; row++) {
		struct state_file file;

		assert_true(write_file(&place, &source));
		if (row == 0)
			corrupt(place.path, FILE_BYTES / 2);
		if (row == 1)
			assert_int_equal(truncate(place.path, FILE_BYTES - 1), 0);
		if (row == 3)
			assert_int_equal(chmod(place.path, 0640), 0);
		if (row == 4) {
			assert_int_equal(rename(place.path, place.beside), 0);
			assert_int_equal(symlink(place.beside, place.path), 0);
		}
		if (row == 5) {
			unlink(place.path);
			assert_int_equal(mkdir(place.path, 0700), 0);
		}
		state_file_find(&file, place.path, row == 2 ? &elsewhere : &config);
		assert_null(file.bytes);
		assert_null(file.before);
		if (row == 5)
			assert_int_equal(rmdir(place.path), 0);
		else
			assert_int_equal(unlink(place.path), 0);
		state_file_free(&file);
	}
	source_free(&source);
	place_remove(&place);
}

/* 3. Where it can't be written, nothing is left behind, and what was there stays. */
static void
test_not_written(void **state)
{
	struct place place = place_make(), nowhere = place;
	struct source source;

	(void)state;
	source_make(&source);
	snprintf(nowhere.path, sizeof(nowhere.path), "%s/none/state", place.folder);
	assert_false(write_file(&nowhere, &source));
	assert_int_equal(mkdir(place.beside, 0700), 0);
	assert_false(write_file(&place, &source));
	assert_int_equal(rmdir(place.beside), 0);
	assert_false(is_there(place.path));
	source_free(&source);
	place_remove(&place);
}

static pid_t
start_writer(const struct place *place, const struct source *source)
{
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		while (write_file(place, source))
			;
		_exit(1);
	}
	return pid;
}

/* How long one write takes here and now, in nanoseconds. */
static long
write_time(const struct place *place, const struct source *source)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_true(write_file(place, source));
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(unlink(place->path), 0);
	return (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
}

/* 4. A writer killed at any moment leaves a state that is whole, or none. */
static void
test_killed(void **state)
{
	enum { KILLS = 50 };
	const struct place place = place_make();
	unsigned taken = 0, interrupted = 0;
	struct source source;

	(void)state;
	source_make(&source);
	srand(1);
	for (unsigned i = 0; i < KILLS; i++) {
		const long time = write_time(&place, &source);
		const struct timespec delay = {
				.tv_nsec = rand() % (time < 200000000 ? 4 * time : 800000000)};
		const pid_t pid = start_writer(&place, &source);
		struct state_file file;
		int status;

		nanosleep(&delay, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		interrupted += is_there(place.beside);
		const bool was_there = is_there(place.path);

		state_file_find(&file, place.path, &config);
		assert_int_equal(file.bytes != NULL, was_there);
		assert_false(is_there(place.beside));
		if (was_there) {
			assert_int_equal(file.size, FILE_BYTES);
			assert_true(state_file_claim(&file));
			taken++;
		}
		state_file_free(&file);
	}
	/* Else the kills hit nothing. */
	assert_true(taken > 0 && interrupted > 0);
	source_free(&source);
	place_remove(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_taken_once),
			cmocka_unit_test(test_refused),
			cmocka_unit_test(test_not_written),
			cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
