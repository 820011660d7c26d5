/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configurations that are right: defaults, every key at both ends of its range and just beyond,
 * the examples that we ship; and files that can't be read. Bad contents: test_config_errors.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/config.h"
#include "control/config_keys.h"

static const char minimal[] =
		"{\"ports\": {\"client\": {\"device\": \"c\"}, \"server\": {\"device\": \"s\"}},\n"
		" \"workers\": {\"cpus\": [3]},\n"
		" \"backends\": [{\"name\": \"a\", \"address\": \"10.0.0.2\", \"port\": 80}]}\n";

static struct config *
parse(const char *text)
{
	struct config_errors errors;
	struct config *config = config_parse("f", text, strlen(text), &errors);

	if (config == NULL)
		fail_msg("%s", errors.lines[0]);
	assert_int_equal(errors.count, 0);
	assert_null(errors.lines);
	config_errors_free(&errors);
	return config;
}

/* 1. What the minimal file leaves out. */
static void
test_defaults(void **state)
{
	struct config *config = parse(minimal);
	const struct backend_config *backend = &config->backends[0];

	(void)state;
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		assert_int_equal(config->ports[side].mtu, 0);
		assert_int_equal(config->ports[side].rx_descriptors, 1024);
		assert_int_equal(config->ports[side].tx_descriptors, 1024);
		assert_int_equal(config->ports[side].checksum, CONFIG_CHECKSUM_AUTO);
		assert_int_equal(config->ports[side].qinq_outer, CONFIG_QINQ_8100);
	}
	assert_string_equal(config->ports[SIDE_CLIENT].device, "c");
	assert_string_equal(config->ports[SIDE_BACKEND].device, "s");
	assert_int_equal(config->worker_count, 1);
	assert_int_equal(config->worker_cpus[0], 3);
	assert_int_equal(config->control_cpu, 0);
	assert_string_equal(config->control_socket, "/run/sluice/control.sock");
	assert_null(config->secret_file);
	assert_int_equal(config->eal_count, 0);
	assert_int_equal(config->connections_per_worker, 1048576);
	assert_int_equal(config->ip6_connections_per_worker, 1048576);
	assert_int_equal(config->syn_entries_per_worker, 65536);
	assert_int_equal(config_early_packets(config), 4096);
	assert_int_equal(config->drain_s, 0);
	assert_int_equal(config->watchdog_s, 2);
	for (unsigned i = 0; i < TIMEOUT_COUNT; i++)
		assert_int_equal(config->timeouts.s[i], timeouts_default().s[i]);
	assert_false(probe_end_has(&config->probe.ip4.source));
	assert_false(probe_end_has(&config->probe.ip6.source));
	assert_int_equal(config->probe.ip4.prefix, 24);
	assert_int_equal(config->probe.ip6.prefix, 64);
	assert_int_equal(config->probe.vlan, 0);
	assert_int_equal(config->egress.network_per_s, 100);
	assert_int_equal(config->egress.side_per_s, 1000);
	assert_int_equal(config->mbufs, 65536);
	assert_int_equal(config->backends_max, 1024);
	assert_int_equal(config->backend_count, 1);
	assert_string_equal(backend->name, "a");
	assert_int_equal(backend->family, FAMILY_IP4);
	assert_int_equal(backend->address.words_be[3], inet_addr("10.0.0.2"));
	assert_int_equal(backend->port, 80);
	assert_int_equal(backend->slot, 0);
	assert_int_equal(backend->backlog, 4096);
	assert_int_equal(backend->somaxconn, 4096);
	assert_int_equal(backend->tcp_max_syn_backlog, 1024);
	assert_int_equal(backend->tcp_syncookies, 1);
	assert_int_equal(backend->tcp_abort_on_overflow, 0);
	assert_int_equal(backend->tcp_synack_retries, 5);
	assert_int_equal(backend->tcp_syn_retries, 3);
	assert_int_equal(backend->queue_rules, QUEUE_RULES_LINUX_6_18);
	assert_int_equal(backend->connect_window, 1024);
	assert_int_equal(backend->announced_mss, 1460);
	assert_int_equal(backend->announced_wscale, 7);
	config_free(config);
}

