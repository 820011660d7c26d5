/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline_world.h"

#include <arpa/inet.h>
#include <string.h>

#include "kernel_wanted.h"
#include "net/cookie.h"
#include "world.h"

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
	*fuzz_world_arrival(w, block) = (struct arrival){.length = 0};
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

/* What a worker makes from nothing, or gives back after it was held. */
static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct fuzz_world *w = ((struct lane *)context)->world;

	fuzz_world_emitted(w, out, pkt);
	frame_give(w, pkt->owner);
}

struct arrival *
fuzz_world_arrival(struct fuzz_world *w, const void *owner)
{
	return &w->arrivals[(const struct guarded_block *)owner - w->frames];
}

unsigned
fuzz_world_owner(const struct fuzz_world *w, const struct tuple *tuple)
{
	const unsigned flow = (unsigned)tuple->client_port - FLOW_FIRST_PORT;

	return flow < FLOWS ? w->flows[flow].worker : tuple->client_port / 2 % WORKERS;
}

/* For probes' ports: odd and even ones are different kinds of probes. */
static bool
owns(void *context, const struct tuple *tuple)
{
	const struct lane *lane = context;

	return fuzz_world_owner(lane->world, tuple) == (unsigned)(lane - lane->world->lanes);
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

		ENSURE(shared->accept <= WORKERS * (CONNECTIONS + MONITOR_CLIENTS));
		ENSURE(shared->syn <= WORKERS * (w->syn_entries + MONITOR_CLIENTS) &&
				shared->young <= shared->syn);
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
			fuzz_world_left(w, &w->waiting[i], pkt);
		frame_give(w, pkt->owner);
	}
	burst->count = 0;
	check_tables(w);
}

/* Where the bytes of a frame go: up to the guard page, with room for what may be built over it. */
static struct pkt
place(struct fuzz_world *w, const uint8_t *bytes, size_t length, size_t head, enum pkt_csum csum)
{
	struct guarded_block *block = &w->frames[frame_take(w)];
	struct arrival *arrival = fuzz_world_arrival(w, block);
	size_t room = head > PKT_BUILD_BYTES_MAX ? head : PKT_BUILD_BYTES_MAX;
	struct pkt pkt = {
			.data = block->bytes + block->size - room,
			.owner = block,
			.len = (uint32_t)head,
			.rest = (uint32_t)(length - head),
			.tailroom = (uint16_t)(room - head),
			.csum = (uint8_t)csum,
	};

	memcpy(arrival->bytes, bytes, length);
	arrival->length = length;
	arrival->is_open = csum == PKT_CSUM_LATER;
	if (csum == PKT_CSUM_PARTIAL || csum == PKT_CSUM_LATER)
		packet_make_checksum_partial(arrival->bytes, length);
	memcpy(pkt.data, arrival->bytes, head);
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
			fuzz_world_is_lucky(w, packet))
		w->flows[flow].is_proved = true;
}

void
fuzz_world_send(struct fuzz_world *w, const struct passage *passage, const uint8_t *bytes,
		size_t length)
{
	struct burst *burst = &w->burst;
	struct waiting *waiting;
	struct packet packet;
	enum pkt_csum csum;
	size_t head = length;

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
	csum = passage->csum;
	/* What nobody can read takes the checksum that it has. */
	if (!waiting->was_right && csum == PKT_CSUM_PARTIAL)
		csum = PKT_CSUM_UNKNOWN;
	if (!waiting->was_right && csum == PKT_CSUM_LATER)
		csum = PKT_CSUM_GOOD;
	if (passage->head > 0 && passage->head < length)
		head = passage->head;
	burst->pkts[burst->count++] = place(w, bytes, length, head, csum);
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
	snapshot_set_egress(snapshot, &w->egress);
	snapshot_set_sources(snapshot, &w->sources);
	snapshot_set_probe(snapshot, &w->probe);
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
lane_start(struct fuzz_world *w, struct lane *lane, const struct sluice_limits *limits)
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
					.owns = owns,
					.hops = &w->hops,
					.samples = &w->samples,
					.server_mac = WORLD_MAC,
					.hash_seed = {3, w->starts},
					.kernel = kernel_wanted(),
					.now = w->now,
			});
	ENSURE(lane->worker != NULL);
}

static const struct sluice_limits most = {CONNECTIONS, CONNECTIONS, BACKENDS, SYN_ENTRIES_MAX,
		EARLY_PACKETS, MONITOR_CLIENTS, SOURCE_LIMIT_PREFIXES_LEAST};

void
fuzz_world_start(struct fuzz_world *w)
{
	struct sluice_limits limits = most;

	limits.syn_entries = w->syn_entries;
	memset(w->shared, 0, sizeof(w->shared));
	memset(&w->hops, 0, sizeof(w->hops));
	memset(&w->samples, 0, offsetof(struct syn_samples, ring));
	w->starts++;
	for (unsigned i = 0; i < WORKERS; i++)
		lane_start(w, &w->lanes[i], &limits);
}

/* Once for all scripts: frames, and memory for the largest workers. */
static void
memory_take(struct fuzz_world *w)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		w->frames[i] = guarded_block_map(FLOW_FRAME_BYTES);
		w->free_frames[w->free_count++] = i;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		w->lanes[i].memory = aligned_alloc(
				CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&most)));
}

void
fuzz_world_begin(struct fuzz_world *w, uint32_t syn_entries)
{
	if (w->free_count == 0)
		memory_take(w);
	w->syn_entries = syn_entries;
	w->now = UINT64_C(1700000000) * TICKS_PER_S;
	w->starts = 0;
	w->probe_syn_length = 0;
	memset(w->flows, 0, sizeof(w->flows));
	w->strays_may_pass = w->is_out_of_buffers = w->has_foreign_cookies = false;
	w->may_be_exempt = w->may_be_open = false;
	w->egress = egress_rates_default();
	w->probe = (struct probe_config){.vlan = 0};
	w->cookies = cookie_plan_make(&(struct siphash_key){1, 2});
	w->timeouts = timeouts_default();
	for (uint16_t slot = 0; slot < BACKENDS; slot++) {
		w->backends[slot] = backend_first(slot);
		w->is_published[slot] = true;
	}
	for (unsigned i = 0; i < FLOWS; i++)
		w->flows[i].worker = i % WORKERS;
	fuzz_world_publish(w);
	fuzz_world_start(w);
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
	w->probe = (struct probe_config){.vlan = 0}; /* it would go on for ever */
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
