/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole pipeline under hostile sequences. The input is a script: bursts of raw bytes, of TCP
 * packets whose numbers lie near the living ones, and of packets that fit, so that handshakes
 * complete and end; between them time, floods, reloads, letters, shortages. What must hold after
 * each step stands in pipeline_world.h.
 *
 *	step = side:1 class:2 sub:2 flow:3 (bits, from the lowest), then what script_step() takes
 */
#include <string.h>

#include "pipeline_probe.h"
#include "pipeline_script.h"

enum step_class { CLASS_OTHER, CLASS_TIME, CLASS_NEAR, CLASS_FIT };
enum step_other { OTHER_RAW, OTHER_FLOOD, OTHER_LETTER, OTHER_RELOAD };

enum fit {
	FIT_SYN,
	FIT_SYN_ACK,
	FIT_ACK,
	FIT_SACK,
	FIT_PROBE, /* of a window that is zero: one number below */
	FIT_FIN,
	FIT_RST,
	FIT_AGAIN,	/* the end's last frame, byte for byte */
	FIT_ICMP_ERROR, /* about the last frame that reached the end */
	FIT_FRAGMENT,
	FIT_MOVE,    /* the flow comes to the other worker from now on */
	FIT_BUFFERS, /* run out, or are there again */
	FIT_SETTLE,
	FIT_COUNT,
	/* From a step's number FIT_RARE up. */
	FIT_RESTART = FIT_COUNT,
	FIT_PROBE_ANSWER, /* of a backend, or an ICMP error */
	FIT_NEIGHBOUR,
	FIT_END
};
#define FIT_RARE 0xe0

/* How a packet that fits travels; the two highest bits choose its payload. */
#define HOW_GATHERED 0x01
#define HOW_LOST 0x02
#define HOW_OTHER_WORKER 0x04
#define HOW_CSUM_SHIFT 3
#define HOW_HEAD_ONLY 0x20 /* then the next byte of the script says how much */
#define HOW_LENGTH_SHIFT 6

/* What a SYN or SYN-ACK offers. */
#define OFFER_MSS 0x01
#define OFFER_WSCALE 0x02
#define OFFER_SACK 0x04
#define OFFER_TIMESTAMP 0x08
#define OFFER_ECN 0x10
#define OFFER_SMALL_MSS 0x20
#define OFFER_OTHER_WSCALE 0x40
#define OFFER_DATA 0x80

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t payload_bytes[1400] = "what is said";

static void
send_packet(struct fuzz_world *w, struct passage *passage, const struct packet *packet)
{
	uint8_t frame[FLOW_FRAME_BYTES];
	size_t length = packet_write(packet, frame, sizeof(frame));

	passage->packet = packet;
	fuzz_world_send(w, passage, frame, length);
}

static void
step_raw(struct fuzz_world *w, struct script *script, enum side from)
{
	struct passage passage = {.from = from};
	size_t length = script_take(script, 1);

	length = length < script->left ? length : script->left;
	fuzz_world_send(w, &passage, script->at, length);
	script->at += length;
	script->left -= length;
}

/* SYNs of clients that are never seen again, more than there are entries. */
static void
step_flood(struct fuzz_world *w, struct script *script, unsigned flow)
{
	struct packet syn = packet_ip4("10.0.0.3", 0, "10.0.0.2", flow == 3 ? 443 : 80);
	struct passage passage = {.worker = flow % WORKERS, .is_gathered = true};

	syn.flags = PACKET_SYN;
	for (unsigned count = script_take(script, 1); count > 0; count--) {
		syn.source_port = (uint16_t)(1024 + count);
		syn.seq = w->now & 0xffff;
		send_packet(w, &passage, &syn);
	}
	fuzz_world_flush(w);
}

