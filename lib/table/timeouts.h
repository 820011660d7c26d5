/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a connection may stay silent before it is forgotten, by what its state is called in the
 * configuration. Which state counts by which time, proxy/close.c says.
 */
#ifndef SLUICE_TABLE_TIMEOUTS_H
#define SLUICE_TABLE_TIMEOUTS_H

#include <stdint.h>

enum timeout_kind {
	TIMEOUT_ESTABLISHED,
	TIMEOUT_HALF_CLOSED, /**< one direction may still send */
	TIMEOUT_CLOSING,     /**< both FINs seen, not both acknowledged */
	TIMEOUT_TIME_WAIT,
	TIMEOUT_RESET,
	TIMEOUT_COUNT
};

/** Seconds, each 1..TIMEOUT_MAX_S. */
struct timeouts {
	uint32_t s[TIMEOUT_COUNT];
};

/** A year. A connection notes when it was last seen in steps that wrap after 814 days. */
#define TIMEOUT_MAX_S 31536000

/* Linux nf_conntrack_proto_tcp.c tcp_timeouts, but what is half closed keeps the established time.
 */
#define TIMEOUT_ESTABLISHED_S 432000 /**< five days */
#define TIMEOUT_CLOSING_S 120
#define TIMEOUT_TIME_WAIT_S 120
#define TIMEOUT_RESET_S 10

/** Those, as in a file that says nothing. */
static inline struct timeouts
timeouts_default(void)
{
	return (struct timeouts){.s = {[TIMEOUT_ESTABLISHED] = TIMEOUT_ESTABLISHED_S,
						 [TIMEOUT_HALF_CLOSED] = TIMEOUT_ESTABLISHED_S,
						 [TIMEOUT_CLOSING] = TIMEOUT_CLOSING_S,
						 [TIMEOUT_TIME_WAIT] = TIMEOUT_TIME_WAIT_S,
						 [TIMEOUT_RESET] = TIMEOUT_RESET_S}};
}

#endif
