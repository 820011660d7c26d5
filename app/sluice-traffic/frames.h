/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames of an order, one after the other, the same for the same order. */
#ifndef SLUICE_TRAFFIC_FRAMES_H
#define SLUICE_TRAFFIC_FRAMES_H

#include "net/cookie.h"
#include "order.h"

#define FRAME_BYTES_MAX (14 + 2 * 4 + 40 + 20 + 20 + ORDER_PAYLOAD_MAX)

struct frames {
	const struct order *order;
	uint64_t random;
	struct jar jar;
};

/** order is borrowed. */
void frames_init(struct frames *frames, const struct order *order);

/** Writes the next one with right checksums into frame; its length. */
size_t frames_next(struct frames *frames, uint8_t frame[FRAME_BYTES_MAX]);

#endif
