/* SPDX-License-Identifier: BSD-3-Clause */
/* Where secrets come from: the operator's file, else the kernel. Without randomness no start. */
#ifndef SLUICE_APP_KEYS_H
#define SLUICE_APP_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/siphash.h"

/** Random, and the same from start to end. */
struct keys {
	struct siphash_key cookie_secret; /**< counts while no file is configured */
	struct siphash_key hash_seed;
	uint64_t snapshot_seed;
};

/** Fills keys, and checks that secret_file can be read unless that is NULL. False when not, already
 * said. */
bool keys_init(struct keys *keys, const char *secret_file);

/**
 * The secret behind all cookies: from secret_file (32 hexadecimal digits, readable by its owner
 * only), or the random one when that is NULL. False with a message of at most size bytes when it
 * can't be had.
 */
bool keys_secret(const struct keys *keys, const char *secret_file, struct siphash_key *secret,
		char *message, size_t size);

/** Leaves no secret behind in memory. */
void keys_wipe(struct keys *keys);

#endif
