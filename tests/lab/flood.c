/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends a bounded number of TCP packets of one kind from random sources through one interface,
 * at a bounded rate: the attacker of the lab tests and of app/quickstart. Sources come from the
 * ranges set aside for benchmarks (RFC 2544, RFC 5180), so that nobody's address is forged.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "live.h"
#include "sender.h"

#define RATE_DEFAULT 100000

#define TCP_OPTIONS_MAX 20
#define FRAME_MAX                                                                                  \
	(sizeof(struct ether_header) + sizeof(struct ip6_hdr) + sizeof(struct tcphdr) +            \
			TCP_OPTIONS_MAX)

/** What to send, from the command line. */
struct order {
	const char *interface;
	struct ether_addr destination_mac;
	struct in6_addr to; /**< the first 4 bytes for IPv4 */
	bool ip6;
	bool timestamps;  /**< with a timestamp option of random values */
	bool bare;	  /**< SYNs without options */
	bool one_network; /**< all sources in one /24 or /48 */
	uint8_t flags;
	uint16_t port;
	uint64_t count;
	uint64_t rate;	  /**< packets per second */
	const char *live; /**< the program for live_flood(), or NULL */
	uint64_t seed;
};

/** A frame whose constant parts are filled in, and where the others are. */
struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t length;
	size_t tcp_offset;
};

static const struct {
	const char *name;
	uint8_t flags;
} kinds[] = {
		{"syn", TH_SYN},
		{"ack", TH_ACK},
		{"syn-ack", TH_SYN | TH_ACK},
		{"rst", TH_RST},
		{"fin", TH_FIN | TH_ACK},
};

static const char usage[] =
		"usage: flood --interface NAME --destination-mac MAC --to ADDRESS --count N\n"
		"             [--type syn|ack|syn-ack|rst|fin] [--port N] [--rate PACKETS_PER_S]\n"
		"             [--timestamps] [--bare] [--one-network] [--seed N] [--live OBJECT]\n"
		"Sends N TCP packets from random sources, or fewer when told to end (SIGTERM); "
		"says how many.\n"
		"  --timestamps  with a timestamp option of random values (SYNs have one anyway)\n"
		"  --bare        SYNs without any option\n"
		"  --one-network  from 198.18.7.0/24 or 2001:2::/48 alone\n"
		"  --live OBJECT  IPv4 SYNs with options, as fast as this CPU can make them, "
		"without\n"
		"                 a socket; OBJECT is flood.bpf.o\n";

static uint8_t
kind_parse(const char *text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, text) == 0)
			return kinds[i].flags;
	}
	sender_refuse("no such type", text, usage);
}

static void
address_parse(struct order *order, const char *text)
{
	order->ip6 = strchr(text, ':') != NULL;
	if (inet_pton(order->ip6 ? AF_INET6 : AF_INET, text, &order->to) != 1)
		sender_refuse("not an address", text, usage);
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
		address_parse(order, value);
		break;
	case 'p':
		order->port = (uint16_t)sender_number(value, 1, UINT16_MAX, usage);
		break;
	case 't':
		order->flags = kind_parse(value);
		break;
	case 'n':
		order->count = sender_number(value, 1, UINT32_MAX, usage);
		break;
	case 'r':
		order->rate = sender_number(value, 1, 100000000, usage);
		break;
	case 's':
		order->seed = sender_number(value, 0, UINT64_MAX, usage);
		break;
	case 'T':
		order->timestamps = true;
		break;
	case 'b':
		order->bare = true;
		break;
	case 'o':
		order->one_network = true;
		break;
	case 'l':
		order->live = value;
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
			{"port", required_argument, NULL, 'p'},
			{"type", required_argument, NULL, 't'},
			{"count", required_argument, NULL, 'n'},
			{"rate", required_argument, NULL, 'r'},
			{"seed", required_argument, NULL, 's'},
			{"timestamps", no_argument, NULL, 'T'},
			{"bare", no_argument, NULL, 'b'},
			{"one-network", no_argument, NULL, 'o'},
			{"live", required_argument, NULL, 'l'},
			{NULL, 0, NULL, 0},
	};
	struct order order = {.flags = TH_SYN, .port = 80};
	bool has_address = false, has_mac = false;
	int option;

	if (getrandom(&order.seed, sizeof(order.seed), 0) != sizeof(order.seed))
		sender_fail("getrandom");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		option_apply(&order, option, optarg);
		has_address |= option == 'a';
		has_mac |= option == 'm';
	}
	if (optind != argc)
		sender_refuse("unexpected argument", argv[optind], usage);
	if (order.interface == NULL || !has_address || !has_mac || order.count == 0)
		sender_refuse("missing", "--interface, --destination-mac, --to or --count", usage);
	if (order.live != NULL && (order.ip6 || order.flags != TH_SYN || order.bare ||
						  order.one_network || order.rate != 0))
		sender_refuse("only IPv4 SYNs with options, at no rate", "--live", usage);
	if (order.rate == 0)
		order.rate = RATE_DEFAULT;
	return order;
}

