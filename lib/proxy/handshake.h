/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of a handshake: SYNs answered as the queues' rules say, with an entry in the
 * syn queue or a cookie alone; ACKs that prove their client by either.
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

/** What an ACK proved, and by what. */
struct proof {
	struct cookie_proof cookie;
	uint32_t entry; /**< syn queue entry of its tuple that it ends, or SYN_QUEUE_NONE */
	bool is_entry;	/**< the entry proved it, not the cookie */
	uint8_t announced_wscale; /**< in our SYN-ACK, or TCP_WSCALE_NONE */
	uint32_t tsval;		  /**< in our SYN-ACK; valid when cookie.syn.has_timestamp */
	uint32_t client_tsval;	  /**< the client's latest; the same */
};

enum proof_outcome {
	PROOF_VALID,
	PROOF_INVALID,	 /**< a cookie was looked for and there was none */
	PROOF_NOT_ASKED, /**< no cookie can be out there: no MAC was computed */
};

/** Answers count SYNs (at most BURST_MAX) in place, their cookies made together; sets their
 * reasons. */
void handshake_answer_syns(struct worker *w, const struct task *syns, unsigned count);

/** Whether the client's ACK ends a handshake of ours; computes at most one MAC. */
enum proof_outcome handshake_check(
		const struct worker *w, const struct task *task, struct proof *proof);

/** Takes a proved client, which has no connection, into the accept ring and on to its backend.
 * Returns the reason. */
enum reason handshake_admit(struct worker *w, const struct task *task, const struct proof *proof);

/** A client's RST without a connection: ends its half-open handshake if it is in sequence. */
enum reason handshake_reset(struct worker *w, const struct task *task);

#endif
