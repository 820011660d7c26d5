/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/seq.h"
#include "kernel_wanted.h"
#include "world.h"

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct world *w = context;

	if (w->out_of_buffers)
		return false;
	/* A heap block of just the promised size, so that a sanitizer sees any byte beyond. */
	*pkt = (struct pkt){.tailroom = PKT_BUILD_BYTES_MAX};
	pkt->data = malloc(PKT_BUILD_BYTES_MAX);
	pkt->owner = pkt->data;
	assert_non_null(pkt->data);
	w->lent++;
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct world *w = context;
	struct emitted_packet *emitted = &w->emitted[w->emitted_count];

	assert_in_range(w->emitted_count, 0, WORLD_EMITTED_MAX - 1);
	w->emitted_count++;
	w->lent--;
	emitted->to = out;
	emitted->length = pkt->len + pkt->rest;
	memcpy(emitted->frame, pkt->data, emitted->length);
	if (packet_read(&emitted->packet, emitted->frame, emitted->length))
		assert_true(w->emits_damaged ||
				packet_checksums_are_right(emitted->frame, emitted->length));
	else
		assert_true(w->emits_damaged || w->is_probing);
	if (emitted->packet.flags == 0)
		memset(&emitted->packet, 0, sizeof(emitted->packet));
	free(pkt->owner);
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	struct world *w = context;

	w->lent--;
	free(pkt->owner);
}

static union ip_addr
ip6_backend(void)
{
	return (union ip_addr){.bytes = {[0] = 0xfd, [15] = 2}};
}

static struct backend_config
backend_default(const struct backend_config *overrides, enum world_mode mode, uint16_t slot)
{
	struct backend_config config = *overrides;
	const uint8_t ip4[4] = {10, 0, 0, 2};
	uint32_t ip4_be;

	memcpy(&ip4_be, ip4, sizeof(ip4_be));
	config.slot = slot;
	config.port = slot == 2 ? 443 : 80;
	config.family = slot == 1 ? FAMILY_IP6 : FAMILY_IP4;
	config.address = slot == 1 ? ip6_backend() : ip_addr_from_ip4(ip4_be);
	config.tcp_syncookies = mode == WORLD_MODE_2 ? 2 : mode == WORLD_MODE_1 ? 1 : 0;
	config.queue_rules = QUEUE_RULES_LINUX_6_18;
	config.tcp_max_syn_backlog = config.tcp_max_syn_backlog ? config.tcp_max_syn_backlog : 1024;
	config.tcp_synack_retries = config.tcp_synack_retries ? config.tcp_synack_retries : 5;
	config.tcp_syn_retries = config.tcp_syn_retries ? config.tcp_syn_retries : 3;
	config.backlog = config.backlog ? config.backlog : 4096;
	config.somaxconn = config.somaxconn ? config.somaxconn : 4096;
	config.connect_window = config.connect_window ? config.connect_window : 1024;
	config.announced_mss = slot == 2 ? 536 : slot == 1 ? 1440 : 1460;
	config.announced_wscale = config.announced_wscale ? config.announced_wscale : 7;
	return config;
}

/* From 10.1.0.0 on, all in the slot behind the others. */
static void
insert_more(const struct world *w, struct snapshot *snapshot)
{
	struct backend_config config = w->configs[0];

	config.slot = WORLD_BACKENDS;
	for (unsigned i = 0; i < w->more_backends; i++) {
		const uint8_t ip4[4] = {10, 1, 0, (uint8_t)i};
		uint32_t ip4_be;

		memcpy(&ip4_be, ip4, sizeof(ip4_be));
		config.address = ip_addr_from_ip4(ip4_be);
		assert_int_equal(snapshot_insert(snapshot, &config), 0);
	}
}

