/* SPDX-License-Identifier: BSD-3-Clause */
/* Where secrets come from: the operator's file, else the kernel. Without randomness no start. */
#ifndef SLUICE_APP_KEYS_H
#define SLUICE_APP_KEYS_H

#include <stdbool.h>

#include "base/siphash.h"

struct keys {
	struct siphash_key cookie_secret;
	struct siphash_key hash_seed;
	uint64_t snapshot_seed;
};

/**
 * Fills keys; the cookie secret from secret_file (32 hexadecimal digits, readable by its owner
 * only) unless that is NULL. False when it can't, already said.
 */
bool keys_init(struct keys *keys, const char *secret_file);

/** Leaves no secret behind in memory. */
void keys_wipe(struct keys *keys);

#endif
