/* SPDX-License-Identifier: BSD-3-Clause */
/* Goes through what the appliance sent, not through a list of what it might send: what a newer one
 * counts appears by itself. Only texts come from our own lists. */
#include "metrics.h"

#include <ctype.h>
#include <string.h>

#include "table/counters.h"

#define WAITS_MAX 64

void
metrics_snake(char snake[64], const char *camel)
{
	size_t used = 0;

	for (size_t i = 0; camel[i] != '\0' && used < 62; i++) {
		const unsigned char c = (unsigned char)camel[i];

		/* A word begins after a small letter, and where a small one follows a capital. */
		if (isupper(c) && i > 0 &&
				(islower((unsigned char)camel[i - 1]) ||
						islower((unsigned char)camel[i + 1])))
			snake[used++] = '_';
		snake[used++] = isalnum(c) ? (char)tolower(c) : '_';
	}
	snake[used] = '\0';
}

static const char *
counter_text(const char *name)
{
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++) {
		if (strcmp(backend_counter_name(i), name) == 0)
			return backend_counter_text(i);
	}
	return "see sluicectl help counters";
}

static bool
is_gauge(const char *counter)
{
	return strcmp(counter, "CurrEstab") == 0;
}

static const char *
verdict_of(const char *reason)
{
	static const char *const names[] = {[VERDICT_DROP] = "drop",
			[VERDICT_FORWARD] = "forward",
			[VERDICT_REPLY] = "reply",
			[VERDICT_HOLD] = "hold"};

	for (unsigned i = 1; i < REASON_COUNT; i++) {
		if (strcmp(reason_name(i), reason) == 0)
			return names[reason_verdict(i)];
	}
	return "unknown";
}

/* A family without labels. */
static void
single(struct families *families, const char *name, enum family_type type, const char *unit,
		const char *help, double value)
{
	family_begin(families, name, type, unit, help);
	family_number(families, NULL, 0, value);
}

static void
appliance_write(struct families *families, const struct sample *sample)
{
	const struct label version = {
			"version", json_string_value(json_object_get(sample->ping, "sluice"))};
	const json_t *reload = json_object_get(sample->ping, "last_reload");

	family_begin(families, "sluice_build", FAMILY_INFO, NULL, "the appliance's version");
	family_count(families, &version, version.value != NULL, 1);
	single(families, "sluice_uptime_seconds", FAMILY_GAUGE, "seconds",
			"time since the appliance was ready",
			(double)count_at(sample->ping, "uptime_s"));
	single(families, "sluice_config_generation", FAMILY_GAUGE, NULL,
			"configurations taken since the start, the first included",
			(double)count_at(sample->ping, "config_generation"));
	if (json_is_object(reload)) {
		single(families, "sluice_config_last_reload_successful", FAMILY_GAUGE, NULL,
				"1 when the last reload was accepted, 0 when it was refused",
				json_is_true(json_object_get(reload, "accepted")));
		single(families, "sluice_config_last_reload_age_seconds", FAMILY_GAUGE, "seconds",
				"time since the last reload was tried",
				(double)count_at(reload, "ago_s"));
	}
	single(families, "sluice_connections", FAMILY_GAUGE, NULL,
			"connections held now, in any state, TIME_WAIT included",
			(double)count_at(sample->stats, "connections"));
	single(families, "sluice_packets_received", FAMILY_COUNTER, NULL,
			"packets received; the sum of sluice_packets_total",
			(double)count_at(sample->stats, "received"));
	single(families, "sluice_packets_steered", FAMILY_COUNTER, NULL,
			"packets handed from one worker to another",
			(double)count_at(sample->stats, "steered"));
}

static void
sources_write(struct families *families, const json_t *sources)
{
	static const char *const lists[] = {"deny", "allow"};
	static const char *const versions[] = {"ipv4", "ipv6"};

	family_begin(families, "sluice_source_prefixes", FAMILY_GAUGE, NULL,
			"address prefixes in the lists of denied and allowed sources");
	for (unsigned i = 0; i < 4; i++) {
		const char *list = lists[i / 2], *version = versions[i % 2];
		const struct label labels[] = {{"list", list}, {"family", version}};

		family_count(families, labels, 2,
				count_at(json_object_get(sources, list), version));
	}
}

