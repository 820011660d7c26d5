/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of machine share: nobody else includes this. */
#ifndef SLUICE_APP_MACHINE_IMPL_H
#define SLUICE_APP_MACHINE_IMPL_H

#include <net/if.h>

#include "base/kernel.h"
#include "control/config.h"
#include "device.h"
#include "findings.h"
#include "netdev.h"
#include "pmds.h"
#include "sysfs.h"

/* Virtual functions of several cards included; the first ones count. */
#define MACHINE_NICS_MAX 1024
#define MACHINE_CPUS_TEXT 256

/** A network card on the PCI bus. */
struct nic {
	char address[SYSFS_NAME_BYTES]; /**< "0000:03:00.0" */
	char driver[32];		/**< the kernel's, or vfio-pci and the like; empty: none */
	char interface[IF_NAMESIZE];	/**< the kernel's; empty when bound to DPDK */
	char virtio[SYSFS_NAME_BYTES];	/**< "virtio2" behind a virtio card, or empty */
	long node;			/**< -1: not told */
	long speed;			/**< Mbit/s of the link; -1 when down or not told */
	bool has_pmd;
	struct pmd pmd;
	bool is_bound;	/**< to a driver that DPDK takes it from */
	bool is_wanted; /**< a port of the configuration */
};

struct machine {
	const char *root; /**< see sysfs.h */
	bool is_real;	  /**< root is this machine */
	const struct config *config;
	struct device devices[SIDE_COUNT]; /**< the configuration's ports */
	struct findings findings;
	unsigned nic_count;
	struct nic nics[MACHINE_NICS_MAX];
	struct sysfs_names nodes; /**< "node0", ... */
};

/** Fills nics. First of all, since memory and CPUs are held against where they are. */
void machine_nics_find(struct machine *machine);

/** Each adds its findings. */
void machine_memory(struct machine *machine);
void machine_iommu(struct machine *machine);
void machine_nics(struct machine *machine);
void machine_ports(struct machine *machine);
void machine_cpus(struct machine *machine, enum kernel chosen);

#endif
