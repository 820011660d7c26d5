/* SPDX-License-Identifier: BSD-3-Clause */
/* What can't be told is not said: the manager's own log has it. */
#include "notify.h"

#include <time.h>

#include <systemd/sd-daemon.h>

void
notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			(unsigned long long)now.tv_sec * 1000000 +
					(unsigned long long)now.tv_nsec / 1000);
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

uint64_t
notify_alive_interval_ms(void)
{
	uint64_t timeout_us = 0;

	if (sd_watchdog_enabled(0, &timeout_us) <= 0)
		return 0;
	return timeout_us >= 2000 ? timeout_us / 2000 : 1;
}

void
notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