/* 2. Everything set, and what a backend inherits, overrides and never shares. */
static void
test_everything(void **state)
{
	static const char text[] =
			"{\"backends\": [\n"
			" {\"name\": \"A-b.c_9\", \"address\": \"2001:db8::1\", \"port\": 65535,\n"
			"  \"queue_rules\": \"classic\", \"somaxconn\": 7, \"backlog\": 8},\n"
			" {\"name\": \"b\", \"address\": \"2001:db8::1\", \"port\": 1,\n"
			"  \"exempt\": [\"2001:db8:1::/48\", \"2001:db8::7\"],\n"
			"  \"announced_mss\": 1220, \"announced_wscale\": 0}],\n"
			" \"queues\": {\"somaxconn\": 128, \"tcp_max_syn_backlog\": 512,\n"
			"  \"tcp_abort_on_overflow\": 1, \"queue_rules\": \"linux-2.6\",\n"
			"  \"connect_window\": 16},\n"
			" \"ports\": {\"client\": {\"device\": \"0000:03:00.0\", \"mtu\": 9000,\n"
			"   \"rx_descriptors\": 2048, \"checksum\": \"strict\"},\n"
			"  \"server\": {\"device\": \"s\", \"tx_descriptors\": 100,\n"
			"   \"checksum\": \"partial\", \"mtu\": 0,\n"
			"   \"qinq_outer\": \"0x88a8\"}},\n"
			" \"workers\": {\"cpus\": [5, 2, 1023]}, \"eal\": [\"-n\", \"4\"],\n"
			" \"control\": {\"cpu\": 5, \"socket\": \"/tmp/x\", \"drain_s\": 60,\n"
			"  \"watchdog_s\": 0},\n"
			" \"limits\": {\"connections_per_worker\": 10,\n"
			"  \"ipv6_connections_per_worker\": 0,\n"
			"  \"syn_entries_per_worker\": 0},\n"
			" \"timeouts\": {\"time_wait_s\": 1, \"established_s\": 60},\n"
			" \"probe\": {\"source\": \"10.0.0.250\", \"prefix\": 30,\n"
			"  \"gateway\": \"10.0.0.254\", \"source6\": \"2001:db8::250\",\n"
			"  \"prefix6\": 48, \"gateway6\": \"fe80::1\", \"vlan\": 4094},\n"
			" \"egress\": {\"side_per_s\": 0},\n"
			" \"keys\": {\"secret_file\": \"/etc/sluice/secret\"}}";
	struct config *config = parse(text);
	const struct probe_config *probe = &config->probe;
	const struct backend_config *a = &config->backends[0];
	const struct backend_config *b = &config->backends[1];

	(void)state;
	assert_int_equal(probe->ip4.source.words_be[3], inet_addr("10.0.0.250"));
	assert_int_equal(probe->ip4.source.bytes[11], 0xff);
	assert_int_equal(probe->ip4.gateway.words_be[3], inet_addr("10.0.0.254"));
	assert_int_equal(probe->ip4.prefix, 30);
	assert_int_equal(probe->ip6.source.bytes[14], 2);
	assert_int_equal(probe->ip6.gateway.bytes[0], 0xfe);
	assert_int_equal(probe->ip6.prefix, 48);
	assert_int_equal(probe->vlan, 4094);
	assert_int_equal(config->backend_count, 2);
	assert_string_equal(a->name, "A-b.c_9");
	assert_int_equal(a->family, FAMILY_IP6);
	assert_int_equal(a->address.bytes[0], 0x20);
	assert_int_equal(a->address.bytes[15], 1);
	assert_int_equal(a->somaxconn, 7);
	assert_int_equal(a->backlog, 8);
	assert_int_equal(a->queue_rules, QUEUE_RULES_CLASSIC);
	assert_int_equal(a->announced_mss, 1440);
	assert_int_equal(b->slot, 1);
	assert_int_equal(b->somaxconn, 128);
	assert_int_equal(b->backlog, 4096);
	assert_int_equal(b->queue_rules, QUEUE_RULES_LINUX_2_6);
	assert_int_equal(b->announced_mss, 1220);
	assert_int_equal(b->announced_wscale, 0);
	assert_int_equal(a->exempt_count, 0);
	assert_int_equal(b->exempt_count, 2);
	assert_int_equal(b->exempt.lengths[0], 48);
	assert_int_equal(b->exempt.lengths[1], 128);
	assert_int_equal(b->exempt.addresses[0].bytes[5], 1);
	assert_int_equal(b->exempt.addresses[1].bytes[15], 7);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(config->backends[i].tcp_max_syn_backlog, 512);
		assert_int_equal(config->backends[i].tcp_abort_on_overflow, 1);
		assert_int_equal(config->backends[i].connect_window, 16);
	}
	assert_string_equal(config->ports[SIDE_CLIENT].device, "0000:03:00.0");
	assert_int_equal(config->ports[SIDE_CLIENT].mtu, 9000);
	assert_int_equal(config->ports[SIDE_CLIENT].rx_descriptors, 2048);
	assert_int_equal(config->ports[SIDE_CLIENT].checksum, CONFIG_CHECKSUM_STRICT);
	assert_int_equal(config->ports[SIDE_BACKEND].tx_descriptors, 100);
	assert_int_equal(config->ports[SIDE_BACKEND].checksum, CONFIG_CHECKSUM_PARTIAL);
	assert_int_equal(config->ports[SIDE_BACKEND].qinq_outer, CONFIG_QINQ_88A8);
	assert_int_equal(config->worker_count, 3);
	assert_int_equal(config->worker_cpus[0], 5);
	assert_int_equal(config->worker_cpus[1], 2);
	assert_int_equal(config->worker_cpus[2], 1023);
	assert_int_equal(config->control_cpu, 5);
	assert_string_equal(config->control_socket, "/tmp/x");
	assert_int_equal(config->drain_s, 60);
	assert_int_equal(config->watchdog_s, 0);
	assert_int_equal(config->syn_entries_per_worker, 0);
	/* An eighth of the packet buffers, over three workers. */
	assert_int_equal(config_early_packets(config), config->mbufs / 24);
	assert_int_equal(config->timeouts.s[TIMEOUT_ESTABLISHED], 60);
	assert_int_equal(config->timeouts.s[TIMEOUT_HALF_CLOSED], 60);
	assert_int_equal(config->timeouts.s[TIMEOUT_TIME_WAIT], 1);
	assert_int_equal(config->timeouts.s[TIMEOUT_RESET], TIMEOUT_RESET_S);
	assert_int_equal(config->egress.network_per_s, 100);
	assert_int_equal(config->egress.side_per_s, 0);
	assert_string_equal(config->secret_file, "/etc/sluice/secret");
	assert_int_equal(config->eal_count, 2);
	assert_string_equal(config->eal[0], "-n");
	assert_string_equal(config->eal[1], "4");
	assert_int_equal(config->connections_per_worker, 10);
	assert_int_equal(config->ip6_connections_per_worker, 0);
	config_free(config);
}

