/* SPDX-License-Identifier: BSD-3-Clause */
/* Device strings, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "device.h"

static const struct {
	const char *text;
	bool valid;
	struct device device;
} table[] = {
		/* 1 */ {"0000:03:00.0", true, {DEVICE_PCI, "0000:03:00.0", "", 1, 2048, false}},
		/* 2 */ {"03:00.1", true, {DEVICE_PCI, "03:00.1", "", 1, 2048, false}},
		/* 3 */
		{"net_af_packet0,iface=c1", true,
				{DEVICE_AF_PACKET, "net_af_packet0", "c1", 1, 2048, false}},
		/* 4 */
		{"net_af_packet1,qpairs=4,framesz=16384,iface=s1", true,
				{DEVICE_AF_PACKET, "net_af_packet1", "s1", 4, 16384, true}},
		/* 5 */
		{"net_af_xdp0,iface=eth0,queue_count=2", true,
				{DEVICE_AF_XDP, "net_af_xdp0", "eth0", 2, 2048, false}},
		/* 6 */
		{"net_tap0,iface=t0", true, {DEVICE_VIRTUAL, "net_tap0", "", 1, 2048, false}},
		/* 7: a socket's path is no interface */
		{"net_vhost0,iface=/run/sluice/client.sock,tso=1", true,
				{DEVICE_VIRTUAL, "net_vhost0", "", 1, 2048, false}},
		/* 8 */ {"net_null0", true, {DEVICE_VIRTUAL, "net_null0", "", 1, 2048, false}},
		/* 9 */
		{"eth_af_packet0,iface=abcdefghijklmno", true,
				{DEVICE_AF_PACKET, "eth_af_packet0", "abcdefghijklmno", 1, 2048,
						false}},
		/* 10: keys that only begin alike */
		{"net_af_packet0,iface=c1,qpairsx=3,xframesz=1", true,
				{DEVICE_AF_PACKET, "net_af_packet0", "c1", 1, 2048, false}},
		/* 11: an empty argument and one without value */
		{"net_af_packet0,,iface=c1,flag", true,
				{DEVICE_AF_PACKET, "net_af_packet0", "c1", 1, 2048, false}},
		/* 12 */
		{"net_af_packet0,iface=c1,blocksz=8192", true,
				{DEVICE_AF_PACKET, "net_af_packet0", "c1", 1, 2048, true}},
		/* 13: memif */
		{"net_memif0,role=server,id=0,socket=/run/sluice/memif.sock,socket-abstract=no",
				true, {DEVICE_VIRTUAL, "net_memif0", "", 1, 2048, false}},
		/* 14 */ {"", false, {0}},
		/* 15 */ {",iface=c1", false, {0}},
		/* 16: no interface */ {"net_af_packet0", false, {0}},
		/* 17 */ {"net_af_xdp0,iface=", false, {0}},
		/* 18: interface of 16 bytes */
		{"net_af_packet0,iface=abcdefghijklmnop", false, {0}},
		/* 19: name of 64 bytes */
		{"net_null0123456789012345678901234567890123456789012345678901234567", false, {0}},
};

static void
test_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
		struct device device;

		assert_int_equal(device_parse(table[i].text, &device), table[i].valid);
		if (!table[i].valid)
			continue;
		assert_int_equal(device.kind, table[i].device.kind);
		assert_string_equal(device.name, table[i].device.name);
		assert_string_equal(device.interface, table[i].device.interface);
		assert_int_equal(device.queues, table[i].device.queues);
		assert_int_equal(device.frame_size, table[i].device.frame_size);
		assert_int_equal(device.has_slots, table[i].device.has_slots);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
