/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#include "kernel_wanted.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if SLUICE_TEST_CHECKS
#define BUILD_KIND ", test_checks"
#else
#define BUILD_KIND ""
#endif

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct bench *b = context;

	pkt_clear(pkt);
	pkt->data = b->spare;
	pkt->tailroom = sizeof(b->spare);
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
	const size_t page = (size_t)1 << 21, whole = (size + page - 1) & ~(page - 1);
	void *memory = aligned_alloc(page, whole);

	if (memory == NULL) {
		fprintf(stderr, "bench: no memory for %zu bytes\n", size);
		exit(1);
	}
	madvise(memory, whole, MADV_HUGEPAGE);
	memset(memory, 0, whole);
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
			.mode = (uint8_t)options->mode,
	};
	uint32_t ip4_be;

	memcpy(&ip4_be, p.destination, sizeof(ip4_be));
	memcpy(config.address.bytes, p.destination, 16);
	if (version == 4)
		config.address = ip_addr_from_ip4(ip4_be);
	return config;
}

/* The backends beyond the first two, each with an address of its own. */
static struct backend_config
backend_more(unsigned slot, const struct options *options)
{
	struct backend_config config = backend("10.0.0.2", 4, options);

	config.slot = (uint16_t)slot;
	config.address = ip_addr_from_ip4(htonl((10u << 24 | 64u << 16) + slot));
	return config;
}

static const struct snapshot *
snapshot_new(const struct options *options)
{
	struct snapshot *snapshot = snapshot_init(
			memory_new(snapshot_memsize(options->backends)), options->backends, 1, 1);
	struct backend_config config = backend("10.0.0.2", 4, options);

	snapshot_insert(snapshot, &config);
	config = backend("fd00::2", 6, options);
	snapshot_insert(snapshot, &config);
	for (unsigned slot = BACKENDS_LEAST; slot < options->backends; slot++) {
		config = backend_more(slot, options);
		snapshot_insert(snapshot, &config);
	}
	return snapshot;
}

