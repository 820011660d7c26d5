/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice is no reflector. What it sends to the clients' side is one of these:
 *
 *   - an answer, no longer a frame than the packet that it answers
 *   - paid: a longer SYN-ACK, a repeated one, a reset for a stray, each from the budget of the
 * client's network, IPv4 /24 or IPv6 /56, and of the side
 *   - for an address that has proved itself
 *
 * So the bytes to a network that has proved nothing are at most those from there and what its
 * budget allows. The budget is kept here once more, as tokens that come with time; each worker
 * has its own, which are added up, since the address does not tell whose a packet is.
 */
#ifndef SLUICE_TESTS_SIM_EGRESS_WATCH_H
#define SLUICE_TESTS_SIM_EGRESS_WATCH_H

#include "base/ticks.h"
#include "frame.h"
#include "table/egress_budget.h"

/** Packets that may go out unasked, in millionths. */
struct allowance {
	uint64_t millionths;
	ticks_t at;	/**< when that many were left */
	uint64_t since; /**< the settings under which */
};

/** An address, or a network: then it is the first address. */
struct egress {
	uint8_t address[16];
	unsigned kind; /**< 0: a free place; IP version, times 10 for a network */
	bool is_proved;
	struct allowance allowance;
};

/** A hash table that grows: room is a power of two. */
struct egress_watch {
	unsigned count;
	unsigned room;
	struct egress *places;
	struct egress_rates rates; /**< of all workers together */
	uint64_t settings;	   /**< counts their changes */
	struct allowance sides[SIDE_COUNT];
};

void egress_watch_fini(struct egress_watch *watch);

/** Rates of each worker from now on; all budgets are full. */
void egress_watch_set(
		struct egress_watch *watch, const struct egress_rates *rates, unsigned workers);

/** The packet's sender has proved itself. */
void egress_watch_proved(struct egress_watch *watch, const struct packet *packet);

/** True when the receiver of the packet has. */
bool egress_watch_is_proved(struct egress_watch *watch, const struct packet *packet);

/** True when an answer of so many bytes is no longer a frame than what came. */
bool egress_watch_fits(uint32_t bytes, uint32_t came);

/** Pays for a packet to that side; false when there is nothing to pay with. */
bool egress_watch_pay(
		struct egress_watch *watch, const struct packet *packet, enum side to, ticks_t now);

#endif
