/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9293 3.10.7 in its order: acceptable at all, RST, SYN, ACK, window, text, FIN. What comes
 * from an honest peer or from Sluice is also held to what such a segment may never say.
 */
#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#define TSECR_AGE_MAX 700000 /* ms: longer than any dialogue lasts */

struct segment {
	const struct packet *packet;
	uint32_t seq;
	const uint8_t *payload;
	uint32_t length;
	bool fin;
	bool is_trusted;
	bool has_timestamp;
	uint32_t tsval;
	uint32_t tsecr;
};

static uint32_t
own_mss(const struct endpoint *e)
{
	if (e->traits.mss != 0)
		return e->traits.mss;
	return e->header.ip_version == 4 ? 536 : 1220;
}

static void
check_timestamp(struct endpoint *e, const struct segment *s)
{
	if (!s->has_timestamp) {
		if (e->timestamps && e->expects_timestamps)
			e->host->fault(e, "segment without the timestamps agreed on");
		return;
	}
	if (!e->timestamps)
		e->host->fault(e, "segment with timestamps that were never agreed on");
	else if (tsval_now(e) - s->tsecr > TSECR_AGE_MAX)
		e->host->fault(e, "TSecr that this end never sent");
}

static void
check_sack(struct endpoint *e, const struct segment *s)
{
	const uint8_t *option = packet_find_option(s->packet, PACKET_OPTION_SACK);

	if (option == NULL)
		return;
	if (!e->sack)
		e->host->fault(e, "SACK that was never agreed on");
	for (const uint8_t *at = option + 2; at < option + option[1]; at += 8) {
		uint32_t left = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
		uint32_t right = (uint32_t)at[4] << 24 | at[5] << 16 | at[6] << 8 | at[7];

		if (!before(left, right) || !before(s->packet->ack, left) || before(e->max, right))
			e->host->fault(e, "SACK of bytes that this end never sent");
	}
}

/* What only a forger, or a wrong translation, can send. */
static void
check_trusted(struct endpoint *e, const struct segment *s)
{
	if (s->packet->flags & PACKET_RST || !s->is_trusted)
		return;
	if (s->packet->flags & PACKET_ACK && before(e->max, s->packet->ack))
		e->host->fault(e, "acknowledgement of bytes that this end never sent");
	if (s->length > own_mss(e) && e->way == WAY_TO_BACKEND)
		e->host->fault(e, "segment longer than the client's MSS");
	if (!(s->packet->flags & PACKET_SYN))
		check_timestamp(e, s);
	check_sack(e, s);
}

static bool
is_old_by_timestamp(const struct endpoint *e, const struct segment *s)
{
	return e->timestamps && s->has_timestamp && before(s->tsval, e->ts_recent);
}

/* Overlaps what may be received, or lies at its edge: a window of 0 still takes ACKs. */
static bool
is_acceptable(const struct endpoint *e, const struct segment *s)
{
	uint32_t end = s->seq + s->length + s->fin;

	if (end == s->seq)
		return !before(s->seq, e->rcv_nxt) && !before(e->rcv_edge, s->seq);
	return before(e->rcv_nxt, end) && !before(e->rcv_edge, s->seq);
}

/* Sorted ranges with gaps between them; false when there is no room for another one. */
static bool
ranges_add(struct endpoint *e, struct range add)
{
	unsigned at = 0, end;

	while (at < e->range_count && before(e->ranges[at].right, add.left))
		at++;
	for (end = at; end < e->range_count && !before(add.right, e->ranges[end].left); end++) {
		if (before(e->ranges[end].left, add.left))
			add.left = e->ranges[end].left;
		if (before(add.right, e->ranges[end].right))
			add.right = e->ranges[end].right;
	}
	if (at == end && e->range_count == RANGES_MAX)
		return false;
	memmove(&e->ranges[at + 1], &e->ranges[end], (e->range_count - end) * sizeof(add));
	e->range_count = e->range_count - (end - at) + 1;
	e->ranges[at] = add;
	return true;
}

static void
take_in_order(struct endpoint *e)
{
	uint32_t bytes;

	if (e->range_count == 0 || before(e->rcv_nxt, e->ranges[0].left))
		return;
	bytes = e->ranges[0].right - e->rcv_nxt;
	e->rcv_nxt = e->ranges[0].right;
	e->range_count--;
	memmove(&e->ranges[0], &e->ranges[1], e->range_count * sizeof(e->ranges[0]));
	if (e->fin_seen && e->rcv_nxt == e->fin_seq + 1) {
		e->fin_received = true;
		e->fin_received_first = !e->fin_queued || before(e->max, send_end(e) + 1);
		bytes--;
	}
	e->received += bytes;
	e->unread += bytes;
}

