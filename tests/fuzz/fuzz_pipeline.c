/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole pipeline under hostile sequences: the input is a script of bursts, each of raw bytes
 * or of TCP packets whose numbers lie near those of a few live connections, with time passing in
 * between. Every packet ends at a guard page. After every step: one reason per packet, their
 * sum right, tables within bounds; at the end, after five quiet days, everything is empty.
 *
 *	step = kind:1 argument:1 ... ; see script_step()
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "packets.h"
#include "proxy/worker.h"

#define CONNECTIONS 16
#define FLOWS 8
#define FRAME_BYTES_MAX 2048

struct guarded {
	uint8_t *end; /* first byte of the guard page */
};

struct peer {
	uint32_t client_nxt, backend_nxt, iss, tsval;
	bool is_spliced;
};

struct world {
	struct worker *worker;
	const struct snapshot *snapshot;
	uint32_t occupancy[1];
	ticks_t now;
	uint64_t sent;
	struct guarded frame;
	struct guarded lent[64];
	unsigned lent_count;
	struct peer peers[FLOWS];
};

struct script {
	const uint8_t *at;
	size_t left;
};

static uint32_t
script_take(struct script *script, unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes > 0 && script->left > 0; bytes--, script->left--)
		value = value << 8 | *script->at++;
	return value;
}

static struct guarded
guarded_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory = mmap(
			NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ENSURE(memory != MAP_FAILED && page >= FRAME_BYTES_MAX);
	ENSURE(mprotect(memory + page, page, PROT_NONE) == 0);
	return (struct guarded){memory + page};
}

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct world *w = context;

	if (w->lent_count == ARRAY_COUNT(w->lent))
		return false;
	*pkt = (struct pkt){.tailroom = PKT_BUILD_BYTES_MAX};
	pkt->data = w->lent[w->lent_count++].end - PKT_BUILD_BYTES_MAX;
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct world *w = context;
	struct packet packet;

	ENSURE(packet_checksums_are_right(pkt->data, pkt->len));
	ENSURE(packet_read(&packet, pkt->data, pkt->len));
	/* Nothing reaches the backend but SYNs and RSTs that we make ourselves. */
	ENSURE(out == SIDE_CLIENT || packet.flags == PACKET_SYN || packet.flags == PACKET_RST);
	w->lent_count--;
}

static void
world_check(const struct world *w)
{
	const struct worker_counters *counters = worker_counters(w->worker);
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += counters->reasons[reason];
	ENSURE(sum == w->sent && counters->connections <= CONNECTIONS);
	ENSURE(w->occupancy[0] <= CONNECTIONS && w->lent_count == 0);
	ENSURE(worker_backend_counters(w->worker, 0)->values[COUNTER_CurrEstab] <= CONNECTIONS);
}

static enum reason
world_send(struct world *w, enum side from, size_t length)
{
	struct burst burst = {.from = from, .count = 1};

	/* No tailroom behind the packet: answers need it in front of the guard page. */
	burst.pkts[0] = (struct pkt){.data = w->frame.end - length, .len = (uint32_t)length};
	if (length < PKT_BUILD_BYTES_MAX) {
		/* The appliance's buffers always hold what we may build. */
		memmove(w->frame.end - FRAME_BYTES_MAX, burst.pkts[0].data, length);
		burst.pkts[0].data = w->frame.end - FRAME_BYTES_MAX;
		burst.pkts[0].tailroom = (uint16_t)(FRAME_BYTES_MAX - length);
	}
	sluice_burst(w->worker, &burst, w->now);
	w->sent++;
	memmove(w->frame.end - FRAME_BYTES_MAX, burst.pkts[0].data, burst.pkts[0].len);
	return burst.pkts[0].reason;
}

static void
packet_place(struct world *w, const struct packet *packet)
{
	size_t length = packet_size(packet);

	packet_write(packet, w->frame.end - length, length);
}

/* A packet between the backend and one of the flows, its numbers near the live ones. */
static struct packet
script_packet(struct world *w, struct script *script, enum side from, unsigned flow)
{
	const struct peer *peer = &w->peers[flow];
	uint16_t port = (uint16_t)(1000 + flow);
	struct packet packet = from == SIDE_CLIENT ? packet_ip4("10.0.0.1", port, "10.0.0.2", 80)
						   : packet_ip4("10.0.0.2", 80, "10.0.0.1", port);
	uint8_t shape = (uint8_t)script_take(script, 1);

	packet.flags = (uint8_t)script_take(script, 1);
	packet.seq = (from == SIDE_CLIENT ? peer->client_nxt : peer->backend_nxt) +
		     (uint32_t)(int8_t)script_take(script, 1);
	packet.ack = (from == SIDE_CLIENT ? peer->iss : peer->client_nxt) +
		     (uint32_t)(int8_t)script_take(script, 1);
	packet.window = (uint16_t)script_take(script, 2);
	if (shape & 1)
		packet_add_mss(&packet, (uint16_t)script_take(script, 2));
	if (shape & 2)
		packet_add_timestamp(&packet, script_take(script, 1), peer->tsval);
	if (shape & 4)
		packet_add_wscale(&packet, (uint8_t)script_take(script, 1));
	if (shape & 8)
		packet_add_sack_permitted(&packet);
	if (shape & 16)
		packet_add_sack(&packet, 1, (uint32_t[]){packet.ack + 1, packet.ack + 9});
	if (shape & 32) {
		packet.payload = script->at;
		packet.payload_length = script->left < 16 ? script->left : 16;
	}
	return packet;
}

