/* SPDX-License-Identifier: BSD-3-Clause */
/* What the log is told of backends: each beginning and each end once, with the right numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/incidents.h"
#include "registry_world.h"

struct log {
	struct registry_world *w;
	struct history *history;
	struct incidents *incidents;
	struct syn_samples *samples;
	unsigned count; /* of events */
	char last[EVENT_TEXT_BYTES];
	char all[4 * EVENT_TEXT_BYTES]; /* a line each, since it was emptied */
};

static void
note(void *context, const struct event *event)
{
	struct log *log = context;

	log->count++;
	event_write(event, log->last);
	if (strlen(log->all) + strlen(log->last) + 2 <= sizeof(log->all)) {
		strcat(log->all, log->last);
		strcat(log->all, "\n");
	}
}

static struct log *
log_new(const char *backends)
{
	struct log *log = calloc(1, sizeof(*log));

	assert_non_null(log);
	log->w = registry_world_new(backends, NULL);
	log->history = history_new(&log->w->registry);
	log->incidents = incidents_new(&log->w->registry, note, log);
	log->samples = aligned_alloc(CACHE_LINE_SIZE, cache_align(sizeof(struct syn_samples)));
	memset(log->samples, 0, sizeof(*log->samples));
	log->w->workers[0].samples = log->samples;
	return log;
}

static void
log_free(struct log *log)
{
	incidents_free(log->incidents);
	history_free(log->history);
	registry_world_free(log->w);
	free(log->samples);
	free(log);
}

static uint64_t *
counter(struct log *log, unsigned slot, enum backend_counter which)
{
	return &log->w->counters[slot % WORLD_WORKERS][slot].values[which];
}

/* Lets a second pass; how many events it brought. */
static unsigned
second(struct log *log)
{
	const unsigned before = log->count;

	log->w->now += TICKS_PER_S;
	history_sample(log->history, &log->w->registry, log->w->now);
	incidents_sample(log->incidents, log->history, &log->w->registry, log->w->now);
	return log->count - before;
}

static void
expect(struct log *log, unsigned events, const char *last)
{
	assert_int_equal(second(log), events);
	if (events > 0)
		assert_string_equal(log->last, last);
}

static void
expect_nothing(struct log *log, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		if (second(log) != 0)
			fail_msg("second %u: %s", i, log->last);
	}
}

/* A second of SYNs answered by cookies, some proofs, and their samples. */
static void
flood(struct log *log, unsigned slot, uint64_t cookies, uint64_t proofs)
{
	const struct syn_sample sample = {
			.client = ip_addr_from_ip4(htobe32(0xc6120705)),
			.weight = (uint32_t)cookies,
			.slot = (uint16_t)slot,
			.family = FAMILY_IP4,
	};

	*counter(log, slot, COUNTER_SyncookiesSent) += cookies;
	*counter(log, slot, COUNTER_SyncookiesRecv) += proofs;
	syn_samples_put(log->samples, &sample);
}

/* 1. A flood: told in its second second, ended after five without; peak and sum are its own. */
static void
test_flood(void **state)
{
	struct log *log = log_new(WEB ", " MAIL);

	(void)state;
	*counter(log, 1, COUNTER_SyncookiesSent) = 1000000; /* before the first look */
	expect_nothing(log, 3);
	flood(log, 1, 4000, 10);
	expect_nothing(log, 1);
	flood(log, 1, 9000, 10);
	expect(log, 1,
			"flood-begins: backend=mail syns_per_s=9000 mode=queue "
			"sources=\"198.18.7.0/24 100 %\"");
	for (unsigned i = 0; i < 3; i++) {
		flood(log, 1, 2000, 10);
		expect_nothing(log, 1);
	}
	expect_nothing(log, INCIDENT_QUIET_S - 1);
	expect(log, 1,
			"flood-ends: backend=mail lasted_s=5 syns=19000 syns_per_s_peak=9000 "
			"proved=50 "
			"sources=\"198.18.7.0/24 100 %\"");
	expect_nothing(log, 20);
	log_free(log);
}

/* 2. What is no flood: few, proved, or over within a second. A pause shorter than five seconds does
 * not end one. */
static void
test_no_flood(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	expect_nothing(log, 2);
	for (unsigned i = 0; i < 5; i++) {
		flood(log, 0, INCIDENT_FLOOD_LEAST - 1, 0);
		expect_nothing(log, 1);
	}
	for (unsigned i = 0; i < 5; i++) {
		flood(log, 0, 20000, 15000);
		expect_nothing(log, 1);
	}
	for (unsigned i = 0; i < 5; i++) {
		flood(log, 0, 50000, 0);
		expect_nothing(log, 2);
	}
	flood(log, 0, 500, 0);
	expect_nothing(log, 1);
	for (unsigned i = 0; i < 4; i++) {
		flood(log, 0, 500, 0);
		assert_int_equal(second(log), i == 0);
		expect_nothing(log, INCIDENT_QUIET_S - 1);
	}
	assert_int_equal(second(log), 1);
	assert_non_null(strstr(log->last, "syns=2500 "));
	log_free(log);
}