void
world_publish(struct world *w)
{
	const unsigned count = WORLD_BACKENDS + w->more_backends;
	void *memory = aligned_alloc(CACHE_LINE_SIZE, snapshot_memsize(count));
	void *before = (void *)(uintptr_t)w->snapshot;
	struct snapshot *snapshot;

	assert_non_null(memory);
	snapshot = snapshot_init(memory, count, ++w->generation, 99);
	snapshot_set_cookies(snapshot, &w->cookies, w->foreign_cookies);
	snapshot_set_timeouts(snapshot, &w->timeouts);
	snapshot_set_probe(snapshot, &w->probe);
	snapshot_set_egress(snapshot, &w->egress);
	snapshot_set_sources(snapshot, &w->sources);
	for (unsigned i = 0; i < WORLD_BACKENDS; i++)
		assert_int_equal(snapshot_insert(snapshot, &w->configs[i]), 0);
	insert_more(w, snapshot);
	w->snapshot = snapshot;
	free(before);
}

void
world_set_mode(struct world *w, enum backend_mode mode)
{
	for (unsigned slot = 0; slot < WORLD_BACKENDS; slot++)
		w->configs[slot].mode = (uint8_t)mode;
	world_publish(w);
}

struct world *
world_new(const struct world_options *options)
{
	struct world *w = aligned_alloc(_Alignof(struct world), sizeof(*w));
	struct sluice_limits limits = {
			.connections = options->connections ? options->connections : 64,
			.backends = ARRAY_COUNT(w->own_shared),
			.syn_entries = options->syn_entries ? options->syn_entries : 256,
			.monitor_clients = options->no_monitor_clients ? 0
					   : options->monitor_clients  ? options->monitor_clients
								       : 512,
			.early_packets = options->no_early_packets ? 0
					 : options->early_packets  ? options->early_packets
								   : 16,
			.source_prefixes = options->no_source_prefixes ? 0
					   : options->source_prefixes  ? options->source_prefixes
								       : 1024,
	};

	assert_non_null(w);
	memset(w, 0, sizeof(*w));
	limits.connections_ip6 = options->no_ip6 ? 0 : limits.connections;
	w->memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&limits)));
	assert_non_null(w->memory);
	for (uint16_t slot = 0; slot < WORLD_BACKENDS; slot++)
		w->configs[slot] = backend_default(&options->backend, options->mode, slot);
	w->shared = options->together_with ? options->together_with->shared : w->own_shared;
	w->cookies = options->cookies ? *options->cookies
				      : cookie_plan_make(&(struct siphash_key){1, 2});
	w->foreign_cookies = options->foreign_cookies;
	w->timeouts = timeouts_default();
	w->is_probing = options->probe != NULL;
	if (w->is_probing)
		w->probe = *options->probe;
	w->egress = egress_rates_default();
	w->more_backends = options->more_backends;
	world_publish(w);
	w->now = options->start ? options->start : UINT64_C(1700000000) * TICKS_PER_S;

	struct sluice_env env = {
			.context = w,
			.packet_get = packet_get,
			.packet_emit = packet_emit,
			.packet_drop = packet_drop,
			.snapshot = &w->snapshot,
			.shared = w->shared,
			.owns = options->owns,
			.hops = w->is_probing ? &w->hops : NULL,
			.server_mac = WORLD_MAC,
			.inspect = &w->box,
			.samples = options->samples,
			.hash_seed = {3, 4},
			.kernel = kernel_wanted(),
			.mtu = options->mtu,
			.now = w->now,
	};

	w->worker = sluice_worker_init(w->memory, &limits, &env);
	assert_non_null(w->worker);
	return w;
}

void
world_free(struct world *w)
{
	const struct worker_counters *counters = worker_counters(w->worker);
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += counters->reasons[reason];
	assert_int_equal(sum, w->sent);
	assert_int_equal(counters->received[0] + counters->received[1], w->sent);
	sluice_give_back(w->worker);
	assert_int_equal(w->lent, 0);
	assert_int_equal(counters->early_held, 0);
	free((void *)(uintptr_t)w->snapshot);
	free(w->memory);
	free(w);
}

