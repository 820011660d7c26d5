/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure functions of one string; what may be there at all, the tables of config_keys.c say. */
#include "control/config_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

const char *
config_string_problem(const json_t *json, int64_t min, int64_t max)
{
	const char *text = json_string_value(json);
	size_t length = json_string_length(json);

	if (!json_is_string(json))
		return "not a string";
	if (length == 0 && min > 0)
		return "empty";
	if ((int64_t)length > max)
		return "too long";
	for (size_t i = 0; i < length; i++) {
		if ((uint8_t)text[i] < ' ' || text[i] == 0x7f)
			return "contains a NUL or other control character";
	}
	return NULL;
}

const char *
config_name_problem(const json_t *json, int64_t min, int64_t max)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	const char *problem = config_string_problem(json, min, max);
	const char *name = json_string_value(json);

	if (problem != NULL)
		return problem;
	return name[strspn(name, letters)] == '\0' ? NULL : "contains another character";
}

static const char *
ip4_problem(uint32_t ip4_be)
{
	uint32_t address = ntohl(ip4_be);

	if (address == INADDR_ANY)
		return "unspecified address";
	if (address == INADDR_BROADCAST)
		return "broadcast address";
	if (address >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET)
		return "loopback address";
	if (IN_MULTICAST(address))
		return "multicast address";
	return NULL;
}

static const char *
ip6_problem(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		return "unspecified address";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "loopback address";
	if (IN6_IS_ADDR_MULTICAST(address))
		return "multicast address";
	if (IN6_IS_ADDR_V4MAPPED(address))
		return "IPv4-mapped address; write the IPv4 address itself";
	return NULL;
}

const char *
config_address_problem(const json_t *json, union ip_addr *address, uint8_t *family)
{
	const char *problem = config_string_problem(json, 1, INT64_MAX);
	const char *text = json_string_value(json);
	struct in_addr ip4;
	struct in6_addr ip6;

	if (problem != NULL)
		return problem;
	if (inet_pton(AF_INET, text, &ip4) == 1) {
		problem = ip4_problem(ip4.s_addr);
		if (problem == NULL) {
			*address = ip_addr_from_ip4(ip4.s_addr);
			*family = FAMILY_IP4;
		}
		return problem;
	}
	if (inet_pton(AF_INET6, text, &ip6) == 1) {
		problem = ip6_problem(&ip6);
		if (problem == NULL) {
			memcpy(address->bytes, &ip6, sizeof(ip6));
			*family = FAMILY_IP6;
		}
		return problem;
	}
	return "not an address";
}

/* The number behind the slash, 0..most without leading zeros; above most for anything else. */
static unsigned
prefix_length(const char *text, unsigned most)
{
	unsigned length = 0;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0'))
		return most + 1;
	for (; *text >= '0' && *text <= '9' && length <= most; text++)
		length = 10 * length + (unsigned)(*text - '0');
	return *text == '\0' && length <= most ? length : most + 1;
}

/* Either family, all 128 bits; FAMILY_NONE for anything else. */
static enum family
prefix_address(const char *text, union ip_addr *address)
{
	struct in_addr ip4;

	if (inet_pton(AF_INET, text, &ip4) == 1) {
		*address = ip_addr_from_ip4(ip4.s_addr);
		return FAMILY_IP4;
	}
	return inet_pton(AF_INET6, text, address->bytes) == 1 ? FAMILY_IP6 : FAMILY_NONE;
}

static const char *
length_problem(enum family family, unsigned least)
{
	if (family == FAMILY_IP4)
		return least == 0 ? "length not in 0..32" : "length not in 1..32";
	return least == 0 ? "length not in 0..128" : "length not in 1..128";
}

const char *
config_prefix_text(const char *text, size_t length, unsigned least, union ip_addr *address,
		enum family *family, uint8_t *bits)
{
	char copy[CONFIG_PREFIX_BYTES];
	enum family own_family;
	union ip_addr found;
	char *slash;

	if (length >= sizeof(copy) || memchr(text, '\0', length) != NULL)
		return "not a prefix";
	memcpy(copy, text, length);
	copy[length] = '\0';
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	own_family = prefix_address(copy, &found);
	if (own_family == FAMILY_NONE)
		return "not a prefix";

	const unsigned before = own_family == FAMILY_IP4 ? EXEMPT_IP4_BITS : 0;
	const unsigned most = 128 - before;
	const unsigned own = slash != NULL ? prefix_length(slash + 1, most) : most;

	if (own < least || own > most)
		return length_problem(own_family, least);
	if (*family != FAMILY_NONE && own_family != *family)
		return "not of the family of address";
	if (!exempt_is_prefix(&found, before + own))
		return "has bits set behind its length";
	*address = found;
	*family = own_family;
	*bits = (uint8_t)(before + own);
	return NULL;
}
static_assert(CONFIG_PREFIX_BYTES > INET6_ADDRSTRLEN - 1 + sizeof("/128") - 1, "the longest");

const char *
config_prefix_problem(
		const json_t *json, enum family family, union ip_addr *address, uint8_t *length)
{
	const char *problem = config_string_problem(json, 1, INT64_MAX);

	/* All the world is no source that one would except: at least one bit. */
	return problem != NULL ? problem
			       : config_prefix_text(json_string_value(json),
						 json_string_length(json), 1, address, &family,
						 length);
}

bool
config_chooses_cores(const char *argument)
{
	static const char *const options[] = {"lcores", "main-lcore"};

	if (argument[0] != '-')
		return false;
	if (argument[1] != '-')
		return argument[1] == 'l' || argument[1] == 'c';
	for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
		if (strncmp(options[i], argument + 2, strcspn(argument + 2, "=")) == 0)
			return true;
	}
	return false;
}
