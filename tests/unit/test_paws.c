/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments that are old by their timestamps: what they may not move, and who is right in the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/close.h"
#include "world.h"

#define SPAN_S 5 /* more than a note's */
#define MS_PER_S 1000

/* A connection, and how many bytes each end has sent. Both clocks count milliseconds. */
struct talk {
	struct world *w;
	struct flow_script f;
	uint32_t sent[SIDE_COUNT];
};

static struct talk
talk_with(struct flow_script f)
{
	struct talk talk = {.w = world_new(&(struct world_options){0}), .f = f};

	flow_establish(talk.w, &talk.f);
	return talk;
}

static struct talk
talk_new(unsigned ip_version)
{
	return talk_with(flow_script_default(ip_version, 40000));
}

/* An end's segment, ahead of what it sent, with all it got acknowledged. */
static struct packet
segment(const struct talk *talk, enum side from, uint8_t flags, uint32_t ahead)
{
	const struct flow_script *f = &talk->f;
	uint32_t seq = 1 + talk->sent[from] + ahead, ack = 1 + talk->sent[side_other(from)];

	return from == SIDE_CLIENT
			       ? flow_client(f, flags, f->client_isn + seq, f->iss + ack)
			       : flow_backend(f, flags, f->backend_isn + seq, f->client_isn + ack);
}

static enum reason
says(struct talk *talk, enum side from, uint8_t flags, uint32_t ahead)
{
	struct packet p = segment(talk, from, flags, ahead);

	return world_send(talk->w, from, &p).reason;
}

/* Ten bytes in sequence, or ahead of it. */
static enum reason
sends(struct talk *talk, enum side from, uint32_t ahead)
{
	struct packet p = segment(talk, from, PACKET_ACK, ahead);
	enum reason reason;

	p.payload = (const uint8_t *)"ten bytes.";
	p.payload_length = 10;
	reason = world_send(talk->w, from, &p).reason;
	if (ahead == 0)
		talk->sent[from] += 10;
	return reason;
}

/* Lets time pass at both ends. */
static void
pass(struct talk *talk, unsigned seconds)
{
	talk->f.client_tsval += seconds * MS_PER_S;
	talk->f.backend_tsval += seconds * MS_PER_S;
	talk->f.synack_tsval += seconds * MS_PER_S;
	world_pass(talk->w, seconds * TICKS_PER_S);
}

/* Turns the clock of one end's next segments back or forth. */
static void
turn(struct talk *talk, enum side side, int seconds)
{
	uint32_t *clock = side == SIDE_CLIENT ? &talk->f.client_tsval : &talk->f.backend_tsval;

	*clock += (uint32_t)seconds * MS_PER_S;
}

static const char *
state_of(struct talk *talk)
{
	struct inspect *letter = calloc(1, sizeof(*letter));
	const char *state;

	assert_non_null(letter);
	letter->kind = INSPECT_CONNECTIONS;
	letter->slot = INSPECT_SLOT_ANY;
	letter->limit = 1;
	talk->w->box = letter;
	sluice_tick(talk->w->worker, talk->w->now, 16);
	assert_int_equal(letter->done, 1);
	assert_int_equal(letter->count, 1);
	state = letter->rows[0].state;
	free(letter);
	return state;
}

static void
expect_state(struct talk *talk, enum conn_state state)
{
	assert_string_equal(state_of(talk), close_state_name(state));
}

static enum conn_state
fin_state(enum side side)
{
	return side == SIDE_CLIENT ? CONN_CLIENT_FIN : CONN_BACKEND_FIN;
}

/* A talk of several spans in which the client always speaks first. */
static void
converse(struct talk *talk)
{
	for (unsigned i = 0; i < 4; i++) {
		pass(talk, 3 * SPAN_S);
		assert_int_equal(sends(talk, SIDE_CLIENT, 0), REASON_spliced);
		assert_int_equal(sends(talk, SIDE_BACKEND, 0), REASON_spliced);
		assert_int_equal(says(talk, SIDE_CLIENT, PACKET_ACK, 0), REASON_spliced);
	}
}

