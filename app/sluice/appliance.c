/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A step that fails has said why; its own way down and those below are taken, since each undoes no
 * more than was done.
 */
#include "appliance.h"

#include <unistd.h>

#include "control.h"
#include "cpus.h"
#include "eal.h"
#include "keep.h"
#include "keys.h"
#include "lists.h"
#include "mbufs.h"
#include "port.h"
#include "signals.h"
#include "telemetry.h"
#include "upgrade.h"
#include "workers.h"

struct appliance {
	const struct options *options;
	struct config *config; /* owned until control_open() takes it over */
	bool ends_well;	       /* so that connections are to be kept */
	struct upgrade upgrade;
	struct state_file kept; /* by the process before */
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
	state_file_find(&a->kept, a->options->keep_state, a->config);
	/* Cookies that the process before sent are still out there. */
	if (a->kept.bytes != NULL && !a->kept.state.secret_is_configured)
		a->keys.cookie_secret = a->kept.state.cookies.secrets[COOKIE_PLAN_EPOCHS - 1];
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		fit &= port_plan(&a->ports[side], side, a->config);
	return fit; /* all that is wrong was said at once */
}

static void
plan_down(struct appliance *a)
{
	if (!a->config_is_taken)
		config_free(a->config);
	state_file_free(&a->kept);
	keys_wipe(&a->keys);
}

static bool
control_up(struct appliance *a)
{
	a->control = (struct control){
			.workers = &a->workers,
			.ports = a->ports,
			.keys = &a->keys,
			.before = a->kept.before,
			.keeps_state = a->options->keep_state != NULL,
			.report = {&a->workers, a->ports, &a->mbufs},
			.signals = -1,
	};
	if (!workers_init(&a->workers, a->config))
		return false;
	a->workers.kernel = a->options->kernel;
	a->config_is_taken = true;
	return control_open(&a->control, a->options->config_path, a->config);
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
	const size_t lists = lists_memsize(a->config->sources.list);
	const size_t memory = mbufs_memsize(a->config, a->ports) + lists;

	/* Once more, so that a reload finds room for the next ones beside them. */
	a->eal_is_up = eal_start(a->config, a->ports, memory, lists);
	if (a->eal_is_up)
		telemetry_register();
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
lists_up(struct appliance *a)
{
	return control_open_lists(&a->control);
}

static void
lists_down(struct appliance *a)
{
	control_close_lists(&a->control);
}

static bool
ports_open(struct appliance *a, bool (*attach)(struct port *port))
{
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (!attach(&a->ports[side]))
			return false;
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (!port_start(&a->ports[side], &a->ports[side_other(side)], a->mbufs.by_worker))
			return false;
	mbufs_mark_start(&a->mbufs);
	return true;
}

static bool
ports_up(struct appliance *a)
{
	return ports_open(a, port_attach);
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
	if (!workers_build(&a->workers, a->config, &a->keys, a->ports, &a->mbufs))
		return false;
	keep_take(&a->kept, &a->workers);
	return workers_start(&a->workers);
}

/* Writes the stopped workers' connections where they can wait. */
static bool
state_down(const struct appliance *a)
{
	return keep_save(a->options->keep_state, &a->workers, &a->control.registry);
}

static void
workers_down(struct appliance *a)
{
	workers_stop(&a->workers);
	if (a->ends_well && a->options->keep_state != NULL)
		state_down(a);
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
		{lists_up, lists_down},	    /* what looks up in lists of sources */
		{ports_up, ports_down},	    /* both ports receive */
		{workers_up, workers_down}, /* tables and cores; at the end the last report */
};

/* Becomes the program's new file. When that can't be, everything runs again as before; false if not
 * even that. */
static bool
upgrade(struct appliance *a)
{
	if (!upgrade_check(&a->upgrade))
		return true;
	workers_stop(&a->workers);
	if (state_down(a)) {
		report_print(&a->control.report, &a->control.registry);
		ports_down(a);
		upgrade_exec(&a->upgrade);
		unlink(a->options->keep_state);
		if (!ports_open(a, port_attach_again))
			return false;
	}
	return workers_resume(&a->workers, a->ports);
}

static enum exit_code
run(struct appliance *a)
{
	enum exit_code code;

	do {
		code = control_run(&a->control);
	} while (a->control.wants_upgrade && upgrade(a));
	if (a->control.wants_upgrade)
		return EXIT_CODE_ENVIRONMENT;
	a->ends_well = code == EXIT_CODE_OK;
	return code;
}

enum exit_code
appliance_run(const struct options *options, struct config *config)
{
	struct appliance appliance = {.options = options, .config = config};
	enum exit_code code = EXIT_CODE_OK;
	unsigned steps = 0;

	upgrade_init(&appliance.upgrade, options->argv);

	while (code == EXIT_CODE_OK && steps < ARRAY_COUNT(ladder))
		if (!ladder[steps++].up(&appliance))
			code = EXIT_CODE_ENVIRONMENT;
	if (code == EXIT_CODE_OK)
		code = run(&appliance);
	while (steps-- > 0)
		ladder[steps].down(&appliance);
	return code;
}
