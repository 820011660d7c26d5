/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device string taken apart: a PCI address ("0000:03:00.0"), or a virtual device's name and
 * arguments ("net_af_packet0,iface=c1,qpairs=2"). Pure; DPDK parses the same string again.
 */
#ifndef SLUICE_APP_DEVICE_H
#define SLUICE_APP_DEVICE_H

#include <net/if.h>
#include <stdbool.h>

enum device_kind {
	DEVICE_PCI,
	DEVICE_AF_PACKET, /**< a kernel interface through packet sockets */
	DEVICE_AF_XDP,	  /**< a kernel interface through AF_XDP sockets */
	DEVICE_VIRTUAL,	  /**< any other virtual device of DPDK's */
};

#define DEVICE_NAME_BYTES 64

struct device {
	enum device_kind kind;
	char name[DEVICE_NAME_BYTES]; /**< what ethdev calls the port */
	char interface[IF_NAMESIZE];  /**< the kernel's interface; empty for PCI and others */
	unsigned queues;	      /**< queue pairs asked for by qpairs or queue_count; 1 */
	unsigned frame_size;	      /**< framesz of af_packet, bytes; 2048 */
	bool has_slots;		      /**< framesz or blocksz is given */
};

/** The driver's frame size when the string names none. */
#define DEVICE_FRAME_SIZE_DEFAULT 2048

/** True when the kernel has an interface behind the device. */
static inline bool
device_is_kernel(const struct device *device)
{
	return device->kind == DEVICE_AF_PACKET || device->kind == DEVICE_AF_XDP;
}

/** Takes text apart. False when its name or an interface name is too long, or a kernel driver
 * is given no interface. */
bool device_parse(const char *text, struct device *device);

#endif
