/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After a timeout everything from una on goes out again (nxt falls back to una); what the peer
 * acknowledged selectively is remembered nowhere, as RFC 2018 8 allows.
 */
#include "endpoint.h"

#define WINDOW_FIELD_MAX 65535u
#define PAYLOAD_MAX 1460
#define TIMESTAMP_SPACE 12
#define SACK_BLOCKS_MAX 3
#define SHRINK_EVERY 3

/* All of them go out again after a loss; more than a narrow link's queue holds would never end. */
#define FLIGHT_SEGMENTS_MAX 64
#define SYN_DATA_BYTES 20

static uint16_t
window_field(struct endpoint *e)
{
	uint32_t room = e->unread < e->traits.receive_buffer ? e->traits.receive_buffer - e->unread
							     : 0;
	uint8_t scale = e->state == ENDPOINT_OPEN || e->state == ENDPOINT_TIME_WAIT ? e->own_scale
										    : 0;
	uint32_t field = room >> scale;

	if (field > WINDOW_FIELD_MAX)
		field = WINDOW_FIELD_MAX;
	if (before(e->rcv_edge, e->rcv_nxt + (field << scale)))
		e->rcv_edge = e->rcv_nxt + (field << scale);
	/* What was allowed once is taken all the same (RFC 9293 3.8.6). */
	if (e->traits.shrinks_window && e->state == ENDPOINT_OPEN &&
			e->windows_sent++ % SHRINK_EVERY == 0)
		field = (field + 1) / 2;
	return (uint16_t)field;
}

static void
add_timestamp(const struct endpoint *e, struct packet *packet)
{
	packet_add_nop(packet);
	packet_add_nop(packet);
	packet_add_timestamp(packet, tsval_now(e), e->ts_recent);
}

static void
add_sack(const struct endpoint *e, struct packet *packet)
{
	unsigned count = e->range_count < SACK_BLOCKS_MAX ? e->range_count : SACK_BLOCKS_MAX;
	uint32_t edges[2 * SACK_BLOCKS_MAX];

	for (unsigned i = 0; i < count; i++) {
		edges[2 * i] = e->ranges[i].left;
		edges[2 * i + 1] = e->ranges[i].right;
	}
	/* One NOP only: the edges lie at odd places, as some stacks have it. */
	packet_add_nop(packet);
	packet_add_sack(packet, count, edges);
}

/* A segment from seq on; without a FIN, length 0 is a bare ACK. */
static void
send_segment(struct endpoint *e, uint32_t seq, uint32_t length, bool fin)
{
	struct packet packet = e->header;
	uint8_t payload[PAYLOAD_MAX];

	packet.flags = PACKET_ACK;
	if (fin)
		packet.flags |= PACKET_FIN;
	if (length > 0) {
		packet.flags |= PACKET_PSH;
		stream_write(e->key, e->way, seq - e->iss - 1, payload, length);
		packet.payload = payload;
		packet.payload_length = length;
	}
	packet.seq = seq;
	packet.ack = e->rcv_nxt;
	packet.window = window_field(e);
	if (e->timestamps)
		add_timestamp(e, &packet);
	if (e->sack && e->range_count > 0)
		add_sack(e, &packet);
	e->ack_at = TICKS_NEVER;
	e->unacked_segments = 0;
	e->last_ack_sent = e->rcv_nxt;
	e->host->output(e, &packet);
}

/* At the end of all that was sent, but not beyond the window (Linux tcp_acceptable_seq). */
void
send_ack(struct endpoint *e)
{
	uint32_t edge = e->una + e->window;

	send_segment(e, before(edge, e->max) ? edge : e->max, 0, false);
}

void
send_syn(struct endpoint *e)
{
	struct packet packet = e->header;
	bool answers = e->state == ENDPOINT_SYN_RECEIVED;
	const struct traits *traits = &e->traits;
	uint8_t payload[SYN_DATA_BYTES];

	packet.flags = answers ? PACKET_SYN | PACKET_ACK : PACKET_SYN;
	packet.seq = e->iss;
	packet.ack = answers ? e->rcv_nxt : 0;
	packet.window = window_field(e);
	if (traits->mss != 0)
		packet_add_mss(&packet, traits->mss);
	if (answers ? e->sack : traits->sack)
		packet_add_sack_permitted(&packet);
	if (answers ? e->timestamps : traits->timestamps)
		packet_add_timestamp(&packet, tsval_now(e), answers ? e->ts_recent : 0);
	if (traits->wscale >= 0 && (!answers || e->own_scale == traits->wscale))
		packet_add_wscale(&packet, (uint8_t)traits->wscale);
	if (traits->data_in_syn && !answers) {
		stream_write(e->key, e->way, 0, payload, sizeof(payload));
		packet.payload = payload;
		packet.payload_length = sizeof(payload);
	}
	e->last_ack_sent = e->rcv_nxt;
	e->host->output(e, &packet);
}

