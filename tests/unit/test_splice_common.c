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
 * IPv6, with each variant. Nearly all that is well inside is common. */
static void
test_agrees(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct world *world = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(i & 1 ? 6 : 4, 40000);
		struct worker *w = world->worker;
		unsigned taken = 0;

		w->env.kernel = i & 32 ? KERNEL_SCALAR : kernel_best();
		f.client_isn = (uint32_t)packet_random(&random_state);
		f.client_timestamp = i & 2;
		f.backend_timestamp = i & 4;
		f.client_wscale = i & 8 ? 7 : -1;
		f.backend_sack = i & 16;
		flow_establish(world, &f);
		for (unsigned round = 0; round < ROUNDS / 64; round++) {
			/* Some in another timer step, few in another span. */
			w->now += random_below(50) == 0 ? (ticks_t)1 << TIMER_STEP_SHIFT : 0;
			taken += compare(w, &f, 0);
		}
		assert_in_range(taken, ROUNDS / 64 / 20, ROUNDS / 64 / 2);
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

/* Client n's first bytes. */
static struct packet
first_data(const struct flow_script *f, unsigned n)
{
	struct packet p = flow_client(f, PACKET_ACK, f->client_isn + 1, f->iss + 1);

	p.payload = (const uint8_t *)"sluice";
	p.payload_length = 1 + n % 6;
	return p;
}

/* 3. A row ends with the first segment that is not common, wherever that is, IPv6 between IPv4 or
 * not. */
static void
test_rows(void **state)
{
	static uint8_t frames[BURST_MAX][FRAME_BYTES];
	struct world *world = world_new(&(struct world_options){0});
	struct flow_script f[BURST_MAX];
	struct worker *w = world->worker;

	(void)state;
	for (unsigned i = 0; i < BURST_MAX; i++) {
		f[i] = flow_script_default(i % 5 == 3 ? 6 : 4, (uint16_t)(40000 + i));
		flow_establish(world, &f[i]);
	}
	for (unsigned odd = 0; odd <= BURST_MAX; odd++) {
		struct pkt pkts[BURST_MAX];
		struct task tasks[BURST_MAX];

		for (unsigned i = 0; i < BURST_MAX; i++) {
			struct packet p = first_data(&f[i], i);

			p.flags |= i == odd ? PACKET_FIN : 0;
			pkts[i] = parsed(frames[i], &p, SIDE_CLIENT, i);
			pkts[i].reason = REASON_NONE;
			tasks[i] = (struct task){.pkt = &pkts[i]};
		}
		assert_int_equal(splice_common(w, tasks, BURST_MAX, SIDE_CLIENT), odd);
		for (unsigned i = 0; i < BURST_MAX; i++)
			assert_int_equal(pkts[i].reason, i < odd ? REASON_spliced : REASON_NONE);
	}
	world_free(world);
}

/* 4. A guess that is wrong is seen, whatever the record is: another one's whose tuple differs in
 * one place, or one that is free; nothing is touched then. */
static void
test_wrong_guess(void **state)
{
	struct world *world = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct worker *w = world->worker;
	struct packet p;

	(void)state;
	flow_establish(world, &f);
	p = first_data(&f, 5);
	for (unsigned how = 0; how < 6; how++) {
		struct conn *conn = worker_conn(w, 0);
		uint8_t frame[FRAME_BYTES], same[FRAME_BYTES];
		struct pkt pkt = parsed(frame, &p, SIDE_CLIENT, 0);
		const struct conn before = *conn;
		struct conn other;

		pkt.reason = REASON_NONE;
		memcpy(same, frame, sizeof(same));
		conn->flow.client ^= how == 0;
		conn->flow.backend ^= how == 1 ? UINT32_C(1) << 31 : 0;
		conn->flow.client_port ^= how == 2;
		conn->flow.backend_port ^= how == 3 ? 0x8000 : 0;
		conn->flow.vlan_family ^= how == 4 ? FLOW_IP6 : 0;
		pkt.tuple.family = how == 5 ? FAMILY_IP6 : FAMILY_IP4;
		other = *conn;
		assert_int_equal(splice_guessed(w, &(struct task){.pkt = &pkt}, 1, SIDE_CLIENT), 0);
		assert_memory_equal(conn, &other, sizeof(other));
		assert_memory_equal(frame, same, pkt.len);
		assert_int_equal(pkt.reason, REASON_NONE);
		*conn = before;
		pkt.tuple.family = FAMILY_IP4;
		assert_int_equal(splice_guessed(w, &(struct task){.pkt = &pkt}, 1, SIDE_CLIENT),
				w->env.kernel == KERNEL_AVX512);
		*conn = before;
	}
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_agrees),
			cmocka_unit_test(test_established_only),
			cmocka_unit_test(test_rows),
			cmocka_unit_test(test_wrong_guess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
