/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One buffer for requests per peer, and one reply at a time: a peer is read and served only as long
 * as it takes its replies. Whole lines that wait in the buffer are served at the next wake-up,
 * which polling for POLLOUT brings about at once.
 */
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "say.h"

#define BACKLOG 16
#define REQUESTS_PER_WAKE 16
#define READERS_REQUESTS_PER_WAKE 1 /* who only reads keeps the control thread from less */
#define IDLE_MS 60000		    /* without a whole request */
#define STUCK_MS 10000		    /* with a reply that is not read */
#define UNSENT_PAUSE ((size_t)256 << 10)
#define UNSENT_ALL_MAX ((size_t)64 << 20) /* of all peers together */
#define SERVER_PAUSE_MS 1000		  /* when no descriptor is left */

struct socket_peer {
	int fd;
	bool is_at_end;	   /* it will send no more */
	bool is_ending;	   /* hang up when all is sent */
	bool is_gone;	   /* hang up now */
	uint64_t asked_ms; /* its last request */
	uint64_t moved_ms; /* when it last took something, or owed nothing */
	size_t in_length;
	size_t out_length, out_sent;
	char *out;
	char in[COMMAND_REQUEST_BYTES + 1]; /* a request and its newline */
};

struct control_socket {
	struct command_env env;
	struct sockaddr_un address;
	dev_t device; /* of the file we made */
	ino_t inode;
	gid_t group;	   /* of the file; -1: the process's own */
	char problem[256]; /* why the file could not be made again, as said last; empty: it is there
			    */
	int fd;
	uint64_t paused_ms; /* until then nobody is accepted; 0: not paused */
	size_t unsent;	    /* bytes of all peers */
	unsigned count;
	struct socket_peer *peers[CONTROL_SOCKET_PEERS];
};

/* Notes why the file can't be had; false. */
__attribute__((format(printf, 2, 3))) static bool
refuse(struct control_socket *server, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(server->problem, sizeof(server->problem), format, arguments);
	va_end(arguments);
	return false;
}

static bool
folder_make(struct control_socket *server)
{
	char folder[sizeof(server->address.sun_path)];
	char *slash;

	strcpy(folder, server->address.sun_path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return true;
	*slash = '\0';
	if (mkdir(folder, 0755) == 0 || errno == EEXIST)
		return true;
	return refuse(server, "can't make its folder: %s", strerror(errno));
}

/* True when somebody takes connections at the address. */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return true;
	/* EAGAIN: its queue is full, so it has one. */
	alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN;
	close(fd);
	return alive;
}

/* Makes way for our own file where there is one that nobody needs. */
static bool
file_clear(struct control_socket *server)
{
	const char *path = server->address.sun_path;
	struct stat file;

	if (lstat(path, &file) != 0)
		return true;
	if (!S_ISSOCK(file.st_mode))
		return refuse(server, "exists and is no socket; remove it, or choose another path");
	if (is_alive(&server->address))
		return refuse(server, "another process listens there; stop it, or choose another "
				      "path");
	if (unlink(path) == 0)
		return true;
	return refuse(server, "can't replace the file left there: %s", strerror(errno));
}

/* bind() gives the file the mode of the socket's own inode, so it never allows more; the
 * process's umask may take from that, which chmod() gives back. What the server had before stays as
 * it is until all went well. */
static bool
listen_at(struct control_socket *server)
{
	const struct sockaddr_un *address = &server->address;
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const mode_t mode = server->env.reads_only ? 0660 : 0600;
	bool is_bound = false;
	struct stat file;

	if (fd >= 0 && fchmod(fd, mode) == 0)
		is_bound = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
	if (is_bound && lchown(address->sun_path, (uid_t)-1, server->group) == 0 &&
			chmod(address->sun_path, mode) == 0 &&
			lstat(address->sun_path, &file) == 0 && listen(fd, BACKLOG) == 0) {
		if (server->fd >= 0)
			close(server->fd);
		server->fd = fd;
		server->device = file.st_dev;
		server->inode = file.st_ino;
		return true;
	}
	refuse(server, "can't listen: %s", strerror(errno));
	if (is_bound)
		unlink(address->sun_path);
	if (fd >= 0)
		close(fd);
	return false;
}

static bool
file_make(struct control_socket *server)
{
	return folder_make(server) && file_clear(server) && listen_at(server);
}

static bool
file_is_ours(const struct control_socket *server)
{
	struct stat file;

	return server->fd >= 0 && lstat(server->address.sun_path, &file) == 0 &&
	       file.st_dev == server->device && file.st_ino == server->inode;
}

