/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's first data, before its backend has answered (PITFALLS 5). The client is a script that
 * repeats what was not acknowledged; the backend puts together what reaches it. In every case the
 * stream it reads is the client's: no byte lost, none doubled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/seq.h"
#include "proxy/early.h"
#include "table/inspect.h"
#include "world.h"

#define STREAM_BYTES 6000
#define SEGMENT 1000

static uint8_t stream[STREAM_BYTES];

/* What the backend has read, by its place in the stream, and how much of it is without a gap. */
struct reader {
	const struct flow_script *f;
	uint8_t bytes[STREAM_BYTES];
	bool has[STREAM_BYTES];
	bool has_fin;
};

static int
stream_setup(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (unsigned i = 0; i < STREAM_BYTES; i++)
		stream[i] = (uint8_t)packet_random(&random);
	return 0;
}

/* The client's bytes from..to. */
static struct packet
data(const struct flow_script *f, unsigned from, unsigned to)
{
	struct packet packet = flow_client(
			f, PACKET_ACK | PACKET_PSH, f->client_isn + 1 + from, f->iss + 1);

	packet.payload = stream + from;
	packet.payload_length = to - from;
	return packet;
}

static void
reader_take(struct reader *reader, const struct packet *packet)
{
	const struct flow_script *f = reader->f;
	uint32_t at = packet->seq - f->client_isn - 1, tsval, tsecr;
	bool has_timestamp = packet_timestamp(packet, &tsval, &tsecr);

	assert_int_equal(packet->ack, f->backend_isn + 1);
	assert_int_equal(packet->destination_port, f->backend_port);
	assert_int_equal(has_timestamp, f->client_timestamp && f->backend_timestamp);
	if (has_timestamp)
		assert_int_equal(tsecr, f->backend_tsval);
	for (size_t i = 0; i < packet->payload_length; i++) {
		assert_in_range(at + i, 0, STREAM_BYTES - 1);
		reader->bytes[at + i] = packet->payload[i];
		reader->has[at + i] = true;
	}
	reader->has_fin |= packet->flags & PACKET_FIN;
}

static unsigned
reader_end(const struct reader *reader)
{
	unsigned end = 0;

	while (end < STREAM_BYTES && reader->has[end])
		end++;
	assert_memory_equal(reader->bytes, stream, end);
	return end;
}

/* The backend answers: its ACK, then held packets in order, and the client's window update. Returns
 * how many packets were held. */
static unsigned
answer(struct world *w, const struct flow_script *f, struct reader *reader)
{
	struct packet synack = flow_synack(f), *ack = &w->emitted[0].packet;
	struct outcome out = world_send(w, SIDE_BACKEND, &synack);
	unsigned held = w->emitted_count - 1;
	uint32_t seq = f->client_isn + 1;

	assert_int_equal(out.reason, REASON_backend_connected_early);
	assert_int_equal(out.to, SIDE_CLIENT);
	assert_int_equal(out.packet.flags, PACKET_ACK);
	assert_int_equal(out.packet.seq, f->iss + 1);
	assert_int_equal(out.packet.ack, f->client_isn + 1);
	assert_int_equal(out.packet.window,
			f->client_wscale < 0 ? f->backend_window : f->backend_window >> 7);
	assert_memory_equal(out.packet.ether_source, synack.ether_source, 6);

	assert_int_equal(w->emitted[0].to, SIDE_BACKEND);
	assert_int_equal(ack->flags, PACKET_ACK);
	assert_int_equal(ack->seq, f->client_isn + 1);
	assert_int_equal(ack->payload_length, 0);
	for (unsigned i = 0; i <= held; i++) {
		struct packet *packet = &w->emitted[i].packet;

		assert_int_equal(w->emitted[i].to, SIDE_BACKEND);
		assert_memory_equal(packet->ether_destination, synack.ether_source, 6);
		assert_memory_equal(packet->ether_source, synack.ether_destination, 6);
		assert_false(seq_before(packet->seq, seq));
		seq = packet->seq;
		reader_take(reader, packet);
	}
	assert_int_equal(worker_counters(w->worker)->emitted[EMITTED_EARLY_DATA], held);
	assert_int_equal(worker_counters(w->worker)->early_held, 0);
	w->emitted_count = 0;
	return held;
}

