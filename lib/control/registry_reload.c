/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a file to a change of the slots, in two halves: first everything that can fail, into a
 * struct change; then what can't, unless a worker stands still. So an error changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config_report.h"
#include "control/registry_impl.h"

/* What a new configuration would make of the slots. */
struct change {
	struct config *config;
	const struct backend_config **next; /* by slot, of config; NULL: none */
	unsigned published;		    /* slots afterwards */
	struct siphash_key secret;
	struct source_lists *lists; /* held */
	struct reload_changes names;
};

static void
change_free(struct change *change)
{
	json_decref(change->names.added);
	json_decref(change->names.removed);
	json_decref(change->names.changed);
	free(change->next);
	source_lists_drop(change->lists);
	config_free(change->config);
	explicit_bzero(&change->secret, sizeof(change->secret));
}

/* A slot that a backend can take: the first from *from on, which moves behind it. */
static bool
find_free(const struct registry *registry, const struct change *change, uint32_t *from,
		uint32_t *found)
{
	while (*from < registry->config->backends_max) {
		const struct slot *slot = &registry->slots[*from];

		*found = (*from)++;
		if (slot->use == SLOT_FREE && !slot->is_held && change->next[*found] == NULL)
			return true;
	}
	return false;
}

static void
report_exhausted(struct config_report *report, const struct registry *registry,
		const struct change *change)
{
	unsigned draining = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];

		draining += change->next[i] == NULL && (slot_is_published(slot) || slot->is_held);
	}
	config_report_file(report,
			"limits.backends: %u backends wanted, %u slots, %u of them still draining",
			change->config->backend_count, registry->config->backends_max, draining);
}

/* Gives every backend of the new configuration its slot. */
static void
assign_slots(struct config_report *report, const struct registry *registry, struct change *change)
{
	const struct snapshot *published = registry->publication.where[0];
	const struct config *config = change->config;
	uint32_t from = 0;

	for (unsigned i = 0; i < config->backend_count; i++) {
		const struct backend_config *backend = &config->backends[i];
		const struct backend_config *found =
				snapshot_find(published, &backend->address, backend->port);

		if (found != NULL)
			change->next[found->slot] = backend;
	}
	for (unsigned i = 0; i < config->backend_count; i++) {
		const struct backend_config *backend = &config->backends[i];
		uint32_t slot;

		if (snapshot_find(published, &backend->address, backend->port) != NULL)
			continue;
		if (!find_free(registry, change, &from, &slot)) {
			report_exhausted(report, registry, change);
			return;
		}
		change->next[slot] = backend;
	}
}

static void
note_name(json_t *names, const struct backend_config *config)
{
	/* Out of memory: the list is shorter, the change is the same. */
	(void)json_array_append_new(names, json_string(config->name));
}

static void
note_changes(const struct registry *registry, struct change *change)
{
	struct reload_changes *names = &change->names;

	for (uint32_t i = 0; i < registry->config->backends_max; i++) {
		const struct slot *slot = &registry->slots[i];
		const struct backend_config *next = change->next[i];

		change->published += next != NULL || slot_is_published(slot);
		if (next == NULL && slot->use == SLOT_SERVING)
			note_name(names->removed, &slot->config);
		else if (next != NULL && slot->use != SLOT_SERVING)
			note_name(names->added, next);
		else if (next != NULL && backend_config_differs(&slot->config, next))
			note_name(names->changed, next);
	}
}

/* Reads the file and finds everything that speaks against it. change_free() in either case. */
static bool
change_read(const struct registry *registry, struct change *change, struct config_errors *errors)
{
	struct config_report report = {.name = registry->path};
	char message[512];

	*change = (struct change){.config = config_load_again(registry->path, errors),
			.names = {json_array(), json_array(), json_array()}};
	if (change->config == NULL)
		return false;
	if (!config_can_follow(registry->config, change->config, registry->path, errors))
		return false;
	change->next = calloc(registry->config->backends_max, sizeof(const void *));
	ENSURE(change->next != NULL);
	assign_slots(&report, registry, change);
	if (!registry->env.secret(registry->env.context, change->config, &change->secret, message,
			    sizeof(message)))
		config_report_file(&report, "%s", message);
	config_report_finish(&report, errors);
	if (errors->count > 0)
		return false;
	note_changes(registry, change);
	return true;
}

/* Makes what looks up in the new lists, beside those that serve. */
static bool
change_lists(const struct registry *registry, struct change *change, struct config_errors *errors)
{
	struct config_report report = {.name = registry->path};
	char message[256];

	change->lists = registry_make_lists(registry, change->config, message, sizeof(message));
	if (message[0] == '\0')
		return true;
	config_report_file(&report, "sources: %s", message);
	config_report_finish(&report, errors);
	return false;
}

