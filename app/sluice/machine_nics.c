/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network cards: by PCI class, with the kernel's driver, DPDK's driver, node, link, and how packets
 * are dealt to workers.
 */
#include <stdio.h>
#include <string.h>

#include <rte_config.h>

#include "machine_impl.h"

#define PCI "/sys/bus/pci/devices"
#define CLASS_NETWORK 0x02
#define VIRTIO_NET_F_MQ 22
#define VIRTIO_NET_F_RSS 60

static const char *const dpdk_drivers[] = {"vfio-pci", "uio_pci_generic", "igb_uio"};

static bool
is_dpdk_driver(const char *driver)
{
	for (unsigned i = 0; i < ARRAY_COUNT(dpdk_drivers); i++)
		if (strcmp(driver, dpdk_drivers[i]) == 0)
			return true;
	return false;
}

/* The interface, which a virtio card has one level further down. */
static void
interface_find(const struct machine *machine, struct nic *nic)
{
	struct sysfs_names names;

	sysfs_list(machine->root, &names, PCI "/%s", nic->address);
	for (unsigned i = 0; i < names.count; i++)
		if (strncmp(names.names[i], "virtio", 6) == 0)
			memcpy(nic->virtio, names.names[i], sizeof(nic->virtio));
	sysfs_names_fini(&names);
	sysfs_list(machine->root, &names, PCI "/%s/%s/net", nic->address, nic->virtio);
	if (names.count > 0 && strlen(names.names[0]) < sizeof(nic->interface))
		strcpy(nic->interface, names.names[0]);
	sysfs_names_fini(&names);
}

static bool
nic_is_wanted(const struct machine *machine, const struct nic *nic)
{
	for (unsigned side = 0; machine->config != NULL && side < SIDE_COUNT; side++) {
		const struct device *device = &machine->devices[side];

		if (strcmp(device->name, nic->address) == 0 ||
				(nic->interface[0] != '\0' &&
						strcmp(device->interface, nic->interface) == 0))
			return true;
	}
	return false;
}

static void
nic_read(const struct machine *machine, struct nic *nic, const json_t *pmds)
{
	long vendor = 0, device = 0;

	sysfs_link(machine->root, nic->driver, sizeof(nic->driver), PCI "/%s/driver", nic->address);
	interface_find(machine, nic);
	nic->node = -1;
	sysfs_number(machine->root, &nic->node, PCI "/%s/numa_node", nic->address);
	nic->speed = -1;
	if (nic->interface[0] != '\0')
		sysfs_number(machine->root, &nic->speed, "/sys/class/net/%s/speed", nic->interface);
	sysfs_number(machine->root, &vendor, PCI "/%s/vendor", nic->address);
	sysfs_number(machine->root, &device, PCI "/%s/device", nic->address);
	nic->has_pmd = pmds_find(pmds, vendor, device, &nic->pmd);
	nic->is_bound = is_dpdk_driver(nic->driver);
	nic->is_wanted = nic_is_wanted(machine, nic);
}

void
machine_nics_find(struct machine *machine)
{
	json_t *pmds = pmds_read(RTE_EAL_PMD_PATH);
	struct sysfs_names devices;

	sysfs_list(machine->root, &devices, PCI);
	for (unsigned i = 0; i < devices.count && machine->nic_count < MACHINE_NICS_MAX; i++) {
		struct nic *nic = &machine->nics[machine->nic_count];
		long class = 0;

		sysfs_number(machine->root, &class, PCI "/%s/class", devices.names[i]);
		if (class >> 16 != CLASS_NETWORK)
			continue;
		memcpy(nic->address, devices.names[i], sizeof(nic->address));
		nic_read(machine, nic, pmds);
		machine->nic_count++;
	}
	sysfs_names_fini(&devices);
	json_decref(pmds);
}

/* Whoever takes such an interface from the kernel may lose the way to the machine. */
static bool
has_default_route(const struct machine *machine, const char *interface)
{
	char path[512], line[256], name[IF_NAMESIZE], target[64];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/net/route", machine->root);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = sscanf(line, "%15s %63s", name, target) == 2 &&
			strcmp(name, interface) == 0 && strcmp(target, "00000000") == 0;
	fclose(file);
	return found;
}

