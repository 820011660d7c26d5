/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flood without sockets: frames that an XDP program writes and sends right away, as a driver
 * hands them over. A CPU makes millions of them per second, and a veth's other end gets them as it
 * would get a NIC's: without a socket buffer, unless the kernel itself has to make one.
 */
#ifndef SLUICE_TESTS_LAB_LIVE_H
#define SLUICE_TESTS_LAB_LIVE_H

#include <stddef.h>
#include <stdint.h>

/** A SYN as live_flood() sends them: IPv4, with the options of flood.c's. */
#define LIVE_FRAME_LENGTH 74

/**
 * Sends frames until SIGINT or SIGTERM comes, or count of them are sent, as fast as this CPU can.
 *
 * @param object     the program, flood.bpf.o
 * @param interface  its other end has to have an XDP program or GRO, or it takes no such frames
 * @param frame      LIVE_FRAME_LENGTH bytes; its source, sequence number, timestamp and checksums
 *                   are drawn anew for each frame
 * @return how many the interface has sent meanwhile, modulo 2^32. Ends the program when it can't
 * send any.
 */
uint32_t live_flood(
		const char *object, const char *interface, const uint8_t *frame, uint64_t count);

#endif