/* One that has gone on for a while. */
static struct talk
talk_going(unsigned ip_version)
{
	struct talk talk = talk_new(ip_version);

	converse(&talk);
	return talk;
}

/* A FIN in sequence. */
static enum reason
ends(struct talk *talk, enum side from)
{
	return says(talk, from, PACKET_FIN | PACKET_ACK, 0);
}

/* 1. PITFALLS 15: a lone FIN with the right numbers but a timestamp of some seconds ago moves
 * nothing, nor does one without a timestamp; it is forwarded, for its receiver to drop. A real one
 * does. */
static void
test_pitfall_15_old_fin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum side from = i & 1;
		struct talk talk = talk_going(i & 2 ? 6 : 4);
		struct packet bare;

		turn(&talk, from, -SPAN_S);
		assert_int_equal(ends(&talk, from), REASON_spliced_old);
		turn(&talk, from, SPAN_S);
		bare = segment(&talk, from, PACKET_FIN | PACKET_ACK, 0);
		bare.options_length = 0;
		assert_int_equal(world_send(talk.w, from, &bare).reason, REASON_spliced_old);
		expect_state(&talk, CONN_ESTABLISHED);
		assert_int_equal(sends(&talk, from, 0), REASON_spliced);
		assert_int_equal(ends(&talk, from), REASON_spliced);
		expect_state(&talk, fin_state(from));
		world_free(talk.w);
	}
}

/* 2. Where the receiver takes such a FIN it was real after all, and its acknowledgement says so. */
static void
test_receiver_decides(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct talk talk = talk_going(4);

		turn(&talk, from, -SPAN_S);
		/* With ten bytes in it that were never seen else. */
		assert_int_equal(sends(&talk, from, 0), REASON_spliced);
		talk.sent[from] += 10;
		assert_int_equal(ends(&talk, from), REASON_spliced_old);
		expect_state(&talk, CONN_ESTABLISHED);
		talk.sent[from] += 1;
		assert_int_equal(says(&talk, side_other(from), PACKET_ACK, 0), REASON_spliced);
		expect_state(&talk, from == SIDE_CLIENT ? CONN_CLIENT_DONE : CONN_BACKEND_DONE);
		/* Nobody can acknowledge more than that. */
		talk.sent[from] += 1;
		assert_int_equal(says(&talk, side_other(from), PACKET_ACK, 0),
				REASON_spliced_outside);
		world_free(talk.w);
	}
}

/* 3. Old bytes ahead of their turn don't count as sent: the real FIN before them does. */
static void
test_old_data_ahead(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct talk talk = talk_going(4);

		turn(&talk, from, -SPAN_S);
		assert_int_equal(sends(&talk, from, 500), REASON_spliced_old);
		assert_int_equal(says(&talk, from, PACKET_FIN | PACKET_ACK, 300),
				REASON_spliced_old);
		turn(&talk, from, SPAN_S);
		assert_int_equal(sends(&talk, from, 0), REASON_spliced);
		/* The bytes before it are not acknowledged yet. */
		assert_int_equal(ends(&talk, from), REASON_spliced);
		expect_state(&talk, fin_state(from));
		world_free(talk.w);
	}
}

/* 4. Nor do old bytes behind a FIN take that back. */
static void
test_old_data_behind_fin(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct talk talk = talk_going(4);

		assert_int_equal(ends(&talk, from), REASON_spliced);
		turn(&talk, from, -1); /* a closing connection notes every segment */
		assert_int_equal(sends(&talk, from, 1), REASON_spliced_old);
		expect_state(&talk, fin_state(from));
		turn(&talk, from, 1);
		assert_int_equal(sends(&talk, from, 1), REASON_spliced);
		expect_state(&talk, CONN_ESTABLISHED);
		world_free(talk.w);
	}
}

