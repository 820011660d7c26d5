/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluice-exporter: looks at the appliance once a second, however many callers there are, and serves
 * what it saw as metrics and as a page. This thread looks; libmicrohttpd's serves.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../sluice/notify.h"
#include "../sluice/say.h"
#include "http.h"
#include "metrics.h"
#include "options.h"
#include "privileges.h"
#include "status.h"

#define TIMEOUT_MS 3000

struct exporter {
	struct options options;
	int signals;
	struct shelf shelf;
	struct http http;
	struct connection connection;
	struct status status;
	uint64_t samples, failures;
	bool was_answering, has_told;
};

static void
metrics_shelve(struct exporter *exporter)
{
	static const struct sample nothing = {0};
	struct metrics_own own = {.samples = exporter->samples,
			.failures = exporter->failures,
			.backends_max = exporter->options.backends_max};

	callers_count(&exporter->http.callers, &own.requests, &own.refused, &own.callers);
	for (unsigned i = 0; i < 2; i++) {
		char *text = NULL;
		size_t length = 0;
		struct families families = {
				.out = open_memstream(&text, &length), .is_open = i == 1};

		if (families.out == NULL)
			continue;
		metrics_write(&families,
				exporter->status.is_answering ? &exporter->status.now : &nothing,
				&own);
		if (fclose(families.out) == 0)
			shelf_put(&exporter->shelf, i == 1 ? BODY_OPENMETRICS : BODY_METRICS, text,
					length);
		else
			free(text);
	}
}

static void
shelve(struct exporter *exporter)
{
	size_t length;
	char *text = status_text(&exporter->status, &length);

	shelf_put(&exporter->shelf, BODY_STATUS, text, length);
	text = status_history(&exporter->status, &length);
	shelf_put(&exporter->shelf, BODY_HISTORY, text, length);
	metrics_shelve(exporter);
	shelf_set_ready(&exporter->shelf, exporter->status.is_answering);
}

/* The appliance's coming and going is told once each. */
static void
change_tell(struct exporter *exporter)
{
	const char *problem = exporter->status.problem;
	const bool is_answering = exporter->status.is_answering;

	if (exporter->has_told && is_answering == exporter->was_answering)
		return;
	exporter->has_told = true;
	exporter->was_answering = is_answering;
	if (is_answering)
		say("%s: the appliance answers", exporter->options.socket);
	else
		say("%s", problem);
	notify_ready(is_answering ? "the appliance answers" : problem);
}

/* One look; false for a stop. How long it took goes into *took_ms. */
static bool
look(struct exporter *exporter, int64_t *took_ms)
{
	const struct sample_scope scope = {exporter->options.backends_max, STATUS_BACKENDS_MAX};
	const int64_t began = sample_clock_ms();
	struct sample sample;
	char problem[512] = "";

	switch (sample_take(&sample, &exporter->connection, scope, problem, sizeof(problem))) {
	case SAMPLE_TAKEN:
		status_add(&exporter->status, &sample);
		break;
	case SAMPLE_FAILED:
		exporter->failures++;
		status_fail(&exporter->status, problem);
		break;
	case SAMPLE_WOKEN:
	default:
		return false;
	}
	exporter->samples++;
	change_tell(exporter);
	notify_again();
	shelve(exporter);
	*took_ms = exporter->status.is_answering ? sample_clock_ms() - began : 0;
	return true;
}

/* Until a stop. One look that took long, for whatever paused the appliance, is no reason to rest;
 * two in a row are. */
static void
run(struct exporter *exporter)
{
	int64_t next_ms = sample_clock_ms(), before_ms = INT64_MAX;

	for (;;) {
		struct pollfd stop = {.fd = exporter->signals, .events = POLLIN};
		int64_t took_ms, rest_ms, wait_ms;

		if (!look(exporter, &took_ms))
			return;
		rest_ms = sample_rest_ms(took_ms < before_ms ? took_ms : before_ms);
		before_ms = took_ms;
		next_ms += SAMPLE_INTERVAL_MS;
		if (next_ms < sample_clock_ms() + rest_ms)
			next_ms = sample_clock_ms() + rest_ms;
		while ((wait_ms = next_ms - sample_clock_ms()) > 0) {
			if (poll(&stop, 1,
					    wait_ms > SAMPLE_INTERVAL_MS ? SAMPLE_INTERVAL_MS
									 : (int)wait_ms) > 0)
				return;
			callers_sweep(&exporter->http.callers, sample_clock_ms());
		}
		callers_sweep(&exporter->http.callers, sample_clock_ms());
	}
}

static int
signals_open(void)
{
	sigset_t stops;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	/* Before any thread is: all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &stops, NULL) != 0)
		return -1;
	return signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum exit_code
serve(struct exporter *exporter)
{
	exporter->signals = signals_open();
	if (exporter->signals < 0) {
		say("can't wait for signals: %s", strerror(errno));
		return EXIT_CODE_ENVIRONMENT;
	}
	if (!http_open(&exporter->http, &exporter->options, &exporter->shelf) ||
			!privileges_drop(exporter->options.user, exporter->options.group) ||
			!http_start(&exporter->http))
		return EXIT_CODE_ENVIRONMENT;
	connection_init(&exporter->connection, exporter->options.socket, TIMEOUT_MS);
	exporter->connection.wake_fd = exporter->signals;
	run(exporter);
	notify_stopping();
	connection_close(&exporter->connection);
	return EXIT_CODE_OK;
}

int
main(int argc, char **argv)
{
	struct exporter exporter = {.http = {.listener = -1}};
	enum exit_code code;

	say_as("sluice-exporter");
	if (!options_read(&exporter.options, argc, argv, &code))
		return (int)code;
	shelf_init(&exporter.shelf);
	status_init(&exporter.status);
	code = serve(&exporter);
	http_close(&exporter.http);
	status_fini(&exporter.status);
	shelf_fini(&exporter.shelf);
	return (int)code;
}
