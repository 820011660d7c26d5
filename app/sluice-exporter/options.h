/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. */
#ifndef SLUICE_EXPORTER_OPTIONS_H
#define SLUICE_EXPORTER_OPTIONS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "../sluice/say.h"

struct options {
	const char *socket; /**< the appliance's socket that only reads */
	const char *user;   /**< to become when started as root; NULL: not said */
	const char *group;  /**< the same */
	struct sockaddr_storage listen;
	socklen_t listen_length;
	unsigned backends_max; /**< with labels and rows of their own; 1..4096 */
};

/** Reads the command line; false when that is all, with the status to end with in *code: after
 * --help, --version, or what is wrong, already said. */
bool options_read(struct options *options, int argc, char **argv, enum exit_code *code);

/** Reads ADDRESS:PORT, with an IPv6 address in brackets, into options->listen. */
bool options_read_address(struct options *options, const char *text);

/** True when only this machine can reach the address. */
bool options_is_loopback(const struct options *options);

#endif