static void
trim(struct endpoint *e, struct segment *s)
{
	uint32_t cut;

	if (before(s->seq, e->rcv_nxt)) {
		cut = e->rcv_nxt - s->seq;
		if (cut > s->length) {
			s->fin = s->fin && cut <= s->length;
			cut = s->length;
		}
		s->seq += cut;
		s->payload += cut;
		s->length -= cut;
	}
	if (before(e->rcv_edge, s->seq + s->length)) {
		s->length = before(s->seq, e->rcv_edge) ? e->rcv_edge - s->seq : 0;
		s->fin = false;
	}
}

static void
take_fin(struct endpoint *e, const struct segment *s)
{
	if (e->fin_seen && e->fin_seq != s->seq + s->length)
		e->host->fault(e, "two FINs at different places");
	e->fin_seen = true;
	e->fin_seq = s->seq + s->length;
}

/* Text and FIN; every byte is compared on its arrival. */
static void
take_text(struct endpoint *e, struct segment *s)
{
	enum way way = e->way == WAY_TO_CLIENT ? WAY_TO_BACKEND : WAY_TO_CLIENT;
	bool in_order = s->seq == e->rcv_nxt && e->range_count == 0;

	if (s->length == 0 && !s->fin)
		return;
	/* RFC 9293 3.10.7.4: ignored; a second socket at a backend may have sent it. */
	if (e->state == ENDPOINT_TIME_WAIT) {
		send_ack(e);
		return;
	}
	trim(e, s);
	if (s->length == 0 && !s->fin) {
		send_ack(e);
		return;
	}
	if (!stream_is_right(e->key, way, s->seq - e->irs - 1, s->payload, s->length))
		e->host->fault(e, "bytes that the other end never wrote there");
	if (e->fin_seen && before(e->fin_seq, s->seq + s->length))
		e->host->fault(e, "bytes behind the FIN");
	if (s->fin)
		take_fin(e, s);
	if (ranges_add(e, (struct range){s->seq, s->seq + s->length + s->fin}))
		take_in_order(e);
	e->unacked_segments++;
	if (!in_order || s->fin || e->unacked_segments >= 2 || e->traits.ack_delay == 0)
		send_ack(e);
	else if (e->ack_at == TICKS_NEVER)
		e->ack_at = e->clock->now + e->traits.ack_delay;
}

/* Linux tcp_may_update_window: with every new acknowledgement, else only from newer segments. */
static void
take_window(struct endpoint *e, const struct segment *s, bool has_advanced)
{
	uint32_t ack = s->packet->ack;
	bool is_newer = before(e->window_seq, s->seq) ||
			(s->seq == e->window_seq && !before(ack, e->window_ack));

	if (before(ack, e->una) || !(has_advanced || is_newer))
		return;
	e->window = (uint32_t)s->packet->window << e->peer_scale;
	e->window_seq = s->seq;
	e->window_ack = ack;
	if (e->window > e->window_max)
		e->window_max = e->window;
}

static void
take_ack(struct endpoint *e, const struct segment *s)
{
	uint32_t ack = s->packet->ack;
	bool has_advanced = before(e->una, ack);

	if (has_advanced) {
		e->una = ack;
		if (before(e->nxt, ack))
			e->nxt = ack;
		e->backoff = 0;
		e->duplicate_acks = 0;
		e->retransmit_at = TICKS_NEVER;
		e->fin_acked = e->fin_queued && ack == send_end(e) + 1;
	} else if (ack == e->una && s->length == 0 && !s->fin && e->una != e->max) {
		e->duplicate_acks++;
	}
	take_window(e, s, has_advanced);
	/* RFC 5681 3.2, once per loss. */
	if (e->duplicate_acks == 3) {
		uint32_t nxt = e->nxt;

		e->duplicate_acks++;
		send_head_again(e);
		e->nxt = nxt;
	}
}

static void
settle(struct endpoint *e)
{
	if (e->state != ENDPOINT_OPEN || !e->fin_acked || !e->fin_received)
		return;
	e->end = ENDED_WELL;
	if (e->fin_received_first) {
		e->state = ENDPOINT_CLOSED;
		return;
	}
	e->state = ENDPOINT_TIME_WAIT;
	e->time_wait_until = e->clock->now + e->traits.time_wait;
}

