/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket with peers as they are: polite, slow, silent, greedy, gone. The server is the
 * appliance's own file, which needs nothing of DPDK.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../app/sluice/control_socket.h"
#include "../../app/sluice/say.h"
#include "registry_world.h"

#include "../../app/sluice/control_socket.c"

#define PING "{\"command\": \"ping\"}\n"

static char said[512];

void
say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
}

struct place {
	char folder[64];
	char path[96];
	struct registry_world *world;
	struct command_env env;
	struct control_socket *server;
	uint64_t ms;
};

static struct place *
place_new(void)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->folder, "/tmp/test_control_socket_XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/new/control.sock", place->folder);
	place->world = registry_world_new(WEB, NULL);
	place->env = (struct command_env){.registry = &place->world->registry,
			.history = history_new(&place->world->registry)};
	place->ms = 1000000;
	said[0] = '\0';
	place->server = control_socket_open(place->path, &place->env);
	if (place->server == NULL)
		fail_msg("%s", said);
	return place;
}

static void
place_free(struct place *place)
{
	char folder[80];

	control_socket_close(place->server);
	assert_int_equal(access(place->path, F_OK), -1);
	snprintf(folder, sizeof(folder), "%s/new", place->folder);
	rmdir(folder);
	assert_int_equal(rmdir(place->folder), 0);
	history_free(place->env.history);
	registry_world_free(place->world);
	free(place);
}

/* Serves as the control thread does, until nothing is ready; returns how often it woke up. */
static unsigned
serve(struct place *place)
{
	struct pollfd fds[CONTROL_SOCKET_FDS];

	for (unsigned wakes = 0;; wakes++) {
		unsigned count = control_socket_fds(place->server, fds);

		if (poll(fds, count, 0) <= 0) {
			control_socket_serve(
					place->server, fds, count, place->world->now, place->ms);
			return wakes;
		}
		control_socket_serve(place->server, fds, count, place->world->now, place->ms);
		assert_true(wakes < 10000);
	}
}

