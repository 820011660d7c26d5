/* SPDX-License-Identifier: BSD-3-Clause */
#include "clients.h"

#include <string.h>

#define PORTS 60000u /* per address */
#define PORT_FIRST 1024u

static uint32_t
client_isn(uint32_t n)
{
	return n * 7919;
}

struct packet
client_packet(uint32_t n, unsigned version)
{
	static struct packet ip4, ip6; /* text is slow, and there are ten million */
	struct packet p;
	const uint32_t host = n / PORTS;

	if (ip4.ip_version == 0) {
		ip4 = packet_ip4("172.16.0.0", PORT_FIRST, "10.0.0.2", 80);
		ip6 = packet_ip6("fd00::1:0", PORT_FIRST, "fd00::2", 80);
	}
	p = version == 6 ? ip6 : ip4;
	if (version == 6) {
		p.source[14] = (uint8_t)((host + 1) >> 8);
		p.source[15] = (uint8_t)(host + 1);
	} else {
		p.source[1] = (uint8_t)(16 + (host >> 16));
		p.source[2] = (uint8_t)(host >> 8);
		p.source[3] = (uint8_t)host;
	}
	p.source_port = (uint16_t)(PORT_FIRST + n % PORTS);
	return p;
}

struct packet
client_syn(uint32_t n, unsigned version, bool options)
{
	struct packet p = client_packet(n, version);

	p.flags = PACKET_SYN;
	p.seq = client_isn(n);
	if (options) {
		packet_add_mss(&p, 1460);
		packet_add_sack_permitted(&p);
		packet_add_timestamp(&p, n, 0);
		packet_add_nop(&p);
		packet_add_wscale(&p, 7);
	}
	return p;
}

struct packet
client_segment(uint32_t n, uint32_t iss, const uint8_t *data, size_t length)
{
	const uint32_t edges[2 * SACK_BLOCKS] = {iss + 3001, iss + 4001, iss + 5001, iss + 6001};
	struct packet p = client_packet(n, 4);

	p.seq = client_isn(n) + 1;
	p.ack = iss + 1;
	p.window = 502;
	packet_add_nop(&p);
	packet_add_nop(&p);
	packet_add_timestamp(&p, n + 2, 1);
	packet_add_nop(&p);
	packet_add_nop(&p);
	packet_add_sack(&p, SACK_BLOCKS, edges);
	p.payload = data;
	p.payload_length = length;
	return p;
}

/* From the backend to client n. */
static struct packet
backend_packet(uint32_t n)
{
	const struct packet c = client_packet(n, 4);
	struct packet p = c;

	memcpy(p.source, c.destination, sizeof(p.source));
	memcpy(p.destination, c.source, sizeof(p.destination));
	p.source_port = c.destination_port;
	p.destination_port = c.source_port;
	p.ack = client_isn(n) + 1;
	return p;
}

struct packet
backend_segment(uint32_t n, const uint8_t *data, size_t length)
{
	struct packet p = backend_packet(n);

	p.seq = n + 1;
	p.window = 502;
	packet_add_nop(&p);
	packet_add_nop(&p);
	packet_add_timestamp(&p, 1001, n + 1);
	p.payload = data;
	p.payload_length = length;
	return p;
}

static struct packet
backend_syn_ack(uint32_t n)
{
	struct packet p = backend_packet(n);

	p.flags = PACKET_SYN | PACKET_ACK;
	p.seq = n;
	packet_add_mss(&p, 1460);
	packet_add_sack_permitted(&p);
	packet_add_timestamp(&p, 1000, n + 1);
	packet_add_nop(&p);
	packet_add_wscale(&p, 7);
	return p;
}

/* The client's answer to the SYN-ACK in a buffer. */
static struct packet
client_proof(uint32_t n, const struct packet *answer)
{
	struct packet p = client_packet(n, 4);
	uint32_t tsval = 0, tsecr = 0;

	packet_timestamp(answer, &tsval, &tsecr);
	p.seq = client_isn(n) + 1;
	p.ack = answer->seq + 1;
	p.window = 502;
	packet_add_nop(&p);
	packet_add_nop(&p);
	packet_add_timestamp(&p, n + 1, tsval);
	return p;
}

struct turns
clients_open(struct bench *b, uint32_t first, unsigned burst, uint32_t *iss)
{
	struct packet p, answer;
	struct turns turns;

	for (unsigned i = 0; i < BUFFERS; i++) {
		p = client_syn(first + i, 4, true);
		bench_place(b, i, SIDE_CLIENT, &p);
	}
	bench_restore(b);
	turns.syn = bench_run(b, 0, BUFFERS, burst);
	for (unsigned i = 0; i < BUFFERS; i++) {
		packet_read(&answer, b->frames + i * b->frame_bytes, b->frame_bytes);
		iss[i] = answer.seq;
		p = client_proof(first + i, &answer);
		bench_place(b, i, SIDE_CLIENT, &p);
	}
	bench_restore(b);
	turns.ack = bench_run(b, 0, BUFFERS, burst);
	for (unsigned i = 0; i < BUFFERS; i++) {
		p = backend_syn_ack(first + i);
		bench_place(b, i, SIDE_BACKEND, &p);
	}
	bench_restore(b);
	turns.syn_ack = bench_run(b, 0, BUFFERS, burst);
	return turns;
}

uint32_t *
clients_open_many(struct bench *b, uint32_t connections, size_t frame_bytes)
{
	const uint32_t blocks = (connections + BUFFERS - 1) / BUFFERS;
	uint32_t *iss = memory_new((size_t)blocks * BUFFERS * sizeof(*iss));

	bench_init(b, &(struct options){.connections = blocks * BUFFERS,
				      .syncookies = 2,
				      .frame_bytes = frame_bytes});
	for (uint32_t block = 0; block < blocks; block++)
		clients_open(b, block * BUFFERS, BURST_MAX, iss + (size_t)block * BUFFERS);
	return iss;
}
