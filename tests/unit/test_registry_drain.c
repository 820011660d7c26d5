/* SPDX-License-Identifier: BSD-3-Clause */
/* What takes time after a reload: draining and its end, slots that change hands, secrets and window
 * scales that count from a later epoch, snapshots that readers still hold. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_rcu_qsbr.h>

#include "registry_world.h"

#define EPOCH (COOKIE_EPOCH_S * TICKS_PER_S)

/* A running registry of web and mail, of which mail was just removed while it held something. */
static struct registry_world *
draining(uint64_t connections, const char *more)
{
	struct registry_world *w = registry_world_new(WEB "," MAIL, NULL);

	w->counters[1][1].connections = connections;
	registry_world_write(w, WEB, more);
	registry_world_reload(w);
	assert_true(registry_world_find(w, 2, 25)->is_draining);
	return w;
}

/* 1. A removed backend stays until its connections, half-open clients and clients in the accept
 * ring have all gone, for two looks in a row; then its address is nobody's. */
static void
test_drain(void **state)
{
	struct registry_world *w = draining(1, "");
	uint64_t generation;

	(void)state;
	registry_world_pass(w, 100);
	assert_non_null(registry_world_find(w, 2, 25));
	w->shared[1].syn = 1;
	w->counters[1][1].connections = 0;
	registry_world_pass(w, 3);
	w->shared[1].accept = 1;
	w->shared[1].syn = 0;
	registry_world_pass(w, 3);
	/* Out of the ring, not counted as a connection yet: seen as empty, once. */
	w->shared[1].accept = 0;
	registry_world_pass(w, 1);
	w->counters[0][1].connections = 1;
	registry_world_pass(w, 3);
	assert_true(registry_world_find(w, 2, 25)->is_draining);
	w->counters[0][1].connections = 0;
	generation = w->registry.generation;
	registry_world_pass(w, 2);
	assert_null(registry_world_find(w, 2, 25));
	assert_non_null(registry_world_find(w, 2, 80));
	assert_int_equal(w->registry.generation, generation + 1);
	assert_int_equal(snapshot_count(w->where), 1);
	registry_world_pass(w, 5);
	assert_int_equal(w->registry.generation, generation + 1);
	assert_int_equal(w->registry.slots[1].use, SLOT_FREE);
	assert_int_equal(w->asked, 0);
	registry_world_free(w);
}

/* 2. The slot goes to another backend, which starts with clean numbers: shared ones zero, counters
 * from its own beginning, gauges as they are; the total keeps what the old one counted. */
static void
test_slot_again(void **state)
{
	struct registry_world *w = draining(0, "");
	struct backend_counters sum;
	uint32_t incarnation = w->registry.slots[1].config.incarnation;

	(void)state;
	w->counters[0][1].values[COUNTER_PassiveOpens] = 5;
	w->counters[1][1].values[COUNTER_PassiveOpens] = 6;
	w->counters[1][1].wait[3] = 7;
	w->counters[1][1].wait_us = 8;
	w->counters[1][1].values[COUNTER_CurrEstab] = 4;
	w->shared[1].cookie_s = 9;
	registry_world_pass(w, 2);
	assert_int_equal(w->registry.slots[1].use, SLOT_FREE);
	registry_world_write(w, WEB "," NEWS, "");
	registry_world_reload(w);
	assert_int_equal(registry_world_find(w, 3, 119)->slot, 1);
	assert_true(registry_world_find(w, 3, 119)->incarnation > incarnation);
	assert_int_equal(w->shared[1].cookie_s, 0);
	w->counters[1][1].values[COUNTER_PassiveOpens] += 1;
	w->counters[1][1].values[COUNTER_CurrEstab] = 2;
	w->counters[0][1].connections = 3;
	w->counters[0][1].wait[3] += 4;
	w->counters[0][1].wait_us += 5;
	registry_counters(&w->registry, &w->registry.slots[1], &sum);
	assert_int_equal(sum.values[COUNTER_PassiveOpens], 1);
	assert_int_equal(sum.values[COUNTER_CurrEstab], 2);
	assert_int_equal(sum.connections, 3);
	assert_int_equal(sum.wait[3], 4);
	assert_int_equal(sum.wait_us, 5);
	w->counters[0][0].values[COUNTER_PassiveOpens] = 100;
	registry_total(&w->registry, &sum);
	assert_int_equal(sum.values[COUNTER_PassiveOpens], 112);
	registry_world_free(w);
}

