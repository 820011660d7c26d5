/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums that a veth or virtio peer left to hardware that isn't there, in traffic that only
 * passes: the field holds the pseudo-header's sum alone, and the next host would drop the
 * packet. Packets of backends are completed by the library, which checks them anyway.
 */
#ifndef SLUICE_APP_PARTIAL_H
#define SLUICE_APP_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Completes the TCP or UDP checksum of an IP packet whose header starts at data[l3_offset], in
 * place. Leaves alone whatever is right already, is wrong in another way, is a fragment, or
 * has IPv6 extension headers. True when it changed the packet.
 */
bool partial_complete(uint8_t *data, uint32_t length, uint32_t l3_offset);

#endif
