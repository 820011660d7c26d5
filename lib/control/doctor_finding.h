/* SPDX-License-Identifier: BSD-3-Clause */
/* One finding of doctor while it is put into words; and what the parts of doctor share. */
#ifndef SLUICE_CONTROL_DOCTOR_FINDING_H
#define SLUICE_CONTROL_DOCTOR_FINDING_H

#include "control/doctor.h"

/** The fixed words of a finding. */
struct finding_kind {
	const char *cause;
	bool is_outage;
	const char *queue;
	const char *clients_saw;
};

struct finding {
	const struct registry *registry;
	json_t *object;
	json_t *text;
	json_t *numbers;
	char name[REGISTRY_NAME_BYTES]; /**< the backend's; empty: the appliance as a whole */
	unsigned failed;		/**< some of it could not be made */
};

/** slot NULL: about the appliance as a whole. */
void finding_begin(struct finding *finding, const struct registry *registry,
		const struct slot *slot, const struct finding_kind *kind, ticks_t since,
		uint64_t clients);

/** Adds a sentence. */
__attribute__((format(printf, 2, 3))) void finding_say(
		struct finding *finding, const char *format, ...);

/** Adds a number that was used. */
void finding_number(struct finding *finding, const char *name, uint64_t value);

/** The setting of the backend that cures, with the sentence that says how to set it now and for
 * good. also: another key that has to be raised to the same value before, or NULL. */
void finding_cure(struct finding *finding, const char *key, uint64_t value, uint64_t now,
		const char *also);

/** Appends the finding to the array; -1 when out of memory. Ends it in any case. */
int finding_end(struct finding *finding, json_t *findings);

/** "for 2 min 5 s" without the "for", into text. */
#define DURATION_TEXT_BYTES 32
const char *duration_write(ticks_t time, char text[DURATION_TEXT_BYTES]);

/** A bound with headroom of a quarter, rounded up to a power of two, at most most. */
uint64_t cure_round(uint64_t needed, uint64_t most);

/** True while an episode is under way, or over for less than a minute. */
bool episode_is_known(const struct episode *episode, ticks_t now);

/** How long it took, at least a second. */
ticks_t episode_time(const struct episode *episode);

/** Adds what keeps clients from the backend: accept ring, slow, silent or refusing backend; at most
 * one finding. *found says whether there is one. -1 when out of memory. */
int doctor_accept(const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, ticks_t now, json_t *findings, bool *found);

/** The same of the syn queue: drops, floods, forged ACKs. sources: of unproved SYNs, or NULL.
 * is_backend_ill: doctor_accept() found something that fills the syn queue too. */
int doctor_syn(const struct registry *registry, const struct slot *slot,
		const struct history_slot *past, const struct sources *sources, bool is_backend_ill,
		ticks_t now, json_t *findings);

/** Adds SYN-ACKs that were not repeated for lack of budget, though nobody is flooded. -1 when out
 * of memory. */
int doctor_egress(const struct registry *registry, const struct history *history, ticks_t now,
		json_t *findings);

/** True while the totals grow, or have stood still for less than a minute. */
bool totals_are_known(const struct history_totals *totals, ticks_t now);

/** Adds a line for each backend that is not protected, of the first few, and one for the rest: no
 * finding, since somebody wants it so. -1 when out of memory. */
int doctor_modes(const struct registry *registry, json_t *lines);

/** Adds workers that stand still, or did so within the last minute. -1 when out of memory. */
int doctor_workers(const struct registry *registry, ticks_t now, json_t *findings);

#endif
