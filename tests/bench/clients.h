/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packets of the benchmark's clients and of their backend: client n has an address and port of
 * its own, ISN 7919 n, and options as Linux sends them. The backend's ISN towards it is n.
 */
#ifndef SLUICE_TESTS_BENCH_CLIENTS_H
#define SLUICE_TESTS_BENCH_CLIENTS_H

#include "harness.h"

#define SACK_BLOCKS 2

/** An ACK without options from client n to the first backend of that IP version. */
struct packet client_packet(uint32_t n, unsigned version);

/** Its SYN: with all options that Linux sends, or with none. */
struct packet client_syn(uint32_t n, unsigned version, bool options);

/** A segment of connection n with timestamps and SACK_BLOCKS blocks; iss as from clients_open().
 * data is borrowed. */
struct packet client_segment(uint32_t n, uint32_t iss, const uint8_t *data, size_t length);

/** The same from its backend, without SACK. */
struct packet backend_segment(uint32_t n, const uint8_t *data, size_t length);

/** Cycles of the three turns of a handshake, for BUFFERS of them. */
struct turns {
	uint64_t syn, ack, syn_ack;
};

/** Opens connections first .. first + BUFFERS; iss[i] becomes what client first + i was answered
 * with. */
struct turns clients_open(struct bench *b, uint32_t first, unsigned burst, uint32_t *iss);

/** bench_init() with so many connections, opened; the iss of each, to be freed. */
uint32_t *clients_open_many(struct bench *b, uint32_t connections, size_t frame_bytes);

#endif
