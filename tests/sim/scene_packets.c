/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets as a script writes them. A client's numbers are relative to its ISN on both legs, since
 * Sluice uses it towards the backend; the other direction's to Sluice's ISN on the clients' leg
 * and to the backend's on its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "scene.h"

#define PORT 40000
#define WINDOW 65535
#define PAYLOAD_MAX 1460

static const struct {
	const char *name;
	uint8_t bit;
} flag_names[] = {{"FIN", PACKET_FIN}, {"SYN", PACKET_SYN}, {"RST", PACKET_RST},
		{"PSH", PACKET_PSH}, {"ACK", PACKET_ACK}, {"URG", PACKET_URG}, {"ECE", PACKET_ECE},
		{"CWR", PACKET_CWR}, {"NONE", 0}};

#define FLAG_NAMES (sizeof(flag_names) / sizeof(flag_names[0]))

/* Fields, given or got; those not in `given` count for nothing. */
enum field {
	FIELD_SEQ,
	FIELD_ACK,
	FIELD_LEN,
	FIELD_WIN,
	FIELD_MSS,
	FIELD_WSCALE,
	FIELD_TTL,
	FIELD_SACK,
	FIELD_TS,
	FIELD_ECHO,
	FIELD_BLOCK_LEFT,
	FIELD_BLOCK_RIGHT,
	FIELDS
};

static const char *const field_names[FIELDS] = {"seq", "ack", "len", "win", "mss", "wscale", "ttl",
		"sack", "ts", "ts echo", "block", "block's end"};

struct words {
	uint8_t flags;
	bool given[FIELDS];
	int64_t values[FIELDS]; /**< -1: not there, of an option */
	const char *options;	/**< hex */
	bool has_wrong_checksum;
};

static uint8_t
flags_parse(struct scene *s, const char *word)
{
	uint8_t flags = 0;

	while (*word != '\0') {
		size_t length = strcspn(word, "-");
		unsigned i = 0;

		while (i < FLAG_NAMES && (strlen(flag_names[i].name) != length ||
							 memcmp(flag_names[i].name, word, length)))
			i++;
		if (i == FLAG_NAMES) {
			scene_fail(s, "%s are no flags", word);
			return 0;
		}
		flags |= flag_names[i].bit;
		word += length + (word[length] == '-');
	}
	return flags;
}

static void
give(struct words *w, enum field field, int64_t value)
{
	w->given[field] = true;
	w->values[field] = value;
}

static bool
is_word(const char *word, const char *expected)
{
	return word != NULL && strcmp(word, expected) == 0;
}

/* Takes a field and returns the word behind it. */
static char **
field_parse(struct scene *s, struct words *w, char **at)
{
	bool absent = is_word(at[0], "no");
	const char *name = at[absent];
	unsigned field = 0;

	if (is_word(name, "wrong")) {
		w->has_wrong_checksum = true;
		return at + 2;
	}
	if (is_word(name, "options")) {
		w->options = at[1];
		return at + 2;
	}
	while (field < FIELDS && !is_word(name, field_names[field]))
		field++;
	if (field == FIELDS) {
		scene_fail(s, "%s is no field", name == NULL ? "nothing" : name);
		return at + 1;
	}
	if (absent || field == FIELD_SACK) {
		give(w, field, absent ? -1 : 1);
		return at + 1 + absent;
	}
	give(w, field, scene_number(s, at[1]));
	if (field == FIELD_TS || field == FIELD_BLOCK_LEFT)
		give(w, field + 1, scene_number(s, at[1] == NULL ? NULL : at[2]));
	return at + (field == FIELD_TS || field == FIELD_BLOCK_LEFT ? 3 : 2);
}

static struct words
words_parse(struct scene *s, char **at)
{
	struct words w = {.flags = flags_parse(s, *at)};

	at++;
	while (!s->has_failed && *at != NULL)
		at = field_parse(s, &w, at);
	return w;
}

/* The two directions of a leg as one of its ends has them. */
static struct line *
own_line(struct scene *s, enum side side, unsigned client)
{
	return side == SIDE_CLIENT ? &s->parts[client].client : &s->parts[client].backend;
}

static struct line *
peer_line(struct scene *s, enum side side, unsigned client)
{
	return side == SIDE_CLIENT ? &s->parts[client].sluice : &s->parts[client].client;
}

static void
hex_options(struct scene *s, struct packet *packet, const char *hex)
{
	for (; hex[0] != '\0' && hex[1] != '\0' && packet->options_length < 40; hex += 2) {
		unsigned byte;

		if (sscanf(hex, "%2x", &byte) != 1)
			scene_fail(s, "options are hex digits");
		packet->options[packet->options_length++] = (uint8_t)byte;
	}
}

