/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment from the configuration: cores, memory, log level. Lcore 0 is the control
 * thread on control.cpu; worker i is lcore i + 1 on workers.cpus[i].
 */
#ifndef SLUICE_APP_EAL_H
#define SLUICE_APP_EAL_H

#include "control/config.h"
#include "port.h"

/** Starts EAL with room for mbufs_size bytes of packet buffers. False when it can't, already
 * said with the cure. */
bool eal_start(const struct config *config, const struct port ports[SIDE_COUNT], size_t mbufs_size);

void eal_stop(void);

#endif
