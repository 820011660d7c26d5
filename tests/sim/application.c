/* SPDX-License-Identifier: BSD-3-Clause */
#include "application.h"

static uint32_t
length_out(const struct application *app)
{
	return app->dialogue.length[app->endpoint.way];
}

static uint32_t
length_in(const struct application *app)
{
	return app->dialogue.length[1 - app->endpoint.way];
}

static bool
is_client(const struct application *app)
{
	return app->endpoint.way == WAY_TO_BACKEND;
}

void
application_reset(struct application *app, uint64_t key, enum way way)
{
	struct endpoint *e = &app->endpoint;

	e->key = key;
	e->way = way;
	endpoint_reset(e);
	app->dialogue = dialogue_of(key);
	app->has_started = false;
	app->has_written = false;
	app->has_closed = false;
	app->is_reading = false;
}

bool
application_is_complete(const struct application *app)
{
	return app->endpoint.received == length_in(app) && app->has_written &&
	       app->endpoint.fin_received;
}

static void
write_now(void *context, void *subject)
{
	struct application *app = context;

	/* The endpoint may have been taken for another dialogue meanwhile. */
	if ((uintptr_t)subject != (uintptr_t)app->endpoint.key || app->has_written)
		return;
	app->has_written = true;
	endpoint_write(&app->endpoint, length_out(app));
	application_run(app);
}

static void
read_now(void *context, void *subject)
{
	struct application *app = context;
	struct endpoint *e = &app->endpoint;

	if ((uintptr_t)subject != (uintptr_t)e->key || !app->is_reading)
		return;
	app->is_reading = false;
	endpoint_read(e, e->unread < app->dialogue.read_size ? e->unread : app->dialogue.read_size);
	application_run(app);
}

static void
read_some(struct application *app)
{
	struct endpoint *e = &app->endpoint;

	if (e->unread == 0 || app->is_reading)
		return;
	if (app->dialogue.read_size == 0) {
		endpoint_read(e, e->unread);
		return;
	}
	app->is_reading = true;
	clock_at(e->clock, e->clock->now + app->dialogue.read_pause, read_now, app,
			(void *)(uintptr_t)e->key);
}

static void
start_writing(struct application *app)
{
	enum dialogue_order first = is_client(app) ? ORDER_CLIENT_FIRST : ORDER_BACKEND_FIRST;
	struct endpoint *e = &app->endpoint;

	if (app->has_started)
		return;
	if (app->dialogue.order != first && app->dialogue.order != ORDER_BOTH &&
			e->received < length_in(app))
		return;
	app->has_started = true;
	if (!is_client(app) && app->dialogue.backend_think != 0)
		clock_at(e->clock, e->clock->now + app->dialogue.backend_think, write_now, app,
				(void *)(uintptr_t)e->key);
	else
		write_now(app, (void *)(uintptr_t)e->key);
}

static bool
wants_abort(const struct application *app)
{
	enum dialogue_end mine = is_client(app) ? END_ABORT_BY_CLIENT : END_ABORT_BY_BACKEND;

	return app->dialogue.end == mine && app->endpoint.received >= length_in(app) / 2;
}

static bool
wants_close(const struct application *app)
{
	const struct endpoint *e = &app->endpoint;

	if (!app->has_written)
		return false;
	if (e->fin_received)
		return true;
	switch (app->dialogue.end) {
	case END_HALF:
		return is_client(app);
	case END_BY_CLIENT:
		return is_client(app) && e->received == length_in(app);
	case END_BY_BACKEND:
		return !is_client(app);
	default:
		return false;
	}
}

void
application_run(struct application *app)
{
	struct endpoint *e = &app->endpoint;

	if (e->state != ENDPOINT_OPEN)
		return;
	if (wants_abort(app)) {
		endpoint_abort(e);
		return;
	}
	read_some(app);
	start_writing(app);
	if (!app->has_closed && wants_close(app)) {
		app->has_closed = true;
		endpoint_close(e);
	}
}
