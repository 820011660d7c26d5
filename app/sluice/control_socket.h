/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket's server: accepts, reads lines, has commands run, writes replies; never blocks
 * and never lets one peer disturb another, the appliance, or its memory. Peers, request size,
 * unsent bytes and idle time are bounded. Control thread only.
 */
#ifndef SLUICE_APP_CONTROL_SOCKET_H
#define SLUICE_APP_CONTROL_SOCKET_H

#include <poll.h>

#include "control/command.h"

#define CONTROL_SOCKET_PEERS 32
#define CONTROL_SOCKET_FDS (CONTROL_SOCKET_PEERS + 1)

struct control_socket;

/** What the path of the socket that only reads has behind that of the other. */
#define CONTROL_SOCKET_READS_SUFFIX ".ro"
/** The group that may use it, where there is one of that name; else it is the process's own. */
#define CONTROL_SOCKET_READS_GROUP "sluice"

/**
 * Listens at path (mode 0600, or 0660 when env->reads_only; its folder is made if missing). A
 * socket file that nobody listens on is replaced; one that somebody does, or a file that is no
 * socket, is refused. NULL: already said.
 */
struct control_socket *control_socket_open(const char *path, const struct command_env *env);

/** Hangs up and removes the file, if it is still ours. NULL is allowed. */
void control_socket_close(struct control_socket *socket);

/** Once a second or so: makes the file again when it was removed or replaced, and says so; while
 * another process listens there, says that once. Peers keep their connections. */
void control_socket_watch(struct control_socket *socket);

/** What to poll() for now: fills fds, returns how many. */
unsigned control_socket_fds(
		const struct control_socket *socket, struct pollfd fds[CONTROL_SOCKET_FDS]);

/** Serves what poll() found in those fds, and hangs up on peers that were silent or slow for too
 * long. now: the workers' clock; monotonic_ms: any clock that does not jump. */
void control_socket_serve(struct control_socket *socket, const struct pollfd *fds, unsigned count,
		ticks_t now, uint64_t monotonic_ms);

#endif
