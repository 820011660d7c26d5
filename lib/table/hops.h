/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC addresses of the next hops that probes of backends go to (proxy/probe.h). Shared by all
 * workers, since an answer comes in at any of them: one word per cell, relaxed atomics, so that a
 * word is all or nothing. A cache: two hops that fall into one cell take turns, and who finds his
 * gone asks again.
 *
 *	 63        50 49   48 47                     0
 *	| tag (14)   | state  | MAC, first byte lowest |
 */
#ifndef SLUICE_TABLE_HOPS_H
#define SLUICE_TABLE_HOPS_H

#include "base/siphash.h"
#include "net/rewrite.h"

#define HOPS_CELLS 1024

struct hops {
	uint64_t cells[HOPS_CELLS]; /**< all zero: nothing known */
};

enum hop_state {
	HOP_UNKNOWN,
	HOP_ASKED, /**< its MAC was asked for */
	HOP_KNOWN,
};

/** Where an address belongs: its keyed hash. Of addresses in one cell, one in 2^14 is taken for the
 * other; then a probe goes astray and is repeated. */
uint64_t hops_place(const struct siphash_key *key, const union ip_addr *address);

/** What is known of the hop at that place; mac is written when that is HOP_KNOWN. */
enum hop_state hops_find(const struct hops *hops, uint64_t place, uint8_t mac[ETHER_ADDR_BYTES]);

/** Notes that it was asked for, or, with state HOP_UNKNOWN, forgets it. */
void hops_set(struct hops *hops, uint64_t place, enum hop_state state);

/** Takes in an answer. False, and nothing happens, unless it was asked for; the first answer
 * counts. */
bool hops_answer(struct hops *hops, uint64_t place, const uint8_t mac[ETHER_ADDR_BYTES]);

#endif
