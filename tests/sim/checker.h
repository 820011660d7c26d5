/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold, whatever happens. The checker sees every packet that Sluice takes and sends, and
 * hears from the honest clients what they experienced; it believes neither about the other. The
 * first fault ends the run.
 *
 * A client that nothing came back to for a long time may give up, but only for a reason that is
 * documented as a limit:
 *   - Its SYNs met a full accept ring.
 *   - Its proof was lost, and nothing it sends proves it again: without timestamps only its
 *     first byte does, not a probe below it.
 *   - Its proofs met a full ring or table.
 *   - A RST to it was lost, behind which Sluice forgets the connection.
 */
#ifndef SLUICE_TESTS_SIM_CHECKER_H
#define SLUICE_TESTS_SIM_CHECKER_H

#include "address.h"
#include "application.h"
#include "base/base.h"
#include "base/reason.h"
#include "plan.h"
#include "trace.h"

/** An honest client must have its end by then. */
#define ROUND_MAX (600 * TICKS_PER_S)

#define PROOFS_MAX 8

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
	bool met_overflow;	     /**< a proof was turned away for want of room */
	bool met_full_ring;	     /**< a SYN was */
	bool was_reset;		     /**< a RST was sent to the client */
	unsigned old_sockets;	     /**< answers that the backend gave from an old connection */
	uint32_t proofs[PROOFS_MAX]; /**< ISNs of the latest rounds that were proved */
	unsigned proof_count;
};

enum round_end { ROUND_COMPLETE, ROUND_RESET, ROUND_ABORTED, ROUND_SILENT, ROUND_ENDS };

struct checker {
	const struct plan *plan;
	struct clock *clock;
	struct trace *trace;
	bool has_failed;
	char text[256]; /**< of the first fault */
	struct round rounds[CLIENTS_MAX];
	uint64_t ends[ROUND_ENDS];
	uint64_t packets;     /**< handed to Sluice */
	uint64_t lucky_shots; /**< forged RSTs that were exactly right */
};

void checker_init(struct checker *checker, const struct plan *plan, struct clock *clock,
		struct trace *trace);

/** Notes a fault and stops the run; client -1: nobody's in particular. */
void checker_fault(struct checker *checker, int client, const char *text);

/* Told by honest clients. */
void checker_begin(struct checker *checker, unsigned client, uint16_t port, uint32_t isn);
void checker_proved(struct checker *checker, unsigned client, const struct endpoint *endpoint);
void checker_end(struct checker *checker, unsigned client, const struct application *app,
		const struct application *server);

/* Seen at Sluice. */

/** A packet it took: as it came, as it left it, and why; is_full: accept ring full, by slot. */
void checker_taken(struct checker *checker, enum side from, const struct frame *came,
		const struct frame *left, enum reason reason, const bool is_full[BACKENDS]);

/** A packet it made; gets its life: the client's present connection, if that was admitted. */
void checker_made(struct checker *checker, enum side to, struct frame *frame);

#endif
