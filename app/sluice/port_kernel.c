/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rule here was found by trying it between namespaces; see the lab tests. */
#include "port_kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "netdev.h"
#include "peer.h"
#include "rtnl.h"
#include "say.h"

/* af_packet: TPACKET_V2 puts a frame this far into its slot at most: TPACKET_ALIGN(52 + 16) less
 * the Ethernet header's 14 (packet_mmap.rst, tpacket_rcv). */
#define PACKET_SLOT_OVERHEAD 66
#define PACKET_PAGE_BYTES 4096u
/* af_xdp: the kernel keeps 256 bytes in front of each frame (XDP_PACKET_HEADROOM), and a frame
 * with all its overhead fits one page: mempool header 64, mbuf 128. */
#define XDP_HEADROOM 256
#define XDP_PAGE_BYTES 4096
#define XDP_OBJECT_OVERHEAD (64 + sizeof(struct rte_mbuf))

static struct netdev
netdev_open(const struct port *port)
{
	struct netdev dev = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};

	memcpy(dev.name, port->device.interface, sizeof(dev.name));
	return dev;
}

static const char *
driver_name(const struct port *port)
{
	return port->device.kind == DEVICE_AF_XDP ? "net_af_xdp" : "net_af_packet";
}

/* Frames that the stack merged before a packet socket, or generic XDP, sees them. */
static bool
merging_is_off(const struct port *port, const struct netdev *dev)
{
	static const struct {
		const char *feature, *option;
	} merging[] = {{"rx-gro", " gro off"}, {"rx-lro", " lro off"},
			{"rx-gro-hw", " rx-gro-hw off"}};
	char enter[128], options[64] = "";

	for (unsigned i = 0; i < ARRAY_COUNT(merging); i++)
		if (netdev_has_feature(dev, merging[i].feature))
			strcat(options, merging[i].option);
	if (options[0] == '\0')
		return true;
	peer_enter_own(enter, sizeof(enter));
	say("%s: %s merges received segments beyond its MTU, which %s cuts off; "
	    "run: %sethtool -K %s%s",
			port->key, dev->name, driver_name(port), enter, dev->name, options);
	return false;
}

/* Frames that a veth peer hands over unsegmented. UDP of that kind is rare: alone it is only warned
 * about. */
static bool
segmentation_is_on(const struct port *port, const struct peer *peer)
{
	const bool tcp = netdev_has_feature(&peer->dev, "tx-tcp-segmentation") ||
			 netdev_has_feature(&peer->dev, "tx-tcp6-segmentation");
	const bool udp = netdev_has_feature(&peer->dev, "tx-udp-segmentation");

	if (tcp)
		say("%s: %s, the veth peer of %s, sends TSO segments beyond the MTU, which %s cuts "
		    "off; run: %sethtool -K %s tso off%s",
				port->key, peer->dev.name, port->device.interface,
				driver_name(port), peer->enter, peer->dev.name,
				udp ? " tx-udp-segmentation off" : "");
	else if (udp)
		say("%s: warning: UDP programs that use UDP_SEGMENT lose packets; "
		    "run: %sethtool -K %s tx-udp-segmentation off",
				port->key, peer->enter, peer->dev.name);
	return tcp;
}

static void
tags_warn(const struct port *port, const struct peer *peer)
{
	if (netdev_has_feature(&peer->dev, "tx-vlan-hw-insert") ||
			netdev_has_feature(&peer->dev, "tx-vlan-stag-hw-insert"))
		say("%s: warning: VLAN tags that %s hands over beside the frame are lost with "
		    "net_af_xdp; if you use VLANs, run: %sethtool -K %s txvlan off "
		    "tx-vlan-stag-hw-insert off",
				port->key, peer->dev.name, peer->enter, peer->dev.name);
}

/* Looks at a veth's peer; true for anything but a veth. */
static bool
peer_is_fit(const struct port *port)
{
	struct peer peer;
	bool fit;

	switch (peer_find(port->device.interface, &peer)) {
	case PEER_FOUND:
		fit = !segmentation_is_on(port, &peer);
		if (fit && port->device.kind == DEVICE_AF_XDP)
			tags_warn(port, &peer);
		peer_close(&peer);
		return fit;
	case PEER_HIDDEN:
		say("%s: warning: can't look at the veth peer of %s; if it has TSO on, segments "
		    "beyond the MTU are lost: switch it off there (ethtool -K PEER tso off)",
				port->key, port->device.interface);
		return true;
	default:
		return true;
	}
}

/* A queue nobody polls would swallow its share of the traffic; one too few can't be shared. */
static bool
queues_fit(const struct port *port, const struct netdev *dev)
{
	const bool is_xdp = port->device.kind == DEVICE_AF_XDP;
	const unsigned rx_queues = is_xdp ? netdev_rx_queues(dev) : port->workers;
	char enter[128];

	if (port->device.queues != port->workers) {
		say("%s: %u queue pairs for %u workers; %s needs one per worker: put %s=%u into it",
				port->key, port->device.queues, port->workers, driver_name(port),
				is_xdp ? "queue_count" : "qpairs", port->workers);
		return false;
	}
	if (rx_queues == port->workers)
		return true;
	peer_enter_own(enter, sizeof(enter));
	if (is_xdp && !netdev_has_combined_queues(dev) && port->workers > 1)
		say("%s: net_af_xdp can use a single queue of %s, which has no combined channels; "
		    "use one worker, or net_af_packet with qpairs=%u",
				port->key, dev->name, port->workers);
	else
		say("%s: %s has %u receive queues for %u workers; run: %sethtool -L %s %s %u",
				port->key, dev->name, rx_queues, port->workers, enter, dev->name,
				netdev_has_combined_queues(dev) ? "combined" : "rx", port->workers);
	return false;
}

