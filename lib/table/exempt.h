/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sources that a backend lets through to itself, as a short list of address prefixes: health
 * checkers, that must see the server and not the proxy. Looked at only for backends that have one.
 */
#ifndef SLUICE_TABLE_EXEMPT_H
#define SLUICE_TABLE_EXEMPT_H

#include "net/tuple.h"

#define EXEMPT_MAX 16 /**< prefixes per backend */

/** Bits that stand before an IPv4 address in union ip_addr. */
#define EXEMPT_IP4_BITS 96

/** The prefixes of one backend; how many there are, its owner knows. */
struct exempt_list {
	union ip_addr addresses[EXEMPT_MAX]; /**< bits behind the length are 0 */
	uint8_t lengths[EXEMPT_MAX];	     /**< of 128 bits: IPv4 /24 is 120 */
};

/** True when one of the first count prefixes, at most EXEMPT_MAX, has the address. */
bool exempt_list_has(const struct exempt_list *list, unsigned count, const union ip_addr *address);

/** True when both lists have the same count prefixes in the same order. */
bool exempt_list_is_equal(const struct exempt_list *a, const struct exempt_list *b, unsigned count);

/** True when an address has no bit set behind length bits, 0..128. */
bool exempt_is_prefix(const union ip_addr *address, unsigned length);

#endif
