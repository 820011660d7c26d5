/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGPIPE is ignored, not blocked: a reader that went away is seen as a failed write. */
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGHUP);
}

void
signals_block(void)
{
	sigset_t set;

	signals_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int
signals_open(void)
{
	sigset_t set;

	signals_set(&set);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum wish
signals_take(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return WISH_NONE;
	switch (info.ssi_signo) {
	case SIGTERM:
	case SIGINT:
		return WISH_STOP;
	case SIGUSR1:
		return WISH_REPORT;
	case SIGHUP:
		return WISH_RELOAD;
	case SIGUSR2:
		return WISH_UPGRADE;
	default:
		return WISH_NONE;
	}
}