/* 3. Until each worker has passed on, nothing is taken for gone: not a backend that it may not know
 * to be draining, nor a slot that it may still use. */
static void
test_readers(void **state)
{
	struct rte_rcu_qsbr *qsbr =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(rte_rcu_qsbr_get_memsize(1)));
	struct registry_world *w;

	(void)state;
	rte_rcu_qsbr_init(qsbr, 1);
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	w = registry_world_new(WEB "," MAIL "," VPN, qsbr);
	registry_world_write(w, WEB "," VPN, "");
	registry_world_reload(w);
	registry_world_pass(w, 5);
	assert_true(registry_world_find(w, 2, 25)->is_draining);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	registry_world_pass(w, 2);
	assert_null(registry_world_find(w, 2, 25));
	/* Published no more, but seen: the next one gets another slot. */
	w->shared[1].cookie_s = 9;
	registry_world_write(w, WEB "," VPN "," NEWS, "");
	registry_world_reload(w);
	assert_int_equal(registry_world_find(w, 3, 119)->slot, 3);
	assert_int_equal(w->shared[1].cookie_s, 9);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	registry_world_write(w, WEB "," VPN "," NEWS "," MAIL, "");
	registry_world_reload(w);
	assert_int_equal(registry_world_find(w, 2, 25)->slot, 1);
	assert_int_equal(w->shared[1].cookie_s, 0);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	registry_world_free(w);
	free(qsbr);
}

/* 4. Listed again while it drains, it serves again: same slot, same connections, same counters, and
 * no deadline any more. */
static void
test_again(void **state)
{
	struct registry_world *w = draining(1, ", 'control': {'drain_s': 5}");
	const uint32_t incarnation = w->registry.slots[1].config.incarnation;
	struct backend_counters sum;

	(void)state;
	w->counters[0][1].values[COUNTER_PassiveOpens] = 5;
	registry_world_pass(w, 3);
	registry_world_write(w, WEB "," MAIL, ", 'control': {'drain_s': 5}");
	registry_world_reload(w);
	assert_int_equal(json_array_size(w->registry.changes.added), 1);
	assert_int_equal(json_array_size(w->registry.changes.changed), 0);
	assert_int_equal(w->registry.slots[1].deadline, TICKS_NEVER);
	assert_int_equal(w->registry.slots[1].since, w->now);
	registry_world_pass(w, 10);
	assert_int_equal(registry_world_find(w, 2, 25)->slot, 1);
	assert_false(registry_world_find(w, 2, 25)->is_draining);
	assert_int_equal(registry_world_find(w, 2, 25)->incarnation, incarnation);
	registry_counters(&w->registry, &w->registry.slots[1], &sum);
	assert_int_equal(sum.values[COUNTER_PassiveOpens], 5);
	assert_int_equal(w->asked, 0);
	registry_world_free(w);
}

/* 5. At the deadline every worker is told to flush the slot, not before; then it ends. */
static void
test_deadline(void **state)
{
	struct registry_world *w = draining(1, ", 'control': {'drain_s': 5}");

	(void)state;
	registry_world_pass(w, 4);
	assert_int_equal(w->asked, 0);
	registry_world_pass(w, 1);
	assert_int_equal(w->asked, WORLD_WORKERS);
	assert_int_equal(w->asked_worker, WORLD_WORKERS - 1);
	assert_int_equal(w->letter.kind, INSPECT_FLUSH);
	assert_int_equal(w->letter.slot, 1);
	registry_world_pass(w, 2);
	assert_null(registry_world_find(w, 2, 25));
	assert_int_equal(w->asked, WORLD_WORKERS);
	registry_world_free(w);
}