static void
reasons_write(struct families *families, const json_t *stats)
{
	const char *name;
	json_t *value;

	family_begin(families, "sluice_packets", FAMILY_COUNTER, NULL,
			"packets received, each by the one reason for what became of it");
	json_object_foreach(json_object_get(stats, "reasons"), name, value)
	{
		const struct label labels[] = {{"reason", name}, {"verdict", verdict_of(name)}};

		family_count(families, labels, 2, json_integer_value(value));
	}
	family_begin(families, "sluice_packets_emitted", FAMILY_COUNTER, NULL,
			"packets made beside those edited in place; failed: not made for want of a "
			"buffer");
	json_object_foreach(json_object_get(stats, "emitted"), name, value)
	{
		const struct label label = {"kind", name};

		family_count(families, &label, 1, json_integer_value(value));
	}
}

static void
totals_write(struct families *families, const json_t *stats)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(stats, "total"), name, value)
	{
		char snake[64], family[80];

		metrics_snake(snake, name);
		snprintf(family, sizeof(family), "sluice_%s", snake);
		family_begin(families, family, is_gauge(name) ? FAMILY_GAUGE : FAMILY_COUNTER, NULL,
				counter_text(name));
		family_count(families, NULL, 0, json_integer_value(value));
	}
}

/* One number of each worker. */
static void
workers_family(struct families *families, const json_t *workers, const char *name,
		enum family_type type, const char *unit, const char *help, const char *key,
		double factor)
{
	const json_t *worker;
	size_t i;

	family_begin(families, name, type, unit, help);
	json_array_foreach(workers, i, worker)
	{
		const json_t *value = json_object_get(worker, key);
		char cpu[24];
		const struct label label = {"cpu", cpu};

		snprintf(cpu, sizeof(cpu), "%lld", (long long)count_at(worker, "cpu"));
		if (json_is_boolean(value))
			family_count(families, &label, 1, json_is_true(value));
		else if (json_is_number(value))
			family_number(families, &label, 1, json_number_value(value) * factor);
	}
}

static void
workers_write(struct families *families, const json_t *workers)
{
	const json_t *worker, *count;
	const char *side;
	size_t i;

	family_begin(families, "sluice_worker_packets_received", FAMILY_COUNTER, NULL,
			"packets a worker received, by the side they came from");
	json_array_foreach(workers, i, worker)
	{
		json_object_foreach(json_object_get(worker, "received"), side, count)
		{
			char cpu[24];
			const struct label labels[] = {{"cpu", cpu}, {"side", side}};

			snprintf(cpu, sizeof(cpu), "%lld", (long long)count_at(worker, "cpu"));
			family_count(families, labels, 2, json_integer_value(count));
		}
	}
	workers_family(families, workers, "sluice_worker_busy_ratio", FAMILY_GAUGE, "ratio",
			"share of a worker's cycles of the last second in which it found packets "
			"or "
			"due timers",
			"busy_percent", 0.01);
	workers_family(families, workers, "sluice_worker_busy_cycles", FAMILY_COUNTER, "cycles",
			"time stamp counter cycles in which it did", "busy_cycles", 1);
	workers_family(families, workers, "sluice_worker_idle_cycles", FAMILY_COUNTER, "cycles",
			"those in which it found nothing", "idle_cycles", 1);
	workers_family(families, workers, "sluice_worker_connections", FAMILY_GAUGE, NULL,
			"connections a worker holds now, in any state", "connections", 1);
	workers_family(families, workers, "sluice_worker_stalled", FAMILY_GAUGE, NULL,
			"1 while a worker makes no progress", "stalled", 1);
	workers_family(families, workers, "sluice_worker_stalls", FAMILY_COUNTER, NULL,
			"how often a worker made none for control.watchdog_s", "stalls", 1);
	workers_family(families, workers, "sluice_worker_pauses", FAMILY_COUNTER, NULL,
			"gaps of more than 100 ms in a worker's progress", "pauses", 1);
	workers_family(families, workers, "sluice_worker_paused_seconds", FAMILY_COUNTER, "seconds",
			"the time in these gaps", "paused_ms", 0.001);
}

