/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no key can say alone. The member of a refused value is zero, which no check here takes
 * for a conflict, so that one mistake gives one line.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config_read.h"

/* The node of outer.inner, which the file has. */
static uint32_t
node_of(const struct config_report *report, const char *outer, const char *inner)
{
	uint32_t object = json_lines_member(report->lines, JSON_LINES_TOP, outer);

	return json_lines_member(report->lines, object, inner);
}

static void
check_ports(struct config_report *report, const struct config *config)
{
	const char *client = config->ports[SIDE_CLIENT].device;
	const char *server = config->ports[SIDE_BACKEND].device;

	if (client == NULL || server == NULL || strcmp(client, server) != 0)
		return;

	uint32_t port = node_of(report, "ports", "server");

	config_report_value(report, json_lines_member(report->lines, port, "device"),
			"another device", "same device as ports.client.device");
}

static void
check_limits(struct config_report *report, struct config *config)
{
	uint32_t most = config->connections_per_worker;
	char allowed[32];

	if (config->ip6_connections_per_worker == (uint32_t)CONFIG_ELSEWHERE)
		config->ip6_connections_per_worker = most;
	if (most == 0 || config->ip6_connections_per_worker <= most)
		return;
	snprintf(allowed, sizeof(allowed), "0..%u", most);
	config_report_value(report, node_of(report, "limits", "ipv6_connections_per_worker"),
			allowed, "more than limits.connections_per_worker");
}

static void
check_timeouts(struct timeouts *timeouts)
{
	if (timeouts->s[TIMEOUT_HALF_CLOSED] == (uint32_t)CONFIG_ELSEWHERE)
		timeouts->s[TIMEOUT_HALF_CLOSED] = timeouts->s[TIMEOUT_ESTABLISHED];
}

static void
check_sources(struct source_rates *rates)
{
	if (rates->burst == (uint32_t)CONFIG_ELSEWHERE)
		rates->burst = rates->syn_per_s > 0 ? rates->syn_per_s : 1;
}

static uint32_t
backend_node(const struct config_report *report, uint32_t slot)
{
	uint32_t backends = json_lines_member(report->lines, JSON_LINES_TOP, "backends");

	return json_lines_element(report->lines, backends, slot);
}

/* Orders backends by what must differ, 0 for a conflict. */
typedef int backend_order(const struct backend_config *a, const struct backend_config *b);

static int
by_name(const struct backend_config *a, const struct backend_config *b)
{
	return strcmp(a->name, b->name);
}

static int
by_address(const struct backend_config *a, const struct backend_config *b)
{
	int compared = memcmp(&a->address, &b->address, sizeof(a->address));

	return compared != 0 ? compared : (a->port > b->port) - (a->port < b->port);
}

static int
slot_compare(const struct backend_config *a, const struct backend_config *b)
{
	return (a->slot > b->slot) - (a->slot < b->slot);
}

static int
by_name_then_slot(const void *a, const void *b)
{
	const struct backend_config *const *left = a;
	const struct backend_config *const *right = b;
	int compared = by_name(*left, *right);

	return compared != 0 ? compared : slot_compare(*left, *right);
}

static int
by_address_then_slot(const void *a, const void *b)
{
	const struct backend_config *const *left = a;
	const struct backend_config *const *right = b;
	int compared = by_address(*left, *right);

	return compared != 0 ? compared : slot_compare(*left, *right);
}

/* Says at their key which backends of a sorted list equal the one before, naming the first. */
static void
report_equal(struct config_report *report, const struct backend_config *const *sorted,
		unsigned count, backend_order *order, const char *key, const char *what)
{
	unsigned first = 0;

	for (unsigned i = 1; i < count; i++) {
		uint32_t node;
		char allowed[CONFIG_KEYS_TEXT_BYTES];

		if (order(sorted[first], sorted[i]) != 0) {
			first = i;
			continue;
		}
		node = json_lines_member(report->lines, backend_node(report, sorted[i]->slot), key);
		snprintf(allowed, sizeof(allowed), "another %s than in line %u", what,
				report->lines->nodes[backend_node(report, sorted[first]->slot)]
						.line);
		config_report_value(report, node, allowed, "same %s as backends[%u]", what,
				sorted[first]->slot);
	}
}

/* Whether the file has probe.KEY, be its value refused. */
static bool
has_probe_key(const struct config_report *report, const char *key)
{
	const struct json_lines *lines = report->lines;

	for (uint32_t node = 1; node < lines->count; node++) {
		const struct json_node *parent = &lines->nodes[lines->nodes[node].parent];
		const struct json_node *found = &lines->nodes[node];

		if (parent->parent == JSON_LINES_TOP && parent->key_length == strlen("probe") &&
				memcmp(parent->key, "probe", parent->key_length) == 0 &&
				found->key_length == strlen(key) &&
				memcmp(found->key, key, found->key_length) == 0)
			return true;
	}
	return false;
}