/* 3. Floods of cookies off: drops for a full queue, and for its reserved quarter. */
static void
test_flood_of_drops(void **state)
{
	struct log *log = log_new("{'name': 'web', 'address': '10.0.0.2', 'port': 80, "
				  "'tcp_syncookies': 0}");

	(void)state;
	expect_nothing(log, 2);
	for (unsigned i = 0; i < 2; i++) {
		*counter(log, 0, COUNTER_TCPReqQFullDrop) += 30;
		*counter(log, 0, COUNTER_ListenOverflows) += 0;
		*counter(log, 0, COUNTER_ListenDrops) += 30 + 270;
		assert_int_equal(second(log), i);
	}
	assert_string_equal(log->last, "flood-begins: backend=web syns_per_s=300 mode=queue "
				       "sources=\"none stands out\"");
	log_free(log);
}

/* 4. Overflow: told at once, with the queue as it is. */
static void
test_overflow(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	expect_nothing(log, 2);
	*counter(log, 0, COUNTER_ListenOverflows) += 3;
	log->w->shared[0].accept = 4097;
	expect(log, 1, "overflow-begins: backend=web turned_away=3 recv_q=4097 send_q=4096");
	log->w->shared[0].accept = 0;
	*counter(log, 0, COUNTER_ListenOverflows) += 40;
	expect_nothing(log, INCIDENT_QUIET_S);
	expect(log, 1,
			"overflow-ends: backend=web lasted_s=2 turned_away=43 "
			"turned_away_per_s_peak=40");
	expect_nothing(log, 10);
	log_free(log);
}

static void
refuse(struct log *log, unsigned slot, uint64_t n)
{
	*counter(log, slot, COUNTER_AttemptFails) += n;
	log->w->worker_counters[0].reasons[REASON_backend_refused] += n;
}

/* 5. Down and up, once each; a backend that answers some is not down. */
static void
test_refuses(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	expect_nothing(log, 2);
	refuse(log, 0, 2);
	expect(log, 1, "backend-down: backend=web cause=refuses waiting=0 failed=2");
	for (unsigned i = 0; i < 5; i++) {
		refuse(log, 0, 2);
		expect_nothing(log, 1);
	}
	*counter(log, 0, COUNTER_Established) += 1;
	expect(log, 1, "backend-up: backend=web down_s=6");
	for (unsigned i = 0; i < 5; i++) {
		refuse(log, 0, 1);
		*counter(log, 0, COUNTER_Established) += 30;
		expect_nothing(log, 1);
	}
	expect_nothing(log, 70);
	refuse(log, 0, 1);
	expect(log, 1, "backend-down: backend=web cause=refuses waiting=0 failed=1");
	log_free(log);
}

/* 6. Silent: clients wait, and nobody is answered for as long as a backend is given. */
static void
test_silent(void **state)
{
	struct log *log = log_new("{'name': 'web', 'address': '10.0.0.2', 'port': 80, "
				  "'tcp_syn_retries': 2}");

	(void)state;
	expect_nothing(log, 2);
	log->w->shared[0].accept = 7;
	expect_nothing(log, 3);
	expect(log, 1, "backend-down: backend=web cause=silent waiting=7 failed=0");
	expect_nothing(log, 5);
	log->w->shared[0].accept = 0;
	*counter(log, 0, COUNTER_Established) += 7;
	expect(log, 1, "backend-up: backend=web down_s=6");
	expect_nothing(log, 5);
	log_free(log);
}

/* 7. The mode as the rules have it, and as it is set; a backend begins in its calm one. */
static void
test_mode(void **state)
{
	struct log *log = log_new(WEB ", " MAIL);

	(void)state;
	expect_nothing(log, 3);
	log->w->shared[0].syn = 1000000;
	log->w->shared[0].cookies = 1;
	expect(log, 1, "mode: backend=web mode=cookie tcp_syncookies=1");
	log->w->shared[0].syn = 0;
	expect(log, 1, "mode: backend=web mode=queue tcp_syncookies=1");
	registry_world_write(log->w, WEB ", " MAIL, ", 'queues': {'tcp_syncookies': 2}");
	registry_world_reload(log->w);
	assert_int_equal(second(log), 2);
	assert_string_equal(log->last, "mode: backend=mail mode=cookie tcp_syncookies=2");
	registry_world_write(log->w, WEB ", " MAIL ", " NEWS, ", 'queues': {'tcp_syncookies': 2}");
	registry_world_reload(log->w);
	expect_nothing(log, 1);
	log_free(log);
}

/* 8. A removed backend's troubles are not those of the one that takes its slot. */
static void
test_slot_again(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	expect_nothing(log, 2);
	*counter(log, 0, COUNTER_ListenOverflows) += 3;
	assert_int_equal(second(log), 1);
	registry_world_write(log->w, NEWS, "");
	registry_world_reload(log->w);
	registry_world_pass(log->w, 3);
	assert_int_equal(second(log), 1); /* its end */
	registry_world_write(log->w, NEWS ", " MAIL, "");
	registry_world_reload(log->w);
	expect_nothing(log, 10);
	log_free(log);
}

