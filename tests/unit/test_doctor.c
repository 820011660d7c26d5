/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor in staged outages: a backend's counters move second by second as they would, and doctor
 * must name the cause, what the clients saw and the cure, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/doctor.h"
#include "registry_world.h"

/* What happens to a backend in one second. */
struct second {
	unsigned overflows, proved, answered, refused, silent;
	unsigned full_drops, reserved, full_cookies, failed_cookies, strays;
	unsigned withheld, repeated; /* SYN-ACKs */
	unsigned waited_ms;	     /* each of those answered */
	unsigned accept, syn;	     /* occupied at its end */
};

struct stage {
	struct registry_world *world;
	struct history *history;
	json_t *doctor;
};

static struct stage
stage_open(const char *settings)
{
	struct stage stage = {.world = registry_world_new(WEB "," MAIL, NULL)};
	char web[256];

	snprintf(web, sizeof(web), "{'name': 'web', 'address': '10.0.0.2', 'port': 80%s}," MAIL,
			settings);
	registry_world_write(stage.world, web, "");
	registry_world_reload(stage.world);
	stage.history = history_new(&stage.world->registry);
	history_sample(stage.history, &stage.world->registry, stage.world->now);
	return stage;
}

static void
stage_close(struct stage *stage)
{
	json_decref(stage->doctor);
	history_free(stage->history);
	registry_world_free(stage->world);
}

/* Counts go to both workers in turn: only sums may matter. */
static void
play(struct stage *stage, const struct second *second, unsigned times)
{
	struct registry_world *w = stage->world;

	for (unsigned i = 0; i < times; i++) {
		struct backend_counters *counters = &w->counters[i % 2][0];
		struct worker_counters *reasons = &w->worker_counters[i % 2];

		counters->values[COUNTER_ListenOverflows] += second->overflows;
		counters->values[COUNTER_TCPReqQFullDrop] += second->full_drops;
		counters->values[COUNTER_ListenDrops] +=
				second->overflows + second->full_drops + second->reserved;
		counters->values[COUNTER_TCPReqQFullDoCookies] += second->full_cookies;
		counters->values[COUNTER_SyncookiesFailed] += second->failed_cookies;
		counters->values[COUNTER_SynAcksWithheld] += second->withheld;
		counters->values[COUNTER_PassiveOpens] += second->proved;
		counters->values[COUNTER_Established] += second->answered;
		counters->values[COUNTER_AttemptFails] += second->refused + second->silent;
		counters->wait[wait_bucket(second->waited_ms * 1000)] += second->answered;
		counters->wait_us += (uint64_t)second->answered * second->waited_ms * 1000;
		reasons->reasons[REASON_syn_reserved] += second->reserved;
		reasons->reasons[REASON_backend_refused] += second->refused;
		reasons->reasons[REASON_stray_client] += second->strays;
		reasons->emitted[EMITTED_RST_CLIENT] += second->silent;
		reasons->emitted[EMITTED_SYN_ACK_AGAIN] += second->repeated;
		w->shared[0].accept = second->accept;
		w->shared[0].syn = second->syn;
		w->now += TICKS_PER_S;
		history_sample(stage->history, &w->registry, w->now);
	}
}

static const json_t *
examine(struct stage *stage)
{
	json_decref(stage->doctor);
	stage->doctor = doctor_json(stage->history, &stage->world->registry, stage->world->now);
	assert_non_null(stage->doctor);
	return json_object_get(stage->doctor, "findings");
}

static const char *
text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "null";
}

static json_int_t
number_at(const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_integer(number))
		fail_msg("no number %s", key);
	return json_integer_value(number);
}

/* True when a sentence of the finding has these words in it. */
static bool
says(const json_t *finding, const char *words)
{
	const json_t *sentence;
	size_t index;

	json_array_foreach(json_object_get(finding, "text"), index, sentence)
	{
		if (strstr(json_string_value(sentence), words) != NULL)
			return true;
	}
	return false;
}

