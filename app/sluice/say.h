/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The appliance's voice to its operator: whole lines on standard error, and how it ends. No
 * packet can cause a line; only start, stop and the control thread speak.
 */
#ifndef SLUICE_APP_SAY_H
#define SLUICE_APP_SAY_H

/** Exit statuses, an interface to scripts and service managers. */
enum exit_code {
	EXIT_CODE_OK,
	EXIT_CODE_ENVIRONMENT, /**< the machine doesn't offer what the configuration asks for */
	EXIT_CODE_INPUT,       /**< wrong command line or configuration; nothing was started */
};

/** Writes "sluice: " and one line. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
