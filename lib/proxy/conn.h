/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection: both legs plus the translation between them, from the client's proof until the last
 * state's timeout. struct conn is one cache line, all that a spliced segment touches; struct
 * conn_setup is the cold rest: links, MAC addresses, and what the handshake towards the backend
 * needs.
 *
 * Sequence numbers of both directions are kept as the client sees them: the client's own ISN is
 * reused towards the backend, the backend's numbers are translated by seq_delta first.
 */
#ifndef SLUICE_PROXY_CONN_H
#define SLUICE_PROXY_CONN_H

#include "net/rewrite.h"
#include "proxy/close.h"
#include "table/counters.h"
#include "table/flow_table.h"
#include "table/timer_wheel.h"

/** What one end has shown of itself, in the client's numbers. Moved by in-window segments only. */
struct leg {
	uint32_t snd_nxt;    /**< behind the highest byte it sent, SYN and FIN counted */
	uint32_t rcv_nxt;    /**< the highest acknowledgement it sent */
	uint32_t window_end; /**< the highest byte it allowed the other end to send up to */
};

enum conn_flag {
	CONN_STRIP_TIMESTAMP = 1, /**< promised to the client, refused by the backend */
	CONN_STRIP_SACK = 2,	  /**< the same for SACK */
	CONN_ECN_ALONE = 4,	  /**< the client may speak ECN, the backend doesn't: see ecn.h */
	CONN_ECN_ECHO = 8,	  /**< a congestion mark came from it that it has not answered */
	CONN_TRACKED = 16, /**< older than Sluice: no translation, windows guessed (strays.c) */
	CONN_IS_UNANSWERED = 32, /**< tracked, and the backend has not sent anything yet */
	CONN_FIN_SEEN = 64,	 /**< tracked: the client sent its FIN before that */
	CONN_AT_WAR = 128,	 /**< both ends were reset to end an ACK war */
};

struct conn {
	struct flow flow; /**< the flow table's */
	union {
		uint32_t seq_delta; /**< client.iss - backend.irs */
		uint32_t early;	    /**< before the splice: packets held (early.h), or EARLY_NONE */
	};
	uint32_t ts_delta; /**< the same for TSval; before the splice: the TSval of our SYN-ACK */
	struct leg leg[SIDE_COUNT]; /**< by the end that sends */
	uint32_t last_seen;	    /**< timer step of the last in-window segment; until the
				       splice: time of the proof, ticks modulo 2^32 */
	uint16_t slot;		    /**< backend */
	uint8_t state;		    /**< enum conn_state */
	uint8_t flags;		    /**< enum conn_flag bits */
	/* Window scales: x >> to after x << from is what a window field needs. */
	uint8_t scale_client;	  /**< the client's own, on its windows */
	uint8_t scale_to_backend; /**< the one the backend applies to the client's windows */
	uint8_t scale_backend;	  /**< the backend's own, on its windows */
	uint8_t scale_to_client;  /**< the one we announced, applied by the client to the backend's
				     windows */
};
static_assert(sizeof(struct conn) == CACHE_LINE_SIZE, "one line per spliced segment");

struct conn_setup {
	struct timer_node node; /**< timer; in CONN_QUEUED the accept lane's link instead */
	uint8_t client_mac[ETHER_ADDR_BYTES];
	uint8_t backend_mac[ETHER_ADDR_BYTES];
	uint32_t tsval;		/**< the client's latest (see paws.h); valid when has_timestamp */
	uint32_t backend_tsval; /**< the same of the backend, from the splice on */
	uint32_t old_end;	/**< behind the last segment called old (paws.h) */
	uint32_t flow_label;	/**< of the client's ACK, IPv6 */
	uint32_t iss;	 /**< ours towards the client: the cookie that opened this connection */
	uint16_t mss;	 /**< the client's, by its cookie */
	uint16_t window; /**< the client's, as it stood in its ACK */
	uint8_t ttl;	 /**< of the client's ACK */
	uint8_t tos;	 /**< of the client's ACK */
	uint8_t syns;	 /**< SYNs sent to the backend */
	uint8_t wscale;	 /**< the client's, or TCP_WSCALE_NONE */
	bool sack_permitted : 1;
	bool has_timestamp : 1;
	bool met_old_socket : 1; /**< the backend answered once from an older connection */
	bool ecn : 1;		 /**< promised to the client */
	bool old_is_fin : 1;	 /**< what old_end is about has a FIN */
	uint8_t old_side : 1;	 /**< enum side that sent it */
	/* A run of segments that say nothing (ack_war.c). */
	uint8_t war_count : 7;
	uint8_t war_side : 1; /**< enum side of the last one counted */
	uint8_t war_step;     /**< its timer step, modulo 256 */
	uint8_t war_mark;     /**< of the legs' edges then */
};
static_assert(sizeof(struct conn_setup) == 56, "cold memory per connection");

struct worker;

/** Takes a connection for a proved client's packet; state and legs are the caller's to fill.
 * FLOW_NONE when the table is full. */
uint32_t conn_insert(struct worker *w, const struct pkt *pkt, uint16_t slot);

/** Gives the record back, and what was held for the backend. The timer must be disarmed and the
 * accept ring left. */
void conn_free(struct worker *w, uint32_t id);

/** Moves an armed timer. */
void conn_rearm(struct worker *w, uint32_t id, ticks_t when);

/** How long a spliced connection's timer is armed for: its state's timeout, or less, since another
 * configuration may shorten the timeout meanwhile: see CONN_LOOK. */
ticks_t conn_idle_timer(const struct worker *w, const struct conn *conn);

/** The longest such time: when a timeout is shortened, it is kept to after five minutes at the
 * latest. A million connections cost 3,500 looks per second. */
#define CONN_LOOK (300 * TICKS_PER_S)

/** Moves an established connection by an event of the state table; keeps counters and the timer in
 * step. */
void conn_move(struct worker *w, uint32_t id, enum close_event event);

/**
 * Acts on a timer that fired: SYN again, idle check, end. The timer is disarmed.
 */
void conn_expire(struct worker *w, uint32_t id);

/** Makes and emits a packet without payload to one end of the connection, from its stored
 * addresses; build->to says which. False when there was no buffer. */
bool conn_emit(struct worker *w, uint32_t id, const struct pkt_build *build, enum emitted as);

/** The same, where the connection's tuple is at hand. */
bool conn_emit_between(struct worker *w, uint32_t id, const struct tuple *tuple,
		const struct pkt_build *build, enum emitted as);

/** Ends a connection in any state to make way for a new one with its tuple, or for good: resets the
 * backend's leg if that is open. */
void conn_abandon(struct worker *w, uint32_t id);

/** Resets one end of an established connection with the number it is known to expect next (RFC
 * 5961 3.2). */
void conn_reset_end(struct worker *w, uint32_t id, enum side to);

/** Ends a connection in any state: resets both ends of what is not closed yet. An established one
 * is remembered as reset for its time, so that what its client still has under way opens no other.
 */
void conn_end(struct worker *w, uint32_t id);

#endif