static void
check_probe_end(struct config_report *report, const struct config *config,
		const struct probe_end *end, const char *source, const char *gateway)
{
	if (probe_end_has(&end->gateway) && !has_probe_key(report, source))
		config_report_node(report, node_of(report, "probe", gateway), "without probe.%s",
				source);
	if (!probe_end_has(&end->source))
		return;
	if (ip_addr_is_equal(&end->source, &end->gateway))
		config_report_value(report, node_of(report, "probe", gateway), "another address",
				"same address as probe.%s", source);
	for (unsigned i = 0; i < config->backend_count; i++) {
		if (ip_addr_is_equal(&end->source, &config->backends[i].address)) {
			config_report_value(report, node_of(report, "probe", source),
					"an address of its own", "same address as backends[%u]", i);
			return;
		}
	}
}

const char *
config_probe_problem(const struct probe_config *probe, const struct backend_config *backend)
{
	if (backend->profile != PROFILE_PROBE || backend->family == FAMILY_NONE ||
			probe_end_has(&probe_config_end(probe, backend->family)->source))
		return NULL;
	return backend->family == FAMILY_IP6 ? "\"probe\" needs probe.source6"
					     : "\"probe\" needs probe.source";
}

/* A source that was refused is reported where it stands. */
static void
check_probe(struct config_report *report, const struct config *config)
{
	bool has_ip4 = has_probe_key(report, "source");
	bool has_ip6 = has_probe_key(report, "source6");

	check_probe_end(report, config, &config->probe.ip4, "source", "gateway");
	check_probe_end(report, config, &config->probe.ip6, "source6", "gateway6");
	for (unsigned i = 0; i < config->backend_count; i++) {
		const struct backend_config *backend = &config->backends[i];
		const char *problem = config_probe_problem(&config->probe, backend);

		if (problem != NULL && !(backend->family == FAMILY_IP6 ? has_ip6 : has_ip4))
			config_report_value(report,
					json_lines_member(report->lines, backend_node(report, i),
							"profile"),
					"\"learn\", \"fixed\"", "%s", problem);
	}
}

static void
check_names(struct config_report *report, const struct config *config,
		const struct backend_config **sorted)
{
	unsigned count = 0;

	for (unsigned i = 0; i < config->backend_count; i++) {
		if (config->backends[i].name[0] != '\0')
			sorted[count++] = &config->backends[i];
	}
	qsort(sorted, count, sizeof(*sorted), by_name_then_slot);
	report_equal(report, sorted, count, by_name, "name", "name");
}

static void
check_addresses(struct config_report *report, const struct config *config,
		const struct backend_config **sorted)
{
	unsigned count = 0;

	for (unsigned i = 0; i < config->backend_count; i++) {
		if (config->backends[i].family != FAMILY_NONE && config->backends[i].port != 0)
			sorted[count++] = &config->backends[i];
	}
	qsort(sorted, count, sizeof(*sorted), by_address_then_slot);
	report_equal(report, sorted, count, by_address, "address", "address and port");
}

/* The file may hold more backends than were read: the array's own count is what counts. */
static void
check_backend_count(struct config_report *report, const struct config *config)
{
	uint32_t node = json_lines_member(report->lines, JSON_LINES_TOP, "backends");
	uint32_t count = report->lines->nodes[node].children;
	uint32_t most = config->backends_max != 0 ? config->backends_max : CONFIG_BACKENDS_MAX;

	if (count > most)
		config_report_node(report, node,
				"more than limits.backends (value %u elements; allowed 0..%u)",
				count, most);
}

static void
check_backends(struct config_report *report, struct config *config)
{
	const struct backend_config **sorted;

	for (unsigned i = 0; i < config->backend_count; i++) {
		struct backend_config *backend = &config->backends[i];

		if (backend->announced_mss == (uint16_t)CONFIG_ELSEWHERE)
			backend->announced_mss = backend->family == FAMILY_IP6 ? 1440 : 1460;
	}
	sorted = calloc(config->backend_count + 1, sizeof(*sorted));
	ENSURE(sorted != NULL);
	check_names(report, config, sorted);
	check_addresses(report, config, sorted);
	free(sorted);
}

void
config_check(struct config_report *report, struct config_draft *draft)
{
	struct config *config = &draft->config;

	check_ports(report, config);
	check_limits(report, config);
	check_timeouts(&config->timeouts);
	check_sources(&config->sources.rates);
	if (config->backends == NULL)
		return;
	check_backend_count(report, config);
	check_backends(report, config);
	check_probe(report, config);
}
