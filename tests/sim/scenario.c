/* SPDX-License-Identifier: BSD-3-Clause */
/* Statements are a table: a word, and what it does with the words behind it. */
#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

#define LINE_MAX_BYTES 512
#define TICK_EVERY (10 * TICKS_PER_MS)

static bool
is_word(const char *word, const char *expected)
{
	return word != NULL && strcmp(word, expected) == 0;
}

/* c1..c15; 0: the word is none. */
static unsigned
client_number(const char *word)
{
	char *end;
	unsigned long number;

	if (word == NULL || word[0] != 'c')
		return 0;
	number = strtoul(word + 1, &end, 10);
	return end != word + 1 && *end == '\0' && number < SCENE_CLIENTS ? (unsigned)number : 0;
}

static unsigned
client_or_fail(struct scene *s, const char *word)
{
	unsigned client = client_number(word);

	if (client == 0)
		scene_fail(s, "a client is named c1 to c%d", SCENE_CLIENTS - 1);
	return client;
}

static ticks_t
duration(struct scene *s, const char *word)
{
	char *end = NULL;
	double number = word == NULL ? 0 : strtod(word, &end);

	if (word != NULL && end != word && strcmp(end, "s") == 0)
		return (ticks_t)(number * (double)TICKS_PER_S);
	if (word != NULL && end != word && strcmp(end, "ms") == 0)
		return (ticks_t)(number * (double)TICKS_PER_MS);
	scene_fail(s, "a duration is like 1s or 20ms");
	return 0;
}

static void
do_after(struct scene *s, char **words)
{
	ticks_t until = s->now + duration(s, words[0]);

	while (s->now < until) {
		s->now = until - s->now < TICK_EVERY ? until : s->now + TICK_EVERY;
		scene_tick(s);
	}
}

static void
do_standstill(struct scene *s, char **words)
{
	s->now += duration(s, words[0]);
	scene_tick(s);
}

static void
do_set(struct scene *s, char **words)
{
	scene_set(s, words[0], words[0] == NULL ? NULL : words[1]);
}

static void
do_limit(struct scene *s, char **words)
{
	scene_limit(s, words[0], words[0] == NULL ? NULL : words[1]);
}

static void
do_ip(struct scene *s, char **words)
{
	s->ip_version = is_word(words[0], "6") ? 6 : 4;
}

static void
do_because(struct scene *s, char **words)
{
	if (!is_word(words[0], reason_name(s->reason)))
		scene_fail(s, "because of %s", reason_name(s->reason));
}

static void
do_connects(struct scene *s, char **words)
{
	unsigned client = client_or_fail(s, words[0]);

	if (client != 0)
		scene_connect(s, client, words + 1);
}

static void
do_again(struct scene *s, char **words)
{
	struct part *part = &s->parts[client_or_fail(s, words[0])];

	part->client.isn += 1000000;
	part->backend.isn += 1000000;
	part->client.next = 0;
	part->backend.next = 0;
}

static void
do_bounce(struct scene *s, char **words)
{
	static char *ack[] = {"ACK", NULL}, *pause[] = {"20ms", NULL};
	unsigned client = client_or_fail(s, words[0]);
	int64_t count = client == 0 ? 0 : scene_number(s, words[1]);

	for (int64_t i = 0; i < count && !s->has_failed; i++) {
		enum side from = i % 2 == 0 ? SIDE_CLIENT : SIDE_BACKEND;

		scene_packet_send(s, from, client, ack);
		scene_packet_get(s, side_other(from), client, ack);
		do_after(s, pause);
	}
}

static void
do_worker(struct scene *s, char **words)
{
	s->worker = is_word(words[0], "2");
}

static void
do_buffers(struct scene *s, char **words)
{
	s->has_no_buffers = is_word(words[0], "none");
}

static void
do_new(struct scene *s, char **words)
{
	struct siphash_key secret = {dice_roll(&s->dice), 5};

	if (!is_word(words[0], "secret"))
		scene_fail(s, "only a secret can be new");
	s->cookies = cookie_plan_next(&s->cookies, &secret, s->now);
	scene_publish(s);
}

static void
do_restart(struct scene *s, char **words)
{
	(void)words;
	scene_stop(s);
	scene_start(s);
}

static void
expect_count(struct scene *s, uint64_t found, const char *word)
{
	if (found != (uint64_t)scene_number(s, word))
		scene_fail(s, "there are %llu", (unsigned long long)found);
}

static void
do_counter(struct scene *s, char **words)
{
	uint64_t found = 0;

	scene_start(s);
	for (unsigned counter = 0; counter < BACKEND_COUNTER_COUNT; counter++) {
		if (!is_word(words[0], backend_counter_name((enum backend_counter)counter)))
			continue;
		for (unsigned i = 0; i < SCENE_WORKERS; i++)
			found += worker_backend_counters(s->workers[i], 0)->values[counter];
		expect_count(s, found, words[1]);
		return;
	}
	scene_fail(s, "no such counter");
}

