/* SPDX-License-Identifier: BSD-3-Clause */
/* The script of the pipeline's fuzzer, read byte by byte, and those of its steps that change the
 * configuration. */
#ifndef SLUICE_TESTS_PIPELINE_SCRIPT_H
#define SLUICE_TESTS_PIPELINE_SCRIPT_H

#include "pipeline_world.h"

struct script {
	const uint8_t *at;
	size_t left;
};

/** The next bytes as a number, the first one highest; what is missing at the end counts as none. */
static inline uint32_t
script_take(struct script *script, unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes > 0 && script->left > 0; bytes--, script->left--)
		value = value << 8 | *script->at++;
	return value;
}

/** Another configuration of a backend, made as lib/control makes it: five bytes. */
void settings_reload(struct fuzz_world *w, struct script *script, unsigned slot);

/** The same for egress budgets, exempt, denied and limited sources and the probe: two bytes. */
void settings_reload_more(struct fuzz_world *w, struct script *script, unsigned slot);

#endif
