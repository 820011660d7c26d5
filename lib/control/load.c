/* SPDX-License-Identifier: BSD-3-Clause */
/* Both sums are read while the worker adds to them: off by an iteration at most. */
#include "control/load.h"

void
load_look(struct load *load, ticks_t now)
{
	const struct spent spent = progress_spent(load->progress);
	const uint64_t busy = spent.busy - load->spent.busy;
	const uint64_t all = busy + (spent.idle - load->spent.idle);

	if (load->since != 0 && now - load->since < LOAD_TIME)
		return;
	load->is_known = load->since != 0 && all != 0;
	/* A second has fewer cycles than 2^54, and so has any time between two looks. */
	load->permille = load->is_known ? (uint32_t)(busy * 1000 / all) : 0;
	load->since = now;
	load->spent = spent;
}
