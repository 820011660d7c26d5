/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The attackers of the flood battery (battery.py): sends packets of one kind through an interface
 * for a while, at a bounded rate, steadily or in pulses, from one source or random ones, and says
 * how many packets and bytes. Sources come from the ranges set aside for benchmarks (RFC 2544,
 * RFC 5180). Beside the plain floods of flood.c it knows fragments, absurd options and lengths, and
 * clients that prove themselves by answering SYN-ACKs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "sender.h"

#define NS_PER_MS 1000000ull
#define ETHER_BYTES 14
#define ETHER_BYTES_LEAST 60
#define FRAME_MAX 1514
#define LARGE_SYN_BYTES 1400
/* Proved connections that stay open at a time; an older one is reset. */
#define OPEN_MAX 256
/* SYN-ACKs whose ACKs the replayer keeps. */
#define REPLAYED_MAX 64

enum kind {
	SYN,
	BARE_SYN,
	TINY_SYN,
	LARGE_SYN,
	SYN_ACK,
	ACK,
	RST,
	FIN,
	FRAGMENTS,
	MALFORMED,
	MIXED,
	PROVED, /* answers every SYN-ACK */
	REPLAY, /* answers the first SYN-ACKs again and again */
};

static const char *const kinds[] = {"syn", "bare-syn", "tiny-syn", "large-syn", "syn-ack", "ack",
		"rst", "fin", "fragments", "malformed", "mixed", "proved", "replay", NULL};

struct order {
	const char *interface;
	struct ether_addr destination_mac, source_mac;
	uint8_t to[16];
	bool ip6;
	bool one_source;
	enum kind kind;
	uint16_t port;
	uint64_t rate; /* packets per second */
	uint64_t ms;
	uint64_t pulse_ms; /* 0: no pauses */
	uint64_t random;
};

/* One TCP segment to be written into a frame. */
struct segment {
	uint32_t source; /* its place in the range */
	uint32_t seq, ack;
	unsigned options_length;
	unsigned payload_length;
	unsigned fragment_offset; /* bytes, a multiple of 8 */
	uint8_t options[40];
	uint16_t port;
	uint8_t flags;
	bool more_fragments;
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	unsigned length;
};

struct sums {
	uint64_t packets, bytes;
};

static const char usage[] =
		"usage: battery --interface NAME --destination-mac MAC --to ADDRESS --kind KIND\n"
		"               [--port N] [--rate PACKETS_PER_S] [--ms N] [--pulse-ms N]\n"
		"               [--one-source]\n"
		"KIND: syn bare-syn tiny-syn large-syn syn-ack ack rst fin fragments malformed\n"
		"mixed proved replay. Prints packets, bytes and seconds as JSON.\n";

static enum kind
kind_parse(const char *text)
{
	for (unsigned i = 0; kinds[i] != NULL; i++) {
		if (strcmp(kinds[i], text) == 0)
			return (enum kind)i;
	}
	sender_refuse("no such kind", text, usage);
}

static void
option_apply(struct order *order, int option, const char *value)
{
	switch (option) {
	case 'i':
		order->interface = value;
		break;
	case 'm':
		if (ether_aton_r(value, &order->destination_mac) == NULL)
			sender_refuse("not a MAC address", value, usage);
		break;
	case 'a':
		order->ip6 = strchr(value, ':') != NULL;
		if (inet_pton(order->ip6 ? AF_INET6 : AF_INET, value, order->to) != 1)
			sender_refuse("not an address", value, usage);
		break;
	case 'k':
		order->kind = kind_parse(value);
		break;
	case 'p':
		order->port = (uint16_t)sender_number(value, 1, UINT16_MAX, usage);
		break;
	case 'r':
		order->rate = sender_number(value, 1, 10000000, usage);
		break;
	case 'd':
		order->ms = sender_number(value, 1, 600000, usage);
		break;
	case 'u':
		order->pulse_ms = sender_number(value, 1, 60000, usage);
		break;
	case 'o':
		order->one_source = true;
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static struct order
order_parse(int argc, char **argv)
{
	static const struct option options[] = {
			{"interface", required_argument, NULL, 'i'},
			{"destination-mac", required_argument, NULL, 'm'},
			{"to", required_argument, NULL, 'a'},
			{"kind", required_argument, NULL, 'k'},
			{"port", required_argument, NULL, 'p'},
			{"rate", required_argument, NULL, 'r'},
			{"ms", required_argument, NULL, 'd'},
			{"pulse-ms", required_argument, NULL, 'u'},
			{"one-source", no_argument, NULL, 'o'},
			{NULL, 0, NULL, 0},
	};
	struct order order = {.port = 80, .rate = 30000, .ms = 1000};
	bool has_address = false, has_mac = false;
	int option;

	if (getrandom(&order.random, sizeof(order.random), 0) != sizeof(order.random))
		sender_fail("getrandom");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		option_apply(&order, option, optarg);
		has_address |= option == 'a';
		has_mac |= option == 'm';
	}
	if (optind != argc)
		sender_refuse("unexpected argument", argv[optind], usage);
	if (order.interface == NULL || !has_address || !has_mac)
		sender_refuse("missing", "--interface, --destination-mac or --to", usage);
	return order;
}

static bool
listens(enum kind kind)
{
	return kind == PROVED || kind == REPLAY;
}

static int
socket_open(struct order *order)
{
	const bool is_listener = listens(order->kind);
	int fd = sender_open(
			order->interface, is_listener ? htons(ETH_P_ALL) : 0, &order->source_mac);
	int yes = 1, room = 8 << 20;

	if (is_listener && (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) !=
							   0 ||
					   setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room,
							   sizeof(room)) != 0))
		sender_fail("socket options");
	return fd;
}

