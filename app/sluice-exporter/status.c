/* SPDX-License-Identifier: BSD-3-Clause */
/* Points are kept as text, since they are only ever sent on. */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/reason.h"
#include "status_rows.h"

void
status_init(struct status *status)
{
	*status = (struct status){.is_answering = false};
}

void
status_fini(struct status *status)
{
	sample_free(&status->now);
	sample_free(&status->before);
	for (unsigned i = 0; i < STATUS_POINTS; i++)
		free(status->points[i]);
}

static int64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Seconds that the rates are about; 0: there is nothing to compare with. */
static double
seconds_between(const struct status *status)
{
	const struct sample *now = &status->now, *before = &status->before;

	if (!sample_is_taken(before) || count_at(now->ping, "pid") != count_at(before->ping, "pid"))
		return 0;
	return (double)(now->at_ms - before->at_ms) / 1e3;
}

static bool
is_drop(const char *name)
{
	for (unsigned i = 1; i < REASON_COUNT; i++) {
		if (strcmp(reason_name(i), name) == 0)
			return reason_verdict(i) == VERDICT_DROP;
	}
	return false;
}

/* Reasons a SYN to a backend can end with. */
static bool
is_syn(const char *name)
{
	return strncmp(name, "syn_", 4) == 0 && strcmp(name, "syn_queue_reset") != 0 &&
	       strcmp(name, "syn_ack_outside") != 0;
}

static json_t *
point_json(const struct status *status)
{
	const double seconds = seconds_between(status);
	const json_t *reasons = json_object_get(status->now.stats, "reasons");
	const json_t *reasons_before = json_object_get(status->before.stats, "reasons");
	double syn = 0, cookie = 0, spliced = 0, dropped = 0;
	json_t *drops = json_object();
	const char *name;
	json_t *value;

	if (!status->is_answering) {
		json_decref(drops);
		return json_pack("{s:I, s:b}", "t", (json_int_t)wall_ms(), "gap", 1);
	}
	json_object_foreach((json_t *)reasons, name, value)
	{
		const double rate = rate_at(reasons, reasons_before, name, seconds);

		if (rate <= 0)
			continue;
		syn += is_syn(name) ? rate : 0;
		cookie += strcmp(name, "syn_cookie_sent") == 0 ? rate : 0;
		spliced += strncmp(name, "spliced", 7) == 0 ? rate : 0;
		if (!is_drop(name))
			continue;
		dropped += rate;
		json_object_set_new(drops, name, json_real(rate));
	}
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "t", (json_int_t)wall_ms(), "syn",
			syn, "cookie", cookie, "proved",
			rate_at(json_object_get(status->now.stats, "total"),
					json_object_get(status->before.stats, "total"),
					"PassiveOpens", seconds),
			"spliced", spliced, "dropped", dropped, "drops", drops);
}

#define JSON_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(4))

/* Right after a start nothing can be said: no point. */
static void
point_add(struct status *status)
{
	json_t *point;

	if (status->is_answering && seconds_between(status) <= 0)
		return;
	point = point_json(status);
	free(status->points[status->point_next]);
	status->points[status->point_next] = json_dumps(point, JSON_FORMAT);
	status->point_next = (status->point_next + 1) % STATUS_POINTS;
	if (status->point_count < STATUS_POINTS)
		status->point_count++;
	json_decref(point);
}

void
status_add(struct status *status, struct sample *sample)
{
	sample_free(&status->before);
	status->before = status->now;
	/* With tens of thousands of backends each tree is large. */
	sample_keep_counters(&status->before);
	status->now = *sample;
	*sample = (struct sample){0};
	status->is_answering = true;
	status->problem[0] = '\0';
	point_add(status);
}

/* A path may be any bytes, and a sentence that is cut may end within a character; JSON takes UTF-8
 * alone. */
static void
ascii_only(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
status_fail(struct status *status, const char *problem)
{
	status->is_answering = false;
	snprintf(status->problem, sizeof(status->problem), "%s", problem);
	ascii_only(status->problem);
	point_add(status);
}

static json_t *
appliance_json(const struct sample *sample)
{
	const json_t *ping = sample->ping;

	return json_pack("{s:O?, s:I, s:I, s:I, s:O?}", "version", json_object_get(ping, "sluice"),
			"pid", (json_int_t)count_at(ping, "pid"), "uptime_s",
			(json_int_t)count_at(ping, "uptime_s"), "config_generation",
			(json_int_t)count_at(ping, "config_generation"), "config",
			json_object_get(ping, "config"));
}

/* Adds what is known of the appliance, however old it is. */
static void
known_add(const struct status *status, json_t *text)
{
	const struct sample *now = &status->now, *before = &status->before;
	const double seconds = seconds_between(status);
	const json_t *reload = json_object_get(now->ping, "last_reload");
	json_t *backends;

	json_object_set_new(text, "appliance", appliance_json(now));
	json_object_set_new(text, "last_reload",
			reload != NULL ? json_incref((json_t *)reload) : json_null());
	json_object_set_new(text, "doctor", status_findings(now->doctor, STATUS_FINDINGS_MAX));
	json_object_set_new(text, "workers",
			status_workers(json_object_get(now->stats, "workers"),
					json_object_get(before->stats, "workers"), seconds));
	json_object_set_new(text, "ports",
			status_ports(json_object_get(now->stats, "ports"),
					json_object_get(before->stats, "ports"), seconds));
	backends = status_backends(now->ss, json_object_get(now->stats, "backends"),
			json_object_get(before->stats, "backends"), seconds, STATUS_BACKENDS_MAX);
	json_object_set_new(backends, "total", json_integer((json_int_t)sample_backends(now)));
	json_object_set_new(text, "backends", backends);
	json_object_set_new(text, "established",
			json_integer(count_at(json_object_get(now->stats, "total"), "CurrEstab")));
}

char *
status_text(const struct status *status, size_t *length)
{
	const unsigned newest = (status->point_next + STATUS_POINTS - 1) % STATUS_POINTS;
	const bool is_known = sample_is_taken(&status->now);
	json_t *text = json_pack("{s:s, s:s, s:s, s:f}", "state",
			status->is_answering ? "live"
			: is_known	     ? "disconnected"
					     : "waiting",
			"problem", status->problem, "exporter", SLUICE_VERSION, "age_s",
			is_known ? (double)(sample_clock_ms() - status->now.at_ms) / 1e3 : 0);
	char *written;

	if (is_known)
		known_add(status, text);
	if (status->points[newest] != NULL)
		json_object_set_new(text, "point", json_loads(status->points[newest], 0, NULL));
	written = json_dumps(text, JSON_FORMAT);
	json_decref(text);
	*length = written != NULL ? strlen(written) : 0;
	return written;
}

char *
status_history(const struct status *status, size_t *length)
{
	const unsigned first =
			(status->point_next + STATUS_POINTS - status->point_count) % STATUS_POINTS;
	const char *before = "";
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (out == NULL)
		return NULL;
	fputs("{\"points\":[", out);
	for (unsigned i = 0; i < status->point_count; i++) {
		const char *point = status->points[(first + i) % STATUS_POINTS];

		if (point == NULL)
			continue;
		fprintf(out, "%s%s", before, point);
		before = ",\n";
	}
	fputs("],\"texts\":{", out);
	/* Our own sentences: no character of theirs needs an escape. */
	for (unsigned i = 1; i < REASON_COUNT; i++)
		fprintf(out, "%s\"%s\":\"%s\"", i == 1 ? "" : ",", reason_name(i), reason_text(i));
	fputs("}}\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
