/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline_world.h"

#include <arpa/inet.h>
#include <string.h>

#include "net/cookie.h"

#define TICK_BUDGET 64
#define EARLY_SHARE ((unsigned)EARLY_PACKETS)

static unsigned
frame_take(struct fuzz_world *w)
{
	ENSURE(w->free_count > 0);
	return w->free_frames[--w->free_count];
}

static void
frame_give(struct fuzz_world *w, const void *owner)
{
	unsigned frame = (unsigned)((const struct guarded_block *)owner - w->frames);

	ENSURE(frame < FRAMES && w->free_count < FRAMES);
	w->free_frames[w->free_count++] = frame;
}

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct fuzz_world *w = ((struct lane *)context)->world;
	struct guarded_block *block;

	if (w->is_out_of_buffers || w->free_count == 0)
		return false;
	block = &w->frames[frame_take(w)];
	*pkt = (struct pkt){
			.data = block->bytes + block->size - PKT_BUILD_BYTES_MAX,
			.owner = block,
			.tailroom = PKT_BUILD_BYTES_MAX,
	};
	return true;
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	frame_give(((struct lane *)context)->world, pkt->owner);
}

static enum side
origin_of(enum side out)
{
	return out == SIDE_BACKEND ? SIDE_CLIENT : SIDE_BACKEND;
}

static void
hear(struct fuzz_world *w, enum side at, const struct packet *packet, const struct pkt *pkt,
		bool is_lost)
{
	int flow = flow_of(packet, origin_of(at));

	if (flow < 0)
		return;
	if (at == SIDE_CLIENT && (packet->flags & PACKET_SYN))
		flow_note_issued(&w->flows[flow], packet->seq);
	if (!is_lost)
		flow_note_heard(&w->flows[flow], at, packet, pkt->data, pkt->len);
}

/* What a worker makes from nothing, or gives back after it was held. */
static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct fuzz_world *w = ((struct lane *)context)->world;
	struct packet packet;

	ENSURE(packet_checksums_are_right(pkt->data, pkt->len));
	ENSURE(packet_read(&packet, pkt->data, pkt->len));
	if (out == SIDE_BACKEND && !w->strays_may_pass) {
		int flow = flow_of(&packet, SIDE_CLIENT);

		ENSURE(flow >= 0 && w->flows[flow].is_proved);
	}
	hear(w, out, &packet, pkt, w->emitted_is_lost);
	frame_give(w, pkt->owner);
}

/* An ACK that no SYN-ACK asked for may prove a client all the same, once in 2^24: the cookie's own
 * tests see to it that it is not more often. */
static bool
is_lucky(const struct fuzz_world *w, const struct packet *packet)
{
	struct tuple tuple = {.client_port = packet->source_port,
			.backend_port = packet->destination_port,
			.family = packet->ip_version == 4 ? FAMILY_IP4 : FAMILY_IP6};
	struct cookie_proof proof;
	uint32_t tsval, tsecr = 0;
	bool has_timestamp = packet_timestamp(packet, &tsval, &tsecr);
	struct jar jar;

	for (unsigned i = 0; i < packet->vlan_count && i < VLAN_TAGS_MAX; i++) {
		uint32_t tag = packet->vlans[i].protocol == 0x8100 ? VLAN_TAG_8100 : VLAN_TAG_88A8;

		tuple.vlan |= (tag << 12 | (packet->vlans[i].tci & 0xfffu)) << 16 * i;
	}
	memcpy(&tuple.client, packet->source, sizeof(tuple.client));
	memcpy(&tuple.backend, packet->destination, sizeof(tuple.backend));
	if (packet->ip_version == 4) {
		tuple.client = ip_addr_from_ip4(tuple.client.words_be[0]);
		tuple.backend = ip_addr_from_ip4(tuple.backend.words_be[0]);
	}
	jar_init(&jar, &w->cookies, w->now);
	return cookie_check(&jar, &tuple, packet->seq, packet->ack, has_timestamp, tsecr, &proof) ==
	       COOKIE_VALID;
}

/* Reasons by which something passes that was never meant for the proxy, or by policy. */
static bool
needs_no_proof(enum reason reason)
{
	switch (reason) {
	case REASON_pass_not_ip:
	case REASON_pass_not_tcp:
	case REASON_pass_not_protected:
	case REASON_fragment_passed:
	case REASON_stray_passed:
		return true;
	default:
		return false;
	}
}