/* PCI ports of the configuration must be free for DPDK; anything else may become so. */
static void
nic_drivers(struct machine *machine, const struct nic *nic)
{
	struct findings *findings = &machine->findings;
	const bool is_port = nic->is_wanted &&
			     (strcmp(machine->devices[0].name, nic->address) == 0 ||
					     strcmp(machine->devices[1].name, nic->address) == 0);
	const char *interface = nic->interface[0] != '\0' ? nic->interface : "none";

	if (!nic->has_pmd) {
		findings_add(findings, is_port ? FINDING_PROBLEM : FINDING_NOTE, "nics",
				"%s: the installed DPDK has no driver for it (kernel: %s, "
				"interface "
				"%s)",
				nic->address, nic->driver[0] != '\0' ? nic->driver : "none",
				interface);
		findings_cure(findings,
				"apt install librte-meta-net; if it has none either: "
				"\"device\": \"net_af_xdp0,iface=%s\"",
				interface);
	} else if (nic->pmd.shares_with_kernel || nic->is_bound) {
		findings_add(findings, FINDING_OK, "nics", "%s: DPDK's %s drives it (%s)",
				nic->address, nic->pmd.name,
				nic->is_bound ? nic->driver : "beside the kernel's driver");
	} else if (nic->interface[0] != '\0' && has_default_route(machine, nic->interface)) {
		findings_add(findings, is_port ? FINDING_PROBLEM : FINDING_NOTE, "nics",
				"%s: DPDK's %s could drive it, but %s has the default route: "
				"taking "
				"it cuts this machine off",
				nic->address, nic->pmd.name, nic->interface);
		findings_cure(findings, "use other ports, and leave %s for managing the machine",
				nic->interface);
	} else {
		findings_add(findings, is_port ? FINDING_PROBLEM : FINDING_NOTE, "nics",
				"%s: DPDK's %s can drive it; %s has it now (interface %s)",
				nic->address, nic->pmd.name,
				nic->driver[0] != '\0' ? nic->driver : "no driver", interface);
		findings_cure(findings, "modprobe vfio-pci; dpdk-devbind.py --bind=vfio-pci %s",
				nic->address);
	}
}

static void
nic_link(struct machine *machine, const struct nic *nic)
{
	char now[32], most[32], lanes[16], lanes_most[16];

	if (nic->speed > 0)
		findings_add(&machine->findings, FINDING_OK, "nics", "%s: link %ld Mbit/s",
				nic->address, nic->speed);
	else if (nic->interface[0] != '\0' && nic->virtio[0] == '\0') {
		findings_add(&machine->findings, nic->is_wanted ? FINDING_PROBLEM : FINDING_NOTE,
				"nics", "%s: no link on %s", nic->address, nic->interface);
		findings_cure(&machine->findings, "ip link set %s up; else look at the cable",
				nic->interface);
	}
	if (!sysfs_line(machine->root, lanes, sizeof(lanes), PCI "/%s/current_link_width",
			    nic->address) ||
			!sysfs_line(machine->root, lanes_most, sizeof(lanes_most),
					PCI "/%s/max_link_width", nic->address) ||
			!sysfs_line(machine->root, now, sizeof(now), PCI "/%s/current_link_speed",
					nic->address) ||
			!sysfs_line(machine->root, most, sizeof(most), PCI "/%s/max_link_speed",
					nic->address))
		return;
	if (strcmp(lanes, lanes_most) != 0 || strcmp(now, most) != 0) {
		findings_add(&machine->findings, FINDING_NOTE, "nics",
				"%s: sits on a PCIe link of x%s at %s; it could use x%s at %s",
				nic->address, lanes, now, lanes_most, most);
		findings_cure(&machine->findings, "move the card to a wider slot");
	}
}

/* A feature bit of a virtio card, as its host offers it. */
static bool
virtio_has(const struct machine *machine, const struct nic *nic, unsigned bit)
{
	char bits[80];

	return sysfs_line(machine->root, bits, sizeof(bits), PCI "/%s/%s/features", nic->address,
			       nic->virtio) &&
	       strlen(bits) > bit && bits[bit] == '1';
}

/* What a card's driver takes shows only when it runs; of virtio the host says it before. */
static void
nic_rss(struct machine *machine, const struct nic *nic)
{
	if (machine->config != NULL && machine->config->worker_count == 1)
		return;
	if (nic->virtio[0] == '\0') {
		findings_add(&machine->findings, FINDING_NOTE, "nics",
				"%s: Sluice asks it for symmetric RSS; that it has it shows at "
				"\"steered\" of sluicectl stats, which then stays 0",
				nic->address);
		return;
	}
	if (virtio_has(machine, nic, VIRTIO_NET_F_RSS))
		return;
	findings_add(&machine->findings, FINDING_NOTE, "nics",
			"%s: the host of this virtio card offers %s and no RSS: one worker "
			"receives, "
			"the others are handed packets in software",
			nic->address,
			virtio_has(machine, nic, VIRTIO_NET_F_MQ) ? "several queues" : "one queue");
	findings_cure(&machine->findings,
			"QEMU: -device virtio-net-pci,mq=on,rss=on,vectors=N; or one CPU in "
			"workers.cpus");
}

void
machine_nics(struct machine *machine)
{
	for (unsigned i = 0; i < machine->nic_count; i++) {
		const struct nic *nic = &machine->nics[i];

		if (machine->config != NULL && !nic->is_wanted)
			continue;
		nic_drivers(machine, nic);
		nic_link(machine, nic);
		nic_rss(machine, nic);
	}
	if (machine->config == NULL && machine->nic_count < 2) {
		findings_add(&machine->findings, FINDING_NOTE, "nics",
				"network cards on the PCI bus: %u, and Sluice stands between two "
				"ports",
				machine->nic_count);
		findings_cure(&machine->findings, "add a card; or use kernel interfaces, by "
						  "net_af_xdp or net_af_packet");
	}
}
