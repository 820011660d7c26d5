/* SPDX-License-Identifier: BSD-3-Clause */
/* Reloads and changes of one key: what they change, what they keep, what they refuse. What ends
 * slowly is in test_registry_drain.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_rcu_qsbr.h>

#include "registry_world.h"

/* Compares an array of strings with names separated by blanks. */
static void
expect_names(const json_t *names, const char *wanted)
{
	char text[256] = "";

	for (size_t i = 0; i < json_array_size(names); i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, json_string_value(json_array_get(names, i)));
	}
	assert_string_equal(text, wanted);
}

/* 1. The first configuration: slots in the order of the file, generations 1. */
static void
test_first(void **state)
{
	struct registry_world *w = registry_world_new(WEB "," MAIL "," VPN, NULL);

	(void)state;
	assert_int_equal(w->registry.generation, 1);
	assert_int_equal(w->registry.config_generation, 1);
	assert_int_equal(w->registry.slots_used, 3);
	assert_int_equal(w->registry.last_reload.at, 0);
	assert_int_equal(snapshot_generation(w->where), 1);
	assert_int_equal(snapshot_count(w->where), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(snapshot_at(w->where, i)->slot, i);
		assert_false(snapshot_at(w->where, i)->is_draining);
		assert_int_equal(w->registry.slots[i].use, SLOT_SERVING);
		assert_int_equal(w->registry.slots[i].since, w->now);
	}
	assert_int_equal(w->registry.slots[3].use, SLOT_FREE);
	assert_string_equal(registry_world_find(w, 2, 25)->name, "mail");
	assert_memory_equal(&snapshot_cookies(w->where)->secrets[0], &w->secret, sizeof(w->secret));
	assert_false(snapshot_has_foreign_cookies(w->where));
	registry_world_free(w);
}

/* 9. After a restart: cookies that are out there keep their secrets and window scales; the
 * configured ones count from the epoch after the next. */
static void
test_pitfall_29_cookies_after_restart(void **state)
{
	const struct siphash_key secrets[] = {{3, 4}, {5, 6}};
	_Alignas(CACHE_LINE_SIZE) uint8_t memory[65536];
	struct snapshot *before = snapshot_init(memory, 2, 9, 1);
	struct backend_config config = {.port = 80, .family = FAMILY_IP4, .announced_wscale = 3};
	struct cookie_plan plan = cookie_plan_make(&secrets[0]);
	const struct backend_config *web, *mail;
	struct registry_world *w;
	uint64_t epoch;

	(void)state;
	config.address = ip_addr_from_ip4(htole32(0x0200000a));
	assert_int_equal(snapshot_insert(before, &config), 0);
	plan.secrets[COOKIE_PLAN_EPOCHS - 1] = secrets[1];
	plan.first = UINT64_C(1000000) - 2; /* the world begins in the epoch of a million */
	snapshot_set_cookies(before, &plan, false);
	w = registry_world_new_after(WEB "," MAIL, NULL, before);
	epoch = cookie_epoch(w->now);
	plan = *snapshot_cookies(w->where);
	web = registry_world_find(w, 2, 80);
	mail = registry_world_find(w, 2, 25);
	for (uint64_t at = epoch - 1; at <= epoch + 1; at++) {
		const struct siphash_key *secret = &secrets[at > epoch];

		assert_memory_equal(&plan.secrets[cookie_plan_index(&plan, at)], secret,
				sizeof(*secret));
		assert_int_equal(backend_config_wscale(web, &plan, at), 3);
		assert_int_equal(backend_config_wscale(mail, &plan, at), mail->announced_wscale);
	}
	assert_memory_equal(&plan.secrets[cookie_plan_index(&plan, epoch + 2)], &w->secret,
			sizeof(w->secret));
	assert_int_equal(backend_config_wscale(web, &plan, epoch + 2), web->announced_wscale);
	assert_int_not_equal(web->announced_wscale, 3);
	registry_world_free(w);
}

/* Connections that a test says worker 1 holds in a slot. */
static void
hold(struct registry_world *w, unsigned slot, uint64_t count)
{
	w->counters[1][slot].connections = count;
}

/* 2. From web and mail, which have connections, to another file: what is added, removed, changed,
 * and in which slots it is then ("~" marks those that drain). */
