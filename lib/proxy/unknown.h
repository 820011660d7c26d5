/* SPDX-License-Identifier: BSD-3-Clause */
/* Sound segments without a connection, one by one: a proof, an answer to our probe, or nothing.
 * Called by the pipeline. */
#ifndef SLUICE_PROXY_UNKNOWN_H
#define SLUICE_PROXY_UNKNOWN_H

#include "proxy/handshake.h"

/** A client's, but for a SYN without ACK. Returns the reason. */
enum reason unknown_from_client(struct worker *w, const struct task *task);

/** A backend's. Returns the reason. */
enum reason unknown_from_backend(struct worker *w, const struct task *task);

#endif
