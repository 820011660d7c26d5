/* SPDX-License-Identifier: BSD-3-Clause */
/* What live.c tells flood.bpf.c. */
#ifndef SLUICE_TESTS_LAB_FLOOD_BPF_H
#define SLUICE_TESTS_LAB_FLOOD_BPF_H

#include <linux/types.h>

/** Sums of the 16-bit words, as they are in memory, of all that no frame changes: of the IP header,
 * and of TCP's with its pseudo header (RFC 9293 3.1). */
struct flood_sums {
	__u32 ip;
	__u32 tcp;
};

#endif
