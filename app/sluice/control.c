/* SPDX-License-Identifier: BSD-3-Clause */
/* Never waits longer than until the next look at ports or workers. */
#include "control.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>

#include "lists.h"
#include "notify.h"
#include "signals.h"
#include "telemetry.h"

#define WATCH_INTERVAL_MS 1000
#define WORKERS_INTERVAL_MS UINT64_C(250) /* finer than control.watchdog_s by far */

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

static struct source_lists *
lists(void *context, const struct prefix_list *list, char *message, size_t size)
{
	(void)context;
	return lists_make(list, message, size);
}

static json_t *
appliance(void *context)
{
	const struct control *control = context;

	return report_json(&control->report);
}

/* How things are, for the service manager. */
static void
status_tell(const struct control *control, void (*tell)(const char *status))
{
	const struct registry *registry = &control->registry;
	const bool refused = registry->last_reload.at != 0 && !registry->last_reload.accepted;
	char status[256];

	snprintf(status, sizeof(status), "%u workers, %u backends, configuration %llu%s%s",
			control->workers->count, registry->config->backend_count,
			(unsigned long long)registry->config_generation,
			refused ? "; the last reload was refused" : "",
			control->all_work ? "" : "; a worker makes no progress");
	tell(status);
}

/* incidents_new()'s function. */
static void
incident_tell(void *context, const struct event *event)
{
	struct control *control = context;

	log_event(&control->log, event, workers_now(control->workers));
}

/* What the lists hold, for the reload's message, where there are any. */
static void
lists_tell(const struct prefix_list *list, struct event *event, char *message, size_t size)
{
	const uint32_t denied = prefix_list_count(list, FAMILY_IP4, SOURCE_DENIED) +
				prefix_list_count(list, FAMILY_IP6, SOURCE_DENIED);
	const uint32_t allowed = prefix_list_count(list, FAMILY_IP4, SOURCE_ALLOWED) +
				 prefix_list_count(list, FAMILY_IP6, SOURCE_ALLOWED);
	const size_t used = strlen(message);

	if (list == NULL)
		return;
	snprintf(message + used, size - used, "; %u prefixes denied, %u allowed", denied, allowed);
	event_number(event, "denied", denied);
	event_number(event, "allowed", allowed);
}

/* How the reload went that has just been tried. */
static void
reload_tell(struct control *control)
{
	const struct registry *registry = &control->registry;
	const struct reload_changes *changes = &registry->changes;
	const struct reload_outcome *outcome = &registry->last_reload;
	struct event event;
	char message[256];

	event_begin(&event, EVENT_RELOAD, outcome->accepted ? EVENT_NOTICE : EVENT_ERROR, NULL);
	event.message = message;
	event_text(&event, "accepted", outcome->accepted ? "yes" : "no");
	event_number(&event, "generation", registry->generation);
	if (outcome->accepted) {
		snprintf(message, sizeof(message),
				"reloaded: generation %llu, %zu added, %zu removed, %zu changed",
				(unsigned long long)registry->generation,
				json_array_size(changes->added), json_array_size(changes->removed),
				json_array_size(changes->changed));
		event_number(&event, "added", json_array_size(changes->added));
		event_number(&event, "removed", json_array_size(changes->removed));
		event_number(&event, "changed", json_array_size(changes->changed));
		lists_tell(registry->config->sources.list, &event, message, sizeof(message));
	} else {
		snprintf(message, sizeof(message), "not reloaded, nothing has changed; %u error%s:",
				outcome->error_count, outcome->error_count == 1 ? "" : "s");
		event_number(&event, "errors", outcome->error_count);
		event_text(&event, "first_error", outcome->first_error);
	}
	log_event(&control->log, &event, workers_now(control->workers));
}

static void
reloading(void *context, bool begins)
{
	if (begins) {
		notify_reloading();
		return;
	}
	status_tell(context, notify_ready);
	reload_tell(context);
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
			.lists = lists,
			.seed = control->keys->snapshot_seed,
			.before = control->before,
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

/* The sibling has peers of its own, so that readers can't lock the operator out. */
static bool
sockets_open(struct control *control, const char *path)
{
	struct command_env readers = control->commands;
	char readers_path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	readers.reads_only = true;
	snprintf(readers_path, sizeof(readers_path), "%s%s", path, CONTROL_SOCKET_READS_SUFFIX);
	control->socket = control_socket_open(path, &control->commands);
	if (control->socket != NULL)
		control->readers = control_socket_open(readers_path, &readers);
	return control->readers != NULL;
}

bool
control_open(struct control *control, const char *path, struct config *config)
{
	log_init(&control->log);
	control->signals = signals_open();
	if (!registry_open(control, path, config))
		return false;
	control->history = history_new(&control->registry);
	control->incidents = incidents_new(&control->registry, incident_tell, control);
	if (control->signals < 0 || control->history == NULL || control->incidents == NULL) {
		say("out of memory");
		return false;
	}
	control->commands = (struct command_env){
			.context = control,
			.registry = &control->registry,
			.history = control->history,
			.appliance = appliance,
			.reloading = reloading,
	};
	telemetry_open(&control->commands);
	return sockets_open(control, config->control_socket);
}

bool
control_open_lists(struct control *control)
{
	char message[256];

	if (registry_open_lists(&control->registry, workers_wall_clock(), message, sizeof(message)))
		return true;
	say("sources: %s", message);
	return false;
}

void
control_close_lists(struct control *control)
{
	registry_close_lists(&control->registry);
}

void
control_close(struct control *control)
{
	telemetry_close();
	control_socket_close(control->readers);
	control_socket_close(control->socket);
	incidents_free(control->incidents);
	history_free(control->history);
	if (control->has_registry)
		registry_fini(&control->registry);
	if (control->signals >= 0)
		close(control->signals);
}

static void
reload(struct control *control)
{
	struct config_errors errors;

	reloading(control, true);
	registry_reload(&control->registry, workers_now(control->workers), TICKS_NEVER, &errors);
	reloading(control, false);
	for (unsigned i = 0; i < errors.count; i++)
		say("%s", errors.lines[i]);
	config_errors_free(&errors);
}

/* False when there is nowhere to keep connections: then an upgrade would be an outage. */
static bool
upgrade_is_possible(struct control *control)
{
	control->wants_upgrade = control->keeps_state;
	if (!control->wants_upgrade)
		say("SIGUSR2: started without --keep-state, all connections would be lost; nothing "
		    "has changed");
	return control->wants_upgrade;
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
			reload(control);
			break;
		case WISH_UPGRADE:
			if (upgrade_is_possible(control))
				return false;
			break;
		case WISH_NONE:
			return true;
		}
	}
}

