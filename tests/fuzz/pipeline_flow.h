/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clients and backends of the pipeline's fuzzer: eight flows, and of each end just the numbers
 * that it needs to say what fits next. They learn from what reaches them, know nothing of how
 * Sluice works, and remember which sequence numbers a client was really sent.
 */
#ifndef SLUICE_TESTS_PIPELINE_FLOW_H
#define SLUICE_TESTS_PIPELINE_FLOW_H

#include "base/base.h"
#include "packets.h"

enum { FLOWS = 8, FLOW_FRAME_BYTES = 2048, FLOW_ISSUED = 32, FLOW_FIRST_PORT = 1000 };

struct flow_end {
	uint32_t snd_nxt, rcv_nxt;
	uint32_t clock;	 /* its next TSval */
	uint32_t echoed; /* the last TSval that reached it */
	bool has_timestamp;
	/* The last frame that it sent, and the last that reached it. */
	uint8_t sent[FLOW_FRAME_BYTES], heard[FLOW_FRAME_BYTES];
	size_t sent_length, heard_length;
};

struct fuzz_flow {
	struct flow_end ends[SIDE_COUNT];
	unsigned worker; /* that its packets come to */
	bool is_proved;	 /* its client has acknowledged a SYN-ACK that was sent to it */
	uint32_t issued[FLOW_ISSUED]; /* sequence numbers of SYN-ACKs, the last ones */
	unsigned issued_count;
};

/* Flows 0, 1: IPv4 to port 80; 2: the same with two tags; 3: IPv4 to port 443; 4..6: IPv6 to port
 * 80; 7: the same with a tag. The packet has neither options nor payload. */
struct packet flow_packet(unsigned flow, enum side from);

/* The flow of a packet, or -1. */
int flow_of(const struct packet *packet, enum side from);

/* What the end would send now, with timestamps if they are agreed. */
struct packet flow_segment(struct fuzz_flow *flow, unsigned index, enum side from, uint8_t flags);

/* The end sends a packet: what follows begins behind it if it fits or is a SYN. */
void flow_note_sent(struct fuzz_flow *flow, enum side from, const struct packet *packet,
		const uint8_t *frame, size_t length);

/* A packet reaches that end. */
void flow_note_heard(struct fuzz_flow *flow, enum side at, const struct packet *packet,
		const uint8_t *frame, size_t length);

/* Sluice sent this SYN-ACK, whether it arrives or not. */
void flow_note_issued(struct fuzz_flow *flow, uint32_t iss);

/* True when the acknowledgement number is one that a SYN-ACK asked for. */
bool flow_was_issued(const struct fuzz_flow *flow, uint32_t ack);

/* Writes the ICMP error of a router about a frame into room bytes; quoted bytes of TCP at most.
 * Returns its length, or 0 when the frame is no TCP or room is short. */
size_t icmp_error_write(
		uint8_t *error, size_t room, const uint8_t *about, size_t length, size_t quoted);

/* True when the ICMP checksum verifies; the frame is one that icmp_error_write() made, be it
 * translated. */
bool icmp_error_is_right(const uint8_t *frame, size_t length);

#endif
