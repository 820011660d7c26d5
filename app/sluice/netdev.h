/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel knows about an interface, asked through a socket: a socket stays in the
 * network namespace it was made in, so an interface elsewhere is asked the same way.
 */
#ifndef SLUICE_APP_NETDEV_H
#define SLUICE_APP_NETDEV_H

#include <net/if.h>
#include <stdbool.h>

/** An interface; fd is any socket of its namespace, owned by whoever made it. */
struct netdev {
	int fd;
	char name[IF_NAMESIZE];
};

/** True when the feature, by ethtool's long name ("tx-tcp-segmentation"), is on now. */
bool netdev_has_feature(const struct netdev *dev, const char *feature);

/** MTU in bytes, or a negative errno. */
int netdev_mtu(const struct netdev *dev);
int netdev_set_mtu(const struct netdev *dev, unsigned mtu);

/** IFF_ bits, or a negative errno. */
int netdev_flags(const struct netdev *dev);

/** Receive queues in use ("ethtool -l": RX plus combined); 1 when the driver doesn't tell. */
unsigned netdev_rx_queues(const struct netdev *dev);

/** True when the driver counts queues as "combined" in ethtool -L, rather than as "rx". */
bool netdev_has_combined_queues(const struct netdev *dev);

/** Bytes of the key by which the interface deals packets to its queues (40 for many, 52 for Intel's
 * 700 and 800 series); 0 when the driver has none, or doesn't tell. */
unsigned netdev_rss_key_size(const struct netdev *dev);

/** True when the interface deals packets to its queues by a key that repeats every 16 bits, so that
 * both directions of a connection come to the same queue ("ethtool -x"). */
bool netdev_rss_is_symmetric(const struct netdev *dev);

#endif
