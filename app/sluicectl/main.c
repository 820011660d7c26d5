/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl, the operator's command line: asks the appliance over its control socket, and shows
 * what it says. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "command.h"
#include "help.h"
#include "session.h"

static enum status
session_run(struct session *session)
{
	const struct options *options = session->options;

	if (options_has(options, OPTION_VERSION)) {
		puts("sluicectl " SLUICE_VERSION);
		return STATUS_OK;
	}
	if (options_has(options, OPTION_HELP)) {
		help_print(options->command);
		return STATUS_OK;
	}
	if (options->command == NULL)
		return session_fail(session, STATUS_USAGE, NULL,
				"a command is missing; try: sluicectl --help");
	return options->command->run(session);
}

int
main(int argc, char **argv)
{
	struct options options;
	struct session session = {.options = &options};
	enum status status;

	/* Whoever reads us may have enough: then we end without a word, also if our parent ignores
	 * the signal. */
	signal(SIGPIPE, SIG_DFL);
	if (options_parse(&options, argc, argv)) {
		connection_init(&session.connection, options_socket(&options),
				options_timeout_ms(&options));
		status = session_run(&session);
		connection_close(&session.connection);
	} else {
		status = session_fail(&session, STATUS_USAGE, NULL, "%s", options.problem);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
		fprintf(stderr, "sluicectl: cannot write: %s\n", strerror(errno));
		if (status == STATUS_OK)
			status = STATUS_REFUSED;
	}
	options_fini(&options);
	return (int)status;
}
