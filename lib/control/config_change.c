/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From one configuration to the next: what can only be had by a restart, found by walking the table
 * of keys over both, and the rest, which moves over. What a configuration once pointed to for the
 * appliance's ports, cores and tables stays at its address.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config_keys.h"
#include "control/config_report.h"

static_assert(offsetof(struct config_draft, config) == 0, "the table's offsets fit both");

static int64_t
number_at(const struct config_key *key, const void *base)
{
	const char *member = (const char *)base + key->offset;
	uint8_t narrow;
	uint16_t half;
	uint32_t full;

	switch (key->size) {
	case sizeof(narrow):
		memcpy(&narrow, member, sizeof(narrow));
		return narrow;
	case sizeof(half):
		memcpy(&half, member, sizeof(half));
		return half;
	default:
		ENSURE(key->size == sizeof(full));
		memcpy(&full, member, sizeof(full));
		return full;
	}
}

static const char *
string_at(const struct config_key *key, const void *base)
{
	return *(const char *const *)(const void *)((const char *)base + key->offset);
}

static void
print_cpus(FILE *out, const struct config *config)
{
	for (unsigned i = 0; i < config->worker_count; i++)
		fprintf(out, "%s%u", i == 0 ? "[" : ", ", config->worker_cpus[i]);
	putc(']', out);
}

static void
print_arguments(FILE *out, const struct config *config)
{
	putc('[', out);
	for (unsigned i = 0; i < config->eal_count; i++)
		fprintf(out, "%s\"%s\"", i == 0 ? "" : ", ", config->eal[i]);
	putc(']', out);
}

/* The value as a file would have it; base is the struct that the key's scope is stored in. */
static void
print_value(FILE *out, const struct config_key *key, const void *base)
{
	switch (key->type) {
	case CONFIG_INTEGER:
		if (key->initial == CONFIG_ELSEWHERE && number_at(key, base) == UINT32_MAX)
			fputs("its default", out);
		else
			fprintf(out, "%lld", (long long)number_at(key, base));
		break;
	case CONFIG_CHOICE:
		fprintf(out, "\"%s\"", key->choices[number_at(key, base)]);
		break;
	case CONFIG_STRING:
		fprintf(out, "\"%s\"", string_at(key, base));
		break;
	case CONFIG_CPUS:
		print_cpus(out, base);
		break;
	case CONFIG_ARGUMENTS:
		print_arguments(out, base);
		break;
	case CONFIG_NAME:
	case CONFIG_ADDRESS:
	case CONFIG_HOST:
	case CONFIG_PREFIXES:
	case CONFIG_OBJECT:
	case CONFIG_BACKENDS:
		ENSURE(false); /* only of backends, or no value */
	}
}

static char *
value_text(const struct config_key *key, const void *base)
{
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	ENSURE(out != NULL);
	print_value(out, key, base);
	ENSURE(fclose(out) == 0);
	return text;
}

static void
compare_value(struct config_report *report, const struct config_key *key, const char *path,
		const void *base, const void *next)
{
	char *before = value_text(key, base);
	char *after = value_text(key, next);
	char shown[2][CONFIG_REPORT_VALUE_BYTES];

	if (strcmp(before, after) != 0) {
		config_report_shorten(shown[0], before, strlen(before));
		config_report_shorten(shown[1], after, strlen(after));
		config_report_file(report, "%s%s: changed from %s to %s: needs a restart", path,
				key->name, shown[0], shown[1]);
	}
	free(before);
	free(after);
}

static void
compare_scope(struct config_report *report, unsigned scope, const char *path, const void *base,
		const void *next)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];
		char inside[64];

		if (key->scope != scope || key->is_live)
			continue;
		if (key->type != CONFIG_OBJECT) {
			compare_value(report, key, path, base, next);
			continue;
		}
		ENSURE((size_t)snprintf(inside, sizeof(inside), "%s%s.", path, key->name) <
				sizeof(inside));
		compare_scope(report, key->inside, inside, (const char *)base + key->offset,
				(const char *)next + key->offset);
	}
}

bool
config_can_follow(const struct config *config, const struct config *next, const char *name,
		struct config_errors *errors)
{
	struct config_report report = {.name = name};

	compare_scope(&report, CONFIG_SCOPE_TOP, "", config, next);
	config_report_finish(&report, errors);
	return errors->count == 0;
}

bool
backend_config_differs(const struct backend_config *a, const struct backend_config *b)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];

		if ((key->scope & (CONFIG_SCOPE_BACKEND | CONFIG_SCOPE_QUEUES)) == 0 ||
				key->type == CONFIG_NAME || key->type == CONFIG_ADDRESS ||
				key->type == CONFIG_PREFIXES)
			continue;
		if (number_at(key, a) != number_at(key, b))
			return true;
	}
	if (a->exempt_count != b->exempt_count ||
			!exempt_list_is_equal(&a->exempt, &b->exempt, a->exempt_count))
		return true;
	return strcmp(a->name, b->name) != 0 || !ip_addr_is_equal(&a->address, &b->address);
}

void
config_follow(struct config *config, struct config *next)
{
	struct backend_config *backends = config->backends;
	char *secret_file = config->secret_file;
	struct config_sources sources = config->sources;

	config->drain_s = next->drain_s;
	config->watchdog_s = next->watchdog_s;
	config->timeouts = next->timeouts;
	config->probe = next->probe;
	config->egress = next->egress;
	config->sources = next->sources;
	config->secret_file = next->secret_file;
	config->backends = next->backends;
	config->backend_count = next->backend_count;
	next->sources = sources;
	next->secret_file = secret_file;
	next->backends = backends;
	config_free(next);
}
