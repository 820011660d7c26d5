/* SPDX-License-Identifier: BSD-3-Clause */
/* ioctls; features by name, since their bit numbers differ between kernels. */
#include "netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/base.h"

static int
netdev_ioctl(const struct netdev *dev, unsigned long request, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, dev->name, sizeof(ifr->ifr_name));
	return ioctl(dev->fd, request, ifr) == 0 ? 0 : -errno;
}

static int
netdev_ethtool(const struct netdev *dev, void *command)
{
	struct ifreq ifr = {.ifr_data = command};

	return netdev_ioctl(dev, SIOCETHTOOL, &ifr);
}

/* Strings in the kernel's list of feature names; 0 when it doesn't tell. */
static unsigned
feature_count(const struct netdev *dev)
{
	union {
		struct ethtool_sset_info info;
		uint32_t words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 1];
	} query = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};

	if (netdev_ethtool(dev, &query) != 0 || query.info.sset_mask == 0)
		return 0;
	return query.words[ARRAY_COUNT(query.words) - 1];
}

/* The feature's bit number, or -1. */
static int
feature_find(const struct netdev *dev, unsigned count, const char *feature)
{
	struct ethtool_gstrings *names;
	int found = -1;

	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	if (names == NULL)
		return -1;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (netdev_ethtool(dev, names) == 0)
		for (unsigned i = 0; i < names->len && i < count && found < 0; i++)
			if (strncmp((const char *)names->data + (size_t)i * ETH_GSTRING_LEN,
					    feature, ETH_GSTRING_LEN) == 0)
				found = (int)i;
	free(names);
	return found;
}

static bool
feature_is_active(const struct netdev *dev, unsigned count, unsigned bit)
{
	const unsigned blocks = (count + 31) / 32;
	struct ethtool_gfeatures *features;
	bool active = false;

	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (features == NULL)
		return false;
	features->cmd = ETHTOOL_GFEATURES;
	features->size = blocks;
	if (netdev_ethtool(dev, features) == 0)
		active = features->features[bit / 32].active >> bit % 32 & 1;
	free(features);
	return active;
}

bool
netdev_has_feature(const struct netdev *dev, const char *feature)
{
	const unsigned count = feature_count(dev);
	const int bit = count > 0 ? feature_find(dev, count, feature) : -1;

	return bit >= 0 && feature_is_active(dev, count, (unsigned)bit);
}

int
netdev_mtu(const struct netdev *dev)
{
	struct ifreq ifr = {0};
	const int error = netdev_ioctl(dev, SIOCGIFMTU, &ifr);

	return error != 0 ? error : ifr.ifr_mtu;
}

int
netdev_set_mtu(const struct netdev *dev, unsigned mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	return netdev_ioctl(dev, SIOCSIFMTU, &ifr);
}

int
netdev_flags(const struct netdev *dev)
{
	struct ifreq ifr = {0};
	const int error = netdev_ioctl(dev, SIOCGIFFLAGS, &ifr);

	return error != 0 ? error : (unsigned short)ifr.ifr_flags;
}

unsigned
netdev_rx_queues(const struct netdev *dev)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

	if (netdev_ethtool(dev, &channels) != 0 || channels.rx_count + channels.combined_count == 0)
		return 1;
	return channels.rx_count + channels.combined_count;
}

bool
netdev_has_combined_queues(const struct netdev *dev)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

	return netdev_ethtool(dev, &channels) == 0 && channels.combined_count > 0;
}

unsigned
netdev_rss_key_size(const struct netdev *dev)
{
	struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};

	return netdev_ethtool(dev, &sizes) == 0 ? sizes.key_size : 0;
}

bool
netdev_rss_is_symmetric(const struct netdev *dev)
{
	struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};
	struct ethtool_rxfh *rss;
	bool is_symmetric = false;

	if (netdev_ethtool(dev, &sizes) != 0 || sizes.key_size < 2)
		return false;
	rss = calloc(1, sizeof(*rss) + sizes.indir_size * sizeof(uint32_t) + sizes.key_size);
	if (rss == NULL)
		return false;
	*rss = sizes;
	rss->cmd = ETHTOOL_GRSSH;
	if (netdev_ethtool(dev, rss) == 0) {
		const uint8_t *key = (const uint8_t *)(rss->rss_config + sizes.indir_size);

		is_symmetric = memcmp(key, key + 2, sizes.key_size - 2) == 0;
	}
	free(rss);
	return is_symmetric;
}