/* The only finding, with these words in its places. */
static const json_t *
expect_only(struct stage *stage, const char *cause, const char *severity, const char *saw)
{
	const json_t *findings = examine(stage);
	const json_t *finding = json_array_get(findings, 0);

	if (json_array_size(findings) != 1)
		fail_msg("%s", json_dumps(findings, JSON_INDENT(1)));
	assert_string_equal(text_at(finding, "cause"), cause);
	assert_string_equal(text_at(finding, "severity"), severity);
	assert_string_equal(text_at(finding, "clients_saw"), saw);
	assert_string_equal(text_at(finding, "backend"), "web");
	assert_true(json_is_false(json_object_get(stage->doctor, "healthy")));
	return finding;
}

static void
expect_healthy(struct stage *stage)
{
	const json_t *findings = examine(stage);

	if (json_array_size(findings) != 0)
		fail_msg("%s", json_dumps(findings, JSON_INDENT(1)));
	assert_true(json_is_true(json_object_get(stage->doctor, "healthy")));
	assert_int_equal(json_array_size(json_object_get(stage->doctor, "lines")), 1);
	assert_non_null(strstr(json_string_value(json_array_get(
					       json_object_get(stage->doctor, "lines"), 0)),
			"Nothing wrong"));
}

static const struct second calm = {.proved = 100, .answered = 100, .waited_ms = 3, .accept = 1};

/* 1. Calm, busy or idle: nothing wrong. A few late ACKs are nothing either. */
static void
test_calm(void **state)
{
	const struct second late = {.proved = 50,
			.answered = 50,
			.waited_ms = 1,
			.failed_cookies = 3,
			.strays = 5};
	struct stage stage = stage_open("");

	(void)state;
	expect_healthy(&stage);
	play(&stage, &calm, 100);
	expect_healthy(&stage);
	play(&stage, &late, 30);
	expect_healthy(&stage);
	stage_close(&stage);
}

/* 2. A quick backend, a ring of 5: ten clients in 5 s, four of them turned away. */
static void
test_ring_small(void **state)
{
	const struct second burst = {.proved = 6, .overflows = 4, .answered = 6, .waited_ms = 20};
	const struct second rest = {.proved = 1, .answered = 1, .waited_ms = 20};
	struct stage stage = stage_open(", 'backlog': 5");
	const json_t *finding, *cure;

	(void)state;
	play(&stage, &burst, 1);
	play(&stage, &rest, 4);
	finding = expect_only(&stage, "accept-ring-too-small", "outage", "timeout");
	cure = json_object_get(finding, "cure");
	assert_string_equal(text_at(finding, "queue"), "accept");
	assert_int_equal(number_at(finding, "since_s"), 5);
	assert_int_equal(number_at(finding, "clients"), 4);
	assert_string_equal(text_at(cure, "key"), "backlog");
	assert_int_equal(number_at(cure, "now"), 5);
	/* 6 places and 4 more in the worst second, a quarter more: 12.5. */
	assert_int_equal(number_at(cure, "value"), 16);
	assert_string_equal(text_at(cure, "command"), "sluicectl set web backlog 16");
	assert_true(says(finding, "Little's law"));
	assert_true(says(finding, "sluicectl set web backlog 16"));
	assert_true(says(finding, stage.world->path));
	assert_true(says(finding, "in the last 5 s"));
	stage_close(&stage);
}

/* 3. The value by Little's law where that asks for more; somaxconn named where it is the smaller,
 * both where both are too small. */