static void
add_options(struct scene *s, struct packet *packet, const struct words *w, const struct line *own,
		const struct line *peer)
{
	if (w->given[FIELD_MSS])
		packet_add_mss(packet, (uint16_t)w->values[FIELD_MSS]);
	if (w->given[FIELD_WSCALE])
		packet_add_wscale(packet, (uint8_t)w->values[FIELD_WSCALE]);
	if (w->given[FIELD_SACK])
		packet_add_sack_permitted(packet);
	if (w->given[FIELD_TS])
		packet_add_timestamp(packet, own->tsval + (uint32_t)w->values[FIELD_TS],
				w->flags == PACKET_SYN
						? 0
						: peer->tsval + (uint32_t)w->values[FIELD_ECHO]);
	if (w->given[FIELD_BLOCK_LEFT])
		packet_add_sack(packet, 1,
				(uint32_t[]){peer->isn + (uint32_t)w->values[FIELD_BLOCK_LEFT],
						peer->isn + (uint32_t)w->values[FIELD_BLOCK_RIGHT]});
	if (w->options != NULL)
		hex_options(s, packet, w->options);
}

void
scene_packet_send(struct scene *s, enum side from, unsigned client, char **at)
{
	static const uint8_t text[PAYLOAD_MAX];
	struct words w = words_parse(s, at);
	struct line *own = own_line(s, from, client);
	const struct line *peer = peer_line(s, from, client);
	struct packet packet = address_packet(client, PORT, s->ip_version == 4 ? 0 : 1);
	struct frame *frame;
	uint32_t seq, end;

	if (from == SIDE_BACKEND)
		packet = address_reply(&packet);
	seq = w.given[FIELD_SEQ]				? (uint32_t)w.values[FIELD_SEQ]
	      : w.flags & PACKET_SYN && !(w.flags & PACKET_RST) ? 0
								: own->next;
	packet.flags = w.flags;
	packet.seq = own->isn + seq;
	if (w.flags & PACKET_ACK)
		packet.ack = peer->isn + (w.given[FIELD_ACK] ? (uint32_t)w.values[FIELD_ACK]
							 : w.flags & PACKET_SYN ? 1
										: peer->next);
	packet.window = w.given[FIELD_WIN] ? (uint16_t)w.values[FIELD_WIN] : WINDOW;
	if (w.given[FIELD_TTL])
		packet.ttl = (uint8_t)w.values[FIELD_TTL];
	add_options(s, &packet, &w, own, peer);
	packet.payload = text;
	packet.payload_length = w.given[FIELD_LEN] ? (size_t)w.values[FIELD_LEN] % PAYLOAD_MAX : 0;
	end = seq + (uint32_t)packet.payload_length + !!(w.flags & PACKET_SYN) +
	      !!(w.flags & PACKET_FIN);
	if ((int32_t)(seq - own->next) <= 0 && (int32_t)(end - own->next) > 0 &&
			!(w.flags & PACKET_RST))
		own->next = end;
	frame = frame_of(&packet, ORIGIN_HONEST, 0);
	if (w.has_wrong_checksum)
		frame->bytes[frame->length - 1] ^= 1;
	scene_send(s, from, frame);
	frame_free(frame);
}

static int64_t
relative(uint32_t number, uint32_t base)
{
	return (int32_t)(number - base);
}

/* What a packet says, in the numbers of a script. */
static void
packet_words(struct words *w, const struct packet *packet, const struct line *own,
		const struct line *peer)
{
	const uint8_t *sack = packet_find_option(packet, PACKET_OPTION_SACK);
	uint32_t tsval, tsecr, edges[2];

	*w = (struct words){.flags = packet->flags};
	w->values[FIELD_SEQ] = relative(packet->seq, peer->isn);
	w->values[FIELD_ACK] = relative(packet->ack, own->isn);
	w->values[FIELD_LEN] = (int64_t)packet->payload_length;
	w->values[FIELD_WIN] = packet->window;
	w->values[FIELD_MSS] = packet_mss(packet) != 0 ? (int64_t)packet_mss(packet) : -1;
	w->values[FIELD_WSCALE] = packet_wscale(packet);
	w->values[FIELD_TTL] = packet->ttl;
	w->values[FIELD_SACK] =
			packet_find_option(packet, PACKET_OPTION_SACK_PERMITTED) != NULL ? 1 : -1;
	w->values[FIELD_TS] = -1;
	if (packet_timestamp(packet, &tsval, &tsecr)) {
		w->values[FIELD_TS] = relative(tsval, peer->tsval);
		w->values[FIELD_ECHO] = tsecr == 0 ? 0 : relative(tsecr, own->tsval);
	}
	w->values[FIELD_BLOCK_LEFT] = -1;
	if (sack == NULL)
		return;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *edge = sack + 2 + 4 * i;

		edges[i] = (uint32_t)edge[0] << 24 | (uint32_t)edge[1] << 16 |
			   (uint32_t)edge[2] << 8 | edge[3];
	}
	w->values[FIELD_BLOCK_LEFT] = relative(edges[0], own->isn);
	w->values[FIELD_BLOCK_RIGHT] = relative(edges[1], own->isn);
}