/* 5. Old segments in sequence or repeated are common: a path that reorders. They count. */
static void
test_reordered(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct talk talk = talk_going(4);

		turn(&talk, from, -SPAN_S);
		assert_int_equal(sends(&talk, from, 0), REASON_spliced);
		assert_int_equal(says(&talk, from, PACKET_ACK, 0), REASON_spliced);
		world_free(talk.w);
	}
}

/* 6. Found by simulation: a retransmission overtook what was sent before it, its span's first, and
 * was lost behind us. What it overtook is old, arrived all the same, and is acknowledged. */
static void
test_overtaken(void **state)
{
	struct talk talk = talk_new(4);
	const enum side from = SIDE_BACKEND;

	(void)state;
	converse(&talk);
	assert_int_equal(sends(&talk, from, 0), REASON_spliced);
	pass(&talk, SPAN_S);
	talk.sent[from] -= 10;
	assert_int_equal(sends(&talk, from, 0), REASON_spliced);
	turn(&talk, from, -1);
	assert_int_equal(sends(&talk, from, 30), REASON_spliced_old);
	assert_int_equal(sends(&talk, from, 20), REASON_spliced_old);
	assert_int_equal(sends(&talk, from, 10), REASON_spliced_old);
	assert_int_equal(sends(&talk, from, 0), REASON_spliced);
	talk.sent[from] += 10;
	assert_int_equal(says(&talk, SIDE_CLIENT, PACKET_ACK, 0), REASON_spliced);
	talk.sent[from] += 20;
	assert_int_equal(says(&talk, SIDE_CLIENT, PACKET_ACK, 0), REASON_spliced);
	assert_int_equal(sends(&talk, from, 0), REASON_spliced);
	world_free(talk.w);
}

/* 7. After a long silence a fast clock may be anywhere: the next segment tells the time anew. */
static void
test_long_silence(void **state)
{
	static const struct {
		unsigned silence_s;
		enum reason reason;
	} cases[] = {{2140, REASON_spliced_old}, {2150, REASON_spliced}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct talk talk = talk_going(4);

		pass(&talk, cases[i].silence_s);
		turn(&talk, SIDE_CLIENT, -3000);
		assert_int_equal(says(&talk, SIDE_CLIENT, PACKET_FIN | PACKET_ACK, 0),
				cases[i].reason);
		world_free(talk.w);
	}
}

/* 8. Where an end has no timestamps none of its segments is old. */
static void
test_without_timestamps(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum side from = i & 1;
		struct flow_script f = flow_script_default(4, 40000);
		struct talk talk;

		f.client_timestamp = i & 2;
		f.backend_timestamp = false;
		talk = talk_with(f);
		converse(&talk);
		turn(&talk, from, -SPAN_S);
		assert_int_equal(ends(&talk, from), from == SIDE_CLIENT && f.client_timestamp
								    ? REASON_spliced_old
								    : REASON_spliced);
		world_free(talk.w);
	}
}

/* 9. A reset needs no timestamp, and an old one ends the connection all the same (RFC 7323 5.2). */
static void
test_reset(void **state)
{
	struct talk talk = talk_new(4);
	struct packet reset;

	(void)state;
	converse(&talk);
	reset = segment(&talk, SIDE_CLIENT, PACKET_RST, 0);
	packet_add_timestamp(&reset, talk.f.client_tsval - 100 * MS_PER_S, 0);
	assert_int_equal(world_send(talk.w, SIDE_CLIENT, &reset).reason, REASON_spliced_reset);
	world_free(talk.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_15_old_fin),
			cmocka_unit_test(test_receiver_decides),
			cmocka_unit_test(test_old_data_ahead),
			cmocka_unit_test(test_old_data_behind_fin),
			cmocka_unit_test(test_reordered),
			cmocka_unit_test(test_overtaken),
			cmocka_unit_test(test_long_silence),
			cmocka_unit_test(test_without_timestamps),
			cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
