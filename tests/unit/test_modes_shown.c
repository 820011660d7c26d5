/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator sees of a backend that is not protected: on the control socket and in the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/incidents.h"
#include "desk.h"

static const json_t *
set_mode(struct desk *desk, const char *mode)
{
	char request[128];

	snprintf(request, sizeof(request),
			"{'command': 'set', 'backend': 'web', 'key': 'mode', 'value': '%s'}", mode);
	return desk_result(desk, request);
}

static const json_t *
listed(struct desk *desk)
{
	return json_array_get(desk_result(desk, "{'command': 'ss', 'backend': 'web'}"), 0);
}

/* 1. Set at once, with a word of warning, listed, and published to the workers. */
static void
test_set(void **state)
{
	static const struct {
		const char *mode;
		const char *note;
	} cases[] = {
			/* 1 */ {"monitor",
					"nothing is refused or answered any more, only counted"},
			/* 2 */ {"off", "nothing is refused, answered or counted any more"},
			/* 3 */ {"protect", "connections that stood are strays"},
	};
	struct desk desk = desk_open();

	(void)state;
	assert_string_equal(text_at(listed(&desk), "protection"), "protect");
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		const json_t *result = set_mode(&desk, cases[i].mode);

		assert_string_equal(text_at(result, "value"), cases[i].mode);
		assert_string_equal(text_at(result, "before"),
				cases[(i + ARRAY_COUNT(cases) - 1) % ARRAY_COUNT(cases)].mode);
		assert_non_null(strstr(text_at(result, "note"), cases[i].note));
		assert_string_equal(text_at(listed(&desk), "protection"), cases[i].mode);
		assert_string_equal(backend_mode_name((enum backend_mode)snapshot_at(
						    desk.world->where, 0)
								      ->mode),
				cases[i].mode);
	}
	desk_expect_refused(&desk,
			"{'command': 'set', 'backend': 'web', 'key': 'mode', 'value': 'on'}",
			"allowed \"protect\", \"monitor\", \"off\"");
	desk_close(&desk);
}

/* 2. explain: what becomes of packets, and what would, by the queues as they are. */
static void
test_explain(void **state)
{
	static const char ask[] =
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': 'web'}";
	static const struct {
		const char *mode;
		uint8_t syncookies;
		uint32_t syn, accept;
		const char *reason;
	} cases[] = {
			/* 1 */ {"monitor", 1, 0, 0, "monitor_syn_queued"},
			/* 2 */ {"monitor", 1, 4097, 0, "monitor_syn_cookie"},
			/* 3 */ {"monitor", 2, 0, 0, "monitor_syn_cookie"},
			/* 4 */ {"monitor", 0, 4097, 0, "monitor_syn_queue_full"},
			/* 5 */ {"monitor", 0, 1000, 0, "monitor_syn_reserved"},
			/* 6 */ {"monitor", 1, 0, 4097, "monitor_syn_accept_full"},
			/* 7 */ {"off", 1, 4097, 4097, "pass_off"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct desk desk = desk_open();
		const json_t *explained, *next;
		char request[128];

		set_mode(&desk, cases[i].mode);
		snprintf(request, sizeof(request),
				"{'command': 'set', 'backend': 'web', 'key': 'tcp_syncookies', "
				"'value': %u}",
				cases[i].syncookies);
		desk_result(&desk, request);
		desk.world->shared[0].syn = cases[i].syn;
		desk.world->shared[0].accept = cases[i].accept;
		explained = desk_result(&desk, ask);
		next = json_object_get(explained, "next");
		assert_string_equal(
				text_at(json_object_get(next, "syn"), "reason"), cases[i].reason);
		assert_string_equal(text_at(next, "ack"), "passes unchanged");
		assert_true(has_line(json_object_get(explained, "lines"), "The backend's mode is"));
		desk_close(&desk);
	}
}

static const char *
next_of(struct desk *desk, const char *what)
{
	const json_t *explained = desk_result(desk,
			"{'command': 'explain', 'client': '10.1.0.1:40000', 'backend': 'web'}");
	const json_t *next = json_object_get(explained, "next");

	return strcmp(what, "ack") == 0 ? text_at(next, "ack")
					: text_at(json_object_get(next, what), "reason");
}

/* 3. explain knows what Sluice began: connections, which a SYN must not disturb unless they are
 * over, and cookies, while one can be out. */
static void
test_explain_begun(void **state)
{
	static const char *const modes[] = {"monitor", "off"};
	static const char *const passes[] = {"monitor_syn_queued", "pass_off"};
	struct desk desk = desk_open();
	struct backend_shared *shared = &desk.world->shared[0];

	(void)state;
	desk_rows[0][0] = desk_row(1, "established");
	desk_row_counts[0] = 1;
	assert_string_equal(next_of(&desk, "syn"), "syn_cookie_sent");
	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		set_mode(&desk, modes[i]);
		desk_row_counts[0] = 1;
		desk_rows[0][0].state = "established";
		assert_string_equal(next_of(&desk, "syn"), "syn_cookie_sent");
		desk_rows[0][0].state = "time-wait";
		assert_string_equal(next_of(&desk, "syn"), passes[i]);
		desk_row_counts[0] = 0;
		shared->cookie_s = (uint32_t)(desk.world->now / TICKS_PER_S) - 2 * COOKIE_EPOCH_S;
		assert_non_null(strstr(next_of(&desk, "ack"), "unless it carries a cookie"));
		shared->cookie_s--;
		assert_string_equal(next_of(&desk, "ack"), "passes unchanged");
	}
	registry_find(desk.env.registry, "web")->use = SLOT_DRAINING;
	assert_true(has_line(json_object_get(desk_result(&desk, "{'command': 'explain', "
								"'client': '10.1.0.1:40000', "
								"'backend': '10.0.0.2:80'}"),
					     "lines"),
			"draining: connections may finish, new ones pass."));
	desk_close(&desk);
}

