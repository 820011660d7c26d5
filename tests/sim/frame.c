/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks straight from malloc, so that a sanitizer sees one used after its end. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

struct frame *
frame_new(enum origin origin)
{
	struct frame *frame = malloc(sizeof(*frame));

	if (frame == NULL)
		abort();
	frame->length = 0;
	frame->life = 0;
	frame->origin = origin;
	frame->is_corrupted = false;
	return frame;
}

struct frame *
frame_of(const struct packet *packet, enum origin origin, uint32_t life)
{
	struct frame *frame = frame_new(origin);

	frame->life = life;
	frame->length = (uint32_t)packet_write(packet, frame->bytes, sizeof(frame->bytes));
	return frame;
}

struct frame *
frame_copy(const struct frame *frame)
{
	struct frame *copy = frame_new(frame->origin);

	copy->life = frame->life;
	copy->is_corrupted = frame->is_corrupted;
	copy->length = frame->length;
	memcpy(copy->bytes, frame->bytes, frame->length);
	return copy;
}

/* Sums first: packet_read() believes the lengths. */
bool
frame_read(const struct frame *frame, struct packet *packet)
{
	return packet_checksums_are_right(frame->bytes, frame->length) &&
	       packet_read(packet, frame->bytes, frame->length);
}

void
frame_free(struct frame *frame)
{
	free(frame);
}
