/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/exempt.h"

#define ADDRESS_BITS 128

/* The bits of byte number i that belong to a prefix of length bits. */
static uint8_t
mask_of(unsigned length, unsigned i)
{
	unsigned bits = length > 8 * i ? length - 8 * i : 0;

	return (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);
}

static bool
prefix_has(const union ip_addr *prefix, unsigned length, const union ip_addr *address)
{
	uint8_t differences = 0;

	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		differences |= (prefix->bytes[i] ^ address->bytes[i]) & mask_of(length, i);
	return differences == 0;
}

bool
exempt_list_has(const struct exempt_list *list, unsigned count, const union ip_addr *address)
{
	for (unsigned i = 0; i < count; i++) {
		if (prefix_has(&list->addresses[i], list->lengths[i], address))
			return true;
	}
	return false;
}

bool
exempt_list_is_equal(const struct exempt_list *a, const struct exempt_list *b, unsigned count)
{
	return memcmp(a->addresses, b->addresses, count * sizeof(a->addresses[0])) == 0 &&
	       memcmp(a->lengths, b->lengths, count * sizeof(a->lengths[0])) == 0;
}

bool
exempt_is_prefix(const union ip_addr *address, unsigned length)
{
	ENSURE(length <= ADDRESS_BITS);
	for (unsigned i = 0; i < sizeof(address->bytes); i++) {
		if ((address->bytes[i] & (uint8_t)~mask_of(length, i)) != 0)
			return false;
	}
	return true;
}
