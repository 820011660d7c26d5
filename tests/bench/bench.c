/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path without a NIC: sluice_burst() over packets made before, in more distinct buffers
 * than L2 holds, restored outside the timed part. One JSON object per case on standard output.
 * Times are TSC cycles; "calibration" is a scalar loop of the same process to compare machines by.
 *
 *	bench [--rounds N] [--burst N] [CASE...]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "packets.h"
#include "proxy/worker.h"

#define BUFFERS 65536
#define FRAME_BYTES 256 /* stride of a buffer */
#define ROUNDS_MAX 99

struct bench {
	struct worker *worker;
	const struct snapshot *snapshot;
	uint32_t occupancy[2];
	ticks_t now;
	uint8_t *frames;    /* what is run */
	uint8_t *originals; /* what it is restored from */
	uint32_t *lengths;
	enum side *sides;
	uint32_t connections;
	uint8_t spare[2048];
};

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

static void *
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
backend(const char *address, unsigned version)
{
	struct packet p = version == 4 ? packet_ip4("0.0.0.0", 1, address, 80)
				       : packet_ip6("::", 1, address, 80);
	struct backend_config config = {
			.port = 80,
			.slot = version == 6,
			.family = (uint8_t)version,
			.tcp_syncookies = 2,
			.tcp_syn_retries = 3,
			.backlog = UINT32_C(1) << 30,
			.somaxconn = UINT32_C(1) << 30,
			.connect_window = UINT32_C(1) << 30,
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

static void
bench_init(struct bench *b, uint32_t connections)
{
	struct sluice_limits limits = {connections, connections, 2};
	struct snapshot *snapshot = snapshot_init(memory_new(snapshot_memsize(2)), 2, 1, 1);
	struct backend_config ip4 = backend("10.0.0.2", 4), ip6 = backend("fd00::2", 6);

	memset(b, 0, sizeof(*b));
	b->connections = connections;
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
					.snapshot = &b->snapshot,
					.accept_occupancy = b->occupancy,
					.cookie_secret = {1, 2},
					.hash_seed = {3, 4},
					.now = b->now,
			});
}

static void
bench_place(struct bench *b, unsigned i, enum side from, const struct packet *packet)
{
	b->sides[i] = from;
	b->lengths[i] = (uint32_t)packet_write(
			packet, b->originals + (size_t)i * FRAME_BYTES, FRAME_BYTES);
}

static void
bench_restore(struct bench *b)
{
	memcpy(b->frames, b->originals, (size_t)BUFFERS * FRAME_BYTES);
}

/* Runs count packets from first on and leaves the answers in their buffers. Returns cycles. */
static uint64_t
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

static struct packet
client(uint32_t n, unsigned version)
{
	char text[64];
	uint16_t port = (uint16_t)(1024 + n % 60000);

	if (version == 6) {
		snprintf(text, sizeof(text), "fd00::1:%x", n / 60000 + 1);
		return packet_ip6(text, port, "fd00::2", 80);
	}
	n /= 60000;
	snprintf(text, sizeof(text), "172.%u.%u.%u", 16 + (n >> 16), n >> 8 & 255, n & 255);
	return packet_ip4(text, port, "10.0.0.2", 80);
}

static struct packet
client_syn(uint32_t n, unsigned version, bool options)
{
	struct packet p = client(n, version);

	p.flags = PACKET_SYN;
	p.seq = n * 7919;
	if (options) {
		packet_add_mss(&p, 1460);
		packet_add_sack_permitted(&p);
		packet_add_timestamp(&p, n, 0);
		packet_add_nop(&p);
		packet_add_wscale(&p, 7);
	}
	return p;
}

/* Opens connections first .. first + BUFFERS and notes the client's ISS of each; returns cycles of
 * all six packets. */
static uint64_t
bench_open(struct bench *b, uint32_t first, unsigned burst, uint32_t *iss)
{
	uint64_t cycles = 0;
	struct packet p, answer;
	uint32_t tsecr;

	for (unsigned i = 0; i < BUFFERS; i++) {
		p = client_syn(first + i, 4, true);
		bench_place(b, i, SIDE_CLIENT, &p);
	}
	bench_restore(b);
	cycles += bench_run(b, 0, BUFFERS, burst);
	for (unsigned i = 0; i < BUFFERS; i++) {
		packet_read(&answer, b->frames + (size_t)i * FRAME_BYTES, FRAME_BYTES);
		iss[i] = answer.seq;
		p = client(first + i, 4);
		p.seq = (first + i) * 7919 + 1;
		p.ack = answer.seq + 1;
		p.window = 502;
		tsecr = 0;
		uint32_t tsval = 0;

		packet_timestamp(&answer, &tsval, &tsecr);
		packet_add_nop(&p);
		packet_add_nop(&p);
		packet_add_timestamp(&p, first + i + 1, tsval);
		bench_place(b, i, SIDE_CLIENT, &p);
	}
	bench_restore(b);
	cycles += bench_run(b, 0, BUFFERS, burst);
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet c = client(first + i, 4);

		p = c;
		memcpy(p.source, c.destination, 16);
		memcpy(p.destination, c.source, 16);
		p.source_port = 80;
		p.destination_port = c.source_port;
		p.flags = PACKET_SYN | PACKET_ACK;
		p.seq = first + i;
		p.ack = (first + i) * 7919 + 1;
		packet_add_mss(&p, 1460);
		packet_add_sack_permitted(&p);
		packet_add_timestamp(&p, 1000, first + i + 1);
		packet_add_nop(&p);
		packet_add_wscale(&p, 7);
		bench_place(b, i, SIDE_BACKEND, &p);
	}
	bench_restore(b);
	return cycles + bench_run(b, 0, BUFFERS, burst);
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

