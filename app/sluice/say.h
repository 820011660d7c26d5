/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program's voice to its operator: whole lines on standard error, and how it ends. No packet and
 * no caller can cause a line; only start, stop and the one thread that controls the rest speak.
 */
#ifndef SLUICE_APP_SAY_H
#define SLUICE_APP_SAY_H

/** Exit statuses, an interface to scripts and service managers. */
enum exit_code {
	EXIT_CODE_OK,
	EXIT_CODE_ENVIRONMENT, /**< the machine doesn't offer what the configuration asks for */
	EXIT_CODE_INPUT,       /**< wrong command line or configuration; nothing was started */
};

/** Who speaks; "sluice" unless this is called first. The name lives as long as the process. */
void say_as(const char *name);

/** Writes who speaks and one line. Waits for a reader some 20 ms at most; then the line is lost,
 * and the next one that is written says so. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
