/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals as values: blocked in every thread, taken one by one by the control thread. No
 * signal handler runs, so none can interrupt a worker.
 */
#ifndef SLUICE_APP_SIGNALS_H
#define SLUICE_APP_SIGNALS_H

enum wish {
	WISH_NONE,   /**< the time passed, or a signal without a meaning yet */
	WISH_STOP,   /**< SIGTERM, SIGINT */
	WISH_REPORT, /**< SIGUSR1 */
};

/** Blocks the signals for this thread and all it starts. Call before any thread exists. */
void signals_block(void);

/** Waits for the next wish, at most timeout_ms. Control thread only. */
enum wish signals_wait(unsigned timeout_ms);

#endif
