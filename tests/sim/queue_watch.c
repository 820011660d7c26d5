/* SPDX-License-Identifier: BSD-3-Clause */
#include "queue_watch.h"

#include <stdlib.h>
#include <string.h>

/* A timer fires late by a step of the wheel, and by what the budget leaves for later. */
#define TIMER_LATE_MAX (200 * TICKS_PER_MS)

/* Mode 1 stays with cookies so long after the queue was full. */
#define HOLD (1000 * TICKS_PER_MS)

#define SOMAXCONN 4096

void
queue_watch_init(struct queue_watch *watch, struct checker *checker)
{
	*watch = (struct queue_watch){.checker = checker};
}

void
queue_watch_fini(struct queue_watch *watch)
{
	free(watch->clients);
}

static const struct queue_settings *
settings_of(const struct queue_watch *watch, unsigned slot)
{
	return &watch->checker->version->queues[slot];
}

static void
fault(struct queue_watch *watch, const char *text)
{
	checker_fault(watch->checker, -1, text);
}

static uint32_t
accept_limit(const struct queue_settings *queues)
{
	return queues->backlog < SOMAXCONN ? queues->backlog : SOMAXCONN;
}

/* How many entries make the queue full. */
static uint32_t
syn_limit(const struct queue_settings *queues)
{
	uint32_t a = accept_limit(queues), q = a, table = 8;

	switch (queues->rules) {
	case QUEUE_RULES_LINUX_2_6:
		if (q > queues->max_syn_backlog)
			q = queues->max_syn_backlog;
		if (q < 8)
			q = 8;
		while (table < q + 1)
			table *= 2;
		return table;
	case QUEUE_RULES_LINUX_4_4:
		return a;
	case QUEUE_RULES_CLASSIC:
		return queues->max_syn_backlog > 64 ? queues->max_syn_backlog : 64;
	default:
		return a + 1;
	}
}

/* Mode 0: the last quarter is for proven clients. */
static bool
is_reserved(const struct queue_settings *queues, uint32_t syn)
{
	uint32_t most = queues->max_syn_backlog;

	return syn > most || most - syn < most >> 2;
}

/* Nothing grows beyond its limit; what a smaller limit left may only shrink. */
static void
check_limits(struct queue_watch *watch, unsigned slot, uint32_t accept)
{
	const struct queue_settings *queues = settings_of(watch, slot);
	uint32_t before = watch->before[slot], syn = watch->syn[slot];

	if (syn > syn_limit(queues) && syn > before)
		fault(watch, "syn queue beyond its limit");
	if (accept > accept_limit(queues) + 1 && accept > watch->accept[slot])
		fault(watch, "accept ring beyond its limit");
	if (watch->most[slot] >= syn_limit(queues))
		watch->full_at[slot] = watch->checker->clock->now;
}

static uint64_t
evicted_by(const struct worker *w)
{
	uint64_t evicted = 0;

	for (uint16_t slot = 0; slot < BACKENDS; slot++)
		evicted += worker_backend_counters(w, slot)->values[COUNTER_SynQueueEvicted];
	return evicted;
}

/* Entries that make way, and those of SYNs that are refused in the end, go in the midst of SYNs;
 * all others go before the first one. */
static uint64_t
left_by(const struct worker *w)
{
	return evicted_by(w) + worker_counters(w)->reasons[REASON_syn_egress_limited];
}

/* The longest that a queue may have been in the last call, of whose entries so many left. */
static uint32_t
most_of(const struct queue_watch *watch, unsigned slot, uint32_t left)
{
	uint32_t before = watch->before[slot], syn = watch->syn[slot] + left;

	return before > syn ? before : syn;
}

