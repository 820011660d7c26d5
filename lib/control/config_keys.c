/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table, and what can be said about a key without a file at hand. Ranges are argued in
 * config/README.md; here stand only those that a type or another limit dictates.
 */
#include "control/config_keys.h"

#include <stdarg.h>
#include <string.h>
#include <sys/un.h>

#include "control/word.h"
#include "table/early_pool.h"
#include "table/observed.h"

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

#define SOCKET_PATH_BYTES 104 /* sun_path without its NUL, and without the ".ro" of the sibling */
#define FILE_PATH_BYTES 4095  /* PATH_MAX without its NUL */
#define DEVICE_BYTES 1023

static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == SOCKET_PATH_BYTES + 4,
		"control.socket must fit unix(7)");
static_assert(CONFIG_CHECKSUM_AUTO == 0 && CONFIG_CHECKSUM_STRICT == 1 &&
				CONFIG_CHECKSUM_PARTIAL == 2,
		"the order of checksum_choices");
static_assert(MODE_PROTECT == 0 && MODE_MONITOR == 1 && MODE_OFF == 2, "the order of mode_choices");
static_assert(STRAY_DROP == 0 && STRAY_RESET == 1 && STRAY_PASS == 2, "the order of stray_choices");
static_assert(FRAGMENTS_DROP == 0 && FRAGMENTS_PASS == 1, "the order of fragments_choices");
static_assert(CONFIG_QINQ_8100 == 0 && CONFIG_QINQ_88A8 == 1, "the order of qinq_choices");
static_assert(QUEUE_RULES_LINUX_2_6 == 0 && QUEUE_RULES_LINUX_4_4 == 1 &&
				QUEUE_RULES_LINUX_6_18 == 2 && QUEUE_RULES_CLASSIC == 3,
		"the order of rules_choices");
static_assert(PROFILE_LEARN == 0 && PROFILE_FIXED == 1 && PROFILE_PROBE == 2,
		"the order of profile_choices");
static_assert(EARLY_DATA_AUTO == 0 && EARLY_DATA_ZERO_WINDOW == 1 && EARLY_DATA_HOLD == 2,
		"the order of early_choices");

static const char *const checksum_choices[] = {"auto", "strict", "partial", NULL};
static const char *const qinq_choices[] = {"0x8100", "0x88a8", NULL};
static const char *const fragments_choices[] = {"drop", "pass", NULL};
static const char *const mode_choices[] = {"protect", "monitor", "off", NULL};
static const char *const stray_choices[] = {"drop", "reset", "pass", NULL};
static const char *const rules_choices[] = {
		"linux-2.6", "linux-4.4", "linux-6.18", "classic", NULL};
static const char *const profile_choices[] = {"learn", "fixed", "probe", NULL};

static const char *const early_choices[] = {"auto", "zero-window", "hold", NULL};

