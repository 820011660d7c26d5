/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path without a NIC: sluice_burst() over packets made before, in more distinct buffers
 * than L2 holds, restored outside the timed part. One JSON object per case, burst size and size of
 * the tables on standard output. Times are TSC cycles; "calibration" is a scalar loop of the same
 * process to compare machines by. tests/bench/run shows it as a table.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const char usage[] =
		"usage: bench [--rounds N] [--burst N,...] [--connections N,...] [--backends "
		"N,...] "
		"[--list] [CASE...]\n"
		"  --rounds       1 to 99; 9 without\n"
		"  --burst        packets per call, 1 to 32 each; 32 without\n"
		"  --connections  of the splice cases, 1 to 60000000 each; 10000,1000000 without\n"
		"  --backends     of syn_backends and reload, 2 to 65535 each; 2,10000 without\n"
		"  --list         names of the cases\n";

static const struct bench_case *const tables[] = {cases_stateless, cases_queue, cases_connection,
		cases_reload, cases_stages, cases_splice_stages, cases_floor};

static _Noreturn void
refuse(const char *what, const char *value)
{
	fprintf(stderr, "bench: %s: %s\n%s", what, value, usage);
	exit(2);
}

/* Numbers with commas between them; how many. */
static unsigned
list_parse(const char *text, uint32_t lowest, uint32_t highest, uint32_t list[LIST_MAX])
{
	const char *at = text;
	unsigned count = 0;
	char *end;

	do {
		errno = 0;
		unsigned long number = strtoul(at, &end, 10);

		if (errno != 0 || end == at || (*end != '\0' && *end != ',') || number < lowest ||
				number > highest || count == LIST_MAX)
			refuse("not in range", text);
		list[count++] = (uint32_t)number;
		at = end + 1;
	} while (*end == ',');
	return count;
}

static struct request
request_parse(int argc, char **argv, bool *only_list)
{
	static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
			{"burst", required_argument, NULL, 'b'},
			{"connections", required_argument, NULL, 'c'},
			{"backends", required_argument, NULL, 's'},
			{"list", no_argument, NULL, 'l'}, {0}};
	struct request request = {.rounds = 9,
			.bursts = {BURST_MAX},
			.burst_count = 1,
			.connections = {10000, 1000000},
			.connections_count = 2,
			.backends = {2, 10000},
			.backends_count = 2};
	uint32_t rounds[LIST_MAX];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r') {
			if (list_parse(optarg, 1, ROUNDS_MAX, rounds) != 1)
				refuse("not one number", optarg);
			request.rounds = rounds[0];
		} else if (option == 'b') {
			request.burst_count = list_parse(optarg, 1, BURST_MAX, request.bursts);
		} else if (option == 'c') {
			request.connections_count =
					list_parse(optarg, 1, 60000000, request.connections);
		} else if (option == 's') {
			request.backends_count = list_parse(
					optarg, BACKENDS_LEAST, BACKENDS_MAX, request.backends);
		} else if (option == 'l') {
			*only_list = true;
		} else {
			fputs(usage, stderr);
			exit(2);
		}
	}
	return request;
}

static const struct bench_case *
case_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_COUNT(tables); i++)
		for (const struct bench_case *c = tables[i]; c->name != NULL; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return optind == argc;
}

int
main(int argc, char **argv)
{
	bool only_list = false;
	const struct request request = request_parse(argc, argv, &only_list);

	for (int i = optind; i < argc; i++)
		if (case_find(argv[i]) == NULL)
			refuse("no such case; see --list", argv[i]);
	bench_begin();
	for (unsigned i = 0; i < ARRAY_COUNT(tables); i++) {
		for (const struct bench_case *c = tables[i]; c->name != NULL; c++) {
			if (only_list)
				puts(c->name);
			else if (is_wanted(c->name, argc, argv))
				c->run(c, &request);
		}
	}
	return 0;
}
