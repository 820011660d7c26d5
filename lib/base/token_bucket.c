/* SPDX-License-Identifier: BSD-3-Clause */
#include "token_bucket.h"

bool
token_bucket_take(struct token_bucket *bucket, const struct token_rate *rate, ticks_t now)
{
	ticks_t full_at = (bucket->full_at > now ? bucket->full_at : now) + rate->each;

	if (full_at - now > rate->each * rate->burst)
		return false;
	bucket->full_at = full_at;
	return true;
}