static const struct config_key keys[] = {
		{CONFIG_SCOPE_TOP, "ports", CONFIG_OBJECT, .required = true,
				.inside = CONFIG_SCOPE_PORTS, AT(struct config_draft, config)},
		{CONFIG_SCOPE_PORTS, "client", CONFIG_OBJECT, .required = true,
				.inside = CONFIG_SCOPE_PORT, AT(struct config, ports[SIDE_CLIENT])},
		{CONFIG_SCOPE_PORTS, "server", CONFIG_OBJECT, .required = true,
				.inside = CONFIG_SCOPE_PORT,
				AT(struct config, ports[SIDE_BACKEND])},
		{CONFIG_SCOPE_PORT, "device", CONFIG_STRING, .required = true, .min = 1,
				.max = DEVICE_BYTES, AT(struct config_port, device)},
		{CONFIG_SCOPE_PORT, "mtu", CONFIG_INTEGER, .allows_zero = true, .min = 1280,
				.max = 9600, AT(struct config_port, mtu)},
		{CONFIG_SCOPE_PORT, "rx_descriptors", CONFIG_INTEGER, .min = 64, .max = 32768,
				.initial = 1024, AT(struct config_port, rx_descriptors)},
		{CONFIG_SCOPE_PORT, "tx_descriptors", CONFIG_INTEGER, .min = 64, .max = 32768,
				.initial = 1024, AT(struct config_port, tx_descriptors)},
		{CONFIG_SCOPE_PORT, "checksum", CONFIG_CHOICE, .choices = checksum_choices,
				.initial = CONFIG_CHECKSUM_AUTO, AT(struct config_port, checksum)},
		{CONFIG_SCOPE_PORT, "qinq_outer", CONFIG_CHOICE, .choices = qinq_choices,
				.initial = CONFIG_QINQ_8100, AT(struct config_port, qinq_outer)},

		{CONFIG_SCOPE_TOP, "workers", CONFIG_OBJECT, .required = true,
				.inside = CONFIG_SCOPE_WORKERS, AT(struct config_draft, config)},
		{CONFIG_SCOPE_WORKERS, "cpus", CONFIG_CPUS, .required = true, .min = 1,
				.max = CONFIG_WORKERS_MAX, AT(struct config, worker_cpus)},

		{CONFIG_SCOPE_TOP, "control", CONFIG_OBJECT, .inside = CONFIG_SCOPE_CONTROL,
				AT(struct config_draft, config)},
		{CONFIG_SCOPE_CONTROL, "cpu", CONFIG_INTEGER, .max = CONFIG_CPU_MAX,
				AT(struct config, control_cpu)},
		{CONFIG_SCOPE_CONTROL, "socket", CONFIG_STRING, .min = 1, .max = SOCKET_PATH_BYTES,
				.initial_text = "/run/sluice/control.sock",
				AT(struct config, control_socket)},
		{CONFIG_SCOPE_CONTROL, "drain_s", CONFIG_INTEGER, .is_live = true, .max = 86400,
				AT(struct config, drain_s)},
		{CONFIG_SCOPE_CONTROL, "watchdog_s", CONFIG_INTEGER, .is_live = true, .max = 3600,
				.initial = 2, AT(struct config, watchdog_s)},

		{CONFIG_SCOPE_TOP, "eal", CONFIG_ARGUMENTS, .max = CONFIG_ARGUMENTS_MAX,
				AT(struct config_draft, config.eal)},

		{CONFIG_SCOPE_TOP, "limits", CONFIG_OBJECT, .inside = CONFIG_SCOPE_LIMITS,
				AT(struct config_draft, config)},
		{CONFIG_SCOPE_LIMITS, "connections_per_worker", CONFIG_INTEGER, .min = 1,
				.max = 1 << 26, .initial = 1 << 20,
				AT(struct config, connections_per_worker)},
		{CONFIG_SCOPE_LIMITS, "ipv6_connections_per_worker", CONFIG_INTEGER, .max = 1 << 26,
				.initial = CONFIG_ELSEWHERE,
				.initial_note = "limits.connections_per_worker",
				AT(struct config, ip6_connections_per_worker)},
		{CONFIG_SCOPE_LIMITS, "syn_entries_per_worker", CONFIG_INTEGER, .allows_zero = true,
				.min = 64, .max = 1 << 22, .initial = 1 << 16,
				AT(struct config, syn_entries_per_worker)},
		{CONFIG_SCOPE_LIMITS, "mbufs", CONFIG_INTEGER, .min = 1024, .max = 1 << 24,
				.initial = 1 << 16, AT(struct config, mbufs)},
		{CONFIG_SCOPE_LIMITS, "early_packets_per_worker", CONFIG_INTEGER,
				.max = EARLY_PACKETS_MAX, .initial = CONFIG_ELSEWHERE,
				.initial_note = "an eighth of limits.mbufs over all workers, at "
						"most 4096 each",
				AT(struct config, early_packets_per_worker)},
		{CONFIG_SCOPE_LIMITS, "monitor_clients_per_worker", CONFIG_INTEGER,
				.allows_zero = true, .min = OBSERVED_CLIENTS_LEAST,
				.max = OBSERVED_CLIENTS_MAX, .initial = 1 << 17,
				AT(struct config, monitor_clients_per_worker)},
		{CONFIG_SCOPE_LIMITS, "source_prefixes_per_worker", CONFIG_INTEGER,
				.min = SOURCE_LIMIT_PREFIXES_LEAST,
				.max = SOURCE_LIMIT_PREFIXES_MAX, .initial = 1 << 16,
				AT(struct config, source_prefixes_per_worker)},
		{CONFIG_SCOPE_LIMITS, "backends", CONFIG_INTEGER, .min = 1,
				.max = CONFIG_BACKENDS_MAX, .initial = 1024,
				AT(struct config, backends_max)},

		{CONFIG_SCOPE_TOP, "keys", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_KEYS, AT(struct config_draft, config)},
		{CONFIG_SCOPE_KEYS, "secret_file", CONFIG_STRING, .min = 1, .max = FILE_PATH_BYTES,
				.initial_note = "random at every start",
				AT(struct config, secret_file)},

		{CONFIG_SCOPE_TOP, "timeouts", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_TIMEOUTS, AT(struct config_draft, config)},
		{CONFIG_SCOPE_TIMEOUTS, "established_s", CONFIG_INTEGER, .min = 1,
				.max = TIMEOUT_MAX_S, .initial = TIMEOUT_ESTABLISHED_S,
				AT(struct config, timeouts.s[TIMEOUT_ESTABLISHED])},
		{CONFIG_SCOPE_TIMEOUTS, "half_closed_s", CONFIG_INTEGER, .min = 1,
				.max = TIMEOUT_MAX_S, .initial = CONFIG_ELSEWHERE,
				.initial_note = "timeouts.established_s",
				AT(struct config, timeouts.s[TIMEOUT_HALF_CLOSED])},
		{CONFIG_SCOPE_TIMEOUTS, "closing_s", CONFIG_INTEGER, .min = 1, .max = 86400,
				.initial = TIMEOUT_CLOSING_S,
				AT(struct config, timeouts.s[TIMEOUT_CLOSING])},
		{CONFIG_SCOPE_TIMEOUTS, "time_wait_s", CONFIG_INTEGER, .min = 1, .max = 86400,
				.initial = TIMEOUT_TIME_WAIT_S,
				AT(struct config, timeouts.s[TIMEOUT_TIME_WAIT])},
		{CONFIG_SCOPE_TIMEOUTS, "reset_s", CONFIG_INTEGER, .min = 1, .max = 86400,
				.initial = TIMEOUT_RESET_S,
				AT(struct config, timeouts.s[TIMEOUT_RESET])},

		{CONFIG_SCOPE_TOP, "probe", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_PROBE, AT(struct config_draft, config)},
		{CONFIG_SCOPE_PROBE, "source", CONFIG_HOST, .min = FAMILY_IP4,
				.initial_note = "none", AT(struct config, probe.ip4.source)},
		{CONFIG_SCOPE_PROBE, "prefix", CONFIG_INTEGER, .max = 32, .initial = 24,
				AT(struct config, probe.ip4.prefix)},
		{CONFIG_SCOPE_PROBE, "gateway", CONFIG_HOST, .min = FAMILY_IP4,
				.initial_note = "none", AT(struct config, probe.ip4.gateway)},
		{CONFIG_SCOPE_PROBE, "source6", CONFIG_HOST, .min = FAMILY_IP6,
				.initial_note = "none", AT(struct config, probe.ip6.source)},
		{CONFIG_SCOPE_PROBE, "prefix6", CONFIG_INTEGER, .max = 128, .initial = 64,
				AT(struct config, probe.ip6.prefix)},
		{CONFIG_SCOPE_PROBE, "gateway6", CONFIG_HOST, .min = FAMILY_IP6,
				.initial_note = "none", AT(struct config, probe.ip6.gateway)},
		{CONFIG_SCOPE_PROBE, "vlan", CONFIG_INTEGER, .max = 4094,
				AT(struct config, probe.vlan)},

		{CONFIG_SCOPE_TOP, "egress", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_EGRESS, AT(struct config_draft, config)},
		{CONFIG_SCOPE_EGRESS, "network_per_s", CONFIG_INTEGER, .max = EGRESS_PER_S_MAX,
				.initial = EGRESS_NETWORK_PER_S,
				AT(struct config, egress.network_per_s)},
		{CONFIG_SCOPE_EGRESS, "side_per_s", CONFIG_INTEGER, .max = EGRESS_PER_S_MAX,
				.initial = EGRESS_SIDE_PER_S, AT(struct config, egress.side_per_s)},

		{CONFIG_SCOPE_TOP, "sources", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_SOURCES, AT(struct config_draft, config)},
		{CONFIG_SCOPE_SOURCES, "deny_file", CONFIG_STRING, .min = 1, .max = FILE_PATH_BYTES,
				.initial_note = "none", AT(struct config, sources.deny_file)},
		{CONFIG_SCOPE_SOURCES, "allow_file", CONFIG_STRING, .min = 1,
				.max = FILE_PATH_BYTES, .initial_note = "none",
				AT(struct config, sources.allow_file)},
		{CONFIG_SCOPE_SOURCES, "syn_per_s", CONFIG_INTEGER, .max = SOURCE_PER_S_MAX,
				AT(struct config, sources.rates.syn_per_s)},
		{CONFIG_SCOPE_SOURCES, "syn_burst", CONFIG_INTEGER, .min = 1,
				.max = SOURCE_BURST_MAX, .initial = CONFIG_ELSEWHERE,
				.initial_note = "sources.syn_per_s",
				AT(struct config, sources.rates.burst)},
		{CONFIG_SCOPE_SOURCES, "prefix", CONFIG_INTEGER, .min = 1, .max = 32, .initial = 32,
				AT(struct config, sources.rates.prefix)},
		{CONFIG_SCOPE_SOURCES, "prefix6", CONFIG_INTEGER, .min = 1, .max = 64,
				.initial = 64, AT(struct config, sources.rates.prefix6)},

		{CONFIG_SCOPE_TOP, "queues", CONFIG_OBJECT, .is_live = true,
				.inside = CONFIG_SCOPE_QUEUES, AT(struct config_draft, queues)},
		{CONFIG_SCOPE_QUEUES, "somaxconn", CONFIG_INTEGER, .min = 1, .max = 1 << 20,
				.initial = 4096, AT(struct backend_config, somaxconn)},
		{CONFIG_SCOPE_QUEUES, "tcp_max_syn_backlog", CONFIG_INTEGER, .min = 1,
				.max = 1 << 20, .initial = 1024,
				AT(struct backend_config, tcp_max_syn_backlog)},
		{CONFIG_SCOPE_QUEUES, "tcp_syncookies", CONFIG_INTEGER, .max = 2, .initial = 1,
				AT(struct backend_config, tcp_syncookies)},
		{CONFIG_SCOPE_QUEUES, "tcp_abort_on_overflow", CONFIG_INTEGER, .max = 1,
				AT(struct backend_config, tcp_abort_on_overflow)},
		{CONFIG_SCOPE_QUEUES, "tcp_synack_retries", CONFIG_INTEGER, .max = 10, .initial = 5,
				AT(struct backend_config, tcp_synack_retries)},
		{CONFIG_SCOPE_QUEUES, "tcp_syn_retries", CONFIG_INTEGER, .min = 1, .max = 10,
				.initial = 3, AT(struct backend_config, tcp_syn_retries)},
		{CONFIG_SCOPE_QUEUES, "queue_rules", CONFIG_CHOICE, .choices = rules_choices,
				.initial = QUEUE_RULES_LINUX_6_18,
				AT(struct backend_config, queue_rules)},
		{CONFIG_SCOPE_QUEUES, "connect_window", CONFIG_INTEGER, .min = 1, .max = 65535,
				.initial = 1024, AT(struct backend_config, connect_window)},
		{CONFIG_SCOPE_QUEUES, "early_data", CONFIG_CHOICE, .choices = early_choices,
				.initial = EARLY_DATA_AUTO, AT(struct backend_config, early_data)},
		{CONFIG_SCOPE_QUEUES, "fragments", CONFIG_CHOICE, .choices = fragments_choices,
				.initial = FRAGMENTS_DROP, AT(struct backend_config, fragments)},
		{CONFIG_SCOPE_QUEUES, "stray", CONFIG_CHOICE, .choices = stray_choices,
				.initial = STRAY_DROP, AT(struct backend_config, stray)},
		{CONFIG_SCOPE_QUEUES, "mode", CONFIG_CHOICE, .choices = mode_choices,
				.initial = MODE_PROTECT, AT(struct backend_config, mode)},

		{CONFIG_SCOPE_TOP, "backends", CONFIG_BACKENDS, .required = true, .is_live = true,
				.max = CONFIG_BACKENDS_MAX,
				.inside = CONFIG_SCOPE_BACKEND | CONFIG_SCOPE_QUEUES,
				AT(struct config_draft, config.backends)},
		{CONFIG_SCOPE_BACKEND, "name", CONFIG_NAME, .required = true, .min = 1,
				.max = BACKEND_NAME_BYTES - 1, AT(struct backend_config, name)},
		{CONFIG_SCOPE_BACKEND, "address", CONFIG_ADDRESS, .required = true,
				AT(struct backend_config, address)},
		{CONFIG_SCOPE_BACKEND, "port", CONFIG_INTEGER, .required = true, .min = 1,
				.max = 65535, AT(struct backend_config, port)},
		{CONFIG_SCOPE_BACKEND, "exempt", CONFIG_PREFIXES, .max = EXEMPT_MAX,
				AT(struct backend_config, exempt)},
		{CONFIG_SCOPE_BACKEND, "backlog", CONFIG_INTEGER, .min = 1, .max = 1 << 20,
				.initial = 4096, AT(struct backend_config, backlog)},
		{CONFIG_SCOPE_BACKEND, "announced_mss", CONFIG_INTEGER, .min = 88, .max = 65495,
				.initial = CONFIG_ELSEWHERE,
				.initial_note = "1460 for IPv4, 1440 for IPv6",
				AT(struct backend_config, announced_mss)},
		{CONFIG_SCOPE_BACKEND, "announced_wscale", CONFIG_INTEGER, .max = 9, .initial = 7,
				AT(struct backend_config, announced_wscale)},
		{CONFIG_SCOPE_BACKEND, "profile", CONFIG_CHOICE, .choices = profile_choices,
				.initial = PROFILE_LEARN, AT(struct backend_config, profile)},
		{CONFIG_SCOPE_BACKEND, "profile_sack", CONFIG_INTEGER, .max = 1, .initial = 1,
				AT(struct backend_config, profile_sack)},
		{CONFIG_SCOPE_BACKEND, "profile_timestamps", CONFIG_INTEGER, .max = 1, .initial = 1,
				AT(struct backend_config, profile_timestamps)},
		{CONFIG_SCOPE_BACKEND, "profile_ecn", CONFIG_INTEGER, .max = 1, .initial = 1,
				AT(struct backend_config, profile_ecn)},
};

