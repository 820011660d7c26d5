/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of common segments against the long way of all: on random segments around the
 * edges, what splice_common() takes has the same bytes and leaves the same connection as
 * splice_segment() would have made; what it refuses, it has not touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/splice.h"
#include "proxy/worker_impl.h"
#include "world.h"

#define ROUNDS 200000
#define FRAME_BYTES 512

static uint64_t random_state = 1;

static uint32_t
random_below(uint32_t n)
{
	return (uint32_t)(packet_random(&random_state) % n);
}

/* Mostly at an edge or a few bytes beside it, now and then a window away. */
static uint32_t
random_near(uint32_t edge)
{
	static const uint32_t far[] = {65535, 65999, 66000, 66001, 1u << 20, 1u << 31};
	uint32_t off = random_below(4) == 0 ? far[random_below(ARRAY_COUNT(far))] : 0;

	off += random_below(3) == 0 ? random_below(2000) : random_below(3);
	return random_below(2) ? edge + off : edge - off;
}

static struct packet
random_segment(const struct flow_script *f, const struct conn *conn, enum side from)
{
	static const uint8_t flags[] = {PACKET_ACK, PACKET_ACK, PACKET_ACK | PACKET_PSH,
			PACKET_ACK | PACKET_PSH, PACKET_ACK | PACKET_ECE, PACKET_ACK | PACKET_CWR,
			PACKET_ACK | PACKET_URG, PACKET_ACK | PACKET_FIN, PACKET_RST,
			PACKET_ACK | PACKET_RST, PACKET_ACK | PACKET_SYN};
	static const uint8_t payload[200] = "bytes";
	const struct leg *leg = &conn->leg[from];
	uint8_t flag = flags[random_below(ARRAY_COUNT(flags))];
	uint32_t seq = random_near(
			random_below(2) ? leg->snd_nxt : conn->leg[side_other(from)].rcv_nxt);
	uint32_t ack = random_near(
			random_below(2) ? leg->rcv_nxt : conn->leg[side_other(from)].snd_nxt);
	uint32_t edges[4] = {ack + 100, ack + 200, ack + 300, ack + 400};
	struct packet p = from == SIDE_CLIENT ? flow_client(f, flag, seq, ack)
					      : flow_backend(f, flag, seq - conn->seq_delta, ack);

	p.window = (uint16_t)(random_below(2) ? 502 : random_below(65536));
	p.tos = (uint8_t)random_below(4);
	p.payload = payload;
	p.payload_length = random_below(2) ? random_below(sizeof(payload)) : 0;
	if (random_below(4) == 0)
		packet_add_sack(&p, 1 + random_below(2), edges);
	return p;
}

static struct pkt
parsed(uint8_t *frame, const struct packet *p, enum side from, uint32_t id)
{
	struct pkt pkt = {.data = frame};

	pkt.len = (uint32_t)packet_write(p, frame, FRAME_BYTES);
	pkt.tailroom = (uint16_t)(FRAME_BYTES - pkt.len);
	pkt_parse(&pkt, from);
	assert_int_equal(pkt.kind, PKT_TCP);
	assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
	pkt.conn = id;
	return pkt;
}

/* One segment both ways from the same state; keeps what the long way makes of it, now and then, so
 * that states beyond the first are met. Returns whether the short way took it. */
static bool
compare(struct worker *w, const struct flow_script *f, uint32_t id)
{
	enum side from = random_below(2) ? SIDE_CLIENT : SIDE_BACKEND;
	struct conn *conn = worker_conn(w, id);
	const struct conn before = *conn;
	const struct conn_setup setup = w->setups[id];
	struct packet p = random_segment(f, conn, from);
	uint8_t frames[2][FRAME_BYTES];
	struct pkt common = parsed(frames[0], &p, from, id);
	struct pkt any = parsed(frames[1], &p, from, id);
	bool is_common = splice_common(w, &(struct task){.pkt = &common}, 1, from);
	struct conn after = *conn;

	if (!is_common) {
		assert_memory_equal(conn, &before, sizeof(before));
		assert_memory_equal(frames[0], frames[1], common.len);
		return false;
	}
	assert_memory_equal(&w->setups[id], &setup, sizeof(setup));
	*conn = before;
	assert_true(from == SIDE_BACKEND || splice_owns(conn, &any));
	assert_int_equal(splice_segment(w, id, &any, from), REASON_spliced);
	assert_memory_equal(conn, &after, sizeof(after));
	assert_memory_equal(&w->setups[id], &setup, sizeof(setup));
	assert_memory_equal(frames[0], frames[1], common.len);
	if (random_below(8) != 0)
		*conn = before;
	return true;
}

/* 1. For connections of every kind: with and without timestamps, scales, SACK and ECN, IPv4 and
 * IPv6. Nearly all that is well inside is common. */
static void
test_agrees(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		struct world *world = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(i & 1 ? 6 : 4, 40000);
		struct worker *w = world->worker;
		unsigned taken = 0;

		f.client_isn = (uint32_t)packet_random(&random_state);
		f.client_timestamp = i & 2;
		f.backend_timestamp = i & 4;
		f.client_wscale = i & 8 ? 7 : -1;
		f.backend_sack = i & 16;
		flow_establish(world, &f);
		for (unsigned round = 0; round < ROUNDS / 32; round++) {
			/* Some in another timer step, few in another span. */
			w->now += random_below(50) == 0 ? (ticks_t)1 << TIMER_STEP_SHIFT : 0;
			taken += compare(w, &f, 0);
		}
		assert_in_range(taken, ROUNDS / 32 / 20, ROUNDS / 32 / 2);
		world_free(world);
	}
}

/* 2. Only established connections have common segments. */
static void
test_established_only(void **state)
{
	struct world *world = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct worker *w = world->worker;
	uint8_t frame[FRAME_BYTES];
	struct packet p;

	(void)state;
	flow_establish(world, &f);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
	p.payload = (const uint8_t *)"x";
	p.payload_length = 1;
	for (enum conn_state s = 0; s < CONN_STATE_COUNT; s++) {
		struct pkt pkt = parsed(frame, &p, SIDE_CLIENT, 0);

		worker_conn(w, 0)->state = (uint8_t)s;
		assert_int_equal(splice_common(w, &(struct task){.pkt = &pkt}, 1, SIDE_CLIENT),
				s == CONN_ESTABLISHED);
	}
	worker_conn(w, 0)->state = CONN_ESTABLISHED;
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_agrees),
			cmocka_unit_test(test_established_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
