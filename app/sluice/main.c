/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line, and what it asks for: an answer, a check of the file, a look at the machine,
 * or the appliance. */
#include <stdio.h>

#include "appliance.h"
#include "machine.h"
#include "options.h"

/* What it looks at is held against the file, if one is named. */
static enum exit_code
probe(const struct options *options)
{
	struct config *config = NULL;
	enum exit_code code;

	if (options->config_path != NULL) {
		config = options_config(options);
		if (config == NULL)
			return EXIT_CODE_INPUT;
	}
	code = machine_probe(options, config);
	config_free(config);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	const enum options_outcome outcome = options_parse(argc, argv, &options);
	struct config *config;

	if (outcome != OPTIONS_RUN)
		return outcome == OPTIONS_ANSWERED ? EXIT_CODE_OK : EXIT_CODE_INPUT;
	if (options.probe)
		return probe(&options);
	config = options_config(&options);
	if (config == NULL)
		return EXIT_CODE_INPUT;
	if (!options.check)
		return appliance_run(&options, config);
	printf("%s: ok, %u backends\n", options.config_path, config->backend_count);
	config_free(config);
	return EXIT_CODE_OK;
}