/* Has the first slot's backend gone. */
static void
remove_first(struct log *log)
{
	registry_world_write(log->w, NEWS, "");
	registry_world_reload(log->w);
	registry_world_pass(log->w, 3);
	assert_int_equal(log->w->registry.slots[0].use, SLOT_FREE);
}

/* All three under way at the first slot; the last line is that of the outage. */
static void
all_begin(struct log *log)
{
	expect_nothing(log, 2);
	flood(log, 0, 4000, 10);
	expect_nothing(log, 1);
	flood(log, 0, 9000, 10);
	*counter(log, 0, COUNTER_ListenOverflows) += 3;
	refuse(log, 0, 2);
	assert_int_equal(second(log), 3);
	assert_string_equal(
			log->last, "backend-down: backend=web cause=refuses waiting=0 failed=2");
}

/* 9. What is under way ends with its backend, by the name that it began with, whether its slot is
 * seen free or has another one already. The next one's samples are its own. */
static void
test_removed(void **state)
{
	for (unsigned is_taken = 0; is_taken < 2; is_taken++) {
		struct log *log = log_new(WEB);

		(void)state;
		all_begin(log);
		assert_non_null(history_sources_of(log->history, 0));
		remove_first(log);
		if (is_taken) {
			registry_world_write(log->w, NEWS ", " MAIL, "");
			registry_world_reload(log->w);
			assert_int_equal(log->w->registry.slots[0].use, SLOT_SERVING);
		}
		log->all[0] = '\0';
		assert_int_equal(second(log), 3);
		assert_string_equal(log->all, "flood-ends: backend=web lasted_s=2 syns=13000 "
					      "syns_per_s_peak=9000 proved=20 "
					      "sources=\"198.18.7.0/24 100 %\"\n"
					      "overflow-ends: backend=web lasted_s=1 turned_away=3 "
					      "turned_away_per_s_peak=3\n"
					      "backend-removed: backend=web down_s=4\n");
		assert_null(history_sources_of(log->history, 0));
		expect_nothing(log, 10);
		log_free(log);
	}
}

/* 10. One that still drains ends its incidents as ever, by the name that they began with. */
static void
test_drains(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	all_begin(log);
	log->w->shared[0].syn = 1; /* somebody is left */
	registry_world_write(log->w, NEWS, "");
	registry_world_reload(log->w);
	expect_nothing(log, INCIDENT_QUIET_S - 1);
	log->all[0] = '\0';
	assert_int_equal(second(log), 2);
	assert_int_equal(log->w->registry.slots[0].use, SLOT_DRAINING);
	assert_non_null(strstr(log->all, "flood-ends: backend=web lasted_s=2 "));
	assert_non_null(strstr(log->all, "overflow-ends: backend=web lasted_s=1 "));
	*counter(log, 0, COUNTER_Established) += 1;
	expect(log, 1, "backend-up: backend=web down_s=6");
	log_free(log);
}

/* 11. Samples of a trickle that is no flood end where a trouble of the syn queue begins. */
static void
test_sources_begin(void **state)
{
	struct log *log = log_new(WEB);
	const struct sources *sources;

	(void)state;
	expect_nothing(log, 2);
	for (unsigned i = 0; i < 100; i++) {
		flood(log, 0, 50, 0);
		expect_nothing(log, 1);
	}
	sources = history_sources_of(log->history, 0);
	assert_int_equal(sources->total, 5000);
	flood(log, 0, 50, 0);
	*counter(log, 0, COUNTER_TCPReqQFullDoCookies) += 50;
	expect_nothing(log, 1);
	assert_int_equal(sources->total, 50);
	flood(log, 0, 50, 0);
	*counter(log, 0, COUNTER_TCPReqQFullDoCookies) += 50;
	expect_nothing(log, 1);
	assert_int_equal(sources->total, 100);
	log_free(log);
}

/* 12. Looks that come too close together change nothing, and late ones make no peak. */
static void
test_pace(void **state)
{
	struct log *log = log_new(WEB);

	(void)state;
	expect_nothing(log, 2);
	for (unsigned i = 0; i < 4; i++) {
		flood(log, 0, 1000, 0);
		incidents_sample(log->incidents, log->history, &log->w->registry,
				log->w->now + TICKS_PER_S / 10);
		log->w->now += 3 * TICKS_PER_S;
		assert_int_equal(second(log), i == 1);
	}
	assert_non_null(strstr(log->last, "syns_per_s=250 "));
	log_free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_flood),
			cmocka_unit_test(test_no_flood),
			cmocka_unit_test(test_flood_of_drops),
			cmocka_unit_test(test_overflow),
			cmocka_unit_test(test_refuses),
			cmocka_unit_test(test_silent),
			cmocka_unit_test(test_mode),
			cmocka_unit_test(test_slot_again),
			cmocka_unit_test(test_removed),
			cmocka_unit_test(test_drains),
			cmocka_unit_test(test_sources_begin),
			cmocka_unit_test(test_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
