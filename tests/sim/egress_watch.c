/* SPDX-License-Identifier: BSD-3-Clause */
#include "egress_watch.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 256

/* A SYN-ACK has an MSS option, whether the SYN had one or not. */
#define ANSWER_BYTES_MORE 4

static uint64_t
hash_of(const uint8_t address[16], unsigned ip_version)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof(halves));
	halves[0] ^= halves[1] * 0x9e3779b97f4a7c15 + ip_version;
	return packet_random(&halves[0]);
}

/* Where the address is, or would be. */
static struct egress *
place_of(const struct egress_watch *watch, const uint8_t address[16], unsigned ip_version)
{
	uint64_t at = hash_of(address, ip_version);

	for (;; at++) {
		struct egress *place = &watch->places[at & (watch->room - 1)];

		if (place->ip_version == 0 ||
				(place->ip_version == ip_version &&
						memcmp(place->address, address, 16) == 0))
			return place;
	}
}

static void
grow(struct egress_watch *watch)
{
	struct egress_watch larger = {.count = watch->count};

	larger.room = watch->room == 0 ? ROOM_FIRST : 2 * watch->room;
	larger.places = calloc(larger.room, sizeof(larger.places[0]));
	if (larger.places == NULL)
		abort();
	for (unsigned i = 0; i < watch->room; i++) {
		const struct egress *old = &watch->places[i];

		if (old->ip_version != 0)
			*place_of(&larger, old->address, old->ip_version) = *old;
	}
	free(watch->places);
	*watch = larger;
}

static struct egress *
find(struct egress_watch *watch, const uint8_t address[16], unsigned ip_version)
{
	struct egress *place;

	if (watch->count >= watch->room / 2)
		grow(watch);
	place = place_of(watch, address, ip_version);
	if (place->ip_version == 0) {
		memcpy(place->address, address, sizeof(place->address));
		place->ip_version = ip_version;
		watch->count++;
	}
	return place;
}

void
egress_watch_fini(struct egress_watch *watch)
{
	free(watch->places);
}

void
egress_watch_got(struct egress_watch *watch, const struct packet *packet, uint32_t bytes,
		bool proves)
{
	struct egress *from = find(watch, packet->source, packet->ip_version);

	from->got_bytes += bytes;
	from->got_packets++;
	from->is_proved = from->is_proved || proves;
}

bool
egress_watch_sent(struct egress_watch *watch, const struct packet *packet, uint32_t bytes,
		unsigned repeats)
{
	struct egress *to = find(watch, packet->destination, packet->ip_version);

	to->sent_bytes += bytes;
	return to->is_proved ||
	       to->sent_bytes <= (to->got_bytes + to->got_packets * ANSWER_BYTES_MORE) *
						 (1 + repeats);
}