/* 6. A worker that does not answer is asked again at each tick, and the backend stays. */
static void
test_deadline_silent(void **state)
{
	struct registry_world *w = draining(1, ", 'control': {'drain_s': 1}");
	bool complete = true;

	(void)state;
	w->is_silent[1] = true;
	registry_world_pass(w, 5);
	assert_int_equal(w->asked, 5 * WORLD_WORKERS);
	assert_true(registry_world_find(w, 2, 25)->is_draining);
	w->counters[0][1].connections = 2;
	assert_int_equal(registry_flush(&w->registry, 1, &complete), 2);
	assert_false(complete);
	w->is_silent[1] = false;
	assert_int_equal(registry_flush(&w->registry, 1, &complete), 1);
	assert_true(complete);
	registry_world_pass(w, 2);
	assert_null(registry_world_find(w, 2, 25));
	registry_world_free(w);
}

/* 7. A deadline that comes with the reload counts instead of the file's, and also for what drains
 * already, if it is the earlier one. */
static void
test_deadline_asked(void **state)
{
	struct registry_world *w = draining(1, ", 'control': {'drain_s': 100}");
	const struct slot *slots = w->registry.slots;
	const ticks_t start = w->now;
	struct config_errors errors;

	(void)state;
	assert_int_equal(slots[1].deadline, start + 100 * TICKS_PER_S);
	registry_world_write(w, "", ", 'control': {'drain_s': 100}");
	assert_true(registry_reload(&w->registry, w->now, start + 10 * TICKS_PER_S, &errors));
	assert_int_equal(slots[0].deadline, start + 10 * TICKS_PER_S);
	assert_int_equal(slots[1].deadline, start + 10 * TICKS_PER_S);
	assert_true(registry_reload(&w->registry, w->now, start + 50 * TICKS_PER_S, &errors));
	assert_int_equal(slots[1].deadline, start + 10 * TICKS_PER_S);
	registry_world_reload(w);
	assert_int_equal(slots[1].deadline, start + 10 * TICKS_PER_S);
	registry_world_free(w);

	w = draining(1, "");
	assert_int_equal(w->registry.slots[1].deadline, TICKS_NEVER);
	registry_world_free(w);
}

/* 8. Two of one name, one of which drains: each is found by the name that listings use. */
static void
test_names(void **state)
{
	struct registry_world *w = draining(1, "");
	char name[REGISTRY_NAME_BYTES];
	struct config_errors errors;
	json_t *value = json_integer(1);

	(void)state;
	assert_null(registry_find(&w->registry, "mail"));
	registry_world_write(w, WEB ", {'name': 'mail', 'address': '10.0.0.9', 'port': 25}", "");
	registry_world_reload(w);
	assert_ptr_equal(registry_find(&w->registry, "mail"), &w->registry.slots[2]);
	assert_ptr_equal(registry_find(&w->registry, "mail~1"), &w->registry.slots[1]);
	assert_null(registry_find(&w->registry, "mail~2"));
	assert_null(registry_find(&w->registry, "mail~"));
	assert_null(registry_find(&w->registry, ""));
	registry_name(&w->registry, &w->registry.slots[1], name);
	assert_string_equal(name, "mail~1");
	assert_false(registry_set(&w->registry, "mail~1", "backlog", value, w->now, &errors));
	assert_string_equal(errors.lines[0], "set mail~1: it is draining: it takes no new clients");
	config_errors_free(&errors);
	json_decref(value);
	registry_world_free(w);
}

/* The secret that workers use in an epoch by what is published now. */
static uint64_t
secret_in(const struct registry_world *w, uint64_t epoch)
{
	const struct cookie_plan *plan = snapshot_cookies(w->where);

	return plan->secrets[cookie_plan_index(plan, epoch)].k0;
}

/* 9. Another secret counts from the epoch after the next, whatever is published meanwhile, and then
 * for ever; of two changes in a row the first that no epoch reached is never used. */
