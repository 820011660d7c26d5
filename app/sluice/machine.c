/* SPDX-License-Identifier: BSD-3-Clause */
#include "machine.h"

#include <stdlib.h>

#include "machine_impl.h"

enum exit_code
machine_probe(const struct options *options, const struct config *config)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	const char *root = getenv("SLUICE_PROBE_ROOT");
	enum exit_code code;

	ENSURE(machine != NULL);
	machine->root = root != NULL ? root : "";
	machine->is_real = machine->root[0] == '\0';
	machine->config = config;
	for (unsigned side = 0; config != NULL && side < SIDE_COUNT; side++)
		device_parse(config->ports[side].device, &machine->devices[side]);
	findings_init(&machine->findings);
	sysfs_list(machine->root, &machine->nodes, "/sys/devices/system/node");
	machine_nics_find(machine);
	machine_memory(machine);
	machine_iommu(machine);
	machine_nics(machine);
	machine_ports(machine);
	machine_cpus(machine, options->kernel);
	findings_print(&machine->findings, options->as_json);
	code = machine->findings.counts[FINDING_PROBLEM] > 0 ? EXIT_CODE_ENVIRONMENT : EXIT_CODE_OK;
	findings_fini(&machine->findings);
	sysfs_names_fini(&machine->nodes);
	free(machine);
	return code;
}