/* What a slot of the ring has to be for such frames. The driver takes for granted that slots fill
 * the kernel's blocks, which are whole pages, without gaps. */
static unsigned
packet_slot(unsigned frame)
{
	const unsigned least = frame + PACKET_SLOT_OVERHEAD;

	return least <= PACKET_PAGE_BYTES ? rte_align32pow2(least)
					  : RTE_ALIGN_CEIL(least, PACKET_PAGE_BYTES);
}

unsigned
port_kernel_mbuf_room(const struct device *device, unsigned mtu)
{
	const unsigned slot = packet_slot(mtu + PORT_FRAME_OVERHEAD);

	if (device->kind == DEVICE_AF_XDP)
		return RTE_PKTMBUF_HEADROOM + XDP_HEADROOM + mtu + PORT_FRAME_OVERHEAD;
	return RTE_PKTMBUF_HEADROOM +
	       (device->has_slots || slot <= DEVICE_FRAME_SIZE_DEFAULT ? device->frame_size : slot);
}

/* Room in the driver's frames for the port's MTU; sets mbuf_room. */
static bool
frames_fit(struct port *port)
{
	const unsigned frame = port->mtu + PORT_FRAME_OVERHEAD;

	port->mbuf_room = port_kernel_mbuf_room(&port->device, port->mtu);
	if (port->device.kind == DEVICE_AF_XDP) {
		if (port->mbuf_room + XDP_OBJECT_OVERHEAD <= XDP_PAGE_BYTES)
			return true;
		say("%s: MTU %u is too large for net_af_xdp: at most %zu", port->key, port->mtu,
				XDP_PAGE_BYTES - XDP_OBJECT_OVERHEAD - XDP_HEADROOM -
						RTE_PKTMBUF_HEADROOM - PORT_FRAME_OVERHEAD);
		return false;
	}

	const unsigned slot = packet_slot(frame);

	if (!port->device.has_slots && slot > DEVICE_FRAME_SIZE_DEFAULT) {
		port->device.frame_size = slot;
		snprintf(port->device_extra, sizeof(port->device_extra), ",framesz=%u,blocksz=%u",
				slot, slot);
	}
	if (frame + PACKET_SLOT_OVERHEAD <= port->device.frame_size)
		return true;
	say("%s: frames of MTU %u do not fit framesz=%u; add framesz=%u,blocksz=%u to it",
			port->key, port->mtu, port->device.frame_size, slot, slot);
	return false;
}

/* The MTU asked for, or the interface's own; it is changed last, when nothing else is wrong. */
static bool
mtu_fits(struct port *port, const struct netdev *dev)
{
	const unsigned asked = port->config->mtu;
	const int own = netdev_mtu(dev);
	int error = own < 0 ? own : 0;

	if (error == 0) {
		port->mtu = asked != 0 ? asked : (unsigned)own;
		if (!frames_fit(port))
			return false;
		if (port->mtu != (unsigned)own)
			error = netdev_set_mtu(dev, port->mtu);
	}
	if (error != 0)
		say("%s: MTU of %s: %s", port->key, dev->name, strerror(-error));
	return error == 0;
}

bool
port_kernel_plan(struct port *port)
{
	const struct netdev dev = netdev_open(port);
	bool fit;

	port->ifindex = if_nametoindex(dev.name);
	if (port->ifindex == 0) {
		say("%s: no such interface \"%s\" in this network namespace", port->key, dev.name);
		fit = false;
	} else {
		fit = queues_fit(port, &dev);
		if (fit && port->device.kind == DEVICE_AF_PACKET)
			fit = merging_is_off(port, &dev) && peer_is_fit(port);
		fit = fit && mtu_fits(port, &dev);
	}
	close(dev.fd);
	return fit;
}

bool
port_kernel_check_attached(const struct port *port)
{
	struct netdev dev;
	struct rtnl_link link;
	bool fit = true;

	if (port->device.kind != DEVICE_AF_XDP)
		return true;
	dev = netdev_open(port);
	if (rtnl_link_get(dev.name, &link) == 0 && link.xdp_is_generic)
		fit = merging_is_off(port, &dev);
	close(dev.fd);
	return fit && peer_is_fit(port);
}

bool
port_kernel_exists(const struct port *port)
{
	return if_nametoindex(port->device.interface) == port->ifindex;
}

static bool
has_flags(const struct port *port, int wanted)
{
	const struct netdev dev = netdev_open(port);
	const int flags = netdev_flags(&dev);

	close(dev.fd);
	return flags >= 0 && (flags & wanted) == wanted;
}

bool
port_kernel_link_is_up(const struct port *port)
{
	return has_flags(port, IFF_UP | IFF_RUNNING);
}

bool
port_kernel_is_promiscuous(const struct port *port)
{
	return has_flags(port, IFF_PROMISC);
}
