/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of the page's JSON: backends, workers, ports, findings. Each is a new reference; rates are
 * per second, over the given seconds between now and before (0: not known, all 0). */
#ifndef SLUICE_EXPORTER_STATUS_ROWS_H
#define SLUICE_EXPORTER_STATUS_ROWS_H

#include <jansson.h>
#include <stddef.h>

/** {"total": n, "rows": [...]}: at most most of them, in their order; when there are more, those
 * whose queues are fullest. rows: the result of ss. */
json_t *status_backends(const json_t *rows, const json_t *now, const json_t *before, double seconds,
		size_t most);

json_t *status_workers(const json_t *now, const json_t *before, double seconds);

json_t *status_ports(const json_t *now, const json_t *before, double seconds);

/** {"healthy": bool, "total": n, "findings": [...]}: at most most of them. */
json_t *status_findings(const json_t *doctor, size_t most);

#endif
