/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves, whether it came in or was made: what must hold of it, and who hears it. */
#include <string.h>

#include "net/cookie.h"
#include "pipeline_probe.h"

/* Without its checksum: what is shorter gets padded. */
#define FRAME_MIN 60

static enum side
origin_of(enum side out)
{
	return out == SIDE_BACKEND ? SIDE_CLIENT : SIDE_BACKEND;
}

/* All bytes of a frame, as its port sends it. */
struct whole {
	uint8_t bytes[FLOW_FRAME_BYTES];
	size_t length;
};

/* Puts what a worker had at hand and what it had not together; is_open: the port fills in the
 * checksum of TCP, and only that. */
static void
whole_make(struct whole *whole, const struct arrival *arrival, const struct pkt *pkt, bool is_open)
{
	whole->length = pkt->len + pkt->rest;
	ENSURE(whole->length <= sizeof(whole->bytes) && pkt->rest <= arrival->length);
	memcpy(whole->bytes, pkt->data, pkt->len);
	memcpy(whole->bytes + pkt->len, arrival->bytes + arrival->length - pkt->rest, pkt->rest);
	if (is_open) {
		struct packet packet;

		if (!packet_read(&packet, whole->bytes, whole->length))
			return;
		packet_fix_checksums(whole->bytes, whole->length);
		ENSURE(memcmp(whole->bytes, pkt->data,
				       packet_l4_offset(whole->bytes, whole->length)) == 0);
	}
}

static void
hear(struct fuzz_world *w, enum side at, const struct packet *packet, const struct whole *whole,
		bool is_lost)
{
	int flow = flow_of(packet, origin_of(at));

	if (flow < 0)
		return;
	if (at == SIDE_CLIENT && (packet->flags & PACKET_SYN))
		flow_note_issued(&w->flows[flow], packet->seq);
	if (!is_lost)
		flow_note_heard(&w->flows[flow], at, packet, whole->bytes, whole->length);
}

/* Nothing of a client before its proof, unless flows pass that were never asked for one. */
static void
check_gate(const struct fuzz_world *w, const struct packet *packet)
{
	int flow = flow_of(packet, SIDE_CLIENT);

	ENSURE(w->strays_may_pass || (flow >= 0 && w->flows[flow].is_proved));
}

static bool
has_budget(const struct fuzz_world *w)
{
	return w->egress.network_per_s > 0 && w->egress.side_per_s > 0;
}

void
fuzz_world_emitted(struct fuzz_world *w, enum side out, const struct pkt *pkt)
{
	const struct arrival *arrival = fuzz_world_arrival(w, pkt->owner);
	struct packet packet;
	struct whole whole;

	if (fuzz_probe_emitted(w, out, pkt))
		return;
	whole_make(&whole, arrival, pkt, arrival->is_open);
	ENSURE(packet_checksums_are_right(whole.bytes, whole.length));
	ENSURE(packet_read(&packet, whole.bytes, whole.length));
	if (out == SIDE_BACKEND)
		check_gate(w, &packet);
	if (out == SIDE_CLIENT && (packet.flags & PACKET_SYN) && !has_budget(w)) {
		int flow = flow_of(&packet, SIDE_BACKEND);

		ENSURE(flow >= 0 && w->flows[flow].is_proved);
	}
	hear(w, out, &packet, &whole, w->emitted_is_lost);
}

/* An ACK that no SYN-ACK asked for may prove a client all the same, once in 2^24: the cookie's own
 * tests see to it that it is not more often. */
bool
fuzz_world_is_lucky(const struct fuzz_world *w, const struct packet *packet)
{
	struct tuple tuple = {.client_port = packet->source_port,
			.backend_port = packet->destination_port,
			.family = packet->ip_version == 4 ? FAMILY_IP4 : FAMILY_IP6};
	struct cookie_proof proof;
	uint32_t tsval, tsecr = 0;
	bool has_timestamp = packet_timestamp(packet, &tsval, &tsecr);
	struct jar jar;

	for (unsigned i = 0; i < packet->vlan_count && i < VLAN_TAGS_MAX; i++) {
		uint32_t tag = packet->vlans[i].protocol == 0x8100 ? VLAN_TAG_8100 : VLAN_TAG_88A8;

		tuple.vlan |= (tag << 12 | (packet->vlans[i].tci & 0xfffu)) << 16 * i;
	}
	memcpy(&tuple.client, packet->source, sizeof(tuple.client));
	memcpy(&tuple.backend, packet->destination, sizeof(tuple.backend));
	if (packet->ip_version == 4) {
		tuple.client = ip_addr_from_ip4(tuple.client.words_be[0]);
		tuple.backend = ip_addr_from_ip4(tuple.backend.words_be[0]);
	}
	jar_init(&jar, &w->cookies, w->now);
	return cookie_check(&jar, &tuple, packet->seq, packet->ack, has_timestamp, tsecr, &proof) ==
	       COOKIE_VALID;
}