static void
test_secret(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	const uint64_t epoch = cookie_epoch(w->now);

	(void)state;
	w->secret.k0 = 20;
	registry_world_reload(w);
	w->secret.k0 = 30;
	registry_world_reload(w);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(secret_in(w, epoch - 1 + i), 1);
	assert_int_equal(secret_in(w, epoch + 2), 30);
	w->now += EPOCH;
	w->secret.k0 = 40;
	registry_world_reload(w);
	registry_world_reload(w);
	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(secret_in(w, epoch + i), 1);
	assert_int_equal(secret_in(w, epoch + 2), 30);
	assert_int_equal(secret_in(w, epoch + 3), 40);
	assert_int_equal(secret_in(w, epoch + 1000), 40);
	w->now += 10 * EPOCH;
	assert_int_equal(secret_in(w, epoch + 11), 40);
	registry_world_reload(w);
	assert_int_equal(secret_in(w, epoch + 10), 40);
	registry_world_free(w);
}

enum { WSCALE_EPOCHS = 40 };

/*
 * 10. A client that was told a window scale in one epoch and proves itself in that or the next is
 * understood, whatever reloads, changes of one key and draining came between: in each epoch all
 * that was published agrees on what that epoch and the one before announced.
 */
static void
test_wscale(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	const uint64_t first = cookie_epoch(w->now);
	uint8_t announced[WSCALE_EPOCHS] = {0};
	unsigned changes = 0, seed = 1;

	(void)state;
	w->counters[0][0].connections = 1;
	for (unsigned step = 0; step < 8 * WSCALE_EPOCHS; step++) {
		const uint64_t epoch = first + step / 8;
		const struct backend_config *web;
		char text[256];

		seed = seed * 1103515245 + 12345;
		snprintf(text, sizeof(text),
				"{'name': 'web', 'address': '10.0.0.2', 'port': 80, "
				"'announced_wscale': %u}",
				seed >> 16 & 7);
		registry_world_write(w, seed >> 20 & 3 ? text : "", "");
		registry_world_reload(w);
		web = registry_world_find(w, 2, 80);
		for (uint64_t at = epoch > first ? epoch - 1 : epoch; at <= epoch + 1; at++) {
			const uint8_t wscale =
					backend_config_wscale(web, snapshot_cookies(w->where), at);

			/* Plus 1, so that 0 means: nothing said of that epoch yet. */
			if (at - first >= WSCALE_EPOCHS)
				continue;
			if (announced[at - first] == 0)
				announced[at - first] = wscale + 1;
			assert_int_equal(wscale + 1, announced[at - first]);
		}
		w->now += EPOCH / 8;
	}
	for (unsigned i = 1; i < WSCALE_EPOCHS; i++)
		changes += announced[i] != announced[i - 1];
	assert_true(changes > WSCALE_EPOCHS / 2);
	registry_world_free(w);
}

/* 11. A changed scale counts from the epoch after the next; another backend's does at once. */
static void
test_wscale_when(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	const uint64_t epoch = cookie_epoch(w->now);
	const struct cookie_plan *plan;

	(void)state;
	registry_world_write(w,
			"{'name': 'web', 'address': '10.0.0.2', 'port': 80, 'announced_wscale': 2},"
			"{'name': 'new', 'address': '10.0.0.2', 'port': 81, 'announced_wscale': 3}",
			"");
	registry_world_reload(w);
	plan = snapshot_cookies(w->where);
	for (uint64_t at = epoch - 1; at <= epoch + 1; at++) {
		assert_int_equal(backend_config_wscale(registry_world_find(w, 2, 80), plan, at), 7);
		assert_int_equal(backend_config_wscale(registry_world_find(w, 2, 81), plan, at), 3);
	}
	assert_int_equal(backend_config_wscale(registry_world_find(w, 2, 80), plan, epoch + 2), 2);
	registry_world_free(w);
}

enum { RELOADS = 1000, LOOKS = 200 };

struct reader {
	const struct registry_world *world;
	struct rte_rcu_qsbr *qsbr;
	/* A thread that only yields or looks on and on costs the other one its time where both
	 * share a CPU: what each waits for from the other. */
	sem_t looked, go;
	bool stop;
	unsigned wrong;
	unsigned seen;
};

