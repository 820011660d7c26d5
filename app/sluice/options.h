/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: what to do, and with which file. */
#ifndef SLUICE_APP_OPTIONS_H
#define SLUICE_APP_OPTIONS_H

#include <stdbool.h>

#include "base/kernel.h"
#include "control/config.h"

struct options {
	const char *config_path; /**< borrowed from argv; NULL only with probe */
	const char *keep_state; /**< NULL, or where connections wait for the next start; the same */
	char **argv;		/**< as main() got it */
	enum kernel kernel;	/**< for hot loops; supported */
	bool check;		/**< validate the file and end */
	bool probe;		/**< look at the machine and end */
	bool as_json;		/**< what probe finds */
};

enum options_outcome {
	OPTIONS_RUN,	  /**< options are filled */
	OPTIONS_ANSWERED, /**< --help or --version was printed; end well */
	OPTIONS_BAD,	  /**< wrong usage, already said; end with EXIT_CODE_INPUT */
};

/** Reads the command line. */
enum options_outcome options_parse(int argc, char **argv, struct options *options);

/** The configuration of the file named; NULL when it is wrong, every error said. The caller's:
 * config_free() it. */
struct config *options_config(const struct options *options);

#endif
