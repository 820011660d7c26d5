/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's end of the letter-box: see table/inspect.h. */
#ifndef SLUICE_PROXY_INSPECT_H
#define SLUICE_PROXY_INSPECT_H

#include "proxy/worker.h"

/** Works on the letter in the box, if there is one: a bounded number of records per call. */
void inspect_work(struct worker *w);

#endif
