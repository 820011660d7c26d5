/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each reduction takes one thing out of a plan, or half of it, and says whether there was anything
 * to take. Hosts first: they make the most packets.
 */
#include "shrink.h"

#include <string.h>

static bool
to_zero(uint32_t *value)
{
	bool had = *value != 0;

	*value = 0;
	return had;
}

static bool
to_half(uint32_t *value)
{
	bool had = *value > 1;

	*value -= *value / 2;
	return had;
}

static bool
without_client(struct plan *plan, unsigned i)
{
	return to_zero(&plan->client[i].rounds);
}

static bool
fewer_rounds(struct plan *plan, unsigned i)
{
	return to_half(&plan->client[i].rounds);
}

static uint32_t *
attack_of(struct plan *plan, unsigned i)
{
	uint32_t *attacks[] = {&plan->floods, &plan->forgeries, &plan->blind_shots, &plan->replays,
			&plan->oddities};

	return attacks[i % 5];
}

static bool
without_attack(struct plan *plan, unsigned i)
{
	return to_zero(attack_of(plan, i));
}

static bool
weaker_attack(struct plan *plan, unsigned i)
{
	return to_half(attack_of(plan, i));
}

static bool
fewer_versions(struct plan *plan, unsigned i)
{
	if (plan->version_count <= i + 1)
		return false;
	plan->version_count = i + 1;
	return true;
}

static bool
fewer_orders(struct plan *plan, unsigned i)
{
	(void)i;
	return plan->order_count > 0 && plan->order_count-- > 0;
}

static bool
fewer_restarts(struct plan *plan, unsigned i)
{
	if (i >= plan->restart_count)
		return false;
	plan->restarts[i] = plan->restarts[--plan->restart_count];
	return true;
}

static bool
fewer_faults(struct plan *plan, unsigned i)
{
	if (i >= plan->fault_count)
		return false;
	plan->faults[i] = plan->faults[--plan->fault_count];
	return true;
}

static bool
better_cable(struct plan *plan, unsigned i)
{
	struct link_quality *cable = &plan->cables[i / 4];

	switch (i % 4) {
	case 0:
		return to_zero(&cable->loss);
	case 1:
		if (cable->duplication == 0 && cable->corruption == 0)
			return false;
		cable->duplication = 0;
		cable->corruption = 0;
		return true;
	case 2:
		return to_zero(&cable->bytes_per_ms);
	default:
		if (cable->jitter == 0)
			return false;
		cable->jitter = 0;
		return true;
	}
}

static bool
simpler_sluice(struct plan *plan, unsigned i)
{
	switch (i) {
	case 0:
		return to_zero(&plan->buffer_refusals);
	case 1:
		return to_zero(&plan->missteered);
	case 2:
		if (plan->vlans == 0)
			return false;
		plan->vlans = 0;
		return true;
	case 3:
		if (plan->poll_interval == 0)
			return false;
		plan->poll_interval = 0;
		return true;
	default:
		if (plan->workers == 1)
			return false;
		plan->workers = 1;
		return true;
	}
}

static const struct {
	bool (*reduce)(struct plan *plan, unsigned i);
	unsigned count;
} reductions[] = {
		{without_client, CLIENTS_MAX},
		{without_attack, 5},
		{fewer_versions, VERSIONS_MAX},
		{fewer_orders, ORDERS_MAX},
		{fewer_restarts, RESTARTS_MAX},
		{fewer_faults, FAULTS_MAX},
		{better_cable, 4 * CABLES},
		{simpler_sluice, 5},
		{fewer_rounds, CLIENTS_MAX},
		{weaker_attack, 5},
};

/* The same fault, whoever's it is: only the words before "client" and behind its number count. */
static bool
is_same_fault(const struct sim_result *a, const struct sim_result *b)
{
	const char *text_a = strstr(a->text, ": "), *text_b = strstr(b->text, ": ");

	return a->has_failed && b->has_failed &&
	       strcmp(text_a == NULL ? a->text : text_a, text_b == NULL ? b->text : text_b) == 0;
}

struct sim_result
shrink(struct plan *plan, const struct sim_result *failed, unsigned runs_max)
{
	struct sim_result smallest = *failed;
	bool has_shrunk = true;

	while (has_shrunk) {
		has_shrunk = false;
		for (unsigned r = 0; r < sizeof(reductions) / sizeof(reductions[0]); r++)
			for (unsigned i = 0; i < reductions[r].count; i++) {
				struct plan less = *plan;
				struct sim_result result;

				if (!reductions[r].reduce(&less, i))
					continue;
				if (runs_max-- == 0)
					return smallest;
				result = sim_run(&less, NULL, 0xa5);
				if (!is_same_fault(&result, failed))
					continue;
				*plan = less;
				smallest = result;
				has_shrunk = true;
			}
	}
	return smallest;
}