static void
check_leaving(struct fuzz_world *w, const struct waiting *waiting, const struct pkt *pkt)
{
	const struct passage *passage = &waiting->passage;
	enum reason reason = (enum reason)pkt->reason;
	bool is_forwarded = reason_verdict(reason) == VERDICT_FORWARD;
	enum side out = is_forwarded ? side_other(passage->from) : passage->from;
	struct packet packet;

	if (reason == REASON_icmp_translated) {
		ENSURE(!passage->is_icmp_error || icmp_error_is_right(pkt->data, pkt->len));
		return;
	}
	if (needs_no_proof(reason) || !packet_read(&packet, pkt->data, pkt->len))
		return;
	if (waiting->was_right || !is_forwarded)
		ENSURE(packet_checksums_are_right(pkt->data, pkt->len));
	if (out == SIDE_BACKEND && is_forwarded && !w->strays_may_pass) {
		int flow = flow_of(&packet, SIDE_CLIENT);

		ENSURE(flow >= 0 && w->flows[flow].is_proved);
	}
	if (reason == REASON_spliced && passage->packet != NULL) {
		ENSURE(packet.payload_length == waiting->packet.payload_length);
		ENSURE(packet.payload_length == 0 || memcmp(packet.payload, waiting->packet.payload,
								     packet.payload_length) == 0);
	}
	hear(w, out, &packet, pkt, passage->is_lost);
}

/* Each reason was counted as often as a packet has it. */
static void
check_reasons(struct lane *lane, const struct burst *burst)
{
	const struct worker_counters *counters = worker_counters(lane->worker);
	uint64_t sum = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		ENSURE(burst->pkts[i].reason != REASON_NONE);
		lane->reasons[burst->pkts[i].reason]++;
	}
	lane->sent += burst->count;
	for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
		ENSURE(counters->reasons[reason] == lane->reasons[reason]);
		sum += counters->reasons[reason];
	}
	ENSURE(sum == lane->sent);
}

static void
check_tables(const struct fuzz_world *w)
{
	uint64_t held = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		const struct worker_counters *counters = worker_counters(w->lanes[i].worker);
		uint64_t connections = 0, open = 0;

		for (uint16_t slot = 0; slot < BACKENDS; slot++) {
			const struct backend_counters *backend =
					worker_backend_counters(w->lanes[i].worker, slot);

			connections += backend->connections;
			open += backend->values[COUNTER_CurrEstab];
		}
		ENSURE(counters->connections <= CONNECTIONS);
		ENSURE(connections == counters->connections && open <= connections);
		ENSURE(counters->early_held <= EARLY_SHARE);
		held += counters->early_held;
	}
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		const struct backend_shared *shared = &w->shared[slot];

		ENSURE(shared->accept <= WORKERS * CONNECTIONS);
		ENSURE(shared->syn <= WORKERS * w->syn_entries && shared->young <= shared->syn);
	}
	ENSURE(w->free_count + held + w->burst.count == FRAMES);
}

void
fuzz_world_flush(struct fuzz_world *w)
{
	struct lane *lane = &w->lanes[w->burst_worker];
	struct burst *burst = &w->burst;

	if (burst->count == 0)
		return;
	w->emitted_is_lost = w->waiting[0].passage.is_lost;
	sluice_burst(lane->worker, burst, w->now);
	w->emitted_is_lost = false;
	check_reasons(lane, burst);
	for (unsigned i = 0; i < burst->count; i++) {
		const struct pkt *pkt = &burst->pkts[i];
		enum verdict verdict = reason_verdict((enum reason)pkt->reason);

		if (verdict == VERDICT_HOLD)
			continue;
		if (verdict != VERDICT_DROP)
			check_leaving(w, &w->waiting[i], pkt);
		frame_give(w, pkt->owner);
	}
	burst->count = 0;
	check_tables(w);
}

/* Where the bytes of a frame go: up to the guard page, with room for what may be built over it. */
static struct pkt
place(struct fuzz_world *w, const uint8_t *bytes, size_t length, enum pkt_csum csum)
{
	struct guarded_block *block = &w->frames[frame_take(w)];
	size_t room = length > PKT_BUILD_BYTES_MAX ? length : PKT_BUILD_BYTES_MAX;
	struct pkt pkt = {
			.data = block->bytes + block->size - room,
			.owner = block,
			.len = (uint32_t)length,
			.tailroom = (uint16_t)(room - length),
			.csum = (uint8_t)csum,
	};

	memcpy(pkt.data, bytes, length);
	return pkt;
}