static void
test_ring_small_cures(void **state)
{
	static const struct {
		unsigned number;
		const char *settings, *key, *command;
		unsigned overflows, waited_ms;
		json_int_t value;
	} cases[] = {
			{1, ", 'backlog': 4096, 'somaxconn': 128", "somaxconn",
					"sluicectl set web somaxconn 512", 100, 100, 512},
			{2, ", 'backlog': 128, 'somaxconn': 128", "backlog",
					"sluicectl set web somaxconn 512 && sluicectl set web "
					"backlog 512",
					100, 100, 512},
			/* 2,010 arrivals/s, almost all within 0.524 s: 1,050 places, 139 at once.
			 */
			{3, ", 'backlog': 128, 'somaxconn': 1048576", "backlog",
					"sluicectl set web backlog 2048", 10, 500, 2048},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct second burst = {.proved = 2000,
				.overflows = cases[i].overflows,
				.answered = 2000,
				.waited_ms = cases[i].waited_ms};
		struct stage stage = stage_open(cases[i].settings);
		const json_t *cure;

		play(&stage, &calm, 3);
		play(&stage, &burst, 3);
		cure = json_object_get(
				expect_only(&stage, "accept-ring-too-small", "outage", "timeout"),
				"cure");
		if (strcmp(text_at(cure, "key"), cases[i].key) != 0 ||
				number_at(cure, "value") != cases[i].value ||
				strcmp(text_at(cure, "command"), cases[i].command) != 0)
			fail_msg("case %u: %s", cases[i].number, json_dumps(cure, 0));
		stage_close(&stage);
	}
}

/* 4. With tcp_abort_on_overflow 1 clients saw a reset; a single refusal is a warning. */
static void
test_ring_small_abort(void **state)
{
	const struct second one = {.proved = 6, .overflows = 1, .answered = 6, .waited_ms = 20};
	struct stage stage = stage_open(", 'backlog': 5, 'tcp_abort_on_overflow': 1");
	const json_t *finding;

	(void)state;
	play(&stage, &one, 1);
	finding = expect_only(&stage, "accept-ring-too-small", "warning", "reset");
	assert_true(says(finding, "connection reset by peer"));
	stage_close(&stage);
}

/* 5. One connection per second, ring of 5, ten clients: a larger backlog is no cure. */
static void
test_slow(void **state)
{
	const struct second slow = {
			.proved = 1, .overflows = 3, .answered = 1, .waited_ms = 5000, .accept = 6};
	const struct second first = {
			.proved = 7, .overflows = 4, .answered = 1, .waited_ms = 1000, .accept = 6};
	struct stage stage = stage_open(", 'backlog': 5");
	const json_t *finding;

	(void)state;
	play(&stage, &first, 1);
	play(&stage, &slow, 4);
	finding = expect_only(&stage, "slow-backend", "outage", "timeout");
	assert_string_equal(text_at(finding, "queue"), "backend");
	assert_true(json_is_null(json_object_get(finding, "cure")));
	assert_true(says(finding, "larger backlog would not help"));
	assert_true(says(finding, "1.0/s"));
	stage_close(&stage);
}

/* 6. A ring that stays full, waits well below a second, but many times those of calm: slow too. */
static void
test_slow_saturated(void **state)
{
	const struct second full = {.proved = 1000,
			.overflows = 500,
			.answered = 1000,
			.waited_ms = 128,
			.accept = 129};
	struct stage stage = stage_open(", 'backlog': 128");

	(void)state;
	play(&stage, &calm, 10);
	play(&stage, &full, 10);
	expect_only(&stage, "slow-backend", "outage", "timeout");
	stage_close(&stage);
}

/* 7. A quick backend behind a connect window of 1 per worker: that is the cure. */
static void
test_connect_window(void **state)
{
	const struct second full = {.proved = 20,
			.overflows = 50,
			.answered = 20,
			.waited_ms = 4000,
			.accept = 129};
	struct stage stage = stage_open(", 'backlog': 128, 'connect_window': 1");
	const json_t *finding;

	(void)state;
	play(&stage, &full, 10);
	finding = expect_only(&stage, "slow-backend", "outage", "timeout");
	assert_string_equal(text_at(json_object_get(finding, "cure"), "key"), "connect_window");
	assert_true(number_at(json_object_get(finding, "cure"), "value") >= 4);
	assert_false(says(finding, "larger backlog would not help"));
	stage_close(&stage);
}