static void
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Writes the IP header of a packet with that much behind it; returns where that begins. */
static unsigned
write_ip(struct frame *frame, const struct order *order, const struct segment *segment,
		unsigned length)
{
	uint8_t *ip = frame->bytes + ETHER_BYTES;
	bool is_fragment = segment->more_fragments || segment->fragment_offset > 0;

	if (!order->ip6) {
		ip[0] = 0x45;
		put16(ip + 2, 20 + length);
		put16(ip + 4, segment->source);
		put16(ip + 6, is_fragment ? (uint32_t)segment->more_fragments << 13 |
								segment->fragment_offset / 8
					  : 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		put32(ip + 12, 198u << 24 | 18u << 16 | (segment->source & 0x1ffff));
		memcpy(ip + 16, order->to, 4);
		put16(ip + 10, sender_sum_close(sender_sum_add(0, ip, 20)));
		return ETHER_BYTES + 20;
	}
	ip[0] = 0x60;
	put16(ip + 4, length + (is_fragment ? 8 : 0));
	ip[6] = is_fragment ? 44 : IPPROTO_TCP;
	ip[7] = 64;
	inet_pton(AF_INET6, "2001:2::", ip + 8);
	put32(ip + 20, segment->source);
	memcpy(ip + 24, order->to, 16);
	if (!is_fragment)
		return ETHER_BYTES + 40;
	ip[40] = IPPROTO_TCP;
	put16(ip + 42, segment->fragment_offset | segment->more_fragments);
	put32(ip + 44, segment->source);
	return ETHER_BYTES + 48;
}

static void
frame_write(struct frame *frame, const struct order *order, const struct segment *segment)
{
	unsigned options_length = (segment->options_length + 3) & ~3u;
	unsigned length = 20 + options_length + segment->payload_length;
	unsigned addresses = ETHER_BYTES + (order->ip6 ? 8 : 12);

	memset(frame->bytes, 0, sizeof(frame->bytes));
	memcpy(frame->bytes, &order->destination_mac, 6);
	memcpy(frame->bytes + 6, &order->source_mac, 6);
	put16(frame->bytes + 12, order->ip6 ? ETH_P_IPV6 : ETH_P_IP);

	unsigned at = write_ip(frame, order, segment, length);
	uint8_t *tcp = frame->bytes + at;

	put16(tcp, segment->port);
	put16(tcp + 2, order->port);
	put32(tcp + 4, segment->seq);
	put32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)((20 + options_length) / 4 << 4);
	tcp[13] = segment->flags;
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, segment->options, segment->options_length);
	put16(tcp + 16, sender_sum_close(sender_sum_add(sender_sum_add(IPPROTO_TCP + length,
									frame->bytes + addresses,
									order->ip6 ? 32 : 8),
					tcp, length)));
	frame->length = at + length;
}

/* Options of a SYN as Linux sends it: MSS 1460, SACK, timestamps, NOP, window scale 7. */
static void
add_syn_options(struct segment *segment, uint32_t tsval)
{
	static const uint8_t options[20] = {
			2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};

	memcpy(segment->options, options, sizeof(options));
	put32(segment->options + 8, tsval);
	segment->options_length = sizeof(options);
}

/* One option alone, or none but padding: too little room for all that an answer might say. */
static void
add_tiny_options(struct segment *segment)
{
	static const uint8_t tiny[][4] = {{2, 4, 0, 88}, {3, 3, 7, 0}, {4, 2, 1, 1}, {1, 1, 1, 0}};

	memcpy(segment->options, tiny[segment->source % 4], sizeof(tiny[0]));
	segment->options_length = sizeof(tiny[0]);
}

