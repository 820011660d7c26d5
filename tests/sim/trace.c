/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace.h"

#include <inttypes.h>
#include <string.h>

/* FNV-1a, 64 bits. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

void
trace_init(struct trace *trace, FILE *out, ticks_t start)
{
	*trace = (struct trace){.out = out, .start = start, .hash = HASH_START};
}

static void
trace_hash(struct trace *trace, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		trace->hash = (trace->hash ^ at[i]) * HASH_PRIME;
}

/* The client's end of a packet: its number or -1, and its port. */
static int
client_end(const struct packet *packet, bool from_client, uint16_t *port)
{
	*port = from_client ? packet->source_port : packet->destination_port;
	return address_client_number(
			from_client ? packet->source : packet->destination, packet->ip_version);
}

static bool
is_from_client(enum place from, enum place to)
{
	return from == PLACE_CLIENT || to == PLACE_BACKEND;
}

static void
note_base(struct trace_base *base, const struct packet *packet, enum place from, enum place to,
		enum origin origin)
{
	bool answers = packet->flags & PACKET_ACK;

	if (!(packet->flags & PACKET_SYN) || origin == ORIGIN_HOSTILE)
		return;
	if (from == PLACE_CLIENT && !answers)
		base->client = packet->seq;
	if (to == PLACE_CLIENT && answers)
		base->sluice = packet->seq;
	if (from == PLACE_BACKEND && answers)
		base->backend = packet->seq;
}

static const char *
arrow(enum place from, enum place to)
{
	if (from == PLACE_CLIENT)
		return "client -> sluice            ";
	if (to == PLACE_CLIENT)
		return "client <- sluice            ";
	return to == PLACE_BACKEND ? "          sluice -> backend "
				   : "          sluice <- backend ";
}

static void
print_flags(FILE *out, uint8_t flags)
{
	static const char letters[] = "FSRP.UEW";
	char text[sizeof(letters)] = "";
	unsigned n = 0;

	for (unsigned bit = 0; bit < 8; bit++)
		if (flags & 1u << bit)
			text[n++] = letters[bit];
	fprintf(out, "%-4s", text);
}

static void
print_options(FILE *out, const struct packet *packet)
{
	const uint8_t *sack = packet_find_option(packet, PACKET_OPTION_SACK);
	uint32_t tsval, tsecr;

	if (packet_mss(packet) != 0)
		fprintf(out, " mss %u", packet_mss(packet));
	if (packet_wscale(packet) >= 0)
		fprintf(out, " wscale %d", packet_wscale(packet));
	if (packet_find_option(packet, PACKET_OPTION_SACK_PERMITTED) != NULL)
		fprintf(out, " sackOK");
	if (packet_timestamp(packet, &tsval, &tsecr))
		fprintf(out, " ts %" PRIu32 " %" PRIu32, tsval, tsecr);
	if (sack != NULL)
		fprintf(out, " sack*%u", (sack[1] - 2u) / 8);
}

static void
print_packet(const struct trace *trace, const struct packet *packet, enum place from, enum place to,
		const struct trace_base *base)
{
	bool from_client = is_from_client(from, to);
	bool client_leg = from == PLACE_CLIENT || to == PLACE_CLIENT;
	uint32_t other = client_leg ? base->sluice : base->backend;
	uint32_t seq = packet->seq - (from_client ? base->client : other);
	uint32_t ack = packet->ack - (from_client ? other : base->client);
	uint32_t length = (uint32_t)packet->payload_length;

	print_flags(trace->out, packet->flags);
	fprintf(trace->out, " seq %" PRIu32 ":%" PRIu32, seq, seq + length);
	if (packet->flags & PACKET_ACK)
		fprintf(trace->out, " ack %" PRIu32, ack);
	fprintf(trace->out, " win %u len %" PRIu32, packet->window, length);
	print_options(trace->out, packet);
}

static void
print_line(struct trace *trace, ticks_t now, enum place from, enum place to,
		const struct frame *frame, const char *note, const char *fate)
{
	static const struct trace_base unknown = {0};
	const struct trace_base *base = &unknown;
	struct packet packet;
	uint16_t port;
	int client;

	fprintf(trace->out, "%12.6f ", (double)(now - trace->start) / (double)TICKS_PER_S);
	if (frame_read(frame, &packet)) {
		client = client_end(&packet, is_from_client(from, to), &port);
		if (client >= 0) {
			note_base(&trace->bases[client], &packet, from, to, frame->origin);
			base = &trace->bases[client];
		}
		fprintf(trace->out, "c%d:%-5u %s", client, port, arrow(from, to));
		print_packet(trace, &packet, from, to, base);
	} else {
		fprintf(trace->out, "?        %s damaged, %" PRIu32 " bytes", arrow(from, to),
				frame->length);
	}
	fprintf(trace->out, "%s%s%s%s%s\n", note[0] ? "  " : "", note,
			frame->origin == ORIGIN_HOSTILE ? " (hostile)" : "", fate[0] ? " *" : "",
			fate);
}

void
trace_packet(struct trace *trace, ticks_t now, enum place from, enum place to,
		const struct frame *frame, const char *note, const char *fate)
{
	uint8_t places[2] = {(uint8_t)from, (uint8_t)to};

	trace->packets++;
	trace_hash(trace, &now, sizeof(now));
	trace_hash(trace, places, sizeof(places));
	trace_hash(trace, frame->bytes, frame->length);
	trace_hash(trace, note, strlen(note));
	trace_hash(trace, fate, strlen(fate));
	if (trace->out != NULL)
		print_line(trace, now, from, to, frame, note, fate);
}

void
trace_note(struct trace *trace, ticks_t now, const char *text)
{
	trace_hash(trace, &now, sizeof(now));
	trace_hash(trace, text, strlen(text));
	if (trace->out != NULL)
		fprintf(trace->out, "%12.6f %s\n",
				(double)(now - trace->start) / (double)TICKS_PER_S, text);
}