/* 3. No backend at all is allowed: everything passes. */
static void
test_no_backends(void **state)
{
	struct config *config = parse("{\"ports\": {\"client\": {\"device\": \"c\"},\n"
				      " \"server\": {\"device\": \"s\"}},\n"
				      " \"workers\": {\"cpus\": [0]}, \"backends\": []}");

	(void)state;
	assert_int_equal(config->backend_count, 0);
	config_free(config);
}

/* The object of the minimal file's tree that holds the keys of a scope; made when absent. */
static json_t *
object_of(json_t *top, enum config_scope scope)
{
	static const struct {
		enum config_scope scope;
		const char *name;
	} sections[] = {
			{CONFIG_SCOPE_CONTROL, "control"},
			{CONFIG_SCOPE_LIMITS, "limits"},
			{CONFIG_SCOPE_TIMEOUTS, "timeouts"},
			{CONFIG_SCOPE_PROBE, "probe"},
			{CONFIG_SCOPE_EGRESS, "egress"},
			{CONFIG_SCOPE_SOURCES, "sources"},
			{CONFIG_SCOPE_QUEUES, "queues"},
	};

	if (scope == CONFIG_SCOPE_PORT)
		return json_object_get(json_object_get(top, "ports"), "client");
	if (scope == CONFIG_SCOPE_BACKEND)
		return json_array_get(json_object_get(top, "backends"), 0);
	for (unsigned i = 0; i < ARRAY_COUNT(sections); i++) {
		if (sections[i].scope == scope) {
			json_object_set_new(top, sections[i].name, json_object());
			return json_object_get(top, sections[i].name);
		}
	}
	fail_msg("no place for scope %u", scope);
	return NULL;
}

