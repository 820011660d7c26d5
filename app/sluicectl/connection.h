/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket's other end: one line out, one line back, within a given time. Stays connected
 * from one request to the next; any failure hangs up, and the next request connects again.
 */
#ifndef SLUICECTL_CONNECTION_H
#define SLUICECTL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

/** More than the largest reply of an appliance with all backends it can have. */
#define CONNECTION_REPLY_BYTES_MAX (256U << 20)

struct connection {
	const char *path;    /**< borrowed */
	unsigned timeout_ms; /**< for connecting, asking and being answered together */
	int wake_fd;	     /**< waiting ends when this is readable; -1: none */
	int fd;		     /**< -1: not connected */
};

enum connection_outcome {
	CONNECTION_OK,
	CONNECTION_FAILED,
	CONNECTION_WOKEN, /**< wake_fd became readable first */
};

struct connection_reply {
	char *text; /**< one line without its end, length bytes; the caller frees it */
	size_t length;
	char problem[512]; /**< why there is none */
};

void connection_init(struct connection *connection, const char *path, unsigned timeout_ms);

/** Sends length bytes of line, which end with a newline, and waits for the line that answers. A
 * connection that was hung up on between two requests is made again. */
enum connection_outcome connection_ask(struct connection *connection, const char *line,
		size_t length, struct connection_reply *reply);

void connection_close(struct connection *connection);

#endif
