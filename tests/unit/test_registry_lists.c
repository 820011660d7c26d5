/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of sources on their way from files to workers: what is made when, who holds it, and that
 * nothing changes when anything is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_rcu_qsbr.h>

#include "registry_world.h"

static const char web[] = "{'name': 'web', 'address': '10.0.0.2', 'port': 80}";

/* Tables that only know how many prefixes they were made of, and count themselves. */
struct counted {
	struct source_lists lists;
	uint32_t prefixes;
	unsigned *living;
};

struct maker {
	unsigned made;
	unsigned living;
	bool fails;
};

static struct maker maker;

static void
counted_end(struct source_lists *lists)
{
	struct counted *counted = (struct counted *)lists;

	--*counted->living;
	free(counted);
}

static struct source_lists *
make(void *context, const struct prefix_list *list, char *message, size_t size)
{
	struct counted *counted = malloc(sizeof(*counted));

	(void)context;
	assert_true(list->count > 0);
	assert_non_null(counted);
	if (maker.fails) {
		free(counted);
		snprintf(message, size, "no memory, in this test");
		return NULL;
	}
	*counted = (struct counted){.lists = {.end = counted_end, .holders = 1},
			.prefixes = list->count,
			.living = &maker.living};
	maker.made++;
	maker.living++;
	return &counted->lists;
}

struct rig {
	struct registry_world *w;
	char deny[128];
	char more[256];
};

static void
write_deny(const struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->deny, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct rig
rig_open(struct rte_rcu_qsbr *qsbr)
{
	struct rig rig = {.w = registry_world_new(web, qsbr)};

	maker = (struct maker){0};
	snprintf(rig.deny, sizeof(rig.deny), "%s.deny", rig.w->path);
	snprintf(rig.more, sizeof(rig.more),
			", 'sources': {'deny_file': '%s', 'syn_per_s': 10, 'syn_burst': 6}",
			rig.deny);
	rig.w->registry.env.lists = make;
	return rig;
}

static void
rig_close(struct rig *rig)
{
	registry_world_free(rig->w);
	unlink(rig->deny);
	assert_int_equal(maker.living, 0);
}

/* Prefixes that workers look up in now; 0: no lists. */
static uint32_t
published(const struct rig *rig)
{
	const struct source_lists *lists = snapshot_sources(rig->w->where)->lists;

	return lists != NULL ? ((const struct counted *)lists)->prefixes : 0;
}

static bool
reload(struct rig *rig, struct config_errors *errors)
{
	registry_world_write(rig->w, web, rig->more);
	return registry_reload(&rig->w->registry, ++rig->w->now, TICKS_NEVER, errors);
}

static void
accepted(struct rig *rig)
{
	struct config_errors errors;

	if (!reload(rig, &errors))
		fail_msg("%s", errors.lines[0]);
}

static void
refused(struct rig *rig, const char *problem)
{
	struct config_errors errors;
	const struct snapshot *before = rig->w->where;

	assert_false(reload(rig, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], problem));
	assert_ptr_equal(rig->w->where, before);
	config_errors_free(&errors);
}

/* 1. Nothing is made before there is memory for it; then what is configured by then. Each worker
 * has its share of the rate from the start. */
static void
test_open(void **state)
{
	struct rig rig = rig_open(NULL);
	char message[128];

	(void)state;
	write_deny(&rig, "10.0.0.0/8\n");
	accepted(&rig);
	assert_int_equal(maker.made, 0);
	assert_int_equal(published(&rig), 0);
	assert_int_equal(snapshot_sources(rig.w->where)->rule.rate.burst,
			(6 + WORLD_WORKERS - 1) / WORLD_WORKERS);
	assert_true(registry_open_lists(&rig.w->registry, ++rig.w->now, message, sizeof(message)));
	assert_int_equal(maker.made, 1);
	assert_int_equal(published(&rig), 1);
	rig_close(&rig);

	/* Without lists, opening publishes nothing. */
	rig = rig_open(NULL);

	const struct snapshot *before = rig.w->where;

	assert_true(registry_open_lists(&rig.w->registry, ++rig.w->now, message, sizeof(message)));
	assert_ptr_equal(rig.w->where, before);
	assert_int_equal(maker.made, 0);
	rig_close(&rig);

	/* No memory: it says so. */
	rig = rig_open(NULL);
	write_deny(&rig, "10.0.0.0/8\n");
	accepted(&rig);
	maker.fails = true;
	assert_false(registry_open_lists(&rig.w->registry, ++rig.w->now, message, sizeof(message)));
	assert_string_equal(message, "no memory, in this test");
	rig_close(&rig);
}

