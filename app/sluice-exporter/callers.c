/* SPDX-License-Identifier: BSD-3-Clause */
/* shutdown() ends a connection from outside: the server sees its end and closes it. A descriptor in
 * a place is open, since the place is freed before the server closes it, under the same lock. */
#include "callers.h"

#include <stddef.h>
#include <sys/socket.h>

void
callers_init(struct callers *callers)
{
	*callers = (struct callers){.count = 0};
	pthread_mutex_init(&callers->lock, NULL);
	for (unsigned i = 0; i < CALLERS_MAX; i++)
		callers->places[i].fd = -1;
}

void
callers_fini(struct callers *callers)
{
	pthread_mutex_destroy(&callers->lock);
}

/* It stays in its place until the server has noticed, but isn't chosen again. */
static void
end(struct callers *callers, struct caller *caller)
{
	shutdown(caller->fd, SHUT_RDWR);
	caller->has_asked = true;
	caller->since_ms = INT64_MAX;
	callers->refused++;
}

static void
oldest_end(struct callers *callers)
{
	struct caller *oldest = NULL;

	for (unsigned i = 0; i < CALLERS_MAX; i++) {
		struct caller *caller = &callers->places[i];

		if (caller->fd >= 0 && !caller->has_asked &&
				(oldest == NULL || caller->since_ms < oldest->since_ms))
			oldest = caller;
	}
	if (oldest != NULL)
		end(callers, oldest);
}

struct caller *
callers_add(struct callers *callers, int fd, int64_t now_ms)
{
	struct caller *place = NULL;

	pthread_mutex_lock(&callers->lock);
	if (callers->count >= CALLERS_CROWD)
		oldest_end(callers);
	for (unsigned i = 0; i < CALLERS_MAX && place == NULL; i++) {
		if (callers->places[i].fd < 0)
			place = &callers->places[i];
	}
	if (place != NULL) {
		*place = (struct caller){.fd = fd, .since_ms = now_ms};
		callers->count++;
	}
	pthread_mutex_unlock(&callers->lock);
	return place;
}

void
callers_asked(struct callers *callers, struct caller *caller)
{
	pthread_mutex_lock(&callers->lock);
	if (caller != NULL)
		caller->has_asked = true;
	callers->asked++;
	pthread_mutex_unlock(&callers->lock);
}

void
callers_remove(struct callers *callers, struct caller *caller)
{
	if (caller == NULL)
		return;
	pthread_mutex_lock(&callers->lock);
	caller->fd = -1;
	callers->count--;
	pthread_mutex_unlock(&callers->lock);
}

void
callers_sweep(struct callers *callers, int64_t now_ms)
{
	pthread_mutex_lock(&callers->lock);
	for (unsigned i = 0; i < CALLERS_MAX; i++) {
		struct caller *caller = &callers->places[i];
		const int64_t most = caller->has_asked ? CALLERS_WHOLE_MS : CALLERS_HEADER_MS;

		if (caller->fd >= 0 && now_ms - most > caller->since_ms)
			end(callers, caller);
	}
	pthread_mutex_unlock(&callers->lock);
}

void
callers_count(struct callers *callers, uint64_t *asked, uint64_t *refused, unsigned *count)
{
	pthread_mutex_lock(&callers->lock);
	*asked = callers->asked;
	*refused = callers->refused;
	*count = callers->count;
	pthread_mutex_unlock(&callers->lock);
}
