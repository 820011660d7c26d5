/* SPDX-License-Identifier: BSD-3-Clause */
/* Two questions to the kernel's rtnetlink: what a link is, and which number a namespace has. */
#ifndef SLUICE_APP_RTNL_H
#define SLUICE_APP_RTNL_H

#include <stdbool.h>

/** A link of our own namespace. */
struct rtnl_link {
	bool is_veth;
	bool xdp_is_generic; /**< an XDP program runs behind GRO, not in the driver */
	int peer_index;	     /**< veth: the peer's ifindex in its namespace */
	int peer_nsid;	     /**< veth: number of the peer's namespace; -1: our own */
};

/** 0, or a negative errno. */
int rtnl_link_get(const char *interface, struct rtnl_link *link);

/** The number our namespace knows the one behind namespace_fd by; -1 when it has none. */
int rtnl_nsid(int namespace_fd);

#endif
