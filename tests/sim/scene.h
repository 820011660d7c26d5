/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage of a script: two workers of which usually one has everything to do, a backend, its
 * clients' numbers, and what was sent to whom. Made and torn down per file.
 */
#ifndef SLUICE_TESTS_SIM_SCENE_H
#define SLUICE_TESTS_SIM_SCENE_H

#include "dice.h"
#include "frame.h"
#include "proxy/worker.h"

#define SCENE_WORKERS 2
#define SCENE_CLIENTS 16
#define SCENE_WORDS_MAX 48
#define SCENE_HEARD_MAX 512

/** One direction of a leg, as a script counts in it. */
struct line {
	uint32_t isn;
	uint32_t next; /**< relative: behind what was sent */
	uint32_t tsval;
};

/** A client's connection: what it sends, what Sluice sends to it, what the backend sends. */
struct part {
	struct line client;
	struct line sluice;
	struct line backend;
};

/** A packet that left Sluice and was not looked at yet. */
struct heard {
	enum side to;
	unsigned client; /**< 0: a stranger's */
	struct packet packet;
	uint8_t bytes[FRAME_ROOM];
};

struct scene {
	const char *file;
	unsigned line;
	bool has_failed;
	char *words[SCENE_WORDS_MAX]; /**< of the line, NULL behind the last */
	unsigned ip_version;
	ticks_t now;
	struct dice dice;
	struct sluice_limits limits;
	struct backend_config config;
	struct cookie_plan cookies;
	uint64_t generation;
	const struct snapshot *snapshot;
	struct backend_shared shared[1];
	struct worker *workers[SCENE_WORKERS]; /**< NULL before the first statement that needs one
						*/
	unsigned worker;
	bool has_no_buffers;
	int lent;
	uint64_t sent; /**< packets handed to workers since they began */
	unsigned strangers;
	enum reason reason; /**< of the last one */
	struct part parts[SCENE_CLIENTS];
	unsigned heard_count;
	struct heard heard[SCENE_HEARD_MAX];
};

/** Prints one line about the line of the script, and marks the scene failed. */
void scene_fail(struct scene *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct scene *scene_new(const char *file);
void scene_free(struct scene *s);

/** Starts the workers if there are none. */
void scene_start(struct scene *s);

/** Stops the workers, and checks that they gave back everything and counted every packet. */
void scene_stop(struct scene *s);

/** Publishes the settings as they are now. */
void scene_publish(struct scene *s);

/** Hands a frame to the worker in turn; what leaves is heard. */
void scene_send(struct scene *s, enum side from, const struct frame *frame);

/** One tick of all workers. */
void scene_tick(struct scene *s);

/** scene_settings.c: set and limit. */
void scene_set(struct scene *s, const char *key, const char *value);
void scene_limit(struct scene *s, const char *key, const char *value);

/** scene_packets.c: sends, gets; words from that of the flags on. */
void scene_packet_send(struct scene *s, enum side from, unsigned client, char **words);
void scene_packet_get(struct scene *s, enum side to, unsigned client, char **words);
void scene_nothing(struct scene *s, enum side to, unsigned client);
void scene_connect(struct scene *s, unsigned client, char **words);
void scene_flood(struct scene *s, char **words);

/** A whole decimal number, maybe negative; fails the scene if it is none. */
int64_t scene_number(struct scene *s, const char *word);

#endif
