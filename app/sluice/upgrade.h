/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process replaced by its program's file as it is now, with the same arguments and the same
 * process number. Control thread only.
 */
#ifndef SLUICE_APP_UPGRADE_H
#define SLUICE_APP_UPGRADE_H

#include <sched.h>
#include <stdbool.h>

struct upgrade {
	char **argv;	   /**< as main() got it */
	cpu_set_t allowed; /**< CPUs, before EAL bound this thread to one */
};

/** Remembers what the next process needs of this one. Before EAL's start. */
void upgrade_init(struct upgrade *upgrade, char **argv);

/** Has the file try its arguments with --check, in a process of its own. False, already said, when
 * it refuses them, or takes longer than ten seconds. Nothing has changed in either case. */
bool upgrade_check(const struct upgrade *upgrade);

/** Becomes the new program; returns only when that can't be, already said, and nothing but the
 * ports has to be opened again. No worker runs, the ports are closed. */
void upgrade_exec(const struct upgrade *upgrade);

#endif
