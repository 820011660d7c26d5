/* SPDX-License-Identifier: BSD-3-Clause */
#include "scene.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "kernel_wanted.h"

/* At the beginning of a cookie epoch, so that scripts know when keys roll. */
#define START (UINT64_C(1700000000) / 64 * 64 * TICKS_PER_S)
#define TICK_BUDGET 1024
#define SEED 7

void
scene_fail(struct scene *s, const char *format, ...)
{
	va_list list;

	if (s->has_failed)
		return;
	s->has_failed = true;
	printf("%s:%u: ", s->file, s->line);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
}

int64_t
scene_number(struct scene *s, const char *word)
{
	char *end = NULL;
	int64_t number = word == NULL ? 0 : strtoll(word, &end, 10);

	if (word == NULL || end == word || *end != '\0')
		scene_fail(s, "%s is no number", word == NULL ? "nothing" : word);
	return number;
}

static bool
buffer_get(void *context, struct pkt *pkt)
{
	struct scene *s = context;
	struct frame *frame;

	if (s->has_no_buffers)
		return false;
	frame = frame_new(ORIGIN_SLUICE);
	*pkt = (struct pkt){.data = frame->bytes, .owner = frame, .tailroom = PKT_BUILD_BYTES_MAX};
	s->lent++;
	return true;
}

/* Whose packet it is: 0 for a stranger's. */
static unsigned
client_of(const struct packet *packet, enum side to)
{
	int number = address_client_number(to == SIDE_CLIENT ? packet->destination : packet->source,
			packet->ip_version);

	return number < 0 ? 0 : (unsigned)number;
}

static void
hear(struct scene *s, enum side to, const uint8_t *bytes, uint32_t length)
{
	struct heard *heard = &s->heard[s->heard_count];
	struct packet packet;

	if (!packet_checksums_are_right(bytes, length) || !packet_read(&packet, bytes, length)) {
		scene_fail(s, "a packet left with a wrong checksum");
		return;
	}
	if (client_of(&packet, to) == 0)
		return;
	if (s->heard_count == SCENE_HEARD_MAX) {
		scene_fail(s, "more packets than a script can look at");
		return;
	}
	s->heard_count++;
	heard->to = to;
	memcpy(heard->bytes, bytes, length);
	packet_read(&heard->packet, heard->bytes, length);
	heard->client = client_of(&heard->packet, to);
}

static void
buffer_emit(void *context, enum side out, struct pkt *pkt)
{
	struct scene *s = context;

	s->lent--;
	hear(s, out, pkt->data, pkt->len);
	frame_free(pkt->owner);
}

static void
buffer_drop(void *context, struct pkt *pkt)
{
	struct scene *s = context;

	s->lent--;
	frame_free(pkt->owner);
}

static void *
memory_of(size_t size)
{
	void *memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));

	if (memory == NULL)
		abort();
	memset(memory, 0xa5, cache_align(size));
	return memory;
}

void
scene_publish(struct scene *s)
{
	struct snapshot *next =
			snapshot_init(memory_of(snapshot_memsize(1)), 1, ++s->generation, SEED);
	void *old = (void *)(uintptr_t)s->snapshot;

	ENSURE(snapshot_insert(next, &s->config) == 0);
	snapshot_set_cookies(next, &s->cookies, false);
	s->snapshot = next;
	/* Both look at it at once, and never again at the old one. */
	for (unsigned i = 0; i < SCENE_WORKERS && s->workers[0] != NULL; i++)
		sluice_tick(s->workers[i], s->now, TICK_BUDGET);
	free(old);
}