/* 4. doctor is calm, and says who is not protected and what protection would have done since. */
static void
test_doctor(void **state)
{
	struct desk desk = desk_open();
	uint64_t *values = desk.world->counters[0][0].values;
	const json_t *doctor;

	(void)state;
	values[COUNTER_SyncookiesSent] = 1000;
	doctor = desk_result(&desk, "{'command': 'doctor'}");
	assert_false(has_line(json_object_get(doctor, "lines"), "not protected"));
	set_mode(&desk, "monitor");
	values[COUNTER_SyncookiesSent] += 7;
	values[COUNTER_ListenDrops] += 5;
	values[COUNTER_ListenOverflows] += 3;
	doctor = desk_result(&desk, "{'command': 'doctor'}");
	assert_true(has_line(json_object_get(doctor, "lines"),
			"web is not protected: its mode is monitor, since generation 2. Protected, "
			"it would have answered 7 SYNs with cookies, and dropped 5 SYNs and ACKs, "
			"3 "
			"of them because of a full accept ring."));
	assert_false(has_line(json_object_get(doctor, "lines"), "forgotten"));
	values[COUNTER_SynQueueEvicted] += 4;
	doctor = desk_result(&desk, "{'command': 'doctor'}");
	assert_true(has_line(json_object_get(doctor, "lines"),
			"Of web 4 half-open clients were forgotten since, for want of memory, so "
			"its queues would have been fuller than is shown. Raise "
			"limits.monitor_clients_per_worker."));
	/* Another change is none of the mode. */
	desk_result(&desk, "{'command': 'set', 'backend': 'web', 'key': 'backlog', 'value': 9}");
	doctor = desk_result(&desk, "{'command': 'doctor'}");
	assert_true(has_line(json_object_get(doctor, "lines"), "since generation 2. "));
	set_mode(&desk, "off");
	doctor = desk_result(&desk, "{'command': 'doctor'}");
	assert_true(has_line(json_object_get(doctor, "lines"),
			"web is not protected: its mode is off, since generation 4."));
	desk_close(&desk);
}

