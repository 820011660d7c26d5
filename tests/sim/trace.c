/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* Between two columns of the diagram. */
#define COLUMN 56

static void
print_head(FILE *out)
{
	fprintf(out, "%12s %-9s client%*sSluice%*sbackend\n", "time", "client", COLUMN - 8, "",
			COLUMN - 6, "");
}

void
trace_init(struct trace *trace, FILE *out, ticks_t start)
{
	*trace = (struct trace){.out = out, .start = start, .hash = HASH_START};
	if (out != NULL)
		print_head(out);
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

/* What a packet says, in words; the text of a line's arrow. */
static void
add_flags(FILE *out, uint8_t flags)
{
	static const struct {
		uint8_t bits;
		const char *name;
	} names[] = {{PACKET_SYN, "SYN"}, {PACKET_FIN, "FIN"}, {PACKET_RST, "RST"},
			{PACKET_ACK, "ACK"}, {PACKET_URG, "URG"}, {PACKET_ECE, "ECE"},
			{PACKET_CWR, "CWR"}};
	const char *between = "";

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].bits) {
			fprintf(out, "%s%s", between, names[i].name);
			between = "-";
		}
}

static void
add_options(FILE *out, const struct packet *packet)
{
	const uint8_t *sack = packet_find_option(packet, PACKET_OPTION_SACK);
	uint32_t tsval, tsecr;

	if (packet_mss(packet) != 0)
		fprintf(out, " mss %u", packet_mss(packet));
	if (packet_wscale(packet) >= 0)
		fprintf(out, " wscale %d", packet_wscale(packet));
	if (packet_find_option(packet, PACKET_OPTION_SACK_PERMITTED) != NULL)
		fprintf(out, " sack");
	if (packet_timestamp(packet, &tsval, &tsecr))
		fprintf(out, " ts %" PRIu32 " %" PRIu32, tsval, tsecr);
	if (sack != NULL)
		fprintf(out, " sack*%u", (sack[1] - 2u) / 8);
}

/* A number with its leg's ISN taken off; what lies before it is negative. */
static int32_t
relative(uint32_t number, uint32_t base)
{
	return (int32_t)(number - base);
}

static void
add_packet(FILE *out, const struct packet *packet, enum place from, enum place to,
		const struct trace_base *base)
{
	bool from_client = is_from_client(from, to);
	bool client_leg = from == PLACE_CLIENT || to == PLACE_CLIENT;
	uint32_t other = client_leg ? base->sluice : base->backend;
	int32_t seq = relative(packet->seq, from_client ? base->client : other);

	add_flags(out, packet->flags);
	fprintf(out, " %" PRId32, seq);
	if (packet->payload_length > 0)
		fprintf(out, ":%" PRId32, seq + (int32_t)packet->payload_length);
	if (packet->flags & PACKET_ACK)
		fprintf(out, " ack %" PRId32,
				relative(packet->ack, from_client ? other : base->client));
	fprintf(out, " win %u", packet->window);
	add_options(out, packet);
}

/* An arrow between two columns, with the text on it. */
static void
print_arrow(FILE *out, enum place from, enum place to, const char *text, bool arrives)
{
	bool client_leg = from == PLACE_CLIENT || to == PLACE_CLIENT;
	bool right = from < to;
	int used = (int)strlen(text) + 2;

	if (!client_leg)
		fprintf(out, "|%*s", COLUMN, "");
	fprintf(out, "|%s %s ", right ? "-" : arrives ? "<" : "x", text);
	for (int i = used + 2; i < COLUMN; i++)
		putc('-', out);
	fprintf(out, "%s|", !right ? "-" : arrives ? ">" : "x");
	if (client_leg)
		fprintf(out, "%*s|", COLUMN, "");
}

static void
print_line(struct trace *trace, ticks_t now, enum place from, enum place to,
		const struct frame *frame, const char *note, const char *fate)
{
	static const struct trace_base unknown = {0};
	const struct trace_base *base = &unknown;
	struct packet packet;
	char who[24] = "?", text[160] = "";
	FILE *words = fmemopen(text, sizeof(text), "w");
	uint16_t port;
	int client;

	if (words == NULL)
		abort();
	if (frame_read(frame, &packet)) {
		client = client_end(&packet, is_from_client(from, to), &port);
		if (client >= 0) {
			note_base(&trace->bases[client], &packet, from, to, frame->origin);
			base = &trace->bases[client];
			snprintf(who, sizeof(who), "c%d:%u", client, port);
		} else {
			snprintf(who, sizeof(who), "x:%u", port);
		}
		add_packet(words, &packet, from, to, base);
	} else {
		fprintf(words, "damaged, %" PRIu32 " bytes", frame->length);
	}
	fclose(words);
	fprintf(trace->out, "%12.6f %-9s ", (double)(now - trace->start) / (double)TICKS_PER_S,
			who);
	print_arrow(trace->out, from, to, text, fate[0] == '\0' || fate[0] == 'd');
	fprintf(trace->out, " %s%s%s%s\n", note, note[0] != '\0' && fate[0] != '\0' ? ", " : "",
			fate, frame->origin == ORIGIN_HOSTILE ? " (hostile)" : "");
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
		fprintf(trace->out, "%12.6f           == %s ==\n",
				(double)(now - trace->start) / (double)TICKS_PER_S, text);
}
