/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries for journald in its native protocol, each one datagram of
 *
 *	NAME=value\n			a value without a newline
 *	NAME\n<64-bit length, little endian>value\n	any value
 *
 * Not libsystemd's sd_journal_sendv(): that waits for as long as journald does not read, and the
 * control thread must never wait. Control thread only.
 */
#ifndef SLUICE_APP_JOURNAL_H
#define SLUICE_APP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_PATH "/run/systemd/journal/socket"
#define JOURNAL_ENTRY_BYTES 8192

struct journal_entry {
	size_t used;
	bool is_cut; /**< a field found no room */
	char bytes[JOURNAL_ENTRY_BYTES];
};

/** A socket for journal_send(), or -1. It is its caller's, to close. */
int journal_open(void);

/** Appends a field to an entry that begins all zero. The name, prefix and name, gets capitals. */
void journal_add(struct journal_entry *entry, const char *prefix, const char *name,
		const char *value);

/** Sends it to the socket at that path. Never waits; false when it was not taken, with nothing sent
 * of it. */
bool journal_send(int fd, const char *path, const struct journal_entry *entry);

#endif