struct log {
	unsigned count;
	char before[EVENT_TEXT_BYTES];
	char last[EVENT_TEXT_BYTES];
};

static void
note(void *context, const struct event *event)
{
	struct log *log = context;

	log->count++;
	memcpy(log->before, log->last, sizeof(log->before));
	event_write(event, log->last);
}

/* 5. The log tells each change of mode once; what it tells of a monitored backend says so. */
static void
test_log(void **state)
{
	struct desk desk = desk_open();
	struct log log = {.count = 0};
	struct incidents *incidents = incidents_new(desk.env.registry, note, &log);
	uint64_t *values = desk.world->counters[0][0].values;

	(void)state;
	for (unsigned second = 0; second < 12; second++) {
		if (second == 2)
			set_mode(&desk, "monitor");
		if (second == 4)
			values[COUNTER_ListenOverflows] += 7;
		if (second == 11)
			set_mode(&desk, "off");
		desk.world->now += TICKS_PER_S;
		history_sample(desk.env.history, desk.env.registry, desk.world->now);
		incidents_sample(incidents, desk.env.history, desk.env.registry, desk.world->now);
		assert_int_equal(log.count, second < 2	  ? 0
					    : second < 4  ? 1
					    : second < 9  ? 2
					    : second < 11 ? 3
							  : 4);
		if (second == 3)
			assert_string_equal(log.last, "protection: backend=web mode=monitor");
		if (second == 5)
			assert_string_equal(log.last,
					"overflow-begins: backend=web protection=monitor "
					"turned_away=7 recv_q=0 send_q=4096");
		if (second == 9)
			assert_non_null(strstr(log.last,
					"overflow-ends: backend=web protection=monitor "));
	}
	assert_string_equal(log.last, "protection: backend=web mode=off");
	incidents_free(incidents);
	desk_close(&desk);
}

static void
second(struct desk *desk, struct incidents *incidents)
{
	desk->world->now += TICKS_PER_S;
	history_sample(desk->env.history, desk->env.registry, desk->world->now);
	incidents_sample(incidents, desk->env.history, desk->env.registry, desk->world->now);
}

/* 6. A change of mode ends what is told, by the mode that it began in; nothing of it is told
 * later. */
static void
test_log_ends(void **state)
{
	static const char *const modes[] = {"off", "protect"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		struct desk desk = desk_open();
		struct log log = {.count = 0};
		struct incidents *incidents = incidents_new(desk.env.registry, note, &log);
		uint64_t *values = desk.world->counters[0][0].values;

		set_mode(&desk, "monitor");
		for (unsigned n = 0; n < 3; n++)
			second(&desk, incidents);
		values[COUNTER_ListenOverflows] += 7;
		values[COUNTER_AttemptFails] += 2;
		desk.world->worker_counters[0].reasons[REASON_backend_refused] += 2;
		second(&desk, incidents);
		assert_int_equal(log.count, 3);
		assert_non_null(strstr(log.last, "backend-down: backend=web protection=monitor "));
		values[COUNTER_ListenOverflows] += 1;
		set_mode(&desk, modes[i]);
		second(&desk, incidents);
		assert_int_equal(log.count, 5);
		assert_string_equal(log.before,
				"overflow-ends: backend=web protection=monitor lasted_s=2 "
				"turned_away=8 turned_away_per_s_peak=7");
		assert_non_null(strstr(log.last, modes[i]));
		for (unsigned n = 0; n < 20; n++)
			second(&desk, incidents);
		assert_int_equal(log.count, 5);
		/* And it may go down again. */
		values[COUNTER_AttemptFails] += 2;
		desk.world->worker_counters[0].reasons[REASON_backend_refused] += 2;
		second(&desk, incidents);
		assert_int_equal(log.count, 6);
		incidents_free(incidents);
		desk_close(&desk);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_set),
			cmocka_unit_test(test_explain),
			cmocka_unit_test(test_explain_begun),
			cmocka_unit_test(test_doctor),
			cmocka_unit_test(test_log),
			cmocka_unit_test(test_log_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