/* 8. Long waits that lose nobody: a delay, and a warning. */
static void
test_slow_without_loss(void **state)
{
	const struct second slow = {.proved = 5, .answered = 5, .waited_ms = 2000, .accept = 10};
	struct stage stage = stage_open("");
	const json_t *finding;

	(void)state;
	play(&stage, &slow, 5);
	finding = expect_only(&stage, "slow-backend", "warning", "delay");
	assert_true(says(finding, "delays clients"));
	stage_close(&stage);
}

/* 9. A slow backend that leaves some SYNs unanswered is slow, not down. */
static void
test_slow_and_silent(void **state)
{
	const struct second first = {
			.proved = 6, .overflows = 4, .answered = 1, .waited_ms = 10, .accept = 6};
	const struct second some = {.overflows = 2, .answered = 1, .waited_ms = 3000, .accept = 5};
	const struct second none = {.overflows = 1, .accept = 4};
	const struct second given_up = {.silent = 3, .accept = 0};
	struct stage stage = stage_open(", 'backlog': 5");

	(void)state;
	play(&stage, &first, 1);
	play(&stage, &some, 1);
	play(&stage, &none, 1);
	play(&stage, &some, 1);
	play(&stage, &none, 3);
	play(&stage, &given_up, 1);
	expect_only(&stage, "slow-backend", "outage", "timeout");
	stage_close(&stage);
}

/* 10. A backend that stops answering: suspected after seconds, sure after its SYNs failed; the full
 * ring is a consequence. When it answers again, that is said, and forgotten after a minute. */
static void
test_down(void **state)
{
	const struct second waiting = {.proved = 1, .accept = 3};
	const struct second full = {.overflows = 2, .accept = 6};
	const struct second failing = {.silent = 1, .overflows = 2, .proved = 1, .accept = 6};
	struct stage stage = stage_open(", 'backlog': 5");
	const json_t *finding;

	(void)state;
	play(&stage, &calm, 20);
	play(&stage, &waiting, 3);
	expect_healthy(&stage);
	play(&stage, &full, 4);
	expect_only(&stage, "backend-down", "outage", "timeout");
	play(&stage, &failing, 10);
	finding = expect_only(&stage, "backend-down", "outage", "timeout");
	assert_true(json_is_null(json_object_get(finding, "cure")));
	assert_int_equal(number_at(json_object_get(finding, "numbers"), "unanswered"), 10);
	assert_true(says(finding, "does not answer"));
	play(&stage, &calm, 5);
	finding = expect_only(&stage, "backend-down", "warning", "timeout");
	assert_true(says(finding, "by now it does again"));
	play(&stage, &calm, 60);
	expect_healthy(&stage);
	stage_close(&stage);
}

/* 11. A backend that refuses, told from a silent one. */
static void
test_refuses(void **state)
{
	const struct second refusing = {.proved = 2, .refused = 2};
	struct stage stage = stage_open("");
	const json_t *finding;

	(void)state;
	play(&stage, &calm, 3);
	play(&stage, &refusing, 5);
	finding = expect_only(&stage, "backend-refuses", "outage", "reset");
	assert_int_equal(number_at(finding, "clients"), 10);
	assert_int_equal(number_at(finding, "since_s"), 5);
	stage_close(&stage);
}

/* 12. A failure now and then beside a thousand answers is not an outage, and does not hide a ring
 * that is too small. */
static void
test_rare_failures(void **state)
{
	const struct second lossy = {.proved = 100, .answered = 100, .waited_ms = 3, .silent = 1};
	const struct second burst = {.proved = 100,
			.answered = 100,
			.waited_ms = 3,
			.silent = 1,
			.overflows = 50};
	const struct second reset = {.proved = 100, .answered = 100, .waited_ms = 3, .refused = 1};
	static const char *const settings[] = {"", ", 'tcp_syn_retries': 1"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(settings); i++) {
		struct stage stage = stage_open(settings[i]);
		const json_t *finding;

		play(&stage, &calm, 10);
		play(&stage, &lossy, 1);
		finding = expect_only(&stage, "slow-backend", "warning", "timeout");
		assert_true(says(finding, "unanswered"));
		play(&stage, &lossy, 5);
		expect_only(&stage, "slow-backend", "warning", "timeout");
		play(&stage, &burst, 3);
		expect_only(&stage, "accept-ring-too-small", "outage", "timeout");
		play(&stage, &calm, 61);
		play(&stage, &reset, 1);
		expect_only(&stage, "backend-refuses", "warning", "reset");
		stage_close(&stage);
	}
}

