/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which PCI devices the installed DPDK drives: asked of its driver plugins, which each carry their
 * table as a string of JSON ("PMD_INFO_STRING= {...}", what dpdk-pmdinfo.py prints). EAL is not
 * needed, and nothing is loaded.
 */
#ifndef SLUICE_APP_PMDS_H
#define SLUICE_APP_PMDS_H

#include <jansson.h>
#include <stdbool.h>

/** An array of {"name", "kmod", "pci_ids": [[vendor, device, subvendor, subdevice], ...]} of all
 * network drivers in the folder: a new reference, never NULL, empty when there are none. */
json_t *pmds_read(const char *folder);

struct pmd {
	char name[32];		  /**< "net_ixgbe" */
	bool shares_with_kernel;  /**< the kernel's driver stays: nothing is to be bound */
	bool works_without_iommu; /**< by uio_pci_generic, too */
};

/** The driver of a PCI device among those; false when none has it. */
bool pmds_find(const json_t *pmds, long vendor, long device, struct pmd *pmd);

#endif
