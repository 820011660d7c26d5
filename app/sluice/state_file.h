/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file in which a restart's state waits for the next process. It is whole or not there: written
 * beside its name, flushed, then renamed; and it is taken at most once, since connections that have
 * moved on since must not come back. Control thread only.
 */
#ifndef SLUICE_APP_STATE_FILE_H
#define SLUICE_APP_STATE_FILE_H

#include "control/config.h"
#include "proxy/state.h"

/** What was found at the start. */
struct state_file {
	const char *path;	 /**< NULL: no state is kept */
	uint8_t *bytes;		 /**< owned; NULL: there is no state to take */
	size_t size;		 /**< of bytes */
	struct state state;	 /**< of bytes */
	struct snapshot *before; /**< state_describe()d; owned */
};

/** Now, and the place that a configuration's ports are. */
struct state_here state_file_here(const struct config *config);

/** Looks for a state at path (borrowed; NULL: nowhere). One that can't be taken is left where it
 * is, and why is said. Call state_file_free() some time after. */
void state_file_find(struct state_file *file, const char *path, const struct config *config);

/** Removes the file that was found, so that nobody takes it again; false when it can't be
 * removed and must not be taken, already said. */
bool state_file_claim(struct state_file *file);

/** Writes the workers' state to path, all or nothing, with mode 0600. False, already said, when it
 * can't. */
bool state_file_write(const char *path, const struct state_source *source, ticks_t now);

/** Forgets what was found, and leaves no secret behind. */
void state_file_free(struct state_file *file);

#endif