static void
test_reload(void **state)
{
	static const struct {
		unsigned number;
		const char *backends, *added, *removed, *changed, *slots;
	} cases[] = {
			{1, WEB "," MAIL, "", "", "", "web mail"},
			{2, MAIL "," WEB, "", "", "", "web mail"},
			{3, WEB "," MAIL "," VPN, "vpn", "", "", "web mail vpn"},
			{4, VPN "," WEB "," MAIL, "vpn", "", "", "web mail vpn"},
			{5, MAIL, "", "web", "", "web~ mail"},
			{6, "", "", "web mail", "", "web~ mail~"},
			{7, MAIL "," NEWS, "news", "web", "", "web~ mail news"},
			{8, "{'name': 'www', 'address': '10.0.0.2', 'port': 80}," MAIL, "", "",
					"www", "www mail"},
			{9,
					"{'name': 'mail', 'address': '10.0.0.2', 'port': 80},"
					"{'name': 'web', 'address': '10.0.0.2', 'port': 25}",
					"", "", "mail web", "mail web"},
			{10, "{'name': 'web', 'address': '10.0.0.9', 'port': 80}," MAIL, "web",
					"web", "", "web~ mail web"},
			{11, "{'name': 'web', 'address': '10.0.0.2', 'port': 81}," MAIL, "web",
					"web", "", "web~ mail web"},
			{12,
					"{'name': 'web', 'address': '10.0.0.2', 'port': 80, "
					"'backlog': 7}," MAIL,
					"", "", "web", "web mail"},
			{13,
					"{'name': 'web', 'address': '10.0.0.2', 'port': 80,"
					" 'queue_rules': 'classic'}," MAIL,
					"", "", "web", "web mail"},
			{14, WEB "," MAIL "], 'queues': {'somaxconn': 9}, 'eal': [", "", "",
					"web mail", "web mail"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct registry_world *w = registry_world_new(WEB "," MAIL, NULL);
		const struct registry *registry = &w->registry;
		const uint32_t incarnation = registry->slots[0].config.incarnation;
		char slots[256] = "";

		print_message("case %u\n", cases[i].number);
		hold(w, 0, 3);
		hold(w, 1, 3);
		w->now += TICKS_PER_S;
		registry_world_write(w, cases[i].backends, "");
		registry_world_reload(w);
		expect_names(registry->changes.added, cases[i].added);
		expect_names(registry->changes.removed, cases[i].removed);
		expect_names(registry->changes.changed, cases[i].changed);
		assert_int_equal(registry->generation, 2);
		assert_int_equal(registry->config_generation, 2);
		assert_int_equal(snapshot_generation(w->where), 2);
		assert_int_equal(registry->last_reload.at, w->now);
		assert_true(registry->last_reload.accepted);
		assert_int_equal(registry->slots[0].config.incarnation, incarnation);
		for (unsigned at = 0; at < snapshot_count(w->where); at++) {
			const struct backend_config *config = snapshot_at(w->where, at);

			assert_int_equal(config->slot, at);
			strcat(slots, at > 0 ? " " : "");
			strcat(slots, config->name);
			strcat(slots, config->is_draining ? "~" : "");
		}
		assert_string_equal(slots, cases[i].slots);
		registry_world_free(w);
	}
}

/* Everything of a registry that a refused change must leave alone. */
struct memory {
	const struct snapshot *where;
	uint64_t generation, config_generation;
	struct slot slots[WORLD_SLOTS];
	struct cookie_plan cookies;
	struct config config;
};

static struct memory
remember(const struct registry_world *w)
{
	struct memory memory;

	memset(&memory, 0, sizeof(memory));
	memory.where = w->where;
	memory.generation = w->registry.generation;
	memory.config_generation = w->registry.config_generation;
	memcpy(memory.slots, w->registry.slots, sizeof(memory.slots));
	memcpy(&memory.cookies, &w->registry.cookies, sizeof(memory.cookies));
	memcpy(&memory.config, w->registry.config, sizeof(memory.config));
	return memory;
}

static void
expect_unchanged(const struct registry_world *w, const struct memory *before)
{
	struct memory now = remember(w);

	assert_memory_equal(&now, before, sizeof(now));
}

/* The reload is refused with these lines, separated by newlines, without the file's name; so does a
 * check say. */
static void
expect_refused(struct registry_world *w, const char *lines)
{
	const struct memory before = remember(w);
	struct config_errors errors[2];

	assert_false(registry_check(&w->registry, NULL, &errors[0]));
	assert_false(registry_reload(&w->registry, w->now, TICKS_NEVER, &errors[1]));
	for (unsigned i = 0; i < 2; i++) {
		const char *at = lines;

		for (unsigned line = 0; line < errors[i].count; line++) {
			const char *text = errors[i].lines[line];
			const size_t length = strcspn(at, "\n");

			assert_memory_equal(text, w->path, strlen(w->path));
			text += strlen(w->path);
			if (strlen(text) != length || strncmp(text, at, length) != 0)
				fail_msg("%s, not %.*s", text, (int)length, at);
			at += length + (at[length] == '\n');
		}
		assert_string_equal(at, "");
	}
	assert_false(w->registry.last_reload.accepted);
	assert_int_equal(w->registry.last_reload.error_count, errors[1].count);
	assert_int_equal(w->registry.last_reload.at, w->now);
	assert_string_equal(w->registry.last_reload.first_error, errors[1].lines[0]);
	expect_unchanged(w, &before);
	config_errors_free(&errors[0]);
	config_errors_free(&errors[1]);
}

#define FILE_OF(client, more, cpus, control, limits)                                               \
	"{'ports': {'client': {'device': '" client "'" more "}, 'server': {'device': 's'}},"       \
	"'workers': {'cpus': [" cpus "]}, 'control': {" control "},"                               \
	"'limits': {" limits "}, 'backends': [" MAIL "]}"

/* 3. An error changes nothing: in the file, in what needs a restart, in the secret. */
static void
test_refused(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);

	(void)state;
	registry_world_write_text(w, "{");
	expect_refused(w, ":1:1: not JSON: string or '}' expected near end of file");
	registry_world_write(
			w, "{'name': 'web', 'address': '10.0.0.2', 'port': 0,\n'backlog': 0}", "");
	expect_refused(w, ":3: backends[0].port: out of range (value 0; allowed 1..65535)\n"
			  ":4: backends[0].backlog: out of range (value 0; allowed 1..1048576)");
	w->secret_is_missing = true;
	registry_world_write(w, MAIL, "");
	expect_refused(w, ": keys.secret_file: gone");
	w->secret_is_missing = false;
	unlink(w->path);
	expect_refused(w, ": cannot be opened: No such file or directory");
	registry_world_free(w);
}

