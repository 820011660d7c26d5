/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_DEFAULT "/run/sluice/control.sock.ro"
#define LISTEN_DEFAULT "127.0.0.1:9797"
#define BACKENDS_DEFAULT 256
#define BACKENDS_MAX 4096

static const char usage[] =
		"usage: sluice-exporter [OPTION...]\n"
		"Serves metrics and a status page of a running sluice over HTTP.\n"
		"\n"
		"  -s, --socket PATH          the appliance's socket that only reads\n"
		"                             (" SOCKET_DEFAULT ")\n"
		"  -l, --listen ADDRESS:PORT  where to serve (" LISTEN_DEFAULT
		"); [ADDRESS]:PORT for IPv6.\n"
		"                             There are no passwords: whoever reaches it may read\n"
		"  -u, --user NAME            whom to become when started as root\n"
		"                             (sluice-exporter, or nobody where there is none)\n"
		"  -g, --group NAME           which group to be in, instead of that user's own\n"
		"  -b, --backends-max N       backends with metrics of their own, 1..4096 (256)\n"
		"  -h, --help                 this text\n"
		"      --version              the version\n"
		"\n"
		"  /         the status page            /metrics  OpenMetrics for Prometheus\n"
		"  /healthz  200 while this process runs\n"
		"  /readyz   200 while the appliance answers, otherwise 503\n";

static bool
port_read(const char *text, in_port_t *port)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > 65535)
		return false;
	*port = htons((uint16_t)number);
	return true;
}

bool
options_read_address(struct options *options, const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&options->listen;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&options->listen;
	const char *colon = strrchr(text, ':');
	char address[INET6_ADDRSTRLEN + 2];
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;

	options->listen = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	if (length == 0 || length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		options->listen_length = sizeof(*v4);
		return port_read(colon + 1, &v4->sin_port);
	}
	if (address[0] != '[' || address[length - 1] != ']')
		return false;
	address[length - 1] = '\0';
	v6->sin6_family = AF_INET6;
	options->listen_length = sizeof(*v6);
	return inet_pton(AF_INET6, address + 1, &v6->sin6_addr) == 1 &&
	       port_read(colon + 1, &v6->sin6_port);
}

bool
options_is_loopback(const struct options *options)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&options->listen;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&options->listen;

	if (options->listen.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool
backends_read(struct options *options, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	options->backends_max = (unsigned)number;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number >= 1 &&
	       number <= BACKENDS_MAX;
}

/* One option; false when it is wrong or the last one wanted. */
static bool
option_take(struct options *options, int option, enum exit_code *code)
{
	*code = EXIT_CODE_INPUT;
	switch (option) {
	case 's':
		options->socket = optarg;
		return true;
	case 'l':
		if (options_read_address(options, optarg))
			return true;
		say("--listen %s: takes ADDRESS:PORT, such as 127.0.0.1:9797 or [::1]:9797",
				optarg);
		return false;
	case 'u':
		options->user = optarg;
		return true;
	case 'g':
		options->group = optarg;
		return true;
	case 'b':
		if (backends_read(options, optarg))
			return true;
		say("--backends-max %s: takes a number from 1 to %d", optarg, BACKENDS_MAX);
		return false;
	case 'h':
		fputs(usage, stdout);
		*code = EXIT_CODE_OK;
		return false;
	case 'V':
		puts("sluice-exporter " SLUICE_VERSION);
		*code = EXIT_CODE_OK;
		return false;
	default:
		say("try: sluice-exporter --help"); /* what is wrong was said by getopt_long() */
		return false;
	}
}

bool
options_read(struct options *options, int argc, char **argv, enum exit_code *code)
{
	static const struct option longs[] = {
			{"socket", required_argument, NULL, 's'},
			{"listen", required_argument, NULL, 'l'},
			{"user", required_argument, NULL, 'u'},
			{"group", required_argument, NULL, 'g'},
			{"backends-max", required_argument, NULL, 'b'},
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'V'},
			{NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct options){.socket = SOCKET_DEFAULT, .backends_max = BACKENDS_DEFAULT};
	options_read_address(options, LISTEN_DEFAULT);
	while ((option = getopt_long(argc, argv, "s:l:u:g:b:h", longs, NULL)) != -1) {
		if (!option_take(options, option, code))
			return false;
	}
	if (optind == argc)
		return true;
	say("unexpected \"%s\"; try: sluice-exporter --help", argv[optind]);
	*code = EXIT_CODE_INPUT;
	return false;
}