/* The minimal file with one key set; where decides which object holds it. */
static struct config *
parse_with(enum config_scope where, const char *name, json_t *value, struct config_errors *errors)
{
	json_t *top = json_loads(minimal, 0, NULL);
	struct config *config;
	char *text;

	/* What "probe" needs. */
	if (strcmp(name, "profile") == 0)
		json_object_set_new(object_of(top, CONFIG_SCOPE_PROBE), "source",
				json_string("10.0.0.9"));
	json_object_set_new(object_of(top, where), name, value);
	text = json_dumps(top, 0);
	config = config_parse("f", text, strlen(text), errors);
	free(text);
	json_decref(top);
	return config;
}

static int64_t
stored(const struct config *config, const struct config_key *key)
{
	const void *base = config;
	uint8_t narrow;
	uint16_t half;
	uint32_t full;

	if (key->scope == CONFIG_SCOPE_PORT)
		base = &config->ports[SIDE_CLIENT];
	if (key->scope == CONFIG_SCOPE_QUEUES || key->scope == CONFIG_SCOPE_BACKEND)
		base = &config->backends[0];

	const char *member = (const char *)base + key->offset;

	switch (key->size) {
	case 1:
		memcpy(&narrow, member, 1);
		return narrow;
	case 2:
		memcpy(&half, member, 2);
		return half;
	default:
		assert_int_equal(key->size, 4);
		memcpy(&full, member, 4);
		return full;
	}
}

static void
expect_taken(enum config_scope where, const struct config_key *key, int64_t value)
{
	struct config_errors errors;
	struct config *config = parse_with(where, key->name, json_integer(value), &errors);

	if (config == NULL)
		fail_msg("%s: %s", key->name, errors.lines[0]);
	assert_int_equal(stored(config, key), value);
	config_free(config);
	config_errors_free(&errors);
}

static void
expect_refused(enum config_scope where, const struct config_key *key, json_t *value,
		const char *problem)
{
	char *shown = json_dumps(value, JSON_ENCODE_ANY);
	struct config_errors errors;
	struct config *config = parse_with(where, key->name, value, &errors);

	if (config != NULL || errors.count != 1 || strstr(errors.lines[0], problem) == NULL ||
			strstr(errors.lines[0], key->name) == NULL)
		fail_msg("%s %s: %s", key->name, shown,
				errors.count > 0 ? errors.lines[0] : "taken");
	free(shown);
	config_errors_free(&errors);
}

