/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing here knows a command or an option by name. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#define OPTION_COLUMN 26
#define COMMAND_COLUMN 21

static void
option_print(const struct option_spec *spec)
{
	char left[64];
	int length;

	if (spec->letter != 0)
		length = snprintf(left, sizeof(left), "  -%c, --%s", spec->letter, spec->name);
	else
		length = snprintf(left, sizeof(left), "      --%s", spec->name);
	if (spec->argument != NULL)
		snprintf(left + length, sizeof(left) - (size_t)length, " %s", spec->argument);
	if (strlen(left) >= OPTION_COLUMN)
		printf("%s\n%*s%s\n", left, OPTION_COLUMN, "", spec->text);
	else
		printf("%-*s%s\n", OPTION_COLUMN, left, spec->text);
}

static void
options_print(const char *title, uint32_t options)
{
	if (options == 0)
		return;
	printf("\n%s:\n", title);
	for (unsigned i = 0; i < OPTION_TOTAL; i++) {
		if ((options & OPTION_BIT(i)) != 0)
			option_print(&option_specs()[i]);
	}
}

static void
overview_print(void)
{
	size_t count;
	const struct command *table = commands(&count);

	puts("usage: sluicectl [OPTION...] COMMAND [ARGUMENT...]\n\n"
	     "Asks and changes a running sluice over its control socket.\n\n"
	     "Commands; each has more to say: sluicectl help COMMAND");
	for (size_t i = 0; i < count; i++)
		printf("  %-*s%s\n", COMMAND_COLUMN, table[i].name, table[i].summary);
	options_print("Options, before or behind the command", OPTIONS_GLOBAL);
	puts("\nExit status: 0 well; 1 the appliance can't be reached, or refused; 2 wrong usage, "
	     "or a\n"
	     "wrong file; 3 doctor found something. NO_COLOR switches colours off.\n\n"
	     "Examples:\n"
	     "  sluicectl ss\n"
	     "  sluicectl doctor\n"
	     "  sluicectl --json netstat | jq .total.ListenOverflows");
}

void
help_print(const struct command *command)
{
	if (command == NULL) {
		overview_print();
		return;
	}
	printf("usage: sluicectl [OPTION...] %s%s%s\n\n%s\n", command->name,
			command->arguments[0] != '\0' ? " " : "", command->arguments,
			command->text);
	printf("Examples:\n%s", command->examples);
	options_print("Options", command->options);
	options_print("Options of every command", OPTIONS_GLOBAL);
}

enum status
help_run(struct session *session)
{
	const struct options *options = session->options;
	const struct command *command;
	const char *nearest;
	unsigned used;

	command = command_find(options->arguments, options->count, &used);
	if (options->count == used) {
		help_print(command);
		return STATUS_OK;
	}
	nearest = command_nearest(options->arguments, options->count);
	return session_fail(session, STATUS_USAGE, NULL, "unknown command \"%s\"%s%s%s",
			options->arguments[used], nearest != NULL ? "; did you mean \"" : "",
			nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}