void
send_reset(struct endpoint *e, uint32_t seq)
{
	struct packet packet = e->header;

	packet.flags = e->state == ENDPOINT_OPEN ? PACKET_RST | PACKET_ACK : PACKET_RST;
	packet.seq = seq;
	packet.ack = e->state == ENDPOINT_OPEN ? e->rcv_nxt : 0;
	packet.window = 0;
	e->host->output(e, &packet);
}

static uint32_t
segment_max(const struct endpoint *e)
{
	uint32_t mss = e->peer_mss < PAYLOAD_MAX ? e->peer_mss : PAYLOAD_MAX;

	return e->timestamps ? mss - TIMESTAMP_SPACE : mss;
}

static void
sent_up_to(struct endpoint *e, uint32_t seq)
{
	e->nxt = seq;
	if (before(e->max, seq))
		e->max = seq;
}

/* A probe of a window that is 0, or of a peer that is silent. */
void
send_probe(struct endpoint *e)
{
	bool has_data = before(e->una, send_end(e));

	if (e->traits.probes_below || (!has_data && !e->fin_queued) || e->fin_acked) {
		send_segment(e, e->una - 1, 0, false);
		return;
	}
	send_segment(e, e->una, has_data ? 1 : 0, !has_data);
	if (before(e->max, e->una + 1))
		e->max = e->una + 1;
}

/* What was sent once may be sent again, whatever the window says by now. */
void
send_head_again(struct endpoint *e)
{
	uint32_t data_end = before(e->max, send_end(e)) ? e->max : send_end(e);
	uint32_t length = data_end - e->una;
	bool fin = e->max == send_end(e) + 1;

	if (length > segment_max(e)) {
		length = segment_max(e);
		fin = false;
	}
	send_segment(e, e->una, length, fin);
	e->nxt = e->una + length + fin;
}

static bool
send_one(struct endpoint *e)
{
	uint32_t flight = e->traits.flight < FLIGHT_SEGMENTS_MAX * segment_max(e)
					  ? e->traits.flight
					  : FLIGHT_SEGMENTS_MAX * segment_max(e);
	uint32_t edge = e->una + (e->window < flight ? e->window : flight);
	uint32_t room = before(e->nxt, edge) ? edge - e->nxt : 0;
	uint32_t left = before(e->nxt, send_end(e)) ? send_end(e) - e->nxt : 0;
	uint32_t length = left < room ? left : room;
	bool fin;

	if (length > segment_max(e))
		length = segment_max(e);
	/* No silly windows: less than a segment only at the end, or when nothing is under way. */
	if (length < segment_max(e) && length < left && e->nxt != e->una)
		return false;
	fin = e->fin_queued && length == left && room > length &&
	      !before(send_end(e), e->nxt + length);
	if (length == 0 && !fin)
		return false;
	send_segment(e, e->nxt, length, fin);
	sent_up_to(e, e->nxt + length + fin);
	return true;
}

void
send_what_fits(struct endpoint *e)
{
	if (e->state != ENDPOINT_OPEN)
		return;
	while (send_one(e))
		;
}

void
endpoint_read(struct endpoint *e, uint32_t count)
{
	uint32_t edge, step;

	e->unread -= count;
	if (e->state != ENDPOINT_OPEN)
		return;
	edge = e->rcv_nxt + e->traits.receive_buffer - e->unread;
	step = e->traits.receive_buffer / 2 < 2 * PAYLOAD_MAX ? e->traits.receive_buffer / 2
							      : 2 * PAYLOAD_MAX;
	if (!before(edge, e->rcv_edge + step)) {
		send_ack(e);
		endpoint_arm(e);
	}
}