const struct config_key *
config_keys(size_t *count)
{
	*count = ARRAY_COUNT(keys);
	return keys;
}

const struct config_key *
config_keys_find(unsigned scopes, const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if ((keys[i].scope & scopes) != 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

const struct config_key *
config_keys_nearest(unsigned scopes, const char *name)
{
	const struct config_key *nearest = NULL;
	unsigned nearest_distance = UINT32_MAX;

	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		unsigned distance;

		if ((keys[i].scope & scopes) == 0)
			continue;
		distance = word_distance(name, keys[i].name);
		if (distance < nearest_distance) {
			nearest = &keys[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

/* Appends to text of size bytes, which the table is too small to fill. */
__attribute__((format(printf, 3, 4))) static void
append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
	ENSURE(length >= 0 && used + (size_t)length < size);
}

void
config_keys_names(unsigned scopes, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if ((keys[i].scope & scopes) != 0)
			append(text, size, "%s%s", text[0] == '\0' ? "" : ", ", keys[i].name);
	}
}

static void
append_range(const struct config_key *key, char *text, size_t size)
{
	if (key->min == key->max)
		append(text, size, "%lld", (long long)key->min);
	else
		append(text, size, "%s%lld..%lld", key->allows_zero ? "0 or " : "",
				(long long)key->min, (long long)key->max);
}

void
config_key_allowed(const struct config_key *key, char *text, size_t size)
{
	text[0] = '\0';
	switch (key->type) {
	case CONFIG_INTEGER:
		append_range(key, text, size);
		break;
	case CONFIG_CHOICE:
		for (unsigned i = 0; key->choices[i] != NULL; i++)
			append(text, size, "%s\"%s\"", i == 0 ? "" : ", ", key->choices[i]);
		break;
	case CONFIG_STRING:
		append_range(key, text, size);
		append(text, size, " bytes");
		break;
	case CONFIG_NAME:
		append_range(key, text, size);
		append(text, size, " of A-Z a-z 0-9 . _ -");
		break;
	case CONFIG_ADDRESS:
		append(text, size, "IPv4 or IPv6 address of a host");
		break;
	case CONFIG_HOST:
		append(text, size, "%s address of a host",
				key->min == FAMILY_IP6 ? "IPv6" : "IPv4");
		break;
	case CONFIG_PREFIXES:
		append_range(key, text, size);
		append(text, size, " of a prefix, of the family of address");
		break;
	case CONFIG_CPUS:
		append_range(key, text, size);
		append(text, size, " different of 0..%d", CONFIG_CPU_MAX);
		break;
	case CONFIG_ARGUMENTS:
		append_range(key, text, size);
		append(text, size, " of 1..%d bytes", CONFIG_ARGUMENT_BYTES);
		break;
	case CONFIG_OBJECT:
		append(text, size, "an object");
		break;
	case CONFIG_BACKENDS:
		append(text, size, "up to limits.backends objects");
		break;
	}
}

static const char *
type_name(enum config_type type)
{
	switch (type) {
	case CONFIG_INTEGER:
		return "integer";
	case CONFIG_CPUS:
		return "array of integers";
	case CONFIG_ARGUMENTS:
	case CONFIG_PREFIXES:
		return "array of strings";
	case CONFIG_OBJECT:
		return "object";
	case CONFIG_BACKENDS:
		return "array of objects";
	case CONFIG_CHOICE:
	case CONFIG_STRING:
	case CONFIG_NAME:
	case CONFIG_ADDRESS:
	case CONFIG_HOST:
		break;
	}
	return "string";
}

static void
print_initial(FILE *out, const struct config_key *key)
{
	if (key->required)
		fputs("required", out);
	else if (key->initial_note != NULL)
		fputs(key->initial_note, out);
	else if (key->initial_text != NULL)
		fprintf(out, "\"%s\"", key->initial_text);
	else if (key->type == CONFIG_CHOICE)
		fprintf(out, "\"%s\"", key->choices[key->initial]);
	else if (key->type == CONFIG_INTEGER)
		fprintf(out, "%lld", (long long)key->initial);
	else
		fputs(key->type == CONFIG_OBJECT ? "{}" : "[]", out);
}

static void
print_scopes(FILE *out, unsigned scopes, const char *path)
{
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		const struct config_key *key = &keys[i];
		char allowed[CONFIG_KEYS_TEXT_BYTES];

		if ((key->scope & scopes) == 0)
			continue;
		config_key_allowed(key, allowed, sizeof(allowed));
		fprintf(out, "%s%s\t%s\t%s\t", path, key->name, type_name(key->type), allowed);
		if (key->scope == CONFIG_SCOPE_QUEUES && (scopes & CONFIG_SCOPE_BACKEND) != 0)
			fprintf(out, "queues.%s", key->name);
		else
			print_initial(out, key);
		putc('\n', out);
		if (key->type == CONFIG_OBJECT || key->type == CONFIG_BACKENDS) {
			char inside[64];
			int length = snprintf(inside, sizeof(inside), "%s%s%s.", path, key->name,
					key->type == CONFIG_BACKENDS ? "[]" : "");

			ENSURE(length > 0 && (size_t)length < sizeof(inside));
			print_scopes(out, key->inside, inside);
		}
	}
}

void
config_keys_print(FILE *out)
{
	print_scopes(out, CONFIG_SCOPE_TOP, "");
}