static int
dial(const struct place *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, place->path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that has come; "" for nothing, NULL once the server has hung up and all is read. */
static const char *
get(int fd, char *text, size_t size)
{
	ssize_t n, length = 0;

	while ((n = recv(fd, text + length, size - 1 - (size_t)length, MSG_DONTWAIT)) > 0)
		length += n;
	text[length] = '\0';
	return n == 0 || (n < 0 && errno == ECONNRESET) ? length > 0 ? text : NULL : text;
}

static unsigned
count_lines(const char *text)
{
	unsigned lines = 0;

	for (; text != NULL && *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

/* 1. Mode, folder, a request and its reply; the file is gone afterwards. */
static void
test_request(void **state)
{
	struct place *place = place_new();
	struct stat file;
	char text[4096];
	int fd;

	(void)state;
	assert_int_equal(stat(place->path, &file), 0);
	assert_true(S_ISSOCK(file.st_mode));
	assert_int_equal(file.st_mode & 07777, 0600);
	fd = dial(place);
	put(fd, PING);
	serve(place);
	assert_int_equal(count_lines(get(fd, text, sizeof(text))), 1);
	assert_non_null(strstr(text, "\"ok\":true"));
	assert_int_equal(place->server->unsent, 0);
	close(fd);
	serve(place);
	assert_int_equal(place->server->count, 0);
	place_free(place);
}

/* 2. Requests in pieces, several in one write, blank lines, the last without a newline. */
static void
test_lines(void **state)
{
	struct place *place = place_new();
	int fd = dial(place);
	char text[65536];

	(void)state;
	for (const char *at = PING; *at != '\0'; at++) {
		char piece[2] = {*at, '\0'};

		assert_string_equal(get(fd, text, sizeof(text)), "");
		put(fd, piece);
		serve(place);
	}
	assert_int_equal(count_lines(get(fd, text, sizeof(text))), 1);
	for (unsigned i = 0; i < 50; i++)
		put(fd, "\r\n" PING);
	/* Sixteen per wake-up, so that others have their turn. */
	assert_true(serve(place) > 3);
	assert_int_equal(count_lines(get(fd, text, sizeof(text))), 50);
	put(fd, "{\"command\": \"ss\"}");
	shutdown(fd, SHUT_WR);
	serve(place);
	assert_int_equal(count_lines(get(fd, text, sizeof(text))), 1);
	assert_null(get(fd, text, sizeof(text)));
	assert_int_equal(place->server->count, 0);
	close(fd);
	place_free(place);
}

/* 3. The longest request is served; one byte more is refused and ends the connection. */
static void
test_too_long(void **state)
{
	static char request[COMMAND_REQUEST_BYTES + 3], text[4096];
	struct place *place = place_new();

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		int fd = dial(place);
		size_t length = COMMAND_REQUEST_BYTES + extra;

		memset(request, ' ', length);
		memcpy(request, PING, strlen(PING) - 1);
		request[length] = '\n';
		request[length + 1] = '\0';
		put(fd, request);
		serve(place);
		assert_int_equal(count_lines(get(fd, text, sizeof(text))), 1);
		assert_non_null(strstr(text, extra == 0 ? "\"ok\":true" : "larger than 65536"));
		assert_int_equal(place->server->count, extra == 0);
		close(fd);
		serve(place);
	}
	place_free(place);
}

/* 4. A peer that never reads: its replies wait, bounded, others are served, and it is hung up on.
 */
static void
test_never_reads(void **state)
{
	struct place *place = place_new();
	int greedy = dial(place), other = dial(place);
	char text[65536];

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		if (send(greedy, "{\"command\": \"netstat\"}\n", 23, MSG_DONTWAIT) <= 0)
			break;
		serve(place);
		assert_true(place->server->unsent < UNSENT_PAUSE + 65536);
	}
	assert_true(place->server->unsent >= UNSENT_PAUSE);
	put(other, PING);
	serve(place);
	assert_int_equal(count_lines(get(other, text, sizeof(text))), 1);
	place->ms += STUCK_MS;
	serve(place);
	assert_int_equal(place->server->count, 1);
	assert_int_equal(place->server->unsent, 0);
	close(greedy);
	close(other);
	place_free(place);
}

/* 5. A slow peer gets everything in the end. */
static void
test_slow_reader(void **state)
{
	struct place *place = place_new();
	int fd = dial(place);
	static char text[1 << 20];
	unsigned lines = 0;

	(void)state;
	/* A little at a time in one write each: what lies in the kernel is bounded too. */
	for (unsigned i = 0; i < 40; i++) {
		char ten[256] = "";

		for (unsigned n = 0; n < 10; n++)
			strcat(ten, "{\"command\": \"netstat\"}\n");
		put(fd, ten);
	}
	for (unsigned i = 0; i < 400 && lines < 400; i++) {
		serve(place);
		lines += count_lines(get(fd, text, sizeof(text)));
		place->ms += STUCK_MS / 2;
	}
	assert_int_equal(lines, 400);
	close(fd);
	place_free(place);
}

/* 6. Peers that vanish: before, during and after a reply, with a request half sent. */
static void
test_vanishing(void **state)
{
	struct place *place = place_new();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		int fd = dial(place);

		if (i % 4 > 0)
			put(fd, i % 4 == 1 ? "{\"comm" : PING PING PING);
		if (i % 4 == 3)
			serve(place);
		close(fd);
		serve(place);
		assert_int_equal(place->server->count, 0);
	}
	assert_int_equal(place->server->unsent, 0);
	place_free(place);
}

/* 7. The 33rd is told why, and the place is free again when one has left. */
static void
test_too_many(void **state)
{
	struct place *place = place_new();
	int fds[CONTROL_SOCKET_PEERS], late;
	char text[4096];

	(void)state;
	for (unsigned i = 0; i < CONTROL_SOCKET_PEERS; i++) {
		fds[i] = dial(place);
		serve(place);
	}
	assert_int_equal(place->server->count, CONTROL_SOCKET_PEERS);
	late = dial(place);
	serve(place);
	assert_non_null(strstr(get(late, text, sizeof(text)), "too many peers"));
	assert_null(get(late, text, sizeof(text)));
	close(late);
	close(fds[5]);
	serve(place);
	late = dial(place);
	put(late, PING);
	serve(place);
	assert_non_null(strstr(get(late, text, sizeof(text)), "\"ok\":true"));
	close(late);
	for (unsigned i = 0; i < CONTROL_SOCKET_PEERS; i++) {
		if (i != 5)
			close(fds[i]);
	}
	serve(place);
	assert_int_equal(place->server->count, 0);
	place_free(place);
}

/* 8. Silent for a minute: hung up on. Whoever keeps asking stays; a request half sent is silence.
 */
static void
test_idle(void **state)
{
	struct place *place = place_new();
	int silent = dial(place), half = dial(place), watch = dial(place);
	char text[4096];

	(void)state;
	for (unsigned s = 0; s < 59; s++) {
		put(watch, PING);
		put(half, " ");
		serve(place);
		place->ms += 1000;
		assert_int_equal(count_lines(get(watch, text, sizeof(text))), 1);
		assert_int_equal(place->server->count, 3);
	}
	put(watch, PING);
	serve(place);
	place->ms += 1000;
	serve(place);
	assert_int_equal(place->server->count, 1);
	assert_null(get(silent, text, sizeof(text)));
	assert_null(get(half, text, sizeof(text)));
	close(silent);
	close(half);
	close(watch);
	place_free(place);
}

