/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL is not ended before the exec, since it could not be started again should that fail: the
 * kernel takes its memory, threads and descriptors with the old program. Descriptors that drivers
 * open are not marked for that, so all are marked at once; this changes nothing if exec fails.
 */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define CHECK_TIMEOUT_MS 10000
#define CHECK_PAUSE_MS 5
#define DESCRIPTORS_KEPT 3 /* standard input, output and error */

extern char **environ;

void
upgrade_init(struct upgrade *upgrade, char **argv)
{
	*upgrade = (struct upgrade){.argv = argv};
	CPU_ZERO(&upgrade->allowed);
	sched_getaffinity(0, sizeof(upgrade->allowed), &upgrade->allowed);
}

/* The arguments and one more, which the caller frees; NULL when out of memory. */
static char **
arguments_and(char **argv, char *last)
{
	unsigned count = 0;
	char **arguments;

	while (argv[count] != NULL)
		count++;
	arguments = calloc(count + 2, sizeof(*arguments));
	if (arguments == NULL)
		return NULL;
	memcpy(arguments, argv, count * sizeof(*arguments));
	arguments[count] = last;
	return arguments;
}

/* Starts the check; what it has to say goes to standard error. 0 or an errno. */
static int
check_start(char **argv, pid_t *pid)
{
	static char check[] = "--check";
	char **arguments = arguments_and(argv, check);
	posix_spawn_file_actions_t actions;
	int error;

	if (arguments == NULL)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, DESCRIPTORS_KEPT);
	error = posix_spawnp(pid, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(arguments);
	return error;
}

/* The process's exit status, or -1 when it was ended by a signal, ours after too long a time. */
static int
check_wait(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = CHECK_PAUSE_MS * 1000000};
	unsigned waited_ms = 0;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (waited_ms >= CHECK_TIMEOUT_MS)
			kill(pid, SIGKILL);
		nanosleep(&pause, NULL);
		waited_ms += CHECK_PAUSE_MS;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
upgrade_check(const struct upgrade *upgrade)
{
	pid_t pid;
	const int error = check_start(upgrade->argv, &pid);

	if (error != 0) {
		say("SIGUSR2: %s does not start: %s; nothing has changed", upgrade->argv[0],
				strerror(error));
		return false;
	}
	if (check_wait(pid) == 0)
		return true;
	say("SIGUSR2: %s --check refuses its arguments or configuration; nothing has changed",
			upgrade->argv[0]);
	return false;
}

void
upgrade_exec(const struct upgrade *upgrade)
{
	cpu_set_t bound;
	int error;

	CPU_ZERO(&bound);
	sched_getaffinity(0, sizeof(bound), &bound);
	sched_setaffinity(0, sizeof(upgrade->allowed), &upgrade->allowed);
	if (close_range(DESCRIPTORS_KEPT, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		execvp(upgrade->argv[0], upgrade->argv);
	error = errno;
	sched_setaffinity(0, sizeof(bound), &bound);
	say("SIGUSR2: %s can't be started: %s; going on as before", upgrade->argv[0],
			strerror(error));
}