static void
outcome_fill(struct world *w, struct outcome *outcome, enum side from, const struct pkt *pkt)
{
	outcome->reason = pkt->reason;
	outcome->verdict = reason_verdict(pkt->reason);
	outcome->to = outcome->verdict == VERDICT_FORWARD ? side_other(from) : from;
	memset(&outcome->packet, 0, sizeof(outcome->packet));
	if (outcome->verdict == VERDICT_HOLD)
		return; /* the worker's, or gone already */
	outcome->length = pkt->len + pkt->rest;
	memcpy(outcome->frame, pkt->data, outcome->length);
	w->lent--;
	free(pkt->owner);
	if (!packet_read(&outcome->packet, outcome->frame, outcome->length))
		memset(&outcome->packet, 0, sizeof(outcome->packet));
}

static void
burst_run(struct world *w, enum side from, unsigned count, struct outcome *outcomes)
{
	/* All are the worker's, until it is seen which are not. */
	w->lent += (int)count;
	w->burst.from = from;
	w->burst.count = count;
	if (w->reads_first)
		sluice_read(w->worker, &w->burst);
	if (w->takes_out)
		sluice_read_others(w->worker);
	sluice_burst(w->worker, &w->burst, w->now);
	w->sent += count;
	for (unsigned i = 0; i < count; i++)
		outcome_fill(w, &outcomes[i], from, &w->burst.pkts[i]);
}

static uint8_t *
burst_place(struct world *w, unsigned i, size_t length)
{
	uint8_t *data = malloc(WORLD_FRAME_BYTES);
	struct pkt *pkt = &w->burst.pkts[i];

	assert_non_null(data);
	/* All else is left over from the packet before, as in the appliance. */
	pkt->data = pkt->owner = data;
	pkt->len = (uint32_t)length;
	pkt->rest = 0;
	pkt->tailroom = (uint16_t)(WORLD_FRAME_BYTES - length);
	pkt->csum = (uint8_t)w->csum;
	pkt->kind = PKT_UNPARSED;
	pkt->reason = REASON_NONE;
	if (w->head_length != 0 && length > w->head_length) {
		pkt->len = w->head_length;
		pkt->rest = (uint32_t)length - w->head_length;
		pkt->csum = PKT_CSUM_LATER;
	}
	return data;
}

struct outcome
world_send_frame(struct world *w, enum side from, const uint8_t *frame, size_t length)
{
	struct outcome outcome;

	memcpy(burst_place(w, 0, length), frame, length);
	burst_run(w, from, 1, &outcome);
	/* The copy's payload pointer must not outlive this frame. */
	outcome.packet.payload = NULL;
	return outcome;
}

struct outcome
world_send(struct world *w, enum side from, const struct packet *packet)
{
	struct outcome outcome;

	world_send_burst(w, from, 1, packet, &outcome);
	outcome.packet.payload = NULL;
	return outcome;
}

void
world_send_burst(struct world *w, enum side from, unsigned count, const struct packet *packets,
		struct outcome *outcomes)
{
	for (unsigned i = 0; i < count; i++)
		packet_write(&packets[i], burst_place(w, i, packet_size(&packets[i])),
				WORLD_FRAME_BYTES);
	burst_run(w, from, count, outcomes);
	for (unsigned i = 0; i < count; i++)
		if (outcomes[i].verdict != VERDICT_DROP && outcomes[i].verdict != VERDICT_HOLD &&
				outcomes[i].packet.ip_version != 0)
			assert_true(packet_checksums_are_right(
					outcomes[i].frame, outcomes[i].length));
}

void
world_pass(struct world *w, ticks_t duration)
{
	ticks_t end = w->now + duration;

	while (w->now < end) {
		w->now = w->now + 10 * TICKS_PER_MS < end ? w->now + 10 * TICKS_PER_MS : end;
		sluice_tick(w->worker, w->now, 1000);
	}
}

