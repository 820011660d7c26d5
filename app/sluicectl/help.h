/* SPDX-License-Identifier: BSD-3-Clause */
/* What --help prints, made from the tables of commands and options. */
#ifndef SLUICECTL_HELP_H
#define SLUICECTL_HELP_H

#include "command.h"

/** Help of one command, or of all in short when it is NULL. */
void help_print(const struct command *command);

#endif