/* 13. Cookies off and a full syn queue: tcp_syncookies 1. The same for the reserved quarter. */
static void
test_syn_small(void **state)
{
	const struct second full = {.full_drops = 5, .syn = 129};
	const struct second reserved = {.reserved = 5, .syn = 97};
	const struct second *const seconds[] = {&full, &reserved};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(seconds); i++) {
		struct stage stage = stage_open(", 'tcp_syncookies': 0, 'backlog': 128");
		const json_t *finding, *cure;

		play(&stage, seconds[i], 2);
		finding = expect_only(&stage, "syn-queue-too-small", "outage", "timeout");
		cure = json_object_get(finding, "cure");
		assert_string_equal(text_at(finding, "queue"), "syn");
		assert_string_equal(text_at(cure, "key"), "tcp_syncookies");
		assert_int_equal(number_at(cure, "value"), 1);
		assert_true(says(finding, i == 0 ? "raise backlog from 128"
						 : "raise tcp_max_syn_backlog from 1024"));
		stage_close(&stage);
	}
}

/* 14. A full syn queue in mode 1 loses nobody: a warning that says so. */
static void
test_flood(void **state)
{
	const struct second flood = {.full_cookies = 10000,
			.syn = 129,
			.proved = 10,
			.answered = 10,
			.waited_ms = 1};
	struct stage stage = stage_open(", 'backlog': 128");
	const json_t *finding;

	(void)state;
	play(&stage, &flood, 5);
	finding = expect_only(&stage, "syn-flood", "warning", "nothing");
	assert_int_equal(number_at(finding, "clients"), 0);
	assert_true(says(finding, "loses nobody"));
	assert_true(json_is_null(json_object_get(finding, "cure")));
	stage_close(&stage);
}

/* 15. Whose flood it is, but not by samples that are older than it. */
static void
test_sources(void **state)
{
	const struct second flood = {.full_cookies = 10000, .syn = 129};
	const struct syn_sample sample = {.client = ip_addr_from_ip4(htobe32(0xc6120705)),
			.weight = 10,
			.family = FAMILY_IP4};
	static const unsigned calm_s[] = {0, 10};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(calm_s); i++) {
		struct stage stage = stage_open(", 'backlog': 128");
		const json_t *finding;

		sources_add(history_sources(stage.history), &sample, stage.world->now);
		play(&stage, &(const struct second){0}, calm_s[i]);
		play(&stage, &flood, 5);
		sources_add(history_sources(stage.history), &sample, stage.world->now);
		finding = expect_only(&stage, "syn-flood", "warning", "nothing");
		assert_int_equal(says(finding, "198.18.7.0/24 100 %"), calm_s[i] == 0);
		assert_false(says(finding, "No network"));
		stage_close(&stage);
	}
}

/* 16. Forged ACKs, as failed cookies or, where none was sent, as strays. */
static void
test_forged(void **state)
{
	const struct second failed = {
			.failed_cookies = 1000, .proved = 20, .answered = 20, .waited_ms = 1};
	const struct second strays = {.strays = 1000};
	struct stage stage = stage_open("");
	const json_t *finding;

	(void)state;
	play(&stage, &failed, 5);
	finding = expect_only(&stage, "forged-acks", "warning", "nothing");
	assert_true(says(finding, "loses nobody"));
	assert_true(says(finding, "No setting is needed"));
	play(&stage, &calm, 60);
	expect_healthy(&stage);
	play(&stage, &strays, 2);
	finding = json_array_get(examine(&stage), 0);
	assert_string_equal(text_at(finding, "cause"), "forged-acks");
	assert_string_equal(text_at(finding, "backend"), "null");
	assert_int_equal(number_at(json_object_get(finding, "numbers"), "stray_client"), 2000);
	stage_close(&stage);
}

