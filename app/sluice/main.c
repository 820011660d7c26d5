/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line, and what it asks for: an answer, a check of the file, or the appliance. */
#include <stdio.h>

#include "appliance.h"
#include "options.h"

int
main(int argc, char **argv)
{
	struct options options;
	const enum options_outcome outcome = options_parse(argc, argv, &options);
	struct config *config;

	if (outcome != OPTIONS_RUN)
		return outcome == OPTIONS_ANSWERED ? EXIT_CODE_OK : EXIT_CODE_INPUT;
	config = options_config(&options);
	if (config == NULL)
		return EXIT_CODE_INPUT;
	if (!options.check)
		return appliance_run(&options, config);
	printf("%s: ok, %u backends\n", options.config_path, config->backend_count);
	config_free(config);
	return EXIT_CODE_OK;
}
