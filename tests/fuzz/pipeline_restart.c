/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "pipeline_world.h"
#include "proxy/state.h"
#include "proxy/state_format.h"

/* Between two processes on one machine. */
static const struct state_here here = {.place = 1, .wall_us = 2, .boot_us = 3};

struct saved {
	size_t size;
	uint8_t *bytes;
	struct state state;
};

static struct saved
save(const struct fuzz_world *w)
{
	struct worker *workers[WORKERS];
	const struct state_source source = {
			.workers = workers, .worker_count = WORKERS, .here = here};
	struct saved saved;

	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = w->lanes[i].worker;
	saved.size = state_size(&source);
	saved.bytes = malloc(saved.size);
	ENSURE(saved.bytes != NULL);
	state_save(&source, w->now, saved.bytes);
	ENSURE(state_check(&saved.state, saved.bytes, saved.size, &here) == STATE_VALID);
	return saved;
}

/* Of all records of spliced connections, in any order. */
static uint64_t
sum_of_spliced(const struct saved *saved)
{
	const uint8_t *at = saved->bytes + STATE_HEAD_BYTES +
			    saved->state.backend_count * STATE_BACKEND_BYTES;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < saved->state.conn_count; i++, at += STATE_CONN_BYTES) {
		struct state_cursor cursor = {.from = at};
		struct state_conn record = {.past = 0};

		state_conn_fields(&cursor, &record);
		if (record.conn.state >= CONN_ESTABLISHED)
			sum += siphash(&(struct siphash_key){5, 6}, at, STATE_CONN_BYTES);
	}
	return sum;
}

static uint32_t
connections(const struct fuzz_world *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		sum += worker_counters(w->lanes[i].worker)->connections;
	return (uint32_t)sum;
}

/* What the next process's registry begins with: cookies under way stay good. */
static void
check_described(const struct fuzz_world *w, const struct state *state)
{
	struct snapshot *snapshot = snapshot_init(
			aligned_alloc(CACHE_LINE_SIZE,
					cache_align(snapshot_memsize(state->backend_count))),
			state->backend_count, 1, 1);

	state_describe(state, snapshot);
	ENSURE(memcmp(snapshot_cookies(snapshot), &w->cookies, sizeof(w->cookies)) == 0);
	for (unsigned i = 0; i < snapshot_count(w->snapshot); i++) {
		const struct backend_config *config = snapshot_at(w->snapshot, i);
		const struct backend_config *found =
				snapshot_find(snapshot, &config->address, config->port);

		ENSURE(found != NULL);
		for (unsigned n = 0; n < COOKIE_PLAN_EPOCHS; n++)
			ENSURE(backend_config_wscale(found, &w->cookies, w->cookies.first + n) ==
					backend_config_wscale(
							config, &w->cookies, w->cookies.first + n));
	}
	free(snapshot);
}

static unsigned
owner(void *context, const struct tuple *tuple)
{
	return fuzz_world_owner(context, tuple);
}

static void
restore(struct fuzz_world *w, const struct state *state, ticks_t silence)
{
	struct worker *workers[WORKERS];
	const struct state_target target = {
			.workers = workers,
			.worker_count = WORKERS,
			.owner = owner,
			.context = w,
			.boot_us = here.boot_us + silence,
	};
	struct state_result result;

	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = w->lanes[i].worker;
	state_restore(state, &target, w->now, &result);
	ENSURE(result.taken + result.removed + result.beyond == state->conn_count);
	ENSURE(result.removed == 0 && connections(w) == result.taken);
}

void
fuzz_world_restart(struct fuzz_world *w, ticks_t silence)
{
	struct saved before, after;

	fuzz_world_flush(w);
	for (unsigned i = 0; i < WORKERS; i++)
		sluice_give_back(w->lanes[i].worker);
	before = save(w);
	ENSURE(before.state.conn_count <= connections(w));
	check_described(w, &before.state);
	w->now += silence;
	fuzz_world_start(w);
	restore(w, &before.state, silence);
	after = save(w);
	/* Less when two workers had a connection of the same tuple, or one gets too many. */
	if (silence == 0 && after.state.conn_count == before.state.conn_count)
		ENSURE(sum_of_spliced(&after) == sum_of_spliced(&before));
	free(before.bytes);
	free(after.bytes);
	fuzz_world_tick(w, 0);
}
