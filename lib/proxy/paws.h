/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Protection against wrapped sequences and old duplicates (RFC 7323 5): a segment that is older, by
 * its timestamp, than what its sender sent before moves no state, however well its numbers fit. The
 * ends drop it.
 *
 * The latest timestamps lie in the cold record. They are looked at only when a segment would move
 * more than the edges in sequence do, and noted then, or when the connection was not heard in this
 * span of four seconds: a connection at work touches that line once in the span. What is noted is
 * so much behind at most.
 */
#ifndef SLUICE_PROXY_PAWS_H
#define SLUICE_PROXY_PAWS_H

#include "base/seq.h"
#include "proxy/conn.h"

/** A note's span in timer steps. */
#define PAWS_SPAN_SHIFT 8
static_assert((UINT64_C(1) << (PAWS_SPAN_SHIFT + TIMER_STEP_SHIFT)) / TICKS_PER_S == 4,
		"four seconds, said above");

/** After so many steps of silence nothing is old: a clock of microseconds may have wrapped (Linux
 * TCP_PAWS_WRAP). */
#define PAWS_SILENCE_STEPS (UINT32_C(1) << 17)
static_assert(((uint64_t)PAWS_SILENCE_STEPS << TIMER_STEP_SHIFT) / TICKS_PER_S == 2147,
		"2^31 microseconds");

/** True when paws_take() has to look at a segment inside the windows; seq in the client's numbers,
 * step is the time. */
static inline bool
paws_is_due(const struct conn *conn, const struct pkt *pkt, enum side from, uint32_t seq,
		uint32_t step)
{
	return pkt->flags & TCP_FIN || conn->state != CONN_ESTABLISHED ||
	       seq_after(seq, conn->leg[from].snd_nxt) ||
	       (step ^ conn->last_seen) >> PAWS_SPAN_SHIFT != 0;
}

/**
 * Judges such a segment: false when it would begin or take back a close, or came ahead of others,
 * and is old, or lacks the timestamp that it must carry (RFC 7323 3.2). One that is not old has its
 * timestamps noted. Always true on a connection without timestamps.
 */
bool paws_take(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from, uint32_t seq);

/**
 * For a segment outside the windows: true when it acknowledges what paws_take() called old. Then
 * its receiver knew better and that counts, a FIN too: the segment may be inside now.
 */
bool paws_revise(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from);

#endif
