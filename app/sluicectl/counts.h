/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netstat --diff remembers from one call to the next: one small file per user and socket, in
 * $XDG_RUNTIME_DIR or else /tmp, mode 0600. In /tmp others may have put something in its place:
 * only a plain file of our own is ever read, and a new one never written through a link.
 */
#ifndef SLUICECTL_COUNTS_H
#define SLUICECTL_COUNTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define COUNTS_PATH_BYTES 512
#define COUNTS_BYTES_MAX (64U << 20) /**< of the file */

/** The file's path for the socket's. False when it would be too long. */
bool counts_path(char path[COUNTS_PATH_BYTES], const char *socket);

/** Reads what was written there. A new reference; NULL without a problem when there is nothing yet,
 * or with one when what is there can't be trusted. */
json_t *counts_read(const char *path, char *problem, size_t size);

/** Writes it whole or, with a problem, leaves what was there. */
bool counts_write(const char *path, const json_t *counts, char *problem, size_t size);

#endif
