/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of a handshake: SYNs answered with cookies, ACKs that prove their client.
 * A SYN leaves no trace; the first memory is spent on a proof.
 */
#ifndef SLUICE_PROXY_HANDSHAKE_H
#define SLUICE_PROXY_HANDSHAKE_H

#include "net/cookie.h"
#include "proxy/burst.h"
#include "proxy/conn.h"
#include "table/snapshot.h"

/** A packet and the backend it is for. */
struct task {
	struct pkt *pkt;
	const struct backend_config *config;
};

/** Answers count SYNs (at most BURST_MAX) in place, their cookies made together; sets their
 * reasons. */
void handshake_answer_syns(struct worker *w, const struct task *syns, unsigned count);

/** True when the client's ACK carries a valid cookie; computes at most one MAC. */
bool handshake_is_proof(const struct worker *w, const struct pkt *pkt, struct cookie_proof *proof);

/** Takes a proved client, which has no connection, into the accept ring and on to its backend.
 * Returns the reason. */
enum reason handshake_admit(
		struct worker *w, const struct task *task, const struct cookie_proof *proof);

#endif
