/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is connected, so that the slow can't keep the others out. A connection is for one request: it
 * has CALLERS_HEADER_MS to send one, and CALLERS_WHOLE_MS to take its answer. When many wait, the
 * one that has been silent longest goes first. Called by both threads.
 */
#ifndef SLUICE_EXPORTER_CALLERS_H
#define SLUICE_EXPORTER_CALLERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CALLERS_MAX 256
#define CALLERS_CROWD 192 /**< with more than these, the oldest silent one goes */
#define CALLERS_HEADER_MS 5000
#define CALLERS_WHOLE_MS 20000

struct caller {
	int fd; /**< -1: the place is free */
	bool has_asked;
	int64_t since_ms;
};

struct callers {
	pthread_mutex_t lock;
	struct caller places[CALLERS_MAX];
	unsigned count;
	uint64_t asked;	  /**< requests */
	uint64_t refused; /**< ended by us before they asked, or before they had their answer */
};

void callers_init(struct callers *callers);
void callers_fini(struct callers *callers);

/** A connection began; NULL when there is no place for it. */
struct caller *callers_add(struct callers *callers, int fd, int64_t now_ms);

/** It sent a whole request. */
void callers_asked(struct callers *callers, struct caller *caller);

/** It ended; its descriptor is still open. NULL is allowed. */
void callers_remove(struct callers *callers, struct caller *caller);

/** Ends those whose time is over; once a second or so. */
void callers_sweep(struct callers *callers, int64_t now_ms);

/** Reads the counters. */
void callers_count(struct callers *callers, uint64_t *asked, uint64_t *refused, unsigned *count);

#endif