/* 17. The appliance's own limits. */
static void
test_limits(void **state)
{
	struct stage stage = stage_open("");
	const json_t *finding;

	(void)state;
	stage.world->worker_counters[1].reasons[REASON_conn_table_full] += 7;
	play(&stage, &calm, 1);
	finding = json_array_get(examine(&stage), 0);
	assert_string_equal(text_at(finding, "cause"), "connection-table-full");
	assert_int_equal(number_at(finding, "clients"), 7);
	assert_int_equal(number_at(json_object_get(finding, "cure"), "value"), 1 << 21);
	play(&stage, &calm, 61);
	stage.world->worker_counters[0].emit_failed += 3;
	play(&stage, &calm, 1);
	finding = json_array_get(examine(&stage), 0);
	assert_string_equal(text_at(finding, "cause"), "out-of-buffers");
	assert_string_equal(text_at(json_object_get(finding, "cure"), "key"), "limits.mbufs");
	stage_close(&stage);
}

/* 16a. A worker that stands still is an outage; one that did so lately, a warning for a minute. */
static void
test_worker_stalled(void **state)
{
	struct stage stage = stage_open("");
	struct watchdog *watch = &stage.world->watches[1];
	const json_t *finding;

	(void)state;
	play(&stage, &calm, 10);
	watch->since = stage.world->now - 3 * TICKS_PER_S;
	watch->stalls = 5;
	assert_int_equal(json_array_size(examine(&stage)), 1);
	finding = json_array_get(examine(&stage), 0);
	assert_string_equal(text_at(finding, "cause"), "worker-stalled");
	assert_string_equal(text_at(finding, "severity"), "outage");
	assert_int_equal(number_at(finding, "since_s"), 3);
	assert_true(says(finding, "Worker 1 on CPU 1 has made no progress for 3 s"));
	assert_int_equal(number_at(json_object_get(finding, "numbers"), "stalls"), 5);
	watch->since = 0;
	watch->ended = stage.world->now;
	watch->lasted = 4 * TICKS_PER_S;
	finding = json_array_get(examine(&stage), 0);
	assert_string_equal(text_at(finding, "severity"), "warning");
	assert_true(says(finding, "stood still for 4 s"));
	play(&stage, &calm, 60);
	expect_healthy(&stage);
	stage_close(&stage);
}

/* 16b. SYN-ACKs withheld from clients: a warning, and which budget to raise; not where the backend
 * is flooded, or where none is wanted. */
