/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stats_json() gives, and what only the appliance knows (report_json()): ports, mbufs,
 * steering.
 * {..., "ports": {"client": {"received": n, ..., "tx_refused": n, "tx_too_large": n}, "server":
 * {...}}, "mbufs": {"total": n, "in_use": n, "in_use_at_start": n}, "steered": n}
 */
#include "report.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#define WRITE_TIMEOUT_MS 1000
/* A pipe that poll() calls writable takes this much at once (PIPE_BUF), without blocking. */
#define WRITE_BYTES 4096

static json_t *
port_json(const struct port *port, uint64_t refused, uint64_t too_large)
{
	struct rte_eth_stats stats = {0};

	if (rte_eth_stats_get(port->id, &stats) != 0)
		stats = (struct rte_eth_stats){0}; /* the device is gone */
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ipackets",
			(json_int_t)stats.ipackets, "opackets", (json_int_t)stats.opackets,
			"ibytes", (json_int_t)stats.ibytes, "obytes", (json_int_t)stats.obytes,
			"imissed", (json_int_t)stats.imissed, "ierrors", (json_int_t)stats.ierrors,
			"oerrors", (json_int_t)stats.oerrors, "rx_nombuf",
			(json_int_t)stats.rx_nombuf, "tx_refused", (json_int_t)refused,
			"tx_too_large", (json_int_t)too_large);
}

static void
stdout_write(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};
		ssize_t n;

		if (poll(&writable, 1, WRITE_TIMEOUT_MS) <= 0 || (writable.revents & POLLOUT) == 0)
			return;
		n = write(STDOUT_FILENO, text, left < WRITE_BYTES ? left : WRITE_BYTES);
		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

json_t *
report_json(const struct report *report)
{
	const struct workers *workers = report->workers;
	const struct port *ports = report->ports;
	const struct mbufs *mbufs = report->mbufs;

	/* "o*" passes ownership; a member that could not be made is left out. */
	return json_pack("{s:o*, s:o*, s:I}", "ports",
			json_pack("{s:o*, s:o*}", "client",
					port_json(&ports[SIDE_CLIENT],
							workers_refused(workers, SIDE_CLIENT),
							workers_too_large(workers, SIDE_CLIENT)),
					"server",
					port_json(&ports[SIDE_BACKEND],
							workers_refused(workers, SIDE_BACKEND),
							workers_too_large(workers, SIDE_BACKEND))),
			"mbufs",
			json_pack("{s:I, s:I, s:I}", "total", (json_int_t)mbufs_total(mbufs),
					"in_use", (json_int_t)mbufs_in_use(mbufs),
					"in_use_at_start", (json_int_t)mbufs->in_use_at_start),
			"steered", (json_int_t)workers_steered(workers));
}

void
report_print(const struct report *report, const struct registry *registry)
{
	json_t *stats, *appliance;
	char *text;

	if (!report->workers->is_built)
		return;
	stats = stats_json(registry);
	appliance = report_json(report);
	if (stats != NULL && appliance != NULL)
		json_object_update(stats, appliance);
	text = stats != NULL ? json_dumps(stats, JSON_COMPACT) : NULL;
	json_decref(stats);
	json_decref(appliance);
	if (text == NULL)
		return;
	stdout_write(text);
	stdout_write("\n");
	free(text);
}
