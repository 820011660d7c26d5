/* SPDX-License-Identifier: BSD-3-Clause */
/* Never waits longer than until the next look at the ports. */
#include "control.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"

#define WATCH_INTERVAL_MS 1000

static uint64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* registry_env's and command_env's functions; context is the struct control. */
static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	struct control *control = context;

	return workers_ask(control->workers, worker, letter);
}

static bool
secret(void *context, const struct config *config, struct siphash_key *key, char *message,
		size_t size)
{
	const struct control *control = context;

	return keys_secret(control->keys, config->secret_file, key, message, size);
}

static json_t *
appliance(void *context)
{
	const struct control *control = context;

	return report_json(&control->report);
}

static bool
registry_open(struct control *control, const char *path, struct config *config)
{
	struct workers *workers = control->workers;
	const struct registry_env env = {
			.context = control,
			.workers = workers->stats,
			.worker_count = workers->count,
			.shared = workers->shared,
			.where = &workers->snapshot,
			.qsbr = workers->qsbr,
			.ask = ask,
			.secret = secret,
			.seed = control->keys->snapshot_seed,
	};
	char message[1024];

	control->has_registry = true;
	/* The workers' clock begins later, and at this time or after it. */
	if (registry_init(&control->registry, &env, path, config, workers_wall_clock(), message,
			    sizeof(message)))
		return true;
	say("%s", message);
	return false;
}

bool
control_open(struct control *control, const char *path, struct config *config)
{
	control->signals = signals_open();
	if (!registry_open(control, path, config))
		return false;
	control->history = history_new(&control->registry);
	if (control->signals < 0 || control->history == NULL) {
		say("out of memory");
		return false;
	}
	control->commands = (struct command_env){
			.context = control,
			.registry = &control->registry,
			.history = control->history,
			.appliance = appliance,
	};
	control->socket = control_socket_open(config->control_socket, &control->commands);
	return control->socket != NULL;
}

void
control_close(struct control *control)
{
	control_socket_close(control->socket);
	history_free(control->history);
	if (control->has_registry)
		registry_fini(&control->registry);
	if (control->signals >= 0)
		close(control->signals);
}

static void
reload(struct registry *registry, ticks_t now)
{
	const struct reload_changes *changes = &registry->changes;
	struct config_errors errors;

	if (registry_reload(registry, now, TICKS_NEVER, &errors))
		say("reloaded: generation %llu, %zu added, %zu removed, %zu changed",
				(unsigned long long)registry->generation,
				json_array_size(changes->added), json_array_size(changes->removed),
				json_array_size(changes->changed));
	else
		say("not reloaded, nothing has changed; %u error%s:", errors.count,
				errors.count == 1 ? "" : "s");
	for (unsigned i = 0; i < errors.count; i++)
		say("%s", errors.lines[i]);
	config_errors_free(&errors);
}

/* Fulfils what signals wish; false for a stop. */
static bool
signals_serve(struct control *control)
{
	for (;;) {
		switch (signals_take(control->signals)) {
		case WISH_STOP:
			return false;
		case WISH_REPORT:
			report_print(&control->report, &control->registry);
			break;
		case WISH_RELOAD:
			reload(&control->registry, workers_now(control->workers));
			break;
		case WISH_NONE:
			return true;
		}
	}
}

/* Waits until something is to be done, at most until watch_at; false for a stop. */
static bool
serve(struct control *control, uint64_t watch_at)
{
	const uint64_t before = monotonic_ms();
	struct pollfd fds[1 + CONTROL_SOCKET_FDS] = {{.fd = control->signals, .events = POLLIN}};
	const unsigned count = control_socket_fds(control->socket, &fds[1]);

	/* Interrupted or failed: nothing is ready, and the round is a short one. */
	if (poll(fds, 1 + count, watch_at > before ? (int)(watch_at - before) : 0) < 0)
		return true;
	if (fds[0].revents != 0 && !signals_serve(control))
		return false;
	control_socket_serve(control->socket, &fds[1], count, workers_now(control->workers),
			monotonic_ms());
	return true;
}

enum exit_code
control_run(struct control *control)
{
	const struct registry *registry = &control->registry;
	uint64_t watch_at = monotonic_ms() + WATCH_INTERVAL_MS;

	say("ready: %u workers, %u backends, client %s, server %s", control->workers->count,
			registry->config->backend_count, control->ports[SIDE_CLIENT].config->device,
			control->ports[SIDE_BACKEND].config->device);
	for (;;) {
		if (!serve(control, watch_at))
			return EXIT_CODE_OK;
		if (monotonic_ms() < watch_at)
			continue;
		watch_at = monotonic_ms() + WATCH_INTERVAL_MS;

		const ticks_t now = workers_now(control->workers);

		registry_tick(&control->registry, now);
		history_sample(control->history, registry, now);
		for (unsigned side = 0; side < SIDE_COUNT; side++)
			if (!port_watch(&control->ports[side]))
				return EXIT_CODE_ENVIRONMENT;
	}
}
