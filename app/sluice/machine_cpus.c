/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUs: instruction sets, the ones that are for workers and what else runs there, threads of one
 * core, the node of the cards, clock and frequency.
 */
#include <stdio.h>
#include <string.h>

#include "base/kernel.h"
#include "cpus.h"
#include "machine_impl.h"

#define CPU "/sys/devices/system/cpu"

/* The workers' CPUs of the configuration; without, what is best left to them: all but the first
 * core. */
static void
workers_choose(const struct machine *machine, const cpu_set_t *online, cpu_set_t *set)
{
	cpu_set_t first;

	CPU_ZERO(set);
	if (machine->config != NULL) {
		for (unsigned i = 0; i < machine->config->worker_count; i++)
			CPU_SET(machine->config->worker_cpus[i], set);
		return;
	}
	sysfs_cpus(machine->root, &first, CPU "/cpu0/topology/thread_siblings_list");
	CPU_SET(0, &first);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, online) && !CPU_ISSET(cpu, &first))
			CPU_SET(cpu, set);
}

static void
kernels(struct machine *machine, enum kernel chosen)
{
	char all[64] = "";

	for (unsigned kernel = 0; kernel < KERNEL_COUNT; kernel++)
		if (kernel_is_supported(kernel)) {
			strcat(all, all[0] != '\0' ? ", " : "");
			strcat(all, kernel_name(kernel));
		}
	findings_add(&machine->findings, kernel_best() == KERNEL_SCALAR ? FINDING_NOTE : FINDING_OK,
			"cpus", "hot loops run with %s; this CPU can %s", kernel_name(chosen), all);
	if (kernel_best() == KERNEL_SCALAR)
		findings_cure(&machine->findings, "a CPU with AVX2, or a VM that is shown its "
						  "host's (QEMU: -cpu host)");
}

/* A time stamp counter that stops or changes its pace is no clock. */
static void
counter(struct machine *machine)
{
	char line[8192] = "", path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", machine->root);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "flags", 5) == 0)
			break;
	if (file != NULL)
		fclose(file);
	if (strncmp(line, "flags", 5) != 0) /* not x86, where there is no such question */
		return;
	if (strstr(line, " constant_tsc") != NULL && strstr(line, " nonstop_tsc") != NULL)
		findings_add(&machine->findings, FINDING_OK, "cpus",
				"the time stamp counter is constant");
	else {
		findings_add(&machine->findings, FINDING_PROBLEM, "cpus",
				"the time stamp counter stops or changes its pace: timers will be "
				"wrong");
		findings_cure(&machine->findings,
				"another machine; in a VM show the host's (QEMU: -cpu "
				"host,+invtsc)");
	}
}

static void
count(struct machine *machine, const cpu_set_t *online, const cpu_set_t *workers)
{
	cpu_set_t missing;
	char text[MACHINE_CPUS_TEXT];

	/* Those of the workers that are not online. */
	CPU_AND(&missing, workers, online);
	CPU_XOR(&missing, &missing, workers);
	cpus_format(text, sizeof(text), CPU_COUNT(&missing) > 0 ? &missing : online);
	if (CPU_COUNT(&missing) > 0) {
		findings_add(&machine->findings, FINDING_PROBLEM, "cpus",
				"workers.cpus: there is no CPU %s", text);
		cpus_format(text, sizeof(text), online);
		findings_cure(&machine->findings, "choose from %s", text);
	} else if (CPU_COUNT(online) < 2) {
		findings_add(&machine->findings, FINDING_PROBLEM, "cpus",
				"one CPU: a worker would leave nothing to everything else");
		findings_cure(&machine->findings, "two CPUs at least");
	} else {
		findings_add(&machine->findings, FINDING_OK, "cpus", "%d CPUs: %s",
				CPU_COUNT(online), text);
	}
}

/* What the scheduler puts on a worker's CPU costs packets. */
static void
isolation(struct machine *machine, const cpu_set_t *workers)
{
	cpu_set_t isolated, tickless, both;
	char text[MACHINE_CPUS_TEXT];

	sysfs_cpus(machine->root, &isolated, CPU "/isolated");
	sysfs_cpus(machine->root, &tickless, CPU "/nohz_full");
	CPU_AND(&both, &isolated, &tickless);
	CPU_AND(&both, &both, workers);
	cpus_format(text, sizeof(text), workers);
	if (CPU_EQUAL(&both, workers)) {
		findings_add(&machine->findings, FINDING_OK, "cpus",
				"CPUs %s are isolated and without timer ticks", text);
		return;
	}
	CPU_AND(&both, &isolated, workers);
	findings_add(&machine->findings, FINDING_NOTE, "cpus",
			"CPUs for workers (%s) are %s: other programs or the timer interrupt them",
			text,
			CPU_EQUAL(&both, workers) ? "isolated, but have timer ticks"
						  : "not isolated");
	findings_cure(&machine->findings,
			"boot with: isolcpus=managed_irq,domain,%s nohz_full=%s rcu_nocbs=%s", text,
			text, text);
}

