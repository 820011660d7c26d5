/* SPDX-License-Identifier: BSD-3-Clause */
/* What cards need to be handed to DPDK: an IOMMU that shields the rest of memory, and VFIO. */
#include "machine_impl.h"

/* Cards that DPDK takes from the kernel; those whose driver stays need none of this. */
static bool
is_needed(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->nic_count; i++) {
		const struct nic *nic = &machine->nics[i];

		if (nic->has_pmd && !nic->pmd.shares_with_kernel &&
				(machine->config == NULL || nic->is_wanted))
			return true;
	}
	return false;
}

static void
no_iommu(struct machine *machine)
{
	char allowed[8];

	sysfs_line(machine->root, allowed, sizeof(allowed),
			"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	if (allowed[0] == 'Y') {
		findings_add(&machine->findings, FINDING_NOTE, "iommu",
				"no IOMMU; VFIO works without, and a card then reaches all memory");
		return;
	}
	findings_add(&machine->findings, FINDING_PROBLEM, "iommu",
			"no IOMMU: VFIO takes no PCI card, so ports by PCI address won't work");
	findings_cure(&machine->findings,
			"switch it on in the firmware (VT-d, AMD-Vi), and boot with intel_iommu=on "
			"iommu=pt (Intel) or iommu=pt (AMD); in a VM that has none: modprobe vfio; "
			"echo "
			"1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
}

void
machine_iommu(struct machine *machine)
{
	struct sysfs_names names;
	bool is_loaded;

	if (!is_needed(machine))
		return;
	sysfs_list(machine->root, &names, "/sys/kernel/iommu_groups");
	if (names.count > 0)
		findings_add(&machine->findings, FINDING_OK, "iommu", "IOMMU is on");
	else
		no_iommu(machine);
	sysfs_names_fini(&names);
	sysfs_list(machine->root, &names, "/sys/bus/pci/drivers/vfio-pci");
	is_loaded = names.count > 0;
	sysfs_names_fini(&names);
	if (is_loaded) {
		findings_add(&machine->findings, FINDING_OK, "iommu", "vfio-pci is loaded");
		return;
	}
	findings_add(&machine->findings, FINDING_NOTE, "iommu", "vfio-pci is not loaded");
	findings_cure(&machine->findings, "modprobe vfio-pci; at every start: echo vfio-pci > "
					  "/etc/modules-load.d/vfio-pci.conf");
}
