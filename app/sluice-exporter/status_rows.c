/* SPDX-License-Identifier: BSD-3-Clause */
#include "status_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "sample.h"

struct ranked {
	double fullness;
	size_t index;
	const json_t *row;
};

static double
share(const json_t *row, const char *used, const char *limit)
{
	const int64_t most = count_at(row, limit);

	return most > 0 ? (double)count_at(row, used) / (double)most : 0;
}

static double
fullness(const json_t *row)
{
	const double accept = share(row, "recv_q", "send_q");
	const double syn = share(row, "syn_recv", "syn_recv_max");

	return accept > syn ? accept : syn;
}

static int
by_fullness(const void *a, const void *b)
{
	const struct ranked *first = a, *second = b;

	if (first->fullness != second->fullness)
		return first->fullness < second->fullness ? 1 : -1;
	return first->index < second->index ? -1 : 1;
}

static int
by_index(const void *a, const void *b)
{
	const struct ranked *first = a, *second = b;

	return first->index < second->index ? -1 : first->index > second->index;
}

static json_t *
backend_json(const json_t *row, const json_t *now, const json_t *before, double seconds)
{
	static const char *const copied[] = {"backend", "local", "state", "mode", "protection",
			"recv_q", "send_q", "syn_recv", "syn_recv_max", "established",
			"waiting_ms"};
	static const struct {
		const char *counter, *name;
	} rates[] = {
			{"ListenOverflows", "overflows"},
			{"ListenDrops", "drops"},
			{"SyncookiesSent", "cookies"},
			{"PassiveOpens", "proved"},
	};
	const char *name = json_string_value(json_object_get(row, "backend"));
	json_t *backend = json_object();

	for (size_t i = 0; i < ARRAY_COUNT(copied); i++)
		json_object_set(backend, copied[i], json_object_get(row, copied[i]));
	now = json_object_get(now, name);
	before = json_object_get(before, name);
	for (size_t i = 0; i < ARRAY_COUNT(rates); i++)
		json_object_set_new(backend, rates[i].name,
				json_real(rate_at(now, before, rates[i].counter, seconds)));
	json_object_set_new(
			backend, "overflows_total", json_integer(count_at(now, "ListenOverflows")));
	return backend;
}

json_t *
status_backends(const json_t *rows, const json_t *now, const json_t *before, double seconds,
		size_t most)
{
	const size_t total = json_array_size(rows);
	struct ranked *ranked = calloc(total + 1, sizeof(*ranked));
	json_t *list = json_array();
	const json_t *row;
	size_t i;

	ENSURE(ranked != NULL);
	json_array_foreach(rows, i, row) ranked[i] =
			(struct ranked){.fullness = fullness(row), .index = i, .row = row};
	if (total > most) {
		qsort(ranked, total, sizeof(*ranked), by_fullness);
		qsort(ranked, most, sizeof(*ranked), by_index);
	}
	for (i = 0; i < total && i < most; i++)
		json_array_append_new(list, backend_json(ranked[i].row, now, before, seconds));
	free(ranked);
	return json_pack("{s:I, s:o}", "total", (json_int_t)total, "rows", list);
}

json_t *
status_workers(const json_t *now, const json_t *before, double seconds)
{
	json_t *list = json_array();
	const json_t *worker;
	size_t i;

	json_array_foreach(now, i, worker)
	{
		const json_t *received = json_object_get(worker, "received");
		const json_t *received_before =
				json_object_get(json_array_get(before, i), "received");

		json_array_append_new(list,
				json_pack("{s:I, s:O?, s:O?, s:I, s:f}", "cpu",
						(json_int_t)count_at(worker, "cpu"), "busy_percent",
						json_object_get(worker, "busy_percent"), "stalled",
						json_object_get(worker, "stalled"), "connections",
						(json_int_t)count_at(worker, "connections"),
						"received",
						rate_at(received, received_before, "client",
								seconds) +
								rate_at(received, received_before,
										"server",
										seconds)));
	}
	return list;
}

json_t *
status_ports(const json_t *now, const json_t *before, double seconds)
{
	json_t *ports = json_object();
	const char *side;
	json_t *port;

	json_object_foreach((json_t *)now, side, port)
	{
		const json_t *past = json_object_get(before, side);

		json_object_set_new(ports, side,
				json_pack("{s:f, s:f, s:f}", "received",
						rate_at(port, past, "ipackets", seconds), "sent",
						rate_at(port, past, "opackets", seconds), "lost",
						rate_at(port, past, "imissed", seconds) +
								rate_at(port, past, "tx_refused",
										seconds)));
	}
	return ports;
}

json_t *
status_findings(const json_t *doctor, size_t most)
{
	const json_t *findings = json_object_get(doctor, "findings"), *finding;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(findings, i, finding)
	{
		if (i < most)
			json_array_append(list, (json_t *)finding);
	}
	return json_pack("{s:O?, s:I, s:o}", "healthy", json_object_get(doctor, "healthy"), "total",
			(json_int_t)json_array_size(findings), "findings", list);
}