static gid_t
readers_group(const struct command_env *env)
{
	const struct group *group = env->reads_only ? getgrnam(CONTROL_SOCKET_READS_GROUP) : NULL;

	return group != NULL ? group->gr_gid : (gid_t)-1;
}

struct control_socket *
control_socket_open(const char *path, const struct command_env *env)
{
	struct control_socket *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		say("out of memory");
		return NULL;
	}
	*server = (struct control_socket){.env = *env,
			.address = {.sun_family = AF_UNIX},
			.group = readers_group(env),
			.fd = -1};
	if (strlen(path) >= sizeof(server->address.sun_path)) {
		say("control.socket: %s: path too long", path);
		free(server);
		return NULL;
	}
	strcpy(server->address.sun_path, path);
	if (file_make(server))
		return server;
	say("control.socket: %s: %s", path, server->problem);
	control_socket_close(server);
	return NULL;
}

void
control_socket_watch(struct control_socket *server)
{
	char before[sizeof(server->problem)];

	if (file_is_ours(server))
		return;
	strcpy(before, server->problem);
	if (file_make(server)) {
		say("control.socket: %s: the file was gone; it is there again",
				server->address.sun_path);
		server->problem[0] = '\0';
	} else if (strcmp(before, server->problem) != 0) {
		/* Tried again and again, said once. */
		say("control.socket: %s: lost: %s", server->address.sun_path, server->problem);
	}
}

static void
peer_free(struct socket_peer *peer)
{
	close(peer->fd);
	free(peer->out);
	free(peer);
}

void
control_socket_close(struct control_socket *server)
{
	if (server == NULL)
		return;
	for (unsigned i = 0; i < server->count; i++)
		peer_free(server->peers[i]);
	if (file_is_ours(server))
		unlink(server->address.sun_path);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}

/* True when a whole request is in the buffer; at the end of all, the rest of it counts as one. */
static bool
peer_has_request(const struct socket_peer *peer)
{
	return memchr(peer->in, '\n', peer->in_length) != NULL ||
	       (peer->is_at_end && peer->in_length > 0);
}

static size_t
peer_unsent(const struct socket_peer *peer)
{
	return peer->out_length - peer->out_sent;
}

/* True while its requests are read and served. */
static bool
peer_is_served(const struct socket_peer *peer)
{
	return !peer->is_ending && peer_unsent(peer) < UNSENT_PAUSE;
}

unsigned
control_socket_fds(const struct control_socket *server, struct pollfd fds[CONTROL_SOCKET_FDS])
{
	fds[0] = (struct pollfd){.fd = server->paused_ms == 0 ? server->fd : -1, .events = POLLIN};
	for (unsigned i = 0; i < server->count; i++) {
		const struct socket_peer *peer = server->peers[i];
		short events = 0;

		if (peer_is_served(peer) && !peer->is_at_end && peer->in_length < sizeof(peer->in))
			events |= POLLIN;
		if (peer_unsent(peer) > 0 || (peer_is_served(peer) && peer_has_request(peer)))
			events |= POLLOUT;
		fds[1 + i] = (struct pollfd){.fd = peer->fd, .events = events};
	}
	return 1 + server->count;
}

/* Appends a reply, which it takes over, and a newline. A peer whose reply can't be kept is gone. */
static void
peer_reply(struct control_socket *server, struct socket_peer *peer, json_t *reply)
{
	size_t length = reply != NULL ? json_dumpb(reply, NULL, 0, JSON_COMPACT) : 0;
	size_t before = peer_unsent(peer);
	char *out = NULL;

	if (before > 0)
		memmove(peer->out, peer->out + peer->out_sent, before);
	peer->out_length = before;
	peer->out_sent = 0;
	if (length > 0 && server->unsent + length + 1 <= UNSENT_ALL_MAX)
		out = realloc(peer->out, before + length + 1);
	if (out == NULL) {
		json_decref(reply);
		peer->is_gone = true;
		return;
	}
	json_dumpb(reply, out + before, length, JSON_COMPACT);
	json_decref(reply);
	out[before + length] = '\n';
	peer->out = out;
	peer->out_length = before + length + 1;
	server->unsent += length + 1;
}

static void
peer_send(struct control_socket *server, struct socket_peer *peer, uint64_t monotonic_ms)
{
	while (peer_unsent(peer) > 0) {
		ssize_t n = send(peer->fd, peer->out + peer->out_sent, peer_unsent(peer),
				MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			peer->is_gone |= errno != EAGAIN;
			return;
		}
		peer->out_sent += (size_t)n;
		server->unsent -= (size_t)n;
		peer->moved_ms = monotonic_ms;
	}
	peer->moved_ms = monotonic_ms;
	free(peer->out); /* replies can be large, and the next may be long in coming */
	peer->out = NULL;
	peer->out_length = peer->out_sent = 0;
}

