/* SPDX-License-Identifier: BSD-3-Clause */
#include "address.h"

#include <string.h>

unsigned
address_backend_version(unsigned slot)
{
	return slot == 1 ? 6 : 4;
}

uint16_t
address_backend_port(unsigned slot)
{
	return slot == 2 ? 443 : 80;
}

void
address_backend(unsigned slot, uint8_t address[16])
{
	memset(address, 0, 16);
	if (address_backend_version(slot) == 4) {
		memcpy(address, (const uint8_t[]){10, 0, 0, 2}, 4);
	} else {
		address[0] = 0xfd;
		address[15] = 2;
	}
}

void
address_client(unsigned client, unsigned ip_version, uint8_t address[16])
{
	memset(address, 0, 16);
	if (ip_version == 4) {
		memcpy(address, (const uint8_t[]){10, 0, 1}, 3);
		address[3] = (uint8_t)(client + 1);
	} else {
		address[0] = 0xfd;
		address[3] = 1;
		address[15] = (uint8_t)(client + 1);
	}
}

int
address_client_number(const uint8_t address[16], unsigned ip_version)
{
	unsigned last = address[ip_version == 4 ? 3 : 15];
	uint8_t expected[16];

	if (last == 0 || last > CLIENTS_MAX)
		return -1;
	address_client(last - 1, ip_version, expected);
	return memcmp(address, expected, 16) == 0 ? (int)last - 1 : -1;
}

static void
mac_of(uint8_t mac[6], unsigned group, unsigned number)
{
	memcpy(mac, (const uint8_t[]){2, 0, 0, 0, (uint8_t)group, (uint8_t)number}, 6);
}

void
mac_backend(uint8_t mac[6])
{
	mac_of(mac, 0, 2);
}

void
mac_client(unsigned client, uint8_t mac[6])
{
	mac_of(mac, 1, client + 1);
}

void
mac_router(uint8_t mac[6])
{
	mac_of(mac, 2, 1);
}

struct packet
address_packet(unsigned client, uint16_t client_port, unsigned slot)
{
	uint16_t port = address_backend_port(slot);
	unsigned ip_version = address_backend_version(slot);
	struct packet packet =
			ip_version == 4 ? packet_ip4("10.0.1.0", client_port, "10.0.0.2", port)
					: packet_ip6("fd00:1::", client_port, "fd00::2", port);

	address_client(client, ip_version, packet.source);
	address_backend(slot, packet.destination);
	mac_client(client, packet.ether_source);
	mac_backend(packet.ether_destination);
	return packet;
}

struct packet
address_reply(const struct packet *packet)
{
	struct packet reply = packet->ip_version == 4 ? packet_ip4("0.0.0.0", 1, "0.0.0.0", 1)
						      : packet_ip6("::", 1, "::", 1);

	memcpy(reply.source, packet->destination, 16);
	memcpy(reply.destination, packet->source, 16);
	memcpy(reply.ether_source, packet->ether_destination, 6);
	memcpy(reply.ether_destination, packet->ether_source, 6);
	memcpy(reply.vlans, packet->vlans, sizeof(reply.vlans));
	reply.vlan_count = packet->vlan_count;
	reply.source_port = packet->destination_port;
	reply.destination_port = packet->source_port;
	return reply;
}
