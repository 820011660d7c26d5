/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers are deadlines in the endpoint; one event of the clock looks at all of them. An event that
 * comes too early, since its deadline has moved, finds nothing to do.
 */
#include "endpoint.h"

#include <string.h>

#define RTO_MAX (8 * TICKS_PER_S)
#define KEEPALIVE_INTERVAL (5 * TICKS_PER_S)

static ticks_t
earlier(ticks_t a, ticks_t b)
{
	return a < b ? a : b;
}

void
endpoint_reset(struct endpoint *e)
{
	struct endpoint fresh = {
			.host = e->host,
			.owner = e->owner,
			.clock = e->clock,
			.traits = e->traits,
			.header = e->header,
			.key = e->key,
			.way = e->way,
			.expects_timestamps = e->expects_timestamps,
			.heard_at = e->clock->now,
			.retransmit_at = TICKS_NEVER,
			.ack_at = TICKS_NEVER,
			.keepalive_at = TICKS_NEVER,
			.time_wait_until = TICKS_NEVER,
			.wake_at = TICKS_NEVER,
	};

	*e = fresh;
}

static void
endpoint_start(struct endpoint *e, uint32_t isn, enum endpoint_state state)
{
	e->state = state;
	e->iss = isn;
	e->una = isn;
	e->nxt = isn + 1;
	e->max = isn + 1;
	send_syn(e);
	e->retransmit_at = e->clock->now + e->traits.rto;
	endpoint_arm(e);
}

void
endpoint_connect(struct endpoint *e, uint32_t isn)
{
	endpoint_start(e, isn, ENDPOINT_SYN_SENT);
}

void
endpoint_accept(struct endpoint *e, uint32_t isn, const struct packet *syn)
{
	uint32_t tsval, tsecr;

	e->irs = syn->seq;
	e->rcv_nxt = syn->seq + 1;
	e->rcv_edge = e->rcv_nxt;
	e->peer_mss = (uint16_t)packet_mss(syn);
	if (e->peer_mss == 0)
		e->peer_mss = syn->ip_version == 4 ? MSS_DEFAULT_IP4 : MSS_DEFAULT_IP6;
	e->sack = e->traits.sack && packet_find_option(syn, PACKET_OPTION_SACK_PERMITTED) != NULL;
	e->timestamps = packet_timestamp(syn, &tsval, &tsecr) && e->traits.timestamps;
	e->ts_recent = e->timestamps ? tsval : 0;
	if (packet_wscale(syn) >= 0 && e->traits.wscale >= 0) {
		e->peer_scale = (uint8_t)packet_wscale(syn);
		e->own_scale = (uint8_t)e->traits.wscale;
	}
	e->window = syn->window;
	e->window_max = syn->window;
	e->window_seq = syn->seq;
	endpoint_start(e, isn, ENDPOINT_SYN_RECEIVED);
}

void
endpoint_write(struct endpoint *e, uint32_t count)
{
	e->written += count;
	send_what_fits(e);
	endpoint_arm(e);
}

void
endpoint_close(struct endpoint *e)
{
	e->fin_queued = true;
	send_what_fits(e);
	endpoint_arm(e);
}

void
endpoint_die(struct endpoint *e, enum endpoint_end end)
{
	e->state = ENDPOINT_CLOSED;
	if (e->end == ENDED_NOT)
		e->end = end;
}

void
endpoint_abort(struct endpoint *e)
{
	send_reset(e, e->max);
	endpoint_die(e, ENDED_BY_ABORT);
}

static bool
is_patience_over(const struct endpoint *e)
{
	return e->clock->now - e->heard_at >= e->traits.patience;
}

static ticks_t
timeout_now(const struct endpoint *e)
{
	return earlier(e->traits.rto << earlier(e->backoff, 10), RTO_MAX);
}

static void
retransmit_fired(struct endpoint *e)
{
	if (is_patience_over(e)) {
		endpoint_die(e, ENDED_BY_SILENCE);
		return;
	}
	e->backoff++;
	e->retransmit_at = e->clock->now + timeout_now(e);
	if (e->state != ENDPOINT_OPEN)
		send_syn(e);
	else if (e->una == e->max)
		send_probe(e);
	else
		send_head_again(e);
}

static void
keepalive_fired(struct endpoint *e)
{
	if (is_patience_over(e)) {
		endpoint_die(e, ENDED_BY_SILENCE);
		return;
	}
	e->keepalive_at = e->clock->now + KEEPALIVE_INTERVAL;
	if (e->clock->now - e->heard_at < e->traits.keepalive)
		e->keepalive_at = e->heard_at + e->traits.keepalive;
	else
		send_probe(e);
}

static void
endpoint_wake(void *context, void *subject)
{
	struct endpoint *e = context;
	ticks_t now = e->clock->now;

	(void)subject;
	if (e->wake_at != now)
		return;
	e->wake_at = TICKS_NEVER;
	if (e->state == ENDPOINT_CLOSED)
		return;
	if (e->time_wait_until <= now)
		endpoint_die(e, ENDED_WELL);
	if (e->state != ENDPOINT_CLOSED && e->ack_at <= now)
		send_ack(e);
	if (e->state != ENDPOINT_CLOSED && e->retransmit_at <= now)
		retransmit_fired(e);
	if (e->state != ENDPOINT_CLOSED && e->keepalive_at <= now)
		keepalive_fired(e);
	endpoint_arm(e);
	e->host->changed(e);
}

static bool
has_unsent(const struct endpoint *e)
{
	return before(e->max, send_end(e) + (e->fin_queued ? 1 : 0));
}

void
endpoint_arm(struct endpoint *e)
{
	ticks_t next;

	if (e->state == ENDPOINT_CLOSED)
		return;
	if (e->state == ENDPOINT_TIME_WAIT) {
		e->retransmit_at = TICKS_NEVER;
		e->keepalive_at = TICKS_NEVER;
	} else if (e->state == ENDPOINT_OPEN) {
		if (e->una == e->max && !has_unsent(e))
			e->retransmit_at = TICKS_NEVER;
		else if (e->retransmit_at == TICKS_NEVER)
			e->retransmit_at = e->clock->now + timeout_now(e);
		if (e->retransmit_at != TICKS_NEVER)
			e->keepalive_at = TICKS_NEVER;
		else if (e->keepalive_at == TICKS_NEVER)
			e->keepalive_at = e->clock->now + e->traits.keepalive;
	}
	next = earlier(earlier(e->retransmit_at, e->ack_at),
			earlier(e->keepalive_at, e->time_wait_until));
	if (next < e->wake_at) {
		e->wake_at = next;
		clock_at(e->clock, next, endpoint_wake, e, NULL);
	}
}

bool
endpoint_refusal(const struct packet *packet, struct packet *reset)
{
	if (packet->flags & PACKET_RST)
		return false;
	reset->window = 0;
	if (packet->flags & PACKET_ACK) {
		reset->flags = PACKET_RST;
		reset->seq = packet->ack;
		return true;
	}
	reset->flags = PACKET_RST | PACKET_ACK;
	reset->seq = 0;
	reset->ack = packet->seq + (uint32_t)packet->payload_length +
		     !!(packet->flags & PACKET_SYN) + !!(packet->flags & PACKET_FIN);
	return true;
}
