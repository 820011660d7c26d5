/* SPDX-License-Identifier: BSD-3-Clause */
/* Huge pages of all sizes, on each NUMA node that has a port. */
#include <stdio.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "lists.h"
#include "machine_impl.h"
#include "port_kernel.h"

/* limits.mbufs where no configuration says it. */
#define MBUFS_DEFAULT 65536
/* Of a packet buffer beside its room: header, and share of the pool. */
#define MBUF_OVERHEAD 320
/* As in eal.c, for what is neither packet buffers nor lists. */
#define MEMORY_EXTRA ((long)96 << 20)
#define PAGE_USUAL ((long)2 << 20)

/* As port_plan() and port_kernel_plan() reckon it. */
static unsigned
port_room(const struct machine *machine, unsigned side)
{
	const struct device *device = &machine->devices[side];
	long mtu = machine->config->ports[side].mtu;

	if (mtu == 0) {
		mtu = RTE_ETHER_MTU;
		if (device_is_kernel(device))
			sysfs_number(machine->root, &mtu, "/sys/class/net/%s/mtu",
					device->interface);
	}
	if (mtu < 0 || mtu > UINT16_MAX)
		mtu = RTE_ETHER_MTU;
	if (device_is_kernel(device))
		return port_kernel_mbuf_room(device, (unsigned)mtu);
	return RTE_PKTMBUF_HEADROOM + (unsigned)mtu + PORT_FRAME_OVERHEAD + RTE_ETHER_CRC_LEN;
}

/* Of one packet buffer: what comes in by one port leaves by the other, so the larger room counts.
 */
static long
mbuf_bytes(const struct machine *machine)
{
	unsigned room = RTE_MBUF_DEFAULT_BUF_SIZE;

	for (unsigned side = 0; machine->config != NULL && side < SIDE_COUNT; side++)
		room = RTE_MAX(room, port_room(machine, side));
	return RTE_ALIGN(room, RTE_CACHE_LINE_SIZE) + MBUF_OVERHEAD;
}

static long
bytes_needed(const struct machine *machine)
{
	const struct config *config = machine->config;
	const long mbufs = config != NULL ? config->mbufs : MBUFS_DEFAULT;
	const long lists = config != NULL ? (long)lists_memsize(config->sources.list) : 0;

	return mbufs * mbuf_bytes(machine) + lists + MEMORY_EXTRA;
}

static bool
does_without(const struct machine *machine)
{
	for (unsigned i = 0; machine->config != NULL && i < machine->config->eal_count; i++)
		if (strcmp(machine->config->eal[i], "--no-huge") == 0)
			return true;
	return false;
}

/* Adds up the free bytes of one folder of page sizes, and writes them out. */
static long
pages_sum(const struct machine *machine, const char *folder, char *text, size_t size)
{
	struct sysfs_names sizes;
	long sum = 0;
	size_t used = 0;

	text[0] = '\0';
	sysfs_list(machine->root, &sizes, "%s", folder);
	for (unsigned i = 0; i < sizes.count && used < size; i++) {
		long kilobytes, all = 0, unused = 0;

		if (sscanf(sizes.names[i], "hugepages-%ldkB", &kilobytes) != 1)
			continue;
		sysfs_number(machine->root, &all, "%s/%s/nr_hugepages", folder, sizes.names[i]);
		sysfs_number(machine->root, &unused, "%s/%s/free_hugepages", folder,
				sizes.names[i]);
		if (all == 0)
			continue;
		sum += unused * kilobytes << 10;
		used += (size_t)snprintf(text + used, size - used, "%s%ld of %ld of %ld kB",
				used > 0 ? ", " : "", unused, all, kilobytes);
	}
	sysfs_names_fini(&sizes);
	return sum;
}

static void
total(struct machine *machine)
{
	const long needed = bytes_needed(machine);
	char pages[256];
	const long unused = pages_sum(machine, "/sys/kernel/mm/hugepages", pages, sizeof(pages));

	if (unused >= needed) {
		findings_add(&machine->findings, FINDING_OK, "memory",
				"huge pages free: %s; about %ld MB are needed", pages,
				needed >> 20);
		return;
	}
	findings_add(&machine->findings, does_without(machine) ? FINDING_NOTE : FINDING_PROBLEM,
			"memory",
			"huge pages free: %s; that is %ld MB, and about %ld MB are needed",
			pages[0] != '\0' ? pages : "none", unused >> 20, needed >> 20);
	findings_cure(&machine->findings,
			"echo %ld > /proc/sys/vm/nr_hugepages; at every start: systemctl enable "
			"--now "
			"sluice-hugepages",
			needed / PAGE_USUAL + 1);
}

/* Packet buffers belong on the node of their worker, and that on the node of its port. */
static void
node(struct machine *machine, const char *name)
{
	const long needed = bytes_needed(machine);
	char folder[128], pages[256];
	bool has_nic = false;
	long number;

	if (sscanf(name, "node%ld", &number) != 1)
		return;
	for (unsigned i = 0; i < machine->nic_count; i++)
		has_nic |= machine->nics[i].node == number &&
			   (machine->nics[i].is_wanted || machine->config == NULL);
	if (!has_nic)
		return;
	snprintf(folder, sizeof(folder), "/sys/devices/system/node/node%ld/hugepages", number);
	if (pages_sum(machine, folder, pages, sizeof(pages)) >= needed) {
		findings_add(&machine->findings, FINDING_OK, "memory",
				"NUMA node %ld, which has ports: %s", number, pages);
		return;
	}
	findings_add(&machine->findings, FINDING_NOTE, "memory",
			"NUMA node %ld has ports, but of huge pages only %s", number,
			pages[0] != '\0' ? pages : "none");
	findings_cure(&machine->findings, "echo %ld > %s/hugepages-2048kB/nr_hugepages",
			needed / PAGE_USUAL + 1, folder);
}

void
machine_memory(struct machine *machine)
{
	total(machine);
	for (unsigned i = 0; machine->nodes.count > 1 && i < machine->nodes.count; i++)
		node(machine, machine->nodes.names[i]);
}
