/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an IP fragment of TCP can do to the receiver's reassembled header. A packet filter sees no
 * more than one fragment at a time; so that no set of fragments can become a SYN that no single one
 * shows, all that could write into the first 20 bytes of TCP without showing them whole is set
 * apart (RFC 1858 3, RFC 3128; RFC 7112 for IPv6).
 */
#ifndef SLUICE_NET_FRAGMENT_H
#define SLUICE_NET_FRAGMENT_H

#include <stdint.h>

enum fragment_kind {
	FRAGMENT_UNSAFE, /**< a first one without the whole header, a later one that reaches into it
			  */
	FRAGMENT_SYN,	 /**< a first one with the SYN flag */
	FRAGMENT_PLAIN,
};

/** Judges the fragment whose length bytes at data belong at offset in a packet that is TCP from its
 * first byte on. */
enum fragment_kind fragment_judge(const uint8_t *data, uint32_t length, uint32_t offset);

#endif
