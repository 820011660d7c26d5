/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Floods by the burst, and what hides among them, against the same packets two by two, and one by
 * one: workers with the same keys, of which one reads whole bursts together and takes their short
 * ways, one that of lone packets, and one the long way. Every packet ends the same, byte for byte,
 * and so do the counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define ROUNDS 360

/* What a burst is made of; each among others, too. */
enum crowd {
	CROWD_ACKS,	/* forged ones for one backend */
	CROWD_ACKS_IP6, /* the same */
	CROWD_SYNS,
	CROWD_BOTH,
	CROWD_BACKENDS, /* forged ACKs for two backends */
	CROWD_FAMILIES, /* and for both families */
	CROWD_COUNT,
};

/* And who is in it. */
enum guest {
	GUEST_NONE,
	GUEST_CLIENT,	 /* a client's proof, and its first data behind it, twice */
	GUEST_CONNECTED, /* a segment of a connection */
	GUEST_RESET,
	GUEST_STRAY_SYN_ACK,
	GUEST_FOREIGN, /* for no backend */
	GUEST_COUNT,
};

struct twins {
	struct world *bursts, *pairs, *alone;
	uint64_t random;
	unsigned port;
	struct flow_script connected;
};

static uint32_t
draw(struct twins *t)
{
	return (uint32_t)packet_random(&t->random);
}

/* Of a SYN: with all of them as Linux has them. */
static void
add_options(struct packet *p, uint32_t bits)
{
	p->options_length = 0;
	if (bits & 1)
		packet_add_mss(p, (uint16_t)(500 + bits % 1000));
	if (bits & 2)
		packet_add_sack_permitted(p);
	if (bits & 4)
		packet_add_timestamp(p, bits, 0);
	if (bits & 8) {
		packet_add_nop(p);
		packet_add_wscale(p, bits >> 8 & 15);
	}
	if (bits & 16)
		p->flags |= PACKET_ECE | PACKET_CWR;
}

static struct packet
one_of(struct twins *t, enum crowd crowd)
{
	const uint32_t bits = draw(t);
	const bool is_syn = crowd == CROWD_SYNS || (crowd == CROWD_BOTH && bits & 1);
	/* Who sends a SYN sends no ACK in the same burst, which would be looked at first. */
	struct packet p = world_stranger_syn(
			crowd == CROWD_BOTH ? draw(t) % 100000 * 2 + is_syn : draw(t) % 1000);

	if (is_syn) {
		p.seq = draw(t);
		add_options(&p, bits >> 8);
		return p;
	}
	if (crowd == CROWD_ACKS_IP6 || (crowd == CROWD_FAMILIES && bits & 2))
		p = packet_ip6("fd00::1", (uint16_t)(1024 + bits % 60000), "fd00::2", 80);
	p.options_length = 0;
	if (bits & 4) {
		packet_add_nop(&p);
		packet_add_nop(&p);
		packet_add_timestamp(&p, draw(t), draw(t));
	}
	if (crowd == CROWD_BACKENDS && bits & 8)
		p.destination_port = 443;
	p.flags = bits & 48 ? PACKET_ACK : PACKET_ACK | PACKET_FIN;
	p.seq = draw(t);
	p.ack = draw(t);
	return p;
}

static struct packet
data(const struct flow_script *f, unsigned offset)
{
	struct packet p = flow_client(
			f, PACKET_ACK | PACKET_PSH, f->client_isn + 1 + offset, f->iss + 1);

	p.payload = (const uint8_t *)"x";
	p.payload_length = 1;
	return p;
}

/* The first half for one backend, the other for another. */
static void
part(struct packet *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		packets[i].destination_port = i < BURST_MAX / 2 ? 80 : 443;
}

/* The client's SYN goes ahead, to both. */
static struct flow_script
client_new(struct twins *t)
{
	struct flow_script f = flow_script_default(4, (uint16_t)(20000 + t->port++ % 40000));
	struct flow_script g = f, h = f;

	flow_send_syn(t->bursts, &f);
	flow_send_syn(t->pairs, &g);
	flow_send_syn(t->alone, &h);
	assert_int_equal(f.iss, g.iss);
	assert_int_equal(f.iss, h.iss);
	return f;
}

