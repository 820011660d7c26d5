/* SPDX-License-Identifier: BSD-3-Clause */
/* getopt_long, with one line per thing that is wrong. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "say.h"

static const char usage[] =
		"usage: sluice --config FILE [--keep-state STATE] [--kernel NAME] [--check]\n"
		"       sluice --probe [--config FILE] [--json]\n"
		"\n"
		"Inline SYN proxy between two ports: proves clients before their backend sees "
		"them.\n"
		"\n"
		"  -c, --config FILE  JSON configuration, described in config/README.md\n"
		"      --keep-state STATE  a stop writes connections to this file, and a start "
		"takes them up\n"
		"                     from it, once\n"
		"      --kernel NAME  instructions for hot loops: scalar, avx2 or avx512; the "
		"widest "
		"this CPU\n"
		"                     has, without\n"
		"      --check        validate FILE and end; nothing is started\n"
		"      --probe        look at this machine, for FILE or for any: what will and "
		"won't work,\n"
		"                     and what cures it; nothing is started\n"
		"      --json         print that as one line of JSON\n"
		"  -h, --help         this text\n"
		"      --version      the version\n"
		"\n"
		"SIGHUP reads FILE again; with any error in it nothing changes.\n"
		"SIGUSR1 prints all counters as one line of JSON on standard output; so does the "
		"end.\n"
		"SIGUSR2 replaces it by its program's file as it is now; with --keep-state "
		"connections live on.\n"
		"SIGTERM and SIGINT stop it.\n"
		"Exit status: 0 well, 1 the machine lacks what FILE asks for or --probe needs, 2 "
		"wrong usage or "
		"FILE.\n";

enum {
	OPTION_CONFIG = 'c',
	OPTION_HELP = 'h',
	OPTION_CHECK = 256,
	OPTION_VERSION,
	OPTION_KEEP_STATE,
	OPTION_KERNEL,
	OPTION_PROBE,
	OPTION_JSON
};

static const struct option known[] = {
		{"config", required_argument, NULL, OPTION_CONFIG},
		{"keep-state", required_argument, NULL, OPTION_KEEP_STATE},
		{"kernel", required_argument, NULL, OPTION_KERNEL},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"probe", no_argument, NULL, OPTION_PROBE},
		{"json", no_argument, NULL, OPTION_JSON},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{0},
};

static bool
kernel_parse(const char *name, enum kernel *kernel)
{
	*kernel = kernel_from_name(name);
	if (*kernel == KERNEL_COUNT)
		say("--kernel %s is unknown; try: sluice --help", name);
	else if (!kernel_is_supported(*kernel))
		say("--kernel %s is not for this CPU; its best is %s", name,
				kernel_name(kernel_best()));
	else
		return true;
	return false;
}

enum options_outcome
options_parse(int argc, char **argv, struct options *options)
{
	int option;

	*options = (struct options){.argv = argv, .kernel = kernel_best()};
	while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			options->config_path = optarg;
			break;
		case OPTION_KEEP_STATE:
			options->keep_state = optarg;
			break;
		case OPTION_KERNEL:
			if (!kernel_parse(optarg, &options->kernel))
				return OPTIONS_BAD;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case OPTION_PROBE:
			options->probe = true;
			break;
		case OPTION_JSON:
			options->as_json = true;
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			return OPTIONS_ANSWERED;
		case OPTION_VERSION:
			puts("sluice " SLUICE_VERSION);
			return OPTIONS_ANSWERED;
		default: /* getopt_long has said what is wrong */
			fputs("try: sluice --help\n", stderr);
			return OPTIONS_BAD;
		}
	}
	if (optind < argc) {
		say("unexpected argument \"%s\"; try: sluice --help", argv[optind]);
		return OPTIONS_BAD;
	}
	if (options->as_json && !options->probe) {
		say("--json is for --probe; try: sluice --help");
		return OPTIONS_BAD;
	}
	if (options->config_path == NULL && !options->probe) {
		say("--config FILE is missing; try: sluice --help");
		return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}

struct config *
options_config(const struct options *options)
{
	struct config_errors errors;
	struct config *config = config_load(options->config_path, &errors);

	for (unsigned i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_free(&errors);
	return config;
}
