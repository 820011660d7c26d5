/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PITFALLS 1 and 4: ICMP errors about segments of a connection. Each is made as a router would
 * make it, from a segment that really left Sluice, and must reach the sender with that segment as
 * the sender wrote it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/bytes.h"
#include "net/csum.h"
#include "world.h"

enum {
	MTU_AT = 6, /* IPv4: 16 bits; IPv6: 32 bits at 4 */
	ICMP_HEAD = 8,
	FRAME_MAX = 1500,
};

struct frame {
	uint8_t bytes[WORLD_FRAME_BYTES];
	size_t length;
};

static uint64_t
icmp6_pseudo(const uint8_t *ip, size_t length)
{
	uint8_t tail[8] = {0, 0, (uint8_t)(length >> 8), (uint8_t)length, 0, 0, 0, 58};

	return csum_add(csum_add(0, ip + IP6_SOURCE_AT, 32), tail, sizeof(tail));
}

static uint16_t
icmp_sum(const struct frame *frame, size_t l3, bool is_ip6)
{
	size_t head = is_ip6 ? IP6_BYTES : IP4_BYTES_MIN;
	size_t length = frame->length - l3 - head;
	uint64_t sum = is_ip6 ? icmp6_pseudo(frame->bytes + l3, length) : 0;

	return (uint16_t)~csum_fold(csum_add(sum, frame->bytes + l3 + head, length));
}

/* The error that a router sends back about a frame that reached it: quotes what `quoted` bytes of
 * TCP allow. The router lives at 10.9.9.9 / fd99::9. */
static struct frame
router_error(const struct frame *about, uint8_t type4, uint8_t type6, size_t quoted)
{
	struct frame error = {.length = 0};
	size_t l3 = packet_l3_offset(about->bytes, about->length);
	size_t l4 = packet_l4_offset(about->bytes, about->length);
	const uint8_t *ip = about->bytes + l3;
	bool is_ip6 = ip[0] >> 4 == 6;
	size_t head = is_ip6 ? IP6_BYTES : IP4_BYTES_MIN;
	size_t quote = l4 - l3 + quoted;
	uint8_t *out = error.bytes + l3;

	if (quote > about->length - l3)
		quote = about->length - l3;
	memcpy(error.bytes, about->bytes, l3);
	memcpy(error.bytes, about->bytes + 6, 6);
	memcpy(error.bytes + 6, about->bytes, 6);
	error.length = l3 + head + ICMP_HEAD + quote;
	if (is_ip6) {
		store_be32(out, 6u << 28);
		store_be16(out + IP6_PAYLOAD_LENGTH_AT, (uint16_t)(ICMP_HEAD + quote));
		out[IP6_NEXT_HEADER_AT] = 58;
		out[IP6_HOP_LIMIT_AT] = 64;
		out[IP6_SOURCE_AT] = 0xfd;
		out[IP6_SOURCE_AT + 1] = 0x99;
		out[IP6_SOURCE_AT + 15] = 9;
		memcpy(out + IP6_DESTINATION_AT, ip + IP6_SOURCE_AT, 16);
	} else {
		out[0] = 0x45;
		store_be16(out + IP4_TOTAL_LENGTH_AT, (uint16_t)(head + ICMP_HEAD + quote));
		out[IP4_TTL_AT] = 64;
		out[IP4_PROTOCOL_AT] = 1;
		store_be32(out + IP4_SOURCE_AT, 0x0a090909);
		memcpy(out + IP4_DESTINATION_AT, ip + IP4_SOURCE_AT, 4);
		store_raw16(out + IP4_CHECKSUM_AT, csum_ip4(out, IP4_BYTES_MIN));
	}
	out[head] = is_ip6 ? type6 : type4;
	out[head + 1] = is_ip6 ? 0 : 4;
	store_be16(out + head + MTU_AT, 1280);
	memcpy(out + head + ICMP_HEAD, ip, quote);
	store_raw16(out + head + 2, icmp_sum(&error, l3, is_ip6));
	return error;
}

static struct frame
frame_of(const struct packet *packet)
{
	struct frame frame;

	frame.length = packet_write(packet, frame.bytes, sizeof(frame.bytes));
	return frame;
}