/* Puts a guest in the place of up to three of the packets, in order. */
static void
invite(struct twins *t, enum guest guest, struct packet *packets, unsigned count)
{
	const unsigned first = draw(t) % (count - 2);
	const unsigned second = first + 1 + draw(t) % (count - 2 - first);
	struct flow_script f;

	switch (guest) {
	case GUEST_CLIENT:
		f = client_new(t);
		packets[first] = flow_ack(&f);
		packets[second] = data(&f, 0);
		packets[second + 1] = data(&f, 1);
		break;
	case GUEST_CONNECTED:
		packets[first] = data(&t->connected, draw(t) % 4);
		break;
	case GUEST_RESET:
		packets[first].flags = PACKET_RST;
		break;
	case GUEST_STRAY_SYN_ACK:
		packets[first].flags = PACKET_SYN | PACKET_ACK;
		break;
	case GUEST_FOREIGN:
		packets[first].destination_port = 22;
		break;
	default:
		break;
	}
}

static void
ends_are_equal(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->verdict, b->verdict);
	if (a->verdict != VERDICT_REPLY && a->verdict != VERDICT_FORWARD)
		return;
	assert_int_equal(a->length, b->length);
	assert_memory_equal(a->frame, b->frame, a->length);
}

static void
send(struct twins *t, const struct packet *packets, unsigned count)
{
	static struct outcome together[BURST_MAX], pairs[BURST_MAX];

	world_send_burst(t->bursts, SIDE_CLIENT, count, packets, together);
	for (unsigned i = 0; i < count; i += 2)
		world_send_burst(t->pairs, SIDE_CLIENT, i + 1 < count ? 2 : 1, &packets[i],
				&pairs[i]);
	for (unsigned i = 0; i < count; i++) {
		const struct outcome alone = world_send(t->alone, SIDE_CLIENT, &packets[i]);

		ends_are_equal(&alone, &together[i]);
		ends_are_equal(&alone, &pairs[i]);
	}
	assert_int_equal(t->bursts->emitted_count, t->alone->emitted_count);
	assert_int_equal(t->pairs->emitted_count, t->alone->emitted_count);
	t->bursts->emitted_count = t->pairs->emitted_count = t->alone->emitted_count = 0;
}

static void
counters_are_equal(const struct world *a, const struct world *b)
{
	for (enum reason reason = 0; reason < REASON_COUNT; reason++)
		assert_int_equal(world_reason(a, reason), world_reason(b, reason));
	for (uint16_t slot = 0; slot < WORLD_BACKENDS; slot++)
		for (enum backend_counter c = 0; c < BACKEND_COUNTER_COUNT; c++)
			assert_int_equal(world_counter(a, slot, c), world_counter(b, slot, c));
}

static void
twins_init(struct twins *t, enum world_mode mode, uint8_t stray, uint32_t backlog)
{
	const struct world_options options = {
			.connections = 4096,
			.mode = mode,
			.backend = {.backlog = backlog, .stray = stray},
			.syn_entries = 4096,
	};
	struct flow_script again, third;

	*t = (struct twins){world_new(&options), world_new(&options), world_new(&options), 7, 0,
			flow_script_default(4, 19999)};
	again = third = t->connected;
	flow_establish(t->bursts, &t->connected);
	flow_establish(t->pairs, &again);
	flow_establish(t->alone, &third);
}

static void
run(enum world_mode mode, uint8_t stray, uint32_t backlog)
{
	struct packet packets[BURST_MAX];
	struct twins t;

	twins_init(&t, mode, stray, backlog);
	for (unsigned n = 0; n < ROUNDS; n++) {
		const enum crowd crowd = n % CROWD_COUNT;
		const enum guest guest = n / CROWD_COUNT % GUEST_COUNT;
		const unsigned count = draw(&t) & 1 ? BURST_MAX : 3 + draw(&t) % (BURST_MAX - 2);

		/* So that the next burst is read together. */
		world_flood(t.bursts, 200000 + 32 * n, 32);
		world_flood(t.pairs, 200000 + 32 * n, 32);
		world_flood(t.alone, 200000 + 32 * n, 32);
		for (unsigned i = 0; i < count; i++)
			packets[i] = one_of(&t, crowd);
		if (crowd == CROWD_BACKENDS && draw(&t) & 1)
			part(packets, count);
		invite(&t, guest, packets, count);
		/* With several workers a burst is read for steering, which may take some out. */
		t.bursts->reads_first = draw(&t) & 1;
		t.bursts->takes_out = t.bursts->reads_first && draw(&t) & 1;
		send(&t, packets, count);
	}
	counters_are_equal(t.bursts, t.alone);
	counters_are_equal(t.pairs, t.alone);
	assert_in_range(world_connections(t.bursts), 50, 4096);
	assert_in_range(world_reason(t.bursts, REASON_syn_cookie_sent), ROUNDS, ROUNDS * 64);
	if (stray == STRAY_DROP)
		assert_in_range(world_reason(t.bursts, REASON_ack_cookie_invalid), 2 * ROUNDS,
				ROUNDS * 32);
	world_free(t.bursts);
	world_free(t.pairs);
	world_free(t.alone);
}

