/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A token bucket as one number: the time at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371). All zero is a full bucket; nothing has to fill it up.
 */
#ifndef SLUICE_BASE_TOKEN_BUCKET_H
#define SLUICE_BASE_TOKEN_BUCKET_H

#include <stdbool.h>

#include "base/ticks.h"

struct token_bucket {
	ticks_t full_at; /**< in the past: it is full */
};

struct token_rate {
	ticks_t each;	/**< until another token is there; at least 1 */
	uint32_t burst; /**< tokens of a full bucket; at least 1 */
};

/** Takes a token if there is one. now must not go backwards. */
bool token_bucket_take(struct token_bucket *bucket, const struct token_rate *rate, ticks_t now);

#endif
