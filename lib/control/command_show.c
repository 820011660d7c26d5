/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that only look: ping, ss, netstat, stats, doctor. */
#include <string.h>
#include <unistd.h>

#include "control/command_request.h"
#include "control/command_text.h"
#include "control/doctor.h"
#include "control/selection.h"
#include "table/queue_rules.h"

static json_t *
reload_json(const struct reload_outcome *outcome, ticks_t now)
{
	if (outcome->at == 0)
		return json_null();
	return json_pack("{s:I, s:b, s:i, s:o}", "ago_s",
			(json_int_t)((now - outcome->at) / TICKS_PER_S), "accepted",
			outcome->accepted, "errors", (int)outcome->error_count, "first_error",
			plain_json(outcome->first_error, strlen(outcome->first_error)));
}

/* Those that drain included. */
static json_int_t
backends_count(const struct registry *registry)
{
	json_int_t count = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++)
		count += registry->slots[i].use != SLOT_FREE;
	return count;
}

json_t *
command_ping(struct request *request)
{
	const struct registry *registry = request->env->registry;
	ticks_t began = history_began(request->env->history);

	return json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "pid", (int)getpid(),
			"sluice", SLUICE_VERSION, "backends", backends_count(registry),
			"generation", (json_int_t)registry->generation, "config_generation",
			(json_int_t)registry->config_generation, "uptime_s",
			(json_int_t)(began != 0 ? (request->now - began) / TICKS_PER_S : 0),
			"config", plain_json(registry->path, strlen(registry->path)), "last_reload",
			reload_json(&registry->last_reload, request->now), "sources",
			source_lists_json(request));
}

/* Waits of the last minute or two. */
static json_t *
waits_json(const struct request *request, const struct slot *slot)
{
	const struct registry *registry = request->env->registry;
	const struct history_slot *past =
			history_at(request->env->history, registry, registry_slot(registry, slot));
	struct backend_counters counters;
	struct history_wait wait;
	struct waits waits = {0};

	if (past != NULL) {
		registry_counters(registry, slot, &counters);
		history_wait_read(&wait, &counters);
		waits_since(&waits, &wait, &past->wait_older);
	}
	return json_pack("{s:f, s:f, s:f, s:I}", "p50", (double)waits_below(&waits, 500) / 1e3,
			"p99", (double)waits_below(&waits, 990) / 1e3, "mean",
			(double)waits_mean(&waits) / 1e3, "count", (json_int_t)waits.count);
}

/* Waits since the start, for those who take differences themselves. */
static json_t *
waits_total_json(const struct backend_counters *counters)
{
	json_t *buckets = json_array();

	for (unsigned i = 0; i < WAIT_BUCKETS; i++)
		json_array_append_new(buckets, json_integer((json_int_t)counters->wait[i]));
	return json_pack("{s:I, s:I, s:o}", "first_us", (json_int_t)(UINT64_C(1) << WAIT_SHIFT),
			"sum_us", (json_int_t)counters->wait_us, "buckets", buckets);
}

static json_t *
drain_left_json(const struct slot *slot, ticks_t now)
{
	if (slot->use != SLOT_DRAINING || slot->deadline == TICKS_NEVER)
		return json_null();
	return json_integer(slot->deadline <= now
					    ? 0
					    : (json_int_t)((slot->deadline - now) / TICKS_PER_S));
}

static json_t *
listener_json(const struct request *request, const struct slot *slot)
{
	const struct registry *registry = request->env->registry;
	const struct backend_config *config = &slot->config;
	const struct queue_load load = request_load(request, slot);
	struct backend_counters counters;
	char name[REGISTRY_NAME_BYTES], local[ENDPOINT_TEXT_BYTES];

	registry_name(registry, slot, name);
	registry_counters(registry, slot, &counters);
	endpoint_write(&config->address, config->family, config->port, local);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:i, s:I, s:I, "
			 "s:o, "
			 "s:o, s:o}",
			"backend", name, "state", slot->use == SLOT_DRAINING ? "DRAIN" : "LISTEN",
			"protection", backend_mode_name((enum backend_mode)config->mode), "local",
			local, "recv_q", (json_int_t)load.accept, "send_q",
			(json_int_t)backend_config_accept_limit(config), "syn_recv",
			(json_int_t)load.syn, "syn_recv_max",
			(json_int_t)queue_rules_syn_limit(config), "syn_recv_unproven_max",
			(json_int_t)queue_rules_syn_limit_unproven(config), "young",
			(json_int_t)load.young, "mode", load.cookies ? "cookie" : "queue",
			"tcp_syncookies", config->tcp_syncookies, "established",
			(json_int_t)counters.values[COUNTER_CurrEstab], "connections",
			(json_int_t)counters.connections, "waiting_ms", waits_json(request, slot),
			"waits", waits_total_json(&counters), "drain_left_s",
			drain_left_json(slot, request->now));
}

/* The same with what netstat counts of it, if that is wanted. */
static json_t *
row_of(const struct request *request, const struct slot *slot, bool has_counters)
{
	json_t *row = listener_json(request, slot);
	struct backend_counters counters;

	if (row == NULL || !has_counters)
		return row;
	registry_counters(request->env->registry, slot, &counters);
	if (json_object_set_new(row, "counters", stats_backend(&counters)) == 0)
		return row;
	json_decref(row);
	return NULL;
}

json_t *
command_ss(struct request *request)
{
	const struct registry *registry = request->env->registry;
	struct selection selection;
	json_int_t has_counters;
	json_t *array;
	int failed = 0;

	if (!request_integer(request, "counters", 0, 1, 0, &has_counters) ||
			!selection_init(&selection, request))
		return NULL;
	array = json_array();
	for (uint32_t i = 0; i < registry->slots_used && failed == 0; i++) {
		const struct slot *slot = &registry->slots[i];

		if (selection_has(&selection, registry, slot))
			failed = json_array_append_new(
					array, row_of(request, slot, has_counters != 0));
	}
	selection_fini(&selection);
	if (failed == 0)
		return array;
	json_decref(array);
	return NULL;
}

json_t *
command_netstat(struct request *request)
{
	struct slot *only;

	if (!request_backend(request, false, &only))
		return NULL;
	return stats_netstat(request->env->registry, only);
}

json_t *
command_stats(struct request *request)
{
	json_int_t has_backends;
	json_t *stats, *more;

	if (!request_integer(request, "backends", 0, 1, 1, &has_backends))
		return NULL;
	stats = has_backends != 0 ? stats_json(request->env->registry)
				  : stats_sums(request->env->registry);
	more = request->env->appliance != NULL ? request->env->appliance(request->env->context)
					       : NULL;
	if (stats != NULL && more != NULL)
		json_object_update_missing(stats, more);
	json_decref(more);
	return stats;
}

json_t *
command_doctor(struct request *request)
{
	history_sample(request->env->history, request->env->registry, request->now);
	return doctor_json(request->env->history, request->env->registry, request->now);
}
