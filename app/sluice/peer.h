/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The far end of a veth pair, in whatever network namespace it lives: its offloads decide what
 * arrives here. Linux only tells us its index and a number for its namespace; finding the
 * namespace itself takes a search.
 */
#ifndef SLUICE_APP_PEER_H
#define SLUICE_APP_PEER_H

#include <stddef.h>

#include "netdev.h"

enum peer_outcome {
	PEER_FOUND,
	PEER_NONE,   /**< not a veth */
	PEER_HIDDEN, /**< a veth whose peer's namespace we can't enter */
};

struct peer {
	struct netdev dev; /**< fd is owned: peer_close() it */
	char enter[128];   /**< what a shell command must start with to run there, for example
			      "ip netns exec client "; empty for our own namespace */
};

/** Finds the peer of the interface of that name in our own namespace. */
enum peer_outcome peer_find(const char *interface, struct peer *peer);

void peer_close(struct peer *peer);

/** The same "enter" words for our own namespace, so that a printed command works from any shell. */
void peer_enter_own(char *enter, size_t size);

#endif