/* The client repeats from the first byte that was not acknowledged, to the end, and says FIN. */
static void
finish(struct world *w, struct reader *reader, unsigned total)
{
	const struct flow_script *f = reader->f;

	for (unsigned from = reader_end(reader); from < total; from += SEGMENT) {
		unsigned to = from + SEGMENT < total ? from + SEGMENT : total;
		struct packet packet = data(f, from, to);
		struct outcome out;

		world_send_burst(w, SIDE_CLIENT, 1, &packet, &out);
		assert_int_equal(out.reason, REASON_spliced);
		assert_true(packet_read(&out.packet, out.frame, out.length));
		reader_take(reader, &out.packet);
	}
	assert_int_equal(reader_end(reader), total);
}

static struct flow_script
flow_of(unsigned bits)
{
	struct flow_script f = flow_script_default(bits & 1 ? 6 : 4, 40000);

	f.client_timestamp = bits & 2;
	f.client_wscale = bits & 4 ? -1 : 7;
	f.vlan_count = bits & 8 ? 2 : 0;
	return f;
}

static void
expect_sent(struct world *w, const struct packet *packet, enum reason reason)
{
	assert_int_equal(world_send(w, SIDE_CLIENT, packet).reason, reason);
}

/* Proves the client by an ACK without data. */
static void
prove(struct world *w, struct flow_script *f)
{
	struct packet ack;

	flow_send_syn(w, f);
	ack = flow_ack(f);
	expect_sent(w, &ack, REASON_ack_connecting);
}

static struct packet
fin(const struct flow_script *f, unsigned at)
{
	return flow_client(f, PACKET_ACK | PACKET_FIN, f->client_isn + 1 + at, f->iss + 1);
}

/* 1. Data with the ACK that proves: the SYN is made from nothing, the data follows the ACK. */
static void
test_pitfall_5_data_with_ack(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		struct flow_script f = flow_of(bits);
		struct world *w = world_new(&(struct world_options){.mode = bits % 3});
		struct reader reader = {.f = &f};
		struct packet packet;

		assert_int_equal(flow_send_syn(w, &f).window, bits & 1 ? 2880 : 2920);
		packet = data(&f, 0, 500);
		expect_sent(w, &packet, REASON_ack_connecting_held);
		packet = world_emitted(w, SIDE_BACKEND);
		assert_int_equal(packet.flags, PACKET_SYN);
		assert_int_equal(packet.seq, f.client_isn);
		assert_int_equal(packet.payload_length, 0);
		assert_int_equal(packet.vlan_count, f.vlan_count);
		assert_int_equal(answer(w, &f, &reader), 1);
		assert_int_equal(reader_end(&reader), 500);
		finish(w, &reader, 3000);
		world_free(w);
	}
}

/* How segments behind the proof arrive: which of the stream's, in thousands, in which order. */
struct arrival {
	const char *order; /**< "a" is the first thousand; "F" a FIN behind the last of all */
	unsigned held;	   /**< of them */
	unsigned end;	   /**< what the backend has without a gap, in thousands */
	unsigned total;	   /**< of the stream, in thousands */
};

static const struct arrival arrivals[] = {
		/* 0 */ {"a", 1, 1, 1},
		/* 1 */ {"ab", 2, 2, 2},
		/* 2: reordered */ {"ba", 2, 2, 2},
		/* 3: the first lost */ {"b", 1, 0, 2},
		/* 4: repeated */ {"aaba", 2, 2, 2},
		/* 5: as many as are held */ {"abcd", 4, 4, 4},
		/* 6: one more, which is sent again */ {"abcde", 4, 4, 5},
		/* 7: reordered, and one more */ {"dcbae", 4, 4, 5},
		/* 8: two more */ {"fedcba", 4, 0, 6},
		/* 9: FIN behind data */ {"aF", 2, 1, 1},
		/* 10: FIN first */ {"Fba", 3, 2, 2},
		/* 11: FIN alone */ {"F", 1, 0, 0},
		/* 12: FIN without room */ {"abcdF", 4, 4, 4},
};

