/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a packet ended as it did: one reason per packet received, one counter per reason. The
 * list is reason.def; each line also fixes the verdict, so a packet can't get one without
 * the other. Names are an interface: they appear in counters and are never renamed.
 */
#ifndef SLUICE_BASE_REASON_H
#define SLUICE_BASE_REASON_H

/** What happens to a packet. */
enum verdict {
	VERDICT_DROP,	 /**< freed: it ends here */
	VERDICT_FORWARD, /**< leaves through the port on the other side */
	VERDICT_REPLY,	 /**< turned round: leaves through the port it came from */
	VERDICT_HOLD,	 /**< stays with the worker, which gives it back later */
};

enum reason {
	REASON_NONE, /**< not decided yet; never counted */
#define REASON(name, verdict, text) REASON_##name,
#include "reason.def"
#undef REASON
	REASON_COUNT
};

/** The counter's name, for example "tcp_checksum"; valid for every reason below REASON_COUNT. */
const char *reason_name(enum reason reason);

/** One sentence for an operator. */
const char *reason_text(enum reason reason);

/** The verdict that goes with a reason. */
enum verdict reason_verdict(enum reason reason);

#endif
