/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a TCP connection as a real host has it, written for the simulator from RFC 9293, 7323,
 * 2018 and 5961, with nothing in common with lib/proxy: handshake, sliding window, retransmission
 * with backoff, probes of a zero window, delayed and selective acknowledgements, timestamps with
 * PAWS, half-close, TIME_WAIT. Congestion control is only a fixed limit.
 *
 * endpoint.c opens, ends and keeps time; endpoint_send.c and endpoint_receive.c are what they say.
 * Streams have no buffers: see stream.h. What an honest peer, or Sluice, must never send is a
 * fault.
 */
#ifndef SLUICE_TESTS_SIM_ENDPOINT_H
#define SLUICE_TESTS_SIM_ENDPOINT_H

#include "clock.h"
#include "frame.h"
#include "stream.h"

/** What counts without an MSS option (RFC 9293 3.7.1, RFC 8200 5). */
#define MSS_DEFAULT_IP4 536
#define MSS_DEFAULT_IP6 1220

#define RANGES_MAX 32

/** How a stack behaves; drawn per host. */
struct traits {
	uint16_t mss; /**< 0: no option */
	int wscale;   /**< -1: no option */
	bool sack;
	bool timestamps;
	bool shrinks_window; /**< takes back some of what it has allowed, now and then */
	bool data_in_syn;    /**< the first bytes go with the SYN already, unasked */
	bool probes_below; /**< zero-window probes as Linux's, seq una - 1; else one byte beyond */
	uint32_t receive_buffer; /**< bytes */
	uint32_t flight;	 /**< most bytes under way */
	uint32_t tsval_offset;
	ticks_t rto; /**< first timeout, then doubled up to 8 s */
	ticks_t ack_delay;
	ticks_t keepalive; /**< silence before the first probe */
	ticks_t time_wait;
	ticks_t patience; /**< silence of the peer, asked all the time, before it counts as dead */
};

enum endpoint_state {
	ENDPOINT_CLOSED,
	ENDPOINT_SYN_SENT,
	ENDPOINT_SYN_RECEIVED,
	ENDPOINT_OPEN, /**< with all states of half-closing: see fin_* */
	ENDPOINT_TIME_WAIT
};

enum endpoint_end {
	ENDED_NOT,
	ENDED_WELL, /**< both FINs acknowledged */
	ENDED_BY_RESET,
	ENDED_BY_ABORT, /**< by this end */
	ENDED_BY_SILENCE
};

struct range {
	uint32_t left;
	uint32_t right;
};

struct endpoint;

/** What an endpoint needs of its host. */
struct endpoint_host {
	void (*output)(struct endpoint *endpoint, const struct packet *packet);
	void (*changed)(struct endpoint *endpoint); /**< after every packet and timer */
	void (*fault)(struct endpoint *endpoint, const char *text);
};

struct endpoint {
	const struct endpoint_host *host;
	void *owner; /**< the host's */
	struct clock *clock;
	struct traits traits;
	struct packet header; /**< ends and tags of everything sent */
	uint64_t key;
	enum way way;		 /**< of what it sends */
	bool expects_timestamps; /**< a segment without them is a fault, once they are agreed */

	enum endpoint_state state;
	enum endpoint_end end;

	/* Agreed. */
	uint16_t peer_mss;
	uint8_t peer_scale;
	uint8_t own_scale;
	bool sack;
	bool timestamps;

	/* Sending. */
	uint32_t iss;
	uint32_t una;
	uint32_t nxt;
	uint32_t max; /**< behind the highest byte ever sent */
	uint32_t window;
	uint32_t window_max;
	uint32_t window_seq; /**< segment of the last window update: its seq and ack */
	uint32_t window_ack;
	uint32_t written;
	bool fin_queued;
	bool fin_acked;
	unsigned duplicate_acks;

	/* Receiving. */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_edge; /**< highest byte allowed */
	uint32_t received; /**< in order, without SYN and FIN */
	uint32_t unread;
	unsigned range_count;
	struct range ranges[RANGES_MAX]; /**< beyond rcv_nxt, ascending */
	bool fin_seen;
	uint32_t fin_seq;
	bool fin_received; /**< in order */
	bool fin_received_first;
	unsigned unacked_segments;
	uint32_t ts_recent;
	uint32_t last_ack_sent;
	unsigned windows_sent;

	/* Timers. */
	ticks_t heard_at; /**< last acceptable packet */
	ticks_t retransmit_at;
	ticks_t ack_at;
	ticks_t keepalive_at;
	ticks_t time_wait_until;
	ticks_t wake_at; /**< next event set */
	unsigned backoff;
};

/** Sets up a closed endpoint; host, owner, clock, traits, header, key, way are the caller's. */
void endpoint_reset(struct endpoint *e);

/** Sends the SYN. */
void endpoint_connect(struct endpoint *e, uint32_t isn);

/** Answers a SYN. */
void endpoint_accept(struct endpoint *e, uint32_t isn, const struct packet *syn);

/** Lets so many more bytes be sent. */
void endpoint_write(struct endpoint *e, uint32_t count);

/** The application takes so many bytes out of the receive buffer. */
void endpoint_read(struct endpoint *e, uint32_t count);

/** FIN behind all that was written. */
void endpoint_close(struct endpoint *e);

/** RST. */
void endpoint_abort(struct endpoint *e);

/** Vanishes without a word, as in a reboot. */
void endpoint_die(struct endpoint *e, enum endpoint_end end);

/** Takes a packet. False when the endpoint is closed: the host answers with endpoint_refusal(). */
bool endpoint_input(struct endpoint *e, const struct packet *packet, enum origin origin);

/** RFC 9293 3.10.7.1: the RST for a packet that nobody waits for. False when there is none. */
bool endpoint_refusal(const struct packet *packet, struct packet *reset);

/* Between the three files. */

/** endpoint_send.c */
void send_syn(struct endpoint *e);
void send_ack(struct endpoint *e);
void send_reset(struct endpoint *e, uint32_t seq);
void send_probe(struct endpoint *e);
void send_head_again(struct endpoint *e);
void send_what_fits(struct endpoint *e);

/** endpoint.c: arms what the state needs, sets the next event. */
void endpoint_arm(struct endpoint *e);

static inline bool
before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/** The sequence number behind all that was written; the FIN's, if there is one. */
static inline uint32_t
send_end(const struct endpoint *e)
{
	return e->iss + 1 + e->written;
}

static inline uint32_t
tsval_now(const struct endpoint *e)
{
	return (uint32_t)(e->clock->now / TICKS_PER_MS) + e->traits.tsval_offset;
}

#endif