static void
expect_range(enum config_scope where, const struct config_key *key)
{
	/* Its default follows connections_per_worker, which bounds it too. */
	if (strcmp(key->name, "ipv6_connections_per_worker") != 0)
		expect_taken(where, key, key->max);
	expect_taken(where, key, key->min);
	expect_refused(where, key, json_integer(key->min - 1), "out of range");
	expect_refused(where, key, json_integer(key->max + 1), "out of range");
	expect_refused(where, key, json_integer(INT64_MIN), "out of range");
	expect_refused(where, key, json_integer(INT64_MAX), "out of range");
	if (key->allows_zero)
		expect_taken(where, key, 0);
	/* A cast to the member's size would make these the default. */
	expect_refused(where, key, json_integer((int64_t)1 << 32 | key->min), "out of range");
	expect_refused(where, key, json_string("1"), "not an integer");
	expect_refused(where, key, json_real((double)key->min), "not an integer");
	expect_refused(where, key, json_true(), "not an integer");
	expect_refused(where, key, json_null(), "not an integer");
	expect_refused(where, key, json_array(), "not an integer");
	expect_refused(where, key, json_object(), "not an integer");
}

/* 4. Every integer key, queues' also in a backend: both ends, one beyond, every wrong type. */
static void
test_integers(void **state)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	unsigned tested = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		if (keys[i].type != CONFIG_INTEGER)
			continue;
		expect_range(keys[i].scope, &keys[i]);
		if (keys[i].scope == CONFIG_SCOPE_QUEUES)
			expect_range(CONFIG_SCOPE_BACKEND, &keys[i]);
		tested++;
	}
	assert_int_equal(tested, 42);
}

/* 5. Every string of every choice means its own enumerator. */
static void
test_choices(void **state)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	unsigned tested = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		if (keys[i].type != CONFIG_CHOICE)
			continue;
		for (unsigned choice = 0; keys[i].choices[choice] != NULL; choice++) {
			struct config_errors errors;
			struct config *config = parse_with(keys[i].scope, keys[i].name,
					json_string(keys[i].choices[choice]), &errors);

			assert_non_null(config);
			assert_int_equal(stored(config, &keys[i]), choice);
			config_free(config);
			config_errors_free(&errors);
			tested++;
		}
	}
	assert_int_equal(tested, 3 + 2 + 4 + 2 + 3 + 3 + 3 + 3);
}

/* 6. Strings of the greatest length are kept whole; one byte more is refused. */
static void
test_longest(void **state)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	unsigned tested = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];
		struct config_errors errors;
		struct config *config;
		char text[4200];

		if (key->type != CONFIG_NAME && strcmp(key->name, "device") != 0 &&
				strcmp(key->name, "socket") != 0)
			continue;
		memset(text, 'x', sizeof(text));
		text[key->max] = '\0';
		config = parse_with(key->scope, key->name, json_string(text), &errors);
		assert_non_null(config);
		if (key->type == CONFIG_NAME)
			assert_string_equal(config->backends[0].name, text);
		else if (key->scope == CONFIG_SCOPE_PORT)
			assert_string_equal(config->ports[SIDE_CLIENT].device, text);
		else
			assert_string_equal(config->control_socket, text);
		config_free(config);
		config_errors_free(&errors);
		text[key->max] = 'x';
		text[key->max + 1] = '\0';
		expect_refused(key->scope, key, json_string(text), "too long");
		tested++;
	}
	assert_int_equal(tested, 3);
}

/* 7. Addresses that look like refused ones, but are a host's. */
static void
test_addresses(void **state)
{
	static const struct {
		const char *text;
		enum family family;
	} cases[] = {
			{"0.0.0.1", FAMILY_IP4},
			{"126.255.255.255", FAMILY_IP4},
			{"128.0.0.0", FAMILY_IP4},
			{"223.255.255.255", FAMILY_IP4},
			{"240.0.0.1", FAMILY_IP4},
			{"255.255.255.254", FAMILY_IP4},
			{"::2", FAMILY_IP6},
			{"fe80::1", FAMILY_IP6},
			{"fc00::1", FAMILY_IP6},
			{"::10.0.0.2", FAMILY_IP6},
			{"64:ff9b::10.0.0.2", FAMILY_IP6},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct config_errors errors;
		struct config *config = parse_with(CONFIG_SCOPE_BACKEND, "address",
				json_string(cases[i].text), &errors);

		if (config == NULL)
			fail_msg("%s", errors.lines[0]);
		assert_int_equal(config->backends[0].family, cases[i].family);
		config_free(config);
		config_errors_free(&errors);
	}
}