void
bench_init(struct bench *b, const struct options *given)
{
	struct options options = *given;

	if (options.connections == 0)
		options.connections = 1024;
	if (options.syn_entries == 0)
		options.syn_entries = 1024;
	if (options.backlog == 0)
		options.backlog = BACKLOG_ENDLESS;
	if (options.frame_bytes == 0)
		options.frame_bytes = FRAME_BYTES;
	if (options.backends == 0)
		options.backends = BACKENDS_LEAST;

	struct sluice_limits limits = {
			.connections = options.connections,
			.connections_ip6 = 1024,
			.backends = options.backends,
			.syn_entries = options.syn_entries,
			.early_packets = 4096,
			.monitor_clients = options.monitor_clients,
	};

	memset(b, 0, sizeof(*b));
	b->snapshot = snapshot_new(&options);
	b->shared = memory_new(options.backends * sizeof(*b->shared));
	b->samples = memory_new(sizeof(*b->samples));
	b->now = UINT64_C(1700000000) * TICKS_PER_S;
	b->frame_bytes = options.frame_bytes;
	b->frames = memory_new(BUFFERS * b->frame_bytes);
	b->originals = memory_new(BUFFERS * b->frame_bytes);
	b->lengths = memory_new(BUFFERS * sizeof(*b->lengths));
	b->sides = memory_new(BUFFERS * sizeof(*b->sides));
	b->memory = sluice_worker_memsize(&limits);
	b->worker = sluice_worker_init(memory_new(b->memory), &limits,
			&(struct sluice_env){
					.context = b,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.packet_drop = packet_drop,
					.snapshot = &b->snapshot,
					.shared = b->shared,
					.samples = b->samples,
					.hash_seed = {3, 4},
					.kernel = kernel_wanted(),
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
	free(b->shared);
	free(b->samples);
	free((void *)(uintptr_t)b->snapshot);
}

void
bench_place(struct bench *b, unsigned i, enum side from, const struct packet *packet)
{
	b->sides[i] = from;
	b->lengths[i] = (uint32_t)packet_write(
			packet, b->originals + i * b->frame_bytes, b->frame_bytes);
}

void
bench_restore(struct bench *b)
{
	memcpy(b->frames, b->originals, BUFFERS * b->frame_bytes);
}

/* As the appliance's loop does with a burst that it receives ahead. */
static void
load_ahead(struct burst *burst, const struct bench *b, unsigned first, unsigned count)
{
	if (count < BURST_AHEAD_LEAST)
		return;
	burst->ahead_count = count;
	for (unsigned i = 0; i < count; i++)
		burst->ahead[i] = (struct burst_ahead){
				b->frames + (first + i) * b->frame_bytes, b->lengths[first + i]};
}

uint64_t
bench_run(struct bench *b, unsigned first, unsigned count, unsigned burst_size)
{
	static struct burst burst;
	uint64_t begin = __rdtsc();

	for (unsigned i = 0; i < count; i += burst.count) {
		const unsigned left = count - i;

		burst.from = b->sides[first + i];
		burst.count = burst_size < left ? burst_size : left;
		if (left > burst.count)
			load_ahead(&burst, b, first + i + burst.count,
					burst_size < left - burst.count ? burst_size
									: left - burst.count);
		for (unsigned j = 0; j < burst.count; j++) {
			struct pkt *pkt = &burst.pkts[j];

			pkt->data = b->frames + (first + i + j) * b->frame_bytes;
			pkt->len = b->lengths[first + i + j];
			pkt->tailroom = (uint16_t)(b->frame_bytes - pkt->len);
			pkt->csum = PKT_CSUM_UNKNOWN;
			pkt->kind = PKT_UNPARSED;
			pkt->reason = REASON_NONE;
		}
		sluice_burst(b->worker, &burst, b->now);
	}
	return __rdtsc() - begin;
}

double
bench_round(struct bench *b, unsigned burst_size)
{
	bench_restore(b);
	return (double)bench_run(b, 0, BUFFERS, burst_size) / BUFFERS;
}

uint64_t
bench_count(const struct bench *b, enum reason reason)
{
	return worker_counters(b->worker)->reasons[reason];
}

void
bench_expect(const struct bench *b, const char *name, enum reason reason, uint64_t count)
{
	uint64_t found = bench_count(b, reason);

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

/* Cycles per step of a scalar loop that waits for its own multiplication; the quickest of some
 * tries, so that an interruption doesn't count. */
static double
calibrate(void)
{
	const unsigned tries = 8, steps = 500000;
	uint64_t x = 1, least = UINT64_MAX;

	for (unsigned i = 0; i < tries; i++) {
		uint64_t begin = __rdtsc();

		for (unsigned j = 0; j < steps; j++)
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407 + (x >> 33);
		begin = __rdtsc() - begin;
		least = begin < least ? begin : least;
	}
	/* Kept from the optimiser by being used. */
	return (double)least / steps + (double)(x == 0);
}

static double
tsc_hz(void)
{
	struct timespec a, b;
	uint64_t begin = __rdtsc();
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	} while (ns < 5e7);
	return (double)(__rdtsc() - begin) * 1e9 / ns;
}

/* The processor as the kernel calls it, without anything that JSON would need to escape. */
static void
cpu_name(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char text[256], *value;

	snprintf(name, size, "unknown");
	while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
		value = strchr(text, ':');
		if (strncmp(text, "model name", strlen("model name")) != 0 || value == NULL)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n\"\\")] = '\0';
		snprintf(name, size, "%s", value);
		break;
	}
	if (file != NULL)
		fclose(file);
}

static struct {
	double hz;
	char cpu[128];
} machine;

void
bench_begin(void)
{
	machine.hz = tsc_hz();
	cpu_name(machine.cpu, sizeof(machine.cpu));
}

static void
parameter(const char *name, uint64_t value)
{
	if (value != 0)
		printf(", \"%s\": %llu", name, (unsigned long long)value);
}

static void
figures(const char *name, const double *sorted, unsigned rounds, double scale)
{
	printf(", \"%s\": {\"median\": %.1f, \"min\": %.1f, \"max\": %.1f}", name,
			sorted[rounds / 2] * scale, sorted[0] * scale, sorted[rounds - 1] * scale);
}

void
bench_report(const struct line *line, double *cycles, unsigned rounds)
{
	qsort(cycles, rounds, sizeof(*cycles), compare);
	printf("{\"name\": \"%s\", \"parameters\": {\"buffers\": %u", line->name,
			line->burst != 0 ? BUFFERS : 1);
	parameter("burst", line->burst);
	parameter("connections", line->connections);
	parameter("payload", line->payload);
	parameter("backends", line->backends);
	parameter("memory_bytes", line->memory);
	printf("}, \"rounds\": %u", rounds);
	figures("cycles", cycles, rounds, 1);
	figures("ns", cycles, rounds, 1e9 / machine.hz);
	printf(", \"pps\": %.0f, \"calibration\": %.2f, \"tsc_mhz\": %.0f, \"cpu\": \"%s\", "
	       "\"build\": \"sluice %s, %s%s\"}\n",
			machine.hz / cycles[rounds / 2], calibrate(), machine.hz / 1e6, machine.cpu,
			SLUICE_VERSION, COMPILER, BUILD_KIND);
	fflush(stdout);
}
