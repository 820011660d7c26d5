/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which client addresses completed a connection lately (Linux tcp_peer_is_proven): mode 0 keeps the
 * last quarter of its syn queue for them. A cache: a newer client may push an older one out, and it
 * forgets after an hour (TCP_METRICS_TIMEOUT). One worker's.
 */
#ifndef SLUICE_TABLE_PROVEN_H
#define SLUICE_TABLE_PROVEN_H

#include "base/siphash.h"
#include "base/ticks.h"
#include "net/tuple.h"

#define PROVEN_CELLS 4096
#define PROVEN_S 3600

struct proven_cell {
	uint32_t tag;	  /**< other bits of the address's hash */
	uint32_t until_s; /**< 0: empty */
};

struct proven {
	struct siphash_key seed;
	struct proven_cell cells[PROVEN_CELLS];
};

/** Empty. seed: secret, or addresses could be chosen to push others out. */
void proven_init(struct proven *proven, const struct siphash_key *seed);

/** Notes that a client completed a connection. */
void proven_note(struct proven *proven, const union ip_addr *client, ticks_t now);

/** True when it did within the hour; a stranger is taken for it once in 2^32. */
bool proven_has(const struct proven *proven, const union ip_addr *client, ticks_t now);

#endif
