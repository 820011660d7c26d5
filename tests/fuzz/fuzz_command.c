/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: any bytes as requests of the control socket, one per line, to a small registry
 * with a worker that has rows and one that never answers. Beside what the sanitizers see, every
 * request gets a reply that is one line of JSON, either a result or an error in printable ASCII,
 * and the configuration keeps the promises that workers build on.
 */
#include <stdlib.h>
#include <string.h>

#include "control/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { WORKERS = 2, SLOTS = 3, REQUESTS_MAX = 16 };

struct fuzz_world {
	struct registry registry;
	struct worker_counters worker_counters[WORKERS];
	struct backend_counters counters[WORKERS][SLOTS];
	struct progress progress[WORKERS];
	struct watchdog watches[WORKERS];
	struct stats_worker workers[WORKERS];
	struct backend_shared shared[SLOTS];
	const struct snapshot *where;
};

static const char file[] = "{\"ports\": {\"client\": {\"device\": \"c\"}, \"server\": "
			   "{\"device\": \"s\"}}, \"workers\": {\"cpus\": [1, 2]}, "
			   "\"limits\": {\"backends\": 3}, \"backends\": [{\"name\": \"web\", "
			   "\"address\": \"10.0.0.2\", \"port\": 80}, {\"name\": \"vpn\", "
			   "\"address\": \"fd00::2\", \"port\": 443}]}";

static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	(void)context;
	ENSURE(worker < WORKERS);
	ENSURE(letter->limit >= 1 && letter->limit <= INSPECT_ROWS);
	if (worker == 1)
		return false;
	for (; letter->kind == INSPECT_PROFILES && letter->count < letter->limit &&
			letter->cursor < 200;
			letter->cursor++)
		letter->profiles[letter->count++] = (struct inspect_profile){
				.profile = {.mss = (uint16_t)letter->cursor,
						.scales = (uint8_t)(letter->cursor % 3),
						.drift = UINT32_MAX,
						.learned_at = letter->cursor % 2},
				.slot = (uint16_t)(letter->cursor % 5)};
	for (; letter->count < letter->limit && letter->cursor < 200; letter->cursor++)
		letter->rows[letter->count++] = (struct inspect_row){
				.state = letter->cursor % 2 ? "established" : "syn-recv",
				.tuple = {.family = FAMILY_IP4, .client_port = 1},
				.reason = (uint8_t)(letter->cursor % REASON_COUNT),
				.slot = (uint16_t)(letter->cursor % 5)};
	letter->more = letter->cursor < 200;
	letter->last_reason = REASON_syn_accept_full;
	return true;
}

static bool
secret(void *context, const struct config *config, struct siphash_key *key, char *message,
		size_t size)
{
	(void)context, (void)config, (void)message, (void)size;
	*key = (struct siphash_key){1, 2};
	return true;
}

static void
world_open(struct fuzz_world *w)
{
	const struct registry_env env = {
			.workers = w->workers,
			.worker_count = WORKERS,
			.shared = w->shared,
			.where = &w->where,
			.ask = ask,
			.secret = secret,
	};
	struct config_errors errors;
	char message[256];

	memset(w, 0, sizeof(*w));
	for (unsigned i = 0; i < WORKERS; i++) {
		w->watches[i].progress = &w->progress[i];
		w->workers[i] = (struct stats_worker){.cpu = i,
				.counters = &w->worker_counters[i],
				.backends = w->counters[i],
				.watch = &w->watches[i]};
	}
	/* Some trouble for doctor to look at. */
	w->counters[0][0].values[COUNTER_ListenOverflows] = 9;
	w->counters[0][0].values[COUNTER_TCPReqQFullDoCookies] = 9;
	w->worker_counters[0].reasons[REASON_stray_client] = 1000;
	w->watches[1].since = 1;
	/* A file that is never there: reloads fail in the reading. */
	ENSURE(registry_init(&w->registry, &env, "/nonexistent/sluice.json",
			config_parse("fuzz.json", file, strlen(file), &errors), TICKS_PER_S,
			message, sizeof(message)));
	config_errors_free(&errors);
}

static void
expect_reply(json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	bool ok = json_is_true(json_object_get(reply, "ok"));
	char *text = json_dumps(reply, JSON_COMPACT);

	ENSURE(text != NULL && strchr(text, '\n') == NULL);
	ENSURE(ok == (json_object_get(reply, "result") != NULL) && ok == (error == NULL));
	for (const char *at = json_string_value(error); at != NULL && *at != '\0'; at++)
		ENSURE(*at >= ' ' && *at < 0x7f);
	free(text);
	json_decref(reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct fuzz_world world;
	const char *at = (const char *)bytes, *end = at + size;
	struct command_env env = {.registry = &world.registry};
	ticks_t now = TICKS_PER_S;

	world_open(&world);
	env.history = history_new(&world.registry);
	ENSURE(env.history != NULL);
	for (unsigned i = 0; i < REQUESTS_MAX && at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline != NULL ? newline : end;

		now += TICKS_PER_S;
		expect_reply(command_run(&env, at, (size_t)(stop - at), now));
		at = newline != NULL ? newline + 1 : end;
	}
	for (unsigned i = 0; i < snapshot_count(world.where); i++) {
		const struct backend_config *backend = snapshot_at(world.where, i);

		ENSURE(backend->tcp_syncookies <= 2 && backend->queue_rules <= QUEUE_RULES_CLASSIC);
		ENSURE(backend->backlog >= 1 && backend->connect_window >= 1);
		ENSURE(backend->slot < SLOTS && backend->announced_wscale <= 9);
	}
	history_free(env.history);
	registry_fini(&world.registry);
	return 0;
}