/* Loads snapshots as a worker does and looks at all that is in them. */
static void *
read_snapshots(void *argument)
{
	struct reader *reader = argument;
	uint64_t generation = 0;
	unsigned looks = LOOKS;
	int told;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE)) {
		const struct snapshot *snapshot =
				__atomic_load_n(&reader->world->where, __ATOMIC_ACQUIRE);
		bool has_web = false;

		for (unsigned i = 0; i < snapshot_count(snapshot); i++) {
			const struct backend_config *config = snapshot_at(snapshot, i);

			has_web |= config->slot == 0 && config->port == 80 && !config->is_draining;
			if (snapshot_find(snapshot, &config->address, config->port) != config)
				reader->wrong++;
		}
		reader->wrong += !has_web || snapshot_generation(snapshot) < generation;
		reader->seen += snapshot_generation(snapshot) > generation;
		generation = snapshot_generation(snapshot);
		rte_rcu_qsbr_quiescent(reader->qsbr, 0);
		sem_getvalue(&reader->looked, &told);
		if (told == 0)
			sem_post(&reader->looked);
		if (--looks == 0) {
			sem_wait(&reader->go);
			looks = LOOKS;
		}
	}
	rte_rcu_qsbr_thread_offline(reader->qsbr, 0);
	return NULL;
}

/* 12. 1,000 reloads that grow, shrink, add and remove under a reader's eyes: web never leaves,
 * slots are always found again, nothing is freed too early or never (sanitizers). */
static void
test_many_reloads(void **state)
{
	static const char *const files[] = {
			WEB,
			WEB "," MAIL,
			"{'name': 'web', 'address': '10.0.0.2', 'port': 80, 'backlog': 7}," VPN,
			WEB "," VPN "," MAIL,
			WEB "," NEWS,
	};
	struct reader reader = {.qsbr = aligned_alloc(CACHE_LINE_SIZE,
						cache_align(rte_rcu_qsbr_get_memsize(1)))};
	struct registry_world *w;
	pthread_t thread;

	(void)state;
	rte_rcu_qsbr_init(reader.qsbr, 1);
	rte_rcu_qsbr_thread_register(reader.qsbr, 0);
	rte_rcu_qsbr_thread_online(reader.qsbr, 0);
	assert_int_equal(sem_init(&reader.looked, 0, 0) | sem_init(&reader.go, 0, 0), 0);
	w = registry_world_new(WEB, reader.qsbr);
	reader.world = w;
	assert_int_equal(pthread_create(&thread, NULL, read_snapshots, &reader), 0);
	for (unsigned i = 0; i < RELOADS; i++) {
		registry_world_write(w, files[i % ARRAY_COUNT(files)], "");
		sem_post(&reader.go);
		registry_world_reload(w);
		for (unsigned second = 0; second < 3; second++) {
			/* As long as a second is for a worker. */
			while (publication_reclaim(&w->registry.publication) > 0) {
				sem_post(&reader.go);
				sem_wait(&reader.looked);
			}
			registry_world_pass(w, 1);
		}
	}
	assert_int_equal(w->registry.config_generation, 1 + RELOADS);
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
	sem_post(&reader.go);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.wrong, 0);
	assert_true(reader.seen > RELOADS / 100);
	registry_world_free(w);
	sem_destroy(&reader.looked);
	sem_destroy(&reader.go);
	free(reader.qsbr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_drain),
			cmocka_unit_test(test_slot_again),
			cmocka_unit_test(test_readers),
			cmocka_unit_test(test_again),
			cmocka_unit_test(test_deadline),
			cmocka_unit_test(test_deadline_silent),
			cmocka_unit_test(test_deadline_asked),
			cmocka_unit_test(test_names),
			cmocka_unit_test(test_secret),
			cmocka_unit_test(test_wscale),
			cmocka_unit_test(test_wscale_when),
			cmocka_unit_test(test_many_reloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