static void
take_syn_ack(struct endpoint *e, const struct segment *s)
{
	const struct packet *packet = s->packet;
	const struct traits *traits = &e->traits;

	if (packet->flags & PACKET_ACK && packet->ack != e->iss + 1) {
		if (!(packet->flags & PACKET_RST))
			send_reset(e, packet->ack);
		return;
	}
	if (packet->flags & PACKET_RST) {
		if (packet->flags & PACKET_ACK)
			endpoint_die(e, ENDED_BY_RESET);
		return;
	}
	if ((packet->flags & (PACKET_SYN | PACKET_ACK)) != (PACKET_SYN | PACKET_ACK))
		return;
	e->irs = packet->seq;
	e->rcv_nxt = packet->seq + 1;
	e->rcv_edge = e->rcv_nxt + e->rcv_edge;
	e->peer_mss = (uint16_t)packet_mss(packet);
	e->sack = packet_find_option(packet, PACKET_OPTION_SACK_PERMITTED) != NULL;
	e->timestamps = s->has_timestamp;
	e->ts_recent = s->tsval;
	if (packet_wscale(packet) >= 0) {
		e->peer_scale = (uint8_t)packet_wscale(packet);
		e->own_scale = (uint8_t)traits->wscale;
	}
	if ((e->sack && !traits->sack) || (e->timestamps && !traits->timestamps) ||
			(packet_wscale(packet) >= 0 && traits->wscale < 0) ||
			(e->peer_mss == 0 && traits->mss != 0))
		e->host->fault(e, "SYN-ACK with options that the SYN didn't offer, or without MSS");
	/* A SYN that names none may have no room for one in its answer. */
	if (e->peer_mss == 0)
		e->peer_mss = packet->ip_version == 4 ? MSS_DEFAULT_IP4 : MSS_DEFAULT_IP6;
	if (e->timestamps && s->is_trusted && tsval_now(e) - s->tsecr > TSECR_AGE_MAX)
		e->host->fault(e, "SYN-ACK with a TSecr that this end never sent");
	e->una = e->iss + 1;
	e->window = packet->window;
	e->window_max = packet->window;
	e->window_seq = packet->seq;
	e->window_ack = packet->ack;
	e->state = ENDPOINT_OPEN;
	e->backoff = 0;
	e->heard_at = e->clock->now;
	e->retransmit_at = TICKS_NEVER;
	send_ack(e);
	send_what_fits(e);
}

/* From SYN_RECEIVED to OPEN by the ACK of our SYN. */
static bool
take_opening_ack(struct endpoint *e, const struct segment *s)
{
	if (s->packet->ack != e->iss + 1) {
		send_reset(e, s->packet->ack);
		return false;
	}
	e->state = ENDPOINT_OPEN;
	e->una = e->iss + 1;
	e->backoff = 0;
	e->retransmit_at = TICKS_NEVER;
	e->window = 0;
	return true;
}

/* RFC 5961: what is not exact gets a challenge. False when the segment is done with. */
static bool
is_exact(struct endpoint *e, const struct segment *s)
{
	const struct packet *packet = s->packet;

	if (packet->flags & PACKET_RST) {
		if (s->seq == e->rcv_nxt)
			endpoint_die(e, ENDED_BY_RESET);
		else if (is_acceptable(e, s))
			send_ack(e);
		return false;
	}
	if (packet->flags & PACKET_SYN) {
		if (e->state == ENDPOINT_SYN_RECEIVED && s->seq == e->irs)
			send_syn(e);
		else
			send_ack(e);
		return false;
	}
	if (is_old_by_timestamp(e, s) || !is_acceptable(e, s)) {
		send_ack(e);
		return false;
	}
	if (!(packet->flags & PACKET_ACK))
		return false;
	if (e->state == ENDPOINT_SYN_RECEIVED)
		return take_opening_ack(e, s);
	if (before(e->max, packet->ack) || before(packet->ack, e->una - e->window_max)) {
		send_ack(e);
		return false;
	}
	return true;
}

bool
endpoint_input(struct endpoint *e, const struct packet *packet, enum origin origin)
{
	struct segment s = {
			.packet = packet,
			.seq = packet->seq,
			.payload = packet->payload,
			.length = (uint32_t)packet->payload_length,
			.fin = packet->flags & PACKET_FIN,
			.is_trusted = origin != ORIGIN_HOSTILE,
	};

	if (e->state == ENDPOINT_CLOSED)
		return false;
	s.has_timestamp = packet_timestamp(packet, &s.tsval, &s.tsecr);
	if (e->state == ENDPOINT_SYN_SENT) {
		take_syn_ack(e, &s);
	} else {
		if (e->state == ENDPOINT_OPEN)
			check_trusted(e, &s);
		if (is_exact(e, &s)) {
			e->heard_at = e->clock->now;
			if (s.has_timestamp && !before(e->last_ack_sent, s.seq))
				e->ts_recent = s.tsval;
			take_ack(e, &s);
			take_text(e, &s);
			settle(e);
			if (e->state == ENDPOINT_OPEN)
				send_what_fits(e);
		}
	}
	endpoint_arm(e);
	e->host->changed(e);
	return true;
}
