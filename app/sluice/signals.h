/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals as values: blocked in every thread, taken one by one by the control thread from a file
 * descriptor, beside the others that it waits for. No signal handler runs, so none can interrupt a
 * worker.
 */
#ifndef SLUICE_APP_SIGNALS_H
#define SLUICE_APP_SIGNALS_H

enum wish {
	WISH_NONE,    /**< no signal waits, or one without a meaning */
	WISH_STOP,    /**< SIGTERM, SIGINT */
	WISH_REPORT,  /**< SIGUSR1 */
	WISH_RELOAD,  /**< SIGHUP */
	WISH_UPGRADE, /**< SIGUSR2 */
};

/** Blocks the signals for this thread and all it starts. Call before any thread exists. */
void signals_block(void);

/** A descriptor that is readable while a signal waits; close() it. -1 when there is none to be had.
 */
int signals_open(void);

/** Takes the next signal; never waits. */
enum wish signals_take(int fd);

#endif
