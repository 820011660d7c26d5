/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a restart's state lies in bytes, field by field, little endian, without padding; for
 * state*.c only. Each record has one description, which is used to write as well as to read it.
 * A change of any of them, or of a number below, raises STATE_VERSION.
 *
 *	+-----------+-------------------------+-----------------------------+------------+
 *	| head, 144 | backends, 48 bytes each | connections, 128 bytes each | checksum 8 |
 *	+-----------+-------------------------+-----------------------------+------------+
 *
 * The checksum is SipHash-2-4 under a published key over all bytes before it: it tells what is torn
 * or damaged. It proves nothing about who wrote the bytes; the file's mode does.
 */
#ifndef SLUICE_PROXY_STATE_FORMAT_H
#define SLUICE_PROXY_STATE_FORMAT_H

#include "net/cookie.h"
#include "proxy/conn.h"
#include "table/backend.h"

#define STATE_VERSION 1u
#define STATE_MAGIC_BYTES 8
#define STATE_HEAD_BYTES 144
#define STATE_BACKEND_BYTES 48
#define STATE_CONN_BYTES 128
#define STATE_CHECKSUM_BYTES 8

/** Time that connections were silent is counted in 2^14 microseconds, whatever a timer's step is.
 */
#define STATE_STEP_SHIFT 14

/** An age, in seconds, of what never was. */
#define STATE_AGE_NEVER UINT32_MAX

struct state_head {
	uint8_t magic[STATE_MAGIC_BYTES];
	uint32_t version;
	/* The sizes that the writer knew; within a version always those above. */
	uint32_t head_bytes;
	uint32_t backend_bytes;
	uint32_t conn_bytes;
	uint64_t length; /**< of the whole, the checksum included */
	uint64_t place;
	uint64_t wall_us;
	uint64_t boot_us;
	uint32_t backend_count;
	uint32_t conn_count;
	uint8_t secret_is_configured;
	uint8_t zero[7];
	struct cookie_plan cookies;
};

struct state_backend {
	union ip_addr address;
	uint16_t port;
	uint8_t family;
	uint8_t wscales[COOKIE_PLAN_EPOCHS]; /**< announced, by the plan's epochs */
	struct backend_profile profile;	     /**< but for its times */
	uint32_t learned_s;		     /**< ago, or STATE_AGE_NEVER */
	uint32_t refused_s;		     /**< the same */
	uint8_t zero[4];
};

/** conn and setup hold what is saved of them, the rest is zero. */
struct state_conn {
	struct tuple tuple;
	struct conn conn;
	struct conn_setup setup;
	uint32_t past; /**< spliced: silence in steps of 2^STATE_STEP_SHIFT us; before: us since the
			  proof */
	uint32_t due;  /**< before the splice: until the next SYN, in such steps */
	uint8_t zero[4];
};

/** Where the next field is written to, or read from; the other is NULL. */
struct state_cursor {
	uint8_t *to;
	const uint8_t *from;
};

/** Each takes a record from the cursor, or puts it there, and moves the cursor on by its size. */
void state_head_fields(struct state_cursor *cursor, struct state_head *head);
void state_backend_fields(struct state_cursor *cursor, struct state_backend *backend);
void state_conn_fields(struct state_cursor *cursor, struct state_conn *record);

/** True when a record that was read can be what a worker had: every field in its range. */
bool state_backend_is_possible(const struct state_backend *backend);
bool state_conn_is_possible(const struct state_conn *record);

#endif
