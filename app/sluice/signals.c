/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGPIPE is ignored, not blocked: a reader that went away is seen as a failed write. */
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

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

enum wish
signals_wait(unsigned timeout_ms)
{
	const struct timespec timeout = {
			.tv_sec = timeout_ms / 1000,
			.tv_nsec = (long)(timeout_ms % 1000) * 1000000,
	};
	sigset_t set;

	signals_set(&set);
	switch (sigtimedwait(&set, NULL, &timeout)) {
	case SIGTERM:
	case SIGINT:
		return WISH_STOP;
	case SIGUSR1:
		return WISH_REPORT;
	default:
		return WISH_NONE;
	}
}
