/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of a handshake behind its SYN (proxy/syn.h): ACKs that prove their client, by
 * an entry in the syn queue or by a cookie.
 */
#ifndef SLUICE_PROXY_HANDSHAKE_H
#define SLUICE_PROXY_HANDSHAKE_H

#include "net/cookie.h"
#include "proxy/burst.h"
#include "proxy/conn.h"
#include "table/snapshot.h"

/** What an ACK's cookie is known to be. */
enum task_cookie {
	TASK_COOKIE_UNKNOWN, /**< nobody has looked */
	TASK_COOKIE_VALID,
	TASK_COOKIE_INVALID,
	TASK_COOKIE_NOT_ASKED, /**< none can be out there */
};

/** A packet and the backend it is for. */
struct task {
	struct pkt *pkt;
	const struct backend_config *config;
	/* Of a client's segment without connection, by handshake_look(). */
	uint32_t entry; /**< syn queue entry of its tuple, or SYN_QUEUE_NONE; while nothing has
			   changed and has_looked */
	uint8_t cookie; /**< enum task_cookie */
	bool has_looked;
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

/**
 * Looks up what clients' segments without connection (pkt->conn FLOW_NONE) need, at most BURST_MAX:
 * their syn queue entries side by side, then the cookies of those that have none, together. The
 * rest of the tasks stays as it is, and so do all if the first of them has been looked at.
 */
void handshake_look(const struct worker *w, struct task *tasks, unsigned count);

/** True for a segment without connection, looked at since the last change, that proves nothing
 * and is dropped for it: a flood's ACKs. */
static inline bool
handshake_is_refused(const struct task *task)
{
	return task->has_looked && task->cookie == TASK_COOKIE_INVALID &&
	       task->config->stray == STRAY_DROP;
}

/** Whether the client's ACK ends a handshake of ours; computes at most one MAC. */
enum proof_outcome handshake_check(
		const struct worker *w, const struct task *task, struct proof *proof);

/** Takes a proved client, which has no connection, into the accept ring and on to its backend.
 * Returns the reason. */
enum reason handshake_admit(struct worker *w, const struct task *task, const struct proof *proof);

/** A client's RST without a connection: ends its half-open handshake if it is in sequence. */
enum reason handshake_reset(struct worker *w, const struct task *task);

#endif
