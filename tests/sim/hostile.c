/* SPDX-License-Identifier: BSD-3-Clause */
#include "hostile.h"

#include <string.h>

#define ATTACK_S 30

/* A wave takes less than a round trip: who is half open then may have to make way for it. */
#define WAVE_MS 5000
#define WAVE_LENGTH_MS 40

#define WINDOW_REACH 30000
#define FAR 0x40000000

static void
hostile_send(struct hostile *hostile, const struct packet *packet)
{
	link_send(hostile->out, frame_of(packet, ORIGIN_HOSTILE, 0), "");
}

static void
add_tags(const struct hostile *hostile, struct packet *packet)
{
	for (unsigned i = hostile->plan->vlans; i > 0; i--)
		packet_add_vlan(packet, i == 2 ? 0x88a8 : 0x8100, (uint16_t)(10 * i));
}

static uint16_t
random_port(struct hostile *hostile)
{
	return (uint16_t)dice_between(hostile->dice, 1024, 65535);
}

/* From 198.18.0.0/15 or 2001:db8::/32; one in eight with an honest client's address. */
static struct packet
packet_from_anywhere(struct hostile *hostile)
{
	unsigned client = dice_below(hostile->dice, CLIENTS_MAX);
	struct packet packet = address_packet(
			client, random_port(hostile), dice_below(hostile->dice, BACKENDS));
	uint64_t bits = dice_roll(hostile->dice);

	mac_router(packet.ether_source);
	add_tags(hostile, &packet);
	packet.seq = (uint32_t)dice_roll(hostile->dice);
	if (dice_below(hostile->dice, 8) == 0)
		return packet;
	if (packet.ip_version == 4) {
		memcpy(packet.source, (const uint8_t[]){198, 18}, 2);
		memcpy(packet.source + 2, &bits, 2);
	} else {
		memcpy(packet.source, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
		memcpy(packet.source + 8, &bits, 8);
	}
	return packet;
}

static void
flood(void *context, void *subject)
{
	struct hostile *hostile = context;
	struct packet packet = packet_from_anywhere(hostile);

	(void)subject;
	packet.flags = PACKET_SYN;
	if (dice_chance(hostile->dice, 500)) {
		packet_add_mss(&packet, 1460);
		packet_add_sack_permitted(&packet);
		packet_add_timestamp(&packet, (uint32_t)dice_roll(hostile->dice), 0);
		packet_add_wscale(&packet, (uint8_t)dice_below(hostile->dice, 16));
	}
	hostile_send(hostile, &packet);
}

/* With the sender of an honest client's present connection. */
static struct packet
packet_as_client(struct hostile *hostile, const struct host_client *client)
{
	const struct packet *header = &client->app.endpoint.header;
	struct packet packet = address_packet(client->number, header->source_port,
			hostile->plan->client[client->number].slot);

	mac_router(packet.ether_source);
	add_tags(hostile, &packet);
	packet.seq = (uint32_t)dice_roll(hostile->dice);
	/* Far from any window, which a random one would hit now and then. */
	packet.ack = client->app.endpoint.rcv_nxt + FAR + dice_below(hostile->dice, FAR);
	return packet;
}

static const struct host_client *
any_victim(struct hostile *hostile)
{
	const struct host_client *client =
			&hostile->clients[dice_below(hostile->dice, hostile->plan->clients)];

	return client->has_ended ? NULL : client;
}

static void
forge(void *context, void *subject)
{
	struct hostile *hostile = context;
	const struct host_client *victim = any_victim(hostile);
	struct packet packet = victim != NULL && dice_chance(hostile->dice, 500)
					       ? packet_as_client(hostile, victim)
					       : packet_from_anywhere(hostile);

	(void)subject;
	packet.flags = PACKET_ACK;
	packet.ack = (uint32_t)dice_roll(hostile->dice);
	if (dice_chance(hostile->dice, 500))
		packet_add_timestamp(&packet, (uint32_t)dice_roll(hostile->dice),
				(uint32_t)dice_roll(hostile->dice));
	hostile_send(hostile, &packet);
}

static void
shoot(void *context, void *subject)
{
	static const uint8_t flags[] = {PACKET_RST, PACKET_RST | PACKET_ACK, PACKET_SYN,
			PACKET_FIN | PACKET_ACK, PACKET_ACK, PACKET_SYN | PACKET_ACK};
	static const uint8_t text[] = "not what the client wrote";
	struct hostile *hostile = context;
	const struct host_client *victim = any_victim(hostile);
	struct packet packet;

	(void)subject;
	if (victim == NULL)
		return;
	packet = packet_as_client(hostile, victim);
	packet.flags = flags[dice_below(hostile->dice, 6)];
	/* Half of them inside the window, but never at its edge. */
	if (dice_chance(hostile->dice, 500))
		packet.seq = victim->app.endpoint.max +
			     dice_between(hostile->dice, 1, WINDOW_REACH);
	if (packet.flags == PACKET_ACK) {
		packet.payload = text;
		packet.payload_length = sizeof(text);
	}
	hostile_send(hostile, &packet);
}

void
hostile_overhear(void *context, const struct frame *frame)
{
	struct hostile *hostile = context;
	struct frame **place;

	if (hostile->plan->replays == 0 || frame->origin != ORIGIN_HONEST)
		return;
	place = &hostile->overheard[hostile->overheard_count++ % OVERHEARD_MAX];
	frame_free(*place);
	*place = frame_copy(frame);
}

/* A segment of a connection that still lives, other than its SYN. An older one's proof, while its
 * cookie is good, would begin a new connection in the client's name: from who can overhear
 * it, nothing protects (see the threat model in lib/README.md). */
static bool
is_harmless(const struct hostile *hostile, const struct frame *frame)
{
	struct packet packet;
	int client = -1;

	if (frame_read(frame, &packet))
		client = address_client_number(packet.source, packet.ip_version);
	return client >= 0 && !hostile->clients[client].has_ended &&
	       frame->life == hostile->clients[client].app.endpoint.iss &&
	       !(packet.flags & PACKET_SYN);
}

static void
replay(void *context, void *subject)
{
	struct hostile *hostile = context;
	unsigned kept = hostile->overheard_count < OVERHEARD_MAX ? hostile->overheard_count
								 : OVERHEARD_MAX;
	struct frame *frame;

	(void)subject;
	if (kept == 0)
		return;
	frame = hostile->overheard[dice_below(hostile->dice, kept)];
	if (!is_harmless(hostile, frame))
		return;
	frame = frame_copy(frame);
	frame->origin = ORIGIN_HOSTILE;
	frame->life = 0;
	link_send(hostile->out, frame, "");
}

/* With data, with flags that exclude each other, with options of any length or kind. */
static void
be_odd(void *context, void *subject)
{
	static const uint8_t text[] = "a request that nobody has agreed to hear";
	struct hostile *hostile = context;
	struct packet packet = packet_from_anywhere(hostile);

	(void)subject;
	packet.flags = PACKET_SYN;
	switch (dice_below(hostile->dice, 4)) {
	case 0:
		packet.payload = text;
		packet.payload_length = dice_between(hostile->dice, 1, sizeof(text));
		break;
	case 1:
		packet.flags |= (uint8_t)dice_below(hostile->dice, 256);
		break;
	case 2:
		packet.options_length = 4 * dice_between(hostile->dice, 0, 10);
		for (unsigned i = 0; i < packet.options_length; i++)
			packet.options[i] = (uint8_t)dice_below(hostile->dice, 36);
		break;
	default:
		break;
	}
	hostile_send(hostile, &packet);
}

/* Any moment of the attack; or one within a wave. */
static ticks_t
draw_moment(struct hostile *hostile, bool in_waves)
{
	uint32_t ms = dice_between(hostile->dice, 0, ATTACK_S * 1000);

	return hostile->clock->now +
	       (in_waves ? ms / WAVE_MS * WAVE_MS + ms % WAVE_LENGTH_MS : ms) * TICKS_PER_MS;
}

static void
attack(struct hostile *hostile, uint32_t count, bool in_waves,
		void (*fire)(void *context, void *subject))
{
	for (uint32_t i = 0; i < count; i++)
		clock_at(hostile->clock, draw_moment(hostile, in_waves), fire, hostile, NULL);
}

void
hostile_start(struct hostile *hostile)
{
	attack(hostile, hostile->plan->floods, hostile->plan->floods_in_waves, flood);
	attack(hostile, hostile->plan->forgeries, false, forge);
	attack(hostile, hostile->plan->blind_shots, false, shoot);
	attack(hostile, hostile->plan->replays, false, replay);
	attack(hostile, hostile->plan->oddities, false, be_odd);
}

void
hostile_fini(struct hostile *hostile)
{
	for (unsigned i = 0; i < OVERHEARD_MAX; i++)
		frame_free(hostile->overheard[i]);
}
