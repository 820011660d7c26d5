/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Half-open clients that have a syn queue entry: how they get one, are answered again, prove
 * themselves by it, and leave. Keeps the entries, the backend's shared counts and its counters in
 * step; the limits themselves are judged in handshake.c.
 */
#ifndef SLUICE_PROXY_HALF_OPEN_H
#define SLUICE_PROXY_HALF_OPEN_H

#include "net/cookie.h"
#include "net/pkt.h"
#include "proxy/worker.h"
#include "table/syn_queue.h"

/**
 * Takes an entry for the client of a SYN, if fewer than most are queued for its backend; the oldest
 * of the worker's entries makes way when its memory is full. announce: what the SYN-ACK will offer.
 * SYN_QUEUE_NONE when there is no room.
 */
uint32_t half_open_insert(struct worker *w, const struct pkt *syn,
		const struct backend_config *config, uint32_t most,
		const struct tcp_opt_syn *announce);

/** Turns a repeated SYN into its entry's SYN-ACK. False, and nothing is done, when that would be
 * longer than the SYN and is not paid for. */
bool half_open_answer_again(struct worker *w, uint32_t id, struct pkt *syn,
		const struct backend_config *config);

/** True when an ACK carries the numbers of the entry's handshake; a zero-window probe, one below,
 * counts (our SYN-ACK opened no window). */
bool half_open_is_proof(const struct syn_entry *entry, const struct pkt *pkt);

/** What an entry knows of its client, in a cookie's words. */
struct cookie_proof half_open_proof(const struct syn_entry *entry);

/** The client went on, or gave up. */
void half_open_remove(struct worker *w, uint32_t id, const struct backend_config *config);

/** Notes that a SYN-ACK is out there for this backend that no entry backs: from now on its ACKs are
 * checked for cookies. */
void half_open_cookie_sent(struct worker *w, const struct backend_config *config);

/** True for a cookie's lifetime after a SYN-ACK was last sent for this backend that no entry backs.
 */
bool half_open_cookie_is_out(const struct worker *w, const struct backend_config *config);

/** True while an ACK for this backend may carry a cookie: for a cookie's lifetime after the last
 * one was sent, or always when other nodes send them too. */
bool half_open_expects_cookies(const struct worker *w, const struct backend_config *config);

/** When a half-open client came whose SYN-ACK has been repeated so often, and is due again. */
ticks_t half_open_came(ticks_t now, unsigned repeats);

/** Whether a half-open client, whose SYN-ACK has been repeated so often and is due again, is given
 * up instead. is_acked: it met a full accept ring. */
bool half_open_is_over(const struct worker *w, const struct backend_config *config,
		unsigned repeats, bool is_acked, bool is_flooded);

/** An entry's timer fired: SYN-ACK again, or the client is given up, as who is denied by now. */
void half_open_expire(struct worker *w, uint32_t id);

#endif