/* Sends a segment of one side; what leaves on the other, and what came in, as frames. */
static struct frame
splice(struct world *w, enum side from, const struct packet *packet)
{
	struct outcome out = world_send(w, from, packet);
	struct frame frame;

	assert_int_equal(out.reason, REASON_spliced);
	memcpy(frame.bytes, out.frame, out.length);
	frame.length = out.length;
	return frame;
}

static struct packet
data_of(const struct flow_script *f, enum side from)
{
	static const uint8_t payload[400] = "path";
	uint32_t sacks[] = {f->iss + 5000, f->iss + 6000};
	struct packet packet = from == SIDE_CLIENT ? flow_client(f, PACKET_ACK, f->client_isn + 1,
								     f->iss + 1)
						   : flow_backend(f, PACKET_ACK, f->backend_isn + 1,
								     f->client_isn + 1);

	if (from == SIDE_CLIENT && f->client_sack) {
		packet_add_nop(&packet); /* SACK edges at odd offsets */
		packet_add_sack(&packet, 1, sacks);
	}
	packet.payload = payload;
	packet.payload_length = sizeof(payload);
	return packet;
}

/* 1. From both sides, both families, tagged or not, with any length of quote and any kind of
 * error: the sender finds its own segment quoted, the router's addresses and the MTU are the same,
 * and the checksums are right, the quoted one too where it was quoted. */
static void
test_translated(void **state)
{
	static const unsigned versions[] = {4, 6};
	static const size_t quotes[] = {8, 12, 16, 18, 20, 31, 32, 44, 45, 500};
	static const uint8_t types4[] = {3, 11, 12}, types6[] = {2, 1, 3};

	(void)state;
	for (unsigned v = 0; v < 24; v++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(versions[v & 1], 40000);
		enum side from = v & 2 ? SIDE_CLIENT : SIDE_BACKEND; /* of the segment */

		f.client_timestamp = f.backend_timestamp = !(v & 4);
		f.vlan_count = v / 8;
		flow_establish(w, &f);

		struct packet packet = data_of(&f, from);
		struct frame sent = frame_of(&packet), left = splice(w, from, &packet);

		for (unsigned i = 0; i < ARRAY_COUNT(quotes); i++) {
			struct frame error = router_error(
					&left, types4[i % 3], types6[i % 3], quotes[i]);
			struct frame wanted = router_error(
					&sent, types4[i % 3], types6[i % 3], quotes[i]);
			struct outcome out = world_send_frame(
					w, side_other(from), error.bytes, error.length);

			assert_int_equal(out.reason, REASON_icmp_translated);
			assert_int_equal(out.to, from);
			assert_int_equal(out.length, wanted.length);
			/* All but what the splice changed beside numbers: window and its sum. */
			size_t l3 = packet_l3_offset(left.bytes, left.length);
			size_t tcp = packet_l4_offset(left.bytes, left.length) + 8 +
				     (versions[v & 1] == 6 ? IP6_BYTES : IP4_BYTES_MIN);
			size_t numbers = wanted.length < tcp + 12 ? wanted.length : tcp + 12;

			assert_memory_equal(out.frame + tcp, wanted.bytes + tcp, numbers - tcp);
			if (wanted.length > tcp + 20 && quotes[i] >= 44)
				assert_memory_equal(out.frame + tcp + 20, wanted.bytes + tcp + 20,
						wanted.length - tcp - 20);
			struct frame got = {.length = out.length};
			memcpy(got.bytes, out.frame, out.length);
			assert_int_equal(icmp_sum(&got, l3, versions[v & 1] == 6), 0);
		}
		world_free(w);
	}
}

/* 2. The quoted checksum is right again when the whole segment was quoted. */
static void
test_quoted_checksum(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet, quoted;
	struct frame left, error;
	struct outcome out;
	uint8_t ether[WORLD_FRAME_BYTES] = {0};

	(void)state;
	flow_establish(w, &f);
	packet = data_of(&f, SIDE_BACKEND);
	left = splice(w, SIDE_BACKEND, &packet);
	error = router_error(&left, 3, 2, 1000);
	out = world_send_frame(w, SIDE_CLIENT, error.bytes, error.length);
	memcpy(ether, out.frame, 14);
	memcpy(ether + 14, out.frame + 14 + 20 + 8, out.length - 42);
	assert_true(packet_checksums_are_right(ether, out.length - 28));
	assert_true(packet_read(&quoted, ether, out.length - 28));
	assert_int_equal(quoted.seq, f.backend_isn + 1);
	world_free(w);
}

