/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree is walked by the table, not the other way round, so that absent keys get their
 * defaults and are missed if required; what the table doesn't know is reported after that.
 */
#include "control/config_read.h"

#include <stdlib.h>
#include <string.h>

#include "control/config_text.h"

/* A value and its node. */
struct value {
	json_t *json;
	uint32_t node;
};

static void read_object(struct config_report *report, struct value object, unsigned scopes,
		unsigned inherited, void *base);

static void *
member(const struct config_key *key, void *base)
{
	return (char *)base + key->offset;
}

/* Stores the low bytes: CONFIG_ELSEWHERE becomes all ones. */
static void
store(const struct config_key *key, void *base, int64_t number)
{
	uint8_t narrow = (uint8_t)number;
	uint16_t half = (uint16_t)number;
	uint32_t full = (uint32_t)number;

	switch (key->size) {
	case sizeof(narrow):
		memcpy(member(key, base), &narrow, sizeof(narrow));
		break;
	case sizeof(half):
		memcpy(member(key, base), &half, sizeof(half));
		break;
	default:
		ENSURE(key->size == sizeof(full));
		memcpy(member(key, base), &full, sizeof(full));
	}
}

static char *
copy(const char *text)
{
	char *copied = strdup(text);

	ENSURE(copied != NULL);
	return copied;
}

static void
store_initial(const struct config_key *key, void *base)
{
	if (key->type == CONFIG_INTEGER || key->type == CONFIG_CHOICE)
		store(key, base, key->initial);
	else if (key->type == CONFIG_STRING && key->initial_text != NULL)
		*(char **)member(key, base) = copy(key->initial_text);
}

/* Says what is wrong with a value, and what the key allows. */
static void
refuse(struct config_report *report, const struct config_key *key, uint32_t node,
		const char *problem)
{
	char allowed[CONFIG_KEYS_TEXT_BYTES];

	config_key_allowed(key, allowed, sizeof(allowed));
	config_report_value(report, node, allowed, "%s", problem);
}

/* Says that an array has too few or too many elements. */
static void
refuse_count(struct config_report *report, const struct config_key *key, struct value value)
{
	char allowed[CONFIG_KEYS_TEXT_BYTES];

	config_key_allowed(key, allowed, sizeof(allowed));
	config_report_node(report, value.node,
			"wrong number of elements (value %zu elements; allowed %s)",
			json_array_size(value.json), allowed);
}

static bool
is_array(struct config_report *report, const struct config_key *key, struct value value)
{
	if (!json_is_array(value.json))
		refuse(report, key, value.node, "not an array");
	return json_is_array(value.json);
}

/* An array of at most as many elements as the key allows. */
static bool
is_short_array(struct config_report *report, const struct config_key *key, struct value value)
{
	if (!is_array(report, key, value))
		return false;
	if ((int64_t)json_array_size(value.json) <= key->max)
		return true;
	refuse_count(report, key, value);
	return false;
}

static struct value
element_at(const struct config_report *report, struct value array, uint32_t index)
{
	return (struct value){json_array_get(array.json, index),
			json_lines_element(report->lines, array.node, index)};
}

static void
read_integer(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	json_int_t number = json_integer_value(value.json);

	if (!json_is_integer(value.json))
		refuse(report, key, value.node, "not an integer");
	else if ((number >= key->min && number <= key->max) || (number == 0 && key->allows_zero))
		store(key, base, number);
	else
		refuse(report, key, value.node, "out of range");
}

static void
read_choice(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	if (!json_is_string(value.json)) {
		refuse(report, key, value.node, "not a string");
		return;
	}
	for (unsigned i = 0; key->choices[i] != NULL; i++) {
		if (strcmp(key->choices[i], json_string_value(value.json)) == 0) {
			store(key, base, i);
			return;
		}
	}
	refuse(report, key, value.node, "not one of the choices");
}

static void
read_string(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	const char *problem = config_string_problem(value.json, key->min, key->max);

	if (problem == NULL)
		*(char **)member(key, base) = copy(json_string_value(value.json));
	else
		refuse(report, key, value.node, problem);
}

static void
read_name(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	const char *problem = config_name_problem(value.json, key->min, key->max);

	if (problem == NULL)
		strcpy(member(key, base), json_string_value(value.json));
	else
		refuse(report, key, value.node, problem);
}

static void
read_address(struct config_report *report, const struct config_key *key, struct value value,
		struct backend_config *backend)
{
	const char *problem =
			config_address_problem(value.json, &backend->address, &backend->family);