static void
do_connections(struct scene *s, char **words)
{
	uint64_t found = 0;

	scene_start(s);
	for (unsigned i = 0; i < SCENE_WORKERS; i++)
		found += worker_counters(s->workers[i])->connections;
	expect_count(s, found, words[0]);
}

static void
do_half_open(struct scene *s, char **words)
{
	expect_count(s, s->shared[0].syn, words[0]);
}

static void
do_waiting(struct scene *s, char **words)
{
	expect_count(s, s->shared[0].accept, words[0]);
}

static void
do_nobody(struct scene *s, char **words)
{
	(void)words;
	for (unsigned client = 1; client < SCENE_CLIENTS; client++) {
		scene_nothing(s, SIDE_CLIENT, client);
		scene_nothing(s, SIDE_BACKEND, client);
	}
}

/* backend sends FLAGS to c1 ..., backend gets FLAGS from c1 ..., backend gets nothing. */
static void
do_backend(struct scene *s, char **words)
{
	unsigned client;

	if (is_word(words[0], "gets") && is_word(words[1], "nothing")) {
		for (client = 1; client < SCENE_CLIENTS; client++)
			scene_nothing(s, SIDE_BACKEND, client);
		return;
	}
	if (words[0] == NULL || words[1] == NULL || words[2] == NULL) {
		scene_fail(s, "sends FLAGS to, or gets FLAGS from, a client");
		return;
	}
	client = client_or_fail(s, words[3]);
	if (client == 0)
		return;
	/* The flags again before the fields. */
	words[3] = words[1];
	if (is_word(words[0], "sends"))
		scene_packet_send(s, SIDE_BACKEND, client, words + 3);
	else
		scene_packet_get(s, SIDE_BACKEND, client, words + 3);
}

static void
do_client(struct scene *s, unsigned client, char **words)
{
	if (is_word(words[0], "sends") && words[1] != NULL)
		scene_packet_send(s, SIDE_CLIENT, client, words + 1);
	else if (is_word(words[0], "gets") && is_word(words[1], "nothing"))
		scene_nothing(s, SIDE_CLIENT, client);
	else if (is_word(words[0], "gets") && words[1] != NULL)
		scene_packet_get(s, SIDE_CLIENT, client, words + 1);
	else
		scene_fail(s, "a client sends or gets");
}

static const struct {
	const char *word;
	void (*play)(struct scene *s, char **words);
} statements[] = {
		{"after", do_after},
		{"standstill", do_standstill},
		{"set", do_set},
		{"limit", do_limit},
		{"ip", do_ip},
		{"because", do_because},
		{"connects", do_connects},
		{"again", do_again},
		{"bounce", do_bounce},
		{"flood", scene_flood},
		{"worker", do_worker},
		{"buffers", do_buffers},
		{"new", do_new},
		{"restart", do_restart},
		{"counter", do_counter},
		{"connections", do_connections},
		{"half-open", do_half_open},
		{"waiting", do_waiting},
		{"nobody", do_nobody},
		{"backend", do_backend},
};

static void
statement(struct scene *s, char **words)
{
	unsigned client = client_number(words[0]);

	if (client != 0) {
		do_client(s, client, words + 1);
		return;
	}
	for (unsigned i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (is_word(words[0], statements[i].word)) {
			statements[i].play(s, words + 1);
			return;
		}
	scene_fail(s, "no statement begins with %s", words[0]);
}

static void
line_play(struct scene *s, char *line)
{
	char *rest = NULL;
	unsigned count = 0;

	line[strcspn(line, "#\r\n")] = '\0';
	memset(s->words, 0, sizeof(s->words));
	for (char *word = strtok_r(line, " \t", &rest); word != NULL && count < SCENE_WORDS_MAX - 1;
			word = strtok_r(NULL, " \t", &rest))
		s->words[count++] = word;
	if (count > 0)
		statement(s, s->words);
}

static bool
file_play(const char *file)
{
	FILE *in = fopen(file, "r");
	char line[LINE_MAX_BYTES];
	struct scene *s;
	bool is_good;

	if (in == NULL) {
		printf("%s: %s\n", file, strerror(errno));
		return false;
	}
	s = scene_new(file);
	while (!s->has_failed && fgets(line, sizeof(line), in) != NULL) {
		s->line++;
		line_play(s, line);
	}
	fclose(in);
	if (!s->has_failed)
		scene_stop(s);
	is_good = !s->has_failed;
	s->has_failed = true;
	scene_free(s);
	return is_good;
}

bool
scenario_play_all(char *const *files, unsigned count)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < count; i++)
		failed += !file_play(files[i]);
	printf("%u scenarios, %u failed\n", count, failed);
	return failed == 0;
}