/* Learns the numbers that later steps stay near. */
static void
peer_learn(struct world *w, unsigned flow, const struct packet *sent, enum side from,
		enum reason reason)
{
	struct peer *peer = &w->peers[flow];
	struct packet answer;
	uint32_t tsecr;

	switch (reason) {
	case REASON_syn_cookie_sent:
		ENSURE(packet_read(&answer, w->frame.end - FRAME_BYTES_MAX, FRAME_BYTES_MAX));
		peer->iss = answer.seq + 1;
		peer->client_nxt = sent->seq + 1;
		peer->tsval = 0;
		packet_timestamp(&answer, &peer->tsval, &tsecr);
		break;
	case REASON_backend_connected:
		peer->backend_nxt = sent->seq + 1;
		break;
	case REASON_spliced:
		if (from == SIDE_CLIENT)
			peer->client_nxt = sent->seq + (uint32_t)sent->payload_length;
		else
			peer->backend_nxt = sent->seq + (uint32_t)sent->payload_length;
		break;
	default:
		break;
	}
}

static void
script_step(struct world *w, struct script *script)
{
	uint8_t kind = (uint8_t)script_take(script, 1);
	enum side from = kind & 1 ? SIDE_BACKEND : SIDE_CLIENT;
	unsigned flow = kind >> 5;

	switch (kind >> 1 & 3) {
	case 0: { /* Raw bytes. */
		size_t length = script_take(script, 1);

		length = length < script->left ? length : script->left;
		memcpy(w->frame.end - length, script->at, length);
		script->at += length;
		script->left -= length;
		world_send(w, from, length);
		break;
	}
	case 1: { /* Time. */
		w->now += (ticks_t)script_take(script, 2) << (kind >> 3 & 15);
		sluice_tick(w->worker, w->now, 64);
		break;
	}
	default: {
		struct packet packet = script_packet(w, script, from, flow);

		packet_place(w, &packet);
		peer_learn(w, flow, &packet, from, world_send(w, from, packet_size(&packet)));
		break;
	}
	}
	world_check(w);
}

static const struct snapshot *
snapshot_make(void)
{
	struct packet sample = packet_ip4("10.0.0.1", 1, "10.0.0.2", 80);
	struct backend_config config = {
			.port = 80,
			.family = FAMILY_IP4,
			.tcp_syncookies = 2,
			.tcp_syn_retries = 3,
			.backlog = 8,
			.somaxconn = 8,
			.connect_window = 4,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};
	struct snapshot *snapshot =
			snapshot_init(aligned_alloc(CACHE_LINE_SIZE, snapshot_memsize(1)), 1, 1, 1);
	uint32_t address_be;

	memcpy(&address_be, sample.destination, sizeof(address_be));
	config.address = ip_addr_from_ip4(address_be);
	ENSURE(snapshot_insert(snapshot, &config) == 0);
	return snapshot;
}

static void
world_init(struct world *w, void *memory, const struct sluice_limits *limits)
{
	w->now = UINT64_C(1700000000) * TICKS_PER_S;
	w->occupancy[0] = 0;
	w->sent = 0;
	w->lent_count = 0;
	memset(w->peers, 0, sizeof(w->peers));
	w->worker = sluice_worker_init(memory, limits,
			&(struct sluice_env){
					.context = w,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.snapshot = &w->snapshot,
					.accept_occupancy = w->occupancy,
					.cookie_secret = {1, 2},
					.hash_seed = {3, 4},
					.now = w->now,
			});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sluice_limits limits = {CONNECTIONS, CONNECTIONS, 1};
	static struct world w;
	static void *memory;
	struct script script = {data, size};

	if (memory == NULL) {
		memory = aligned_alloc(
				CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&limits)));
		w.snapshot = snapshot_make();
		w.frame = guarded_new();
		for (unsigned i = 0; i < ARRAY_COUNT(w.lent); i++)
			w.lent[i] = guarded_new();
	}
	world_init(&w, memory, &limits);
	while (script.left > 0)
		script_step(&w, &script);

	/* Quiet: every client gets its end, every connection its timeout. */
	for (unsigned hour = 0; hour < 24 * 12; hour++) {
		w.now += 3600 * TICKS_PER_S;
		while (sluice_tick(w.worker, w.now, 64) == 64)
			;
	}
	ENSURE(worker_counters(w.worker)->connections == 0 && w.occupancy[0] == 0);
	ENSURE(worker_backend_counters(w.worker, 0)->values[COUNTER_CurrEstab] == 0);
	world_check(&w);
	return 0;
}
