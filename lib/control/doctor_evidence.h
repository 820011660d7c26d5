/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of the way from a client's proof to its backend, and which cause it speaks for. */
#ifndef SLUICE_CONTROL_DOCTOR_EVIDENCE_H
#define SLUICE_CONTROL_DOCTOR_EVIDENCE_H

#include "control/doctor_finding.h"

#define SILENT_TIME (3 * TICKS_PER_S) /**< two SYNs unanswered */

enum accept_cause { CAUSE_NONE, CAUSE_RING_SMALL, CAUSE_SLOW, CAUSE_DOWN, CAUSE_REFUSES };

/** What is looked at, gathered once. */
struct evidence {
	const struct registry *registry;
	const struct slot *slot;
	const struct history_slot *past;
	const struct episode *overflow; /**< NULL: none known */
	const struct episode *failed;	/**< NULL: none known */
	ticks_t now;
	uint32_t limit;	    /**< accept limit A */
	uint64_t waiting;   /**< clients in the ring now */
	uint64_t window;    /**< connect_window of all workers */
	struct waits waits; /**< in the overflow's episode, else of the last minute or two */
	uint64_t p50_us, p99_us;
	uint64_t calm_us;    /**< half waited less before the episode; 0: too few to say */
	uint64_t implied_us; /**< Little: a full ring's places by what left it; 0: never full */
	ticks_t silent;	     /**< for how long nobody was answered while clients waited */
};

static inline uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** Time that a backend is given to answer: tcp_syn_retries SYNs, 1 s, then doubling. */
static inline ticks_t
patience(const struct evidence *e)
{
	return ((UINT64_C(1) << e->slot->config.tcp_syn_retries) - 1) * TICKS_PER_S;
}

/** Gathers it for a serving backend. */
void evidence_gather(struct evidence *e, const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, ticks_t now);

/** The cause that explains it, CAUSE_NONE when there is nothing to explain. */
enum accept_cause evidence_diagnose(const struct evidence *e);

#endif
