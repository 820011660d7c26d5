/* SPDX-License-Identifier: BSD-3-Clause */
/* From the ports to the workers and back. */
#include <stdlib.h>
#include <string.h>

#include "appliance.h"

/* A hand-off ring's room. */
#define STEERED_MAX 16

static void
frames_push(struct frames *frames, struct frame *frame)
{
	if (frames->count == frames->room) {
		frames->room = frames->room == 0 ? BURST_MAX : 2 * frames->room;
		frames->at = realloc(frames->at, frames->room * sizeof(frames->at[0]));
		if (frames->at == NULL)
			abort();
	}
	frames->at[frames->count++] = frame;
}

/* Forgets the first so many, which have gone elsewhere. */
static void
frames_shift(struct frames *frames, unsigned count)
{
	if (count == 0)
		return;
	frames->count -= count;
	memmove(frames->at, frames->at + count, frames->count * sizeof(frames->at[0]));
}

static void
frames_lose(struct frames *frames)
{
	for (unsigned i = 0; i < frames->count; i++)
		frame_free(frames->at[i]);
	frames->count = 0;
}

void
frames_fini(struct frames *frames)
{
	frames_lose(frames);
	free(frames->at);
}

static enum place
place_of(enum side side)
{
	return side == SIDE_CLIENT ? PLACE_CLIENT : PLACE_BACKEND;
}

void
port_send(struct port *port, struct frame *frame, const char *note)
{
	struct appliance *appliance = port->appliance;
	ticks_t now = appliance->clock->now;

	if (!plan_has_fault(appliance->plan, FAULT_NO_SENDING, port->side, now)) {
		link_send(port->out, frame, note);
		return;
	}
	trace_packet(appliance->checker->trace, now, PLACE_SLUICE, place_of(port->side), frame,
			note, "refused by the port");
	frame_free(frame);
}

/* A burst for one worker: its frames, and how they came. */
struct port_burst {
	struct burst burst;
	struct frame *frames[BURST_MAX];
	struct frame *came[BURST_MAX];
};

static void
trace_end(const struct appliance *appliance, enum side from, const struct frame *came,
		enum reason reason, const char *fate)
{
	trace_packet(appliance->checker->trace, appliance->clock->now, place_of(from), PLACE_SLUICE,
			came, reason_name(reason), fate);
}

static void
frame_leave(struct appliance *appliance, enum side from, struct frame *came, struct frame *frame,
		const struct pkt *pkt)
{
	enum reason reason = (enum reason)pkt->reason;
	enum verdict verdict = reason_verdict(reason);
	enum side out = verdict == VERDICT_REPLY ? from : side_other(from);

	checker_taken(appliance->checker, from, came, frame, reason);
	switch (verdict) {
	case VERDICT_HOLD:
		trace_end(appliance, from, came, reason, "held");
		break;
	case VERDICT_DROP:
		trace_end(appliance, from, came, reason, "dropped");
		frame_free(frame);
		break;
	default:
		port_send(&appliance->ports[out], frame, reason_name(reason));
		break;
	}
	frame_free(came);
}

/* Both directions of a client's packets go to the same worker; what can't be read, to the first. */
static unsigned
owner_of(const struct port *port, const struct frame *frame)
{
	struct packet packet;

	if (port->appliance->plan->workers == 1 || !frame_read(frame, &packet))
		return 0;
	return (port->side == SIDE_CLIENT ? packet.source_port : packet.destination_port) %
	       port->appliance->plan->workers;
}

static bool
frame_is_syn(const struct frame *frame)
{
	struct packet packet;

	return frame_read(frame, &packet) && packet.flags == PACKET_SYN;
}

/* Steps of handshakes go before SYNs, as in the burst. */
static void
watch_burst(const struct core *core, const struct port_burst *taken)
{
	struct queue_watch *watch = &core->appliance->watch;

	appliance_watch_call(core->appliance);
	if (taken->burst.from != SIDE_CLIENT)
		return;
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < taken->burst.count; i++)
			if (frame_is_syn(taken->came[i]) == (pass == 1))
				queue_watch_taken(watch, core->worker, taken->came[i],
						taken->frames[i], &taken->burst.pkts[i]);
}

static void
core_burst(struct core *core, struct port_burst *taken)
{
	struct appliance *appliance = core->appliance;

	appliance->lent += (int)taken->burst.count;
	sluice_burst(core->worker, &taken->burst, appliance->clock->now);
	for (unsigned i = 0; i < taken->burst.count; i++) {
		/* What was not held is ours again; of what was, nothing may be looked at. */
		if (reason_verdict((enum reason)taken->burst.pkts[i].reason) == VERDICT_HOLD)
			continue;
		taken->frames[i]->length = taken->burst.pkts[i].len;
		appliance->lent--;
	}
	watch_burst(core, taken);
	for (unsigned i = 0; i < taken->burst.count; i++)
		frame_leave(appliance, taken->burst.from, taken->came[i], taken->frames[i],
				&taken->burst.pkts[i]);
	appliance_check_workers(appliance);
	core_set_tick(core);
}

