/* SPDX-License-Identifier: BSD-3-Clause */
#include "body.h"

#include <stdlib.h>

void
shelf_init(struct shelf *shelf)
{
	*shelf = (struct shelf){.is_ready = false};
	pthread_mutex_init(&shelf->lock, NULL);
}

void
shelf_fini(struct shelf *shelf)
{
	for (unsigned i = 0; i < BODY_COUNT; i++)
		body_release(shelf->bodies[i]);
	pthread_mutex_destroy(&shelf->lock);
}

void
shelf_put(struct shelf *shelf, enum body_kind kind, char *text, size_t length)
{
	struct body *body = text != NULL ? malloc(sizeof(*body)) : NULL;
	struct body *before;

	if (body == NULL) {
		free(text);
		return;
	}
	*body = (struct body){.text = text, .length = length, .references = 1};
	pthread_mutex_lock(&shelf->lock);
	before = shelf->bodies[kind];
	shelf->bodies[kind] = body;
	pthread_mutex_unlock(&shelf->lock);
	body_release(before);
}

void
shelf_set_ready(struct shelf *shelf, bool is_ready)
{
	pthread_mutex_lock(&shelf->lock);
	shelf->is_ready = is_ready;
	pthread_mutex_unlock(&shelf->lock);
}

bool
shelf_is_ready(struct shelf *shelf)
{
	bool is_ready;

	pthread_mutex_lock(&shelf->lock);
	is_ready = shelf->is_ready;
	pthread_mutex_unlock(&shelf->lock);
	return is_ready;
}

struct body *
shelf_take(struct shelf *shelf, enum body_kind kind)
{
	struct body *body;

	pthread_mutex_lock(&shelf->lock);
	body = shelf->bodies[kind];
	if (body != NULL)
		__atomic_add_fetch(&body->references, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&shelf->lock);
	return body;
}

void
body_release(void *context)
{
	struct body *body = context;

	/* The last one must see what all others did with it before. */
	if (body == NULL || __atomic_sub_fetch(&body->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(body->text);
	free(body);
}
