/* SPDX-License-Identifier: BSD-3-Clause */
/* Defaults are ranges set aside for benchmarks (RFC 2544, RFC 5180), so that nobody's address is
 * forged. */
#include "order.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../sluice/keys.h"

#define COUNT_MAX 16777216 /* testpmd keeps a whole capture in memory */

static const char usage[] =
		"usage: sluice-traffic --out FILE --to ADDRESS [OPTION...]\n"
		"Writes a pcap capture of SYNs, ACKs or both, for testpmd, tcpreplay and others to "
		"send.\n"
		"  --out FILE             the capture\n"
		"  --to ADDRESS           of the backend, IPv4 or IPv6\n"
		"  --port N               of the backend; 80\n"
		"  --kind syn|ack|mix     what to write; syn\n"
		"  --ack-percent N        of ACKs in a mix, 1 to 99; 50\n"
		"  --count N              packets, 1 to 16777216; 65536\n"
		"  --from ADDRESS[/BITS]  where they come from, at random within the prefix;\n"
		"                         198.18.0.0/15 or 2001:2::/64\n"
		"  --source-port N        instead of one at random from 1024 up\n"
		"  --options all|mss|none\n"
		"                         what the SYNs offer, hence whether ACKs have timestamps; "
		"all\n"
		"  --payload N            bytes of data in each ACK, up to 1400; 0\n"
		"  --vlan VID[,VID]       tags, the outer one first (0x88a8 when there are two)\n"
		"  --source-mac MAC, --destination-mac MAC\n"
		"                         02:00:00:00:00:01 and 02:00:00:00:00:02\n"
		"  --secret-file FILE     ACKs carry cookies that a Sluice with this "
		"keys.secret_file\n"
		"                         takes for its own, for 64 to 128 s from --time on\n"
		"  --time SECONDS         since 1970, when the cookies were sent; now\n"
		"  --seed N               the same numbers for the same seed; 1\n"
		"Without --secret-file the numbers of ACKs are random.\n";

static _Noreturn void
refuse(const char *option, const char *value, const char *allowed)
{
	fprintf(stderr, "sluice-traffic: --%s %s: %s; see --help\n", option, value, allowed);
	exit(2);
}

static uint64_t
number_parse(const char *option, const char *text, uint64_t lowest, uint64_t highest)
{
	unsigned long long number;
	char allowed[80], *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && text[0] != '-' && number >= lowest &&
			number <= highest)
		return number;
	snprintf(allowed, sizeof(allowed), "not a number from %llu to %llu",
			(unsigned long long)lowest, (unsigned long long)highest);
	refuse(option, text, allowed);
}

static unsigned
word_parse(const char *option, const char *text, const char *const *words)
{
	char allowed[80] = "not one of";

	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		strcat(strcat(allowed, " "), words[i]);
	}
	refuse(option, text, allowed);
}

static enum family
address_parse(const char *option, const char *text, union ip_addr *address)
{
	uint32_t ip4_be;

	if (inet_pton(AF_INET6, text, address->bytes) == 1)
		return FAMILY_IP6;
	if (inet_pton(AF_INET, text, &ip4_be) != 1)
		refuse(option, text, "not an address");
	*address = ip_addr_from_ip4(ip4_be);
	return FAMILY_IP4;
}

/* ADDRESS/BITS; the order's family is known. */
static void
prefix_parse(struct order *order, const char *text)
{
	const unsigned width = order->family == FAMILY_IP6 ? 128 : 32;
	const unsigned least = order->family == FAMILY_IP6 ? 64 : 0;
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	const size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);

	if (length >= sizeof(address))
		refuse("from", text, "not an address");
	memcpy(address, text, length);
	address[length] = '\0';
	if (address_parse("from", address, &order->from) != order->family)
		refuse("from", text, "not of the same IP version as --to");
	if (slash != NULL)
		order->from_bits = width - (unsigned)number_parse("from", slash + 1, least, width);
}

static void
vlans_parse(struct order *order, const char *text)
{
	char copy[16], *rest = copy, *part;

	if (strlen(text) >= sizeof(copy))
		refuse("vlan", text, "not VID or VID,VID");
	strcpy(copy, text);
	while ((part = strsep(&rest, ",")) != NULL) {
		if (order->vlan_count == VLAN_TAGS_MAX)
			refuse("vlan", text, "more than two tags");
		order->vlans[order->vlan_count++] = (uint16_t)number_parse("vlan", part, 0, 4094);
	}
}