static void
send_arrival(struct world *w, const struct flow_script *f, const struct arrival *arrival)
{
	unsigned count = (unsigned)strlen(arrival->order), held = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (unsigned)(arrival->order[i] - 'a') * SEGMENT;
		struct packet packet = arrival->order[i] == 'F' ? fin(f, arrival->total * SEGMENT)
								: data(f, at, at + SEGMENT);
		enum reason reason = world_send(w, SIDE_CLIENT, &packet).reason;

		assert_true(reason == REASON_client_early_held || reason == REASON_client_early);
		held += reason == REASON_client_early_held;
	}
	assert_int_equal(held, arrival->held);
	assert_int_equal(worker_counters(w->worker)->early_held, held);
}

/* 2. Segments behind the ACK in any order, repeated, too many: none is lost or doubled. */
static void
test_pitfall_5_arrivals(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(arrivals); i++)
		for (unsigned bits = 0; bits < 4; bits++) {
			const struct arrival *arrival = &arrivals[i];
			struct flow_script f = flow_of(bits);
			struct world *w = world_new(&(struct world_options){0});
			struct reader reader = {.f = &f};

			prove(w, &f);
			send_arrival(w, &f, arrival);
			world_nothing_emitted(w);
			assert_int_equal(answer(w, &f, &reader), arrival->held);
			assert_int_equal(reader_end(&reader), arrival->end * SEGMENT);
			assert_int_equal(reader.has_fin,
					strchr(arrival->order, 'F') && arrival->held < 4);
			if (!reader.has_fin)
				finish(w, &reader, arrival->total * SEGMENT);
			world_free(w);
		}
}

/* 3. Proof and data in one burst, and a client that waits in the accept ring: held all the same. */
static void
test_pitfall_5_burst_and_queue(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.backend = {.connect_window = 1, .early_data = EARLY_DATA_HOLD}});
	struct flow_script a = flow_script_default(4, 40000), b = flow_script_default(4, 40001);
	struct reader readers[2] = {{.f = &a}, {.f = &b}};
	struct packet packets[4];
	struct outcome out[4];

	(void)state;
	flow_send_syn(w, &a);
	flow_send_syn(w, &b);
	packets[0] = flow_ack(&a);
	packets[1] = data(&a, 0, SEGMENT);
	packets[2] = data(&b, 0, SEGMENT);
	packets[3] = data(&b, SEGMENT, 2 * SEGMENT);
	world_send_burst(w, SIDE_CLIENT, 4, packets, out);
	assert_int_equal(out[0].reason, REASON_ack_connecting);
	assert_int_equal(out[1].reason, REASON_client_early_held);
	assert_int_equal(out[2].reason, REASON_ack_queued_held);
	assert_int_equal(out[3].reason, REASON_client_early_held);

	/* The second one's SYN goes out first of all. */
	packets[0] = flow_synack(&a);
	assert_int_equal(world_send(w, SIDE_BACKEND, packets).reason,
			REASON_backend_connected_early);
	assert_int_equal(w->emitted_count, 3);
	assert_int_equal(w->emitted[0].packet.flags, PACKET_SYN);
	assert_int_equal(w->emitted[0].packet.source_port, 40001);
	reader_take(&readers[0], &w->emitted[2].packet);
	assert_int_equal(reader_end(&readers[0]), SEGMENT);
	w->emitted_count = 0;

	packets[0] = flow_synack(&b);
	assert_int_equal(world_send(w, SIDE_BACKEND, packets).reason,
			REASON_backend_connected_early);
	assert_int_equal(w->emitted_count, 3);
	reader_take(&readers[1], &w->emitted[1].packet);
	reader_take(&readers[1], &w->emitted[2].packet);
	assert_int_equal(reader_end(&readers[1]), 2 * SEGMENT);
	w->emitted_count = 0;
	world_free(w);
}

/* What ends a connection while its data is held. */
enum ending { REFUSED, SILENT, CLIENT_RESET, FLUSHED, REPLACED, LEFT_BEHIND, ENDINGS };

