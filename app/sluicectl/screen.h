/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The terminal as a full screen that is drawn again and again, and given back as it was found,
 * however the drawing ends: signals are read from a descriptor here, not delivered.
 */
#ifndef SLUICECTL_SCREEN_H
#define SLUICECTL_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct screen {
	bool is_full;	/**< a terminal is taken; else nothing here touches it */
	int signals;	/**< readable when one came; -1 when not full */
	int keys;	/**< where keys come from; -1: nowhere */
	int end_signal; /**< the signal that wishes an end; 0: none */
	bool has_modes;
	struct termios modes; /**< of before */
	sigset_t mask;	      /**< of before */
};

enum screen_event {
	SCREEN_TIME,   /**< the time has come */
	SCREEN_REDRAW, /**< size or foreground changed */
	SCREEN_END,    /**< somebody wishes an end */
};

/** Takes the terminal if wanted and if standard output is one. */
void screen_open(struct screen *screen, bool wanted);

/** Gives it back; then lets the signal that ended it do what it does. */
void screen_close(struct screen *screen);

/** Waits until the time of CLOCK_MONOTONIC, or for a key or signal that matters. */
enum screen_event screen_wait(struct screen *screen, int64_t until_ms);

/** Lines and columns now. */
void screen_size(unsigned *lines, unsigned *columns);

/** Shows text, whole lines, in place of what was there; what doesn't fit is cut. */
void screen_draw(const char *text, size_t length);

/** CLOCK_MONOTONIC in milliseconds. */
int64_t screen_now_ms(void);

#endif