/* 8. EAL options near those that are refused. */
static void
test_eal_options(void **state)
{
	static const char *const options[] = {"--in-memory", "--no-pci", "-n", "4", "--log-level=8",
			"--legacy-mem", "--match-allocations", "-a", "0000:01:00.0", "-m", "lcores",
			"l"};
	json_t *top = json_loads(minimal, 0, NULL);
	json_t *eal = json_array();
	struct config *config;
	char *text;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(options); i++)
		json_array_append_new(eal, json_string(options[i]));
	json_object_set_new(top, "eal", eal);
	text = json_dumps(top, 0);
	config = parse(text);
	assert_int_equal(config->eal_count, ARRAY_COUNT(options));
	for (unsigned i = 0; i < ARRAY_COUNT(options); i++)
		assert_string_equal(config->eal[i], options[i]);
	config_free(config);
	free(text);
	json_decref(top);
}

/* 9. Text needs no NUL behind it: the bytes there are not read. */
static void
test_no_terminator(void **state)
{
	size_t length = strlen(minimal);
	char *text = malloc(length);
	struct config_errors errors = {.count = 77, .lines = (char **)(uintptr_t)1};
	struct config *config;

	(void)state;
	memcpy(text, minimal, length);
	config = config_parse("f", text, length, &errors);
	assert_non_null(config);
	assert_int_equal(errors.count, 0);
	config_free(config);
	config_errors_free(&errors);
	assert_null(config_parse("f", text, length - 2, &errors));
	assert_int_equal(errors.count, 1);
	config_errors_free(&errors);
	free(text);
}

/* 10. As many backends as there can be, and one more. */
static void
test_most_backends(void **state)
{
	size_t size = (size_t)65536 * 64 + sizeof(minimal) + 256;
	char *text = malloc(size);
	struct config_errors errors;
	struct config *config;
	char *out;

	(void)state;
	out = stpcpy(text, "{\"ports\": {\"client\": {\"device\": \"c\"},\n"
			   " \"server\": {\"device\": \"s\"}}, \"workers\": {\"cpus\": [0]},\n"
			   " \"limits\": {\"backends\": 65535}, \"backends\": [\n");
	for (unsigned i = 0; i < 65535; i++)
		out += snprintf(out, 64,
				"%s{\"name\":\"n%u\",\"address\":\"10.1.%u.%u\",\"port\":80}",
				i == 0 ? "" : ",", i, i >> 8, i & 255);
	strcpy(out, "]}");
	config = parse(text);
	assert_int_equal(config->backend_count, 65535);
	assert_int_equal(config->backends[65534].slot, 65534);
	config_free(config);
	strcpy(out, ",{}]}");
	assert_null(config_parse("f", text, strlen(text), &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0],
			"f:3: backends: more than limits.backends (value 65536 elements; allowed "
			"0..65535)");
	config_errors_free(&errors);
	free(text);
}

static void
expect_unloaded(const char *path, const char *problem)
{
	struct config_errors errors;
	char line[256];

	snprintf(line, sizeof(line), "%s: %s", path, problem);
	assert_null(config_load(path, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], line);
	config_errors_free(&errors);
}

