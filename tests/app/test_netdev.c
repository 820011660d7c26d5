/* SPDX-License-Identifier: BSD-3-Clause */
/* What an interface's driver says of its RSS key, before a kernel that answers from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/base.h"
#include "netdev.h"

#define TABLE_ENTRIES 8

/* Of the driver that is asked; 0: it knows no keys. */
static uint32_t key_size;
/* The last byte of its key is another one. */
static bool is_broken;

/* In the C library's place. */
int
ioctl(int fd, unsigned long request, ...)
{
	struct ethtool_rxfh *rss;
	struct ifreq *ifr;
	va_list values;
	uint8_t *key;

	(void)fd;
	va_start(values, request);
	ifr = va_arg(values, struct ifreq *);
	va_end(values);
	assert_int_equal(request, SIOCETHTOOL);
	rss = (struct ethtool_rxfh *)ifr->ifr_data;
	assert_int_equal(rss->cmd, ETHTOOL_GRSSH);
	if (key_size == 0)
		return -1;
	key = (uint8_t *)(rss->rss_config + rss->indir_size);
	for (uint32_t i = 0; i < rss->key_size; i++)
		key[i] = is_broken && i == key_size - 1 ? 0 : i % 2 == 0 ? 0x6d : 0x5a;
	rss->indir_size = TABLE_ENTRIES;
	rss->key_size = key_size;
	return 0;
}

/* 1. Keys of all lengths that drivers have, told and compared to the last byte. */
static void
test_rss_key(void **state)
{
	static const struct {
		uint32_t key_size;
		bool is_broken, is_symmetric;
	} cases[] = {
			{0, false, false},
			{40, false, true},
			{40, true, false},
			{52, false, true},
			{52, true, false},
	};
	const struct netdev dev = {.fd = -1, .name = "c1"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		key_size = cases[i].key_size;
		is_broken = cases[i].is_broken;
		assert_int_equal(netdev_rss_key_size(&dev), key_size);
		assert_int_equal(netdev_rss_is_symmetric(&dev), cases[i].is_symmetric);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_rss_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
