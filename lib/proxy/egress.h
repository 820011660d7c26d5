/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No reflector (PITFALLS 11): a packet in answer to one whose sender has proved nothing is not
 * longer than that, or is paid from a budget. Nothing here concerns the common case, a SYN-ACK as
 * long as its SYN, but for one comparison.
 */
#ifndef SLUICE_PROXY_EGRESS_H
#define SLUICE_PROXY_EGRESS_H

#include "net/syn_ack.h"
#include "proxy/worker_impl.h"

/** Pays for one packet towards the end of the tuple on that side. False: not to be sent. */
bool egress_take(struct worker *w, const struct tuple *tuple, enum side to);

/** egress_admits() where the answer is longer than the SYN. */
bool egress_admits_longer(struct worker *w, const struct pkt *syn, struct tcp_opt_syn *announce);

/**
 * Whether a SYN-ACK may answer syn with these options. Where they make it longer than that, without
 * the MSS, if what counts then is less (RFC 9293 3.7.1: 536, RFC 8200 5: 1220); else it is paid
 * for. False when there is nothing to pay with, or the backend's clients are doubted.
 */
static inline bool
egress_admits(struct worker *w, const struct pkt *syn, struct tcp_opt_syn *announce)
{
	return LIKELY(syn_ack_fits(syn, tcp_opt_syn_length(announce))) ||
	       egress_admits_longer(w, syn, announce);
}

/** A client of the backend is queued. Not its SYN again: that pays for its answer, and comes from
 * real clients, too, where packets are lost. */
void egress_note_queued(struct worker *w, const struct backend_config *config);

/** True while the backend is flooded: then its SYN-ACKs are not repeated. */
bool egress_is_flooded(struct worker *w, const struct backend_config *config);

/** True when a client of the backend that came at that time is doubted: then it is sent nothing
 * that its packets don't pay for. */
bool egress_is_doubted(struct worker *w, const struct backend_config *config, ticks_t came);

#endif