static void
report(const char *name, double *cycles, unsigned rounds, unsigned burst, uint32_t connections)
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

typedef void fill_function(struct bench *b);

static void
fill_syn(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 4, true);

		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
fill_syn_plain(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 4, false);

		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
fill_syn_ip6(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 6, true);

		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
fill_syn_vlan(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(i, 4, true);

		packet_add_vlan(&p, 0x8100, 10);
		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
fill_ack_forged(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client(i, 4);

		p.seq = i * 31;
		p.ack = i * 7919;
		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
fill_pass(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client(i, 4);

		p.destination_port = 22;
		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static const struct {
	const char *name;
	fill_function *fill;
} stateless[] = {
		{"syn_cookie", fill_syn},
		{"syn_cookie_no_options", fill_syn_plain},
		{"syn_cookie_ip6", fill_syn_ip6},
		{"syn_cookie_vlan", fill_syn_vlan},
		{"ack_forged", fill_ack_forged},
		{"pass", fill_pass},
};

static void
run_stateless(struct bench *b, const char *name, fill_function *fill, unsigned rounds,
		unsigned burst)
{
	double cycles[ROUNDS_MAX];

	fill(b);
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(b);
		cycles[round] = (double)bench_run(b, 0, BUFFERS, burst) / BUFFERS;
	}
	report(name, cycles, rounds, burst, 0);
}

/* All three of our turns in a handshake (six packets on the wire), for new connections each round.
 */
static void
run_handshake(unsigned rounds, unsigned burst)
{
	static uint32_t iss[BUFFERS];
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, (rounds + 1) * BUFFERS);
	for (unsigned round = 0; round < rounds; round++)
		cycles[round] = (double)bench_open(&b, round * BUFFERS, burst, iss) / BUFFERS;
	report("handshake", cycles, rounds, burst, rounds * BUFFERS);
	free(b.frames);
	free(b.originals);
	free(b.worker);
}

/* 64-byte segments with timestamps from clients picked at random among the connections. */
static void
run_splice(unsigned rounds, unsigned burst, uint32_t connections)
{
	static struct bench b;
	uint32_t blocks = (connections + BUFFERS - 1) / BUFFERS;
	uint32_t *iss = memory_new((size_t)blocks * BUFFERS * sizeof(*iss));
	double cycles[ROUNDS_MAX];
	uint64_t random = 1;

	bench_init(&b, blocks * BUFFERS);
	for (uint32_t block = 0; block < blocks; block++)
		bench_open(&b, block * BUFFERS, burst, iss + (size_t)block * BUFFERS);
	for (unsigned i = 0; i < BUFFERS; i++) {
		uint32_t n = (uint32_t)(packet_random(&random) % connections);
		struct packet p = client(n, 4);

		p.seq = n * 7919 + 1;
		p.ack = iss[n] + 1;
		p.window = 502;
		packet_add_nop(&p);
		packet_add_nop(&p);
		packet_add_timestamp(&p, n + 2, 1);
		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
	}
	if (worker_counters(b.worker)->reasons[REASON_spliced] != (uint64_t)rounds * BUFFERS) {
		fprintf(stderr, "bench: splice: not every packet was spliced\n");
		exit(1);
	}
	report("splice", cycles, rounds, burst, connections);
	free(iss);
	free(b.frames);
	free(b.originals);
	free(b.worker);
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return optind == argc;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
			{"burst", required_argument, NULL, 'b'}, {0}};
	static struct bench b;
	unsigned rounds = 9, burst = BURST_MAX;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned value = optarg ? (unsigned)atoi(optarg) : 0;

		if ((option == 'r' && (value < 1 || value > ROUNDS_MAX)) ||
				(option == 'b' && (value < 1 || value > BURST_MAX)) ||
				option == '?') {
			fprintf(stderr, "usage: bench [--rounds 1..%u] [--burst 1..%u] [CASE...]\n",
					ROUNDS_MAX, BURST_MAX);
			return 2;
		}
		*(option == 'r' ? &rounds : &burst) = value;
	}
	bench_init(&b, 1024);
	for (unsigned i = 0; i < ARRAY_COUNT(stateless); i++)
		if (is_wanted(stateless[i].name, argc, argv))
			run_stateless(&b, stateless[i].name, stateless[i].fill, rounds, burst);
	if (is_wanted("handshake", argc, argv))
		run_handshake(rounds, burst);
	if (is_wanted("splice", argc, argv)) {
		run_splice(rounds, burst, 10000);
		run_splice(rounds, burst, 1000000);
	}
	return 0;
}
