/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold, whatever happens. The checker sees every packet that Sluice takes and sends, and
 * hears from the honest clients what they experienced; it believes neither about the other. The
 * first fault ends the run.
 *
 * A client that nothing came back to for a long time may give up, but only for a reason that is
 * documented as a limit:
 *   - Its SYNs met a full accept ring, a full syn queue without cookies, or a backend that drains.
 *   - Its proof was lost, and nothing it sends proves it again: without timestamps only its
 *     first byte does, not a probe below it. As long as it has a syn queue entry, the repeated
 *     SYN-ACK makes it prove itself again.
 *   - Its proof was lost again and again until its entry expired, or SYN-ACKs were not repeated for
 *     want of a budget.
 *   - Its proofs met a full ring or table.
 *   - A restart forgot its entry, so nobody repeats its SYN-ACK.
 *   - A RST to it was lost, behind which Sluice forgets the connection.
 *   - The operator flushed its backend.
 *   - Its backend aborted and the RST was lost, while a late copy of the SYN had opened a second
 *     socket there, which challenges whatever comes.
 */
#ifndef SLUICE_TESTS_SIM_CHECKER_H
#define SLUICE_TESTS_SIM_CHECKER_H

#include "address.h"
#include "application.h"
#include "base/base.h"
#include "base/reason.h"
#include "egress_watch.h"
#include "plan.h"
#include "trace.h"

/** An honest client must have its end by then; over links that lose every fourth packet it takes
 * longer to say all. */
#define ROUND_MAX (600 * TICKS_PER_S)
#define ROUND_LOSSY_MAX (1800 * TICKS_PER_S)

#define PROOFS_MAX 8
#define ANSWERS_MAX 8

/** A SYN-ACK to an honest client's present connection, by our number in it. */
struct answer {
	uint32_t iss;
	bool was_queued; /**< an entry was made, or was there */
	bool was_cookie; /**< it was sent without one: its ACKs are checked for cookies */
	ticks_t at;	 /**< when it was first sent */
};

/** One connection of an honest client, as far as the checker knows. */
struct round {
	unsigned number; /**< from 1; 0: none begun */
	bool is_under_way;
	uint16_t port;
	uint32_t isn;
	uint32_t iss; /**< Sluice's, once the client has seen it */
	bool is_proved;
	bool has_timestamps;
	ticks_t proved_at;
	bool was_admitted;
	bool met_overflow;  /**< a proof was turned away for want of room */
	bool was_refused;   /**< a SYN was */
	bool was_reset;	    /**< a RST was sent to the client */
	bool has_left;	    /**< the client's own RST ended its syn queue entry */
	bool was_stray;	    /**< reset as a stray, since nothing it sent proved it */
	bool was_forgotten; /**< half open, by a restart */
	bool was_flushed;   /**< its backend was, since it began */
	unsigned answer_count;
	struct answer answers[ANSWERS_MAX];
	unsigned old_sockets;	     /**< answers that the backend gave from an old connection */
	uint32_t proofs[PROOFS_MAX]; /**< ISNs of the latest rounds that were proved */
	unsigned proof_count;
};

enum round_end { ROUND_COMPLETE, ROUND_RESET, ROUND_ABORTED, ROUND_SILENT, ROUND_ENDS };

struct checker {
	const struct plan *plan;
	struct clock *clock;
	struct trace *trace;
	const struct version *version; /**< in force */
	bool has_failed;
	char text[256]; /**< of the first fault */
	struct round rounds[CLIENTS_MAX];
	uint64_t ends[ROUND_ENDS];
	uint64_t outcomes;    /**< a sum over all rounds: whose, which, how it ended */
	uint64_t unsettled;   /**< complete for the client, at a backend that may die before its own
				 end */
	uint64_t packets;     /**< handed to Sluice */
	uint64_t lucky_shots; /**< forged RSTs that were exactly right */
	struct egress_watch egress;
	bool has_evicted; /**< half-open clients had to make way */
};

void checker_init(struct checker *checker, const struct plan *plan, struct clock *clock,
		struct trace *trace);

void checker_fini(struct checker *checker);

/** Notes a fault and stops the run; client -1: nobody's in particular. */
void checker_fault(struct checker *checker, int client, const char *text);

/* Told by honest clients. */
void checker_begin(struct checker *checker, unsigned client, uint16_t port, uint32_t isn);
void checker_proved(struct checker *checker, unsigned client, const struct endpoint *endpoint);
void checker_end(struct checker *checker, unsigned client, const struct application *app,
		const struct application *server);

/** Told by the operator: all of a backend's clients are flushed. */
void checker_flushed(struct checker *checker, unsigned slot);

/** A restart forgot all half-open clients: only their cookies prove them now. */
void checker_forgotten(struct checker *checker);

/* Seen at Sluice. */

/** A packet it took: as it came, as it left it, and why. One that an old connection of the tuple
 * translated with its own numbers loses its life. */
void checker_taken(struct checker *checker, enum side from, const struct frame *came,
		struct frame *left, enum reason reason);

/** A packet it made; gets its life: the client's present connection, if that was admitted. */
void checker_made(struct checker *checker, enum side to, struct frame *frame);

/** A packet that nobody's packet of its size asked for. */
void checker_pay(struct checker *checker, const struct packet *packet, enum side to);

#endif