static void
end(struct world *w, const struct flow_script *f, enum ending ending)
{
	struct inspect letter = {.kind = INSPECT_FLUSH, .slot = 0};
	struct flow_script next = *f;
	struct packet packet;
	struct outcome out;

	switch (ending) {
	case REFUSED:
		packet = flow_backend(f, PACKET_RST | PACKET_ACK, 0, f->client_isn + 1);
		out = world_send(w, SIDE_BACKEND, &packet);
		assert_int_equal(out.reason, REASON_backend_refused);
		assert_int_equal(out.packet.ack, f->client_isn + 1);
		break;
	case SILENT:
		world_pass(w, 8 * TICKS_PER_S);
		packet = w->emitted[w->emitted_count - 1].packet;
		assert_int_equal(packet.flags, PACKET_RST | PACKET_ACK);
		break;
	case CLIENT_RESET:
		/* From behind what it has sent, and to the backend from where that is. */
		packet = flow_client(f, PACKET_RST, f->client_isn + 1 + 2 * SEGMENT, 0);
		out = world_send(w, SIDE_CLIENT, &packet);
		assert_int_equal(out.reason, REASON_client_early_reset);
		assert_int_equal(out.packet.seq, f->client_isn + 1);
		break;
	case FLUSHED:
		w->box = &letter;
		world_pass(w, 50 * TICKS_PER_MS);
		assert_null(w->box);
		break;
	case REPLACED:
		next.client_isn += 12345;
		flow_send_syn(w, &next);
		packet = flow_ack(&next);
		expect_sent(w, &packet, REASON_ack_connecting);
		break;
	default:
		break; /* world_free() gives back, as the appliance does when it stops */
	}
}

/* 4. However the connection ends, the buffers come back; world_free() counts them. */
static void
test_pitfall_5_ends(void **state)
{
	(void)state;
	for (enum ending ending = 0; ending < ENDINGS; ending++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet packet;

		prove(w, &f);
		for (unsigned at = 0; at < 2; at++) {
			packet = data(&f, at * SEGMENT, (at + 1) * SEGMENT);
			expect_sent(w, &packet, REASON_client_early_held);
		}
		assert_int_equal(w->lent, 2);
		end(w, &f, ending);
		assert_int_equal(w->lent, ending == LEFT_BEHIND ? 2 : 0);
		assert_int_equal(worker_counters(w->worker)->early_held, w->lent);
		assert_int_equal(world_connections(w), ending >= REPLACED);
		world_free(w);
	}
}

/* 5. A RST in the same burst as the data that it follows; one from nowhere changes nothing. */
static void
test_pitfall_5_reset(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packets[3];
	struct outcome out[3];

	(void)state;
	prove(w, &f);
	packets[0] = data(&f, 0, SEGMENT);
	packets[1] = flow_client(&f, PACKET_RST, f.client_isn + SEGMENT, 0);
	packets[2] = flow_client(&f, PACKET_RST, f.client_isn + 1 + SEGMENT, 0);
	world_send_burst(w, SIDE_CLIENT, 3, packets, out);
	assert_int_equal(out[0].reason, REASON_client_early_held);
	assert_int_equal(out[1].reason, REASON_stray_client);
	assert_int_equal(out[2].reason, REASON_client_early_reset);
	assert_int_equal(w->lent, 0);
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* 6. The worker's packets are used up: data is dropped and sent again; auto tells the next client
 * to wait, hold does not. */
static void
test_pitfall_5_pool_exhausted(void **state)
{
	static const uint8_t policies[] = {EARLY_DATA_AUTO, EARLY_DATA_HOLD};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(policies); i++) {
		struct world *w = world_new(&(struct world_options){
				.early_packets = 8, .backend = {.early_data = policies[i]}});
		struct flow_script f, last;
		struct reader reader = {.f = &last};
		struct packet packet;

		for (unsigned n = 0; n < 8; n++) {
			f = flow_script_default(4, (uint16_t)(40000 + n));
			/* A quarter left is enough: the last two free ones are it. */
			assert_int_equal(flow_send_syn(w, &f).window,
					n < 7 || policies[i] == EARLY_DATA_HOLD ? 2920 : 0);
			packet = data(&f, 0, SEGMENT);
			expect_sent(w, &packet, REASON_ack_connecting_held);
		}
		last = flow_script_default(4, 50000);
		assert_int_equal(flow_send_syn(w, &last).window,
				policies[i] == EARLY_DATA_HOLD ? 2920 : 0);
		packet = data(&last, 0, SEGMENT);
		expect_sent(w, &packet, REASON_ack_connecting);
		expect_sent(w, &packet, REASON_client_early);
		w->emitted_count = 0;
		packet = flow_synack(&last);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		finish(w, &reader, SEGMENT);
		world_free(w);
	}
}