/* 4. Each key that needs a restart, by name, with both values; all of a file at once. */
static void
test_restart(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);

	(void)state;
	registry_world_write_text(w, FILE_OF("c", "", "1, 2", "", "'backends': 5"));
	expect_refused(w, ": limits.backends: changed from 4 to 5: needs a restart");
	registry_world_write_text(w, FILE_OF("c", "", "2, 1", "", "'backends': 4"));
	expect_refused(w, ": workers.cpus: changed from [1, 2] to [2, 1]: needs a restart");
	registry_world_write_text(w, FILE_OF("eth", ", 'mtu': 1500, 'checksum': 'strict'", "1",
						     "'cpu': 3, 'socket': '/x'",
						     "'backends': 4, 'mbufs': 1024,"
						     "'connections_per_worker': 7,"
						     "'syn_entries_per_worker': 0"));
	expect_refused(w,
			": ports.client.device: changed from \"c\" to \"eth\": needs a restart\n"
			": ports.client.mtu: changed from 0 to 1500: needs a restart\n"
			": ports.client.checksum: changed from \"auto\" to \"strict\": needs a "
			"restart\n"
			": workers.cpus: changed from [1, 2] to [1]: needs a restart\n"
			": control.cpu: changed from 0 to 3: needs a restart\n"
			": control.socket: changed from \"/run/sluice/control.sock\" to \"/x\": "
			"needs "
			"a restart\n"
			": limits.connections_per_worker: changed from 1048576 to 7: needs a "
			"restart\n"
			": limits.ipv6_connections_per_worker: changed from 1048576 to 7: needs a "
			"restart\n"
			": limits.syn_entries_per_worker: changed from 65536 to 0: needs a "
			"restart\n"
			": limits.mbufs: changed from 65536 to 1024: needs a restart");
	registry_world_write(w, WEB, ", 'eal': ['-n', '4']");
	expect_refused(w, ": eal: changed from [] to [\"-n\", \"4\"]: needs a restart");
	/* What does not: everything else. */
	registry_world_write(w, WEB,
			", 'control': {'drain_s': 5, 'watchdog_s': 9}, 'keys': {'secret_file': "
			"'/k'},"
			"'queues': {'connect_window': 1}, 'timeouts': {'closing_s': 9},"
			"'probe': {'source': '10.0.0.9', 'vlan': 5}, "
			"'egress': {'network_per_s': 5}");
	registry_world_reload(w);
	assert_int_equal(snapshot_timeouts(w->where)->s[TIMEOUT_CLOSING], 9);
	assert_int_equal(snapshot_egress(w->where)->network_per_s, 5);
	assert_int_equal(
			snapshot_timeouts(w->where)->s[TIMEOUT_HALF_CLOSED], TIMEOUT_ESTABLISHED_S);
	assert_true(probe_end_has(&snapshot_probe(w->where)->ip4.source));
	assert_int_equal(snapshot_probe(w->where)->vlan, 5);
	assert_int_equal(w->registry.config->drain_s, 5);
	assert_int_equal(w->registry.config->watchdog_s, 9);
	assert_string_equal(w->registry.config->secret_file, "/k");
	assert_true(snapshot_has_foreign_cookies(w->where));
	assert_int_equal(snapshot_at(w->where, 0)->connect_window, 1);
	registry_world_free(w);
}

