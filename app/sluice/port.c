/* SPDX-License-Identifier: BSD-3-Clause */
/* Negotiation: dev_info decides what is asked for, so that no driver is asked in vain. */
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "cpus.h"
#include "owner.h"
#include "port_kernel.h"
#include "say.h"

/* net_af_xdp: sizes of its fill and completion rings (XSK_RING_CONS__DEFAULT_NUM_DESCS). */
#define XDP_RING_MBUFS (3 * 2048)
/* The longest RSS key and the largest redirection table among DPDK's drivers. */
#define RSS_KEY_BYTES_MAX 128
#define RSS_TABLE_MAX 2048

/* Two names for two devices, and two interfaces behind them. */
static bool
is_distinct(const struct port *port, enum side side, const struct config *config)
{
	struct device other;

	if (!device_parse(config->ports[side_other(side)].device, &other) || side == SIDE_CLIENT)
		return true;
	if (strcmp(port->device.name, other.name) == 0) {
		say("%s: \"%s\" is the other port's name too; give each its own, for example "
		    "net_af_packet0 and net_af_packet1",
				port->key, other.name);
		return false;
	}
	if (other.interface[0] != '\0' && strcmp(port->device.interface, other.interface) == 0) {
		say("%s: both ports are on interface \"%s\"", port->key, other.interface);
		return false;
	}
	return true;
}

bool
port_plan(struct port *port, enum side side, const struct config *config)
{
	static const char *const keys[SIDE_COUNT] = {"ports.client.device", "ports.server.device"};

	*port = (struct port){
			.key = keys[side],
			.config = &config->ports[side],
			.workers = config->worker_count,
			.mtu = config->ports[side].mtu != 0 ? config->ports[side].mtu
							    : RTE_ETHER_MTU,
	};
	if (!device_parse(port->config->device, &port->device)) {
		say("%s: \"%s\" is neither a PCI address nor NAME,iface=INTERFACE", port->key,
				port->config->device);
		return false;
	}
	if (!is_distinct(port, side, config))
		return false;
	port->mbuf_room =
			RTE_PKTMBUF_HEADROOM + port->mtu + PORT_FRAME_OVERHEAD + RTE_ETHER_CRC_LEN;
	switch (port->config->checksum) {
	case CONFIG_CHECKSUM_AUTO:
		port->completes_checksums = port->device.kind != DEVICE_PCI;
		break;
	case CONFIG_CHECKSUM_STRICT:
		break;
	case CONFIG_CHECKSUM_PARTIAL:
		port->completes_checksums = true;
		break;
	}
	return !device_is_kernel(&port->device) || port_kernel_plan(port);
}

bool
port_attach(struct port *port)
{
	const size_t size = strlen(port->config->device) + sizeof(port->device_extra);
	char *device = malloc(size);
	bool is_made;

	if (device == NULL) {
		say("out of memory");
		return false;
	}
	snprintf(device, size, "%s%s", port->config->device, port->device_extra);
	/* EAL has found PCI devices already, while it started. */
	is_made = port->device.kind == DEVICE_PCI || rte_dev_probe(device) == 0;
	if (!is_made)
		say("%s: DPDK could not make \"%s\": no such driver, or an argument is wrong",
				port->key, device);
	free(device);
	if (!is_made)
		return false;
	if (rte_eth_dev_get_port_by_name(port->device.name, &port->id) != 0) {
		say("%s: no port %s: does it exist, and is it bound to a DPDK driver? See: "
		    "dpdk-devbind.py --status",
				port->key, port->device.name);
		return false;
	}
	port->is_attached = true;
	return true;
}

bool
port_attach_again(struct port *port)
{
	const bool is_pci = port->device.kind == DEVICE_PCI;

	/* Closed is not yet gone: its bus still counts the device as taken. */
	rte_eal_hotplug_remove(is_pci ? "pci" : "vdev", port->device.name);
	if (is_pci)
		rte_eal_hotplug_add("pci", port->device.name, "");
	return port_attach(port);
}

unsigned
port_mbufs_held(const struct port *port)
{
	switch (port->device.kind) {
	case DEVICE_AF_PACKET: /* copies in and out of the kernel's rings */
		return 0;
	case DEVICE_AF_XDP:
		return port->workers * (XDP_RING_MBUFS + port->config->tx_descriptors);
	default:
		return port->workers *
		       ((unsigned)port->config->rx_descriptors + port->config->tx_descriptors);
	}
}