static void
write_file(const char *path, const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

/* 11. Files that can't be read, and one of the greatest size that can. */
static void
test_files(void **state)
{
	char directory[] = "/tmp/sluice-test-XXXXXX";
	char path[64];
	char *text = malloc((size_t)17 << 20);
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/f.json", directory);
	expect_unloaded(path, "cannot be opened: No such file or directory");
	expect_unloaded(directory, "is a directory");
	write_file(path, "", 0);
	expect_unloaded(path, "empty file");

	memset(text, ' ', (size_t)17 << 20);
	memcpy(text, minimal, strlen(minimal));
	write_file(path, text, ((size_t)16 << 20) + 1);
	expect_unloaded(path, "larger than 16 MiB");
	write_file(path, text, (size_t)16 << 20);
	config = config_load(path, &errors);
	assert_non_null(config);
	config_free(config);
	config_errors_free(&errors);

	/* Root may read everything, so for this one it steps down. */
	assert_int_equal(chmod(directory, 0755) | chmod(path, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	expect_unloaded(path, "cannot be opened: Permission denied");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	unlink(path);
	rmdir(directory);
	free(text);
}

/* 12. A line of a file's error carries the path as it was given. */
static void
test_file_lines(void **state)
{
	char path[] = "/tmp/sluice-test-XXXXXX";
	int fd = mkstemp(path);
	struct config_errors errors;
	char line[128];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\n[]", 3), 3);
	close(fd);
	assert_null(config_load(path, &errors));
	assert_int_equal(errors.count, 1);
	snprintf(line, sizeof(line), "%s:2: top level: not an object (value []; allowed an object)",
			path);
	assert_string_equal(errors.lines[0], line);
	config_errors_free(&errors);
	unlink(path);
}

/* 13. The examples beside the documentation, found from where this file is. */
static void
test_examples(void **state)
{
	static const struct {
		const char *name;
		unsigned workers, backends;
	} cases[] = {
			{"sluice.json", 1, 1},
			{"af_xdp.json", 1, 1},
			{"physical.json", 2, 4},
	};
	int above = (int)(sizeof(__FILE__) - sizeof("tests/unit/test_config.c"));

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct config_errors errors;
		struct config *config;
		char path[512];

		snprintf(path, sizeof(path), "%.*sconfig/%s", above, __FILE__, cases[i].name);
		config = config_load(path, &errors);
		if (config == NULL)
			fail_msg("%s", errors.lines[0]);
		assert_int_equal(config->worker_count, cases[i].workers);
		assert_int_equal(config->backend_count, cases[i].backends);
		config_free(config);
		config_errors_free(&errors);
	}
}

/* 14. Which mistyped keys get a suggestion. */
static void
test_nearest(void **state)
{
	static const struct {
		unsigned scopes;
		const char *typed;
		const char *meant;
	} cases[] = {
			{CONFIG_SCOPE_QUEUES, "tcp_syn_cookies", "tcp_syncookies"},
			{CONFIG_SCOPE_QUEUES, "tcp_syn_retry", "tcp_syn_retries"},
			{CONFIG_SCOPE_QUEUES, "somaxcon", "somaxconn"},
			{CONFIG_SCOPE_QUEUES, "SOMAXCONN", NULL},
			{CONFIG_SCOPE_QUEUES, "backlog", NULL},
			{CONFIG_SCOPE_BACKEND, "addr", NULL},
			{CONFIG_SCOPE_BACKEND, "ports", "port"},
			{CONFIG_SCOPE_PORT, "mut", NULL},
			{CONFIG_SCOPE_PORT, "mtus", "mtu"},
			{CONFIG_SCOPE_PORT, "", NULL},
			{CONFIG_SCOPE_WORKERS, "cpu", "cpus"},
			{CONFIG_SCOPE_TOP, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
					NULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct config_key *key = config_keys_nearest(cases[i].scopes, cases[i].typed);

		if (cases[i].meant == NULL && key != NULL)
			fail_msg("%s: %s", cases[i].typed, key->name);
		if (cases[i].meant != NULL) {
			assert_non_null(key);
			assert_string_equal(key->name, cases[i].meant);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_defaults),
			cmocka_unit_test(test_everything),
			cmocka_unit_test(test_no_backends),
			cmocka_unit_test(test_integers),
			cmocka_unit_test(test_choices),
			cmocka_unit_test(test_longest),
			cmocka_unit_test(test_addresses),
			cmocka_unit_test(test_eal_options),
			cmocka_unit_test(test_no_terminator),
			cmocka_unit_test(test_most_backends),
			cmocka_unit_test(test_files),
			cmocka_unit_test(test_file_lines),
			cmocka_unit_test(test_examples),
			cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
