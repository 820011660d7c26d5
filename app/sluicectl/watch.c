/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch: looks at the appliance once per interval and shows what changed since. An appliance that
 * is not there at the start is an error; one that goes away later is waited for.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bar.h"
#include "base/base.h"
#include "command.h"
#include "field.h"
#include "listing.h"
#include "rates.h"
#include "screen.h"
#include "session.h"
#include "table.h"
#include "text.h"

#define LINES_BESIDE 12	   /* of the screen: heading, rates, titles, notes */
#define COLUMNS_BESIDE 100 /* of the screen: all but the two bars */
#define BAR_WIDTH 16

static const struct table_column columns[] = {
		{"Backend", TABLE_LEFT},
		{"Accept queue", TABLE_LEFT},
		{"Syn queue", TABLE_LEFT},
		{"Mode", TABLE_LEFT},
		{"Estab", TABLE_RIGHT},
		{"Cookies", TABLE_RIGHT},
		{"Proofs", TABLE_RIGHT},
		{"Established", TABLE_RIGHT},
		{"Drops", TABLE_RIGHT},
};

struct watch {
	struct session *session;
	struct screen screen;
	int64_t interval_ms;
	struct sample before;
	struct sample now; /* empty: the appliance isn't there */
	char problem[512]; /* then: why */
};

static json_t *
try_ask(struct watch *watch, const char *command, json_type type, enum answer_outcome *outcome)
{
	struct answer answer;
	json_t *result;

	if (*outcome != ANSWER_OK)
		return NULL;
	session_try(watch->session, session_request(command), &answer);
	*outcome = answer.outcome;
	result = json_incref(answer.result);
	snprintf(watch->problem, sizeof(watch->problem), "%.500s", answer.problem);
	answer_fini(&answer);
	if (result != NULL && json_typeof(result) != type) {
		json_decref(result);
		snprintf(watch->problem, sizeof(watch->problem), "the result is of the wrong type");
		*outcome = ANSWER_UNREACHABLE;
		return NULL;
	}
	return result;
}

/* Looks once more: now becomes before. */
static enum answer_outcome
look(struct watch *watch)
{
	enum answer_outcome outcome = ANSWER_OK;
	struct sample sample = {0};

	sample.ping = try_ask(watch, "ping", JSON_OBJECT, &outcome);
	sample.netstat = try_ask(watch, "netstat", JSON_OBJECT, &outcome);
	sample.at_s = (double)screen_now_ms() / 1000;
	sample.ss = try_ask(watch, "ss", JSON_ARRAY, &outcome);
	if (outcome == ANSWER_WOKEN) {
		sample_fini(&sample);
		return outcome;
	}
	if (outcome != ANSWER_OK)
		sample_fini(&sample);
	sample_fini(&watch->before);
	watch->before = watch->now;
	watch->now = sample;
	return outcome;
}

static bool
is_connected(const struct watch *watch)
{
	return watch->now.ss != NULL;
}

static json_t *
rates_json(const struct rates *rates, enum rate first)
{
	json_t *object = json_object();

	for (unsigned i = first; i < RATE_COUNT; i++)
		json_object_set_new(object, rate_name(i),
				rates->is_known ? json_real(rates->values[i]) : json_null());
	return object;
}

static void
json_print(const struct watch *watch)
{
	struct timespec wall;
	json_t *object;
	json_t *backend;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &wall);
	object = json_pack("{s:f, s:b}", "time", (double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
			"connected", is_connected(watch));
	ENSURE(object != NULL);
	if (is_connected(watch)) {
		const struct rates total = rates_total(&watch->before, &watch->now);
		json_t *backends = json_deep_copy(watch->now.ss);

		json_array_foreach(backends, i, backend)
		{
			const struct rates rates = rates_backend(&watch->before, &watch->now,
					field_text(backend, "backend"));

			json_object_set_new(backend, "rates", rates_json(&rates, RATE_COOKIES));
		}
		json_object_set(object, "generation",
				json_object_get(watch->now.ping, "generation"));
		json_object_set_new(object, "interval_s",
				total.is_known ? json_real(watch->now.at_s - watch->before.at_s)
					       : json_null());
		json_object_set_new(object, "rates", rates_json(&total, RATE_SYNS));
		json_object_set_new(object, "backends", backends);
	} else {
		session_put(object, "error", watch->problem);
	}
	session_print_json(object);
	json_decref(object);
}

static void
rate_text(char text[TEXT_BYTES], const struct rates *rates, enum rate rate)
{
	if (rates->is_known)
		text_rate(text, rates->values[rate]);
	else
		snprintf(text, TEXT_BYTES, "-");
}

static void
heading_print(const struct watch *watch, FILE *out)
{
	const struct rates total = rates_total(&watch->before, &watch->now);
	static const char *const titles[RATE_COUNT] = {
			"SYNs", "cookies", "proofs", "established", "drops"};
	const time_t now = time(NULL);
	char text[TEXT_BYTES];
	struct tm local;

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
	fprintf(out, "%s  ", text);
	if (!is_connected(watch)) {
		fputs("disconnected: ", out);
		text_print(out, watch->problem);
		fputs("\n", out);
		return;
	}
	text_duration(text, field_number(watch->now.ping, "uptime_s"));
	fprintf(out, "up %s, generation %lld%s\n", text,
			(long long)field_count(watch->now.ping, "generation"),
			watch->screen.is_full ? ", q ends" : "");
	for (unsigned i = 0; i < RATE_COUNT; i++) {
		rate_text(text, &total, i);
		fprintf(out, "%s%s %s", i > 0 ? "   " : "", titles[i], text);
	}
	fputc('\n', out);
}