/* Posts a letter, or looks whether the one before is answered; a tick delivers it. */
static void
step_letter(struct fuzz_world *w, struct script *script, unsigned flow)
{
	struct lane *lane = &w->lanes[flow % WORKERS];
	uint8_t shape = (uint8_t)script_take(script, 1);
	struct packet sample = flow_packet(flow, SIDE_CLIENT);

	if (lane->box == NULL) {
		lane->letter = (struct inspect){
				.kind = (enum inspect_kind)((shape & 7) % (INSPECT_PROFILES + 1)),
				.slot = shape >> 3 & 3,
				.limit = 1 + (shape >> 5),
				.tuple = {.client_port = sample.source_port,
						.backend_port = sample.destination_port,
						.family = FAMILY_IP6},
		};
		if (lane->letter.slot == BACKENDS && lane->letter.kind != INSPECT_FLUSH)
			lane->letter.slot = INSPECT_SLOT_ANY;
		else if (lane->letter.slot == BACKENDS)
			lane->letter.slot = 0;
		memcpy(&lane->letter.tuple.client, sample.source, sizeof(union ip_addr));
		lane->letter.tuple.backend = w->backends[1].address;
		if (sample.ip_version == 4) {
			lane->letter.tuple.family = FAMILY_IP4;
			lane->letter.tuple.client =
					ip_addr_from_ip4(lane->letter.tuple.client.words_be[0]);
			lane->letter.tuple.backend = w->backends[0].address;
		}
		lane->box = &lane->letter;
	}
	fuzz_world_tick(w, 0);
	ENSURE(lane->letter.count <= lane->letter.limit);
}

static void
step_other(struct fuzz_world *w, struct script *script, uint8_t kind)
{
	unsigned flow = kind >> 5;

	switch ((enum step_other)(kind >> 3 & 3)) {
	case OTHER_RAW:
		step_raw(w, script, kind & 1 ? SIDE_BACKEND : SIDE_CLIENT);
		break;
	case OTHER_FLOOD:
		step_flood(w, script, flow);
		break;
	case OTHER_LETTER:
		step_letter(w, script, flow);
		break;
	case OTHER_RELOAD:
		if (kind & 1)
			settings_reload_more(w, script, flow);
		else
			settings_reload(w, script, flow);
		break;
	}
}

/* A packet of an end, its numbers near the living ones. */
static void
step_near(struct fuzz_world *w, struct script *script, enum side from, unsigned index)
{
	const struct flow_end *end = &w->flows[index].ends[from];
	struct passage passage = {.from = from, .worker = w->flows[index].worker};
	struct packet packet = flow_packet(index, from);
	uint8_t shape = (uint8_t)script_take(script, 1);

	packet.flags = (uint8_t)script_take(script, 1);
	packet.seq = end->snd_nxt + (uint32_t)(int8_t)script_take(script, 1);
	packet.ack = end->rcv_nxt + (uint32_t)(int8_t)script_take(script, 1);
	packet.window = (uint16_t)script_take(script, 2);
	if (shape & 1)
		packet_add_mss(&packet, (uint16_t)script_take(script, 2));
	if (shape & 2)
		packet_add_timestamp(&packet, script_take(script, 1), end->echoed);
	if (shape & 4)
		packet_add_wscale(&packet, (uint8_t)script_take(script, 1));
	if (shape & 8)
		packet_add_sack_permitted(&packet);
	if (shape & 16)
		packet_add_sack(&packet, 1, (uint32_t[]){packet.ack + 1, packet.ack + 9});
	if (shape & 32) {
		packet.payload = script->at;
		packet.payload_length = script->left < 16 ? script->left : 16;
	}
	passage.is_gathered = shape & 64;
	passage.is_lost = shape & 128;
	send_packet(w, &passage, &packet);
}

static void
add_offer(struct packet *packet, const struct flow_end *end, uint8_t offer, bool is_answer)
{
	if (offer & OFFER_MSS)
		packet_add_mss(packet, offer & OFFER_SMALL_MSS ? 536 : 1460);
	if (offer & OFFER_WSCALE)
		packet_add_wscale(packet, offer & OFFER_OTHER_WSCALE ? 2 : 7);
	if (offer & OFFER_SACK)
		packet_add_sack_permitted(packet);
	if (offer & OFFER_TIMESTAMP)
		packet_add_timestamp(packet, end->clock, is_answer ? end->echoed : 0);
	if (offer & OFFER_ECN)
		packet->flags |= is_answer ? PACKET_ECE : PACKET_ECE | PACKET_CWR;
	if (offer & OFFER_DATA) {
		packet->payload = payload_bytes;
		packet->payload_length = 5;
	}
}

