/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared count is relaxed: it bounds, and orders nothing; a conn never leaves its worker. */
#include "table/accept_ring.h"

#include "table/backend_shared.h"

/* Not inlined: tests/check_hot_path.py knows by name who may lock a line. */
__attribute__((noinline)) bool
accept_ring_enter(uint32_t *occupancy, uint32_t limit)
{
	return shared_enter(occupancy, limit + 1);
}

__attribute__((noinline)) void
accept_ring_leave(uint32_t *occupancy)
{
	shared_leave(occupancy);
}

void
accept_lane_init(struct accept_lane *lane)
{
	*lane = (struct accept_lane){.head = ACCEPT_NONE, .tail = ACCEPT_NONE};
}

static struct timer_node *
node_at(const struct accept_nodes *nodes, uint32_t id)
{
	return (struct timer_node *)(void *)(nodes->nodes + (size_t)id * nodes->stride);
}

void
accept_lane_push(struct accept_lane *lane, const struct accept_nodes *nodes, uint32_t id)
{
	struct timer_node *node = node_at(nodes, id);

	node->next = ACCEPT_NONE;
	node->prev = lane->tail;
	if (lane->tail == ACCEPT_NONE)
		lane->head = id;
	else
		node_at(nodes, lane->tail)->next = id;
	lane->tail = id;
	lane->waiting++;
}

uint32_t
accept_lane_pop(struct accept_lane *lane, const struct accept_nodes *nodes)
{
	uint32_t id = lane->head;

	if (id != ACCEPT_NONE)
		accept_lane_remove(lane, nodes, id);
	return id;
}

void
accept_lane_remove(struct accept_lane *lane, const struct accept_nodes *nodes, uint32_t id)
{
	const struct timer_node *node = node_at(nodes, id);

	if (node->prev == ACCEPT_NONE)
		lane->head = node->next;
	else
		node_at(nodes, node->prev)->next = node->next;
	if (node->next == ACCEPT_NONE)
		lane->tail = node->prev;
	else
		node_at(nodes, node->next)->prev = node->prev;
	lane->waiting--;
}
