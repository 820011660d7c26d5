/* SPDX-License-Identifier: BSD-3-Clause */
/* Allowed means by the affinity mask, which cgroups and taskset also set. */
#include "cpus.h"

#include <numa.h>
#include <rte_config.h>
#include <stdio.h>

#include "say.h"

void
cpus_format(char *text, size_t size, const cpu_set_t *set)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && used < size; cpu++) {
		unsigned last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		used += (size_t)snprintf(text + used, size - used, last > cpu ? "%s%u-%u" : "%s%u",
				used > 0 ? "," : "", cpu, last);
		cpu = last;
	}
}

static bool
cpu_check(const cpu_set_t *allowed, const char *key, unsigned cpu)
{
	char text[256];

	if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, allowed))
		return true;
	cpus_format(text, sizeof(text), allowed);
	say("%s: CPU %u does not exist or is not allowed (allowed: %s)", key, cpu, text);
	return false;
}

bool
cpus_check(const struct config *config)
{
	cpu_set_t allowed;
	bool valid;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
		say("sched_getaffinity failed: more than %d CPUs?", CPU_SETSIZE);
		return false;
	}
	valid = cpu_check(&allowed, "control.cpu", config->control_cpu);
	for (unsigned i = 0; i < config->worker_count; i++) {
		char key[32];

		snprintf(key, sizeof(key), "workers.cpus[%u]", i);
		valid &= cpu_check(&allowed, key, config->worker_cpus[i]);
	}
	if (config->worker_count >= RTE_MAX_LCORE) {
		say("workers.cpus: %u workers; this DPDK was built for at most %d",
				config->worker_count, RTE_MAX_LCORE - 1);
		valid = false;
	}
	return valid;
}

int
cpus_node(unsigned cpu)
{
	const int node = numa_available() < 0 ? 0 : numa_node_of_cpu((int)cpu);

	return node < 0 ? 0 : node;
}