/* SYN and SYN-ACK begin at a number of their own. */
static struct packet
fit_opening(struct fuzz_flow *flow, unsigned index, struct script *script, enum side from,
		enum fit fit)
{
	struct flow_end *end = &flow->ends[from];
	uint8_t offer = (uint8_t)script_take(script, 1);
	struct packet packet = flow_segment(
			flow, index, from, fit == FIT_SYN ? PACKET_SYN : PACKET_SYN | PACKET_ACK);

	packet.options_length = 0;
	packet.seq = script_take(script, 1) * UINT32_C(0x01010101);
	add_offer(&packet, end, offer, fit == FIT_SYN_ACK);
	if (from == SIDE_BACKEND)
		end->has_timestamp = offer & OFFER_TIMESTAMP;
	return packet;
}

static struct packet
fit_fragment(struct fuzz_flow *flow, unsigned index, struct script *script, enum side from)
{
	struct packet packet = flow_segment(flow, index, from, PACKET_ACK);
	uint16_t field = (uint16_t)script_take(script, 1);
	uint8_t header[] = {6, 0, (uint8_t)(field >> 5), (uint8_t)(field << 3 | 1), 0, 0, 0, 1};

	packet.payload = payload_bytes;
	packet.payload_length = 64;
	if (packet.ip_version == 4) {
		packet.ip4_fragment = 0x2000 | field;
	} else {
		packet.extensions_first = 44;
		packet.extensions_length = sizeof(header);
		memcpy(packet.extensions, header, sizeof(header));
	}
	return packet;
}

static struct packet
fit_packet(struct fuzz_flow *flow, unsigned index, struct script *script, enum side from,
		enum fit fit, uint8_t how)
{
	static const uint16_t lengths[] = {0, 1, 100, sizeof(payload_bytes)};
	struct packet packet;

	if (fit == FIT_SYN || fit == FIT_SYN_ACK)
		return fit_opening(flow, index, script, from, fit);
	if (fit == FIT_FRAGMENT)
		return fit_fragment(flow, index, script, from);
	if (fit == FIT_RST)
		return flow_segment(flow, index, from,
				how & HOW_LOST ? PACKET_RST | PACKET_ACK : PACKET_RST);
	packet = flow_segment(
			flow, index, from, fit == FIT_FIN ? PACKET_FIN | PACKET_ACK : PACKET_ACK);
	packet.payload = payload_bytes;
	packet.payload_length = lengths[how >> HOW_LENGTH_SHIFT];
	if (fit == FIT_PROBE)
		packet.seq--;
	if (fit == FIT_SACK)
		packet_add_sack(&packet, 2,
				(uint32_t[]){packet.ack + 100, packet.ack + 200, packet.ack + 300,
						packet.ack + 301});
	return packet;
}

static void
step_probe_answer(struct fuzz_world *w, struct script *script, struct passage *passage)
{
	const uint8_t shape = (uint8_t)script_take(script, 1);
	uint8_t frame[FLOW_FRAME_BYTES];
	struct packet answer;

	passage->from = SIDE_BACKEND;
	if (!fuzz_probe_answer(w, shape & 3, &answer))
		return;
	passage->worker = (answer.destination_port / 2 + passage->worker) % WORKERS;
	if (shape >= 0xf0) {
		passage->is_icmp_error = true;
		passage->csum = PKT_CSUM_UNKNOWN;
		fuzz_world_send(w, passage, frame,
				icmp_error_write(frame, sizeof(frame), w->probe_syn,
						w->probe_syn_length, 8 + (shape & 15)));
		return;
	}
	if (shape & 4)
		packet_add_mss(&answer, 1300);
	if (shape & 8)
		packet_add_wscale(&answer, 3);
	if (shape & 16)
		packet_add_sack_permitted(&answer);
	if (shape & 32)
		packet_add_timestamp(&answer, 5, answer.ack);
	if (shape & 64)
		answer.flags |= PACKET_ECE;
	send_packet(w, passage, &answer);
}