/* What its end sends, whatever becomes of it. */
static void
note_sent(struct fuzz_world *w, const struct packet *packet, enum side from, const uint8_t *bytes,
		size_t length)
{
	int flow = flow_of(packet, from);

	if (flow < 0)
		return;
	flow_note_sent(&w->flows[flow], from, packet, bytes, length);
	if (from == SIDE_CLIENT && !(packet->flags & (PACKET_SYN | PACKET_RST)) &&
			is_lucky(w, packet))
		w->flows[flow].is_proved = true;
}

void
fuzz_world_send(struct fuzz_world *w, const struct passage *passage, const uint8_t *bytes,
		size_t length)
{
	struct burst *burst = &w->burst;
	struct waiting *waiting;
	struct packet packet;

	if (burst->count == BURST_MAX ||
			(burst->count > 0 && (burst->from != passage->from ||
							     w->burst_worker != passage->worker)))
		fuzz_world_flush(w);
	burst->from = passage->from;
	w->burst_worker = passage->worker;
	waiting = &w->waiting[burst->count];
	*waiting = (struct waiting){.passage = *passage};
	if (passage->packet != NULL)
		waiting->packet = *passage->packet;
	if (packet_read(&packet, bytes, length)) {
		waiting->was_right = packet_checksums_are_right(bytes, length);
		note_sent(w, &packet, passage->from, bytes, length);
	}
	burst->pkts[burst->count] = place(w, bytes, length, passage->csum);
	if (passage->csum == PKT_CSUM_PARTIAL && waiting->was_right)
		packet_make_checksum_partial(burst->pkts[burst->count].data, length);
	burst->count++;
	if (!passage->is_gathered)
		fuzz_world_flush(w);
}

void
fuzz_world_tick(struct fuzz_world *w, ticks_t duration)
{
	fuzz_world_flush(w);
	w->now += duration;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct lane *lane = &w->lanes[i];

		ENSURE(sluice_tick(lane->worker, w->now, TICK_BUDGET) <= TICK_BUDGET);
		ENSURE(lane->letter.count <= INSPECT_ROWS);
	}
	check_tables(w);
}

void
fuzz_world_publish(struct fuzz_world *w)
{
	void *before = (void *)(uintptr_t)w->snapshot;
	struct snapshot *snapshot = snapshot_init(
			aligned_alloc(CACHE_LINE_SIZE, cache_align(snapshot_memsize(BACKENDS))),
			BACKENDS, ++w->generation, 1);

	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		if (!w->is_published[slot])
			continue;
		ENSURE(snapshot_insert(snapshot, &w->backends[slot]) == 0);
		w->strays_may_pass |= w->backends[slot].stray == STRAY_PASS;
	}
	snapshot_set_cookies(snapshot, &w->cookies, w->has_foreign_cookies);
	snapshot_set_timeouts(snapshot, &w->timeouts);
	w->snapshot = snapshot;
	free(before);
}

static bool
is_empty(const struct fuzz_world *w, uint16_t slot)
{
	uint64_t connections = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		connections += worker_backend_counters(w->lanes[i].worker, slot)->connections;
	return connections == 0 && w->shared[slot].syn == 0 && w->shared[slot].accept == 0;
}

void
fuzz_world_settle(struct fuzz_world *w)
{
	bool ends[BACKENDS];

	fuzz_world_tick(w, 0);
	for (uint16_t slot = 0; slot < BACKENDS; slot++) {
		ends[slot] = w->is_published[slot] && w->backends[slot].is_draining &&
			     is_empty(w, slot);
		w->is_published[slot] &= !ends[slot];
	}
	fuzz_world_publish(w);
	fuzz_world_tick(w, 0);
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		if (ends[slot])
			w->shared[slot] = (struct backend_shared){.accept = 0};
	}
}