static bool
fail(const struct port *port, const char *what, int error)
{
	say("%s: %s: %s: %s", port->key, port->device.name, what, rte_strerror(-error));
	return false;
}

static bool
queues_choose(struct port *port, const struct rte_eth_dev_info *info)
{
	if (info->max_tx_queues < port->workers) {
		say("%s: %s has %u transmit queues for %u workers; it needs one per worker",
				port->key, port->device.name, info->max_tx_queues, port->workers);
		return false;
	}
	port->rx_queues = (uint16_t)RTE_MIN((unsigned)info->max_rx_queues, port->workers);
	return true;
}

/* A peer in the same machine hands over what it would leave to its NIC's hardware. */
static bool
is_virtual(const struct rte_eth_dev_info *info)
{
	return strncmp(info->driver_name, "net_virtio", strlen("net_virtio")) == 0 ||
	       strncmp(info->driver_name, "net_vhost", strlen("net_vhost")) == 0;
}

/* Whether the port's frames may come merged and with open checksums. */
static bool
receives_unfinished(const struct port *port, const struct rte_eth_dev_info *info)
{
	return is_virtual(info) && port->config->checksum != CONFIG_CHECKSUM_STRICT;
}

/* Checksums verified by the NIC. A virtual peer may merge segments, too, which saves most of the
 * work for them; with strict checksums it has to finish its packets itself. */
static uint64_t
rx_offloads(const struct port *port, const struct rte_eth_dev_info *info)
{
	const uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	const uint64_t merged = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO |
				RTE_ETH_RX_OFFLOAD_SCATTER;

	if (receives_unfinished(port, info))
		return info->rx_offload_capa & (checksums | merged);
	return is_virtual(info) ? 0 : info->rx_offload_capa & checksums;
}

/* What helps with unfinished packets from the other port; for all others they cost more than they
 * save. */
static uint64_t
tx_offloads(struct port *port, const struct port *other, const struct rte_eth_dev_info *info)
{
	const uint64_t sums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	const uint64_t cuts = sums | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	struct rte_eth_dev_info from;
	uint64_t offloads = 0;

	if (rte_eth_dev_info_get(other->id, &from) == 0 && receives_unfinished(other, &from))
		offloads = info->tx_offload_capa & (cuts | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
	port->depart = (struct depart){
			.mtu = port->mtu,
			.frame_max = port->mtu + PORT_FRAME_OVERHEAD,
			.cuts_segments = (offloads & cuts) == cuts,
			.sums_tcp = (offloads & sums) != 0,
			.sums_ip4 = (offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0,
	};
	/* Beyond the MTU a packet socket sends one tag (packet_extra_vlan_len_allowed). */
	if (port->device.kind == DEVICE_AF_PACKET)
		port->depart.frame_max -= RTE_VLAN_HLEN;
	return offloads;
}

/* Offloads, and symmetric RSS, where the port has them. */
static int
port_configure(struct port *port, const struct port *other, const struct rte_eth_dev_info *info)
{
	const uint64_t flows = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
	struct rte_eth_conf conf = {.rxmode = {.offloads = rx_offloads(port, info)},
			.txmode = {.offloads = tx_offloads(port, other, info)}};
	uint8_t key[RSS_KEY_BYTES_MAX];

	if (receives_unfinished(port, info))
		port->completes_checksums = true;
	/* A kernel interface's MTU is the kernel's; ethdev would hold it against the 1518 bytes
	 * that af_packet always claims. */
	if (!device_is_kernel(&port->device))
		conf.rxmode.mtu = port->mtu;
	if (port->rx_queues > 1 && (info->flow_type_rss_offloads & flows) == flows &&
			info->hash_key_size > 0 && info->hash_key_size <= sizeof(key)) {
		for (unsigned i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)(i % 2 == 0 ? OWNER_KEY_WORD >> 8
						      : OWNER_KEY_WORD & 0xff);
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_key = key,
				.rss_key_len = info->hash_key_size,
				.rss_hf = flows};
		port->table_size = info->reta_size;
	}
	return rte_eth_dev_configure(port->id, port->rx_queues, (uint16_t)port->workers, &conf);
}

static bool
queues_setup(struct port *port, struct rte_mempool *const *pools)
{
	const int node = rte_eth_dev_socket_id(port->id);
	int error;

	port->rx_descriptors = port->config->rx_descriptors;
	port->tx_descriptors = port->config->tx_descriptors;
	if (port->device.kind ==
			DEVICE_AF_XDP) /* its rings must be powers of two; it doesn't say */
		port->rx_descriptors = (uint16_t)rte_align32prevpow2(port->rx_descriptors);
	error = rte_eth_dev_adjust_nb_rx_tx_desc(
			port->id, &port->rx_descriptors, &port->tx_descriptors);
	for (uint16_t queue = 0; error == 0 && queue < port->rx_queues; queue++)
		error = rte_eth_rx_queue_setup(port->id, queue, port->rx_descriptors,
				(unsigned)node, NULL, pools[queue]);
	for (uint16_t queue = 0; error == 0 && queue < port->workers; queue++)
		error = rte_eth_tx_queue_setup(
				port->id, queue, port->tx_descriptors, (unsigned)node, NULL);
	return error == 0 || fail(port, "queues", error);
}

/* Deals the redirection table round, as owner_of() assumes. A NIC that refuses keeps its own;
 * the workers then steer. */
static void
table_deal(struct port *port)
{
	struct rte_eth_rss_reta_entry64 table[RSS_TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};

	if (port->table_size == 0 || port->table_size > RSS_TABLE_MAX)
		return;
	for (unsigned i = 0; i < port->table_size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];

		group->mask |= 1ULL << i % RTE_ETH_RETA_GROUP_SIZE;
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % port->rx_queues);
	}
	if (rte_eth_dev_rss_reta_update(port->id, table, (uint16_t)port->table_size) != 0)
		say("%s: warning: %s keeps its own RSS table; packets change workers in software",
				port->key, port->device.name);
}