/* 9. What may lie at the path already: a dead socket is replaced; a live one, or another kind of
 * file, is refused and left alone. */
static void
test_path_taken(void **state)
{
	struct place *place = place_new();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[128];
	struct control_socket *server;
	int fd;

	(void)state;
	assert_null(control_socket_open(place->path, &place->env));
	assert_non_null(strstr(said, "another process listens there"));
	assert_int_equal(access(place->path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/other", place->folder);
	fclose(fopen(path, "w"));
	assert_null(control_socket_open(path, &place->env));
	assert_non_null(strstr(said, "is no socket"));
	assert_int_equal(unlink(path), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	server = control_socket_open(path, &place->env);
	assert_non_null(server);
	control_socket_close(server);
	assert_int_equal(access(path, F_OK), -1);
	assert_null(control_socket_open("/nowhere/at/all/control.sock", &place->env));
	assert_non_null(strstr(said, "/nowhere/at/all"));
	place_free(place);
}

/* 10. A file that is another's by now is not removed at the end. */
static void
test_file_replaced(void **state)
{
	struct place *place = place_new();
	struct control_socket *server;

	(void)state;
	assert_int_equal(unlink(place->path), 0);
	server = control_socket_open(place->path, &place->env);
	assert_non_null(server);
	control_socket_close(place->server);
	assert_int_equal(access(place->path, F_OK), 0);
	place->server = server;
	control_socket_close(NULL);
	place_free(place);
}

/* 11. The file is removed, or replaced by what nobody needs: made again, and peers notice nothing.
 */
static void
test_file_gone(void **state)
{
	struct place *place = place_new();
	int before = dial(place), after;
	char folder[80], text[4096];

	(void)state;
	serve(place);
	control_socket_watch(place->server);
	assert_string_equal(said, "");
	snprintf(folder, sizeof(folder), "%s/new", place->folder);
	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(rmdir(folder), 0);
	control_socket_watch(place->server);
	assert_non_null(strstr(said, "it is there again"));
	after = dial(place);
	put(before, PING);
	put(after, PING);
	serve(place);
	assert_int_equal(count_lines(get(before, text, sizeof(text))), 1);
	assert_int_equal(count_lines(get(after, text, sizeof(text))), 1);
	close(before);
	close(after);
	place_free(place);
}

/* 12. Somebody else took the path: said once, left alone, and taken back when it is free. */
static void
test_file_taken(void **state)
{
	struct place *place = place_new();
	struct control_socket *other;

	(void)state;
	assert_int_equal(unlink(place->path), 0);
	other = control_socket_open(place->path, &place->env);
	assert_non_null(other);
	said[0] = '\0';
	control_socket_watch(place->server);
	assert_non_null(strstr(said, "another process listens there"));
	said[0] = '\0';
	for (unsigned i = 0; i < 100; i++)
		control_socket_watch(place->server);
	assert_string_equal(said, "");
	control_socket_close(other);
	control_socket_watch(place->server);
	assert_non_null(strstr(said, "it is there again"));
	assert_int_equal(unlink(place->path), 0);
	fclose(fopen(place->path, "w"));
	control_socket_watch(place->server);
	assert_non_null(strstr(said, "is no socket"));
	assert_int_equal(unlink(place->path), 0);
	control_socket_watch(place->server);
	assert_int_equal(access(place->path, F_OK), 0);
	place_free(place);
}

/* 13. The socket that only reads: open to its group, and closed to what changes anything. */
static void
test_readers(void **state)
{
	struct place *place = place_new();
	char text[4096];
	struct stat file;
	int fd;

	(void)state;
	control_socket_close(place->server);
	place->env.reads_only = true;
	place->server = control_socket_open(place->path, &place->env);
	assert_non_null(place->server);
	assert_int_equal(lstat(place->path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0660);
	fd = dial(place);
	put(fd, PING);
	serve(place);
	assert_non_null(strstr(get(fd, text, sizeof(text)), "\"ok\":true"));
	put(fd, "{\"command\": \"reload\"}\n");
	serve(place);
	assert_non_null(strstr(get(fd, text, sizeof(text)), "only reads"));
	close(fd);
	place_free(place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_request),
			cmocka_unit_test(test_lines),
			cmocka_unit_test(test_too_long),
			cmocka_unit_test(test_never_reads),
			cmocka_unit_test(test_slow_reader),
			cmocka_unit_test(test_vanishing),
			cmocka_unit_test(test_too_many),
			cmocka_unit_test(test_idle),
			cmocka_unit_test(test_path_taken),
			cmocka_unit_test(test_file_replaced),
			cmocka_unit_test(test_file_gone),
			cmocka_unit_test(test_file_taken),
			cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