/* Two threads of one core share its caches and units: a worker beside another, or beside anything,
 * gets half. */
static void
threads(struct machine *machine, const cpu_set_t *online, const cpu_set_t *workers)
{
	char shared[MACHINE_CPUS_TEXT] = "", text[MACHINE_CPUS_TEXT];
	cpu_set_t seen;
	size_t used = 0;

	CPU_ZERO(&seen);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t siblings, others;

		if (!CPU_ISSET(cpu, online) || !CPU_ISSET(cpu, workers) || CPU_ISSET(cpu, &seen))
			continue;
		sysfs_cpus(machine->root, &siblings, CPU "/cpu%u/topology/thread_siblings_list",
				cpu);
		CPU_OR(&seen, &seen, &siblings);
		CPU_AND(&others, &siblings, online);
		if (CPU_COUNT(&others) < 2 || used >= sizeof(shared))
			continue;
		cpus_format(text, sizeof(text), &others);
		used += (size_t)snprintf(shared + used, sizeof(shared) - used, "%s%s",
				used > 0 ? " and " : "", text);
	}
	if (shared[0] == '\0') {
		findings_add(&machine->findings, FINDING_OK, "cpus",
				"no worker shares its core with another thread");
		return;
	}
	findings_add(&machine->findings, FINDING_NOTE, "cpus",
			"threads of one core: %s; a worker beside another thread gets half a core",
			shared);
	findings_cure(&machine->findings, "one CPU of each into workers.cpus, the other left idle; "
					  "or: echo off > " CPU "/smt/control");
}

static void
governor(struct machine *machine, const cpu_set_t *workers)
{
	char name[32];

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, workers) ||
				!sysfs_line(machine->root, name, sizeof(name),
						CPU "/cpu%u/cpufreq/scaling_governor", cpu) ||
				strcmp(name, "performance") == 0)
			continue;
		findings_add(&machine->findings, FINDING_NOTE, "cpus",
				"CPU %u changes its frequency (governor %s)", cpu, name);
		findings_cure(&machine->findings,
				"for c in " CPU
				"/cpu*/cpufreq/scaling_governor; do echo performance > "
				"$c; done");
		return;
	}
}

/* Cards and workers on different nodes pay for every packet. */
static void
placement(struct machine *machine, const struct nic *nic, const cpu_set_t *workers)
{
	cpu_set_t local, near;
	char text[MACHINE_CPUS_TEXT];

	if (nic->node < 0 || !sysfs_cpus(machine->root, &local,
					     "/sys/devices/system/node/node%ld/cpulist", nic->node))
		return;
	CPU_AND(&near, &local, workers);
	cpus_format(text, sizeof(text), &local);
	if (CPU_EQUAL(&near, workers) || (machine->config == NULL && CPU_COUNT(&near) > 0)) {
		findings_add(&machine->findings, FINDING_OK, "numa", "%s is on node %ld: CPUs %s",
				nic->address, nic->node, text);
		return;
	}
	findings_add(&machine->findings, FINDING_NOTE, "numa",
			"%s is on node %ld, and workers are elsewhere", nic->address, nic->node);
	findings_cure(&machine->findings, "workers.cpus from %s", text);
}

void
machine_cpus(struct machine *machine, enum kernel chosen)
{
	cpu_set_t online, workers;

	if (!sysfs_cpus(machine->root, &online, CPU "/online"))
		CPU_SET(0, &online);
	workers_choose(machine, &online, &workers);
	count(machine, &online, &workers);
	kernels(machine, chosen);
	counter(machine);
	if (CPU_COUNT(&workers) > 0) {
		isolation(machine, &workers);
		threads(machine, &online, &workers);
		governor(machine, &workers);
	}
	for (unsigned i = 0; machine->nodes.count > 0 && i < machine->nic_count; i++)
		if (machine->config == NULL || machine->nics[i].is_wanted)
			placement(machine, &machine->nics[i], &workers);
}
