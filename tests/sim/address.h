/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who lives where. Honest clients are numbered from 0 and live at 10.0.1.n and fd00:1::n, backends
 * by slot at 10.0.0.2 and fd00::2; everybody else is a stranger behind the client side's router.
 */
#ifndef SLUICE_TESTS_SIM_ADDRESS_H
#define SLUICE_TESTS_SIM_ADDRESS_H

#include "packets.h"

#define BACKENDS 3
#define CLIENTS_MAX 16

/** Slot 0: 10.0.0.2:80, slot 1: [fd00::2]:80, slot 2: 10.0.0.2:443. */
unsigned address_backend_version(unsigned slot);
uint16_t address_backend_port(unsigned slot);
void address_backend(unsigned slot, uint8_t address[16]);

void address_client(unsigned client, unsigned ip_version, uint8_t address[16]);

/** Its number, or -1 for a stranger's address. */
int address_client_number(const uint8_t address[16], unsigned ip_version);

void mac_backend(uint8_t mac[6]);
void mac_client(unsigned client, uint8_t mac[6]);
void mac_router(uint8_t mac[6]);

/** A packet from a client to a backend: addresses, ports, MACs; the rest as packet_ip4() has it. */
struct packet address_packet(unsigned client, uint16_t client_port, unsigned slot);

/** The way back: ends exchanged, tags kept. */
struct packet address_reply(const struct packet *packet);

#endif
