/* SPDX-License-Identifier: BSD-3-Clause */
/* A reload as the control thread does it: the file read, checked whole, compared with what runs,
 * and published. Its "packets" are reloads, each of another setting for every backend. */
#include "cases.h"
#include "control/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

struct reload_world {
	char path[32];
	unsigned backends;
	struct registry registry;
	struct worker_counters worker_counters;
	struct backend_counters *counters;
	struct stats_worker worker;
	struct backend_shared *shared;
	const struct snapshot *where;
	ticks_t now;
};

static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	(void)context;
	(void)worker;
	(void)letter;
	return true;
}

static bool
secret(void *context, const struct config *config, struct siphash_key *key, char *message,
		size_t size)
{
	(void)context;
	(void)config;
	(void)message;
	(void)size;
	*key = (struct siphash_key){1, 2};
	return true;
}

static _Noreturn void
refuse(const char *what)
{
	fprintf(stderr, "bench: reload: %s\n", what);
	exit(1);
}

/* The file, with that backlog for every backend. */
static void
write_file(const struct reload_world *w, unsigned backlog)
{
	FILE *file = fopen(w->path, "w");

	if (file == NULL)
		refuse("no file to write");
	fprintf(file,
			"{\"ports\": {\"client\": {\"device\": \"c\"}, \"server\": {\"device\": "
			"\"s\"}},\n"
			"\"workers\": {\"cpus\": [1]}, \"limits\": {\"backends\": "
			"%u},\n\"backends\": [",
			w->backends);
	for (unsigned i = 0; i < w->backends; i++)
		fprintf(file,
				"%s{\"name\": \"backend-%u\", \"address\": \"10.64.%u.%u\", "
				"\"port\": 443, \"backlog\": %u}",
				i == 0 ? "\n" : ",\n", i, i >> 8, i & 255, backlog);
	fputs("\n]}\n", file);
	if (fclose(file) != 0)
		refuse("the file can't be written");
}

static void
world_init(struct reload_world *w, unsigned backends)
{
	struct config_errors errors;
	char message[256] = "no configuration";
	struct config *config;
	int fd;

	*w = (struct reload_world){.path = "/tmp/bench-reload-XXXXXX",
			.backends = backends,
			.now = UINT64_C(1700000000) * TICKS_PER_S};
	fd = mkstemp(w->path);
	if (fd < 0)
		refuse("no file to write");
	close(fd);
	w->counters = memory_new(backends * sizeof(*w->counters));
	w->shared = memory_new(backends * sizeof(*w->shared));
	w->worker = (struct stats_worker){.counters = &w->worker_counters, .backends = w->counters};
	write_file(w, 100);
	config = config_load(w->path, &errors);
	if (config == NULL)
		refuse(errors.lines[0]);
	const struct registry_env env = {.context = w,
			.workers = &w->worker,
			.worker_count = 1,
			.shared = w->shared,
			.where = &w->where,
			.ask = ask,
			.secret = secret,
			.seed = 7};
	if (!registry_init(&w->registry, &env, w->path, config, w->now, message, sizeof(message)))
		refuse(message);
}

static void
world_fini(struct reload_world *w)
{
	registry_fini(&w->registry);
	unlink(w->path);
	free(w->counters);
	free(w->shared);
}

/* Cycles of one reload that changes every backend. */
static uint64_t
reload(struct reload_world *w, unsigned backlog)
{
	struct config_errors errors;
	uint64_t begin;

	write_file(w, backlog);
	w->now += TICKS_PER_S;
	begin = __rdtsc();
	if (!registry_reload(&w->registry, w->now, TICKS_NEVER, &errors))
		refuse(errors.lines[0]);
	begin = __rdtsc() - begin;
	config_errors_free(&errors);
	if (snapshot_at(w->where, w->backends - 1)->backlog != backlog)
		refuse("a backend is as before");
	return begin;
}

static void
run(const struct bench_case *c, const struct request *request)
{
	static struct reload_world w;
	double cycles[ROUNDS_MAX];

	for (unsigned i = 0; i < request->backends_count; i++) {
		world_init(&w, request->backends[i]);
		for (unsigned round = 0; round < request->rounds; round++) {
			cycles[round] = (double)reload(&w, 101 + round);
			registry_tick(&w.registry, w.now);
		}
		bench_report(&(struct line){.name = c->name, .backends = request->backends[i]},
				cycles, request->rounds);
		world_fini(&w);
	}
}

const struct bench_case cases_reload[] = {
		{"reload", run, 0},
		{0},
};