struct packet
world_emitted(struct world *w, enum side to)
{
	assert_int_equal(w->emitted_count, 1);
	assert_int_equal(w->emitted[0].to, to);
	w->emitted_count = 0;
	return w->emitted[0].packet;
}

void
world_nothing_emitted(struct world *w)
{
	assert_int_equal(w->emitted_count, 0);
}

uint64_t
world_reason(const struct world *w, enum reason reason)
{
	return worker_counters(w->worker)->reasons[reason];
}

uint64_t
world_counter(const struct world *w, uint16_t slot, enum backend_counter counter)
{
	return worker_backend_counters(w->worker, slot)->values[counter];
}

uint64_t
world_connections(const struct world *w)
{
	return worker_counters(w->worker)->connections;
}

struct flow_script
flow_script_default(unsigned ip_version, uint16_t client_port)
{
	return (struct flow_script){
			.ip_version = ip_version,
			.client_port = client_port,
			.backend_port = 80,
			.client_isn = 0xfffffff0,
			.backend_isn = 0x7ffffff0,
			.client_window = 502,
			.backend_window = 65160,
			.client_wscale = 7,
			.backend_wscale = 9,
			.client_sack = true,
			.backend_sack = true,
			.client_timestamp = true,
			.backend_timestamp = true,
			.client_mss = 1460,
			.backend_mss = 1460,
			.client_tsval = 0xffffff00,
			.backend_tsval = 0x10,
	};
}

static void
flow_tag(const struct flow_script *f, struct packet *packet)
{
	if (f->vlan_count == 2)
		packet_add_vlan(packet, 0x88a8, 20);
	if (f->vlan_count >= 1)
		packet_add_vlan(packet, 0x8100, 10);
}

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t backend_mac[6] = {2, 0, 0, 0, 0, 2};

static struct packet
flow_packet(const struct flow_script *f, enum side from)
{
	const char *client = f->ip_version == 4 ? "10.0.0.1" : "fd00::1";
	const char *backend = f->ip_version == 4 ? "10.0.0.2" : "fd00::2";
	const char *source = from == SIDE_CLIENT ? client : backend;
	const char *destination = from == SIDE_CLIENT ? backend : client;
	uint16_t source_port = from == SIDE_CLIENT ? f->client_port : f->backend_port;
	uint16_t destination_port = from == SIDE_CLIENT ? f->backend_port : f->client_port;
	struct packet packet = f->ip_version == 4 ? packet_ip4(source, source_port, destination,
								    destination_port)
						  : packet_ip6(source, source_port, destination,
								    destination_port);

	memcpy(packet.ether_source, from == SIDE_CLIENT ? client_mac : backend_mac, 6);
	memcpy(packet.ether_destination, from == SIDE_CLIENT ? backend_mac : client_mac, 6);
	flow_tag(f, &packet);
	return packet;
}

static bool
flow_has_timestamps(const struct flow_script *f)
{
	return f->client_timestamp && f->backend_timestamp;
}

struct packet
flow_client(const struct flow_script *f, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct packet packet = flow_packet(f, SIDE_CLIENT);

	packet.flags = flags;
	packet.seq = seq;
	packet.ack = ack;
	packet.window = f->client_window;
	if (f->client_timestamp && !(flags & PACKET_RST)) {
		packet_add_nop(&packet);
		packet_add_nop(&packet);
		packet_add_timestamp(&packet, f->client_tsval, f->synack_tsval);
	}
	return packet;
}

struct packet
flow_backend(const struct flow_script *f, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct packet packet = flow_packet(f, SIDE_BACKEND);

	packet.flags = flags;
	packet.seq = seq;
	packet.ack = ack;
	packet.window = f->backend_window;
	if (flow_has_timestamps(f) && !(flags & PACKET_RST)) {
		packet_add_nop(&packet);
		packet_add_nop(&packet);
		packet_add_timestamp(&packet, f->backend_tsval, f->client_tsval);
	}
	return packet;
}