/* 3. Forged errors: a quoted number that is not in flight, a connection that doesn't exist, one
 * not established yet: dropped, each with its reason. What quotes no segment of a backend passes
 * unchanged. */
static void
test_refused(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000), g = flow_script_default(4, 40001);
	struct packet packet, ack;
	struct frame left, error;
	struct outcome out;

	(void)state;
	flow_establish(w, &f);
	packet = data_of(&f, SIDE_BACKEND);
	left = splice(w, SIDE_BACKEND, &packet);
	for (uint32_t off = 1; off != 0; off <<= 1) {
		struct frame forged = left;
		uint8_t *seq = forged.bytes + packet_l4_offset(left.bytes, left.length) + 4;
		uint32_t moved = load_be32(seq) + 400 + off;

		store_be32(seq, moved);
		error = router_error(&forged, 3, 2, 8);
		out = world_send_frame(w, SIDE_CLIENT, error.bytes, error.length);
		assert_int_equal(out.reason, REASON_icmp_outside);
	}
	/* Nobody's. */
	packet = data_of(&g, SIDE_BACKEND);
	left = frame_of(&packet);
	error = router_error(&left, 3, 2, 8);
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, error.bytes, error.length).reason,
			REASON_icmp_unknown);
	/* Being connected. */
	flow_send_syn(w, &g);
	ack = flow_ack(&g);
	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, error.bytes, error.length).reason,
			REASON_icmp_early);
	/* An echo reply, an error about UDP, one too short to name ports, one whose quote was sent
	 * by somebody else than whom it is for. */
	left = router_error(&left, 0, 129, 8);
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, left.bytes, left.length).reason,
			REASON_pass_not_tcp);
	left = error;
	left.bytes[14 + 20 + 8 + 9] = 17;
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, left.bytes, left.length).reason,
			REASON_pass_not_tcp);
	left = error;
	left.bytes[14 + 2] = 0;
	left.bytes[14 + 3] = 20 + 8 + 20 + 7;
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, left.bytes, left.length).reason,
			REASON_pass_not_tcp);
	left = error;
	left.bytes[14 + 20 + 8 + 12] ^= 1;
	out = world_send_frame(w, SIDE_CLIENT, left.bytes, left.length);
	assert_int_equal(out.reason, REASON_pass_not_tcp);
	assert_memory_equal(out.frame, left.bytes, left.length);
	/* About a port that is not protected: passes as it is. */
	g.backend_port = 81;
	packet = data_of(&g, SIDE_BACKEND);
	left = frame_of(&packet);
	error = router_error(&left, 3, 2, 8);
	out = world_send_frame(w, SIDE_CLIENT, error.bytes, error.length);
	assert_int_equal(out.reason, REASON_pass_not_protected);
	assert_memory_equal(out.frame, error.bytes, error.length);
	world_free(w);
}

/* 4. Every length a frame may be cut to: nothing is read beyond it (sanitizers), none is taken for
 * more than it is. */
static void
test_truncated(void **state)
{
	static const unsigned versions[] = {4, 6};

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(versions[v], 40000);
		struct packet packet;
		struct frame left, error;

		flow_establish(w, &f);
		packet = data_of(&f, SIDE_BACKEND);
		left = splice(w, SIDE_BACKEND, &packet);
		error = router_error(&left, 3, 2, 60);
		for (size_t length = 0; length < error.length; length++) {
			uint8_t *cut = malloc(length + 1);
			enum reason reason;

			memcpy(cut, error.bytes, length);
			reason = world_send_frame(w, SIDE_CLIENT, cut, length).reason;
			assert_int_not_equal(reason, REASON_icmp_translated);
			free(cut);
		}
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_translated),
			cmocka_unit_test(test_quoted_checksum),
			cmocka_unit_test(test_refused),
			cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
