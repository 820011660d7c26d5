/* SPDX-License-Identifier: BSD-3-Clause */
/* Entries in journald's protocol, byte for byte; and a journald that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"

struct journald {
	char folder[32];
	char path[48];
	int fd;
};

static struct journald
journald_open(void)
{
	struct journald journald = {.folder = "/tmp/journal-XXXXXX"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_non_null(mkdtemp(journald.folder));
	strcpy(journald.path, journald.folder);
	strcat(journald.path, "/socket");
	strcpy(address.sun_path, journald.path);
	journald.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(journald.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return journald;
}

static void
journald_close(const struct journald *journald)
{
	close(journald->fd);
	unlink(journald->path);
	rmdir(journald->folder);
}

/* 1. Names in capitals; a value with a newline has its length before it. */
static void
test_bytes(void **state)
{
	static const char wanted[] = "MESSAGE=a=b\nSLUICE_EVENT=\nSLUICE_FIRST\n"
				     "\x03\0\0\0\0\0\0\0x\ny\nPRIORITY=5\n";
	const struct journald journald = journald_open();
	struct journal_entry entry = {0};
	const int fd = journal_open();
	char bytes[256];

	(void)state;
	journal_add(&entry, "", "message", "a=b");
	journal_add(&entry, "SLUICE_", "event", "");
	journal_add(&entry, "SLUICE_", "first", "x\ny");
	journal_add(&entry, "", "priority", "5");
	assert_true(journal_send(fd, journald.path, &entry));
	assert_int_equal(recv(journald.fd, bytes, sizeof(bytes), 0), sizeof(wanted) - 1);
	assert_memory_equal(bytes, wanted, sizeof(wanted) - 1);
	close(fd);
	journald_close(&journald);
}

/* 2. A journald that does not read costs entries and no time; one that reads again gets the next,
 * and so does one that comes in its place. Without one, nothing is sent. */
static void
test_never_waits(void **state)
{
	struct journald journald = journald_open();
	struct journal_entry entry = {0};
	const int fd = journal_open();
	unsigned sent = 0;
	char bytes[256];

	(void)state;
	alarm(5); /* what waits is killed */
	journal_add(&entry, "", "message", "text");
	while (sent < 100000 && journal_send(fd, journald.path, &entry))
		sent++;
	assert_in_range(sent, 1, 99999);
	assert_false(journal_send(fd, journald.path, &entry));
	assert_int_equal(recv(journald.fd, bytes, sizeof(bytes), 0), entry.used);
	assert_true(journal_send(fd, journald.path, &entry));
	journald_close(&journald);
	assert_false(journal_send(fd, journald.path, &entry));
	journald = journald_open();
	assert_true(journal_send(fd, journald.path, &entry));
	alarm(0);
	close(fd);
	journald_close(&journald);
}

/* 3. An entry that a field finds no room in is not sent without it; one that fills it is. */
static void
test_room(void **state)
{
	const struct journald journald = journald_open();
	struct journal_entry entry = {0};
	char value[JOURNAL_ENTRY_BYTES];
	const int fd = journal_open();

	(void)state;
	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 100] = '\0';
	journal_add(&entry, "", "message", value);
	assert_true(journal_send(fd, journald.path, &entry));
	value[100] = '\0';
	journal_add(&entry, "", "more", value);
	assert_true(entry.used <= sizeof(entry.bytes));
	assert_false(journal_send(fd, journald.path, &entry));
	close(fd);
	journald_close(&journald);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_bytes),
			cmocka_unit_test(test_never_waits),
			cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
