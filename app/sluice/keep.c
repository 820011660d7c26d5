/* SPDX-License-Identifier: BSD-3-Clause */
#include "keep.h"

#include "say.h"

/* The library's workers, in order. */
static void
workers_list(const struct workers *workers, struct worker *list[CONFIG_WORKERS_MAX])
{
	for (unsigned i = 0; i < workers->count; i++)
		list[i] = workers->loops[i]->worker;
}

bool
keep_save(const char *path, const struct workers *workers, const struct registry *registry)
{
	struct worker *list[CONFIG_WORKERS_MAX];
	const struct state_source source = {
			.workers = list,
			.worker_count = workers->count,
			.here = state_file_here(registry->config),
			.secret_is_configured = registry->config->secret_file != NULL,
	};

	workers_list(workers, list);
	return state_file_write(path, &source, workers_now(workers));
}

static unsigned
owner(void *context, const struct tuple *tuple)
{
	return steer_owner(context, tuple);
}

static void
take(const struct state_file *file, struct workers *workers, const struct state_here *here)
{
	struct worker *list[CONFIG_WORKERS_MAX];
	const struct state_target target = {
			.workers = list,
			.worker_count = workers->count,
			.owner = owner,
			.context = &workers->steer,
			.boot_us = here->boot_us,
	};
	struct state_result result;

	workers_list(workers, list);
	state_restore(&file->state, &target, workers_now(workers), &result);
	say("--keep-state: %u connections go on, after %.3f s of silence", result.taken,
			(double)(here->boot_us - file->state.boot_us) / 1e6);
	if (result.removed + result.beyond > 0)
		say("--keep-state: lost: %u connections of backends that are not configured any "
		    "more, %u beyond the limits",
				result.removed, result.beyond);
}

void
keep_take(struct state_file *file, struct workers *workers)
{
	if (file->bytes != NULL && state_file_claim(file)) {
		const struct state_here here = state_file_here(workers->config);

		take(file, workers, &here);
	}
	state_file_free(file);
}
