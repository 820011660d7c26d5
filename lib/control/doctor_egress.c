/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The egress budget where it hits clients instead of a flood's victims: SYN-ACKs that got lost are
 * not repeated because too many were, to one network or in all. Which of both budgets is spent
 * nobody counts; so many repeated in a second as a side may be sent says that it is the side's.
 */
#include "control/doctor_finding.h"

static void
cure_budget(struct finding *finding, const char *key, uint32_t now, uint64_t peak)
{
	const uint64_t value = cure_round(now + peak, EGRESS_PER_S_MAX);

	finding->failed |= json_object_set_new(finding->object, "cure",
					   json_pack("{s:s, s:I, s:I, s:n}", "key", key, "value",
							   (json_int_t)value, "now",
							   (json_int_t)now, "command")) != 0;
	finding_say(finding,
			"Cure, if that is so: \"%s\": %llu instead of %u in %s, and \"sluicectl "
			"reload\".",
			key, (unsigned long long)value, now, finding->registry->path);
}

static int
find_small_budget(const struct registry *registry, const struct history_totals *withheld,
		const struct history_totals *repeated, ticks_t now, json_t *findings)
{
	static const struct finding_kind kind = {"egress-budget-small", false, "syn", "delay"};
	const struct egress_rates *rates = &registry->config->egress;
	const bool is_side = repeated->peak >= rates->side_per_s;
	char time[DURATION_TEXT_BYTES];
	struct finding finding;

	finding_begin(&finding, registry, NULL, &kind, now - withheld->began, withheld->events);
	finding_say(&finding,
			"Clients wait: in the last %s, %llu SYN-ACKs were not repeated, at worst "
			"%llu in a second, because the egress budget %s was spent. Who lost the "
			"first one waits until it repeats its SYN, and a client that waits for the "
			"server's first word may hang.",
			duration_write(now - withheld->began, time),
			(unsigned long long)withheld->events, (unsigned long long)withheld->peak,
			is_side ? "towards all clients" : "of a client network");
	finding_say(&finding,
			"No backend is flooded: probably many clients are behind one address, "
			"or their way loses packets. It may also be a flood too small to fill "
			"a queue; then the budget does what it is for.");
	finding_number(&finding, "SynAcksWithheld", withheld->events);
	finding_number(&finding, "withheld_per_s_peak", withheld->peak);
	finding_number(&finding, "repeated_per_s_peak", repeated->peak);
	if (is_side)
		cure_budget(&finding, "egress.side_per_s", rates->side_per_s, withheld->peak);
	else
		cure_budget(&finding, "egress.network_per_s", rates->network_per_s, withheld->peak);
	return finding_end(&finding, findings);
}

int
doctor_egress(const struct registry *registry, const struct history *history, ticks_t now,
		json_t *findings)
{
	const struct history_totals *withheld = history_common(history, COMMON_WITHHELD);
	const struct egress_rates *rates = &registry->config->egress;

	/* A budget of 0 is a decision. */
	if (!totals_are_known(withheld, now) || rates->network_per_s == 0 || rates->side_per_s == 0)
		return 0;
	return find_small_budget(registry, withheld, history_common(history, COMMON_REPEATED), now,
			findings);
}
