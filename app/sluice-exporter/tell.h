/* SPDX-License-Identifier: BSD-3-Clause */
/* The exporter's voice: whole lines on standard error, about its own start, and about the appliance
 * when that comes or goes. No caller can cause a line. */
#ifndef SLUICE_EXPORTER_TELL_H
#define SLUICE_EXPORTER_TELL_H

/** Exit statuses, the same as the appliance's. */
enum exit_code {
	EXIT_CODE_OK,
	EXIT_CODE_ENVIRONMENT, /**< the machine doesn't offer what the options ask for */
	EXIT_CODE_INPUT,       /**< wrong command line; nothing was started */
};

/** Writes "sluice-exporter: " and one line. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

#endif
