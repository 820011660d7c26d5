/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backend's leg of a proved client, from the accept ring to the splice: SYN, its repetition,
 * and every answer a backend can give. A client is here in CONN_QUEUED or CONN_CONNECTING.
 */
#ifndef SLUICE_PROXY_CONNECT_H
#define SLUICE_PROXY_CONNECT_H

#include "proxy/conn.h"
#include "table/snapshot.h"

/**
 * Takes a proved client, already counted into the accept ring, towards its backend: pkt, its
 * ACK, becomes the SYN if the connect window has room, else the client waits. Returns the reason.
 */
enum reason connect_begin(struct worker *w, uint32_t id, struct pkt *pkt,
		const struct backend_config *config);

/** A backend's segment for a connection not established yet; config is its backend's. */
enum reason connect_answer(struct worker *w, uint32_t id, struct pkt *pkt,
		const struct backend_config *config);

/** A client's segment, no SYN, for a connection not established yet. */
enum reason connect_client(struct worker *w, uint32_t id, struct pkt *pkt);

/** A backend's SYN-ACK seen again after the splice: our ACK was lost. */
enum reason connect_answer_again(struct worker *w, uint32_t id, struct pkt *pkt);

/** The SYN timer fired (and is disarmed): SYN again, or the client gets its RST. */
void connect_expire(struct worker *w, uint32_t id);

/** Takes a connection in either state out of the accept ring and, if it was being connected,
 * disarms it and starts the next. */
void connect_leave(struct worker *w, uint32_t id);

#endif