static void
step_neighbour(struct fuzz_world *w, struct script *script, struct passage *passage)
{
	const uint8_t shape = (uint8_t)script_take(script, 1);
	const uint8_t damage = (uint8_t)script_take(script, 1);
	uint8_t frame[FUZZ_NEIGHBOUR_BYTES];
	size_t length = fuzz_probe_neighbour(frame, shape, shape & 8 ? 0xfe : 2);

	if (damage < length)
		frame[damage] ^= (uint8_t)(1 << (shape >> 5));
	passage->csum = PKT_CSUM_UNKNOWN;
	fuzz_world_send(w, passage, frame, length);
}

static enum fit
fit_take(struct script *script)
{
	const uint8_t number = (uint8_t)script_take(script, 1);

	if (number < FIT_RARE)
		return number % FIT_COUNT;
	return FIT_COUNT + (number - FIT_RARE) % (FIT_END - FIT_COUNT);
}

static struct passage
passage_take(struct fuzz_world *w, struct script *script, enum side from, unsigned index,
		uint8_t how)
{
	static const enum pkt_csum whole[] = {
			PKT_CSUM_UNKNOWN, PKT_CSUM_PARTIAL, PKT_CSUM_GOOD, PKT_CSUM_BAD};
	static const enum pkt_csum partly[] = {
			PKT_CSUM_LATER, PKT_CSUM_LATER, PKT_CSUM_GOOD, PKT_CSUM_UNKNOWN};
	struct passage passage = {
			.from = from,
			.worker = (w->flows[index].worker + !!(how & HOW_OTHER_WORKER)) % WORKERS,
			.is_gathered = how & HOW_GATHERED,
			.is_lost = how & HOW_LOST,
	};

	if (how & HOW_HEAD_ONLY)
		passage.head = script_take(script, 1);
	passage.csum = (how & HOW_HEAD_ONLY ? partly : whole)[how >> HOW_CSUM_SHIFT & 3];
	return passage;
}

static void
send_icmp_error(struct fuzz_world *w, struct passage *passage, const struct flow_end *end,
		size_t quoted)
{
	uint8_t frame[FLOW_FRAME_BYTES];

	passage->is_icmp_error = true;
	passage->csum = PKT_CSUM_UNKNOWN;
	fuzz_world_send(w, passage, frame,
			icmp_error_write(frame, sizeof(frame), end->heard, end->heard_length,
					quoted));
}

static void
step_fit(struct fuzz_world *w, struct script *script, enum side from, unsigned index)
{
	enum fit fit = fit_take(script);
	uint8_t how = (uint8_t)script_take(script, 1);
	struct fuzz_flow *flow = &w->flows[index];
	struct passage passage = passage_take(w, script, from, index, how);
	uint8_t again[FLOW_FRAME_BYTES];
	struct packet packet;

	switch (fit) {
	case FIT_AGAIN:
		memcpy(again, flow->ends[from].sent, flow->ends[from].sent_length);
		fuzz_world_send(w, &passage, again, flow->ends[from].sent_length);
		break;
	case FIT_ICMP_ERROR:
		send_icmp_error(w, &passage, &flow->ends[from], script_take(script, 1));
		break;
	case FIT_MOVE:
		flow->worker = (flow->worker + 1) % WORKERS;
		break;
	case FIT_BUFFERS:
		fuzz_world_flush(w);
		w->is_out_of_buffers = !w->is_out_of_buffers;
		break;
	case FIT_SETTLE:
		fuzz_world_settle(w);
		break;
	case FIT_RESTART:
		fuzz_world_restart(w, script_take(script, 1) * (TICKS_PER_S / 8));
		break;
	case FIT_PROBE_ANSWER:
		step_probe_answer(w, script, &passage);
		break;
	case FIT_NEIGHBOUR:
		step_neighbour(w, script, &passage);
		break;
	default:
		packet = fit_packet(flow, index, script, from, fit, how);
		send_packet(w, &passage, &packet);
		break;
	}
}

