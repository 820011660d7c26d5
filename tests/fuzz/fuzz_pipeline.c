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
#define SYN_ENTRIES_MAX 128
#define EARLY_PACKETS 8
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
	uint64_t generation;
	struct cookie_plan cookies;
	struct timeouts timeouts;
	struct backend_config backend;
	struct backend_shared shared[1];
	uint32_t syn_entries;
	struct inspect *box;
	struct inspect letter;
	uint16_t flood_port;
	ticks_t now;
	uint64_t sent;
	struct guarded frame;
	struct guarded spares[EARLY_PACKETS]; /* for frames that the worker holds */
	unsigned spare_count;
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

/* A frame that the worker held may be used again. */
static void
frame_back(struct world *w, const struct pkt *pkt)
{
	ENSURE(w->spare_count < EARLY_PACKETS);
	w->spares[w->spare_count++].end = pkt->owner;
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	frame_back(context, pkt);
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct world *w = context;
	struct packet packet;

	ENSURE(packet_checksums_are_right(pkt->data, pkt->len));
	ENSURE(packet_read(&packet, pkt->data, pkt->len));
	if (pkt->owner != NULL) {
		ENSURE(out == SIDE_BACKEND);
		frame_back(w, pkt);
		return;
	}
	/* Nothing reaches the backend but SYNs, RSTs and ACKs that we make ourselves, and what we
	 * held. */
	ENSURE(out == SIDE_CLIENT || packet.flags == PACKET_SYN || packet.flags == PACKET_ACK ||
			(packet.flags & ~PACKET_ACK) == PACKET_RST);
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
	ENSURE(w->shared[0].accept <= CONNECTIONS && w->lent_count == 0);
	ENSURE(counters->early_held == EARLY_PACKETS - w->spare_count);
	ENSURE(w->shared[0].syn <= w->syn_entries && w->shared[0].young <= w->shared[0].syn);
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
	burst.pkts[0].owner = w->frame.end;
	sluice_burst(w->worker, &burst, w->now);
	w->sent++;
	if (reason_verdict(burst.pkts[0].reason) == VERDICT_HOLD) {
		ENSURE(w->spare_count > 0);
		w->frame = w->spares[--w->spare_count];
		return burst.pkts[0].reason;
	}
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
	case REASON_syn_queued:
	case REASON_syn_again:
		ENSURE(packet_read(&answer, w->frame.end - FRAME_BYTES_MAX, FRAME_BYTES_MAX));
		peer->iss = answer.seq + 1;
		peer->client_nxt = sent->seq + 1;
		peer->tsval = 0;
		packet_timestamp(&answer, &peer->tsval, &tsecr);
		break;
	case REASON_backend_connected:
	case REASON_backend_connected_early:
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
world_publish(struct world *w, bool foreign_cookies)
{
	void *before = (void *)(uintptr_t)w->snapshot;
	struct snapshot *snapshot = snapshot_init(
			aligned_alloc(CACHE_LINE_SIZE, cache_align(snapshot_memsize(1))), 1,
			++w->generation, 1);

	ENSURE(snapshot_insert(snapshot, &w->backend) == 0);
	snapshot_set_cookies(snapshot, &w->cookies, foreign_cookies);
	snapshot_set_timeouts(snapshot, &w->timeouts);
	w->snapshot = snapshot;
	free(before);
}

static void
step_raw(struct world *w, struct script *script, enum side from)
{
	size_t length = script_take(script, 1);

	length = length < script->left ? length : script->left;
	memcpy(w->frame.end - length, script->at, length);
	script->at += length;
	script->left -= length;
	world_send(w, from, length);
}

/* SYNs of clients that are never seen again, more than there are entries. */
static void
step_flood(struct world *w, struct script *script)
{
	for (unsigned count = script_take(script, 1); count > 0; count--) {
		struct packet syn = packet_ip4("10.0.0.3", ++w->flood_port | 1024, "10.0.0.2", 80);

		syn.flags = PACKET_SYN;
		syn.seq = w->flood_port;
		packet_place(w, &syn);
		world_send(w, SIDE_CLIENT, packet_size(&syn));
	}
}

/* Posts a letter, or looks whether the one before is answered; a tick delivers it. */
static void
step_letter(struct world *w, struct script *script, unsigned flow)
{
	struct packet sample = packet_ip4("10.0.0.1", (uint16_t)(1000 + flow), "10.0.0.2", 80);
	uint8_t shape = (uint8_t)script_take(script, 1);
	uint32_t client_be;

	if (w->box == NULL) {
		memcpy(&client_be, sample.source, sizeof(client_be));
		w->letter = (struct inspect){
				.kind = (enum inspect_kind)(shape & 3),
				.slot = 0,
				.limit = 1 + (shape >> 2),
				.tuple = {.client = ip_addr_from_ip4(client_be),
						.backend = w->backend.address,
						.client_port = sample.source_port,
						.backend_port = w->backend.port,
						.family = FAMILY_IP4},
		};
		w->box = &w->letter;
	}
	sluice_tick(w->worker, w->now, 64);
	ENSURE(w->letter.count <= w->letter.limit);
}

/* Another configuration, made as lib/control makes it. */
static void
step_reload(struct world *w, struct script *script)
{
	const uint8_t flags = (uint8_t)script_take(script, 1);
	const uint8_t sizes = (uint8_t)script_take(script, 1);
	const uint8_t limits = (uint8_t)script_take(script, 1);
	const uint8_t window = (uint8_t)script_take(script, 1);
	struct siphash_key secret = w->cookies.secrets[COOKIE_PLAN_EPOCHS - 1];
	struct cookie_plan next;

	secret.k0 += flags >> 6 & 1;
	next = cookie_plan_next(&w->cookies, &secret, w->now);
	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS - 1; i++) {
		uint8_t wscale = backend_config_wscale(&w->backend, &w->cookies, next.first + i);

		w->backend.earlier_wscale[i] = (uint8_t)(1 + wscale);
	}
	w->cookies = next;
	w->backend.tcp_syncookies = (flags & 3) % 3;
	w->backend.queue_rules = flags >> 2 & 3;
	w->backend.tcp_abort_on_overflow = flags >> 4 & 1;
	w->backend.is_draining = flags >> 5 & 1;
	w->backend.backlog = 1 + (sizes & 15);
	w->backend.tcp_max_syn_backlog = UINT32_C(1) << (sizes >> 4);
	w->backend.tcp_synack_retries = (limits & 15) % 11;
	w->backend.announced_wscale = (limits >> 4) % 10;
	w->backend.connect_window = 1 + (window & 15);
	w->backend.early_data = (window >> 4 & 3) % 3;
	w->backend.stray = (window >> 5 & 3) % 3;
	w->backend.fragments = window >> 6 & 1;
	w->timeouts = timeouts_default();
	if (window >> 7)
		w->timeouts = (struct timeouts){.s = {600, 60, 30, 20, 1}};
	world_publish(w, flags >> 7);
}

