/* SPDX-License-Identifier: BSD-3-Clause */
/* Which backends are not protected, and what protection would have done. */
#include "control/doctor_finding.h"

/* Backends that get a line of their own. */
#define NAMED_MAX 10

static json_t *
line_of(const struct registry *registry, const struct slot *slot)
{
	const unsigned long long generation = slot->mode_generation;
	const struct mode_counts since = registry_since_mode(registry, slot);

	if (slot->config.mode == MODE_OFF)
		return json_sprintf("%s is not protected: its mode is off, since generation %llu.",
				slot->config.name, generation);
	return json_sprintf("%s is not protected: its mode is monitor, since generation %llu. "
			    "Protected, it would have answered %llu SYNs with cookies, and "
			    "dropped %llu SYNs and ACKs, %llu of them because of a full accept "
			    "ring.",
			slot->config.name, generation, (unsigned long long)since.cookies,
			(unsigned long long)since.drops, (unsigned long long)since.overflows);
}

/* True when some of its clients were forgotten before they could be judged; then *line says so. */
static bool
has_forgotten(const struct registry *registry, const struct slot *slot, json_t **line)
{
	const uint64_t evicted = registry_since_mode(registry, slot).evicted;

	if (slot->config.mode != MODE_MONITOR || evicted == 0)
		return false;
	*line = json_sprintf("Of %s %llu half-open clients were forgotten since, for want of "
			     "memory, so its queues would have been fuller than is shown. Raise "
			     "limits.monitor_clients_per_worker.",
			slot->config.name, (unsigned long long)evicted);
	return true;
}

int
doctor_modes(const struct registry *registry, json_t *lines)
{
	unsigned count = 0;
	json_t *line;
	int failed = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];

		if (slot->use != SLOT_SERVING || slot->config.mode == MODE_PROTECT)
			continue;
		if (count++ >= NAMED_MAX)
			continue;
		failed |= json_array_append_new(lines, line_of(registry, slot));
		if (has_forgotten(registry, slot, &line))
			failed |= json_array_append_new(lines, line);
	}
	if (count > NAMED_MAX)
		failed |= json_array_append_new(lines,
				json_sprintf("%u more backends are not protected: their mode is "
					     "monitor or off.",
						count - NAMED_MAX));
	return failed;
}
