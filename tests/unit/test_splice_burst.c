/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users' segments by the burst, with every short way there is, against the same segments one by one
 * the plain way: workers with the same keys that differ in their kernel, in the size of their
 * bursts, and in who reads them. Connections begin, go on, end and begin again; segments fit,
 * nearly fit or don't. Every packet ends the same, byte for byte, and so do connections and
 * counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/worker_impl.h"
#include "world.h"

#define USERS 40
#define USERS_PLAIN 20 /* the first ones: IPv4 without tags */
#define ROUNDS 400

/* The first is what all others are compared with. */
static const struct way {
	bool is_plain; /* without vectors */
	unsigned size; /* of its bursts */
	bool reads_first, takes_out;
} ways[] = {
		{true, 1, false, false},
		{true, BURST_MAX, false, false},
		{false, BURST_MAX, false, false},
		{false, BURST_MAX, true, false},
		{false, BURST_MAX, true, true},
		{false, 1, false, false},
		{false, 2, true, false},
		{false, 7, false, false},
};
#define WAYS ARRAY_COUNT(ways)
/* Those with full bursts: for what depends on the order in which a burst's packets are judged. */
#define WAYS_FULL 1
#define WAYS_FULL_END 5

/* A client with one tuple, and the numbers of its connection, or of the last one. */
struct user {
	struct flow_script f, next; /* next: what its SYN has begun, and no ACK yet */
	bool has_next;
	bool is_done;		  /* in this round: what it sends goes last in its burst */
	uint32_t seq[SIDE_COUNT]; /* where the round's segments go on */
	bool has_begun;		  /* them */
};

struct twins {
	struct world *worlds[WAYS];
	unsigned first, end; /* of the ways that there are */
	struct user users[USERS];
	uint64_t random;
	unsigned spliced;
};

static uint32_t
draw(struct twins *t, uint32_t below)
{
	return (uint32_t)(packet_random(&t->random) % below);
}

static struct tuple
tuple_of(const struct world *w, const struct flow_script *f)
{
	static const vlan_tags_t tags[] = {0, VLAN_TAG_8100 << 12 | 10,
			(VLAN_TAG_8100 << 12 | 10) << 16 | VLAN_TAG_88A8 << 12 | 20};
	const uint8_t ip4[4] = {10, 0, 0, 1};
	struct tuple tuple = {
			.client = {.bytes = {[0] = 0xfd, [15] = 1}},
			.backend = w->configs[f->ip_version == 4 ? 0 : 1].address,
			.client_port = f->client_port,
			.backend_port = f->backend_port,
			.vlan = tags[f->vlan_count],
			.family = f->ip_version == 4 ? FAMILY_IP4 : FAMILY_IP6,
	};
	uint32_t ip4_be;

	memcpy(&ip4_be, ip4, sizeof(ip4_be));
	if (f->ip_version == 4)
		tuple.client = ip_addr_from_ip4(ip4_be);
	return tuple;
}

static uint32_t
conn_of(const struct world *w, const struct flow_script *f)
{
	const struct flow_table *flows = &w->worker->flows;
	const struct tuple tuple = tuple_of(w, f);

	return flow_table_find(flows, flow_table_hash(flows, &tuple), &tuple);
}

/* Mostly at an edge or a few bytes beside it, now and then a window away. */
static uint32_t
near(struct twins *t, uint32_t edge)
{
	static const uint32_t far[] = {65535, 65999, 66000, 66001, 1u << 20, 1u << 31};
	uint32_t off = draw(t, 6) == 0 ? far[draw(t, ARRAY_COUNT(far))] : 0;

	off += draw(t, 3) == 0 ? draw(t, 2000) : draw(t, 3);
	return draw(t, 2) ? edge + off : edge - off;
}

static struct packet
segment(struct user *u, const struct conn *conn, enum side from, uint8_t flags, uint32_t seq,
		uint32_t ack)
{
	return from == SIDE_CLIENT ? flow_client(&u->f, flags, seq, ack)
				   : flow_backend(&u->f, flags, seq - conn->seq_delta, ack);
}

static void
add_payload(struct twins *t, struct packet *p)
{
	static const uint8_t payload[1400] = "what is said";
	static const unsigned lengths[] = {0, 0, 1, 6, 100, 199, 536, sizeof(payload)};

	p->payload = payload;
	p->payload_length = lengths[draw(t, ARRAY_COUNT(lengths))];
	p->padding_length = draw(t, 4) == 0 ? draw(t, 20) : 0;
}

static void
add_sack(struct twins *t, struct packet *p)
{
	const uint32_t edges[6] = {p->ack + 100, p->ack + 200, p->ack - 1, p->ack + 400, 0, ~0u};

	if (draw(t, 4) != 0)
		packet_add_nop(p);
	if (draw(t, 4) != 0)
		packet_add_nop(p);
	packet_add_sack(p, 1 + draw(t, p->options_length > 14 ? 2 : 3), edges);
}