/* 1. Cookies alone. */
static void
test_mode_2(void **state)
{
	(void)state;
	run(WORLD_MODE_2, STRAY_DROP, 100);
}

/* 2. A full queue, whose clients' tuples the flood names too. */
static void
test_mode_1(void **state)
{
	(void)state;
	run(WORLD_MODE_1, STRAY_DROP, 100);
}

/* 3. Forged ACKs are answered by resets. */
static void
test_strays_reset(void **state)
{
	(void)state;
	run(WORLD_MODE_2, STRAY_RESET, 100);
}

/* 4. A queued client's zero-window probe, which its entry proves and no cookie without timestamps
 * does (RFC 9293 3.8.6.1), among forged ACKs. */
static void
test_probe_of_queued(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_1, .backend = {.backlog = 40}});
	struct flow_script f = flow_script_default(4, 40000);
	struct twins t = {.random = 3};
	struct packet packets[BURST_MAX];
	struct outcome out[BURST_MAX];

	(void)state;
	f.client_timestamp = false;
	flow_send_syn(w, &f);
	world_flood(w, 0, 64);
	assert_in_range(world_reason(w, REASON_syn_cookie_sent), 1, 64);
	for (unsigned i = 0; i < BURST_MAX; i++)
		packets[i] = one_of(&t, CROWD_ACKS);
	packets[17] = flow_ack(&f);
	packets[17].seq--;
	world_send_burst(w, SIDE_CLIENT, BURST_MAX, packets, out);
	for (unsigned i = 0; i < BURST_MAX; i++)
		assert_int_equal(out[i].reason,
				i == 17 ? REASON_ack_connecting : REASON_ack_cookie_invalid);
	world_free(w);
}

/* 5. A queue that has room for a while. */
static void
test_room(void **state)
{
	(void)state;
	run(WORLD_MODE_1, STRAY_DROP, 4000);
}

/* 6. Where no cookie is out there, forged ACKs are strays, and no cookie of theirs has failed; a
 * queued client among them comes in all the same. */
static void
test_no_cookies(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.mode = WORLD_MODE_1, .backend = {.backlog = 4000}, .syn_entries = 4096});
	struct flow_script f = flow_script_default(4, 40000);
	struct twins t = {.random = 5};
	struct packet packets[BURST_MAX];
	struct outcome out[BURST_MAX];

	(void)state;
	flow_send_syn(w, &f);
	world_flood(w, 0, 64);
	for (unsigned n = 0; n < 2; n++) {
		for (unsigned i = 0; i < BURST_MAX; i++)
			packets[i] = one_of(&t, CROWD_ACKS);
		if (n == 1)
			packets[9] = flow_ack(&f);
		world_send_burst(w, SIDE_CLIENT, BURST_MAX, packets, out);
		for (unsigned i = 0; i < BURST_MAX; i++)
			assert_int_equal(out[i].reason, n == 1 && i == 9 ? REASON_ack_connecting
									 : REASON_stray_client);
	}
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesFailed), 0);
	assert_int_equal(world_reason(w, REASON_stray_client), 2 * BURST_MAX - 1);
	world_free(w);
}

/* 7. What a backend sends without connection is no client's forged ACK, also where its segments
 * were read beforehand, among many backends. */
static void
test_backend_strays(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_2, .more_backends = 40});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packets[BURST_MAX];
	struct outcome out[BURST_MAX];

	(void)state;
	flow_establish(w, &f);
	w->reads_first = true;
	for (unsigned i = 0; i < BURST_MAX; i++)
		packets[i] = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	world_send_burst(w, SIDE_BACKEND, BURST_MAX, packets, out);
	assert_int_equal(world_reason(w, REASON_spliced), BURST_MAX);
	for (unsigned i = 0; i < BURST_MAX; i++)
		packets[i].destination_port = (uint16_t)(50000 + i);
	world_send_burst(w, SIDE_BACKEND, BURST_MAX, packets, out);
	assert_int_equal(world_reason(w, REASON_stray_backend), BURST_MAX);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesFailed), 0);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_mode_2),
			cmocka_unit_test(test_mode_1),
			cmocka_unit_test(test_strays_reset),
			cmocka_unit_test(test_probe_of_queued),
			cmocka_unit_test(test_room),
			cmocka_unit_test(test_no_cookies),
			cmocka_unit_test(test_backend_strays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
