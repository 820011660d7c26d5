/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line taken apart: options, which may stand anywhere, the command, and what is left
 * for it. Every option of every command is one row of a table, by which help and completion go too.
 */
#ifndef SLUICECTL_OPTIONS_H
#define SLUICECTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
	/* Global: every command takes these. */
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_TIMEOUT,
	OPTION_HELP,
	OPTION_VERSION,
	/* Of some commands. */
	OPTION_BACKEND,
	OPTION_CLIENT,
	OPTION_STATE,
	OPTION_LIMIT,
	OPTION_DIFF,
	OPTION_EXPLAIN,
	OPTION_ZEROS,
	OPTION_INTERVAL,
	OPTION_BLOCKS,
	OPTION_DRAIN_DEADLINE,
	OPTION_VLAN,
	OPTION_YES,
	OPTION_TOTAL
};

#define OPTION_BIT(option) (UINT32_C(1) << (option))
#define OPTIONS_GLOBAL (OPTION_BIT(OPTION_VERSION + 1) - 1)

enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_INTEGER,
	OPTION_SECONDS, /**< with decimals */
};

struct option_spec {
	const char *name; /**< without the dashes */
	char letter;	  /**< short form, or 0 */
	enum option_kind kind;
	const char *argument; /**< its name in help; NULL for a flag */
	double min, max;      /**< of numbers */
	const char *text;     /**< one line of help */
};

struct command;

struct options {
	const struct command *command;	  /**< NULL: none was named */
	const char *values[OPTION_TOTAL]; /**< as written, borrowed; "" for a flag; NULL: not given
					   */
	double numbers[OPTION_TOTAL];	  /**< of options with a number */
	unsigned count;
	const char **arguments; /**< what is left for the command, count of them */
	const char **words;	/**< all that are no options; owned */
	char problem[512];	/**< what is wrong with the command line */
};

/** The table, indexed by enum option_id. */
const struct option_spec *option_specs(void);

/** Takes the command line apart. False with a problem; options_fini() in either case. values of
 * OPTION_JSON and OPTION_HELP are right even then, as far as they could be read. */
bool options_parse(struct options *options, int argc, char **argv);

void options_fini(struct options *options);

/** The socket's path: the option's, the environment's, or where the appliance has it. */
const char *options_socket(const struct options *options);

/** How long to wait for the appliance, milliseconds. */
unsigned options_timeout_ms(const struct options *options);

static inline bool
options_has(const struct options *options, enum option_id option)
{
	return options->values[option] != NULL;
}

#endif