	if (problem != NULL)
		refuse(report, key, value.node, problem);
}

static void
read_host(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	union ip_addr address;
	uint8_t family;
	const char *problem = config_address_problem(value.json, &address, &family);

	if (problem == NULL && family != key->min)
		problem = "address of the other family";
	if (problem == NULL)
		memcpy(member(key, base), &address, sizeof(address));
	else
		refuse(report, key, value.node, problem);
}

/* The family is known by now: the table has the address first. A refused one leaves no family. */
static void
read_prefixes(struct config_report *report, const struct config_key *key, struct value value,
		struct backend_config *backend)
{
	size_t count = json_array_size(value.json);

	if (!is_short_array(report, key, value))
		return;
	backend->exempt = (struct exempt_list){.lengths = {0}};
	backend->exempt_count = (uint8_t)count;
	for (uint32_t i = 0; i < count; i++) {
		struct value element = element_at(report, value, i);
		const char *problem = config_prefix_problem(element.json,
				(enum family)backend->family, &backend->exempt.addresses[i],
				&backend->exempt.lengths[i]);

		if (problem != NULL)
			config_report_value(report, element.node,
					"a prefix of the family of address, as 10.1.0.0/16 or "
					"fd00:1::/32",
					"%s", problem);
	}
}

/* One element of workers.cpus; seen_at has the node of each CPU number seen, 0 for none. */
static void
read_cpu(struct config_report *report, struct value value, struct config *config,
		uint32_t seen_at[CONFIG_CPU_MAX + 1])
{
	json_int_t cpu = json_integer_value(value.json);
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "0..%d", CONFIG_CPU_MAX);
	if (!json_is_integer(value.json)) {
		config_report_value(report, value.node, allowed, "not an integer");
	} else if (cpu < 0 || cpu > CONFIG_CPU_MAX) {
		config_report_value(report, value.node, allowed, "out of range");
	} else if (seen_at[cpu] != 0) {
		config_report_value(report, value.node, "every CPU once",
				"same CPU as workers.cpus[%u]",
				report->lines->nodes[seen_at[cpu]].index);
	} else {
		seen_at[cpu] = value.node;
		config->worker_cpus[config->worker_count++] = (unsigned)cpu;
	}
}

static void
read_cpus(struct config_report *report, const struct config_key *key, struct value value,
		struct config *config)
{
	size_t count = json_array_size(value.json);
	uint32_t seen_at[CONFIG_CPU_MAX + 1] = {0};

	if (!is_array(report, key, value))
		return;
	if ((int64_t)count < key->min || (int64_t)count > key->max)
		refuse_count(report, key, value);
	for (uint32_t i = 0; i < count && i < key->max; i++) {
		struct value element = element_at(report, value, i);

		read_cpu(report, element, config, seen_at);
	}
}

static void
read_arguments(struct config_report *report, const struct config_key *key, struct value value,
		struct config *config)
{
	size_t count = json_array_size(value.json);
	char allowed[32];

	if (!is_short_array(report, key, value))
		return;
	snprintf(allowed, sizeof(allowed), "1..%d bytes", CONFIG_ARGUMENT_BYTES);
	config->eal = calloc(count + 1, sizeof(*config->eal));
	ENSURE(config->eal != NULL);
	for (uint32_t i = 0; i < count; i++) {
		struct value element = element_at(report, value, i);
		const char *problem = config_string_problem(element.json, 1, CONFIG_ARGUMENT_BYTES);

		if (problem != NULL)
			config_report_value(report, element.node, allowed, "%s", problem);
		else if (config_chooses_cores(json_string_value(element.json)))
			config_report_value(report, element.node, "options that choose no cores",
					"workers.cpus and control.cpu decide this");
		else
			config->eal[config->eal_count++] = copy(json_string_value(element.json));
	}
}

/* Backends beyond the most that any limit allows are counted, not read. */
static void
read_backends(struct config_report *report, const struct config_key *key, struct value value,
		struct config_draft *draft)
{
	size_t count = json_array_size(value.json);
	struct config *config = &draft->config;

	if (!is_array(report, key, value))
		return;
	if ((int64_t)count > key->max)
		count = (size_t)key->max;
	config->backends = calloc(count + 1, sizeof(*config->backends));
	ENSURE(config->backends != NULL);
	config->backend_count = (unsigned)count;
	for (uint32_t i = 0; i < count; i++) {
		struct value element = element_at(report, value, i);

		config->backends[i] = draft->queues;
		config->backends[i].slot = (uint16_t)i;
		if (json_is_object(element.json))
			read_object(report, element, key->inside, CONFIG_SCOPE_QUEUES,
					&config->backends[i]);
		else
			config_report_value(report, element.node, "an object", "not an object");
	}
}