/* The next segment of a user that behaves. */
static struct packet
in_sequence(struct twins *t, struct user *u, const struct conn *conn, enum side from)
{
	const struct leg *leg = &conn->leg[from], *other = &conn->leg[side_other(from)];
	struct packet p;

	if (!u->has_begun)
		u->seq[from] = leg->snd_nxt;
	u->has_begun = true;
	p = segment(u, conn, from, PACKET_ACK, u->seq[from], other->snd_nxt - draw(t, 2));
	p.tos = (uint8_t)(draw(t, 8) == 0 ? draw(t, 4) : 0);
	add_payload(t, &p);
	if (draw(t, 10) == 0)
		add_sack(t, &p);
	u->seq[from] += (uint32_t)p.payload_length;
	return p;
}

/* And of one that doesn't. */
static struct packet
near_living(struct twins *t, struct user *u, const struct conn *conn, enum side from)
{
	static const uint8_t flags[] = {PACKET_ACK, PACKET_ACK, PACKET_ACK | PACKET_PSH,
			PACKET_ACK | PACKET_ECE, PACKET_ACK | PACKET_CWR, PACKET_ACK | PACKET_URG,
			PACKET_ACK | PACKET_FIN, PACKET_ACK | PACKET_FIN, PACKET_RST,
			PACKET_ACK | PACKET_RST, PACKET_FIN, 0};
	const struct leg *leg = &conn->leg[from], *other = &conn->leg[side_other(from)];
	struct packet p = segment(u, conn, from, flags[draw(t, ARRAY_COUNT(flags))],
			near(t, draw(t, 2) ? leg->snd_nxt : other->rcv_nxt),
			near(t, draw(t, 2) ? leg->rcv_nxt : other->snd_nxt));

	p.window = draw(t, 2) ? p.window : (uint16_t)draw(t, 65536);
	p.tos = (uint8_t)draw(t, 4);
	add_payload(t, &p);
	if (draw(t, 4) == 0 && !(p.flags & PACKET_RST))
		add_sack(t, &p);
	return p;
}

static struct packet
new_syn(struct twins *t, struct user *u)
{
	struct packet syn;

	u->next = u->f;
	u->next.client_isn = draw(t, UINT32_MAX);
	u->next.backend_isn = draw(t, UINT32_MAX);
	u->has_next = u->is_done = true;
	syn = flow_syn(&u->next);
	if (u->f.client_port % 6 == 5) /* the backend won't have it */
		syn.flags |= PACKET_ECE | PACKET_CWR;
	return syn;
}

/* What a user's end sends, as its connection stands before the round. */
static struct packet
next_packet(struct twins *t, struct user *u, enum side from, bool is_calm)
{
	const struct world *w = t->worlds[t->first];
	const uint32_t id = conn_of(w, &u->f);
	const struct conn *conn = id == FLOW_NONE ? NULL : worker_conn(w->worker, id);

	u->f.client_tsval += draw(t, 3);
	u->f.backend_tsval += draw(t, 3);
	if (from == SIDE_CLIENT && u->has_next && (conn == NULL || draw(t, 10) == 0))
		return flow_ack(&u->next);
	if (conn == NULL)
		return from == SIDE_CLIENT
				       ? new_syn(t, u)
				       : flow_backend(&u->f, PACKET_ACK, u->f.backend_isn + 9, 9);
	if (conn->state < CONN_ESTABLISHED) {
		struct packet p = flow_ack(&u->f);

		if (from == SIDE_BACKEND)
			return flow_synack(&u->f);
		add_payload(t, &p);
		return p;
	}
	if (is_calm && conn->state == CONN_ESTABLISHED)
		return in_sequence(t, u, conn, from);
	if (from == SIDE_CLIENT && !u->has_begun && draw(t, 20) == 0)
		return new_syn(t, u);
	u->has_begun = true;
	return near_living(t, u, conn, from);
}

/* Sums of what was emitted, in any order. */
static uint64_t
take_emitted(struct world *w)
{
	uint64_t sum = w->emitted_count;

	for (unsigned i = 0; i < w->emitted_count; i++) {
		uint64_t hash = w->emitted[i].to;

		for (size_t b = 0; b < w->emitted[i].length; b++)
			hash = (hash ^ w->emitted[i].frame[b]) * UINT64_C(0x100000001b3);
		sum += hash;
	}
	w->emitted_count = 0;
	return sum;
}

static void
ends_are_equal(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->reason, b->reason);
	if (a->verdict != VERDICT_REPLY && a->verdict != VERDICT_FORWARD)
		return;
	assert_int_equal(a->length, b->length);
	assert_memory_equal(a->frame, b->frame, a->length);
}

