/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading of keys, and the parts of replies that several commands share. */
#include "control/command_request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/command_text.h"
#include "control/word.h"
#include "net/tcp_opt.h"
#include "table/queue_rules.h"

json_t *
request_refuse(struct request *request, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(request->error, sizeof(request->error), format, arguments);
	va_end(arguments);
	return NULL;
}

json_t *
request_refuse_errors(struct request *request, struct config_errors *errors)
{
	if (errors->count == 0)
		request_refuse(request, "refused, for no stated reason");
	else if (errors->count == 1)
		request_refuse(request, "%s", errors->lines[0]);
	else
		request_refuse(request, "%s; and %u more", errors->lines[0], errors->count - 1);
	json_decref(request->errors);
	request->errors = json_array();
	for (unsigned i = 0; i < errors->count; i++)
		json_array_append_new(request->errors,
				plain_json(errors->lines[i], strlen(errors->lines[i])));
	config_errors_free(errors);
	return NULL;
}

bool
request_string(struct request *request, const char *key, bool is_required, const char **text)
{
	const json_t *value = json_object_get(request->object, key);

	*text = json_string_value(value);
	if (*text == NULL && value != NULL)
		request_refuse(request, "\"%s\" must be a string", key);
	else if (*text == NULL && is_required)
		request_refuse(request, "\"%s\" is missing", key);
	else
		return true;
	return false;
}

bool
request_integer(struct request *request, const char *key, json_int_t from, json_int_t to,
		json_int_t initial, json_int_t *value)
{
	const json_t *json = json_object_get(request->object, key);

	*value = json != NULL ? json_integer_value(json) : initial;
	if (json == NULL || (json_is_integer(json) && *value >= from && *value <= to))
		return true;
	if (from == to)
		request_refuse(request, "\"%s\" must be %lld", key, (long long)from);
	else
		request_refuse(request, "\"%s\" must be an integer of %lld..%lld", key,
				(long long)from, (long long)to);
	return false;
}

static void
refuse_backend(struct request *request, const char *name)
{
	const struct registry *registry = request->env->registry;
	char nearest[REGISTRY_NAME_BYTES] = "";
	unsigned nearest_distance = UINT32_MAX;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		char listed[REGISTRY_NAME_BYTES];
		unsigned distance;

		if (registry->slots[i].use == SLOT_FREE)
			continue;
		registry_name(registry, &registry->slots[i], listed);
		distance = word_distance(name, listed);
		if (distance < nearest_distance) {
			memcpy(nearest, listed, sizeof(nearest));
			nearest_distance = distance;
		}
	}
	request_refuse(request, "no backend \"%.64s\"%s%s", name,
			nearest[0] != '\0' ? "; nearest: " : "", nearest);
}

bool
request_backend(struct request *request, bool is_required, struct slot **slot)
{
	const char *name;

	*slot = NULL;
	if (!request_string(request, "backend", is_required, &name))
		return false;
	if (name == NULL)
		return true;
	*slot = registry_find(request->env->registry, name);
	if (*slot == NULL)
		refuse_backend(request, name);
	return *slot != NULL;
}

struct queue_load
request_load(const struct request *request, const struct slot *slot)
{
	const struct registry *registry = request->env->registry;
	const struct backend_shared *shared = &registry->env.shared[registry_slot(registry, slot)];
	uint32_t syn = shared_read(&shared->syn);

	return (struct queue_load){
			.accept = shared_read(&shared->accept),
			.syn = syn,
			.young = shared_read(&shared->young),
			.cookies = queue_rules_cookies(&slot->config, syn,
					shared_read(&shared->cookies) != 0,
					shared_read(&shared->full_ms),
					queue_rules_ms(request->now)),
	};
}

json_t *
row_json(const struct request *request, const struct inspect_row *row, unsigned worker)
{
	const struct registry *registry = request->env->registry;
	const struct tuple *tuple = &row->tuple;
	char client[ENDPOINT_TEXT_BYTES], local[ENDPOINT_TEXT_BYTES];
	char name[REGISTRY_NAME_BYTES] = "";

	endpoint_write(&tuple->client, tuple->family, tuple->client_port, client);
	endpoint_write(&tuple->backend, tuple->family, tuple->backend_port, local);
	if (row->slot < registry->slots_used)
		registry_name(registry, &registry->slots[row->slot], name);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:i, s:b, s:i, s:o, s:b, s:b, s:i}",
			"backend", name, "client", client, "local", local, "vlan",
			vlan_json(tuple->vlan), "state", row->state, "age_ms",
			(json_int_t)row->age_ms, "due_ms", (json_int_t)row->due_ms, "repeats",
			row->repeats, "acked", row->acked, "mss", row->mss, "wscale",
			row->wscale == TCP_WSCALE_NONE ? json_null() : json_integer(row->wscale),
			"sack", row->sack_permitted, "timestamps", row->has_timestamp, "worker",
			(int)worker);
}

/* What is known of something that may or may not be spoken: true, false, or null. */
static json_t *
learned_json(uint8_t learned)
{
	return learned == LEARNED_NOTHING ? json_null() : json_boolean(learned == LEARNED_YES);
}

static json_t *
ago_json(ticks_t when, uint64_t ago_ms)
{
	return when == 0 ? json_null() : json_integer((json_int_t)ago_ms);
}

/* Whose SYN-ACK the profile was last taken from; null before any. */
static json_t *
source_json(const struct inspect_profile *row)
{
	const ticks_t learned_at = row->profile.learned_at;

	if (learned_at == 0)
		return json_null();
	return json_string(row->probe.answered_at == learned_at ? "probe" : "client");
}

json_t *
profile_json(const struct request *request, const struct inspect_profile *row, unsigned worker)
{
	const struct registry *registry = request->env->registry;
	const struct backend_profile *profile = &row->profile;
	static const char *const policies[] = {"learn", "fixed", "probe"};
	const struct backend_probe *probe = &row->probe;
	const char *policy = policies[PROFILE_LEARN];
	char name[REGISTRY_NAME_BYTES] = "";

	if (row->slot < registry->slots_used) {
		const struct slot *slot = &registry->slots[row->slot];

		registry_name(registry, slot, name);
		policy = policies[slot->config.profile];
	}
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
			 "s:o, s:o, s:I, s:I}",
			"backend", name, "profile", policy, "worker", (int)worker, "mss",
			profile->mss != 0 ? json_integer(profile->mss) : json_null(), "scales",
			learned_json(profile->scales), "wscale",
			profile->scales == LEARNED_YES ? json_integer(profile->wscale)
						       : json_null(),
			"sack", learned_json(profile->sack), "timestamps",
			learned_json(profile->timestamps), "ecn", learned_json(profile->ecn),
			"window",
			profile->learned_at != 0 ? json_integer(profile->window) : json_null(),
			"learned_ago_ms", ago_json(profile->learned_at, row->learned_ago_ms),
			"refused_ago_ms", ago_json(profile->refused_at, row->refused_ago_ms),
			"drift", (json_int_t)profile->drift, "source", source_json(row),
			"probed_ago_ms", ago_json(probe->sent_at, row->probed_ago_ms),
			"probe_answers", (json_int_t)probe->answers, "probe_failures",
			(json_int_t)probe->failures);
}