static void
test_egress_budget(void **state)
{
	static const struct {
		const char *settings; /* of egress */
		struct second second;
		const char *key; /* NULL: no finding of this kind */
		json_int_t value, clients;
	} cases[] = {
			/* 1: a network is over its budget: 100 + 50 and headroom */
			{"", {.withheld = 50, .repeated = 100}, "egress.network_per_s", 256, 150},
			/* 2: the whole side is */
			{"", {.withheld = 500, .repeated = 1000}, "egress.side_per_s", 2048, 1500},
			/* 3 */
			{", 'egress': {'network_per_s': 400, 'side_per_s': 40}",
					{.withheld = 10, .repeated = 40}, "egress.side_per_s", 64,
					30},
			/* 4: a few */
			{"", {.withheld = 9, .repeated = 100}, NULL, 0, 0},
			/* 5: nobody wants any */
			{", 'egress': {'network_per_s': 0}", {.withheld = 500}, NULL, 0, 0},
			/* 6: a flood */
			{"", {.withheld = 500, .full_cookies = 1000, .syn = 129}, NULL, 0, 0},
			/* 7: the same without cookies */
			{"", {.withheld = 500, .full_drops = 1000, .syn = 129}, NULL, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct stage stage = stage_open(", 'backlog': 128");
		const json_t *finding = NULL, *findings;

		registry_world_write(stage.world, WEB, cases[i].settings);
		registry_world_reload(stage.world);
		play(&stage, &cases[i].second, 3);
		findings = examine(&stage);
		for (size_t n = 0; n < json_array_size(findings); n++) {
			const json_t *one = json_array_get(findings, n);

			if (strcmp(text_at(one, "cause"), "egress-budget-small") == 0)
				finding = one;
		}
		assert_int_equal(finding != NULL, cases[i].key != NULL);
		if (finding != NULL) {
			const json_t *cure = json_object_get(finding, "cure");

			assert_int_equal(json_array_size(findings), 1);
			assert_string_equal(text_at(finding, "severity"), "warning");
			assert_string_equal(text_at(finding, "clients_saw"), "delay");
			assert_int_equal(number_at(finding, "clients"), cases[i].clients);
			assert_string_equal(text_at(cure, "key"), cases[i].key);
			assert_int_equal(number_at(cure, "value"), cases[i].value);
			assert_true(says(finding, "sluicectl reload"));
		}
		play(&stage, &calm, 60);
		expect_healthy(&stage);
		stage_close(&stage);
	}
}

/* 18. The cure taken: what was before does not count any more; what goes on does. */
static void
test_cured(void **state)
{
	const struct second burst = {.proved = 6, .overflows = 4, .answered = 6, .waited_ms = 20};
	struct stage stage = stage_open(", 'backlog': 5");
	struct registry *registry = &stage.world->registry;
	struct config_errors errors;
	json_t *value = json_integer(2048);

	(void)state;
	play(&stage, &burst, 3);
	expect_only(&stage, "accept-ring-too-small", "outage", "timeout");
	assert_true(registry_set(registry, "web", "backlog", value, stage.world->now, &errors));
	config_errors_free(&errors);
	json_decref(value);
	play(&stage, &calm, 1);
	expect_healthy(&stage);
	play(&stage, &burst, 1);
	expect_only(&stage, "accept-ring-too-small", "outage", "timeout");
	stage_close(&stage);
}

/* 19. Another backend in the same slot has no past. */
static void
test_new_backend(void **state)
{
	const struct second burst = {.proved = 6, .overflows = 4, .answered = 6, .waited_ms = 20};
	struct stage stage = stage_open(", 'backlog': 5");

	(void)state;
	play(&stage, &burst, 3);
	registry_world_write(stage.world, MAIL, "");
	registry_world_reload(stage.world);
	expect_healthy(&stage);
	stage.world->shared[0].accept = 0;
	registry_world_pass(stage.world, 5);
	registry_world_write(stage.world, MAIL "," NEWS, "");
	registry_world_reload(stage.world);
	assert_string_equal(stage.world->registry.slots[0].config.name, "news");
	expect_healthy(&stage);
	play(&stage, &calm, 2);
	expect_healthy(&stage);
	stage_close(&stage);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_calm),
			cmocka_unit_test(test_ring_small),
			cmocka_unit_test(test_ring_small_cures),
			cmocka_unit_test(test_ring_small_abort),
			cmocka_unit_test(test_slow),
			cmocka_unit_test(test_slow_saturated),
			cmocka_unit_test(test_connect_window),
			cmocka_unit_test(test_slow_without_loss),
			cmocka_unit_test(test_slow_and_silent),
			cmocka_unit_test(test_down),
			cmocka_unit_test(test_refuses),
			cmocka_unit_test(test_rare_failures),
			cmocka_unit_test(test_syn_small),
			cmocka_unit_test(test_flood),
			cmocka_unit_test(test_sources),
			cmocka_unit_test(test_forged),
			cmocka_unit_test(test_limits),
			cmocka_unit_test(test_worker_stalled),
			cmocka_unit_test(test_egress_budget),
			cmocka_unit_test(test_cured),
			cmocka_unit_test(test_new_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