/* Options of a SYN as Linux sends it: MSS 1460, SACK, timestamps, NOP, window scale 7. */
static const uint8_t syn_options[TCP_OPTIONS_MAX] = {
		2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
#define SYN_TIMESTAMP_OFFSET 8

/* Timestamps alone, as in every later segment: NOP, NOP, the option. */
static const uint8_t timestamp_options[12] = {1, 1, 8, 10};
#define TIMESTAMP_OFFSET 4

static const uint8_t *
options_of(const struct order *order, size_t *length)
{
	if (order->flags & TH_SYN && !order->bare) {
		*length = sizeof(syn_options);
		return syn_options;
	}
	*length = order->timestamps ? sizeof(timestamp_options) : 0;
	return timestamp_options;
}

/* Ethernet and IP, without what changes from packet to packet. */
static void
frame_init(struct frame *frame, const struct order *order, const struct ether_addr *source_mac)
{
	struct ether_header ether = {.ether_type = htons(order->ip6 ? ETH_P_IPV6 : ETH_P_IP)};
	size_t options_length;
	const uint8_t *options = options_of(order, &options_length);
	size_t tcp_length = sizeof(struct tcphdr) + options_length;

	memset(frame, 0, sizeof(*frame));
	memcpy(ether.ether_dhost, &order->destination_mac, sizeof(ether.ether_dhost));
	memcpy(ether.ether_shost, source_mac, sizeof(ether.ether_shost));
	memcpy(frame->bytes, &ether, sizeof(ether));
	if (order->ip6) {
		struct ip6_hdr ip6 = {.ip6_plen = htons((uint16_t)tcp_length),
				.ip6_nxt = IPPROTO_TCP,
				.ip6_hlim = 64,
				.ip6_dst = order->to};
		ip6.ip6_vfc = 6 << 4;
		inet_pton(AF_INET6, "2001:2::", &ip6.ip6_src);
		memcpy(frame->bytes + sizeof(ether), &ip6, sizeof(ip6));
		frame->tcp_offset = sizeof(ether) + sizeof(ip6);
	} else {
		struct iphdr ip = {.version = 4,
				.ihl = 5,
				.tot_len = htons((uint16_t)(sizeof(ip) + tcp_length)),
				.frag_off = htons(IP_DF),
				.ttl = 64,
				.protocol = IPPROTO_TCP};
		memcpy(&ip.daddr, &order->to, sizeof(ip.daddr));
		memcpy(frame->bytes + sizeof(ether), &ip, sizeof(ip));
		frame->tcp_offset = sizeof(ether) + sizeof(ip);
	}
	memcpy(frame->bytes + frame->tcp_offset + sizeof(struct tcphdr), options, options_length);
	frame->length = frame->tcp_offset + tcp_length;
}

/* A random source, and the checksums that go with it. */
static void
source_draw(struct frame *frame, const struct order *order, uint64_t *random)
{
	uint8_t *ip = frame->bytes + sizeof(struct ether_header);
	uint8_t *tcp = frame->bytes + frame->tcp_offset;
	size_t tcp_length = frame->length - frame->tcp_offset;
	uint64_t bits = sender_draw(random);
	const bool ip6 = order->ip6;
	size_t addresses = ip6 ? offsetof(struct ip6_hdr, ip6_src) : offsetof(struct iphdr, saddr);

	if (ip6) {
		memcpy(ip + addresses + 8, &bits, sizeof(bits));
	} else {
		uint32_t host = order->one_network ? 7u << 8 | (bits & 0xff) : bits & 0x1ffff;
		uint32_t source = htonl(198u << 24 | 18u << 16 | host);
		uint16_t check = 0;

		memcpy(ip + addresses, &source, sizeof(source));
		memcpy(ip + offsetof(struct iphdr, check), &check, sizeof(check));
		check = htons(sender_sum_close(sender_sum_add(0, ip, sizeof(struct iphdr))));
		memcpy(ip + offsetof(struct iphdr, check), &check, sizeof(check));
	}
	memset(tcp + offsetof(struct tcphdr, check), 0, sizeof(uint16_t));
	uint32_t sum = sender_sum_add(
			IPPROTO_TCP + (uint32_t)tcp_length, ip + addresses, ip6 ? 32 : 8);
	uint16_t check = htons(sender_sum_close(sender_sum_add(sum, tcp, (unsigned)tcp_length)));
	memcpy(tcp + offsetof(struct tcphdr, check), &check, sizeof(check));
}

/* The next packet: random source, port, sequence numbers and timestamps. */
static void
frame_draw(struct frame *frame, const struct order *order, uint64_t *random)
{
	uint8_t *at = frame->bytes + frame->tcp_offset;
	size_t options_length = frame->length - frame->tcp_offset - sizeof(struct tcphdr);
	uint64_t bits = sender_draw(random);
	struct tcphdr tcp = {.th_sport = htons((uint16_t)(1024 + bits % (65536 - 1024))),
			.th_dport = htons(order->port),
			.th_seq = (uint32_t)(bits >> 32),
			.th_flags = order->flags,
			.th_win = htons(64240),
			.th_off = (sizeof(struct tcphdr) + options_length) / 4 & 0xf};

	if (order->flags & TH_ACK)
		tcp.th_ack = (uint32_t)sender_draw(random);
	memcpy(at, &tcp, sizeof(tcp));
	if (options_length > 0) {
		bool syn = options_length == sizeof(syn_options);
		uint64_t values = sender_draw(random);
		size_t bytes = order->flags & TH_ACK ? 8 : 4;

		memcpy(at + sizeof(tcp) + (syn ? SYN_TIMESTAMP_OFFSET : TIMESTAMP_OFFSET), &values,
				bytes);
	}
	source_draw(frame, order, random);
}

/* Sleeps until packet number sent is due. */
static void
pace(uint64_t start_ns, uint64_t sent, uint64_t rate)
{
	sender_sleep_until(start_ns + (uint64_t)((double)sent / (double)rate * (double)NS_PER_S));
}

static uint64_t
flood(int fd, const struct order *order, const struct ether_addr *source_mac)
{
	static struct frame frames[SENDER_BATCH];
	struct iovec vectors[SENDER_BATCH];
	struct mmsghdr messages[SENDER_BATCH] = {0};
	uint64_t random = order->seed, start_ns = sender_clock_ns(), sent = 0;

	for (unsigned i = 0; i < SENDER_BATCH; i++) {
		frame_init(&frames[i], order, source_mac);
		vectors[i].iov_base = frames[i].bytes;
		vectors[i].iov_len = frames[i].length;
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < order->count && !sender_is_stopped()) {
		uint64_t left = order->count - sent;
		unsigned batch = left < SENDER_BATCH ? (unsigned)left : SENDER_BATCH;

		for (unsigned i = 0; i < batch; i++)
			frame_draw(&frames[i], order, &random);
		sender_send(fd, messages, batch);
		sent += batch;
		pace(start_ns, sent, order->rate);
	}
	return sent;
}

/* The same by an XDP program. */
static uint64_t
flood_live(const struct order *order, const struct ether_addr *source_mac)
{
	uint64_t random = order->seed;
	struct frame frame;

	frame_init(&frame, order, source_mac);
	frame_draw(&frame, order, &random);
	_Static_assert(FRAME_MAX >= LIVE_FRAME_LENGTH, "a frame has room for a SYN");
	return live_flood(order->live, order->interface, frame.bytes, order->count);
}

int
main(int argc, char **argv)
{
	struct order order = order_parse(argc, argv);
	struct ether_addr source_mac;
	int fd = sender_open(order.interface, 0, &source_mac);
	sender_stop_block();
	uint64_t start_ns = sender_clock_ns();
	uint64_t sent = order.live != NULL ? flood_live(&order, &source_mac)
					   : flood(fd, &order, &source_mac);

	printf("sent %" PRIu64 " in %.3f s\n", sent,
			(double)(sender_clock_ns() - start_ns) / (double)NS_PER_S);
	close(fd);
	return 0;
}