static struct segment
segment_of(struct order *order, uint8_t flags)
{
	uint64_t bits = sender_draw(&order->random);

	return (struct segment){
			.source = order->one_source ? 1 : (uint32_t)(bits >> 40),
			.port = (uint16_t)(1024 + bits % (65536 - 1024)),
			.seq = (uint32_t)(bits >> 16),
			.ack = flags & TH_ACK ? (uint32_t)sender_draw(&order->random) : 0,
			.flags = flags,
	};
}

/* What no stack sends: each draw spoils something else. */
static void
spoil(struct frame *frame, struct order *order)
{
	unsigned l3 = ETHER_BYTES, l4 = l3 + (order->ip6 ? 40 : 20);
	uint64_t bits = sender_draw(&order->random);

	switch (bits % 8) {
	case 0: /* a data offset beyond the packet, or below the header */
		frame->bytes[l4 + 12] = (uint8_t)(bits >> 8);
		break;
	case 1: /* any flags */
		frame->bytes[l4 + 13] = (uint8_t)(bits >> 8);
		break;
	case 2: /* cut off anywhere */
		frame->length = ETHER_BYTES + (unsigned)(bits >> 8) % (frame->length - ETHER_BYTES);
		break;
	case 3: /* an option of length 0 */
		frame->bytes[l4 + 21] = 0;
		break;
	case 4: /* a wrong checksum */
		frame->bytes[l4 + 16] ^= 0x55;
		break;
	case 5: /* an IP length that is not the frame's */
		put16(frame->bytes + l3 + (order->ip6 ? 4 : 2), (uint32_t)(bits >> 8) & 0xffff);
		break;
	case 6: /* any IP version and header length */
		frame->bytes[l3] = (uint8_t)(bits >> 8);
		break;
	default: /* any byte */
		frame->bytes[l3 + (bits >> 8) % (frame->length - l3)] = (uint8_t)(bits >> 40);
		break;
	}
}

/* A first fragment with a whole SYN, a tiny one without, or a later one over the header. */
static struct segment
fragment_of(struct order *order)
{
	struct segment segment = segment_of(order, TH_SYN);

	segment.payload_length = 64;
	segment.more_fragments = segment.source % 3 != 0;
	segment.fragment_offset = segment.source % 3 == 1 ? 0 : 8 * (1 + segment.source % 5);
	return segment;
}

static void
frame_draw(struct frame *frame, struct order *order, enum kind kind)
{
	static const uint8_t flags[] = {
			[SYN] = TH_SYN,
			[BARE_SYN] = TH_SYN,
			[TINY_SYN] = TH_SYN,
			[LARGE_SYN] = TH_SYN,
			[SYN_ACK] = TH_SYN | TH_ACK,
			[ACK] = TH_ACK,
			[RST] = TH_RST,
			[FIN] = TH_FIN | TH_ACK,
			[FRAGMENTS] = TH_SYN,
			[MALFORMED] = TH_SYN,
			[MIXED] = 0,
			[PROVED] = TH_SYN,
			[REPLAY] = TH_SYN,
	};

	if (kind == MIXED)
		kind = (enum kind)(sender_draw(&order->random) % MIXED);

	struct segment segment =
			kind == FRAGMENTS ? fragment_of(order) : segment_of(order, flags[kind]);

	if (kind == SYN || kind == MALFORMED || listens(kind))
		add_syn_options(&segment, segment.seq);
	if (kind == TINY_SYN)
		add_tiny_options(&segment);
	if (kind == LARGE_SYN)
		segment.payload_length = LARGE_SYN_BYTES;
	frame_write(frame, order, &segment);
	if (kind == MALFORMED)
		spoil(frame, order);
}

static void
frame_send(int fd, const struct frame *frame, struct sums *sums)
{
	while (send(fd, frame->bytes, frame->length, 0) < 0) {
		if (errno != ENOBUFS && errno != EINTR)
			sender_fail("send");
	}
	sums->packets++;
	sums->bytes += frame->length < ETHER_BYTES_LEAST ? ETHER_BYTES_LEAST : frame->length;
}

/* The answer to a SYN-ACK for one of our sources; false when it isn't one. */
static bool
answer_of(const struct order *order, const uint8_t *bytes, ssize_t length, struct segment *segment)
{
	unsigned l4 = ETHER_BYTES + (order->ip6 ? 40 : 20);
	const uint8_t *tcp = bytes + l4;
	const uint8_t *own = bytes + ETHER_BYTES + (order->ip6 ? 24 : 16);

	if (length < (ssize_t)l4 + 20 || bytes[12] != (order->ip6 ? 0x86 : 0x08) ||
			(tcp[13] & (TH_SYN | TH_ACK | TH_RST)) != (TH_SYN | TH_ACK) ||
			own[0] != (order->ip6 ? 0x20 : 198))
		return false;
	*segment = (struct segment){
			.source = order->ip6 ? get32(own + 12) : get32(own) & 0x1ffff,
			.port = (uint16_t)(tcp[2] << 8 | tcp[3]),
			.seq = get32(tcp + 8),
			.ack = get32(tcp + 4) + 1,
			.flags = TH_ACK,
	};
	if (tcp[12] >> 4 == 10 && length >= (ssize_t)l4 + 40) {
		/* Timestamps, at the place where both Linux and Sluice write them. */
		segment->options[0] = segment->options[1] = 1;
		segment->options[2] = 8;
		segment->options[3] = 10;
		memcpy(segment->options + 4, tcp + 32, 4);
		memcpy(segment->options + 8, tcp + 28, 4);
		segment->options_length = 12;
	}
	return true;
}

