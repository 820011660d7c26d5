/* SPDX-License-Identifier: BSD-3-Clause */
#include "restart.h"

#include <stdlib.h>

#include "proxy/state.h"

#define PLACE 7

/* While letters are out, which the operator would wait for. */
#define LATER (10 * TICKS_PER_MS)

static struct state_here
here_now(const struct appliance *appliance)
{
	const ticks_t now = appliance->clock->now;

	return (struct state_here){.place = PLACE, .wall_us = now, .boot_us = now};
}

static unsigned
owner(void *context, const struct tuple *tuple)
{
	const struct appliance *appliance = context;

	return tuple->client_port % appliance->plan->workers;
}

static void
save(struct appliance *appliance)
{
	const struct state_source source = {
			.workers = appliance->workers,
			.worker_count = appliance->plan->workers,
			.here = here_now(appliance),
	};

	appliance->saved_size = state_size(&source);
	appliance->saved = malloc(appliance->saved_size);
	if (appliance->saved == NULL)
		abort();
	state_save(&source, appliance->clock->now, appliance->saved);
}

/* Nobody is lost, and nobody is new. */
static void
restore(struct appliance *appliance, const struct state *state)
{
	const struct state_target target = {
			.workers = appliance->workers,
			.worker_count = appliance->plan->workers,
			.owner = owner,
			.context = appliance,
			.boot_us = here_now(appliance).boot_us,
	};
	struct state_result result;

	state_restore(state, &target, appliance->clock->now, &result);
	if (result.taken != state->conn_count)
		checker_fault(appliance->checker, -1, "a restart lost connections");
}

static void
take_up(struct appliance *appliance)
{
	const struct state_here here = here_now(appliance);
	struct state state;

	if (state_check(&state, appliance->saved, appliance->saved_size, &here) == STATE_VALID)
		restore(appliance, &state);
	else
		checker_fault(appliance->checker, -1, "a saved state is refused");
	free(appliance->saved);
	appliance->saved = NULL;
}

static void
restart_ends(void *context, void *subject)
{
	struct appliance *appliance = context;
	const uint64_t open = (uint64_t)(uintptr_t)subject;

	trace_note(appliance->checker->trace, appliance->clock->now, "new workers");
	appliance_start_workers(appliance);
	take_up(appliance);
	if (appliance_open(appliance) != open)
		checker_fault(appliance->checker, -1, "a restart changed how many are open");
	queue_watch_forget(&appliance->watch);
	checker_forgotten(appliance->checker);
	appliance_watch_call(appliance);
	appliance_check_workers(appliance);
	for (unsigned i = 0; i < appliance->plan->workers; i++)
		core_set_tick(&appliance->cores[i]);
}

static void
restart_begins(void *context, void *subject)
{
	struct appliance *appliance = context;
	const struct restart *restart = subject;
	uint64_t open;

	if (appliance->saved != NULL || appliance_has_letters(appliance)) {
		clock_at(appliance->clock, appliance->clock->now + LATER, restart_begins, appliance,
				subject);
		return;
	}
	trace_note(appliance->checker->trace, appliance->clock->now, "restart");
	open = appliance_open(appliance);
	for (unsigned i = 0; i < appliance->plan->workers; i++)
		sluice_give_back(appliance->workers[i]);
	save(appliance);
	appliance_stop_workers(appliance);
	if (restart->silence == 0)
		restart_ends(appliance, (void *)(uintptr_t)open);
	else
		clock_at(appliance->clock, appliance->clock->now + restart->silence, restart_ends,
				appliance, (void *)(uintptr_t)open);
}

void
restart_start(struct appliance *appliance)
{
	const struct plan *plan = appliance->plan;

	for (unsigned i = 0; i < plan->restart_count; i++)
		clock_at(appliance->clock, plan->restarts[i].at, restart_begins, appliance,
				(void *)(uintptr_t)&plan->restarts[i]);
}
