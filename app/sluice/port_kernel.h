/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports on kernel interfaces (net_af_packet, net_af_xdp): what Linux does to frames before
 * they reach a socket, checked at start, so that none of it loses traffic silently. Refused is
 * only what can't work; each refusal names the command that cures it.
 *
 *	segments beyond the MTU (TSO of a veth peer, GRO or LRO here)
 *		af_packet cuts them off: refused. af_xdp: the kernel itself switches TSO of a veth
 *		peer off when the XDP program is attached; checked, and refused if it is still on.
 *	checksums left open by a veth or virtio peer
 *		completed; nothing to switch off.
 *	tags beside the frame (txvlan of a veth peer)
 *		af_packet puts the outer tag back, but always as 0x8100. af_xdp loses it: warned.
 */
#ifndef SLUICE_APP_PORT_KERNEL_H
#define SLUICE_APP_PORT_KERNEL_H

#include "port.h"

/** Bytes of an mbuf, headroom included, that a frame of a kernel interface with this MTU needs. */
unsigned port_kernel_mbuf_room(const struct device *device, unsigned mtu);

/** Sets port->mtu, mbuf_room and ifindex. False when refused, already said. */
bool port_kernel_plan(struct port *port);

/** What only shows once an XDP program is attached. False when refused, already said. */
bool port_kernel_check_attached(const struct port *port);

/** True while the interface exists under its index. */
bool port_kernel_exists(const struct port *port);

/** True when the interface is up and has a carrier. */
bool port_kernel_link_is_up(const struct port *port);

/** True when the interface is promiscuous, by IFF_PROMISC. */
bool port_kernel_is_promiscuous(const struct port *port);

#endif
