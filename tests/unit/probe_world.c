/* SPDX-License-Identifier: BSD-3-Clause */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "probe_world.h"

static const uint8_t our_mac[MAC_BYTES] = WORLD_MAC;
static const uint8_t hop_mac[MAC_BYTES] = PROBE_WORLD_HOP_MAC;

struct probe_config
probe_world_config(void)
{
	struct probe_config probe = {.ip4 = {.prefix = 24}, .ip6 = {.prefix = 64}};

	probe.ip4.source = ip_addr_from_ip4(htobe32(0x0a0000fa));
	probe.ip6.source = (union ip_addr){.bytes = {0xfd, [14] = 0x02, [15] = 0x50}};
	return probe;
}

struct world *
probe_world_new(uint16_t slot, const struct probe_config *probe)
{
	struct world *w = world_new(&(struct world_options){.probe = probe});

	w->configs[slot].profile = PROFILE_PROBE;
	world_publish(w);
	return w;
}

uint16_t
probe_world_slot(unsigned version)
{
	return version == 6 ? 1 : 0;
}

struct emitted_packet
probe_world_take(struct world *w)
{
	assert_int_equal(w->emitted_count, 1);
	assert_int_equal(w->emitted[0].to, SIDE_BACKEND);
	w->emitted_count = 0;
	return w->emitted[0];
}

uint32_t
probe_world_icmp6_sum(const uint8_t *ip, const uint8_t *message, size_t length)
{
	uint32_t sum = 58 + (uint32_t)length;

	for (unsigned i = 8; i < 40; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	for (size_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)message[i] << 8 : message[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void
probe_world_icmp6_fix(uint8_t *ip, size_t length)
{
	uint32_t sum;

	ip[42] = ip[43] = 0;
	sum = ~probe_world_icmp6_sum(ip, ip + 40, length);
	ip[42] = (uint8_t)(sum >> 8);
	ip[43] = (uint8_t)sum;
}

size_t
probe_world_ether(uint8_t *frame, const uint8_t *to, bool tagged, uint16_t type)
{
	size_t at = 12;

	memcpy(frame, to, MAC_BYTES);
	memcpy(frame + 6, hop_mac, MAC_BYTES);
	if (tagged) {
		memcpy(frame + at, (const uint8_t[]){0x81, 0, 0, 10}, 4);
		at += 4;
	}
	frame[at] = (uint8_t)(type >> 8);
	frame[at + 1] = (uint8_t)type;
	return at + 2;
}

size_t
probe_world_arp(uint8_t *frame, bool tagged, uint8_t operation, uint8_t sender, uint8_t target)
{
	size_t at = probe_world_ether(frame, our_mac, tagged, 0x0806);
	const uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 0x42, 10, 0, 0,
			sender, 2, 0, 0, 0, 0, 0x99, 10, 0, 0, target};

	memcpy(frame + at, arp, sizeof(arp));
	return at + sizeof(arp);
}

size_t
probe_world_nd(uint8_t *frame, bool tagged, uint8_t type, uint16_t source, const uint8_t to[16],
		uint16_t target, uint8_t option)
{
	size_t at = probe_world_ether(frame, our_mac, tagged, 0x86dd);
	uint8_t *ip = frame + at;
	size_t length = option != 0 ? 32 : 24;

	memset(ip, 0, 40 + length);
	memcpy(ip, (const uint8_t[]){0x60, 0, 0, 0, 0, (uint8_t)length, 58, 255}, 8);
	if (source != 0) {
		ip[8] = 0xfd;
		ip[22] = (uint8_t)(source >> 8);
		ip[23] = (uint8_t)source;
	}
	memcpy(ip + 24, to, 16);
	ip[40] = type;
	ip[44] = type == 136 ? 0x60 : 0;
	ip[48] = 0xfd;
	ip[62] = (uint8_t)(target >> 8);
	ip[63] = (uint8_t)target;
	if (option != 0) {
		ip[64] = option;
		ip[65] = 1;
		memcpy(ip + 66, hop_mac, MAC_BYTES);
	}
	probe_world_icmp6_fix(ip, length);
	return at + 40 + length;
}

struct outcome
probe_world_tell(struct world *w, unsigned version, bool tagged, uint8_t hop)
{
	static const uint8_t us[16] = {0xfd, [14] = 0x02, [15] = 0x50};
	uint8_t frame[128];
	size_t length = version == 6 ? probe_world_nd(frame, tagged, 136, hop, us, hop, 2)
				     : probe_world_arp(frame, tagged, 2, hop, 250);

	return world_send_frame(w, SIDE_BACKEND, frame, length);
}