static ticks_t
drain_until(const struct registry *registry, ticks_t now, ticks_t deadline)
{
	const uint32_t drain_s = registry->config->drain_s;

	return deadline != TICKS_NEVER || drain_s == 0 ? deadline : now + drain_s * TICKS_PER_S;
}

/* Carries out a change that has begun. deadline: asked for, or TICKS_NEVER. */
static void
change_slots(struct registry *registry, const struct change *change, ticks_t now, ticks_t deadline)
{
	for (uint32_t i = 0; i < registry->config->backends_max; i++) {
		struct slot *slot = &registry->slots[i];
		const struct backend_config *next = change->next[i];

		if (next != NULL && slot->use == SLOT_FREE)
			registry_take(registry, slot, next, now);
		else if (next != NULL)
			registry_keep(registry, slot, next, now);
		else if (slot->use == SLOT_SERVING)
			registry_drain(slot, now, drain_until(registry, now, deadline));
		else if (slot->use == SLOT_DRAINING && deadline < slot->deadline)
			slot->deadline = deadline;
	}
}

/* A list with one line: "NAME: PROBLEM". */
static void
refuse(struct config_errors *errors, const char *name, const char *problem)
{
	struct config_report report = {.name = name};

	config_report_file(&report, "%s", problem);
	config_report_finish(&report, errors);
}

static bool
change_publish(struct registry *registry, struct change *change, ticks_t now, ticks_t deadline,
		struct config_errors *errors)
{
	struct snapshot *snapshot;
	const char *problem = registry_begin(
			registry, change->published, &change->secret, now, &snapshot);
	struct reload_changes names = registry->changes;

	if (problem != NULL) {
		refuse(errors, registry->path, problem);
		return false;
	}
	registry->config->drain_s = change->config->drain_s;
	change_slots(registry, change, now, deadline);
	config_follow(registry->config, change->config);
	change->config = NULL;
	source_lists_drop(registry->lists);
	registry->lists = change->lists;
	registry->lists_read_at = now;
	change->lists = NULL;
	registry_publish(registry, snapshot);
	registry->config_generation++;
	registry->changes = change->names;
	change->names = names;
	return true;
}

bool
registry_reload(struct registry *registry, ticks_t now, ticks_t drain_deadline,
		struct config_errors *errors)
{
	struct reload_outcome *outcome = &registry->last_reload;
	struct change change;
	bool accepted;

	registry_settle(registry);
	accepted = change_read(registry, &change, errors) &&
		   change_lists(registry, &change, errors) &&
		   change_publish(registry, &change, now, drain_deadline, errors);
	change_free(&change);
	*outcome = (struct reload_outcome){
			.at = now, .accepted = accepted, .error_count = errors->count};
	if (!accepted)
		snprintf(outcome->first_error, sizeof(outcome->first_error), "%s",
				errors->lines[0]);
	return accepted;
}

static void
add_notes(json_t *notes, const json_t *names, const char *what)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		(void)json_array_append_new(notes,
				json_sprintf("%s: would be %s",
						json_string_value(json_array_get(names, i)), what));
}

bool
registry_check(const struct registry *registry, json_t *notes, struct config_errors *errors)
{
	struct change change;
	bool accepted = change_read(registry, &change, errors);

	if (accepted && notes != NULL) {
		add_notes(notes, change.names.added, "added");
		add_notes(notes, change.names.removed, "removed");
		add_notes(notes, change.names.changed, "changed");
	}
	change_free(&change);
	return accepted;
}

bool
registry_set(struct registry *registry, const char *backend, const char *key, const json_t *value,
		ticks_t now, struct config_errors *errors)
{
	struct slot *slot = registry_find(registry, backend);
	char shown[CONFIG_REPORT_VALUE_BYTES], order[sizeof("set .profile") + sizeof(shown)];
	struct backend_config config;
	struct snapshot *snapshot;
	const char *problem = NULL;
	unsigned published = 0;

	registry_settle(registry);
	config_report_shorten(shown, backend, strlen(backend));
	snprintf(order, sizeof(order), "set %s", shown);
	if (slot == NULL)
		problem = "no backend has that name";
	else if (slot->use == SLOT_DRAINING)
		problem = "it is draining: it takes no new clients";
	if (problem == NULL) {
		config = slot->config;
		if (!config_set(&config, key, value, errors))
			return false;
		for (uint32_t i = 0; i < registry->slots_used; i++)
			published += slot_is_published(&registry->slots[i]);
		problem = config_probe_problem(&registry->config->probe, &config);
		if (problem != NULL)
			strcat(order, ".profile");
	}
	if (problem == NULL)
		problem = registry_begin(
				registry, published, registry_secret(registry), now, &snapshot);
	if (problem != NULL) {
		refuse(errors, order, problem);
		return false;
	}
	registry_keep(registry, slot, &config, now);
	registry_publish(registry, snapshot);
	return true;
}