/* Clients that prove themselves: the last OPEN_MAX stay connected, older ones reset. */
static void
prove(int fd, const struct order *order, struct segment *kept, uint64_t *count, struct sums *sums)
{
	static struct frame frame;
	uint8_t bytes[FRAME_MAX];
	ssize_t length;

	while ((length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		struct segment answer;

		if (!answer_of(order, bytes, length, &answer) ||
				(order->kind == REPLAY && *count >= REPLAYED_MAX))
			continue;
		frame_write(&frame, order, &answer);
		frame_send(fd, &frame, sums);

		struct segment *place = &kept[*count % OPEN_MAX];

		if (*count >= OPEN_MAX) {
			place->flags = TH_RST | TH_ACK;
			frame_write(&frame, order, place);
			frame_send(fd, &frame, sums);
		}
		*place = answer;
		++*count;
	}
}

/* One batch; the replayer sends what it has learned instead of SYNs as soon as it has enough. */
static void
send_batch(int fd, struct order *order, struct segment *kept, uint64_t *proved, struct sums *sums)
{
	static struct frame frames[SENDER_BATCH];
	struct iovec vectors[SENDER_BATCH];
	struct mmsghdr messages[SENDER_BATCH] = {0};

	for (unsigned i = 0; i < SENDER_BATCH; i++) {
		if (order->kind == REPLAY && *proved >= REPLAYED_MAX)
			frame_write(&frames[i], order,
					&kept[sender_draw(&order->random) % REPLAYED_MAX]);
		else
			frame_draw(&frames[i], order, order->kind);
		vectors[i] = (struct iovec){frames[i].bytes, frames[i].length};
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		sums->packets++;
		sums->bytes += frames[i].length < ETHER_BYTES_LEAST ? ETHER_BYTES_LEAST
								    : frames[i].length;
	}
	sender_send(fd, messages, SENDER_BATCH);
	if (listens(order->kind))
		prove(fd, order, kept, proved, sums);
}

/* Whoever proved itself leaves nothing behind. */
static void
reset_kept(int fd, const struct order *order, struct segment *kept, uint64_t proved,
		struct sums *sums)
{
	static struct frame frame;

	for (uint64_t i = 0; i < proved && i < OPEN_MAX; i++) {
		kept[i].flags = TH_RST | TH_ACK;
		frame_write(&frame, order, &kept[i]);
		frame_send(fd, &frame, sums);
	}
}

int
main(int argc, char **argv)
{
	static struct segment kept[OPEN_MAX];
	struct order order = order_parse(argc, argv);
	int fd = socket_open(&order);
	uint64_t start_ns = sender_clock_ns(), end_ns = start_ns + order.ms * NS_PER_MS,
		 at_ns = start_ns;
	uint64_t interval_ns = SENDER_BATCH * NS_PER_S / order.rate, proved = 0;
	struct sums sums = {0};

	sender_stop_block();
	while (at_ns < end_ns && !sender_is_stopped()) {
		bool is_pause = order.pulse_ms > 0 &&
				(at_ns - start_ns) / (order.pulse_ms * NS_PER_MS) % 2 == 1;

		if (!is_pause)
			send_batch(fd, &order, kept, &proved, &sums);
		at_ns += interval_ns;
		sender_sleep_until(at_ns);
		/* Who was kept from the CPU for long does not make up for it at once. */
		if (sender_clock_ns() > at_ns + 50 * NS_PER_MS)
			at_ns = sender_clock_ns();
	}

	double took_s = (double)(sender_clock_ns() - start_ns) / (double)NS_PER_S;

	if (listens(order.kind)) {
		/* What is still under way is answered, too, and then all end. */
		sender_sleep_until(sender_clock_ns() + 100 * NS_PER_MS);
		prove(fd, &order, kept, &proved, &sums);
		reset_kept(fd, &order, kept, proved, &sums);
	}
	printf("{\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"proved\": %" PRIu64
	       ", \"seconds\": %.3f}\n",
			sums.packets, sums.bytes, proved, took_s);
	close(fd);
	return 0;
}