/* What a step is, but for time and TCP packets, which the two bits above the side tell. */
enum step { STEP_RAW, STEP_FLOOD, STEP_LETTER, STEP_RELOAD };

static enum step
step_of(uint8_t kind)
{
	return (enum step)(kind >> 3 & 3);
}

static void
script_step(struct world *w, struct script *script)
{
	uint8_t kind = (uint8_t)script_take(script, 1);
	enum side from = kind & 1 ? SIDE_BACKEND : SIDE_CLIENT;
	unsigned flow = kind >> 5;

	switch (kind >> 1 & 3) {
	case 0:
		if (step_of(kind) == STEP_FLOOD)
			step_flood(w, script);
		else if (step_of(kind) == STEP_LETTER)
			step_letter(w, script, flow);
		else if (step_of(kind) == STEP_RELOAD)
			step_reload(w, script);
		else
			step_raw(w, script, from);
		break;
	case 1: /* Time. */
		w->now += (ticks_t)script_take(script, 2) << (kind >> 3 & 15);
		sluice_tick(w->worker, w->now, 64);
		break;
	default: {
		struct packet packet = script_packet(w, script, from, flow);

		packet_place(w, &packet);
		peer_learn(w, flow, &packet, from, world_send(w, from, packet_size(&packet)));
		break;
	}
	}
	world_check(w);
}