static void
read_value(struct config_report *report, const struct config_key *key, struct value value,
		void *base)
{
	switch (key->type) {
	case CONFIG_INTEGER:
		read_integer(report, key, value, base);
		break;
	case CONFIG_CHOICE:
		read_choice(report, key, value, base);
		break;
	case CONFIG_STRING:
		read_string(report, key, value, base);
		break;
	case CONFIG_NAME:
		read_name(report, key, value, base);
		break;
	case CONFIG_ADDRESS:
		read_address(report, key, value, base);
		break;
	case CONFIG_HOST:
		read_host(report, key, value, base);
		break;
	case CONFIG_PREFIXES:
		read_prefixes(report, key, value, base);
		break;
	case CONFIG_CPUS:
		read_cpus(report, key, value, base);
		break;
	case CONFIG_ARGUMENTS:
		read_arguments(report, key, value, base);
		break;
	case CONFIG_OBJECT:
		if (json_is_object(value.json))
			read_object(report, value, key->inside, 0, member(key, base));
		else
			refuse(report, key, value.node, "not an object");
		break;
	case CONFIG_BACKENDS:
		read_backends(report, key, value, base);
		break;
	}
}

/* Says which keys of an object are none of its scopes'. */
static void
refuse_unknown(struct config_report *report, struct value object, unsigned scopes)
{
	void *at;

	for (at = json_object_iter(object.json); at != NULL;
			at = json_object_iter_next(object.json, at)) {
		const char *name = json_object_iter_key(at);
		const struct config_key *nearest;
		char allowed[CONFIG_KEYS_TEXT_BYTES];
		uint32_t node;

		if (config_keys_find(scopes, name) != NULL)
			continue;
		node = json_lines_member(report->lines, object.node, name);
		nearest = config_keys_nearest(scopes, name);
		config_keys_names(scopes, allowed, sizeof(allowed));
		if (nearest != NULL)
			config_report_value(report, node, allowed,
					"unknown key; did you mean \"%s\"?", nearest->name);
		else
			config_report_value(report, node, allowed, "unknown key");
	}
}

/* Reads the keys of the scopes into base. An absent key gets its default, except that those of
 * the inherited scopes keep what base holds. With object.json NULL all are absent. */
static void
read_object(struct config_report *report, struct value object, unsigned scopes, unsigned inherited,
		void *base)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];
		struct value value = {json_object_get(object.json, key->name), 0};
		char allowed[CONFIG_KEYS_TEXT_BYTES];

		if ((key->scope & scopes) == 0)
			continue;
		if (value.json != NULL) {
			value.node = json_lines_member(report->lines, object.node, key->name);
			read_value(report, key, value, base);
		} else if (key->required) {
			config_key_allowed(key, allowed, sizeof(allowed));
			config_report_missing(report, object.node, key->name, allowed);
		} else if (key->type == CONFIG_OBJECT) {
			read_object(report, value, key->inside, 0, member(key, base));
		} else if ((key->scope & inherited) == 0) {
			store_initial(key, base);
		}
	}
	refuse_unknown(report, object, scopes);
}

/* What says which backend it is: another value would be another backend. */
static bool
is_identity(const struct config_key *key)
{
	return key->scope == CONFIG_SCOPE_BACKEND && key->required;
}

void
config_read_setting(struct config_report *report, json_t *top, struct backend_config *backend)
{
	const unsigned scopes = CONFIG_SCOPE_BACKEND | CONFIG_SCOPE_QUEUES;
	struct value object = {top, JSON_LINES_TOP};
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];
		struct value value = {json_object_get(top, key->name), 0};

		if ((key->scope & scopes) == 0 || value.json == NULL)
			continue;
		value.node = json_lines_member(report->lines, JSON_LINES_TOP, key->name);
		if (is_identity(key))
			config_report_node(report, value.node,
					"can't be set: change the file and reload");
		else
			read_value(report, key, value, backend);
	}
	refuse_unknown(report, object, scopes);
}

void
config_read(struct config_report *report, json_t *top, struct config_draft *draft)
{
	struct value value = {top, JSON_LINES_TOP};

	if (json_is_object(top))
		read_object(report, value, CONFIG_SCOPE_TOP, 0, draft);
	else
		config_report_value(report, JSON_LINES_TOP, "an object", "not an object");
}