static void
script_step(struct fuzz_world *w, struct script *script)
{
	uint8_t kind = (uint8_t)script_take(script, 1);
	enum side from = kind & 1 ? SIDE_BACKEND : SIDE_CLIENT;

	switch ((enum step_class)(kind >> 1 & 3)) {
	case CLASS_OTHER:
		step_other(w, script, kind);
		break;
	case CLASS_TIME:
		fuzz_world_tick(w, (ticks_t)script_take(script, 2) << (kind >> 3 & 15));
		break;
	case CLASS_NEAR:
		step_near(w, script, from, kind >> 5);
		break;
	case CLASS_FIT:
		step_fit(w, script, from, kind >> 5);
		break;
	}
}

/* A script that begins with a configuration names the table's size in its fifth byte. */
static uint32_t
first_syn_entries(const uint8_t *data, size_t size)
{
	static const uint32_t entries[] = {64, 0, SYN_ENTRIES_MAX, 64};

	if (size < 5 || (data[0] >> 1 & 3) != CLASS_OTHER || (data[0] >> 3 & 3) != OTHER_RELOAD)
		return entries[0];
	return entries[data[4] >> 4 & 3];
}

static size_t
append_fit(uint8_t *step, enum side from, unsigned flow, unsigned number, uint8_t how)
{
	step[0] = (uint8_t)((from == SIDE_BACKEND) | CLASS_FIT << 1 | flow << 5);
	step[1] = (uint8_t)number;
	step[2] = how;
	return 3;
}

static unsigned
fit_number(uint64_t random)
{
	if (random % 6 == 0)
		return FIT_RARE + random / 6 % (FIT_END - FIT_COUNT);
	return random / 6 % FIT_COUNT;
}

/* Steps that make sense together: a handshake with some data, or one thing more that fits. */
static size_t
write_steps(uint8_t *steps, uint64_t *random)
{
	unsigned flow = packet_random(random) % FLOWS;
	uint8_t offer = (uint8_t)(packet_random(random) & 0x7f);
	size_t size = 0;

	if (packet_random(random) % 4 == 0) {
		size += append_fit(steps, SIDE_CLIENT, flow, FIT_SYN, 0);
		steps[size++] = offer;
		steps[size++] = (uint8_t)packet_random(random);
		size += append_fit(steps + size, SIDE_CLIENT, flow, FIT_ACK,
				(uint8_t)(packet_random(random) & 0xc0));
		size += append_fit(steps + size, SIDE_BACKEND, flow, FIT_SYN_ACK, 0);
		steps[size++] = (uint8_t)(offer & packet_random(random));
		steps[size++] = (uint8_t)packet_random(random);
	}
	for (unsigned i = packet_random(random) % 4; i > 0; i--)
		size += append_fit(steps + size, packet_random(random) % SIDE_COUNT, flow,
				fit_number(packet_random(random)),
				(uint8_t)(packet_random(random) & packet_random(random)));
	return size;
}

/* Half of the time libFuzzer's own choice; else whole steps, somewhere or at the end. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	uint8_t steps[64];
	uint64_t random = seed;
	size_t at, length;

	if (packet_random(&random) % 2 == 0)
		return LLVMFuzzerMutate(data, size, room);
	length = write_steps(steps, &random);
	ENSURE(length <= sizeof(steps));
	if (length == 0 || size + length > room)
		return LLVMFuzzerMutate(data, size, room);
	at = packet_random(&random) % 2 == 0 ? size : packet_random(&random) % (size + 1);
	memmove(data + at + length, data + at, size - at);
	memcpy(data + at, steps, length);
	return size + length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_world w;
	struct script script = {data, size};

	fuzz_world_begin(&w, first_syn_entries(data, size));
	while (script.left > 0)
		script_step(&w, &script);
	fuzz_world_calm(&w);
	return 0;
}