/* Waits until something is to be done, at most until then; false for a stop. */
static bool
serve(struct control *control, uint64_t until)
{
	const uint64_t before = monotonic_ms();
	struct pollfd fds[2 + 2 * CONTROL_SOCKET_FDS] = {{.fd = control->signals, .events = POLLIN},
			{.fd = telemetry_fd(), .events = POLLIN}};
	const unsigned count = control_socket_fds(control->socket, &fds[2]);
	const unsigned readers_count = control_socket_fds(control->readers, &fds[2 + count]);

	/* Interrupted or failed: nothing is ready, and the round is a short one. */
	if (poll(fds, 2 + count + readers_count, until > before ? (int)(until - before) : 0) < 0)
		return true;
	if (fds[0].revents != 0 && !signals_serve(control))
		return false;
	if (fds[1].revents != 0)
		telemetry_serve(workers_now(control->workers));
	control_socket_serve(control->socket, &fds[2], count, workers_now(control->workers),
			monotonic_ms());
	control_socket_serve(control->readers, &fds[2 + count], readers_count,
			workers_now(control->workers), monotonic_ms());
	return true;
}

/* Once a second; false when a port is gone. */
static bool
watch(struct control *control)
{
	const ticks_t now = workers_now(control->workers);

	registry_tick(&control->registry, now);
	history_sample(control->history, &control->registry, now);
	incidents_sample(control->incidents, control->history, &control->registry, now);
	log_tick(&control->log, now);
	control_socket_watch(control->socket);
	control_socket_watch(control->readers);
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (!port_watch(&control->ports[side]))
			return false;
	return true;
}

/* A few times a second. The service manager hears that we are alive only while no worker is known
 * to stand still. */
static void
watch_workers(struct control *control)
{
	const ticks_t limit = control->registry.config->watchdog_s * TICKS_PER_S;
	const bool all_work = workers_watch(control->workers, limit);

	notify_again();
	if (all_work && control->alive_interval_ms > 0)
		notify_alive();
	if (all_work == control->all_work)
		return;
	control->all_work = all_work;
	status_tell(control, notify_status);
}

static enum exit_code
run(struct control *control)
{
	const uint64_t workers_interval =
			control->alive_interval_ms == 0
					? WORKERS_INTERVAL_MS
					: RTE_MIN(control->alive_interval_ms, WORKERS_INTERVAL_MS);
	uint64_t watch_at = monotonic_ms() + WATCH_INTERVAL_MS;
	uint64_t workers_at = 0;

	for (;;) {
		if (!serve(control, RTE_MIN(watch_at, workers_at)))
			return EXIT_CODE_OK;
		if (monotonic_ms() >= workers_at) {
			watch_workers(control);
			workers_at = monotonic_ms() + workers_interval;
		}
		if (monotonic_ms() >= watch_at) {
			watch_at = monotonic_ms() + WATCH_INTERVAL_MS;
			if (!watch(control))
				return EXIT_CODE_ENVIRONMENT;
		}
	}
}

static void
start_tell(struct control *control)
{
	const char *client = control->ports[SIDE_CLIENT].config->device;
	const char *server = control->ports[SIDE_BACKEND].config->device;
	const unsigned backends = control->registry.config->backend_count;
	struct event event;
	char message[EVENT_TEXT_BYTES];

	snprintf(message, sizeof(message), "ready: %u workers, %u backends, client %s, server %s",
			control->workers->count, backends, client, server);
	event_begin(&event, EVENT_START, EVENT_NOTICE, NULL);
	event.message = message;
	event_text(&event, "version", SLUICE_VERSION);
	event_number(&event, "workers", control->workers->count);
	event_number(&event, "backends", backends);
	event_text(&event, "client", client);
	event_text(&event, "server", server);
	log_event(&control->log, &event, workers_now(control->workers));
}

enum exit_code
control_run(struct control *control)
{
	enum exit_code code;

	control->alive_interval_ms = notify_alive_interval_ms();
	control->all_work = true;
	control->wants_upgrade = false;
	if (!control->was_ready)
		start_tell(control);
	control->was_ready = true;
	status_tell(control, notify_ready);
	code = run(control);
	/* To the service manager an upgrade is a reload, which the next process ends. */
	if (control->wants_upgrade)
		notify_reloading();
	else
		notify_stopping();
	return code;
}
