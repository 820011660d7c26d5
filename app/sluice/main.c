/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice, the appliance: a ladder of steps up, the same steps down. A step that fails has said why;
 * its own way down and those below are taken, since each undoes no more than was done.
 */
#include <stdio.h>

#include "control.h"
#include "cpus.h"
#include "eal.h"
#include "keys.h"
#include "mbufs.h"
#include "options.h"
#include "port.h"
#include "say.h"
#include "signals.h"
#include "workers.h"

struct appliance {
	const struct config *config;
	bool eal_is_up;
	struct keys keys;
	struct port ports[SIDE_COUNT];
	struct mbufs mbufs;
	struct workers workers;
};

static bool
plan_up(struct appliance *a)
{
	bool fit;

	signals_block();
	fit = cpus_check(a->config);
	fit &= keys_init(&a->keys, a->config->secret_file);
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		fit &= port_plan(&a->ports[side], side, a->config);
	return fit; /* all that is wrong was said at once */
}

static void
plan_down(struct appliance *a)
{
	keys_wipe(&a->keys);
}

static bool
memory_up(struct appliance *a)
{
	a->eal_is_up = eal_start(a->config, a->ports, mbufs_memsize(a->config, a->ports));
	return a->eal_is_up && mbufs_init(&a->mbufs, a->config, a->ports);
}

static void
memory_down(struct appliance *a)
{
	mbufs_fini(&a->mbufs);
	if (a->eal_is_up)
		eal_stop();
}

static bool
ports_up(struct appliance *a)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (!port_attach(&a->ports[side]) ||
				!port_start(&a->ports[side], a->mbufs.by_worker))
			return false;
	mbufs_mark_start(&a->mbufs);
	return true;
}

static void
ports_down(struct appliance *a)
{
	for (unsigned side = SIDE_COUNT; side-- > 0;)
		port_close(&a->ports[side]);
}

static bool
workers_up(struct appliance *a)
{
	return workers_init(&a->workers, a->config, &a->keys, a->ports, &a->mbufs) &&
	       workers_start(&a->workers);
}

static void
workers_down(struct appliance *a)
{
	workers_stop(&a->workers);
	report_print(&a->workers, a->ports, &a->mbufs);
	workers_fini(&a->workers);
}

static const struct step {
	bool (*up)(struct appliance *a);
	void (*down)(struct appliance *a);
} ladder[] = {
		{plan_up, plan_down},	    /* what can be refused without starting anything */
		{memory_up, memory_down},   /* DPDK's cores and memory, packet buffers */
		{ports_up, ports_down},	    /* both ports receive */
		{workers_up, workers_down}, /* tables and cores; at the end the last report */
};

static enum exit_code
appliance_run(const struct config *config)
{
	struct appliance appliance = {.config = config};
	enum exit_code code = EXIT_CODE_OK;
	unsigned steps = 0;

	while (code == EXIT_CODE_OK && steps < ARRAY_COUNT(ladder))
		if (!ladder[steps++].up(&appliance))
			code = EXIT_CODE_ENVIRONMENT;
	if (code == EXIT_CODE_OK)
		code = control_run(&appliance.workers, appliance.ports, &appliance.mbufs);
	while (steps-- > 0)
		ladder[steps].down(&appliance);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	const enum options_outcome outcome = options_parse(argc, argv, &options);
	struct config *config;

	if (outcome != OPTIONS_RUN)
		return outcome == OPTIONS_ANSWERED ? EXIT_CODE_OK : EXIT_CODE_INPUT;
	config = options_config(&options);
	if (config == NULL)
		return EXIT_CODE_INPUT;
	if (options.check)
		printf("%s: ok, %u backends\n", options.config_path, config->backend_count);
	const enum exit_code code = options.check ? EXIT_CODE_OK : appliance_run(config);
	config_free(config);
	return code;
}
