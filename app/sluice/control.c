/* SPDX-License-Identifier: BSD-3-Clause */
/* Never waits longer than until the next look at the ports. */
#include "control.h"

#include <time.h>

#include "signals.h"

#define WATCH_INTERVAL_MS 1000

static uint64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum exit_code
control_run(const struct workers *workers, struct port ports[SIDE_COUNT], const struct mbufs *mbufs)
{
	uint64_t watch_at = monotonic_ms() + WATCH_INTERVAL_MS;

	say("ready: %u workers, %u backends, client %s, server %s", workers->count,
			snapshot_count(workers->snapshot), ports[SIDE_CLIENT].config->device,
			ports[SIDE_BACKEND].config->device);
	for (;;) {
		const uint64_t now = monotonic_ms();
		const unsigned left = watch_at > now ? (unsigned)(watch_at - now) : 0;

		switch (signals_wait(left)) {
		case WISH_STOP:
			return EXIT_CODE_OK;
		case WISH_REPORT:
			report_print(workers, ports, mbufs);
			break;
		case WISH_NONE:
			break;
		}
		if (monotonic_ms() < watch_at)
			continue;
		watch_at = monotonic_ms() + WATCH_INTERVAL_MS;
		for (unsigned side = 0; side < SIDE_COUNT; side++)
			if (!port_watch(&ports[side]))
				return EXIT_CODE_ENVIRONMENT;
	}
}