static bool
link_is_up(const struct port *port)
{
	struct rte_eth_link link;

	if (device_is_kernel(&port->device))
		return port_kernel_link_is_up(port);
	return rte_eth_link_get_nowait(port->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

static void
promiscuous_enable(struct port *port)
{
	int error;

	port->was_promiscuous = device_is_kernel(&port->device) && port_kernel_is_promiscuous(port);
	error = rte_eth_promiscuous_enable(port->id);
	if (error != 0 && error != -ENOTSUP)
		say("%s: warning: %s is not promiscuous (%s): it may miss packets for other hosts",
				port->key, port->device.name, rte_strerror(-error));
}

bool
port_start(struct port *port, const struct port *other, struct rte_mempool *const *pools)
{
	struct rte_eth_dev_info info;
	int error = rte_eth_dev_info_get(port->id, &info);

	if (error != 0)
		return fail(port, "rte_eth_dev_info_get", error);
	if (!queues_choose(port, &info))
		return false;
	error = port_configure(port, other, &info);
	if (error != 0)
		return fail(port, "rte_eth_dev_configure", error);
	if (!queues_setup(port, pools))
		return false;
	error = rte_eth_dev_start(port->id);
	if (error != 0)
		return fail(port, "rte_eth_dev_start", error);

	port->is_started = true;
	table_deal(port);
	promiscuous_enable(port);
	if (!port_kernel_check_attached(port))
		return false;
	port->link_is_up = link_is_up(port);
	if (!port->link_is_up)
		say("%s: %s: link is down", port->key, port->config->device);
	return true;
}

bool
port_watch(struct port *port)
{
	const bool is_gone = device_is_kernel(&port->device) ? !port_kernel_exists(port)
							     : rte_eth_dev_is_removed(port->id);

	if (is_gone) {
		say("%s: %s is gone; stopping", port->key, port->config->device);
		return false;
	}
	if (link_is_up(port) != port->link_is_up) {
		port->link_is_up = !port->link_is_up;
		say("%s: %s: link is %s", port->key, port->config->device,
				port->link_is_up ? "up" : "down");
	}
	return true;
}

void
port_close(struct port *port)
{
	if (!port->is_attached)
		return;
	if (port->is_started) {
		if (!port->was_promiscuous)
			rte_eth_promiscuous_disable(port->id);
		rte_eth_dev_stop(port->id);
	}
	rte_eth_dev_close(port->id); /* only this makes every driver give its mbufs back */
	port->is_started = false;
	port->is_attached = false;
}
