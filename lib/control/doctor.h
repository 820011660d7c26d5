/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why clients suffer, in plain words: which backend, which queue, since when, how many, what they
 * saw, and the setting that cures it, with the numbers it was derived from. A pure function of
 * history and registry. Control thread only.
 *
 *	what the counters say                                              cause
 *	ring overflows, backend quick                                      accept-ring-too-small
 *	ring overflows and waits are long, or the ring stays full          slow-backend
 *	SYNs to the backend unanswered, no answer between                  backend-down
 *	SYNs to the backend answered by resets                             backend-refuses
 *	SYNs dropped, syn queue full or reserved, cookies off              syn-queue-too-small
 *	syn queue full, SYNs answered with cookies: nobody is lost         syn-flood
 *	ACKs that prove nothing, far more than proofs: nobody is lost      forged-acks
 *	proofs without room in a worker's table                            connection-table-full
 *	packets not made for lack of buffers                               out-of-buffers
 *	a worker makes no progress                                         worker-stalled
 *	SYN-ACKs not repeated for lack of egress budget, and no flood      egress-budget-small
 */
#ifndef SLUICE_CONTROL_DOCTOR_H
#define SLUICE_CONTROL_DOCTOR_H

#include "control/history.h"

/** The result of command "doctor" (lib/control/README.md): a new reference, NULL when out of
 * memory. healthy means: no findings, of either severity. */
json_t *doctor_json(const struct history *history, const struct registry *registry, ticks_t now);

#endif
