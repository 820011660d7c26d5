/* SPDX-License-Identifier: BSD-3-Clause */
/* inet_pton() and inet_ntop() do the reading; here are ports, brackets and what is left. */
#include "control/command_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* Decimal digits only, 1..65535. */
static bool
port_parse(const char *text, uint16_t *port)
{
	unsigned value = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || value > UINT16_MAX)
			return false;
		value = value * 10 + (unsigned)(*at - '0');
	}
	*port = (uint16_t)value;
	return value >= 1 && value <= UINT16_MAX;
}

static bool
address_parse(const char *text, struct endpoint *endpoint)
{
	struct in6_addr ip6;
	struct in_addr ip4;

	if (inet_pton(AF_INET, text, &ip4) == 1) {
		endpoint->address = ip_addr_from_ip4(ip4.s_addr);
		endpoint->family = FAMILY_IP4;
		return true;
	}
	if (inet_pton(AF_INET6, text, &ip6) != 1 || IN6_IS_ADDR_V4MAPPED(&ip6))
		return false;
	memcpy(endpoint->address.bytes, &ip6, sizeof(ip6));
	endpoint->family = FAMILY_IP6;
	return true;
}

bool
endpoint_parse(const char *text, struct endpoint *endpoint)
{
	char address[ENDPOINT_TEXT_BYTES];
	const char *colon = strrchr(text, ':');
	const char *port = NULL;
	size_t length = strlen(text);

	*endpoint = (struct endpoint){0};
	if (length >= sizeof(address))
		return false;
	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL || strchr(text, '.') != NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
		length = (size_t)(end - text) - 1;
		text++;
	} else if (colon != NULL && strchr(text, ':') == colon) {
		port = colon + 1;
		length = (size_t)(colon - text);
	}
	memcpy(address, text, length);
	address[length] = '\0';
	return address_parse(address, endpoint) &&
	       (port == NULL || port_parse(port, &endpoint->port));
}

void
endpoint_write(const union ip_addr *address, uint32_t family, uint16_t port,
		char text[ENDPOINT_TEXT_BYTES])
{
	char raw[INET6_ADDRSTRLEN] = "?";

	if (family == FAMILY_IP4)
		inet_ntop(AF_INET, &address->words_be[3], raw, sizeof(raw));
	else
		inet_ntop(AF_INET6, address->bytes, raw, sizeof(raw));
	snprintf(text, ENDPOINT_TEXT_BYTES, family == FAMILY_IP4 ? "%s:%u" : "[%s]:%u", raw, port);
}

json_t *
vlan_json(vlan_tags_t vlan)
{
	unsigned outer = vlan & 0xfff, inner = vlan >> 16 & 0xfff;

	if ((vlan >> 12 & 3) == VLAN_TAG_NONE)
		return json_null();
	if ((vlan >> 28 & 3) == VLAN_TAG_NONE)
		return json_integer(outer);
	return json_sprintf("%u.%u", outer, inner);
}

json_t *
plain_json(const char *text, size_t length)
{
	char *plain = malloc(length * 4 + 1);
	char *out = plain;
	json_t *json;

	if (plain == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)text[i];

		if (byte >= ' ' && byte < 0x7f)
			*out++ = (char)byte;
		else
			out += sprintf(out, "\\x%02x", byte);
	}
	*out = '\0';
	json = json_string(plain);
	free(plain);
	return json;
}
