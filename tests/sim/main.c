/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator's command line.
 *
 *	sim --seeds 1..500       runs them all; exit status 1 if any failed
 *	sim --seed 7 --trace     one seed, every packet in a line
 *	sim --seeds 1..50 --twice  each seed twice; the traces must be the same
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct options {
	uint64_t first;
	uint64_t last;
	bool trace;
	bool twice;
};

static int
usage(FILE *out)
{
	fprintf(out, "usage: sim [--seed N | --seeds A..B] [--trace] [--twice]\n"
		     "  --seed N      run one seed (default 1)\n"
		     "  --seeds A..B  run all from A to B\n"
		     "  --trace       print every packet\n"
		     "  --twice       run each seed twice and compare the traces\n");
	return out == stderr ? 2 : 0;
}

static bool
number_parse(const char *text, char **end, uint64_t *number)
{
	errno = 0;
	*number = strtoull(text, end, 10);
	return *end != text && text[0] != '-' && errno == 0;
}

static bool
seeds_parse(const char *text, struct options *options)
{
	char *end;

	if (!number_parse(text, &end, &options->first))
		return false;
	if (*end == '\0') {
		options->last = options->first;
		return true;
	}
	return strncmp(end, "..", 2) == 0 && number_parse(end + 2, &end, &options->last) &&
	       *end == '\0' && options->first <= options->last;
}

static bool
run_seed(uint64_t seed, const struct options *options, uint64_t ends[ROUND_ENDS])
{
	struct sim_result result = sim_run(seed, options->trace ? stdout : NULL, 0xa5);
	bool has_failed = result.has_failed;

	if (has_failed)
		printf("seed %" PRIu64 " failed after %.6f s: %s\n", seed,
				(double)result.when / (double)TICKS_PER_S, result.text);
	if (options->first == options->last || has_failed)
		printf("seed %" PRIu64 ": %" PRIu64 " packets, trace %016" PRIx64 "\n", seed,
				result.packets, result.hash);
	if (options->twice) {
		struct sim_result again = sim_run(seed, NULL, 0x5a);

		if (again.hash != result.hash) {
			printf("seed %" PRIu64 " gave another trace the second time: %016" PRIx64
			       ", then %016" PRIx64 "\n",
					seed, result.hash, again.hash);
			has_failed = true;
		}
	}
	for (unsigned end = 0; end < ROUND_ENDS; end++)
		ends[end] += result.ends[end];
	return !has_failed;
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = {
			{"seed", required_argument, NULL, 's'},
			{"seeds", required_argument, NULL, 's'},
			{"trace", no_argument, NULL, 't'},
			{"twice", no_argument, NULL, '2'},
			{"help", no_argument, NULL, 'h'},
			{0},
	};
	struct options options = {.first = 1, .last = 1};
	uint64_t ends[ROUND_ENDS] = {0};
	uint64_t failed = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's' && !seeds_parse(optarg, &options))
			return usage(stderr);
		if (option == '?')
			return usage(stderr);
		if (option == 'h')
			return usage(stdout);
		options.trace = options.trace || option == 't';
		options.twice = options.twice || option == '2';
	}
	if (optind != argc)
		return usage(stderr);

	for (uint64_t seed = options.first; seed <= options.last; seed++)
		failed += !run_seed(seed, &options, ends);
	printf("%" PRIu64 " seeds, %" PRIu64 " failed; connections: %" PRIu64 " complete, %" PRIu64
	       " reset, %" PRIu64 " aborted, %" PRIu64 " given up\n",
			options.last - options.first + 1, failed, ends[ROUND_COMPLETE],
			ends[ROUND_RESET], ends[ROUND_ABORTED], ends[ROUND_SILENT]);
	return failed == 0 ? 0 : 1;
}
