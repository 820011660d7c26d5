/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, tuples and other people's words as text, and back: what the control socket's requests
 * and replies have in common. Pure functions.
 */
#ifndef SLUICE_CONTROL_COMMAND_TEXT_H
#define SLUICE_CONTROL_COMMAND_TEXT_H

#include <jansson.h>

#include "net/tuple.h"

/** An address and maybe a port, as text "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1", "fd00::1" or
 * "[fd00::1]". */
struct endpoint {
	union ip_addr address;
	uint8_t family; /**< enum family */
	uint16_t port;	/**< 0: none was given */
};

/** False when text is no address of a host with or without a port 1..65535. IPv4-mapped IPv6 is
 * refused: it would mean the IPv4 address. */
bool endpoint_parse(const char *text, struct endpoint *endpoint);

#define ENDPOINT_TEXT_BYTES 56 /**< brackets, 45 of an IPv6 address, colon, port, NUL */

/** "10.0.0.1:80" or "[fd00::1]:80". */
void endpoint_write(const union ip_addr *address, uint32_t family, uint16_t port,
		char text[ENDPOINT_TEXT_BYTES]);

/** Tags as JSON: null, the VID of a single tag, or "OUTER.INNER". */
json_t *vlan_json(vlan_tags_t vlan);

/** Any text as a JSON string of printable ASCII; other bytes become \xNN. NULL when out of memory.
 */
json_t *plain_json(const char *text, size_t length);

#endif
