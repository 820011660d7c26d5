/* SPDX-License-Identifier: BSD-3-Clause */
/* One row of ss: a backend and its two queues, and what their state means to clients. */
#ifndef SLUICECTL_LISTING_H
#define SLUICECTL_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** Its next client meets a full accept queue: A + 1 fit, as in Linux. */
bool listing_accept_is_full(const json_t *backend);

/** No further half-open client fits. */
bool listing_syn_is_full(const json_t *backend);

/** What stands in the column Mode: where its SYNs go, or that it is not protected. */
const char *listing_mode(const json_t *backend);

/** Says of all backends in ss's array what a reader could take for something else, one line per
 * kind. */
void listing_print_notes(FILE *out, const json_t *backends);

#endif
