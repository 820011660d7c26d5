/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes captures of the traffic that a SYN proxy is measured with, for testpmd (net_pcap) and
 * other generators to send. The file has the classic pcap format, with microseconds.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frames.h"

#define PCAP_MAGIC 0xa1b2c3d4
#define PCAP_LINK_ETHERNET 1
#define SNAP_LENGTH 65535
/* Hosts pad what is shorter; a capture on the wire shows that. */
#define ETHER_FRAME_LEAST 60

struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_length, link;
};

struct pcap_packet {
	uint32_t seconds, microseconds, captured, length;
};

static bool
write_all(FILE *file, const struct order *order)
{
	const struct pcap_file head = {PCAP_MAGIC, 2, 4, 0, 0, SNAP_LENGTH, PCAP_LINK_ETHERNET};
	const uint32_t seconds = (uint32_t)(order->now / TICKS_PER_S);
	struct frames frames;

	frames_init(&frames, order);
	if (fwrite(&head, sizeof(head), 1, file) != 1)
		return false;
	for (uint32_t i = 0; i < order->count; i++) {
		uint8_t frame[FRAME_BYTES_MAX + ETHER_FRAME_LEAST] = {0};
		size_t length = frames_next(&frames, frame);
		struct pcap_packet packet;

		if (length < ETHER_FRAME_LEAST)
			length = ETHER_FRAME_LEAST;
		packet = (struct pcap_packet){seconds + i / 1000000, i % 1000000, (uint32_t)length,
				(uint32_t)length};
		if (fwrite(&packet, sizeof(packet), 1, file) != 1 ||
				fwrite(frame, length, 1, file) != 1)
			return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	const struct order order = order_parse(argc, argv);
	FILE *file = fopen(order.path, "w");

	if (file != NULL && write_all(file, &order) && fclose(file) == 0)
		return 0;
	fprintf(stderr, "sluice-traffic: %s: %s\n", order.path, strerror(errno));
	return 1;
}