static void
mac_parse(const char *option, const char *text, uint8_t mac[ORDER_MAC_BYTES])
{
	struct ether_addr address;

	if (ether_aton_r(text, &address) == NULL)
		refuse(option, text, "not a MAC address");
	memcpy(mac, address.ether_addr_octet, ORDER_MAC_BYTES);
}

static void
secret_read(struct order *order, const char *path)
{
	const struct keys none = {0};
	char message[1024];

	order->has_secret = true;
	if (keys_secret(&none, path, &order->secret, message, sizeof(message)))
		return;
	fprintf(stderr, "sluice-traffic: %s\n", message);
	exit(1);
}

/* The texts of options that others decide about. */
struct late {
	const char *to, *from, *secret;
};

static void
option_apply(struct order *order, struct late *late, const char *name, const char *value)
{
	static const char *const kinds[] = {"syn", "ack", "mix", NULL};
	static const char *const offers[] = {"all", "mss", "none", NULL};

	if (strcmp(name, "out") == 0)
		order->path = value;
	else if (strcmp(name, "to") == 0)
		late->to = value;
	else if (strcmp(name, "from") == 0)
		late->from = value;
	else if (strcmp(name, "secret-file") == 0)
		late->secret = value;
	else if (strcmp(name, "port") == 0)
		order->port = (uint16_t)number_parse(name, value, 1, UINT16_MAX);
	else if (strcmp(name, "source-port") == 0)
		order->source_port = (uint16_t)number_parse(name, value, 1, UINT16_MAX);
	else if (strcmp(name, "kind") == 0)
		order->kind = (enum order_kind)word_parse(name, value, kinds);
	else if (strcmp(name, "ack-percent") == 0)
		order->ack_percent = (unsigned)number_parse(name, value, 1, 99);
	else if (strcmp(name, "count") == 0)
		order->count = (uint32_t)number_parse(name, value, 1, COUNT_MAX);
	else if (strcmp(name, "options") == 0)
		order->options = (enum order_options)word_parse(name, value, offers);
	else if (strcmp(name, "payload") == 0)
		order->payload = (unsigned)number_parse(name, value, 0, ORDER_PAYLOAD_MAX);
	else if (strcmp(name, "vlan") == 0)
		vlans_parse(order, value);
	else if (strcmp(name, "source-mac") == 0)
		mac_parse(name, value, order->source_mac);
	else if (strcmp(name, "destination-mac") == 0)
		mac_parse(name, value, order->destination_mac);
	else if (strcmp(name, "time") == 0)
		order->now = number_parse(name, value, 0, UINT32_MAX) * TICKS_PER_S;
	else
		order->seed = number_parse(name, value, 0, UINT64_MAX);
}

static void
order_complete(struct order *order, const struct late *late)
{
	if (order->path == NULL || late->to == NULL) {
		fputs("sluice-traffic: --out and --to are needed; see --help\n", stderr);
		exit(2);
	}
	order->family = address_parse("to", late->to, &order->to);
	prefix_parse(order, order->family == FAMILY_IP6 ? "2001:2::/64" : "198.18.0.0/15");
	if (late->from != NULL) {
		order->from_bits = 0;
		prefix_parse(order, late->from);
	}
	if (late->secret != NULL)
		secret_read(order, late->secret);
}

struct order
order_parse(int argc, char **argv)
{
	static const char *const names[] = {"out", "to", "from", "secret-file", "port",
			"source-port", "kind", "ack-percent", "count", "options", "payload", "vlan",
			"source-mac", "destination-mac", "time", "seed"};
	struct option options[ARRAY_COUNT(names) + 2] = {0};
	struct order order = {.port = 80,
			.ack_percent = 50,
			.count = 65536,
			.seed = 1,
			.source_mac = {2, 0, 0, 0, 0, 1},
			.destination_mac = {2, 0, 0, 0, 0, 2},
			.now = (ticks_t)time(NULL) * TICKS_PER_S};
	struct late late = {0};
	int option, which;

	for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
		options[i] = (struct option){names[i], required_argument, NULL, 'o'};
	options[ARRAY_COUNT(names)] = (struct option){"help", no_argument, NULL, 'h'};
	while ((option = getopt_long(argc, argv, "", options, &which)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (option != 'o') /* getopt has said what is wrong */
			exit(2);
		option_apply(&order, &late, names[which], optarg);
	}
	if (optind != argc) {
		fprintf(stderr, "sluice-traffic: %s: unexpected; see --help\n", argv[optind]);
		exit(2);
	}
	order_complete(&order, &late);
	return order;
}