static void
ports_write(struct families *families, const json_t *stats)
{
	static const struct {
		const char *key, *name, *unit, *help;
	} known[] = {
			{"ipackets", "sluice_port_received_packets", "packets",
					"packets a port received"},
			{"opackets", "sluice_port_sent_packets", "packets", "packets a port sent"},
			{"ibytes", "sluice_port_received_bytes", "bytes", "bytes a port received"},
			{"obytes", "sluice_port_sent_bytes", "bytes", "bytes a port sent"},
			{"imissed", "sluice_port_missed_packets", "packets",
					"packets that met a full receive ring"},
			{"ierrors", "sluice_port_receive_errors", "errors",
					"packets received wrong"},
			{"oerrors", "sluice_port_send_errors", "errors",
					"packets the port could not send"},
			{"rx_nombuf", "sluice_port_unbuffered_packets", "packets",
					"packets not received for want of a buffer"},
			{"tx_refused", "sluice_port_refused_packets", "packets",
					"packets that met a full transmit ring"},
			{"tx_too_large", "sluice_port_oversized_packets", "packets",
					"packets larger than the port's MTU, not sent"},
	};
	const json_t *mbufs = json_object_get(stats, "mbufs");
	const char *side;
	json_t *port;

	for (unsigned i = 0; i < ARRAY_COUNT(known); i++) {
		family_begin(families, known[i].name, FAMILY_COUNTER, known[i].unit, known[i].help);
		json_object_foreach(json_object_get(stats, "ports"), side, port)
		{
			const struct label label = {"port", side};

			family_count(families, &label, 1, count_at(port, known[i].key));
		}
	}
	single(families, "sluice_packet_buffers", FAMILY_GAUGE, NULL, "packet buffers there are",
			(double)count_at(mbufs, "total"));
	single(families, "sluice_packet_buffers_used", FAMILY_GAUGE, NULL,
			"packet buffers in use now", (double)count_at(mbufs, "in_use"));
}

/* All causes there are (lib/control/README.md), so that a series is 0 rather than missing. */
static void
doctor_write(struct families *families, const json_t *doctor)
{
	static const char *const causes[] = {"accept-ring-too-small", "slow-backend",
			"backend-down", "backend-refuses", "syn-queue-too-small", "forged-acks",
			"syn-flood", "connection-table-full", "out-of-buffers", "worker-stalled",
			"egress-budget-small"};
	static const char *const severities[] = {"outage", "warning"};
	const json_t *findings = json_object_get(doctor, "findings"), *finding;
	size_t i;

	family_begin(families, "sluice_doctor_findings", FAMILY_GAUGE, NULL,
			"what sluicectl doctor finds now: backends by cause and severity");
	for (unsigned c = 0; c < ARRAY_COUNT(causes) * 2; c++) {
		const char *cause = causes[c / 2], *severity = severities[c % 2];
		const struct label labels[] = {{"cause", cause}, {"severity", severity}};
		int64_t count = 0;

		json_array_foreach(findings, i, finding)
		{
			const json_t *is_cause = json_object_get(finding, "cause");
			const json_t *is_severity = json_object_get(finding, "severity");

			count += json_is_string(is_cause) && json_is_string(is_severity) &&
				 strcmp(json_string_value(is_cause), cause) == 0 &&
				 strcmp(json_string_value(is_severity), severity) == 0;
		}
		family_count(families, labels, 2, count);
	}
}

/* The row's backend as a label, unless it drains or has no place any more. */
static bool
row_label(const json_t *row, size_t i, const struct metrics_own *own, struct label *label)
{
	const char *state = json_string_value(json_object_get(row, "state"));

	label->name = "backend";
	label->value = json_string_value(json_object_get(row, "backend"));
	return i < own->backends_max && label->value != NULL && state != NULL &&
	       strcmp(state, "LISTEN") == 0;
}

static void
modes_write(struct families *families, const json_t *rows, const struct metrics_own *own)
{
	const json_t *row;
	size_t i;

	family_begin(families, "sluice_backend_mode", FAMILY_GAUGE, NULL,
			"1 with the backend's mode: protect, monitor (its queues and counters are "
			"as "
			"if) or off");
	json_array_foreach(rows, i, row)
	{
		struct label labels[2];
		const char *mode = json_string_value(json_object_get(row, "protection"));

		if (!row_label(row, i, own, &labels[0]) || mode == NULL)
			continue;
		labels[1] = (struct label){"mode", mode};
		family_count(families, labels, 2, 1);
	}
}

static void
rows_write(struct families *families, const json_t *rows, const struct metrics_own *own)
{
	static const struct {
		const char *key, *name, *help;
	} known[] = {
			{"recv_q", "sluice_backend_accept_ring",
					"proved clients that wait for the backend now (Recv-Q)"},
			{"send_q", "sluice_backend_accept_ring_limit",
					"its backlog (Send-Q): one more client fits, as in Linux"},
			{"syn_recv", "sluice_backend_syn_queue",
					"half-open clients now (SYN_RECV)"},
			{"syn_recv_max", "sluice_backend_syn_queue_limit",
					"half-open clients that fit"},
			{"connections", "sluice_backend_connections",
					"connections held now, in any state, TIME_WAIT included"},
	};
	const json_t *row;
	struct label label;
	size_t i;

	for (unsigned k = 0; k < ARRAY_COUNT(known); k++) {
		family_begin(families, known[k].name, FAMILY_GAUGE, NULL, known[k].help);
		json_array_foreach(rows, i, row)
		{
			if (row_label(row, i, own, &label))
				family_count(families, &label, 1, count_at(row, known[k].key));
		}
	}
	family_begin(families, "sluice_backend_cookie_mode", FAMILY_GAUGE, NULL,
			"1 while an unproven client's SYN is answered with a cookie, or would be "
			"in "
			"monitor mode");
	json_array_foreach(rows, i, row)
	{
		const char *mode = json_string_value(json_object_get(row, "mode"));

		if (row_label(row, i, own, &label))
			family_count(families, &label, 1,
					mode != NULL && strcmp(mode, "cookie") == 0);
	}
	modes_write(families, rows, own);
}

