/* SPDX-License-Identifier: BSD-3-Clause */
/* What a service manager hears, word for word; and one that does not listen for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"

struct manager {
	char name[64]; /* as in NOTIFY_SOCKET */
	int fd;
};

/* kind is '/' for a socket in a file system, '@' for an abstract one. */
static struct manager
manager_open(char kind)
{
	struct manager manager;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;

	snprintf(manager.name, sizeof(manager.name), "%s-%d",
			kind == '@' ? "@test_notify" : "/tmp/test_notify", getpid());
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(manager.name));
	strcpy(address.sun_path, manager.name);
	if (kind == '@')
		address.sun_path[0] = '\0';
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager.fd, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", manager.name, 1);
	return manager;
}

static void
manager_close(const struct manager *manager)
{
	close(manager->fd);
	unlink(manager->name);
	unsetenv("NOTIFY_SOCKET");
}

static void
assert_hears(const struct manager *manager, const char *wanted)
{
	char text[1024];
	const ssize_t length = recv(manager->fd, text, sizeof(text) - 1, 0);

	assert_true(length > 0);
	text[length] = '\0';
	assert_string_equal(text, wanted);
}

static void
assert_silence(const struct manager *manager)
{
	char byte;

	assert_int_equal(recv(manager->fd, &byte, 1, 0), -1);
}

/* Keep-alives until no more find room; how many did. */
static unsigned
manager_fill(const struct manager *manager)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	unsigned count = 0;

	strcpy(address.sun_path, manager->name);
	while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1)
		count++;
	close(fd);
	return count;
}

static void
manager_empty(const struct manager *manager, unsigned count)
{
	while (count-- > 0)
		assert_hears(manager, "x");
	assert_silence(manager);
}

/* 1. Each message as in sd_notify(3), once. */
static void
test_words(void **state)
{
	(void)state;
	for (const char *kind = "/@"; *kind != '\0'; kind++) {
		const struct manager manager = manager_open(*kind);
		unsigned long long at_us;
		char text[128];

		notify_ready("two workers");
		assert_hears(&manager, "READY=1\nSTATUS=two workers\n");
		notify_status("one worker");
		assert_hears(&manager, "STATUS=one worker\n");
		notify_alive();
		assert_hears(&manager, "WATCHDOG=1\n");
		notify_reloading();
		text[recv(manager.fd, text, sizeof(text) - 1, 0)] = '\0';
		assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu\n", &at_us), 1);
		notify_stopping();
		assert_hears(&manager, "STOPPING=1\nSTATUS=stopping\n");
		notify_again();
		assert_silence(&manager);
		manager_close(&manager);
	}
}

/* 2. A manager that does not read costs no time. When it reads again, it hears the newest state and
 * status, once; keep-alives that it missed are over. */
static void
test_never_waits(void **state)
{
	const struct manager manager = manager_open('/');
	unsigned count;

	(void)state;
	alarm(5); /* what waits is killed */
	count = manager_fill(&manager);
	assert_true(count > 0);
	notify_reloading();
	notify_ready("first");
	notify_alive();
	notify_status("second");
	notify_again();
	manager_empty(&manager, count);
	notify_again();
	assert_hears(&manager, "READY=1\nSTATUS=second\n");
	notify_again();
	assert_silence(&manager);

	/* The next message takes along what was not heard. */
	count = manager_fill(&manager);
	notify_ready("third");
	manager_empty(&manager, count);
	notify_status("fourth");
	assert_hears(&manager, "READY=1\nSTATUS=fourth\n");
	alarm(0);
	manager_close(&manager);
}

/* 3. A manager that is restarted hears the state from its next socket; without one, or with a name
 * that none can have, nothing is sent. */
static void
test_no_manager(void **state)
{
	struct manager manager = manager_open('/');
	char name[300];

	(void)state;
	close(manager.fd);
	unlink(manager.name);
	notify_ready("early");
	manager = manager_open('/');
	notify_again();
	assert_hears(&manager, "READY=1\nSTATUS=early\n");
	manager_close(&manager);

	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	notify_status("nobody");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_status("nobody");
	unsetenv("NOTIFY_SOCKET");
	notify_ready("nobody");
	manager = manager_open('/');
	notify_again();
	assert_silence(&manager);
	manager_close(&manager);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_words),
			cmocka_unit_test(test_never_waits),
			cmocka_unit_test(test_no_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
