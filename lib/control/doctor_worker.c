/* SPDX-License-Identifier: BSD-3-Clause */
/* What doctor says of workers that stand still, or did within the last minute. */
#include "control/doctor_finding.h"
#include "control/watchdog.h"

static int
find_worker(const struct registry *registry, unsigned index, ticks_t now, json_t *findings)
{
	const struct stats_worker *worker = &registry->env.workers[index];
	const struct watchdog *watch = worker->watch;
	const bool stalled = watchdog_is_stalled(watch);
	const struct finding_kind kind = {"worker-stalled", stalled, "none", "timeout"};
	const ticks_t began = stalled ? watch->since : watch->ended - watch->lasted;
	char time[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, NULL, &kind, now - began, 0);
	if (stalled)
		finding_say(&finding,
				"Worker %u on CPU %u has made no progress for %s: its connections "
				"stand still, and its share of new clients gets no answer.",
				index, worker->cpu, duration_write(now - began, time));
	else
		finding_say(&finding,
				"Worker %u on CPU %u stood still for %s, and goes on now. Its "
				"connections waited; clients that gave up meanwhile saw timeouts.",
				index, worker->cpu, duration_write(watch->lasted, time));
	finding_say(&finding, "Something took its CPU, or stopped its thread: look for other "
			      "programs, interrupts and a debugger on that CPU, and on a virtual "
			      "machine for stolen time. A worker needs a CPU of its own.");
	finding_number(&finding, "worker", index);
	finding_number(&finding, "stalls", watch->stalls);
	finding_number(&finding, "stalled_ms",
			(stalled ? now - began : watch->lasted) / TICKS_PER_MS);
	return finding_end(&finding, findings);
}

int
doctor_workers(const struct registry *registry, ticks_t now, json_t *findings)
{
	int failed = 0;

	for (unsigned i = 0; i < registry->env.worker_count; i++) {
		const struct watchdog *watch = registry->env.workers[i].watch;

		if (watch == NULL)
			continue; /* its tables don't exist yet */
		if (watchdog_is_stalled(watch) ||
				(watch->ended != 0 &&
						now - watch->ended < HISTORY_QUIET_S * TICKS_PER_S))
			failed |= find_worker(registry, i, now, findings);
	}
	return failed;
}
