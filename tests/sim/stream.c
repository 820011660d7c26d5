/* SPDX-License-Identifier: BSD-3-Clause */
#include "stream.h"

uint64_t
stream_key(uint64_t seed, unsigned client, uint16_t port, uint32_t isn)
{
	uint64_t state = seed ^ (uint64_t)isn << 32 ^ (uint64_t)client << 16 ^ port;

	return packet_random(&state);
}

/* Eight bytes from one number. */
static uint8_t
stream_byte(uint64_t key, enum way way, uint32_t offset)
{
	uint64_t state = key + ((uint64_t)way << 62) + (uint64_t)(offset / 8) * 0x9e37;

	return (uint8_t)(packet_random(&state) >> 8 * (offset % 8));
}

void
stream_write(uint64_t key, enum way way, uint32_t offset, uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		bytes[i] = stream_byte(key, way, offset + i);
}

bool
stream_is_right(uint64_t key, enum way way, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (bytes[i] != stream_byte(key, way, offset + i))
			return false;
	return true;
}

/* Mostly a few segments; sometimes nothing, one byte, or many windows. */
static uint32_t
draw_length(struct dice *dice)
{
	switch (dice_below(dice, 8)) {
	case 0:
		return 0;
	case 1:
		return dice_between(dice, 1, 4);
	case 2:
		return dice_between(dice, 10000, 60000);
	default:
		return dice_between(dice, 1, 6000);
	}
}

struct dialogue
dialogue_of(uint64_t key)
{
	struct dice dice = {key ^ 0x6469616c6f677565};
	struct dialogue dialogue = {.order = dice_below(&dice, ORDER_COUNT)};
	/* Aborts are one in eight. */
	uint32_t end = dice_below(&dice, 16);

	dialogue.length[WAY_TO_BACKEND] = draw_length(&dice);
	dialogue.length[WAY_TO_CLIENT] = draw_length(&dice);
	dialogue.end = end < 2 ? END_ABORT_BY_CLIENT + end : end % END_ABORT_BY_CLIENT;
	if (dice_chance(&dice, 150)) {
		dialogue.read_size = dice_between(&dice, 500, 5000);
		dialogue.read_pause = dice_between(&dice, 1, 200) * TICKS_PER_MS;
	}
	if (dice_chance(&dice, 300))
		dialogue.backend_think = dice_between(&dice, 1, 2000) * TICKS_PER_MS;
	return dialogue;
}