static void
send(struct twins *t, enum side from, unsigned count, const struct packet *packets,
		struct outcome *first)
{
	static struct outcome outcomes[BURST_MAX];
	uint64_t emitted = 0;

	for (unsigned way = t->first; way < t->end; way++) {
		struct outcome *out = way == t->first ? first : outcomes;
		struct world *w = t->worlds[way];

		for (unsigned i = 0, n; i < count; i += n) {
			n = count - i < ways[way].size ? count - i : ways[way].size;
			world_send_burst(w, from, n, &packets[i], &out[i]);
		}
		if (way == t->first)
			emitted = take_emitted(w);
		else
			assert_true(take_emitted(w) == emitted);
		for (unsigned i = 0; i < count; i++)
			ends_are_equal(&first[i], &out[i]);
	}
}

/* What the answers tell the users. */
static void
hear(struct twins *t, const unsigned *who, unsigned count, const struct outcome *out)
{
	for (unsigned i = 0; i < count; i++) {
		struct user *u = &t->users[who[i]];
		const struct world *w = t->worlds[t->first];
		uint32_t id;

		t->spliced += out[i].reason == REASON_spliced;
		if (out[i].reason == REASON_syn_cookie_sent) {
			uint32_t tsecr;

			u->next.iss = out[i].packet.seq;
			u->next.synack_tsval = 0;
			packet_timestamp(&out[i].packet, &u->next.synack_tsval, &tsecr);
		}
		id = u->has_next ? conn_of(w, &u->next) : FLOW_NONE;
		if (id != FLOW_NONE && w->worker->setups[id].iss == u->next.iss) {
			u->f = u->next;
			u->has_next = false;
		}
	}
}

static void
round_of(struct twins *t, bool is_calm)
{
	static struct outcome out[BURST_MAX];
	const enum side from = draw(t, 2) ? SIDE_CLIENT : SIDE_BACKEND;
	const unsigned count = draw(t, 2) ? BURST_MAX : 1 + draw(t, BURST_MAX);
	struct packet packets[BURST_MAX];
	unsigned who[BURST_MAX], n = 0;

	for (unsigned i = 0; i < USERS; i++)
		t->users[i].is_done = t->users[i].has_begun = false;
	while (n < count) {
		who[n] = draw(t, is_calm && draw(t, 40) != 0 ? USERS_PLAIN : USERS);
		if (!t->users[who[n]].is_done) {
			packets[n] = next_packet(
					t, &t->users[who[n]], from, is_calm && draw(t, 60) != 0);
			n++;
		}
	}
	send(t, from, n, packets, out);
	hear(t, who, n, out);
}

static void
conns_are_equal(const struct world *a, const struct world *b, const struct flow_script *f)
{
	const uint32_t id[] = {conn_of(a, f), conn_of(b, f)};
	const struct conn *conn, *other;
	const struct conn_setup *setup, *its;
	const size_t from = offsetof(struct conn, flow) + sizeof(struct flow);

	assert_int_equal(id[0] == FLOW_NONE, id[1] == FLOW_NONE);
	if (id[0] == FLOW_NONE)
		return;
	conn = worker_conn(a->worker, id[0]);
	other = worker_conn(b->worker, id[1]);
	setup = &a->worker->setups[id[0]];
	its = &b->worker->setups[id[1]];
	assert_int_equal(conn->state, other->state);
	if (conn->state < CONN_ESTABLISHED)
		return;
	assert_memory_equal((const uint8_t *)conn + from, (const uint8_t *)other + from,
			sizeof(*conn) - from);
	assert_memory_equal(setup->client_mac, its->client_mac,
			sizeof(*setup) - offsetof(struct conn_setup, client_mac));
	assert_int_equal(setup->node.expires, its->node.expires);
}

static void
worlds_are_equal(struct twins *t)
{
	const struct world *first = t->worlds[t->first];

	for (unsigned way = t->first + 1; way < t->end; way++) {
		const struct world *w = t->worlds[way];

		for (unsigned i = 0; i < USERS; i++)
			conns_are_equal(first, w, &t->users[i].f);
		assert_memory_equal(worker_counters(w->worker), worker_counters(first->worker),
				sizeof(struct worker_counters));
		for (uint16_t slot = 0; slot < WORLD_BACKENDS; slot++)
			assert_memory_equal(worker_backend_counters(w->worker, slot),
					worker_backend_counters(first->worker, slot),
					sizeof(struct backend_counters));
	}
}

static void
set_all(struct twins *t, enum pkt_csum csum, bool is_in_pieces)
{
	for (unsigned way = t->first; way < t->end; way++) {
		t->worlds[way]->csum = csum;
		t->worlds[way]->head_length = is_in_pieces ? 200 : 0;
	}
}

