/* SPDX-License-Identifier: BSD-3-Clause */
/* What the process gives up once its sockets are open. */
#ifndef SLUICE_EXPORTER_PRIVILEGES_H
#define SLUICE_EXPORTER_PRIVILEGES_H

#include <stdbool.h>

/** Becomes the user and group named (NULL: the defaults) when started as root; gives up all
 * capabilities and the way to get any, whoever started it. False: it can't, already said. */
bool privileges_drop(const char *user, const char *group);

#endif