struct scene *
scene_new(const char *file)
{
	const struct siphash_key secret = {1, 2};
	struct scene *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	*s = (struct scene){
			.file = file,
			.ip_version = 4,
			.now = START,
			.limits = {.connections = 64,
					.connections_ip6 = 64,
					.backends = 1,
					.syn_entries = 256,
					.monitor_clients = 256,
					.early_packets = 16},
			.config = {.port = 80,
					.tcp_syncookies = 1,
					.tcp_synack_retries = 5,
					.tcp_syn_retries = 3,
					.queue_rules = QUEUE_RULES_LINUX_6_18,
					.backlog = 4096,
					.somaxconn = 4096,
					.tcp_max_syn_backlog = 1024,
					.connect_window = 1024,
					.announced_mss = 1460,
					.announced_wscale = 7,
					.incarnation = 1},
			.cookies = cookie_plan_make(&secret),
	};
	for (unsigned i = 0; i < SCENE_CLIENTS; i++)
		s->parts[i] = (struct part){
				.client = {.isn = 1000000 * (i + 1), .tsval = 100000 * (i + 1)},
				/* Across the wrap: no number is just what it looks like. */
				.backend = {.isn = UINT32_MAX - 500 - 7000 * i,
						.tsval = UINT32_MAX - 100},
		};
	return s;
}

void
scene_start(struct scene *s)
{
	struct sluice_env env = {
			.context = s,
			.packet_get = buffer_get,
			.packet_emit = buffer_emit,
			.packet_drop = buffer_drop,
			.snapshot = &s->snapshot,
			.shared = s->shared,
			.hash_seed = {3, 4},
			.kernel = kernel_wanted(),
	};

	if (s->workers[0] != NULL)
		return;
	if (s->snapshot == NULL) {
		uint8_t address[16];
		uint32_t ip4_be;

		address_backend(s->ip_version == 4 ? 0 : 1, address);
		memcpy(&ip4_be, address, sizeof(ip4_be));
		memcpy(s->config.address.bytes, address, sizeof(address));
		if (s->ip_version == 4)
			s->config.address = ip_addr_from_ip4(ip4_be);
		s->config.family = s->ip_version == 4 ? FAMILY_IP4 : FAMILY_IP6;
		scene_publish(s);
	}
	env.now = s->now;
	for (unsigned i = 0; i < SCENE_WORKERS; i++) {
		s->workers[i] = sluice_worker_init(
				memory_of(sluice_worker_memsize(&s->limits)), &s->limits, &env);
		ENSURE(s->workers[i] != NULL);
	}
}

void
scene_stop(struct scene *s)
{
	uint64_t reasons = 0;

	for (unsigned i = 0; i < SCENE_WORKERS && s->workers[0] != NULL; i++) {
		sluice_give_back(s->workers[i]);
		for (unsigned reason = 0; reason < REASON_COUNT; reason++)
			reasons += worker_counters(s->workers[i])->reasons[reason];
	}
	if (s->workers[0] != NULL && reasons != s->sent)
		scene_fail(s, "the sum of reasons is not the number of packets");
	if (s->lent != 0)
		scene_fail(s, "%d buffers are missing at the end", s->lent);
	for (unsigned i = 0; i < SCENE_WORKERS; i++) {
		free(s->workers[i]);
		s->workers[i] = NULL;
	}
	memset(s->shared, 0, sizeof(s->shared));
	s->sent = 0;
}

void
scene_free(struct scene *s)
{
	scene_stop(s);
	free((void *)(uintptr_t)s->snapshot);
	free(s);
}

void
scene_send(struct scene *s, enum side from, const struct frame *frame)
{
	struct burst burst = {.from = from, .count = 1};
	struct frame *copy = frame_copy(frame);
	enum verdict verdict;

	scene_start(s);
	burst.pkts[0] = (struct pkt){
			.data = copy->bytes,
			.owner = copy,
			.len = copy->length,
			.tailroom = (uint16_t)(FRAME_ROOM - copy->length),
	};
	s->sent++;
	s->lent++;
	sluice_burst(s->workers[s->worker], &burst, s->now);
	s->reason = (enum reason)burst.pkts[0].reason;
	verdict = reason_verdict(s->reason);
	if (verdict == VERDICT_HOLD)
		return;
	s->lent--;
	if (verdict != VERDICT_DROP)
		hear(s, verdict == VERDICT_REPLY ? from : side_other(from), burst.pkts[0].data,
				burst.pkts[0].len);
	frame_free(copy);
}

void
scene_tick(struct scene *s)
{
	scene_start(s);
	for (unsigned i = 0; i < SCENE_WORKERS; i++)
		sluice_tick(s->workers[i], s->now, TICK_BUDGET);
}
