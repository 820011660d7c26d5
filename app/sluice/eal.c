/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our arguments come first, the configuration's after them, so that the operator has the last
 * word; arguments that would contradict theirs are left out.
 */
#include "eal.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_pdump.h>

#include "say.h"

#define ARGUMENTS_MAX 128
/* Rings, driver state and EAL's own structures, beside the mbufs and lists. */
#define MEMORY_EXTRA ((size_t)96 << 20)

struct arguments {
	int count;
	char *strings[ARGUMENTS_MAX + 1];
};

__attribute__((format(printf, 2, 3))) static void
arguments_add(struct arguments *arguments, const char *format, ...)
{
	char text[4096];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (arguments->count < ARGUMENTS_MAX)
		arguments->strings[arguments->count++] = strdup(text);
}

/* True when the configuration has the option, as "--name", "--name=value" or, for a short one,
 * "-nvalue". */
static bool
config_has(const struct config *config, const char *option)
{
	const size_t length = strlen(option);
	const bool is_long = option[1] == '-';

	for (unsigned i = 0; i < config->eal_count; i++) {
		const char *given = config->eal[i];

		if (strncmp(given, option, length) == 0 &&
				(!is_long || given[length] == '\0' || given[length] == '='))
			return true;
	}
	return false;
}

static void
arguments_add_cores(struct arguments *arguments, const struct config *config)
{
	char lcores[4096];
	size_t used = (size_t)snprintf(lcores, sizeof(lcores), "0@%u", config->control_cpu);

	for (unsigned i = 0; i < config->worker_count && used < sizeof(lcores); i++)
		used += (size_t)snprintf(lcores + used, sizeof(lcores) - used, ",%u@%u", i + 1,
				config->worker_cpus[i]);
	arguments_add(arguments, "--lcores");
	arguments_add(arguments, "%s", lcores);
	arguments_add(arguments, "--main-lcore");
	arguments_add(arguments, "0");
}

/* Only the ports named are touched: EAL would otherwise take over every NIC it can drive. */
static void
arguments_add_devices(struct arguments *arguments, const struct config *config,
		const struct port ports[SIDE_COUNT])
{
	bool has_pci = false;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		if (ports[side].device.kind != DEVICE_PCI)
			continue;
		has_pci = true;
		if (!config_has(config, "-b") && !config_has(config, "--block")) {
			arguments_add(arguments, "-a");
			arguments_add(arguments, "%s", ports[side].device.name);
		}
	}
	if (!has_pci && !config_has(config, "-a") && !config_has(config, "--allow"))
		arguments_add(arguments, "--no-pci");
}

static void
arguments_build(struct arguments *arguments, const struct config *config,
		const struct port ports[SIDE_COUNT], size_t memory)
{
	const bool no_huge = config_has(config, "--no-huge");

	arguments_add(arguments, "sluice");
	arguments_add_cores(arguments, config);
	arguments_add_devices(arguments, config, ports);
	if (!config_has(config, "--file-prefix")) {
		arguments_add(arguments, "--file-prefix");
		arguments_add(arguments, "sluice-%d", (int)getpid());
	}
	/* Without files nothing is left of huge pages when the process is killed; under a prefix of
	 * its own no later one would ever find them. */
	if (!no_huge && !config_has(config, "--in-memory") && !config_has(config, "--huge-unlink"))
		arguments_add(arguments, "--huge-unlink");
	if (!config_has(config, "--log-level")) {
		arguments_add(arguments, "--log-level=warning");
		/* It warns of having no endpoints of a kind that nobody has any more. */
		arguments_add(arguments, "--log-level=lib.telemetry:error");
	}
	if (no_huge && !config_has(config, "-m") && !config_has(config, "--socket-mem")) {
		arguments_add(arguments, "-m");
		arguments_add(arguments, "%zu", (memory >> 20) + 1);
	}
	for (unsigned i = 0; i < config->eal_count; i++) {
		/* EAL refuses both together; the part of --in-memory that is left without huge
		 * pages is to create no files. */
		if (no_huge && strcmp(config->eal[i], "--in-memory") == 0)
			arguments_add(arguments, "--no-shconf");
		else
			arguments_add(arguments, "%s", config->eal[i]);
	}
}

/* Bytes of free huge pages of all sizes. */
static size_t
huge_free(void)
{
	DIR *sizes = opendir("/sys/kernel/mm/hugepages");
	struct dirent *entry;
	size_t free_bytes = 0;

	if (sizes == NULL)
		return 0;
	while ((entry = readdir(sizes)) != NULL) {
		char path[sizeof("/sys/kernel/mm/hugepages//free_hugepages") +
				sizeof(entry->d_name)];
		size_t kilobytes, pages;
		FILE *file;

		if (sscanf(entry->d_name, "hugepages-%zukB", &kilobytes) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages",
				entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%zu", &pages) == 1)
			free_bytes += pages * kilobytes << 10;
		fclose(file);
	}
	closedir(sizes);
	return free_bytes;
}

/* Asked before EAL is: it would say much, and not what to do. */
static bool
memory_suffices(const struct config *config, size_t memory)
{
	const size_t page = (size_t)2 << 20;

	if (config_has(config, "--no-huge") || huge_free() >= memory)
		return true;
	say("eal: %zu MB of huge pages are free, %zu MB are needed; run: echo %zu > "
	    "/proc/sys/vm/nr_hugepages; or add \"--no-huge\" to \"eal\" (slower)",
			huge_free() >> 20, memory >> 20, memory / page + 1);
	return false;
}

bool
eal_start(const struct config *config, const struct port ports[SIDE_COUNT], size_t size,
		size_t spare)
{
	const size_t memory = size + MEMORY_EXTRA;
	struct arguments arguments = {0};
	char *strings[ARGUMENTS_MAX + 1];
	bool started;

	if (!memory_suffices(config, memory))
		return false;
	arguments_build(&arguments, config, ports, memory + spare);
	/* EAL moves the strings about; arguments.strings remembers which are to be freed. */
	memcpy(strings, arguments.strings, sizeof(strings));
	rte_openlog_stream(stderr);
	started = rte_eal_init(arguments.count, strings) >= 0;
	if (!started)
		say("eal: DPDK does not start: %s", rte_strerror(rte_errno));
	else if (rte_pdump_init() != 0)
		say("eal: warning: packets can't be captured here: %s", rte_strerror(rte_errno));
	for (int i = 0; i < arguments.count; i++)
		free(arguments.strings[i]);
	return started;
}

void
eal_stop(void)
{
	rte_pdump_uninit();
	rte_eal_cleanup();
}