static void
add_syn_options(struct packet *packet, uint16_t mss, bool sack, bool timestamp, uint32_t tsval,
		uint32_t tsecr, int wscale)
{
	if (mss != 0)
		packet_add_mss(packet, mss);
	if (sack)
		packet_add_sack_permitted(packet);
	if (timestamp)
		packet_add_timestamp(packet, tsval, tsecr);
	if (wscale >= 0)
		packet_add_wscale(packet, (uint8_t)wscale);
}

struct packet
flow_syn(const struct flow_script *f)
{
	struct packet packet = flow_packet(f, SIDE_CLIENT);

	packet.flags = PACKET_SYN;
	packet.seq = f->client_isn;
	packet.window = 64240;
	add_syn_options(&packet, f->client_mss, f->client_sack, f->client_timestamp,
			f->client_tsval, 0, f->client_wscale);
	return packet;
}

struct packet
flow_send_syn(struct world *w, struct flow_script *f)
{
	struct packet syn = flow_syn(f);
	struct outcome out = world_send(w, SIDE_CLIENT, &syn);
	uint32_t tsecr;

	assert_true(out.reason == REASON_syn_cookie_sent || out.reason == REASON_syn_queued ||
			out.reason == REASON_syn_again);
	assert_int_equal(out.packet.flags, PACKET_SYN | PACKET_ACK);
	assert_int_equal(out.packet.ack, f->client_isn + 1);
	f->iss = out.packet.seq;
	f->synack_tsval = 0;
	if (packet_timestamp(&out.packet, &f->synack_tsval, &tsecr))
		assert_int_equal(tsecr, f->client_tsval);
	return out.packet;
}

struct packet
flow_ack(const struct flow_script *f)
{
	return flow_client(f, PACKET_ACK, f->client_isn + 1, f->iss + 1);
}

struct packet
flow_synack(const struct flow_script *f)
{
	struct packet packet = flow_packet(f, SIDE_BACKEND);

	packet.flags = PACKET_SYN | PACKET_ACK;
	packet.seq = f->backend_isn;
	packet.ack = f->client_isn + 1;
	packet.window = f->backend_window;
	add_syn_options(&packet, f->backend_mss, f->client_sack && f->backend_sack,
			flow_has_timestamps(f), f->backend_tsval, f->client_tsval,
			f->client_wscale >= 0 ? f->backend_wscale : -1);
	return packet;
}

void
flow_establish(struct world *w, struct flow_script *f)
{
	struct packet packet;

	flow_send_syn(w, f);
	packet = flow_ack(f);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_ack_connecting);
	packet = flow_synack(f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
}

struct packet
world_stranger_syn(unsigned n)
{
	char source[16];
	struct packet syn;

	snprintf(source, sizeof(source), "11.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	syn = packet_ip4(source, 40000, "10.0.0.2", 80);
	syn.flags = PACKET_SYN;
	syn.seq = 1000 + n;
	packet_add_mss(&syn, 1460);
	return syn;
}

void
world_flood(struct world *w, unsigned first, unsigned count)
{
	struct packet syns[BURST_MAX];
	struct outcome outcomes[BURST_MAX];

	for (unsigned n = 0; n < count; n += BURST_MAX) {
		unsigned burst = count - n < BURST_MAX ? count - n : BURST_MAX;

		for (unsigned i = 0; i < burst; i++)
			syns[i] = world_stranger_syn(first + n + i);
		world_send_burst(w, SIDE_CLIENT, burst, syns, outcomes);
	}
}

unsigned
world_take_syn_acks(struct world *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < w->emitted_count; i++)
		count += w->emitted[i].packet.flags == (PACKET_SYN | PACKET_ACK);
	w->emitted_count = 0;
	return count;
}
