/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's first data, which may arrive before its backend has answered: our SYN-ACK announces
 * a small window or none, what comes is kept within bounds, and forwarded like any spliced
 * segment once the backend's leg exists. Called by the handshake (window) and by connect.c
 * (packets). What isn't kept is dropped, and the client sends it again: no byte is lost or
 * acknowledged here.
 */
#ifndef SLUICE_PROXY_EARLY_H
#define SLUICE_PROXY_EARLY_H

#include "net/early_window.h"
#include "proxy/worker_impl.h"

/** Packets kept per connection: two full segments fill the window, and a client that doesn't
 * gather its writes (TCP_NODELAY) fills it in smaller ones; a FIN is one more. */
#define EARLY_PER_CONNECTION 4

/** Signs that data would wait long, or that there will be no room for it. */
static inline bool
early_is_pressed(const struct worker *w, const struct backend_config *config)
{
	const struct accept_lane *lane = &w->backends[config->slot].lane;

	return lane->connecting >= config->connect_window || lane->waiting > 0 ||
	       w->early.left < w->early.capacity / 4 ||
	       shared_read(&w->env.shared[config->slot].accept) >
			       backend_config_accept_limit(config) / 2;
}

/**
 * Whether clients of a backend may send before it answers. Not when its early_data says so, or it
 * is "auto" and data would have to wait: more than half of the accept ring taken, no room in the
 * connect window, fewer than a quarter of the worker's records left.
 */
static inline bool
early_is_welcome(const struct worker *w, const struct backend_config *config)
{
	if (config->early_data == EARLY_DATA_ZERO_WINDOW || w->early.capacity == 0)
		return false;
	return config->early_data != EARLY_DATA_AUTO || !early_is_pressed(w, config);
}

/** The most that early_window() may have allowed a client of that backend, however it was set
 * then: bytes behind the client's SYN. */
uint32_t early_promise(const struct worker *w, const struct backend_config *config);

/**
 * Keeps a segment of a client whose backend has not answered, if it is the client's first data,
 * new, and there is room. True: the packet is the worker's now, its bytes must stay as they are.
 * False: nothing was done.
 */
bool early_hold(struct worker *w, uint32_t id, const struct pkt *pkt,
		const struct backend_config *config);

/** Forgets the only packet that the connection holds: it is the caller's again. */
void early_unhold(struct worker *w, uint32_t id);

/** True when seq is where data that is held ends: the client may send a RST from there. */
bool early_ends_at(const struct worker *w, uint32_t id, uint32_t seq);

/** Takes the list of held packets from a connection that is about to be spliced; EARLY_NONE when
 * there is none. To be followed by early_forward(). */
uint32_t early_take(struct worker *w, uint32_t id);

/** Sends a list from early_take() to the backend of the spliced connection, in order. */
void early_forward(struct worker *w, uint32_t id, uint32_t list);

/** Gives back what a connection that was never spliced holds. */
void early_drop(struct worker *w, uint32_t id);

#endif
