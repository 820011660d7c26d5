/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the service manager is told (sd_notify(3), systemd.service(5)): that all ports run, that a
 * reload or the stop is under way, how things are, and that it is alive. Does nothing when no
 * manager asks by NOTIFY_SOCKET. Never waits for the manager: what that does not take is said again
 * by the next call. One thread only.
 */
#ifndef SLUICE_APP_NOTIFY_H
#define SLUICE_APP_NOTIFY_H

#include <stdint.h>

/** After the start, and after a reload: all ports run. status: a line for the operator. */
void notify_ready(const char *status);

/** Another status. */
void notify_status(const char *status);

/** A reload begins; notify_ready() ends it. */
void notify_reloading(void);

/** The stop begins. */
void notify_stopping(void);

/** The longest time, in milliseconds, from one notify_alive() to the next: half of what the
 * manager waits for it (WatchdogSec=). 0: it does not wait. */
uint64_t notify_alive_interval_ms(void);

/** Says again what the manager did not take, if anything; call it a few times a second. */
void notify_again(void);

/** Every worker makes progress, and so does this thread. Not said again. */
void notify_alive(void);

#endif
