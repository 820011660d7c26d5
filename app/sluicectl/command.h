/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands as one table: what each is called, what it takes, what its help says, and the
 * function that carries it out. Names are one or two words; of "ss established" and "ss" the longer
 * one that fits is meant.
 */
#ifndef SLUICECTL_COMMAND_H
#define SLUICECTL_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "session.h"
#include "status.h"

/** What stands at the place of an argument, for the shell's completion. */
enum command_argument {
	ARGUMENT_OTHER,
	ARGUMENT_BACKEND,
	ARGUMENT_KEY, /**< of a backend's configuration */
	ARGUMENT_FILE,
	ARGUMENT_COMMAND,
};

#define COMMAND_ARGUMENTS_MAX 3

struct command {
	const char *name;
	const char *arguments; /**< for the usage line; "" for none */
	const char *summary;   /**< one line */
	const char *text;      /**< what else help says; ends with a newline */
	const char *examples;  /**< whole lines */
	uint32_t options;      /**< OPTION_BITs beside the global ones */
	unsigned arguments_min, arguments_max;
	enum command_argument kinds[COMMAND_ARGUMENTS_MAX];
	enum status (*run)(struct session *session);
};

/** The table, in the order of help. */
const struct command *commands(size_t *count);

/** The command that the first words name, and in used how many they are; NULL for none. */
const struct command *command_find(const char *const *words, unsigned count, unsigned *used);

/** The name nearest to the first word, or the first two; NULL when none is near. */
const char *command_nearest(const char *const *words, unsigned count);

/* The functions of the table, by the file that has them. */
enum status listing_run(struct session *session);	      /* listing.c */
enum status rows_syn_recv_run(struct session *session);	      /* rows.c */
enum status rows_established_run(struct session *session);    /* rows.c */
enum status rows_profile_run(struct session *session);	      /* rows.c */
enum status netstat_run(struct session *session);	      /* netstat.c */
enum status watch_run(struct session *session);		      /* watch.c */
enum status explain_run(struct session *session);	      /* explain.c */
enum status doctor_run(struct session *session);	      /* explain.c */
enum status change_set_run(struct session *session);	      /* change.c */
enum status change_reload_run(struct session *session);	      /* change.c */
enum status change_check_run(struct session *session);	      /* change.c */
enum status change_flush_run(struct session *session);	      /* change.c */
enum status appliance_stats_run(struct session *session);     /* appliance.c */
enum status appliance_ping_run(struct session *session);      /* appliance.c */
enum status appliance_lists_run(struct session *session);     /* appliance.c */
enum status completion_bash_run(struct session *session);     /* completion.c */
enum status completion_backends_run(struct session *session); /* completion.c */
enum status help_run(struct session *session);		      /* help.c */

#endif
