/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that change something: set, reload, check (which only would), flush. */
#include <string.h>

#include "control/command_request.h"
#include "control/command_text.h"
#include "control/config_keys.h"

#define DRAIN_DEADLINE_S_MAX 31536000 /* a year */

/* The value of a backend's key as JSON. */
static json_t *
value_json(const struct backend_config *config, const struct config_key *key)
{
	const uint8_t *member = (const uint8_t *)config + key->offset;
	uint64_t value = 0;

	if (key->type == CONFIG_NAME)
		return json_string((const char *)member);
	if ((key->type != CONFIG_INTEGER && key->type != CONFIG_CHOICE) ||
			key->size > sizeof(value))
		return json_null();
	/* Little-endian, as everything that reads these tables assumes. */
	memcpy(&value, member, key->size);
	return key->type == CONFIG_CHOICE ? json_string(key->choices[value])
					  : json_integer((json_int_t)value);
}

/* What to know about a change that was made, for some keys; "" for the others. */
static const char *
note_of(const struct backend_config *config, const char *key)
{
	if (strcmp(key, "backlog") == 0 && config->backlog > config->somaxconn)
		return "somaxconn is smaller and decides; ";
	if (strcmp(key, "somaxconn") == 0 && config->somaxconn > config->backlog)
		return "backlog is smaller and decides; ";
	if (strcmp(key, "tcp_syncookies") == 0 && config->tcp_syncookies == 0)
		return "without cookies a SYN flood shuts clients out; ";
	if (strcmp(key, "mode") == 0 && config->mode == MODE_MONITOR)
		return "nothing is refused or answered any more, only counted; ";
	if (strcmp(key, "mode") == 0 && config->mode == MODE_OFF)
		return "nothing is refused, answered or counted any more; ";
	if (strcmp(key, "mode") == 0 && config->stray != STRAY_PASS)
		return "connections that stood are strays: \"stray\" \"pass\" takes them over; ";
	return "";
}

json_t *
command_set(struct request *request)
{
	struct registry *registry = request->env->registry;
	const json_t *value = json_object_get(request->object, "value");
	const struct config_key *known;
	struct config_errors errors;
	struct slot *slot;
	const char *key;
	json_t *before, *after;

	if (!request_backend(request, true, &slot) || !request_string(request, "key", true, &key))
		return NULL;
	if (value == NULL)
		return request_refuse(request, "\"value\" is missing");
	if (slot->use != SLOT_SERVING)
		return request_refuse(
				request, "that backend is draining: nothing of it can be set");
	known = config_keys_find(CONFIG_SCOPE_BACKEND | CONFIG_SCOPE_QUEUES, key);
	before = known != NULL ? value_json(&slot->config, known) : json_null();
	if (!registry_set(registry, slot->config.name, key, value, request->now, &errors)) {
		json_decref(before);
		return request_refuse_errors(request, &errors);
	}
	config_errors_free(&errors);
	after = known != NULL ? value_json(&slot->config, known) : json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o}", "backend", slot->config.name, "key", key,
			"value", after, "before", before, "generation",
			(json_int_t)registry->generation, "note",
			json_sprintf("%sapplied at once and not saved: it lasts until the next "
				     "reload or restart",
					note_of(&slot->config, key)));
}

json_t *
command_reload(struct request *request)
{
	const struct command_env *env = request->env;
	struct registry *registry = env->registry;
	struct config_errors errors;
	json_int_t deadline_s;
	bool accepted;

	if (!request_integer(request, "drain_deadline_s", 0, DRAIN_DEADLINE_S_MAX, -1, &deadline_s))
		return NULL;
	if (env->reloading != NULL)
		env->reloading(env->context, true);
	accepted = registry_reload(registry, request->now,
			deadline_s < 0 ? TICKS_NEVER
				       : request->now + (ticks_t)deadline_s * TICKS_PER_S,
			&errors);
	if (env->reloading != NULL)
		env->reloading(env->context, false);
	if (!accepted)
		return request_refuse_errors(request, &errors);
	config_errors_free(&errors);
	/* Copies: the registry goes on owning, and changing, its own. */
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "generation",
			(json_int_t)registry->generation, "config_generation",
			(json_int_t)registry->config_generation, "added",
			json_copy(registry->changes.added), "removed",
			json_copy(registry->changes.removed), "changed",
			json_copy(registry->changes.changed));
}

json_t *
command_check(struct request *request)
{
	json_t *notes = json_array();
	struct config_errors errors;

	if (notes == NULL)
		return NULL;
	if (!registry_check(request->env->registry, notes, &errors)) {
		json_decref(notes);
		return request_refuse_errors(request, &errors);
	}
	config_errors_free(&errors);
	return json_pack("{s:o}", "notes", notes);
}

json_t *
command_flush(struct request *request)
{
	struct registry *registry = request->env->registry;
	char name[REGISTRY_NAME_BYTES];
	struct slot *slot;
	bool complete;
	uint64_t ended;

	if (!request_backend(request, true, &slot))
		return NULL;
	registry_name(registry, slot, name);
	ended = registry_flush(registry, registry_slot(registry, slot), &complete);
	return json_pack("{s:s, s:I, s:b}", "backend", name, "ended", (json_int_t)ended, "complete",
			complete);
}