/* 2. A file that changed makes tables anew; one that says the same doesn't, however it is written;
 * one that is wrong, or for which there is no memory, changes nothing; an empty one is none. */
static void
test_reload(void **state)
{
	struct rig rig = rig_open(NULL);
	char message[128];

	(void)state;
	assert_true(registry_open_lists(&rig.w->registry, ++rig.w->now, message, sizeof(message)));
	write_deny(&rig, "10.0.0.0/8\n10.0.0.1\n");
	accepted(&rig);
	assert_int_equal(published(&rig), 2);
	write_deny(&rig, "# the same\n10.0.0.1\n10.0.0.0/8\n10.0.0.1\n");
	accepted(&rig);
	assert_int_equal(maker.made, 1);
	assert_int_equal(published(&rig), 2);
	write_deny(&rig, "10.0.0.0/8\n");
	accepted(&rig);
	assert_int_equal(maker.made, 2);
	assert_int_equal(maker.living, 1);
	assert_int_equal(published(&rig), 1);
	write_deny(&rig, "10.0.0.0/40\n");
	refused(&rig, ".deny:1: length not in 0..32 (value 10.0.0.0/40)");
	write_deny(&rig, "11.0.0.0/8\n");
	maker.fails = true;
	refused(&rig, "sources: no memory, in this test");
	maker.fails = false;
	unlink(rig.deny);
	refused(&rig, ".deny: cannot be opened: No such file or directory");
	assert_int_equal(published(&rig), 1);

	/* A change of one key goes on with the lists and the rate. */
	struct config_errors errors;
	json_t *value = json_integer(7);

	assert_true(registry_set(&rig.w->registry, "web", "backlog", value, ++rig.w->now, &errors));
	json_decref(value);
	assert_int_equal(published(&rig), 1);
	assert_true(source_rule_is_on(&snapshot_sources(rig.w->where)->rule));

	write_deny(&rig, "# nobody\n");
	accepted(&rig);
	assert_int_equal(published(&rig), 0);
	assert_int_equal(maker.living, 0);
	write_deny(&rig, "10.0.0.0/8\n");
	accepted(&rig);
	assert_int_equal(published(&rig), 1);
	rig.more[0] = '\0';
	accepted(&rig);
	assert_int_equal(published(&rig), 0);
	assert_false(source_rule_is_on(&snapshot_sources(rig.w->where)->rule));
	rig_close(&rig);
}

/* 3. Tables end when no worker can look into them any more, not before; and at the end. */
static void
test_retired(void **state)
{
	struct rte_rcu_qsbr *qsbr =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(rte_rcu_qsbr_get_memsize(1)));
	char message[128];
	struct rig rig;

	(void)state;
	assert_non_null(qsbr);
	assert_int_equal(rte_rcu_qsbr_init(qsbr, 1), 0);
	rig = rig_open(qsbr);
	assert_true(registry_open_lists(&rig.w->registry, ++rig.w->now, message, sizeof(message)));
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	for (unsigned i = 1; i <= 3; i++) {
		char text[64];

		snprintf(text, sizeof(text), "10.0.0.%u\n", i);
		write_deny(&rig, text);
		accepted(&rig);
		assert_int_equal(maker.living, i);
	}
	rte_rcu_qsbr_quiescent(qsbr, 0);
	registry_tick(&rig.w->registry, ++rig.w->now);
	assert_int_equal(maker.living, 1);

	write_deny(&rig, "10.0.0.9\n");
	accepted(&rig);
	assert_int_equal(maker.living, 2);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	/* The worker has ended; so do the tables, while their memory is still there. */
	registry_close_lists(&rig.w->registry);
	assert_int_equal(maker.living, 0);
	rig_close(&rig);
	free(qsbr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_open),
			cmocka_unit_test(test_reload),
			cmocka_unit_test(test_retired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
