/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Misra-Gries with weights: what finds no place takes its weight from all that have one, until a
 * place is free or nothing is left of it.
 */
#include "control/sources.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SHARE_LEAST 20 /* one in so many SYNs */

/* IPv4 sits in the last four bytes. */
static union ip_addr
network_of(const struct syn_sample *sample)
{
	union ip_addr network = sample->client;
	const unsigned kept = sample->family == FAMILY_IP4 ? 15 : 6;

	memset(&network.bytes[kept], 0, sizeof(network.bytes) - kept);
	return network;
}

static void
summary_add(struct sources *sources, const struct source *arrival)
{
	struct source *place = NULL;
	uint64_t least = arrival->weight;

	for (unsigned i = 0; i < SOURCES_TRACKED; i++) {
		struct source *tracked = &sources->tracked[i];

		if (tracked->weight == 0) {
			place = place != NULL ? place : tracked;
		} else if (tracked->family == arrival->family &&
				ip_addr_is_equal(&tracked->network, &arrival->network)) {
			tracked->weight += arrival->weight;
			return;
		} else if (tracked->weight < least) {
			least = tracked->weight;
		}
	}
	if (place != NULL) {
		*place = *arrival;
		return;
	}
	for (unsigned i = 0; i < SOURCES_TRACKED; i++) {
		struct source *tracked = &sources->tracked[i];

		tracked->weight -= least;
		if (tracked->weight == 0)
			place = tracked;
	}
	if (place != NULL && arrival->weight > least) {
		*place = *arrival;
		place->weight -= least;
	}
}

/* Its place, or SOURCES_BACKENDS. */
static unsigned
summary_index(const struct sources_pool *pool, uint32_t slot)
{
	unsigned i = 0;

	while (i < SOURCES_BACKENDS && (pool->all[i].last == 0 || pool->all[i].slot != slot))
		i++;
	return i;
}

const struct sources *
sources_find(const struct sources_pool *pool, uint32_t slot)
{
	const unsigned i = summary_index(pool, slot);

	return i < SOURCES_BACKENDS ? &pool->all[i] : NULL;
}

void
sources_forget(struct sources_pool *pool, uint32_t slot)
{
	const unsigned i = summary_index(pool, slot);

	if (i < SOURCES_BACKENDS)
		pool->all[i] = (struct sources){0};
}

/* The place of the one that got no sample for longest. */
static struct sources *
summary_oldest(struct sources_pool *pool)
{
	struct sources *sources = &pool->all[0];

	for (unsigned i = 1; i < SOURCES_BACKENDS; i++)
		if (pool->all[i].last < sources->last)
			sources = &pool->all[i];
	return sources;
}

void
sources_add(struct sources_pool *pool, const struct syn_sample *sample, ticks_t now)
{
	const struct source arrival = {
			.network = network_of(sample),
			.weight = sample->weight,
			.family = sample->family,
	};
	const unsigned found = summary_index(pool, sample->slot);
	struct sources *sources =
			found < SOURCES_BACKENDS ? &pool->all[found] : summary_oldest(pool);

	if (found == SOURCES_BACKENDS || now - sources->last >= SOURCES_QUIET_S * TICKS_PER_S)
		*sources = (struct sources){.slot = sample->slot, .began = now};
	sources->last = now;
	sources->total += sample->weight;
	summary_add(sources, &arrival);
}

/* The heaviest network with less weight than before, or the next of the same weight. */
static const struct source *
heaviest_after(const struct sources *sources, const struct source *before)
{
	const struct source *found = NULL;

	for (unsigned i = 0; i < SOURCES_TRACKED; i++) {
		const struct source *one = &sources->tracked[i];

		if (before != NULL &&
				(one->weight > before->weight ||
						(one->weight == before->weight && one <= before)))
			continue;
		if (found == NULL || one->weight > found->weight)
			found = one;
	}
	return found;
}

static void
network_write(const struct source *source, char text[INET6_ADDRSTRLEN + 4])
{
	const bool is_ip4 = source->family == FAMILY_IP4;

	inet_ntop(is_ip4 ? AF_INET : AF_INET6, &source->network.bytes[is_ip4 ? 12 : 0], text,
			INET6_ADDRSTRLEN);
	strcat(text, is_ip4 ? "/24" : "/48");
}

unsigned
sources_write(const struct sources *sources, char text[SOURCES_TEXT_BYTES])
{
	const struct source *source = NULL;
	size_t used = 0;
	unsigned count;

	text[0] = '\0';
	for (count = 0; sources != NULL && count < SOURCES_TOP; count++) {
		char network[INET6_ADDRSTRLEN + 4];

		source = heaviest_after(sources, source);
		if (source == NULL || source->weight == 0 ||
				source->weight < sources->total / SHARE_LEAST)
			break;
		network_write(source, network);
		used += (size_t)snprintf(text + used, SOURCES_TEXT_BYTES - used, "%s%s %llu %%",
				count > 0 ? ", " : "", network,
				(unsigned long long)(source->weight * 100 / sources->total));
	}
	return count;
}