/* Reasons by which something passes that was never meant for the proxy, or by policy, exactly as it
 * came. */
static bool
is_untouched(const struct fuzz_world *w, enum reason reason)
{
	switch (reason) {
	case REASON_pass_not_ip:
	case REASON_pass_not_tcp:
	case REASON_pass_not_protected:
	case REASON_fragment_passed:
		return true;
	case REASON_pass_exempt:
		ENSURE(w->may_be_exempt);
		return true;
	default:
		return false;
	}
}

/* Passes because its backend is not protected; the end hears of it, from the other end itself. */
static bool
is_open(const struct fuzz_world *w, enum reason reason)
{
	if (reason < REASON_pass_off || reason > REASON_monitor_passed)
		return false;
	ENSURE(w->may_be_open);
	return true;
}

/* It is as it came; but one that Sluice had a part in as it came may have had its checksum
 * completed. */
static void
check_open(struct fuzz_world *w, const struct waiting *waiting, const struct arrival *arrival,
		struct whole *whole)
{
	const struct passage *passage = &waiting->passage;
	struct whole came = {.length = arrival->length};
	struct packet packet;
	int flow;

	memcpy(came.bytes, arrival->bytes, arrival->length);
	ENSURE(whole->length == came.length);
	if (memcmp(whole->bytes, came.bytes, came.length) != 0) {
		ENSURE(passage->csum == PKT_CSUM_PARTIAL);
		packet_fix_checksums(came.bytes, came.length);
		ENSURE(memcmp(whole->bytes, came.bytes, came.length) == 0);
	}
	if (passage->is_lost || !packet_read(&packet, whole->bytes, whole->length))
		return;
	flow = flow_of(&packet, passage->from);
	if (flow >= 0)
		flow_note_heard(&w->flows[flow], side_other(passage->from), &packet, whole->bytes,
				whole->length);
}

/* No answer to who has proved nothing is longer than what it answers, or it is paid for. */
static void
check_answer(const struct fuzz_world *w, const struct arrival *arrival, const struct pkt *pkt)
{
	const bool is_longer = pkt->len > FRAME_MIN && pkt->len > arrival->length;

	switch ((enum reason)pkt->reason) {
	case REASON_syn_cookie_sent:
	case REASON_syn_queued:
	case REASON_syn_again:
		ENSURE(!is_longer || has_budget(w));
		break;
	case REASON_stray_reset:
		ENSURE(!is_longer);
		ENSURE(w->egress.side_per_s > 0);
		break;
	default:
		break;
	}
}

/* A segment on its way through a connection has the payload that it came with. */
static void
check_payload(const struct waiting *waiting, const struct packet *left)
{
	const struct packet *came = &waiting->packet;

	if (waiting->passage.packet == NULL)
		return;
	ENSURE(left->payload_length == came->payload_length);
	ENSURE(left->payload_length == 0 ||
			memcmp(left->payload, came->payload, left->payload_length) == 0);
}

void
fuzz_world_left(struct fuzz_world *w, const struct waiting *waiting, const struct pkt *pkt)
{
	const struct arrival *arrival = fuzz_world_arrival(w, pkt->owner);
	const struct passage *passage = &waiting->passage;
	enum reason reason = (enum reason)pkt->reason;
	bool is_forwarded = reason_verdict(reason) == VERDICT_FORWARD;
	enum side out = is_forwarded ? side_other(passage->from) : passage->from;
	struct packet packet;
	struct whole whole;

	whole_make(&whole, arrival, pkt, arrival->is_open && is_forwarded);
	if (is_untouched(w, reason)) {
		whole_make(&whole, arrival, pkt, false);
		ENSURE(whole.length == arrival->length &&
				memcmp(whole.bytes, arrival->bytes, whole.length) == 0);
		return;
	}
	if (is_open(w, reason)) {
		whole_make(&whole, arrival, pkt, false);
		check_open(w, waiting, arrival, &whole);
		return;
	}
	if (reason == REASON_icmp_translated) {
		ENSURE(!passage->is_icmp_error || icmp_error_is_right(whole.bytes, whole.length));
		return;
	}
	if (reason == REASON_stray_passed || !packet_read(&packet, whole.bytes, whole.length))
		return;
	check_answer(w, arrival, pkt);
	if (waiting->was_right || !is_forwarded)
		ENSURE(packet_checksums_are_right(whole.bytes, whole.length));
	if (out == SIDE_BACKEND && is_forwarded)
		check_gate(w, &packet);
	if (reason == REASON_spliced)
		check_payload(waiting, &packet);
	hear(w, out, &packet, &whole, passage->is_lost);
}
