/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a restart keeps: connections, profiles of backends, and the secrets behind the cookies that
 * are out there, as bytes that another build of Sluice can read. Workers to bytes at the end of one
 * process, bytes to workers at the start of the next; where the bytes are meanwhile is the
 * appliance's affair. No file, no clock, no allocation.
 *
 *	before:	state_save(&source, now, bytes) once no worker runs any more
 *	after:	state_check(&state, bytes, size, &here): all of it is right, or none is taken
 *		state_describe(&state, snapshot): what was configured, for the cookies' sake
 *		state_restore(&state, &target, now, &result) before any worker runs
 *
 * Not kept: half-open clients (their cookies prove them), packets that were held (their clients
 * repeat them), counters, and flows tracked without an answer of their backend.
 */
#ifndef SLUICE_PROXY_STATE_H
#define SLUICE_PROXY_STATE_H

#include "proxy/worker.h"

/** How old a state may be to be taken: later, its connections' ends have given up or moved on. */
#define STATE_AGE_S_MAX 300

/** Where and when: compared between who saves and who takes. */
struct state_here {
	uint64_t place;	  /**< hash of the ports' devices: connections belong to them */
	uint64_t wall_us; /**< Unix time */
	uint64_t boot_us; /**< since the machine was started, sleep included */
};

struct state_source {
	struct worker *const *workers; /**< none runs */
	unsigned worker_count;
	struct state_here here;
	bool secret_is_configured; /**< the newest cookie secret is the operator's */
};

/** Bytes that state_save() would write. */
size_t state_size(const struct state_source *source);

/** Writes the state as of now (the workers' clock, not before their last call) to bytes, of
 * state_size(). */
void state_save(const struct state_source *source, ticks_t now, uint8_t *bytes);

/** Writes the checksum that belongs to size bytes, at least 8, into the last 8 of them; for
 * state_save() and tests. */
void state_seal(uint8_t *bytes, size_t size);

enum state_outcome {
	STATE_VALID,
	STATE_FOREIGN,	     /**< not a state at all */
	STATE_OTHER_VERSION, /**< of a format that this build does not know */
	STATE_CUT_OFF,	     /**< shorter or longer than it says */
	STATE_DAMAGED,	     /**< the checksum is wrong */
	STATE_IMPOSSIBLE,    /**< the checksum is right, but a value can't be */
	STATE_OTHER_PLACE,   /**< of other ports */
	STATE_OTHER_BOOT,    /**< from before the machine was started */
	STATE_TOO_OLD,	     /**< more than STATE_AGE_S_MAX */
	STATE_OUTCOME_COUNT
};

/** A state that was checked; borrows its bytes. */
struct state {
	const uint8_t *bytes;
	uint32_t backend_count;
	uint32_t conn_count;
	uint64_t boot_us; /**< when it was saved */
	struct cookie_plan cookies;
	bool secret_is_configured; /**< see struct state_source */
};

/** Checks everything that can be checked before the first connection is taken: any bytes are
 * welcome, of any alignment. Fills state when the outcome is STATE_VALID. */
enum state_outcome state_check(struct state *state, const uint8_t *bytes, size_t size,
		const struct state_here *here);

/** The outcome in words that complete "the state is refused: ...". */
const char *state_outcome_text(enum state_outcome outcome);

/** Fills an empty snapshot of room for state->backend_count with the cookies' plan, and each
 * backend's address, port and announced window scales. It is never published. */
void state_describe(const struct state *state, struct snapshot *snapshot);

struct state_target {
	struct worker *const *workers; /**< empty; none runs */
	unsigned worker_count;
	unsigned (*owner)(void *context, const struct tuple *tuple); /**< index of its worker */
	void *context;
	uint64_t boot_us; /**< now: with state->boot_us, how long the silence was */
};

struct state_result {
	uint32_t taken;
	uint32_t removed; /**< their backend is not configured any more */
	uint32_t beyond;  /**< no room in the tables, or twice in the state */
};

/** Gives every connection to the worker that owns it, and every backend's profile to all of them.
 * now: the workers' clock. What was between proof and splice goes on: its SYN is due again at its
 * time. */
void state_restore(const struct state *state, const struct state_target *target, ticks_t now,
		struct state_result *result);

#endif