/* 5. No slot is free while backends drain: refused with the numbers; as many as there are fit. */
static void
test_exhausted(void **state)
{
	struct registry_world *w = registry_world_new(WEB "," MAIL, NULL);

	(void)state;
	hold(w, 0, 1);
	hold(w, 1, 1);
	registry_world_write(w, VPN, "");
	registry_world_reload(w);
	registry_world_write(
			w, VPN "," NEWS ", {'name': 'x', 'address': '10.0.0.4', 'port': 1}", "");
	expect_refused(w,
			": limits.backends: 3 backends wanted, 4 slots, 2 of them still draining");
	registry_world_write(w, VPN "," NEWS, "");
	registry_world_reload(w);
	/* One of those that drain is no stranger. */
	registry_world_write(w, VPN "," NEWS "," WEB, "");
	registry_world_reload(w);
	assert_int_equal(snapshot_count(w->where), 4);
	assert_int_equal(registry_world_find(w, 2, 80)->slot, 0);
	registry_world_free(w);
}

/* 6. What a check says of a file that is right, and that it does nothing. */
static void
test_check(void **state)
{
	struct registry_world *w = registry_world_new(WEB "," MAIL, NULL);
	const struct memory before = remember(w);
	json_t *notes = json_array();
	struct config_errors errors;

	(void)state;
	registry_world_write(w,
			"{'name': 'web', 'address': '10.0.0.2', 'port': 80, 'backlog': 9}," VPN,
			"");
	assert_true(registry_check(&w->registry, notes, &errors));
	assert_int_equal(errors.count, 0);
	expect_names(notes, "vpn: would be added mail: would be removed web: would be changed");
	assert_true(registry_check(&w->registry, NULL, &errors));
	expect_unchanged(w, &before);
	assert_int_equal(w->registry.last_reload.at, 0);
	json_decref(notes);
	registry_world_free(w);
}

/* Sets a key to a value given as JSON; the one error line, or "". */
static void
expect_set(struct registry_world *w, const char *backend, const char *key, const char *value,
		const char *line)
{
	const struct memory before = remember(w);
	json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
	struct config_errors errors;
	bool taken;

	assert_non_null(json);
	taken = registry_set(&w->registry, backend, key, json, w->now, &errors);
	if (strcmp(errors.count > 0 ? errors.lines[0] : "", line) != 0)
		fail_msg("%s, not %s", errors.count > 0 ? errors.lines[0] : "taken", line);
	assert_int_equal(errors.count, line[0] != '\0');
	assert_int_equal(taken, line[0] == '\0');
	if (!taken)
		expect_unchanged(w, &before);
	config_errors_free(&errors);
	json_decref(json);
}

