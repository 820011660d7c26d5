/* SPDX-License-Identifier: BSD-3-Clause */
/* The servers' side of probes in the pipeline's fuzzer: hosts that tell and ask MAC addresses, and
 * backends that answer. */
#ifndef SLUICE_TESTS_PIPELINE_PROBE_H
#define SLUICE_TESTS_PIPELINE_PROBE_H

#include "pipeline_world.h"

#define FUZZ_NEIGHBOUR_BYTES 128

enum probe_answer_kind {
	PROBE_ANSWER_RIGHT,
	PROBE_ANSWER_RESET,
	PROBE_ANSWER_WRONG, /* with another number */
	PROBE_ANSWER_ACK,   /* of a connection from long ago */
};

/* Looks at what a worker made: true for a probe's SYN, which is kept, or question. */
bool fuzz_probe_emitted(struct fuzz_world *w, enum side out, const struct pkt *pkt);

/* An answer to the latest probe, without options; false when there was none. */
bool fuzz_probe_answer(
		const struct fuzz_world *w, enum probe_answer_kind kind, struct packet *answer);

/* A question or an answer about MAC addresses, of 10.0.0.host or fd00::host; bits of shape: in VLAN
 * 10, a question, IPv6. Returns the frame's length. */
size_t fuzz_probe_neighbour(uint8_t frame[FUZZ_NEIGHBOUR_BYTES], uint8_t shape, uint8_t host);

#endif
