/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker between two scripted ends: packets in, packets out, time given. Nothing of the library
 * is replaced; what the appliance would do around it (buffers, time, carrying out verdicts) is done
 * here in its simplest form.
 *
 *	struct world *w = world_new(&(struct world_options){.connections = 100});
 *	struct packet syn = world_client_packet(w, 40000, 80);
 *	...
 *	struct outcome out = world_send(w, SIDE_CLIENT, &syn);
 *	assert_int_equal(out.reason, REASON_syn_cookie_sent);
 *	assert_int_equal(out.packet.flags, PACKET_SYN | PACKET_ACK);
 *	world_free(w);
 *
 * world_free() asserts what must hold after every test: the sum of reasons is the number of packets
 * sent, and every packet lent came back.
 */
#ifndef SLUICE_TESTS_WORLD_H
#define SLUICE_TESTS_WORLD_H

#include "packets.h"
#include "proxy/worker.h"

#define WORLD_FRAME_BYTES 2048
#define WORLD_EMITTED_MAX 64

/** tcp_syncookies of all backends. */
enum world_mode {
	WORLD_MODE_2, /**< cookies always */
	WORLD_MODE_1, /**< when the syn queue is full */
	WORLD_MODE_0, /**< never */
};

#define WORLD_BACKENDS 3

struct world_options {
	uint32_t connections;	  /**< 0: 64 */
	uint32_t syn_entries;	  /**< 0: 256 */
	uint32_t early_packets;	  /**< 0: 16 */
	uint32_t monitor_clients; /**< 0: 512 */
	bool no_monitor_clients;  /**< none instead */
	bool no_early_packets;	  /**< none instead */
	enum world_mode mode;
	const struct world *together_with; /**< another worker of the same appliance */
	bool foreign_cookies;		   /**< other nodes may have sent a cookie */
	uint16_t mtu;			   /**< of the ports; 0: no limit */
	bool no_ip6;			   /**< no IPv6 connections at all */
	struct backend_config backend;	   /**< overrides for every backend; 0 fields: defaults */
	ticks_t start;			   /**< 0: some time in 2023 */
	const struct probe_config *probe;  /**< backends can be probed, from WORLD_MAC */
	bool (*owns)(void *context, const struct tuple *tuple); /**< sluice_env's */
	const struct cookie_plan *cookies;			/**< NULL: one secret for ever */
	struct syn_samples *samples;				/**< sluice_env's */
	uint32_t source_prefixes;				/**< 0: 1024 */
	bool no_source_prefixes;				/**< none instead */
	unsigned more_backends; /**< published beside, which nobody speaks with; at most 255 */
};

/** The server port's own address. */
#define WORLD_MAC                                                                                  \
	{                                                                                          \
		0x02, 0, 0, 0, 0, 0x99                                                             \
	}

/** What became of one packet. */
struct outcome {
	enum reason reason;
	enum verdict verdict;
	enum side to;	      /**< where it leaves, unless dropped */
	struct packet packet; /**< as it leaves, taken apart; valid unless dropped, held or not TCP
			       */
	size_t length;
	uint8_t frame[WORLD_FRAME_BYTES];
};

/** A packet that the worker made from nothing. */
struct emitted_packet {
	enum side to;
	struct packet packet; /**< taken apart; zero unless it is TCP, which only probes' are not */
	size_t length;
	uint8_t frame[WORLD_FRAME_BYTES];
};

struct world {
	struct worker *worker;
	ticks_t now;
	const struct snapshot *snapshot;
	struct backend_config configs[WORLD_BACKENDS]; /**< change them, then world_publish() */
	struct cookie_plan cookies;		       /**< the same */
	bool foreign_cookies;			       /**< the same */
	struct timeouts timeouts;		       /**< the same */
	struct probe_config probe;		       /**< the same */
	bool is_probing;
	struct hops hops;
	struct egress_rates egress;   /**< the same */
	struct source_policy sources; /**< the same; the lists stay the test's */
	uint64_t generation;
	struct inspect *box;	       /**< the worker's letter-box */
	struct backend_shared *shared; /**< own_shared, or that of options.together_with */
	struct backend_shared own_shared[16];
	unsigned emitted_count;
	struct emitted_packet emitted[WORLD_EMITTED_MAX];
	uint32_t head_length; /**< set: of longer frames only so much is at hand, and their checksum
				 is left open */
	enum pkt_csum csum;   /**< what the ports say of all other frames */
	bool out_of_buffers;  /**< set: packet_get fails */
	uint64_t sent;
	int lent; /**< packets that the worker has now */
	void *memory;
	uint8_t *lent_frame;
	unsigned more_backends;
	bool emits_damaged; /**< set: what was held may leave with a checksum that nobody looked at
			     */
	struct burst burst;
	bool reads_first; /**< as steering does */
	bool takes_out;	  /**< and then as if it had taken some out */
};

