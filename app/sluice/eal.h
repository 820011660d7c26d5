/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment from the configuration: cores, memory, log level. Lcore 0 is the control
 * thread on control.cpu; worker i is lcore i + 1 on workers.cpus[i].
 */
#ifndef SLUICE_APP_EAL_H
#define SLUICE_APP_EAL_H

#include "control/config.h"
#include "port.h"

/** Starts EAL with room for so many bytes of packet buffers and lists, and for the spare ones if
 * memory is set aside once for all (--no-huge): huge pages can still be taken when they are wanted,
 * and a start must not fail for them. False when it can't, already said with the cure. */
bool eal_start(const struct config *config, const struct port ports[SIDE_COUNT], size_t size,
		size_t spare);

void eal_stop(void);

#endif