/* Whoever gets a SYN or SYN-ACK counts from its numbers; and everybody from what came in order. */
static void
learn(struct scene *s, enum side to, unsigned client, const struct packet *packet)
{
	struct line *peer = peer_line(s, to, client);
	uint32_t end = packet->seq + (uint32_t)packet->payload_length +
		       !!(packet->flags & PACKET_SYN) + !!(packet->flags & PACKET_FIN);
	uint32_t tsecr;

	if (to != SIDE_CLIENT || packet->flags & PACKET_RST)
		return;
	if (packet->flags & PACKET_SYN) {
		peer->isn = packet->seq;
		peer->next = 0;
		packet_timestamp(packet, &peer->tsval, &tsecr);
	}
	if ((int32_t)(end - peer->isn - peer->next) > 0)
		peer->next = end - peer->isn;
}

static struct heard *
heard_first(struct scene *s, enum side to, unsigned client)
{
	for (unsigned i = 0; i < s->heard_count; i++)
		if (s->heard[i].to == to && s->heard[i].client == client)
			return &s->heard[i];
	return NULL;
}

static void
flags_print(uint8_t flags, char text[static 40])
{
	text[0] = '\0';
	for (unsigned i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].bit) {
			if (text[0] != '\0')
				strcat(text, "-");
			strcat(text, flag_names[i].name);
		}
}

void
scene_packet_get(struct scene *s, enum side to, unsigned client, char **at)
{
	struct words expected = words_parse(s, at), found;
	struct heard *heard = heard_first(s, to, client);
	char flags[40];

	if (heard == NULL) {
		scene_fail(s, "nothing came; the last packet's reason is %s",
				reason_name(s->reason));
		return;
	}
	learn(s, to, client, &heard->packet);
	packet_words(&found, &heard->packet, own_line(s, to, client), peer_line(s, to, client));
	flags_print(found.flags, flags);
	if (found.flags != expected.flags)
		scene_fail(s, "came %s", flags);
	for (unsigned field = 0; field < FIELDS; field++)
		if (expected.given[field] && expected.values[field] != found.values[field])
			scene_fail(s, "came %s with %s %lld", flags, field_names[field],
					(long long)found.values[field]);
	s->heard_count--;
	memmove(heard, heard + 1, (size_t)(&s->heard[s->heard_count] - heard) * sizeof(*heard));
	/* The options moved with the rest; the payload did not, but nobody asks for it. */
}

void
scene_nothing(struct scene *s, enum side to, unsigned client)
{
	const struct heard *heard = heard_first(s, to, client);
	char flags[40];

	if (heard == NULL)
		return;
	flags_print(heard->packet.flags, flags);
	scene_fail(s, "%s got %s", to == SIDE_CLIENT ? "a client" : "the backend", flags);
}

/* The statements that make a connection, in one. */
void
scene_connect(struct scene *s, unsigned client, char **at)
{
	static char *const syn_ack = "SYN-ACK", *const ack = "ACK";
	char *syn[SCENE_WORDS_MAX + 1] = {"SYN"};
	unsigned count = 1;

	while (*at != NULL)
		syn[count++] = *at++;
	scene_packet_send(s, SIDE_CLIENT, client, syn);
	scene_packet_get(s, SIDE_CLIENT, client, (char *[]){syn_ack, NULL});
	scene_packet_send(s, SIDE_CLIENT, client, (char *[]){ack, NULL});
	scene_packet_get(s, SIDE_BACKEND, client, (char *[]){"SYN", NULL});
	syn[0] = syn_ack;
	scene_packet_send(s, SIDE_BACKEND, client, syn);
	scene_packet_get(s, SIDE_BACKEND, client, (char *[]){ack, "seq", "1", "ack", "1", NULL});
	scene_packet_get(s, SIDE_CLIENT, client, (char *[]){ack, "seq", "1", "ack", "1", NULL});
}

void
scene_flood(struct scene *s, char **at)
{
	uint64_t found[REASON_COUNT] = {0};
	int64_t count = scene_number(s, at[0]);

	for (int64_t i = 0; i < count && !s->has_failed; i++) {
		uint32_t number = s->strangers++;
		struct packet packet = address_packet(0, PORT, s->ip_version == 4 ? 0 : 1);
		struct frame *frame;

		packet.source[0] ^= 0x40;
		memcpy(packet.source + (s->ip_version == 4 ? 1 : 12), &number, 3);
		packet.flags = PACKET_SYN;
		packet.seq = (uint32_t)dice_roll(&s->dice);
		packet_add_mss(&packet, 1460);
		frame = frame_of(&packet, ORIGIN_HOSTILE, 0);
		scene_send(s, SIDE_CLIENT, frame);
		frame_free(frame);
		found[s->reason]++;
	}
	for (at++; at[0] != NULL && !s->has_failed; at += 2) {
		unsigned reason = 0;

		while (reason < REASON_COUNT && !is_word(at[0], reason_name((enum reason)reason)))
			reason++;
		if (reason == REASON_COUNT)
			scene_fail(s, "%s is no reason", at[0]);
		else if (found[reason] != (uint64_t)scene_number(s, at[1]))
			scene_fail(s, "%llu were %s", (unsigned long long)found[reason], at[0]);
	}
}
