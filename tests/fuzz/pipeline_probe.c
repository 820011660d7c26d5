/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "pipeline_probe.h"
#include "probe_world.h"

static const uint8_t our_mac[MAC_BYTES] = WORLD_MAC;

/* A backend that is to be probed. */
static bool
is_wanted(const struct fuzz_world *w, const struct packet *syn)
{
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		const struct backend_config *backend = &w->backends[slot];
		const uint8_t *address = backend->address.bytes;

		if (backend->family == FAMILY_IP4)
			address += 12;
		if (w->is_published[slot] && backend->profile == PROFILE_PROBE &&
				syn->destination_port == backend->port &&
				memcmp(syn->destination, address,
						backend->family == FAMILY_IP4 ? 4 : 16) == 0)
			return true;
	}
	return false;
}

/* An ARP request, or a neighbour solicitation. */
static bool
is_question(const struct fuzz_world *w, const struct pkt *pkt)
{
	const uint8_t *type = pkt->data + 12 + (w->probe.vlan != 0 ? 4 : 0);

	if (type[0] == 0x08)
		return type[1] == 0x06 && type[9] == 1;
	return type[0] == 0x86 && type[1] == 0xdd && type[8] == 58 && type[42] == 135;
}

bool
fuzz_probe_emitted(struct fuzz_world *w, enum side out, const struct pkt *pkt)
{
	struct packet packet;

	if (pkt->len < 14 || memcmp(pkt->data + MAC_BYTES, our_mac, MAC_BYTES) != 0)
		return false;
	ENSURE(out == SIDE_BACKEND && probe_end_has(&w->probe.ip4.source));
	ENSURE(pkt->len <= sizeof(w->probe_syn));
	if (packet_read(&packet, pkt->data, pkt->len)) {
		ENSURE(packet_checksums_are_right(pkt->data, pkt->len));
		ENSURE((packet.flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN);
		ENSURE(packet.payload_length == 0 && is_wanted(w, &packet));
		memcpy(w->probe_syn, pkt->data, pkt->len);
		w->probe_syn_length = pkt->len;
		return true;
	}
	ENSURE(is_question(w, pkt));
	return true;
}

bool
fuzz_probe_answer(const struct fuzz_world *w, enum probe_answer_kind kind, struct packet *answer)
{
	struct packet syn;

	if (!packet_read(&syn, w->probe_syn, w->probe_syn_length))
		return false;
	*answer = syn;
	memcpy(answer->ether_destination, syn.ether_source, MAC_BYTES);
	memcpy(answer->ether_source, syn.ether_destination, MAC_BYTES);
	memcpy(answer->source, syn.destination, sizeof(syn.destination));
	memcpy(answer->destination, syn.source, sizeof(syn.source));
	answer->source_port = syn.destination_port;
	answer->destination_port = syn.source_port;
	answer->seq = 77;
	answer->ack = syn.seq + (kind == PROBE_ANSWER_WRONG ? 2 : 1);
	answer->flags = PACKET_SYN | PACKET_ACK;
	if (kind == PROBE_ANSWER_RESET)
		answer->flags = PACKET_RST | PACKET_ACK;
	if (kind == PROBE_ANSWER_ACK)
		answer->flags = PACKET_ACK;
	answer->options_length = 0;
	return true;
}

size_t
fuzz_probe_neighbour(uint8_t frame[FUZZ_NEIGHBOUR_BYTES], uint8_t shape, uint8_t host)
{
	static const uint8_t us[16] = {0xfd, [14] = 0x02, [15] = 0x50};
	const bool is_tagged = shape & 1, is_question = shape & 2;

	if (shape & 4)
		return probe_world_nd(frame, is_tagged, is_question ? 135 : 136, host, us,
				is_question ? 0x250 : host, is_question ? 1 : 2);
	return probe_world_arp(frame, is_tagged, is_question ? 1 : 2, host, 250);
}
