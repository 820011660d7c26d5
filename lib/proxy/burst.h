/* SPDX-License-Identifier: BSD-3-Clause */
/* The packets of one poll of one port, handed to sluice_burst() together. */
#ifndef SLUICE_PROXY_BURST_H
#define SLUICE_PROXY_BURST_H

#include "net/pkt.h"

#define BURST_MAX 32

struct burst {
	enum side from; /**< the side whose port they came in by */
	unsigned count; /**< 0..BURST_MAX */
	struct pkt pkts[BURST_MAX];
};

#endif
