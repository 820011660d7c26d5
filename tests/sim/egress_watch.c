/* SPDX-License-Identifier: BSD-3-Clause */
#include "egress_watch.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 256

#define NETWORK_KIND 10

/* Shorter frames are padded. */
#define FRAME_MIN 60

#define MILLION UINT64_C(1000000)

static uint64_t
hash_of(const uint8_t address[16], unsigned kind)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof(halves));
	halves[0] ^= halves[1] * 0x9e3779b97f4a7c15 + kind;
	return packet_random(&halves[0]);
}

/* Where the address is, or would be. */
static struct egress *
place_of(const struct egress_watch *watch, const uint8_t address[16], unsigned kind)
{
	uint64_t at = hash_of(address, kind);

	for (;; at++) {
		struct egress *place = &watch->places[at & (watch->room - 1)];

		if (place->kind == 0 ||
				(place->kind == kind && memcmp(place->address, address, 16) == 0))
			return place;
	}
}

static void
grow(struct egress_watch *watch)
{
	struct egress_watch larger = *watch;

	larger.room = watch->room == 0 ? ROOM_FIRST : 2 * watch->room;
	larger.places = calloc(larger.room, sizeof(larger.places[0]));
	if (larger.places == NULL)
		abort();
	for (unsigned i = 0; i < watch->room; i++) {
		const struct egress *old = &watch->places[i];

		if (old->kind != 0)
			*place_of(&larger, old->address, old->kind) = *old;
	}
	free(watch->places);
	*watch = larger;
}

static struct egress *
find(struct egress_watch *watch, const uint8_t address[16], unsigned kind)
{
	struct egress *place;

	if (watch->count >= watch->room / 2)
		grow(watch);
	place = place_of(watch, address, kind);
	if (place->kind == 0) {
		memcpy(place->address, address, sizeof(place->address));
		place->kind = kind;
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
egress_watch_set(struct egress_watch *watch, const struct egress_rates *rates, unsigned workers)
{
	watch->rates = (struct egress_rates){
			rates->network_per_s * workers, rates->side_per_s * workers};
	watch->settings++;
}

void
egress_watch_proved(struct egress_watch *watch, const struct packet *packet)
{
	find(watch, packet->source, packet->ip_version)->is_proved = true;
}

bool
egress_watch_is_proved(struct egress_watch *watch, const struct packet *packet)
{
	return find(watch, packet->destination, packet->ip_version)->is_proved;
}

bool
egress_watch_fits(uint32_t bytes, uint32_t came)
{
	return bytes <= FRAME_MIN || bytes <= came;
}

/* As many at once as come in a second. */
static bool
pay(const struct egress_watch *watch, struct allowance *allowance, uint32_t per_s, ticks_t now)
{
	uint64_t most = per_s * MILLION, more = (now - allowance->at) * per_s;

	if (allowance->since != watch->settings || allowance->millionths + more > most)
		allowance->millionths = most;
	else
		allowance->millionths += more;
	allowance->since = watch->settings;
	allowance->at = now;
	if (allowance->millionths < MILLION)
		return false;
	allowance->millionths -= MILLION;
	return true;
}
static_assert(TICKS_PER_S == 1000000, "a token per second is a millionth per tick");

static struct egress *
network_of(struct egress_watch *watch, const struct packet *packet)
{
	uint8_t first[16] = {0};

	memcpy(first, packet->destination, packet->ip_version == 4 ? 3 : 7);
	return find(watch, first, NETWORK_KIND * packet->ip_version);
}

bool
egress_watch_pay(struct egress_watch *watch, const struct packet *packet, enum side to, ticks_t now)
{
	if (!pay(watch, &watch->sides[to], watch->rates.side_per_s, now))
		return false;
	return to == SIDE_BACKEND ||
	       pay(watch, &network_of(watch, packet)->allowance, watch->rates.network_per_s, now);
}