void
queue_watch_call(struct queue_watch *watch, struct worker *const *workers, unsigned count,
		const struct backend_shared *shared)
{
	struct half_open_count found[BACKENDS] = {{0, 0}};
	uint32_t entries_max = watch->checker->plan->syn_entries;
	uint64_t evicted = 0, left = 0;

	watch->is_crowded = false;
	for (unsigned i = 0; i < count; i++) {
		uint32_t entries = tables_count(workers[i], found);

		evicted += evicted_by(workers[i]);
		left += left_by(workers[i]);
		if (entries > entries_max)
			fault(watch, "more half-open clients than there is memory for");
		if (entries >= entries_max - entries_max / 4)
			watch->is_crowded = true;
	}
	watch->has_evicted = evicted != watch->evicted;
	watch->evicted = evicted;
	watch->checker->has_evicted |= evicted != 0;
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		if (shared[slot].syn != found[slot].entries)
			fault(watch, "the count of half-open clients is not theirs");
		if (shared[slot].young != found[slot].young)
			fault(watch, "the count of young half-open clients is not theirs");
		watch->before[slot] = watch->syn[slot];
		watch->syn[slot] = shared[slot].syn;
		watch->most[slot] = most_of(watch, slot, (uint32_t)(left - watch->left));
		check_limits(watch, slot, shared[slot].accept);
		watch->accept[slot] = shared[slot].accept;
	}
	watch->left = left;
}

static unsigned
slot_of(unsigned ip_version, uint16_t backend_port)
{
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		if (address_backend_version(slot) == ip_version &&
				address_backend_port(slot) == backend_port)
			return slot;
	return BACKENDS;
}

static bool
is_tuple(const struct half_open *client, const uint8_t address[16], uint16_t port, unsigned slot)
{
	return client->port == port && client->slot == slot &&
	       memcmp(client->client, address, 16) == 0;
}

/* The latest record, or NULL. */
static struct half_open *
find(const struct queue_watch *watch, const uint8_t address[16], uint16_t port, unsigned slot,
		uint32_t isn)
{
	for (unsigned i = watch->count; i-- > 0;)
		if (watch->clients[i].isn == isn &&
				is_tuple(&watch->clients[i], address, port, slot))
			return &watch->clients[i];
	return NULL;
}

static struct half_open *
record_new(struct queue_watch *watch)
{
	if (watch->count == watch->room) {
		watch->room = watch->room == 0 ? 64 : 2 * watch->room;
		watch->clients = realloc(watch->clients, watch->room * sizeof(watch->clients[0]));
		if (watch->clients == NULL)
			abort();
	}
	return &watch->clients[watch->count++];
}

static void
take_queued(struct queue_watch *watch, const struct packet *syn, const struct packet *answer,
		enum origin origin)
{
	unsigned slot = slot_of(syn->ip_version, syn->destination_port);
	struct half_open *client = find(watch, syn->source, syn->source_port, slot, syn->seq);

	if (client == NULL)
		client = record_new(watch);
	*client = (struct half_open){
			.port = syn->source_port,
			.slot = (uint8_t)slot,
			.origin = origin,
			.isn = syn->seq,
			.iss = answer->seq,
			.sent_at = watch->checker->clock->now,
	};
	memcpy(client->client, syn->source, sizeof(client->client));
}

static void
take_again(struct queue_watch *watch, const struct packet *syn, const struct packet *answer)
{
	unsigned slot = slot_of(syn->ip_version, syn->destination_port);
	const struct half_open *client = find(watch, syn->source, syn->source_port, slot, syn->seq);

	if (client == NULL || client->has_ended)
		fault(watch, "repeated SYN answered from an entry that can't be there");
	else if (answer->seq != client->iss)
		fault(watch, "repeated SYN answered with another number");
}

/* With a connection, whatever was half open on the tuple is over; with a reset, what was proved. */
static void
take_proof(struct queue_watch *watch, const struct packet *ack, bool is_reset)
{
	unsigned slot = slot_of(ack->ip_version, ack->destination_port);

	for (unsigned i = 0; i < watch->count; i++) {
		struct half_open *client = &watch->clients[i];

		if (is_tuple(client, ack->source, ack->source_port, slot) &&
				(!is_reset || client->iss + 1 == ack->ack))
			client->has_ended = true;
	}
}

