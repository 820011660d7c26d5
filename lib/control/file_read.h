/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that an operator wrote, whole, into memory; within a bound, and without waiting unless
 * that is wanted. */
#ifndef SLUICE_CONTROL_FILE_READ_H
#define SLUICE_CONTROL_FILE_READ_H

#include <stdbool.h>
#include <stddef.h>

#define FILE_READ_PROBLEM_BYTES 128

/**
 * Returns the file's bytes, *length of them, at most most + 1: one more says that the file is
 * larger than that. To be freed. NULL with what is wrong in problem, in a few words; out of memory
 * stops the process. may_wait: anything that can be read, a pipe for example; otherwise a regular
 * file.
 */
char *file_read(const char *path, bool may_wait, size_t most, size_t *length,
		char problem[FILE_READ_PROBLEM_BYTES]);

#endif
