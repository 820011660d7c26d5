/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections: opening them, and segments of those that stand. */
#include "cases.h"
#include "clients.h"

#include <stdlib.h>

#define SMALL 64
#define LARGE 1460
#define MIXED_CONNECTIONS 65536
#define MIXED_ONE_IN 20 /* 5 % established */

enum part { PART_ACK, PART_ALL, PART_ALL_QUEUED };

static double
cycles_of(const struct turns *turns, enum part part)
{
	const uint64_t cycles =
			part == PART_ACK ? turns->ack : turns->syn + turns->ack + turns->syn_ack;

	return (double)cycles / BUFFERS;
}

/* Our turns in a handshake (three packets in, three out), or that of the client's ACK alone; new
 * connections each round. */
static void
run_handshake(const struct bench_case *c, const struct request *request)
{
	const enum part part = (enum part)c->variant;
	const bool is_queued = part == PART_ALL_QUEUED;
	const uint32_t connections = request->rounds * BUFFERS;
	static uint32_t iss[BUFFERS];
	static struct bench b;
	double cycles[ROUNDS_MAX];

	for (unsigned i = 0; i < request->burst_count; i++) {
		bench_init(&b, &(struct options){.connections = connections + BUFFERS,
					       .syn_entries = 2 * BUFFERS,
					       .syncookies = is_queued ? 1 : 2});
		for (unsigned round = 0; round < request->rounds; round++) {
			struct turns turns =
					clients_open(&b, round * BUFFERS, request->bursts[i], iss);

			cycles[round] = cycles_of(&turns, part);
		}
		bench_expect(&b, c->name, is_queued ? REASON_syn_queued : REASON_syn_cookie_sent,
				connections);
		bench_expect(&b, c->name, REASON_ack_connecting, connections);
		bench_expect(&b, c->name, REASON_backend_connected, connections);
		bench_report(&(struct line){.name = c->name,
					     .burst = request->bursts[i],
					     .connections = connections},
				cycles, request->rounds);
		bench_fini(&b);
	}
}

static const struct {
	enum side from;
	unsigned payload;
} segments[] = {{SIDE_CLIENT, SMALL}, {SIDE_CLIENT, LARGE}, {SIDE_BACKEND, SMALL}};

/* Segments with data of connections picked at random. (One without data that is sent again each
 * round would be looked at as the beginning of an ACK war.) */
static void
run_splice_at(const struct bench_case *c, const struct request *request, uint32_t connections)
{
	static const uint8_t data[LARGE] = "sluice";
	const unsigned payload = segments[c->variant].payload;
	const enum side from = segments[c->variant].from;
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint64_t random = 1, packets = 0;
	uint32_t *iss = clients_open_many(
			&b, connections, payload == LARGE ? FRAME_BYTES_LARGE : FRAME_BYTES);

	for (unsigned i = 0; i < BUFFERS; i++) {
		uint32_t n = (uint32_t)(packet_random(&random) % connections);
		struct packet p = from == SIDE_CLIENT ? client_segment(n, iss[n], data, payload)
						      : backend_segment(n, data, payload);

		bench_place(&b, i, from, &p);
	}
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++) {
			cycles[round] = bench_round(&b, request->bursts[i]);
			packets += BUFFERS;
		}
		bench_expect(&b, c->name, REASON_spliced, packets);
		bench_report(&(struct line){.name = c->name,
					     .burst = request->bursts[i],
					     .connections = connections,
					     .payload = payload,
					     .memory = b.memory},
				cycles, request->rounds);
	}
	free(iss);
	bench_fini(&b);
}

static void
run_splice(const struct bench_case *c, const struct request *request)
{
	for (unsigned i = 0; i < request->connections_count; i++)
		run_splice_at(c, request, request->connections[i]);
}

/* A flood of SYNs that one packet in MIXED_ONE_IN of a connection stands among. */
static void
run_mixed(const struct bench_case *c, const struct request *request)
{
	static const uint8_t data[SMALL] = "sluice";
	static struct bench b;
	double cycles[ROUNDS_MAX];
	uint32_t *iss = clients_open_many(&b, MIXED_CONNECTIONS, FRAME_BYTES);
	const uint64_t before = bench_count(&b, REASON_syn_cookie_sent);
	uint64_t random = 1, spliced = 0, rounds = 0;

	for (unsigned i = 0; i < BUFFERS; i++) {
		bool is_established = packet_random(&random) % MIXED_ONE_IN == 0;
		uint32_t n = (uint32_t)(packet_random(&random) % MIXED_CONNECTIONS);
		struct packet p = is_established ? client_segment(n, iss[n], data, SMALL)
						 : client_syn(MIXED_CONNECTIONS + i, 4, true);

		spliced += is_established;
		bench_place(&b, i, SIDE_CLIENT, &p);
	}
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++, rounds++)
			cycles[round] = bench_round(&b, request->bursts[i]);
		bench_expect(&b, c->name, REASON_spliced, spliced * rounds);
		bench_expect(&b, c->name, REASON_syn_cookie_sent,
				before + (BUFFERS - spliced) * rounds);
		bench_report(&(struct line){.name = c->name,
					     .burst = request->bursts[i],
					     .connections = MIXED_CONNECTIONS},
				cycles, request->rounds);
	}
	free(iss);
	bench_fini(&b);
}

const struct bench_case cases_connection[] = {
		{"ack_valid", run_handshake, PART_ACK},
		{"handshake", run_handshake, PART_ALL},
		{"handshake_queue", run_handshake, PART_ALL_QUEUED},
		{"splice", run_splice, 0},
		{"splice_full_segments", run_splice, 1},
		{"splice_from_backend", run_splice, 2},
		{"mixed_flood", run_mixed, 0},
		{0},
};