/* Until a script says otherwise: cookies always. */
static struct backend_config
backend_first(uint16_t slot)
{
	static const struct {
		const char *address;
		uint16_t port;
	} places[BACKENDS] = {{"::ffff:10.0.0.2", 80}, {"fd00::2", 80}, {"::ffff:10.0.0.2", 443}};
	struct backend_config config = {
			.port = places[slot].port,
			.slot = slot,
			.family = slot == 1 ? FAMILY_IP6 : FAMILY_IP4,
			.tcp_syncookies = 2,
			.tcp_synack_retries = 2,
			.tcp_syn_retries = 3,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = 8,
			.somaxconn = 8,
			.tcp_max_syn_backlog = 16,
			.connect_window = 4,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};

	ENSURE(inet_pton(AF_INET6, places[slot].address, &config.address) == 1);
	return config;
}

static void
lane_begin(struct fuzz_world *w, struct lane *lane, const struct sluice_limits *limits)
{
	*lane = (struct lane){.world = w, .memory = lane->memory};
	lane->worker = sluice_worker_init(lane->memory, limits,
			&(struct sluice_env){
					.context = lane,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.packet_drop = packet_drop,
					.snapshot = &w->snapshot,
					.shared = w->shared,
					.inspect = &lane->box,
					.hash_seed = {3, 4},
					.now = w->now,
			});
	ENSURE(lane->worker != NULL);
}

/* Once for all scripts: frames, and memory for the largest workers. */
static void
memory_take(struct fuzz_world *w, const struct sluice_limits *most)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		w->frames[i] = guarded_block_map(FLOW_FRAME_BYTES);
		w->free_frames[w->free_count++] = i;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		w->lanes[i].memory = aligned_alloc(
				CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(most)));
}

void
fuzz_world_begin(struct fuzz_world *w, uint32_t syn_entries)
{
	struct sluice_limits limits = {
			CONNECTIONS, CONNECTIONS, BACKENDS, SYN_ENTRIES_MAX, EARLY_PACKETS};

	if (w->free_count == 0)
		memory_take(w, &limits);
	limits.syn_entries = syn_entries;
	w->syn_entries = syn_entries;
	w->now = UINT64_C(1700000000) * TICKS_PER_S;
	memset(w->shared, 0, sizeof(w->shared));
	memset(w->flows, 0, sizeof(w->flows));
	w->strays_may_pass = w->is_out_of_buffers = w->has_foreign_cookies = false;
	w->cookies = cookie_plan_make(&(struct siphash_key){1, 2});
	w->timeouts = timeouts_default();
	for (uint16_t slot = 0; slot < BACKENDS; slot++) {
		w->backends[slot] = backend_first(slot);
		w->is_published[slot] = true;
	}
	for (unsigned i = 0; i < FLOWS; i++)
		w->flows[i].worker = i % WORKERS;
	fuzz_world_publish(w);
	for (unsigned i = 0; i < WORKERS; i++)
		lane_begin(w, &w->lanes[i], &limits);
}

static void
check_empty(const struct fuzz_world *w)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct lane *lane = &w->lanes[i];

		ENSURE(worker_counters(lane->worker)->connections == 0 && lane->box == NULL);
		ENSURE(worker_counters(lane->worker)->early_held == 0);
		ENSURE(sluice_next_tick(lane->worker) == TICKS_NEVER);
		for (uint16_t slot = 0; slot < BACKENDS; slot++)
			ENSURE(worker_backend_counters(lane->worker, slot)
							->values[COUNTER_CurrEstab] == 0);
	}
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		ENSURE(w->shared[slot].accept == 0 && w->shared[slot].syn == 0 &&
				w->shared[slot].young == 0);
	ENSURE(w->free_count == FRAMES);
}

/* Timeouts of a second, because a day costs the timer wheels as much as a long script. Timers are
 * armed for five minutes at most; a half-open client stays for twenty. */
void
fuzz_world_calm(struct fuzz_world *w)
{
	fuzz_world_flush(w);
	w->is_out_of_buffers = false;
	w->timeouts = (struct timeouts){.s = {1, 1, 1, 1, 1}};
	fuzz_world_publish(w);
	for (unsigned minutes = 0; minutes < 60; minutes += 5) {
		w->now += 300 * TICKS_PER_S;
		for (unsigned i = 0; i < WORKERS; i++) {
			while (sluice_tick(w->lanes[i].worker, w->now, TICK_BUDGET) == TICK_BUDGET)
				;
		}
	}
	check_tables(w);
	check_empty(w);
}