/* 7. Without a buffer for the SYN the packet itself becomes it; without one for our ACK the data's
 * has to do. Nothing is lost. */
static void
test_pitfall_5_no_buffers(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct reader reader = {.f = &f};
	struct packet packet;
	struct outcome out;

	(void)state;
	flow_send_syn(w, &f);
	packet = data(&f, 0, SEGMENT);
	w->out_of_buffers = true;
	out = world_send(w, SIDE_CLIENT, &packet);
	assert_int_equal(out.reason, REASON_ack_connecting);
	assert_int_equal(out.packet.flags, PACKET_SYN);
	assert_int_equal(worker_counters(w->worker)->early_held, 0);

	expect_sent(w, &packet, REASON_client_early_held);
	packet = flow_synack(&f);
	out = world_send(w, SIDE_BACKEND, &packet);
	assert_int_equal(out.reason, REASON_backend_connected_early);
	assert_int_equal(w->emitted_count, 1);
	reader_take(&reader, &w->emitted[0].packet);
	w->emitted_count = 0;
	finish(w, &reader, 2 * SEGMENT);
	world_free(w);
}

/* 8. zero-window: no window, nothing held, in every mode of cookies and from the syn queue; so is
 * hold without any packets. */
static void
test_pitfall_5_zero_window(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct world *w = world_new(&(struct world_options){.mode = i / 2,
				.no_early_packets = i & 1,
				.backend = {.early_data = i & 1 ? EARLY_DATA_HOLD
								: EARLY_DATA_ZERO_WINDOW}});
		struct flow_script f = flow_script_default(4, 40000);
		struct reader reader = {.f = &f};
		struct packet packet;

		assert_int_equal(flow_send_syn(w, &f).window, 0);
		world_pass(w, 1100 * TICKS_PER_MS);
		for (unsigned n = 0; n < w->emitted_count; n++)
			assert_int_equal(w->emitted[n].packet.window, 0);
		w->emitted_count = 0;
		packet = data(&f, 0, SEGMENT);
		expect_sent(w, &packet, REASON_ack_connecting);
		expect_sent(w, &packet, REASON_client_early);
		packet = flow_synack(&f);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		finish(w, &reader, 2 * SEGMENT);
		world_free(w);
	}
}

/* 9. auto announces no window once half of the accept ring is taken or the connect window is full,
 * and one again when that is over. */
static void
test_pitfall_5_pressure(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world *w = world_new(&(struct world_options){
				.backend = {.backlog = i == 0 ? 4 : 100,
						.connect_window = i == 0 ? 100 : 3}});
		struct flow_script flows[3], f = flow_script_default(4, 50000);
		struct packet packet;

		for (unsigned n = 0; n < ARRAY_COUNT(flows); n++) {
			flows[n] = flow_script_default(4, (uint16_t)(40000 + n));
			assert_int_equal(flow_send_syn(w, &flows[n]).window, 2920);
			packet = flow_ack(&flows[n]);
			expect_sent(w, &packet, REASON_ack_connecting);
		}
		assert_int_equal(flow_send_syn(w, &f).window, 0);
		packet = flow_synack(&flows[0]);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		assert_int_equal(flow_send_syn(w, &f).window, 2920);
		world_free(w);
	}
}

/* 10. The window is two segments of the smaller MSS, so that no client makes its segments smaller;
 * a SYN-ACK repeated from the syn queue has it too. */
static void
test_pitfall_5_window(void **state)
{
	static const struct {
		uint16_t mss, announced;
		uint16_t window;
	} cases[] = {
			{1460, 1460, 2920},
			{1400, 1460, 2800},
			{8960, 1460, 2920},
			{8960, 8960, 17920},
			{536, 1460, 1072},
			{0, 1460, 1072}, /* no option: 536 */
			{88, 1460, 176},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		struct flow_script f = flow_script_default(4, 40000);

		w->configs[0].announced_mss = cases[i].announced;
		world_publish(w);
		f.client_mss = cases[i].mss;
		assert_int_equal(flow_send_syn(w, &f).window, cases[i].window);
		world_pass(w, 1100 * TICKS_PER_MS);
		assert_int_equal(world_emitted(w, SIDE_CLIENT).window, cases[i].window);
		world_free(w);
	}
}