/* 7. One key: applied at once, only there, with a file's checks; until the next reload. */
static void
test_set(void **state)
{
	struct registry_world *w = registry_world_new(WEB "," MAIL, NULL);
	const struct snapshot *first = w->where;

	(void)state;
	expect_set(w, "web", "backlog", "9", "");
	assert_ptr_not_equal(w->where, first);
	assert_int_equal(registry_world_find(w, 2, 80)->backlog, 9);
	assert_int_equal(registry_world_find(w, 2, 80)->slot, 0);
	assert_int_equal(registry_world_find(w, 2, 25)->backlog, 4096);
	assert_int_equal(w->registry.generation, 2);
	assert_int_equal(w->registry.config_generation, 1);
	expect_set(w, "mail", "tcp_syncookies", "0", "");
	expect_set(w, "mail", "queue_rules", "\"linux-2.6\"", "");
	expect_set(w, "mail", "announced_mss", "536", "");
	assert_int_equal(registry_world_find(w, 2, 25)->tcp_syncookies, 0);
	assert_int_equal(registry_world_find(w, 2, 25)->queue_rules, QUEUE_RULES_LINUX_2_6);
	assert_int_equal(registry_world_find(w, 2, 25)->announced_mss, 536);
	assert_int_equal(w->registry.generation, 5);

	expect_set(w, "web", "backlog", "0",
			"set web.backlog: out of range (value 0; allowed 1..1048576)");
	expect_set(w, "web", "backlog", "\"9\"",
			"set web.backlog: not an integer (value \"9\"; allowed 1..1048576)");
	expect_set(w, "web", "queue_rules", "\"bsd\"",
			"set web.queue_rules: not one of the choices (value \"bsd\"; allowed "
			"\"linux-2.6\", \"linux-4.4\", \"linux-6.18\", \"classic\")");
	expect_set(w, "web", "port", "81",
			"set web.port: can't be set: change the file and reload");
	expect_set(w, "web", "name", "{}",
			"set web.name: can't be set: change the file and reload");
	expect_set(w, "web", "address", "1",
			"set web.address: can't be set: change the file and reload");
	expect_set(w, "web", "backlo", "[1]",
			"set web.backlo: unknown key; did you mean \"backlog\"? (value [...]; "
			"allowed "
			"somaxconn, tcp_max_syn_backlog, tcp_syncookies, tcp_abort_on_overflow, "
			"tcp_synack_retries, tcp_syn_retries, queue_rules, connect_window, "
			"early_data, fragments, stray, mode, name, address, port, exempt, "
			"backlog, "
			"announced_mss, "
			"announced_wscale, profile, "
			"profile_sack, profile_timestamps, profile_ecn)");
	expect_set(w, "web", "profile", "\"probe\"",
			"set web.profile: \"probe\" needs probe.source");
	expect_set(w, "wbe", "backlog", "9", "set wbe: no backend has that name");
	expect_set(w, "a\nb", "backlog", "9", "set a\\x0ab: no backend has that name");

	registry_world_reload(w);
	expect_names(w->registry.changes.changed, "web mail");
	assert_int_equal(registry_world_find(w, 2, 80)->backlog, 4096);
	assert_int_equal(registry_world_find(w, 2, 25)->announced_mss, 1460);
	registry_world_free(w);
}

/* 8. A worker stands still: after 256 publications all that would be one more is refused, and the
 * tick goes on; once it moves, everything does. */
static void
test_stuck(void **state)
{
	struct rte_rcu_qsbr *qsbr =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(rte_rcu_qsbr_get_memsize(1)));
	struct registry_world *w;

	(void)state;
	rte_rcu_qsbr_init(qsbr, 1);
	rte_rcu_qsbr_thread_register(qsbr, 0);
	w = registry_world_new(WEB "," MAIL, qsbr);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	for (unsigned i = 0; i < PUBLICATION_RETIRED_MAX; i++)
		registry_world_reload(w);
	registry_world_write(w, WEB, "");
	{
		const struct memory before = remember(w);
		struct config_errors errors;

		assert_false(registry_reload(&w->registry, w->now, TICKS_NEVER, &errors));
		assert_int_equal(errors.count, 1);
		assert_non_null(strstr(errors.lines[0], ": the workers have not taken up the last "
							"256 configurations"));
		config_errors_free(&errors);
		expect_unchanged(w, &before);
	}
	expect_set(w, "web", "backlog", "9",
			"set web: the workers have not taken up the last 256 configurations");
	registry_world_pass(w, 3);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	registry_world_reload(w);
	expect_set(w, "web", "backlog", "9", "");
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	registry_world_free(w);
	free(qsbr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_first),
			cmocka_unit_test(test_reload),
			cmocka_unit_test(test_refused),
			cmocka_unit_test(test_restart),
			cmocka_unit_test(test_exhausted),
			cmocka_unit_test(test_check),
			cmocka_unit_test(test_set),
			cmocka_unit_test(test_stuck),
			cmocka_unit_test(test_pitfall_29_cookies_after_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
