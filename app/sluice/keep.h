/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections over a restart: from stopped workers into the state file, and from the file that was
 * found into workers that don't run yet. Control thread only.
 */
#ifndef SLUICE_APP_KEEP_H
#define SLUICE_APP_KEEP_H

#include "control/registry.h"
#include "state_file.h"
#include "workers.h"

/** Writes what the stopped workers have to path. False, already said, when it can't. */
bool keep_save(const char *path, const struct workers *workers, const struct registry *registry);

/** Gives the built workers what the file has, if it has anything, and removes the file; says how it
 * went. Ends with state_file_free(). */
void keep_take(struct state_file *file, struct workers *workers);

#endif
