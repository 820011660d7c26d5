/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice's own address towards its backends, which only their probe has (proxy/probe.h), and what
 * one worker keeps of the probe of one backend.
 */
#ifndef SLUICE_TABLE_PROBE_CONFIG_H
#define SLUICE_TABLE_PROBE_CONFIG_H

#include "base/ticks.h"
#include "net/tuple.h"

/** One family's; all zero addresses stand for none. */
struct probe_end {
	union ip_addr source; /**< Sluice's own address; none: no backend of the family is probed */
	union ip_addr gateway; /**< towards backends outside the prefix; none: all are on the link
				*/
	uint8_t prefix;	       /**< bits of source that name the link: 0..32, or 0..128 for IPv6 */
};

struct probe_config {
	struct probe_end ip4;
	struct probe_end ip6;
	uint16_t vlan; /**< VID of the 802.1Q tag of its packets; 0: untagged */
};

static inline bool
probe_end_has(const union ip_addr *address)
{
	return (address->halves_be[0] | address->halves_be[1]) != 0;
}

static inline const struct probe_end *
probe_config_end(const struct probe_config *config, uint32_t family)
{
	return family == FAMILY_IP6 ? &config->ip6 : &config->ip4;
}

static inline vlan_tags_t
probe_config_vlan(const struct probe_config *config)
{
	return config->vlan == 0 ? 0 : config->vlan | (vlan_tags_t)VLAN_TAG_8100 << 12;
}

static inline bool
probe_end_is_equal(const struct probe_end *a, const struct probe_end *b)
{
	return ip_addr_is_equal(&a->source, &b->source) &&
	       ip_addr_is_equal(&a->gateway, &b->gateway) && a->prefix == b->prefix;
}

static inline bool
probe_config_is_equal(const struct probe_config *a, const struct probe_config *b)
{
	return probe_end_is_equal(&a->ip4, &b->ip4) && probe_end_is_equal(&a->ip6, &b->ip6) &&
	       a->vlan == b->vlan;
}

enum probe_step {
	PROBE_OFF,	 /**< the backend is not to be probed */
	PROBE_RESOLVING, /**< its next hop's MAC is wanted */
	PROBE_WAITING,	 /**< a SYN is out, or the pause after one lasts */
	PROBE_DONE,	 /**< something was learned since the series began */
};

struct backend_probe {
	ticks_t due;	     /**< when the step is over */
	ticks_t began_at;    /**< the series */
	ticks_t sent_at;     /**< the last SYN; 0: never */
	ticks_t answered_at; /**< the last SYN-ACK; 0: never */
	ticks_t asked_at;    /**< the last question for the MAC */
	uint32_t answers;    /**< SYN-ACKs; wraps */
	uint32_t failures;   /**< SYNs refused, unreachable or unanswered, and next hops that don't
				answer; wraps */
	uint8_t step;	     /**< enum probe_step */
	uint8_t attempt;     /**< of the series, from 0; stops at its largest value */
	uint8_t questions;   /**< for the MAC, of this attempt */
	uint8_t series;	     /**< which configuration of the probe began it */
	bool is_out;	     /**< the last SYN has had no answer yet */
};

#endif
