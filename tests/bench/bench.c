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

#include "harness.h"

#define ROUNDS_MAX 99

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
	bool cookies; /* one was sent before, so ACKs are checked for them */
	enum reason reason;
} stateless[] = {
		{"syn_cookie", fill_syn, false, REASON_syn_cookie_sent},
		{"syn_cookie_no_options", fill_syn_plain, false, REASON_syn_cookie_sent},
		{"syn_cookie_ip6", fill_syn_ip6, false, REASON_syn_cookie_sent},
		{"syn_cookie_vlan", fill_syn_vlan, false, REASON_syn_cookie_sent},
		{"ack_forged", fill_ack_forged, true, REASON_ack_cookie_invalid},
		{"ack_stray", fill_ack_forged, false, REASON_stray_client},
		{"pass", fill_pass, false, REASON_pass_not_protected},
};

static void
run_stateless(unsigned which, unsigned rounds, unsigned burst)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){1024, 1024, 2, BACKLOG_ENDLESS});
	if (stateless[which].cookies) {
		fill_syn(&b);
		bench_restore(&b);
		bench_run(&b, 0, 1, burst);
	}
	stateless[which].fill(&b);
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
	}
	bench_expect(&b, stateless[which].name, stateless[which].reason,
			(uint64_t)rounds * BUFFERS);
	bench_report(stateless[which].name, cycles, rounds, burst, 0);
	bench_fini(&b);
}

/* RSTs of the clients whose SYNs were run, which end their entries. */
static void
fill_reset(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client(i, 4);

		p.flags = PACKET_RST;
		p.seq = i * 7919 + 1;
		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

/* Each SYN gets an entry; they are removed between the rounds. */
static void
run_queue_insert(unsigned rounds, unsigned burst)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){1024, 2 * BUFFERS, 1, BACKLOG_ENDLESS});
	for (unsigned round = 0; round < rounds; round++) {
		fill_syn(&b);
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
		fill_reset(&b);
		bench_restore(&b);
		bench_run(&b, 0, BUFFERS, burst);
	}
	bench_expect(&b, "syn_queue_insert", REASON_syn_queued, (uint64_t)rounds * BUFFERS);
	bench_expect(&b, "syn_queue_insert", REASON_syn_queue_reset, (uint64_t)rounds * BUFFERS);
	bench_report("syn_queue_insert", cycles, rounds, burst, 0);
	bench_fini(&b);
}

/* A flood on a queue that is full of other clients. */
static void
run_queue_full(unsigned rounds, unsigned burst)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){1024, 4 * BACKLOG_SMALL, 1, BACKLOG_SMALL});
	fill_syn(&b);
	bench_restore(&b);
	/* The limit is one more than the backlog. */
	bench_run(&b, 0, BACKLOG_SMALL + 1, burst);
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = client_syn(BUFFERS + i, 4, true);

		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
	}
	bench_expect(&b, "syn_queue_full", REASON_syn_queued, BACKLOG_SMALL + 1);
	bench_expect(&b, "syn_queue_full", REASON_syn_cookie_sent, (uint64_t)rounds * BUFFERS);
	bench_report("syn_queue_full", cycles, rounds, burst, 0);
	bench_fini(&b);
}

/* The same SYNs over and over, answered from their entries. */
static void
run_queue_again(unsigned rounds, unsigned burst)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){1024, 2 * BUFFERS, 1, BACKLOG_ENDLESS});
	fill_syn(&b);
	bench_restore(&b);
	bench_run(&b, 0, BUFFERS, burst);
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
	}
	bench_expect(&b, "syn_queue_again", REASON_syn_again, (uint64_t)rounds * BUFFERS);
	bench_report("syn_queue_again", cycles, rounds, burst, 0);
	bench_fini(&b);
}

/* All three of our turns in a handshake (six packets on the wire), for new connections each round.
 */
static void
run_handshake(const char *name, uint8_t syncookies, unsigned rounds, unsigned burst)
{
	static uint32_t iss[BUFFERS];
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){(rounds + 1) * BUFFERS, 2 * BUFFERS, syncookies,
				       BACKLOG_ENDLESS});
	for (unsigned round = 0; round < rounds; round++)
		cycles[round] = (double)bench_open(&b, round * BUFFERS, burst, iss) / BUFFERS;
	bench_expect(&b, name, syncookies == 2 ? REASON_syn_cookie_sent : REASON_syn_queued,
			(uint64_t)rounds * BUFFERS);
	bench_expect(&b, name, REASON_backend_connected, (uint64_t)rounds * BUFFERS);
	bench_report(name, cycles, rounds, burst, rounds * BUFFERS);
	bench_fini(&b);
}

/* Segments of a few bytes with timestamps from clients picked at random among the connections. (One
 * without data that is sent again each round would be looked at as the beginning of an ACK war.) */
static void
run_splice(unsigned rounds, unsigned burst, uint32_t connections)
{
	static const uint8_t data[8] = "sluice";
	static struct bench b;
	uint32_t blocks = (connections + BUFFERS - 1) / BUFFERS;
	uint32_t *iss = memory_new((size_t)blocks * BUFFERS * sizeof(*iss));
	double cycles[ROUNDS_MAX];
	uint64_t random = 1;

	bench_init(&b, &(struct options){blocks * BUFFERS, 1024, 2, BACKLOG_ENDLESS});
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
		p.payload = data;
		p.payload_length = sizeof(data);
		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned round = 0; round < rounds; round++) {
		bench_restore(&b);
		cycles[round] = (double)bench_run(&b, 0, BUFFERS, burst) / BUFFERS;
	}
	bench_expect(&b, "splice", REASON_spliced, (uint64_t)rounds * BUFFERS);
	bench_report("splice", cycles, rounds, burst, connections);
	free(iss);
	bench_fini(&b);
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
	for (unsigned i = 0; i < ARRAY_COUNT(stateless); i++)
		if (is_wanted(stateless[i].name, argc, argv))
			run_stateless(i, rounds, burst);
	if (is_wanted("syn_queue_insert", argc, argv))
		run_queue_insert(rounds, burst);
	if (is_wanted("syn_queue_full", argc, argv))
		run_queue_full(rounds, burst);
	if (is_wanted("syn_queue_again", argc, argv))
		run_queue_again(rounds, burst);
	if (is_wanted("handshake", argc, argv))
		run_handshake("handshake", 2, rounds, burst);
	if (is_wanted("handshake_queue", argc, argv))
		run_handshake("handshake_queue", 1, rounds, burst);
	if (is_wanted("splice", argc, argv)) {
		run_splice(rounds, burst, 10000);
		run_splice(rounds, burst, 1000000);
	}
	return 0;
}
