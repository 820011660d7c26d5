/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One of the two ports: a DPDK ethdev, found by the configuration's device string and set up
 * from what it says it can do. Owned by the control thread; workers use only id and their
 * queue number. The order of calls is that of the functions below.
 */
#ifndef SLUICE_APP_PORT_H
#define SLUICE_APP_PORT_H

#include "control/config.h"
#include "depart.h"
#include "device.h"

/** Ethernet header and two tags, in front of what the MTU counts. */
#define PORT_FRAME_OVERHEAD (14 + 2 * 4)

struct rte_mempool;

struct port {
	/* Set by port_plan(). */
	const char *key; /**< what messages call it: "ports.client.device" */
	const struct config_port *config;
	struct device device;
	char device_extra[48]; /**< arguments that we add to the device's own */
	unsigned workers;
	unsigned mtu;
	unsigned mbuf_room;	  /**< bytes a received frame needs in an mbuf, with headroom */
	unsigned ifindex;	  /**< of the kernel's interface; 0 without one */
	bool completes_checksums; /**< a virtual peer may leave checksums to hardware */
	/* Set by port_attach() and port_start(). */
	bool is_attached;
	bool is_started;
	bool was_promiscuous;
	uint16_t id;
	uint16_t rx_queues; /**< workers from this number on receive nothing here themselves */
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	struct depart depart; /**< what it can send */
	unsigned table_size;  /**< RSS redirection table; 0 without RSS */
	bool link_is_up;      /**< as last said */
};

/** Checks everything that can be checked without DPDK. False when the port can't work, already
 * said with the cure. */
bool port_plan(struct port *port, enum side side, const struct config *config);

/** Finds the device in DPDK, or makes it. After EAL's start. */
bool port_attach(struct port *port);

/** The same for a port that was attached before, and closed. */
bool port_attach_again(struct port *port);

/** mbufs that the port's own rings may hold, to size the pools by. */
unsigned port_mbufs_held(const struct port *port);

/** Configures queues and offloads and starts it; pools[i] feeds queue i. The other port, attached
 * as well, is where its packets come from. */
bool port_start(struct port *port, const struct port *other, struct rte_mempool *const *pools);

/** Once a second: says link changes. False when the device is gone, already said. */
bool port_watch(struct port *port);

/** Undoes port_start() and port_attach(), as far as they went; every mbuf is given back. */
void port_close(struct port *port);

#endif