static void
peer_read(struct control_socket *server, struct socket_peer *peer)
{
	ssize_t n = recv(peer->fd, peer->in + peer->in_length, sizeof(peer->in) - peer->in_length,
			MSG_DONTWAIT);

	if (n > 0)
		peer->in_length += (size_t)n;
	else if (n == 0)
		peer->is_at_end = true;
	else if (errno != EAGAIN && errno != EINTR)
		peer->is_gone = true;
	if (peer->in_length == sizeof(peer->in) && !peer_has_request(peer)) {
		peer_reply(server, peer, command_refusal("request larger than 65536 bytes"));
		peer->is_ending = true;
	}
}

static bool
is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	}
	return true;
}

/* Serves the first request in the buffer. */
static void
peer_request(struct control_socket *server, struct socket_peer *peer, ticks_t now)
{
	const char *end = memchr(peer->in, '\n', peer->in_length);
	size_t length = end != NULL ? (size_t)(end - peer->in) : peer->in_length;
	size_t used = end != NULL ? length + 1 : length;

	if (!is_blank(peer->in, length))
		peer_reply(server, peer, command_run(&server->env, peer->in, length, now));
	peer->in_length -= used;
	memmove(peer->in, peer->in + used, peer->in_length);
}

static void
peer_serve(struct control_socket *server, struct socket_peer *peer, short events, ticks_t now,
		uint64_t monotonic_ms)
{
	const unsigned requests =
			server->env.reads_only ? READERS_REQUESTS_PER_WAKE : REQUESTS_PER_WAKE;

	if (events != 0 && peer_unsent(peer) > 0)
		peer_send(server, peer, monotonic_ms);
	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && peer_is_served(peer) &&
			!peer->is_at_end && peer->in_length < sizeof(peer->in))
		peer_read(server, peer);
	for (unsigned i = 0; i < requests && !peer->is_gone && peer_is_served(peer) &&
			     peer_has_request(peer);
			i++) {
		peer_request(server, peer, now);
		peer->asked_ms = monotonic_ms;
		peer_send(server, peer, monotonic_ms);
	}
	if (!peer->is_gone)
		peer_send(server, peer, monotonic_ms);
	if (peer->is_at_end && !peer_has_request(peer))
		peer->is_ending = true;
	if (peer_unsent(peer) > 0)
		peer->is_gone |= monotonic_ms - peer->moved_ms >= STUCK_MS ||
				 (events & (POLLHUP | POLLERR)) != 0;
	else
		peer->is_gone |= peer->is_ending || monotonic_ms - peer->asked_ms >= IDLE_MS;
}

static void
peer_refuse(int fd)
{
	static const char text[] = "{\"version\":1,\"ok\":false,\"error\":\"too many peers: 32 are "
				   "connected already\"}\n";

	/* Into an empty buffer it fits, or the peer is gone already. */
	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
peers_accept(struct control_socket *server, uint64_t monotonic_ms)
{
	/* At most so many at once: the rest is there at the next wake-up. */
	for (unsigned i = 0; i < BACKLOG; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct socket_peer *peer;

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				server->paused_ms = monotonic_ms + SERVER_PAUSE_MS;
			return;
		}
		if (server->count == CONTROL_SOCKET_PEERS) {
			peer_refuse(fd);
			continue;
		}
		peer = malloc(sizeof(*peer));
		if (peer == NULL) {
			close(fd);
			continue;
		}
		*peer = (struct socket_peer){
				.fd = fd, .asked_ms = monotonic_ms, .moved_ms = monotonic_ms};
		server->peers[server->count++] = peer;
	}
}

void
control_socket_serve(struct control_socket *server, const struct pollfd *fds, unsigned count,
		ticks_t now, uint64_t monotonic_ms)
{
	unsigned kept = 0;

	if (server->paused_ms != 0 && monotonic_ms >= server->paused_ms)
		server->paused_ms = 0;
	/* Peers keep their places between control_socket_fds() and this. */
	for (unsigned i = 0; i < server->count; i++) {
		struct socket_peer *peer = server->peers[i];
		short events = 0;

		if (1 + i < count && fds[1 + i].fd == peer->fd)
			events = fds[1 + i].revents;
		peer_serve(server, peer, events, now, monotonic_ms);
		if (peer->is_gone) {
			server->unsent -= peer_unsent(peer);
			peer_free(peer);
		} else {
			server->peers[kept++] = peer;
		}
	}
	server->count = kept;
	if (count > 0 && (fds[0].revents & POLLIN) != 0)
		peers_accept(server, monotonic_ms);
}
