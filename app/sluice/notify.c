/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sd_notify(3) waits for a manager that does not read; this must not. So the datagram is sent here,
 * and of what the manager did not take the newest state and status are kept and said again. They
 * are the process's, as its manager is.
 */
#include "notify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#define STATE_BYTES 96
#define STATUS_BYTES 512

/* What is still to be said: lines with their ends, or nothing. */
static char owed_state[STATE_BYTES];
static char owed_status[STATUS_BYTES];

/* Its length; 0: nobody is to be told, or nowhere that can be. A name that begins with '@' is one
 * of the abstract ones. */
static socklen_t
manager_address(struct sockaddr_un *address)
{
	const char *name = getenv("NOTIFY_SOCKET");
	const size_t length = name != NULL ? strlen(name) : 0;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length < 2 || length >= sizeof(address->sun_path) || strchr("/@", name[0]) == NULL)
		return 0;
	memcpy(address->sun_path, name, length);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* False when it might be taken later. */
static bool
send_now(const char *text)
{
	struct sockaddr_un address;
	const socklen_t length = manager_address(&address);
	bool is_taken;
	int fd;

	if (length == 0)
		return true;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is_taken = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address,
				   length) >= 0;
	close(fd);
	return is_taken;
}

void
notify_again(void)
{
	char text[STATE_BYTES + STATUS_BYTES];

	if (owed_state[0] == '\0' && owed_status[0] == '\0')
		return;
	snprintf(text, sizeof(text), "%s%s", owed_state, owed_status);
	if (send_now(text))
		owed_state[0] = owed_status[0] = '\0';
}

/* A newer state takes the place of one that nobody heard. */
static void
state_say(const char *state, const char *status)
{
	if (state != NULL)
		snprintf(owed_state, sizeof(owed_state), "%s\n", state);
	if (status != NULL)
		snprintf(owed_status, sizeof(owed_status), "STATUS=%s\n", status);
	notify_again();
}

void
notify_ready(const char *status)
{
	state_say("READY=1", status);
}

void
notify_status(const char *status)
{
	state_say(NULL, status);
}

void
notify_reloading(void)
{
	struct timespec now;
	char state[STATE_BYTES - 1];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
			(unsigned long long)now.tv_sec * 1000000 +
					(unsigned long long)now.tv_nsec / 1000);
	state_say(state, NULL);
}

void
notify_stopping(void)
{
	state_say("STOPPING=1", "stopping");
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
	send_now("WATCHDOG=1\n");
}
