/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol: systemd's "Native Journal Protocol". The socket is not connected, so that a
 * journald that was restarted gets the next entry. */
#include "journal.h"

#include <ctype.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int
journal_open(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void
append(struct journal_entry *entry, const void *bytes, size_t size)
{
	memcpy(entry->bytes + entry->used, bytes, size);
	entry->used += size;
}

static void
append_upper(struct journal_entry *entry, const char *text)
{
	for (; *text != '\0'; text++)
		entry->bytes[entry->used++] = (char)toupper((unsigned char)*text);
}

void
journal_add(struct journal_entry *entry, const char *prefix, const char *name, const char *value)
{
	const size_t length = strlen(value);
	const uint64_t length_le = htole64(length);
	const size_t most = strlen(prefix) + strlen(name) + sizeof(length_le) + length +
			    sizeof("\n\n") - 1;

	if (most > sizeof(entry->bytes) - entry->used) {
		entry->is_cut = true;
		return;
	}
	append_upper(entry, prefix);
	append_upper(entry, name);
	if (memchr(value, '\n', length) == NULL) {
		append(entry, "=", 1);
	} else {
		append(entry, "\n", 1);
		append(entry, &length_le, sizeof(length_le));
	}
	append(entry, value, length);
	append(entry, "\n", 1);
}

bool
journal_send(int fd, const char *path, const struct journal_entry *entry)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (entry->is_cut || strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	return sendto(fd, entry->bytes, entry->used, MSG_DONTWAIT | MSG_NOSIGNAL,
			       (const struct sockaddr *)&address,
			       sizeof(address)) == (ssize_t)entry->used;
}
