/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves nothing behind: the same packets in every round, from the same worker. */
#include "cases.h"
#include "clients.h"

#include <arpa/inet.h>
#include <string.h>

typedef struct packet make_function(uint32_t n);

static struct packet
make_syn(uint32_t n)
{
	return client_syn(n, 4, true);
}

static struct packet
make_syn_plain(uint32_t n)
{
	return client_syn(n, 4, false);
}

static struct packet
make_syn_ip6(uint32_t n)
{
	return client_syn(n, 6, true);
}

static struct packet
make_syn_vlan(uint32_t n)
{
	struct packet p = client_syn(n, 4, true);

	packet_add_vlan(&p, 0x8100, 10);
	return p;
}

static struct packet
make_ack(uint32_t n)
{
	struct packet p = client_packet(n, 4);

	p.seq = n * 31;
	p.ack = n * 7919;
	return p;
}

static struct packet
make_ack_timestamps(uint32_t n)
{
	struct packet p = make_ack(n);

	packet_add_nop(&p);
	packet_add_nop(&p);
	packet_add_timestamp(&p, n, n * 17);
	return p;
}

static struct packet
make_foreign(uint32_t n)
{
	struct packet p = client_packet(n, 4);

	p.destination_port = 22;
	return p;
}

static const struct {
	make_function *make;
	bool cookies; /* one was sent before, so ACKs are checked for them */
	enum reason reason;
} variants[] = {
		{make_syn, false, REASON_syn_cookie_sent},
		{make_syn_plain, false, REASON_syn_cookie_sent},
		{make_syn_ip6, false, REASON_syn_cookie_sent},
		{make_syn_vlan, false, REASON_syn_cookie_sent},
		{make_ack, true, REASON_ack_cookie_invalid},
		{make_ack_timestamps, true, REASON_ack_cookie_invalid},
		{make_ack, false, REASON_stray_client},
		{make_foreign, false, REASON_pass_not_protected},
};

static void
place_all(struct bench *b, make_function *make)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct packet p = make(i);

		bench_place(b, i, SIDE_CLIENT, &p);
	}
}

static void
run(const struct bench_case *c, const struct request *request)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){.syncookies = 2});
	if (variants[c->variant].cookies) {
		place_all(&b, make_syn);
		bench_restore(&b);
		bench_run(&b, 0, 1, 1);
	}
	place_all(&b, variants[c->variant].make);
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++)
			cycles[round] = bench_round(&b, request->bursts[i]);
		bench_expect(&b, c->name, variants[c->variant].reason,
				(uint64_t)(i + 1) * request->rounds * BUFFERS);
		bench_report(&(struct line){.name = c->name, .burst = request->bursts[i]}, cycles,
				request->rounds);
	}
	bench_fini(&b);
}

/* A flood on a backend that is not protected, beside a table of connections as large as an
 * appliance's. Fewer clients are observed than come, so that each makes another way. */
static void
run_open(const struct bench_case *c, const struct request *request)
{
	const bool is_monitored = c->variant == MODE_MONITOR;
	static struct bench b;
	double cycles[ROUNDS_MAX];

	bench_init(&b, &(struct options){.syncookies = 2,
				       .connections = 1 << 20,
				       .mode = (enum backend_mode)c->variant,
				       .monitor_clients = is_monitored ? BUFFERS : 0});
	place_all(&b, make_syn);
	for (unsigned i = 0; i < request->burst_count; i++) {
		for (unsigned round = 0; round < request->rounds; round++)
			cycles[round] = bench_round(&b, request->bursts[i]);
		bench_expect(&b, c->name,
				is_monitored ? REASON_monitor_syn_cookie : REASON_pass_off,
				(uint64_t)(i + 1) * request->rounds * BUFFERS);
		bench_report(&(struct line){.name = c->name, .burst = request->bursts[i]}, cycles,
				request->rounds);
	}
	bench_fini(&b);
}

/* SYNs for a backend each, picked at random: what finding it costs. */
static void
run_backends(const struct bench_case *c, const struct request *request)
{
	static struct bench b;
	double cycles[ROUNDS_MAX];

	for (unsigned i = 0; i < request->backends_count; i++) {
		const unsigned backends = request->backends[i];
		uint64_t random = 1;

		bench_init(&b, &(struct options){.syncookies = 2, .backends = backends});
		for (unsigned j = 0; j < BUFFERS; j++) {
			struct packet p = client_syn(j, 4, true);
			uint32_t slot = (uint32_t)(packet_random(&random) % backends);
			uint32_t address = htonl((10u << 24 | 64u << 16) + slot);

			if (slot >= BACKENDS_LEAST)
				memcpy(p.destination, &address, sizeof(address));
			bench_place(&b, j, SIDE_CLIENT, &p);
		}
		for (unsigned round = 0; round < request->rounds; round++)
			cycles[round] = bench_round(&b, BURST_MAX);
		bench_expect(&b, c->name, REASON_syn_cookie_sent,
				(uint64_t)request->rounds * BUFFERS);
		bench_report(&(struct line){.name = c->name,
					     .burst = BURST_MAX,
					     .backends = backends},
				cycles, request->rounds);
		bench_fini(&b);
	}
}

const struct bench_case cases_stateless[] = {
		{"syn_cookie", run, 0},
		{"syn_cookie_no_options", run, 1},
		{"syn_cookie_ip6", run, 2},
		{"syn_cookie_vlan", run, 3},
		{"ack_forged", run, 4},
		{"ack_forged_timestamps", run, 5},
		{"ack_stray", run, 6},
		{"pass", run, 7},
		{"syn_backends", run_backends, 0},
		{"syn_monitored", run_open, MODE_MONITOR},
		{"syn_off", run_open, MODE_OFF},
		{0},
};