static void
waits_write(struct families *families, const json_t *rows, const struct metrics_own *own)
{
	const json_t *row;
	struct label label;
	size_t i;

	family_begin(families, "sluice_backend_accept_wait_seconds", FAMILY_HISTOGRAM, "seconds",
			"how long clients waited from their proof to the backend's answer");
	json_array_foreach(rows, i, row)
	{
		const json_t *waits = json_object_get(row, "waits");
		const json_t *list = json_object_get(waits, "buckets");
		const size_t count = json_array_size(list);
		uint64_t buckets[WAITS_MAX];

		if (!row_label(row, i, own, &label) || count == 0 || count > WAITS_MAX)
			continue;
		for (size_t b = 0; b < count; b++)
			buckets[b] = (uint64_t)json_integer_value(json_array_get(list, b));
		family_histogram(families, &label, 1, buckets, (unsigned)count,
				(double)count_at(waits, "first_us") / 1e6,
				(double)count_at(waits, "sum_us") / 1e6);
	}
}

static void
backends_write(struct families *families, const struct sample *sample,
		const struct metrics_own *own)
{
	const json_t *backends = json_object_get(sample->stats, "backends");
	const json_t *row;
	struct label label;
	size_t i, with_series = 0;
	const char *name;
	json_t *value;

	json_array_foreach(sample->ss, i, row) with_series += row_label(row, i, own, &label);
	single(families, "sluice_backends", FAMILY_GAUGE, NULL,
			"backends there are, those that drain included",
			(double)sample_backends(sample));
	single(families, "sluice_backends_without_series", FAMILY_GAUGE, NULL,
			"those of them without series of their own: they drain, or are more than "
			"--backends-max",
			(double)(sample_backends(sample) - with_series));
	rows_write(families, sample->ss, own);
	waits_write(families, sample->ss, own);
	json_object_foreach(json_object_get(sample->stats, "total"), name, value)
	{
		char snake[64], family[80];

		metrics_snake(snake, name);
		snprintf(family, sizeof(family), "sluice_backend_%s", snake);
		family_begin(families, family, is_gauge(name) ? FAMILY_GAUGE : FAMILY_COUNTER, NULL,
				counter_text(name));
		json_array_foreach(sample->ss, i, row)
		{
			if (row_label(row, i, own, &label))
				family_count(families, &label, 1,
						count_at(json_object_get(backends, label.value),
								name));
		}
	}
}

void
metrics_write(struct families *families, const struct sample *sample, const struct metrics_own *own)
{
	single(families, "sluice_up", FAMILY_GAUGE, NULL,
			"1 when the appliance answered at the last look", sample_is_taken(sample));
	single(families, "sluice_exporter_samples", FAMILY_COUNTER, NULL, "looks at the appliance",
			(double)own->samples);
	single(families, "sluice_exporter_sample_failures", FAMILY_COUNTER, NULL,
			"looks at the appliance without an answer", (double)own->failures);
	single(families, "sluice_exporter_requests", FAMILY_COUNTER, NULL, "HTTP requests answered",
			(double)own->requests);
	single(families, "sluice_exporter_connections_refused", FAMILY_COUNTER, NULL,
			"HTTP connections ended because they were too slow or too many",
			(double)own->refused);
	single(families, "sluice_exporter_connections", FAMILY_GAUGE, NULL, "HTTP connections now",
			own->callers);
	if (sample_is_taken(sample)) {
		single(families, "sluice_exporter_sample_duration_seconds", FAMILY_GAUGE, "seconds",
				"time the last look took", (double)sample->took_ms / 1e3);
		appliance_write(families, sample);
		sources_write(families, json_object_get(sample->ping, "sources"));
		reasons_write(families, sample->stats);
		totals_write(families, sample->stats);
		workers_write(families, json_object_get(sample->stats, "workers"));
		ports_write(families, sample->stats);
		doctor_write(families, sample->doctor);
		backends_write(families, sample, own);
	}
	families_end(families);
}
