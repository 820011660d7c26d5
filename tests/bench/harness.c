/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct bench *b = context;

	*pkt = (struct pkt){.data = b->spare, .tailroom = sizeof(b->spare)};
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	(void)context;
	(void)out;
	(void)pkt;
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	(void)context;
	(void)pkt;
}

void *
memory_new(size_t size)
{
	void *memory = aligned_alloc(1 << 21, (size + (1 << 21) - 1) & ~((size_t)(1 << 21) - 1));

	if (memory == NULL) {
		fprintf(stderr, "bench: no memory for %zu bytes\n", size);
		exit(1);
	}
	return memory;
}

static struct backend_config
backend(const char *address, unsigned version, const struct options *options)
{
	struct packet p = version == 4 ? packet_ip4("0.0.0.0", 1, address, 80)
				       : packet_ip6("::", 1, address, 80);
	struct backend_config config = {
			.port = 80,
			.slot = version == 6,
			.family = (uint8_t)version,
			.tcp_syncookies = options->syncookies,
			.tcp_synack_retries = 5,
			.tcp_syn_retries = 3,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = options->backlog,
			.somaxconn = options->backlog,
			.tcp_max_syn_backlog = options->backlog,
			.connect_window = BACKLOG_ENDLESS,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};
	uint32_t ip4_be;

	memcpy(&ip4_be, p.destination, sizeof(ip4_be));
	memcpy(config.address.bytes, p.destination, 16);
	if (version == 4)
		config.address = ip_addr_from_ip4(ip4_be);
	return config;
}

void
bench_init(struct bench *b, const struct options *options)
{
	struct sluice_limits limits = {
			options->connections, options->connections, 2, options->syn_entries, 4096};
	struct snapshot *snapshot = snapshot_init(memory_new(snapshot_memsize(2)), 2, 1, 1);
	struct backend_config ip4 = backend("10.0.0.2", 4, options),
			      ip6 = backend("fd00::2", 6, options);

	memset(b, 0, sizeof(*b));
	snapshot_insert(snapshot, &ip4);
	snapshot_insert(snapshot, &ip6);
	b->snapshot = snapshot;
	b->now = UINT64_C(1700000000) * TICKS_PER_S;
	b->frames = memory_new((size_t)BUFFERS * FRAME_BYTES);
	b->originals = memory_new((size_t)BUFFERS * FRAME_BYTES);
	b->lengths = memory_new(BUFFERS * sizeof(*b->lengths));
	b->sides = memory_new(BUFFERS * sizeof(*b->sides));
	b->worker = sluice_worker_init(memory_new(sluice_worker_memsize(&limits)), &limits,
			&(struct sluice_env){
					.context = b,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.packet_drop = packet_drop,
					.snapshot = &b->snapshot,
					.shared = b->shared,
					.hash_seed = {3, 4},
					.now = b->now,
			});
}

void
bench_fini(struct bench *b)
{
	free(b->frames);
	free(b->originals);
	free(b->lengths);
	free(b->sides);
	free(b->worker);
	free((void *)(uintptr_t)b->snapshot);
}

void
bench_place(struct bench *b, unsigned i, enum side from, const struct packet *packet)
{
	b->sides[i] = from;
	b->lengths[i] = (uint32_t)packet_write(
			packet, b->originals + (size_t)i * FRAME_BYTES, FRAME_BYTES);
}

void
bench_restore(struct bench *b)
{
	memcpy(b->frames, b->originals, (size_t)BUFFERS * FRAME_BYTES);
}

uint64_t
bench_run(struct bench *b, unsigned first, unsigned count, unsigned burst_size)
{
	static struct burst burst;
	uint64_t begin = __rdtsc();

	for (unsigned i = 0; i < count; i += burst.count) {
		burst.from = b->sides[first + i];
		burst.count = burst_size < count - i ? burst_size : count - i;
		for (unsigned j = 0; j < burst.count; j++) {
			struct pkt *pkt = &burst.pkts[j];

			pkt->data = b->frames + (size_t)(first + i + j) * FRAME_BYTES;
			pkt->len = b->lengths[first + i + j];
			pkt->tailroom = (uint16_t)(FRAME_BYTES - pkt->len);
			pkt->csum = PKT_CSUM_UNKNOWN;
			pkt->kind = PKT_UNPARSED;
			pkt->reason = REASON_NONE;
		}
		sluice_burst(b->worker, &burst, b->now);
	}
	return __rdtsc() - begin;
}

void
bench_expect(const struct bench *b, const char *name, enum reason reason, uint64_t count)
{
	uint64_t found = worker_counters(b->worker)->reasons[reason];

	if (found == count)
		return;
	fprintf(stderr, "bench: %s: %llu packets ended as %s, not %llu\n", name,
			(unsigned long long)found, reason_name(reason), (unsigned long long)count);
	exit(1);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
calibrate(void)
{
	uint64_t x = 1, begin = __rdtsc();

	for (unsigned i = 0; i < 10000000; i++)
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407 + (x >> 33);
	/* Kept from the optimiser by being used. */
	return (double)(__rdtsc() - begin) / 1e7 + (double)(x == 0);
}

static double
tsc_hz(void)
{
	struct timespec a, b;
	uint64_t begin = __rdtsc();

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 50000000L);
	return (double)(__rdtsc() - begin) * 20;
}

void
bench_report(const char *name, double *cycles, unsigned rounds, unsigned burst,
		uint32_t connections)
{
	double hz = tsc_hz(), median;

	qsort(cycles, rounds, sizeof(*cycles), compare);
	median = cycles[rounds / 2];
	printf("{\"name\": \"%s\", \"burst\": %u, \"connections\": %u, \"rounds\": %u, "
	       "\"cycles\": {\"median\": %.1f, \"min\": %.1f, \"max\": %.1f}, \"ns\": %.1f, "
	       "\"pps\": %.0f, \"calibration\": %.2f}\n",
			name, burst, connections, rounds, median, cycles[0], cycles[rounds - 1],
			median / hz * 1e9, hz / median, calibrate());
	fflush(stdout);
}