static void
pass_all(struct twins *t, ticks_t duration)
{
	uint64_t emitted = 0;

	for (unsigned way = t->first; way < t->end; way++) {
		struct world *w = t->worlds[way];

		world_pass(w, duration);
		if (way == t->first)
			emitted = take_emitted(w);
		else
			assert_true(take_emitted(w) == emitted);
	}
}

static void
publish_all(struct twins *t, bool has_many, enum backend_mode mode)
{
	for (unsigned way = t->first; way < t->end; way++) {
		t->worlds[way]->more_backends = has_many ? 40 : 0;
		world_set_mode(t->worlds[way], mode);
	}
}

static struct flow_script
script_of(unsigned i)
{
	struct flow_script f = flow_script_default(
			i >= USERS_PLAIN && i % 3 == 0 ? 6 : 4, (uint16_t)(40000 + i));

	f.vlan_count = i >= USERS_PLAIN && i % 3 != 0 ? i % 3 : 0;
	f.backend_port = f.ip_version == 4 && i % 8 == 7 ? 443 : 80;
	f.client_timestamp = i % 4 != 1;
	f.backend_timestamp = i % 8 != 2;
	f.client_wscale = i % 5 == 3 ? -1 : 7;
	f.backend_sack = i % 7 != 4;
	f.client_isn += i * 1000;
	f.backend_isn += i * 77;
	return f;
}

static void
twins_init(struct twins *t, uint8_t stray)
{
	const struct world_options options = {
			.connections = 44,
			.early_packets = 512,
			.backend = {.stray = stray},
	};

	for (unsigned i = 0; i < USERS; i++)
		t->users[i].f = script_of(i);
	for (unsigned way = t->first; way < t->end; way++) {
		struct world *w = world_new(&options);

		t->worlds[way] = w;
		if (ways[way].is_plain)
			w->worker->env.kernel = KERNEL_SCALAR;
		w->reads_first = ways[way].reads_first;
		w->takes_out = ways[way].takes_out;
	}
}

/* What happens to all of them between two rounds. */
static void
between(struct twins *t, bool changes_modes)
{
	static const enum pkt_csum csums[] = {PKT_CSUM_UNKNOWN, PKT_CSUM_UNKNOWN, PKT_CSUM_UNKNOWN,
			PKT_CSUM_PARTIAL, PKT_CSUM_GOOD, PKT_CSUM_LATER};
	enum backend_mode mode = MODE_PROTECT;

	set_all(t, csums[draw(t, ARRAY_COUNT(csums))], draw(t, 8) == 0);
	if (draw(t, 16) == 0)
		pass_all(t, 1 + draw(t, 3000) * (ticks_t)(TICKS_PER_MS / 10));
	for (unsigned i = draw(t, 200) == 0 ? 50 : 0; i > 0; i--)
		pass_all(t, TICKS_PER_S / 10);
	if (changes_modes && draw(t, 2) == 0)
		mode = draw(t, MODE_OFF + 1);
	if (draw(t, 32) == 0)
		publish_all(t, draw(t, 2), mode);
}

static void
run(uint8_t stray, bool changes_modes, uint64_t seed)
{
	static struct twins t;

	t = (struct twins){.random = seed,
			.first = changes_modes ? WAYS_FULL : 0,
			.end = changes_modes ? WAYS_FULL_END : WAYS};
	twins_init(&t, stray);
	for (unsigned n = 0; n < ROUNDS; n++) {
		round_of(&t, draw(&t, 4) != 0);
		between(&t, changes_modes);
		if (n % 16 == 15)
			worlds_are_equal(&t);
	}
	assert_in_range(t.spliced, ROUNDS * 4, ROUNDS * BURST_MAX);
	assert_in_range(world_reason(t.worlds[t.first], REASON_spliced_outside), ROUNDS,
			ROUNDS * 8);
	assert_in_range(world_reason(t.worlds[t.first], REASON_spliced_reset), 50, ROUNDS);
	assert_in_range(world_reason(t.worlds[t.first], REASON_ack_connecting), 20, ROUNDS);
	for (unsigned way = t.first; way < t.end; way++)
		world_free(t.worlds[way]);
}

/* 1. Strays are dropped: only then are ACKs refused by the burst. */
static void
test_strays_dropped(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(STRAY_DROP, false, seed);
}

/* 2. Strays pass: connections are found that are older than the worker. */
static void
test_strays_passed(void **state)
{
	(void)state;
	run(STRAY_PASS, false, 7);
}

/* 3. Backends become unprotected, and protected again. */
static void
test_modes(void **state)
{
	(void)state;
	for (uint64_t seed = 5; seed <= 6; seed++)
		run(STRAY_DROP, true, seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_strays_dropped),
			cmocka_unit_test(test_strays_passed),
			cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
