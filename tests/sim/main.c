/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator's command line.
 *
 *	sim --world lossy --seeds 1..500   runs them all; exit status 1 if any failed
 *	sim --seeds 1..500 --jobs 2        the same in the mixed world, with two processes
 *	sim --seed 7 --trace               one seed as a diagram; one that fails is made smaller
 *first sim --seeds 1..50 --twice          each seed twice; the traces must be the same sim --world
 *calm --seeds 1..50 --agree   with cookies, then with queues: the same ends sim --scenario FILE...
 *plays scripts: see scenario.h
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"
#include "shrink.h"

#define JOBS_MAX 16
#define SHRINK_RUNS_MAX 400

struct options {
	uint64_t first;
	uint64_t last;
	enum world world;
	unsigned jobs;
	bool trace;
	bool whole; /**< trace: without making it smaller */
	bool twice;
	bool agree;
	bool scenarios;
};

struct totals {
	uint64_t failed;
	uint64_t ends[ROUND_ENDS];
};

static int
usage(FILE *out)
{
	fprintf(out, "usage: sim [--world NAME] [--seed N | --seeds A..B] [--jobs N] [--trace "
		     "[--whole]] "
		     "[--twice] [--agree]\n"
		     "       sim --scenario FILE...\n"
		     "  --world NAME  calm, lossy, hostile, operator, faults, mixed (default)\n"
		     "  --seed N      run one seed (default 1)\n"
		     "  --seeds A..B  run all from A to B\n"
		     "  --jobs N      with so many processes\n"
		     "  --trace       print every packet; of a run that fails, a smaller one's\n"
		     "  --whole       and of that, all of it\n"
		     "  --twice       run each seed twice and compare the traces\n"
		     "  --agree       run each seed with cookies and with queues and compare the "
		     "ends\n"
		     "  --scenario    play scripts\n");
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
world_parse(const char *text, enum world *world)
{
	for (*world = 0; *world < WORLDS; (*world)++)
		if (strcmp(world_name(*world), text) == 0)
			return true;
	return false;
}

static bool
jobs_parse(const char *text, unsigned *jobs)
{
	uint64_t number;
	char *end;

	if (!number_parse(text, &end, &number) || *end != '\0' || number < 1 || number > JOBS_MAX)
		return false;
	*jobs = (unsigned)number;
	return true;
}

static void
fault_print(const struct plan *plan, const struct sim_result *result)
{
	printf("%s, seed %" PRIu64 " failed after %.6f s: %s\n", world_name(plan->world),
			plan->seed, (double)result->when / (double)TICKS_PER_S, result->text);
}

static void
trace_print(struct plan plan, const struct sim_result *result, bool whole)
{
	if (result->has_failed && !whole) {
		struct sim_result smaller = shrink(&plan, result, SHRINK_RUNS_MAX);

		printf("Of %" PRIu64 " packets, %" PRIu64 " are enough:\n", result->packets,
				smaller.packets);
	}
	sim_run(&plan, stdout, 0xa5);
}

/* The same plan with cookies alone, and with queues that have room. Without what only a queue
 * helps against: a proof lost on purpose, or overtaken by data where strays are reset. */
static bool
modes_agree(const struct plan *plan)
{
	struct sim_result results[2];
	struct plan other = *plan;

	/* What is said depends on the ISN, which must not depend on when a round begins. */
	for (unsigned i = 0; i < other.clients; i++) {
		other.client[i].lost_proofs = 0;
		other.client[i].random_isn = true;
	}
	for (unsigned mode = 1; mode <= 2; mode++) {
		for (unsigned slot = 0; slot < BACKENDS; slot++) {
			other.versions[0].queues[slot].syncookies = (uint8_t)mode;
			other.versions[0].queues[slot].resets_strays = false;
		}
		results[mode - 1] = sim_run(&other, NULL, 0xa5);
		if (results[mode - 1].has_failed)
			fault_print(&other, &results[mode - 1]);
	}
	if (results[0].outcomes != results[1].outcomes)
		printf("%s, seed %" PRIu64 ": cookies and queues give clients other ends\n",
				world_name(plan->world), plan->seed);
	return !results[0].has_failed && !results[1].has_failed &&
	       results[0].outcomes == results[1].outcomes;
}

static bool
repeats(const struct plan *plan, const struct sim_result *result)
{
	struct sim_result again = sim_run(plan, NULL, 0x5a);

	if (again.hash == result->hash)
		return true;
	printf("%s, seed %" PRIu64 " gave another trace the second time: %016" PRIx64
	       ", then %016" PRIx64 "\n",
			world_name(plan->world), plan->seed, result->hash, again.hash);
	return false;
}

static bool
run_seed(uint64_t seed, const struct options *options, struct totals *totals)
{
	struct plan plan;
	struct sim_result result;
	bool is_good;

	plan_draw(&plan, options->world, seed);
	result = sim_run(&plan, NULL, 0xa5);
	is_good = !result.has_failed;
	if (options->trace)
		trace_print(plan, &result, options->whole);
	if (result.has_failed)
		fault_print(&plan, &result);
	if (options->first == options->last || result.has_failed)
		printf("%s, seed %" PRIu64 ": %" PRIu64 " packets, trace %016" PRIx64 "\n",
				world_name(plan.world), seed, result.packets, result.hash);
	if (options->twice)
		is_good = repeats(&plan, &result) && is_good;
	if (options->agree)
		is_good = modes_agree(&plan) && is_good;
	for (unsigned end = 0; end < ROUND_ENDS; end++)
		totals->ends[end] += result.ends[end];
	return is_good;
}

static struct totals
run_job(const struct options *options, unsigned job)
{
	struct totals totals = {0};

	for (uint64_t seed = options->first + job; seed <= options->last; seed += options->jobs)
		totals.failed += !run_seed(seed, options, &totals);
	return totals;
}

/* In a process of its own; what it found comes back through a pipe. */
static int
job_start(const struct options *options, unsigned job)
{
	struct totals totals;
	int ends[2];
	pid_t pid;

	if (pipe(ends) != 0 || (pid = fork()) < 0) {
		perror("sim");
		exit(2);
	}
	if (pid > 0) {
		close(ends[1]);
		return ends[0];
	}
	totals = run_job(options, job);
	fflush(stdout);
	_exit(write(ends[1], &totals, sizeof(totals)) == (ssize_t)sizeof(totals) ? 0 : 2);
}

static struct totals
run_jobs(const struct options *options)
{
	struct totals totals = {0}, part;
	int pipes[JOBS_MAX];

	if (options->jobs == 1)
		return run_job(options, 0);
	for (unsigned job = 0; job < options->jobs; job++)
		pipes[job] = job_start(options, job);
	for (unsigned job = 0; job < options->jobs; job++) {
		/* A job that came to grief says nothing. */
		if (read(pipes[job], &part, sizeof(part)) != (ssize_t)sizeof(part)) {
			totals.failed++;
			continue;
		}
		totals.failed += part.failed;
		for (unsigned end = 0; end < ROUND_ENDS; end++)
			totals.ends[end] += part.ends[end];
	}
	while (wait(NULL) > 0)
		;
	return totals;
}

static bool
options_parse(struct options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
			{"seed", required_argument, NULL, 's'},
			{"seeds", required_argument, NULL, 's'},
			{"world", required_argument, NULL, 'w'},
			{"jobs", required_argument, NULL, 'j'},
			{"trace", no_argument, NULL, 't'},
			{"whole", no_argument, NULL, 'o'},
			{"twice", no_argument, NULL, '2'},
			{"agree", no_argument, NULL, 'a'},
			{"scenario", no_argument, NULL, 'p'},
			{"help", no_argument, NULL, 'h'},
			{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h')
			exit(usage(stdout));
		if (option == '?' || (option == 's' && !seeds_parse(optarg, options)) ||
				(option == 'w' && !world_parse(optarg, &options->world)) ||
				(option == 'j' && !jobs_parse(optarg, &options->jobs)))
			return false;
		options->trace = options->trace || option == 't';
		options->whole = options->whole || option == 'o';
		options->twice = options->twice || option == '2';
		options->agree = options->agree || option == 'a';
		options->scenarios = options->scenarios || option == 'p';
	}
	return options->scenarios ? optind < argc : optind == argc;
}

int
main(int argc, char **argv)
{
	struct options options = {.first = 1, .last = 1, .world = WORLD_MIXED, .jobs = 1};
	struct totals totals;

	if (!options_parse(&options, argc, argv))
		return usage(stderr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (options.scenarios)
		return scenario_play_all(argv + optind, (unsigned)(argc - optind)) ? 0 : 1;

	totals = run_jobs(&options);
	printf("%s: %" PRIu64 " seeds, %" PRIu64 " failed; connections: %" PRIu64
	       " complete, %" PRIu64 " reset, %" PRIu64 " aborted, %" PRIu64 " given up\n",
			world_name(options.world), options.last - options.first + 1, totals.failed,
			totals.ends[ROUND_COMPLETE], totals.ends[ROUND_RESET],
			totals.ends[ROUND_ABORTED], totals.ends[ROUND_SILENT]);
	return totals.failed == 0 ? 0 : 1;
}
