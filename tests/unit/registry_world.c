/* SPDX-License-Identifier: BSD-3-Clause */
/* Times are far from the beginning of an epoch, unless a test moves them. */
#include "registry_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START (UINT64_C(1000000) * COOKIE_EPOCH_S * TICKS_PER_S + TICKS_PER_S)

static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	struct registry_world *w = context;
	struct backend_counters *counters = &w->counters[worker][letter->slot];

	w->asked++;
	w->asked_worker = worker;
	w->letter = *letter;
	if (w->is_silent[worker])
		return false;
	letter->affected = counters->connections;
	if (w->flush_ends) {
		counters->connections = 0;
		w->shared[letter->slot].syn = 0;
		w->shared[letter->slot].accept = 0;
	}
	return true;
}

static bool
secret(void *context, const struct config *config, struct siphash_key *key, char *message,
		size_t size)
{
	const struct registry_world *w = context;

	(void)config;
	*key = w->secret;
	if (w->secret_is_missing)
		snprintf(message, size, "keys.secret_file: gone");
	return !w->secret_is_missing;
}

struct registry_world *
registry_world_new(const char *backends, struct rte_rcu_qsbr *qsbr)
{
	return registry_world_new_after(backends, qsbr, NULL);
}

struct registry_world *
registry_world_new_after(
		const char *backends, struct rte_rcu_qsbr *qsbr, const struct snapshot *before)
{
	struct registry_world *w = aligned_alloc(CACHE_LINE_SIZE, cache_align(sizeof(*w)));
	struct config_errors errors;
	char message[256] = "";
	struct config *config;
	int fd;

	assert_non_null(w);
	memset(w, 0, sizeof(*w));
	strcpy(w->path, "/tmp/test_registry_XXXXXX");
	fd = mkstemp(w->path);
	assert_true(fd >= 0);
	close(fd);
	w->now = START;
	w->secret = (struct siphash_key){1, 2};
	w->flush_ends = true;
	for (unsigned i = 0; i < WORLD_WORKERS; i++) {
		w->watches[i].progress = w->loads[i].progress = &w->progress[i];
		w->workers[i] = (struct stats_worker){.cpu = i,
				.counters = &w->worker_counters[i],
				.backends = w->counters[i],
				.watch = &w->watches[i],
				.load = &w->loads[i]};
	}
	registry_world_write(w, backends, "");
	config = config_load(w->path, &errors);
	assert_non_null(config);
	const struct registry_env env = {
			.context = w,
			.workers = w->workers,
			.worker_count = WORLD_WORKERS,
			.shared = w->shared,
			.where = &w->where,
			.qsbr = qsbr,
			.ask = ask,
			.secret = secret,
			.seed = 7,
			.before = before,
	};
	if (!registry_init(&w->registry, &env, w->path, config, w->now, message, sizeof(message)))
		fail_msg("%s", message);
	return w;
}

void
registry_world_free(struct registry_world *w)
{
	registry_fini(&w->registry);
	assert_null(w->where);
	unlink(w->path);
	free(w);
}

void
registry_world_write_text(struct registry_world *w, const char *text)
{
	FILE *file = fopen(w->path, "w");

	assert_non_null(file);
	for (; *text != '\0'; text++)
		putc(*text == '\'' ? '"' : *text, file);
	assert_int_equal(fclose(file), 0);
}

void
registry_world_write(struct registry_world *w, const char *backends, const char *more)
{
	char text[8192];

	snprintf(text, sizeof(text),
			"{'ports': {'client': {'device': 'c'}, 'server': {'device': 's'}},\n"
			"'workers': {'cpus': [1, 2]}, 'limits': {'backends': %d},\n"
			"'backends': [%s]%s}\n",
			WORLD_SLOTS, backends, more);
	registry_world_write_text(w, text);
}

void
registry_world_reload(struct registry_world *w)
{
	struct config_errors errors;

	if (!registry_reload(&w->registry, w->now, TICKS_NEVER, &errors))
		fail_msg("%s", errors.lines[0]);
	assert_int_equal(errors.count, 0);
	config_errors_free(&errors);
}

void
registry_world_pass(struct registry_world *w, unsigned seconds)
{
	while (seconds-- > 0) {
		w->now += TICKS_PER_S;
		registry_tick(&w->registry, w->now);
	}
}

const struct backend_config *
registry_world_find(const struct registry_world *w, uint8_t host, uint16_t port)
{
	const uint8_t bytes[4] = {10, 0, 0, host};
	uint32_t ip4_be;

	memcpy(&ip4_be, bytes, sizeof(ip4_be));

	const union ip_addr address = ip_addr_from_ip4(ip4_be);

	return snapshot_find(w->where, &address, port);
}
