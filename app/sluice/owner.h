/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker owns a connection: the one to which a NIC with symmetric RSS would bring it, so
 * that with such a NIC no packet has to change hands. Pure; kept in step with port.c, which
 * gives NICs the key and the redirection table assumed here.
 *
 * RSS is a Toeplitz hash: input bit i selects 32 key bits starting at key bit i. Our key
 * repeats every 16 bits, so a 16-bit word selects the same bits wherever it stands, and the
 * hash of an address pair and a port pair is the hash of the exclusive or of all their words:
 * symmetric, and cheap to compute here.
 */
#ifndef SLUICE_APP_OWNER_H
#define SLUICE_APP_OWNER_H

#include "net/tuple.h"

/** The key's repeated byte pair. An odd number of ones spreads single-bit differences. */
#define OWNER_KEY_WORD 0x6d5au
/** Redirection table size that ports without a table of their own count as having. */
#define OWNER_TABLE_DEFAULT 128

/** The RSS hash of the tuple's addresses and ports under the repeated key. */
static inline uint32_t
owner_hash(const struct tuple *tuple)
{
	const union ip_addr *client = &tuple->client, *backend = &tuple->backend;
	const uint32_t key = OWNER_KEY_WORD << 16 | OWNER_KEY_WORD;
	uint32_t words_be = client->words_be[3] ^ backend->words_be[3];
	uint32_t hash = 0;

	if (tuple->family == FAMILY_IP6)
		words_be ^= client->words_be[0] ^ client->words_be[1] ^ client->words_be[2] ^
			    backend->words_be[0] ^ backend->words_be[1] ^ backend->words_be[2];

	const uint32_t words = __builtin_bswap32(words_be);
	const uint32_t word =
			(words >> 16 ^ words ^ tuple->client_port ^ tuple->backend_port) & 0xffff;

	for (unsigned bit = 0; bit < 16; bit++)
		if (word & 0x8000u >> bit)
			hash ^= bit == 0 ? key : key << bit | key >> (32 - bit);
	return hash;
}

/** The owner among count workers; table_size entries, a power of two, dealt round. */
static inline unsigned
owner_of(const struct tuple *tuple, unsigned table_size, unsigned count)
{
	return (owner_hash(tuple) & (table_size - 1)) % count;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "owner_hash swaps address words");

#endif
