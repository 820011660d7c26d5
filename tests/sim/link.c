/* SPDX-License-Identifier: BSD-3-Clause */
#include "link.h"

static void
link_deliver(void *context, void *subject)
{
	struct link *link = context;

	link->deliver(link->context, subject);
}

/* Ethernet's own checksum guards the MAC addresses, the tags and the EtherType. */
static uint32_t
guarded_bytes(const struct frame *frame)
{
	uint32_t type_at = 12;

	while (frame->bytes[type_at] == 0x81 || frame->bytes[type_at + 1] == 0xa8)
		type_at += 4;
	return type_at + 2;
}

/* One byte changed is always seen; with two, the sums might come out right again. */
static void
frame_corrupt(struct frame *frame, struct dice *dice)
{
	uint32_t at = dice_between(dice, guarded_bytes(frame), frame->length - 1);

	if (frame->is_corrupted)
		return;
	frame->bytes[at] ^= (uint8_t)dice_between(dice, 1, 255);
	frame->is_corrupted = true;
}

static ticks_t
time_of(const struct link_quality *quality, uint64_t bytes)
{
	return bytes * TICKS_PER_MS / quality->bytes_per_ms;
}

ticks_t
link_life(const struct link_quality *quality)
{
	ticks_t life = quality->delay + quality->jitter;

	if (quality->bytes_per_ms != 0)
		life += time_of(quality, quality->queue_bytes + FRAME_ROOM);
	return life;
}

/* False when the queue before the bottleneck has no room for the frame. */
static bool
link_queue(struct link *link, const struct frame *frame)
{
	const struct link_quality *quality = &link->quality;
	ticks_t now = link->clock->now;

	if (quality->bytes_per_ms == 0)
		return true;
	if (link->busy_until < now)
		link->busy_until = now;
	if (link->busy_until - now > time_of(quality, quality->queue_bytes))
		return false;
	link->busy_until += time_of(quality, frame->length);
	return true;
}

static void
link_carry(struct link *link, struct frame *frame)
{
	ticks_t now = link->clock->now;
	ticks_t delay = link->quality.delay;

	if (link->busy_until > now)
		delay += link->busy_until - now;

	if (link->quality.jitter != 0)
		delay += dice_roll(link->dice) % (link->quality.jitter + 1);
	clock_at(link->clock, now + delay, link_deliver, link, frame);
}

void
link_send(struct link *link, struct frame *frame, const char *note)
{
	const struct link_quality *quality = &link->quality;
	const char *fate = "";

	if (link->tap != NULL)
		link->tap(link->tap_context, frame);
	if (!link_queue(link, frame))
		fate = "lost to a full queue";
	else if (dice_chance(link->dice, quality->loss))
		fate = "lost";
	else if (dice_chance(link->dice, quality->duplication))
		fate = "doubled";
	else if (dice_chance(link->dice, quality->corruption))
		fate = "corrupted";
	trace_packet(link->trace, link->clock->now, link->from, link->to, frame, note, fate);
	switch (fate[0]) {
	case 'l':
		frame_free(frame);
		return;
	case 'd':
		link_carry(link, frame_copy(frame));
		break;
	case 'c':
		frame_corrupt(frame, link->dice);
		break;
	default:
		break;
	}
	link_carry(link, frame);
}