static void
burst_add(struct port_burst *taken, struct frame *frame, bool nic_verifies)
{
	unsigned i = taken->burst.count++;

	taken->frames[i] = frame;
	taken->came[i] = frame_copy(frame);
	taken->burst.pkts[i] = (struct pkt){
			.data = frame->bytes,
			.owner = frame,
			.len = frame->length,
			.tailroom = (uint16_t)(FRAME_ROOM - frame->length),
	};
	if (nic_verifies)
		taken->burst.pkts[i].csum = frame->is_corrupted ? PKT_CSUM_UNKNOWN : PKT_CSUM_GOOD;
}

static void core_take(void *context, void *subject);

static void
core_call(struct core *core)
{
	if (core->is_called)
		return;
	core->is_called = true;
	clock_at(core->appliance->clock, core_wakes_at(core), core_take, core, NULL);
}

static void
box_take(struct box *box)
{
	struct port_burst taken = {.burst.from = box->from};
	unsigned count = box->frames.count < BURST_MAX ? box->frames.count : BURST_MAX;

	if (count == 0)
		return;
	if (box->core->appliance->saved != NULL) {
		frames_lose(&box->frames);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		burst_add(&taken, box->frames.at[i], box->core->appliance->plan->nic_verifies);
	frames_shift(&box->frames, count);
	core_burst(box->core, &taken);
}

static void
core_take(void *context, void *subject)
{
	struct core *core = context;

	(void)subject;
	core->is_called = false;
	box_take(&core->boxes[SIDE_CLIENT]);
	box_take(&core->boxes[SIDE_BACKEND]);
	if (core->boxes[SIDE_CLIENT].frames.count > 0 || core->boxes[SIDE_BACKEND].frames.count > 0)
		core_call(core);
}

void
core_listen(struct core *core, struct appliance *appliance)
{
	core->appliance = appliance;
	for (enum side side = 0; side < SIDE_COUNT; side++)
		core->boxes[side] = (struct box){.core = core, .from = side};
}

static void
box_put(struct box *box, struct frame *frame)
{
	frames_push(&box->frames, frame);
	core_call(box->core);
}

static void
steered_arrives(void *context, void *subject)
{
	struct box *box = context;

	box->steered--;
	box_put(box, subject);
}

static void
frame_steer(struct box *box, struct frame *frame)
{
	struct appliance *appliance = box->core->appliance;
	ticks_t delay = dice_roll(appliance->dice) % (STEER_DELAY_MAX + 1);

	if (box->steered == STEERED_MAX) {
		appliance->checker->packets++;
		sluice_refuse(box->core->worker, box->from, REASON_steer_full);
		trace_end(appliance, box->from, frame, REASON_steer_full, "dropped");
		frame_free(frame);
		return;
	}
	box->steered++;
	clock_at(appliance->clock, appliance->clock->now + delay, steered_arrives, box, frame);
}

static void
port_poll(struct port *port)
{
	struct appliance *appliance = port->appliance;
	unsigned count = port->frames.count < BURST_MAX ? port->frames.count : BURST_MAX;

	if (appliance->saved != NULL) {
		frames_lose(&port->frames);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct frame *frame = port->frames.at[i];
		struct box *box = &appliance->cores[owner_of(port, frame)].boxes[port->side];

		if (appliance->plan->workers > 1 &&
				dice_chance(appliance->dice, appliance->plan->missteered))
			frame_steer(box, frame);
		else
			box_put(box, frame);
	}
	frames_shift(&port->frames, count);
}

static void
appliance_poll(void *context, void *subject)
{
	struct appliance *appliance = context;
	struct port *ports = appliance->ports;

	(void)subject;
	appliance->is_polling = false;
	port_poll(&ports[SIDE_CLIENT]);
	port_poll(&ports[SIDE_BACKEND]);
	if (ports[SIDE_CLIENT].frames.count != 0 || ports[SIDE_BACKEND].frames.count != 0) {
		appliance->is_polling = true;
		clock_at(appliance->clock, appliance->clock->now, appliance_poll, appliance, NULL);
	}
}

void
appliance_receive(void *context, struct frame *frame)
{
	struct port *port = context;
	struct appliance *appliance = port->appliance;
	ticks_t wait;

	frames_push(&port->frames, frame);
	if (appliance->is_polling)
		return;
	appliance->is_polling = true;
	wait = dice_roll(appliance->dice) % (appliance->plan->poll_interval + 1);
	clock_at(appliance->clock, appliance->clock->now + wait, appliance_poll, appliance, NULL);
}
