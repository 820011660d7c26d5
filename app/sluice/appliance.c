/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A step that fails has said why; its own way down and those below are taken, since each undoes no
 * more than was done.
 */
#include "appliance.h"

#include "control.h"
#include "cpus.h"
#include "eal.h"
#include "keys.h"
#include "mbufs.h"
#include "port.h"
#include "signals.h"
#include "workers.h"

struct appliance {
	const char *path;      /* of the configuration file */
	struct config *config; /* owned until control_open() takes it over */
	bool config_is_taken;
	bool eal_is_up;
	struct keys keys;
	struct control control;
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
	if (!a->config_is_taken)
		config_free(a->config);
	keys_wipe(&a->keys);
}

static bool
control_up(struct appliance *a)
{
	a->control = (struct control){
			.workers = &a->workers,
			.ports = a->ports,
			.keys = &a->keys,
			.report = {&a->workers, a->ports, &a->mbufs},
			.signals = -1,
	};
	if (!workers_init(&a->workers, a->config))
		return false;
	a->config_is_taken = true;
	return control_open(&a->control, a->path, a->config);
}

static void
control_down(struct appliance *a)
{
	control_close(&a->control);
	workers_fini(&a->workers);
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
	return workers_build(&a->workers, a->config, &a->keys, a->ports, &a->mbufs) &&
	       workers_start(&a->workers);
}

static void
workers_down(struct appliance *a)
{
	workers_stop(&a->workers);
	report_print(&a->control.report, &a->control.registry);
	workers_raze(&a->workers);
}

static const struct step {
	bool (*up)(struct appliance *a);
	void (*down)(struct appliance *a);
} ladder[] = {
		{plan_up, plan_down},	    /* what can be refused without starting anything */
		{control_up, control_down}, /* first configuration published, control socket open */
		{memory_up, memory_down},   /* DPDK's cores and memory, packet buffers */
		{ports_up, ports_down},	    /* both ports receive */
		{workers_up, workers_down}, /* tables and cores; at the end the last report */
};

enum exit_code
appliance_run(const char *path, struct config *config)
{
	struct appliance appliance = {.path = path, .config = config};
	enum exit_code code = EXIT_CODE_OK;
	unsigned steps = 0;

	while (code == EXIT_CODE_OK && steps < ARRAY_COUNT(ladder))
		if (!ladder[steps++].up(&appliance))
			code = EXIT_CODE_ENVIRONMENT;
	if (code == EXIT_CODE_OK)
		code = control_run(&appliance.control);
	while (steps-- > 0)
		ladder[steps].down(&appliance);
	return code;
}