/* Until a script says otherwise: cookies always. */
static struct backend_config
backend_first(void)
{
	struct packet sample = packet_ip4("10.0.0.1", 1, "10.0.0.2", 80);
	struct backend_config config = {
			.port = 80,
			.family = FAMILY_IP4,
			.tcp_syncookies = 2,
			.tcp_syn_retries = 3,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = 8,
			.somaxconn = 8,
			.connect_window = 4,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};
	uint32_t address_be;

	memcpy(&address_be, sample.destination, sizeof(address_be));
	config.address = ip_addr_from_ip4(address_be);
	return config;
}

static void
world_init(struct world *w, void *memory, const struct sluice_limits *limits)
{
	w->now = UINT64_C(1700000000) * TICKS_PER_S;
	w->shared[0] = (struct backend_shared){0};
	w->sent = 0;
	w->lent_count = 0;
	w->box = NULL;
	w->flood_port = 0;
	w->syn_entries = limits->syn_entries;
	w->cookies = cookie_plan_make(&(struct siphash_key){1, 2});
	w->backend = backend_first();
	world_publish(w, false);
	memset(w->peers, 0, sizeof(w->peers));
	w->worker = sluice_worker_init(memory, limits,
			&(struct sluice_env){
					.context = w,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.packet_drop = packet_drop,
					.snapshot = &w->snapshot,
					.shared = w->shared,
					.inspect = &w->box,
					.hash_seed = {3, 4},
					.now = w->now,
			});
	ENSURE(w->worker != NULL);
}

/* Quiet: every client gets its end, every connection its timeout. */
static void
world_calm(struct world *w)
{
	for (unsigned hour = 0; hour < 24 * 12; hour++) {
		w->now += 3600 * TICKS_PER_S;
		while (sluice_tick(w->worker, w->now, 64) == 64)
			;
	}
	ENSURE(worker_counters(w->worker)->connections == 0 && w->box == NULL);
	ENSURE(worker_counters(w->worker)->early_held == 0);
	ENSURE(w->shared[0].accept == 0 && w->shared[0].syn == 0 && w->shared[0].young == 0);
	ENSURE(worker_backend_counters(w->worker, 0)->values[COUNTER_CurrEstab] == 0);
	ENSURE(worker_backend_counters(w->worker, 0)->connections == 0);
	world_check(w);
}

/* A script that begins with a configuration names the table's size in its last byte. */
static uint32_t
first_syn_entries(const uint8_t *data, size_t size)
{
	static const uint32_t entries[] = {64, 0, SYN_ENTRIES_MAX, 64};

	if (size < 5 || (data[0] >> 1 & 3) != 0 || step_of(data[0]) != STEP_RELOAD)
		return entries[0];
	return entries[data[4] >> 4 & 3];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_limits limits = {CONNECTIONS, CONNECTIONS, 1, SYN_ENTRIES_MAX, EARLY_PACKETS};
	static struct world w;
	static void *memory;
	struct script script = {data, size};

	if (memory == NULL) {
		memory = aligned_alloc(
				CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&limits)));
		w.frame = guarded_new();
		for (unsigned i = 0; i < ARRAY_COUNT(w.lent); i++)
			w.lent[i] = guarded_new();
		for (; w.spare_count < EARLY_PACKETS; w.spare_count++)
			w.spares[w.spare_count] = guarded_new();
	}
	limits.syn_entries = first_syn_entries(data, size);
	world_init(&w, memory, &limits);
	while (script.left > 0)
		script_step(&w, &script);
	world_calm(&w);
	return 0;
}