/* Both bars get what the rest of the line leaves. */
static unsigned
bar_width(const struct watch *watch)
{
	unsigned lines;
	unsigned wide;

	if (!watch->screen.is_full)
		return BAR_WIDTH;
	screen_size(&lines, &wide);
	if (wide < COLUMNS_BESIDE + 10)
		return wide < 100 ? 0 : 5;
	return wide - COLUMNS_BESIDE > 2 * BAR_WIDTH_MAX ? BAR_WIDTH_MAX
							 : (wide - COLUMNS_BESIDE) / 2;
}

static void
row_add(const struct watch *watch, struct table *table, const json_t *backend)
{
	const unsigned width = bar_width(watch);
	const struct rates rates =
			rates_backend(&watch->before, &watch->now, field_text(backend, "backend"));
	char bar[BAR_BYTES];

	table_add(table, field_text(backend, "backend"));
	bar_draw(bar, field_count(backend, "recv_q"), field_count(backend, "send_q"), width);
	table_add_marked(table, bar, listing_accept_is_full(backend));
	bar_draw(bar, field_count(backend, "syn_recv"), field_count(backend, "syn_recv_max"),
			width);
	table_add_marked(table, bar, listing_syn_is_full(backend));
	table_add(table, listing_mode(backend));
	table_addf(table, "%lld", (long long)field_count(backend, "established"));
	for (unsigned i = RATE_COOKIES; i < RATE_COUNT; i++) {
		char text[TEXT_BYTES];

		rate_text(text, &rates, i);
		table_add(table, text);
	}
}

/* Adds backends of one kind, those with a full queue or those without, until the table is full. */
static size_t
rows_add(const struct watch *watch, struct table *table, bool is_full, size_t room)
{
	const json_t *backend;
	size_t added = 0;
	size_t i;

	json_array_foreach(watch->now.ss, i, backend)
	{
		const bool fits = (listing_accept_is_full(backend) ||
						  listing_syn_is_full(backend)) == is_full;

		if (!fits || added == room)
			continue;
		row_add(watch, table, backend);
		added++;
	}
	return added;
}

/* Where not all fit, those in trouble come first. */
static void
backends_print(const struct watch *watch, FILE *out)
{
	const size_t count = json_array_size(watch->now.ss);
	size_t room = count;
	struct table table;
	unsigned lines;
	unsigned wide;

	if (watch->screen.is_full) {
		screen_size(&lines, &wide);
		if (room + LINES_BESIDE > lines)
			room = lines > LINES_BESIDE ? lines - LINES_BESIDE : 1;
	}
	table_init(&table, columns, ARRAY_COUNT(columns), text_has_colour(stdout));
	if (room < count) {
		const size_t full = rows_add(watch, &table, true, room);

		rows_add(watch, &table, false, room - full);
	} else {
		const json_t *backend;
		size_t i;

		json_array_foreach(watch->now.ss, i, backend)
		{
			row_add(watch, &table, backend);
		}
	}
	table_print(&table, out);
	table_fini(&table);
	if (room < count)
		fprintf(out, "and %zu more\n", count - room);
	listing_print_notes(out, watch->now.ss);
}

static void
block_print(const struct watch *watch, FILE *out)
{
	heading_print(watch, out);
	if (is_connected(watch)) {
		fputc('\n', out);
		backends_print(watch, out);
	}
}

static void
show(const struct watch *watch)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (session_is_json(watch->session)) {
		json_print(watch);
	} else if (watch->screen.is_full) {
		out = open_memstream(&text, &length);
		ENSURE(out != NULL);
		block_print(watch, out);
		fclose(out);
		screen_draw(text, length);
		free(text);
	} else {
		block_print(watch, stdout);
		fputc('\n', stdout);
	}
	fflush(stdout);
}

/* Until count blocks were shown, somebody wishes an end, or nobody reads. */
static void
watch_go(struct watch *watch, uint64_t count)
{
	int64_t next_ms = screen_now_ms() + watch->interval_ms;

	while (count > 0 && !ferror(stdout)) {
		switch (screen_wait(&watch->screen, next_ms)) {
		case SCREEN_END:
			return;
		case SCREEN_REDRAW:
			show(watch);
			continue;
		case SCREEN_TIME:
			break;
		}
		if (look(watch) == ANSWER_WOKEN)
			continue;
		show(watch);
		count--;
		next_ms += watch->interval_ms;
		if (next_ms < screen_now_ms())
			next_ms = screen_now_ms();
	}
}

enum status
watch_run(struct session *session)
{
	const struct options *options = session->options;
	struct watch watch = {
			.session = session,
			.interval_ms = options_has(options, OPTION_INTERVAL)
						       ? (int64_t)(options->numbers[OPTION_INTERVAL] *
									 1000)
						       : 1000,
	};

	if (look(&watch) != ANSWER_OK) {
		sample_fini(&watch.before);
		return session_fail(session, STATUS_REFUSED, NULL, "%s", watch.problem);
	}
	screen_open(&watch.screen, !session_is_json(session));
	session->connection.wake_fd = watch.screen.signals;
	if (watch.screen.is_full)
		show(&watch);
	watch_go(&watch, options_has(options, OPTION_BLOCKS)
					 ? (uint64_t)options->numbers[OPTION_BLOCKS]
					 : UINT64_MAX);
	session->connection.wake_fd = -1;
	sample_fini(&watch.before);
	sample_fini(&watch.now);
	screen_close(&watch.screen);
	return STATUS_OK;
}
