/* SPDX-License-Identifier: BSD-3-Clause */
/* All waiting is poll() against one deadline per request, so no peer can hold us longer. */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define CONNECT_RETRY_MS 20 /* a full backlog of the socket empties without an event */

/* One request under way. */
struct exchange {
	struct connection *connection;
	struct connection_reply *reply;
	int64_t deadline_ms;
	size_t room; /* of reply->text */
};

static int64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
connection_init(struct connection *connection, const char *path, unsigned timeout_ms)
{
	*connection = (struct connection){
			.path = path, .timeout_ms = timeout_ms, .wake_fd = -1, .fd = -1};
}

void
connection_close(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

static enum connection_outcome
fail(struct exchange *exchange, const char *what, const char *hint)
{
	snprintf(exchange->reply->problem, sizeof(exchange->reply->problem), "%.200s: %s%s",
			exchange->connection->path, what, hint);
	return CONNECTION_FAILED;
}

static enum connection_outcome
fail_late(struct exchange *exchange)
{
	char what[64];

	snprintf(what, sizeof(what), "no answer within %.10g s",
			exchange->connection->timeout_ms / 1000.0);
	return fail(exchange, what, "");
}

/* Waits for events on the socket (0: for nothing), at most most_ms and until the deadline. */
static enum connection_outcome
wait_for(struct exchange *exchange, short events, int64_t most_ms)
{
	struct connection *connection = exchange->connection;
	int64_t left = exchange->deadline_ms - monotonic_ms();
	struct pollfd fds[] = {
			{.fd = events != 0 ? connection->fd : -1, .events = events},
			{.fd = connection->wake_fd, .events = POLLIN},
	};
	int ready;

	if (left <= 0)
		return fail_late(exchange);
	ready = poll(fds, ARRAY_COUNT(fds), (int)(left < most_ms ? left : most_ms));
	if (ready < 0 && errno != EINTR)
		return fail(exchange, strerror(errno), "");
	return fds[1].revents != 0 ? CONNECTION_WOKEN : CONNECTION_OK;
}

static const char *
connect_hint(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return "; is sluice running? --socket names another socket";
	case EACCES:
		return "; only its owner and group may speak to the appliance, try sudo";
	default:
		return "";
	}
}

static enum connection_outcome
connect_now(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(connection->path) >= sizeof(address.sun_path))
		return fail(exchange, "longer than a socket's path can be", "");
	strcpy(address.sun_path, connection->path);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return fail(exchange, strerror(errno), "");
	while (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		enum connection_outcome outcome;

		if (errno != EAGAIN && errno != EINTR)
			return fail(exchange, strerror(errno), connect_hint(errno));
		outcome = wait_for(exchange, 0, CONNECT_RETRY_MS);
		if (outcome != CONNECTION_OK)
			return outcome;
	}
	return CONNECTION_OK;
}

/* A peer that hung up may have said why before: its reply is read in any case. */
static enum connection_outcome
send_line(struct exchange *exchange, const char *line, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(exchange->connection->fd, line, length, MSG_NOSIGNAL);
		enum connection_outcome outcome;

		if (sent >= 0) {
			line += sent;
			length -= (size_t)sent;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return fail(exchange, strerror(errno), "");
		outcome = wait_for(exchange, POLLOUT, INT32_MAX);
		if (outcome != CONNECTION_OK)
			return outcome;
	}
	return CONNECTION_OK;
}

static bool
grow(struct exchange *exchange)
{
	const size_t room = exchange->room == 0 ? 65536 : 2 * exchange->room;
	char *text;

	if (exchange->reply->length < exchange->room)
		return true;
	if (room > CONNECTION_REPLY_BYTES_MAX)
		return false;
	text = realloc(exchange->reply->text, room);
	if (text == NULL)
		return false;
	exchange->reply->text = text;
	exchange->room = room;
	return true;
}

static enum connection_outcome
receive_line(struct exchange *exchange)
{
	struct connection_reply *reply = exchange->reply;

	for (;;) {
		enum connection_outcome outcome;
		ssize_t got;
		char *end;

		if (!grow(exchange))
			return fail(exchange, "the reply is too long", "");
		got = recv(exchange->connection->fd, reply->text + reply->length,
				exchange->room - reply->length, 0);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return fail(exchange,
					reply->length == 0 ? "hung up without an answer"
							   : "hung up within its answer",
					"");
		if (got > 0) {
			end = memchr(reply->text + reply->length, '\n', (size_t)got);
			reply->length += (size_t)got;
			if (end != NULL) {
				reply->length = (size_t)(end - reply->text);
				return CONNECTION_OK;
			}
			/* The deadline holds for a peer that never stops talking, too. */
			if (monotonic_ms() > exchange->deadline_ms)
				return fail_late(exchange);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return fail(exchange, strerror(errno), "");
		outcome = wait_for(exchange, POLLIN, INT32_MAX);
		if (outcome != CONNECTION_OK)
			return outcome;
	}
}

static enum connection_outcome
exchange_run(struct exchange *exchange, const char *line, size_t length)
{
	enum connection_outcome outcome = CONNECTION_OK;

	if (exchange->connection->fd < 0)
		outcome = connect_now(exchange);
	if (outcome == CONNECTION_OK)
		outcome = send_line(exchange, line, length);
	if (outcome == CONNECTION_OK)
		outcome = receive_line(exchange);
	if (outcome != CONNECTION_OK)
		connection_close(exchange->connection);
	return outcome;
}

enum connection_outcome
connection_ask(struct connection *connection, const char *line, size_t length,
		struct connection_reply *reply)
{
	struct exchange exchange = {
			.connection = connection,
			.reply = reply,
			.deadline_ms = monotonic_ms() + connection->timeout_ms,
	};
	const bool was_connected = connection->fd >= 0;
	enum connection_outcome outcome;

	*reply = (struct connection_reply){0};
	outcome = exchange_run(&exchange, line, length);
	/* The appliance hangs up on the idle, and may have been restarted. Only commands that
	 * change nothing ask twice over one connection, so asking again harms nobody. */
	if (outcome == CONNECTION_FAILED && was_connected && reply->length == 0 &&
			monotonic_ms() < exchange.deadline_ms)
		outcome = exchange_run(&exchange, line, length);
	if (outcome != CONNECTION_OK) {
		free(reply->text);
		reply->text = NULL;
	}
	return outcome;
}