/* It keeps its entry, and is real: what is repeated to it costs nothing. */
static void
take_overflow(struct queue_watch *watch, const struct packet *ack)
{
	unsigned slot = slot_of(ack->ip_version, ack->destination_port);

	for (unsigned i = 0; i < watch->count; i++) {
		struct half_open *client = &watch->clients[i];

		if (is_tuple(client, ack->source, ack->source_port, slot) &&
				client->iss + 1 == ack->ack)
			client->is_acked = true;
	}
}

static void
take_reset(struct queue_watch *watch, const struct packet *reset)
{
	unsigned slot = slot_of(reset->ip_version, reset->destination_port);
	struct half_open *client =
			find(watch, reset->source, reset->source_port, slot, reset->seq - 1);

	if (client == NULL || client->has_ended)
		fault(watch, "reset of an entry that can't be there");
	else
		client->has_ended = true;
}

/* Only near its limit, or a while after, does mode 1 send cookies; or for want of memory; or to a
 * tuple that has something already, which a second handshake must not disturb. */
static bool
may_send_cookie(const struct queue_watch *watch, unsigned slot, bool is_known)
{
	const struct queue_settings *queues = settings_of(watch, slot);
	uint32_t limit = syn_limit(queues);

	if (queues->syncookies == 2 || is_known || watch->has_evicted)
		return true;
	if (queues->syncookies == 0)
		return false;
	return watch->is_crowded || watch->most[slot] >= limit - limit / 4 ||
	       watch->checker->clock->now - watch->full_at[slot] <= HOLD;
}

/* What became of a SYN, against the rules; the counts are of the whole call. */
static const char *
syn_fault(const struct queue_watch *watch, unsigned slot, enum reason reason, bool is_known)
{
	const struct queue_settings *queues = settings_of(watch, slot);
	bool is_old = queues->rules == QUEUE_RULES_LINUX_2_6 ||
		      queues->rules == QUEUE_RULES_LINUX_4_4;
	bool is_accept_full = watch->accept[slot] > accept_limit(queues);
	/* Who made way in the same call was still counted at that moment. */
	bool is_full = watch->most[slot] >= syn_limit(queues) || watch->is_crowded ||
		       watch->has_evicted;

	switch (reason) {
	case REASON_syn_draining:
		return queues->is_draining ? NULL : "SYN refused though nothing drains";
	case REASON_syn_accept_full:
		return is_accept_full ? NULL : "SYN refused though the accept ring has room";
	case REASON_syn_queue_full:
		return queues->syncookies == 0 && is_full
				       ? NULL
				       : "SYN refused though the syn queue has room, or cookies";
	case REASON_syn_reserved:
		return queues->syncookies == 0 && (is_reserved(queues, watch->most[slot]) ||
								  watch->has_evicted)
				       ? NULL
				       : "SYN refused though nothing is reserved";
	case REASON_syn_queued:
		if (queues->syncookies == 2 || queues->is_draining)
			return "SYN queued though cookies are wanted, or the backend drains";
		return is_accept_full && !is_old ? "SYN queued in spite of a full ring" : NULL;
	case REASON_syn_cookie_sent:
		if (queues->is_draining)
			return "SYN answered though the backend drains";
		if (!may_send_cookie(watch, slot, is_known))
			return "SYN answered with a cookie though the syn queue has room";
		return is_accept_full && !is_old ? "SYN answered in spite of a full ring" : NULL;
	default:
		return NULL;
	}
}