/*
 * Backends: slot 0 is 10.0.0.2:80, slot 1 is [fd00::2]:80, slot 2 is 10.0.0.2:443 with MSS 536
 * announced. Clients live at 10.0.0.1 and fd00::1.
 */
struct world *world_new(const struct world_options *options);
void world_free(struct world *w);

/** Publishes configs and cookies as they stand now. */
void world_publish(struct world *w);

/** Publishes all backends in that mode. */
void world_set_mode(struct world *w, enum backend_mode mode);

/** Puts a frame through a burst of one. */
struct outcome world_send_frame(
		struct world *w, enum side from, const uint8_t *frame, size_t length);
struct outcome world_send(struct world *w, enum side from, const struct packet *packet);

/** Puts up to BURST_MAX packets through one burst. */
void world_send_burst(struct world *w, enum side from, unsigned count, const struct packet *packets,
		struct outcome *outcomes);

/** Lets time pass in steps of 10 ms with a tick each. */
void world_pass(struct world *w, ticks_t duration);

/** The only packet emitted since the last call; the test fails if there is none or more. */
struct packet world_emitted(struct world *w, enum side to);

/** Fails the test if a packet was emitted since the last look. */
void world_nothing_emitted(struct world *w);

uint64_t world_reason(const struct world *w, enum reason reason);
uint64_t world_counter(const struct world *w, uint16_t slot, enum backend_counter counter);
uint64_t world_connections(const struct world *w);

/** One connection as a script sees it: both ends' numbers. Defaults suit an honest IPv4 client. */
struct flow_script {
	unsigned ip_version;
	uint16_t client_port;
	uint16_t backend_port;
	unsigned vlan_count; /**< 0, 1 (0x8100 VID 10) or 2 (0x88a8 VID 20, 0x8100 VID 10) */
	uint32_t client_isn, backend_isn;
	uint16_t client_window;		   /**< as it stands in the client's ACK */
	uint16_t backend_window;	   /**< as it stands in the backend's SYN-ACK */
	int client_wscale, backend_wscale; /**< -1: none */
	bool client_sack, backend_sack;
	bool client_timestamp, backend_timestamp;
	uint16_t client_mss, backend_mss;
	uint32_t client_tsval, backend_tsval;
	/* Learned on the way. */
	uint32_t iss; /**< ours towards the client */
	uint32_t synack_tsval;
};

struct flow_script flow_script_default(unsigned ip_version, uint16_t client_port);

/** A segment of the client as it sends it: seq and ack in the client's numbers, timestamps if
 * agreed. */
struct packet flow_client(const struct flow_script *f, uint8_t flags, uint32_t seq, uint32_t ack);

/** A segment of the backend: seq in the backend's own numbers. */
struct packet flow_backend(const struct flow_script *f, uint8_t flags, uint32_t seq, uint32_t ack);

struct packet flow_syn(const struct flow_script *f);

/** Sends the SYN, notes iss and synack_tsval; asserts that it was answered. */
struct packet flow_send_syn(struct world *w, struct flow_script *f);

/** The client's proving ACK, after flow_send_syn(). */
struct packet flow_ack(const struct flow_script *f);

/** The backend's SYN-ACK. */
struct packet flow_synack(const struct flow_script *f);

/** The whole handshake up to the splice, asserting each step's reason; swallows the window update.
 */
void flow_establish(struct world *w, struct flow_script *f);

/** The SYN of a client of its own, number n, from 11.0.0.0 up, for 10.0.0.2:80: a flood's, or one
 * of many. */
struct packet world_stranger_syn(unsigned n);

/** Sends count such SYNs, numbers from first up, in full bursts. */
void world_flood(struct world *w, unsigned first, unsigned count);

/** Swallows what was emitted; returns how many of it were SYN-ACKs. */
unsigned world_take_syn_acks(struct world *w);

/** backend number -> client number, once established. */
static inline uint32_t
flow_to_client(const struct flow_script *f, uint32_t backend_seq)
{
	return backend_seq - f->backend_isn + f->iss;
}

#endif