/* 11. A backend with a window smaller than ours: what is under way is not taken for an intruder. */
static void
test_pitfall_5_small_backend_window(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct reader reader = {.f = &f};
	struct packet packet;

	(void)state;
	f.backend_window = 1300;
	prove(w, &f);
	packet = data(&f, 0, SEGMENT);
	expect_sent(w, &packet, REASON_client_early_held);
	assert_int_equal(answer(w, &f, &reader), 1);
	packet = data(&f, SEGMENT, 2 * SEGMENT);
	expect_sent(w, &packet, REASON_spliced);
	finish(w, &reader, 2 * SEGMENT);
	world_free(w);
}

static uint32_t
tsval_of(const struct packet *packet)
{
	uint32_t tsval = 0, tsecr;

	assert_true(packet_timestamp(packet, &tsval, &tsecr));
	return tsval;
}

/* 12. Data, or a FIN, that its client repeats while the backend is slow to answer: what was held is
 * sent behind an ACK with the client's latest timestamp, and must not look old beside it (RFC 7323
 * 5.3): a backend would drop it, and the client had to repeat it once more. */
static void
test_pitfall_5_repeated_later(void **state)
{
	(void)state;
	for (unsigned is_fin = 0; is_fin < 2; is_fin++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000), later = f;
		struct packet packet, synack;

		later.client_tsval += 1000;
		prove(w, &f);
		later.iss = f.iss;
		later.synack_tsval = f.synack_tsval;
		packet = is_fin ? fin(&f, 0) : data(&f, 0, SEGMENT);
		expect_sent(w, &packet, REASON_client_early_held);
		packet = is_fin ? fin(&later, 0) : data(&later, 0, SEGMENT);
		expect_sent(w, &packet, REASON_client_early);
		synack = flow_synack(&f);
		assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason,
				REASON_backend_connected_early);
		assert_int_equal(w->emitted_count, 2);
		assert_int_equal(tsval_of(&w->emitted[0].packet), later.client_tsval);
		assert_int_equal(tsval_of(&w->emitted[1].packet), later.client_tsval);
		w->emitted_count = 0;
		world_free(w);
	}
}

/* 13. What can't be the client's first data is not held: other numbers, and data of nobody. */
static void
test_pitfall_5_not_early(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet;

	(void)state;
	prove(w, &f);
	packet = data(&f, 0, SEGMENT);
	packet.ack++;
	expect_sent(w, &packet, REASON_client_early);
	packet = data(&f, 0, SEGMENT);
	packet.seq -= 2;
	expect_sent(w, &packet, REASON_client_early);
	packet.seq += 70000;
	expect_sent(w, &packet, REASON_client_early);
	packet = data(&f, 0, SEGMENT);
	packet.flags = PACKET_ACK | PACKET_SYN;
	expect_sent(w, &packet, REASON_client_early);
	assert_int_equal(w->lent, 0);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_5_data_with_ack),
			cmocka_unit_test(test_pitfall_5_arrivals),
			cmocka_unit_test(test_pitfall_5_burst_and_queue),
			cmocka_unit_test(test_pitfall_5_ends),
			cmocka_unit_test(test_pitfall_5_reset),
			cmocka_unit_test(test_pitfall_5_pool_exhausted),
			cmocka_unit_test(test_pitfall_5_no_buffers),
			cmocka_unit_test(test_pitfall_5_zero_window),
			cmocka_unit_test(test_pitfall_5_pressure),
			cmocka_unit_test(test_pitfall_5_window),
			cmocka_unit_test(test_pitfall_5_small_backend_window),
			cmocka_unit_test(test_pitfall_5_repeated_later),
			cmocka_unit_test(test_pitfall_5_not_early),
	};

	return cmocka_run_group_tests(tests, stream_setup, NULL);
}