void
queue_watch_taken(struct queue_watch *watch, const struct worker *w, const struct frame *came,
		const struct frame *left, const struct pkt *pkt)
{
	struct packet packet, answer;
	const char *text = NULL;
	unsigned slot;

	if (!frame_read(came, &packet))
		return;
	slot = slot_of(packet.ip_version, packet.destination_port);
	if (slot == BACKENDS)
		return;
	if (packet.flags == PACKET_SYN)
		text = syn_fault(watch, slot, pkt->reason, tables_know(w, pkt));
	if (text != NULL)
		fault(watch, text);
	switch (pkt->reason) {
	case REASON_syn_queued:
		if (frame_read(left, &answer))
			take_queued(watch, &packet, &answer, came->origin);
		break;
	case REASON_syn_again:
		if (frame_read(left, &answer))
			take_again(watch, &packet, &answer);
		break;
	case REASON_ack_connecting:
	case REASON_ack_queued:
	case REASON_ack_connecting_held:
	case REASON_ack_queued_held:
		take_proof(watch, &packet, false);
		break;
	case REASON_ack_overflow_reset:
		take_proof(watch, &packet, true);
		break;
	case REASON_ack_overflow_dropped:
		take_overflow(watch, &packet);
		break;
	case REASON_syn_queue_reset:
		take_reset(watch, &packet);
		break;
	default:
		break;
	}
}

/* 1 s after the first, then doubling, tcp_synack_retries times at most. */
static const char *
repeat_fault(const struct queue_watch *watch, const struct half_open *client, uint32_t seq)
{
	ticks_t waited, due;

	if (client == NULL || client->has_ended)
		return "SYN-ACK repeated for a client that has no entry";
	waited = watch->checker->clock->now - client->sent_at;
	due = TICKS_PER_S << client->repeats;
	if (seq != client->iss)
		return "SYN-ACK repeated with another number";
	if (client->repeats >= settings_of(watch, client->slot)->synack_retries)
		return "SYN-ACK repeated too often";
	if (waited < due)
		return "SYN-ACK repeated too early";
	if (waited > due + TIMER_LATE_MAX && !plan_may_be_late(watch->checker->plan) &&
			!plan_may_withhold(watch->checker->plan))
		return "SYN-ACK repeated too late";
	return NULL;
}

void
queue_watch_made(struct queue_watch *watch, enum side to, struct frame *frame)
{
	struct packet packet;
	struct half_open *client;
	const char *text;

	if (to != SIDE_CLIENT || !frame_read(frame, &packet) ||
			packet.flags != (PACKET_SYN | PACKET_ACK))
		return;
	client = find(watch, packet.destination, packet.destination_port,
			slot_of(packet.ip_version, packet.source_port), packet.ack - 1);
	text = repeat_fault(watch, client, packet.seq);
	if (text != NULL) {
		fault(watch, text);
		return;
	}
	if (!client->is_acked)
		checker_pay(watch->checker, &packet, to);
	if (client->origin == ORIGIN_HOSTILE)
		frame->origin = ORIGIN_HOSTILE;
	client->repeats++;
	client->sent_at = watch->checker->clock->now;
}

void
queue_watch_forget(struct queue_watch *watch)
{
	for (unsigned i = 0; i < watch->count; i++)
		watch->clients[i].has_ended = true;
	watch->evicted = 0;
	watch->left = 0;
}

void
queue_watch_row(struct queue_watch *watch, const struct inspect_row *row)
{
	unsigned ip_version = row->tuple.family == FAMILY_IP4 ? 4 : 6;
	uint8_t address[16] = {0};

	if (ip_version == 4)
		memcpy(address, &row->tuple.client.words_be[3], 4);
	else
		memcpy(address, row->tuple.client.bytes, 16);
	for (unsigned i = 0; i < watch->count; i++)
		if (!watch->clients[i].has_ended &&
				is_tuple(&watch->clients[i], address, row->tuple.client_port,
						row->slot))
			return;
	fault(watch, "a half-open client is listed that was never queued, or is no more");
}

void
queue_watch_empty(struct queue_watch *watch, const struct backend_shared *shared)
{
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		if (shared[slot].syn != 0 || shared[slot].young != 0)
			fault(watch, "half-open clients are kept");
}
