/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 after figure 2.1 of the paper: two rounds per message word, four to finish.
 * siphash() assembles its words from bytes; siphash_words() gets them ready made.
 */
#include "base/siphash.h"

#include "base/siphash_rounds.h"

#include <endian.h>
#include <string.h>

static inline uint64_t
load_le64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

struct siphash_key
siphash_key_load(const uint8_t bytes[16])
{
	return (struct siphash_key){.k0 = load_le64(bytes), .k1 = load_le64(bytes + 8)};
}

uint64_t
siphash(const struct siphash_key *key, const void *data, size_t length)
{
	struct sip_state s = sip_start(key);
	const uint8_t *at = data;
	size_t left = length;
	uint64_t last = (uint64_t)length << 56;

	for (; left >= 8; at += 8, left -= 8)
		sip_compress(&s, load_le64(at));
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_compress(&s, last);
	return sip_finish(&s);
}

uint64_t
siphash_words(const struct siphash_key *key, const uint64_t *words, unsigned count)
{
	return sip_words(key, words, count);
}
