/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the JSON tree to the draft of a configuration: each key by itself as the table says
 * (config_keys.h), then what no key can say alone. A refused value leaves its member zero.
 */
#ifndef SLUICE_CONTROL_CONFIG_READ_H
#define SLUICE_CONTROL_CONFIG_READ_H

#include <jansson.h>

#include "control/config_keys.h"
#include "control/config_report.h"

/** Reads the whole tree, whose nodes report->lines knows, into a zeroed draft. What the draft then
 * points to belongs to its config. */
void config_read(struct config_report *report, json_t *top, struct config_draft *draft);

/** Reads one object with some of the keys that may be set in a running backend into it; the rest of
 * it stays. What is the backend itself (name, address, port) is refused. */
void config_read_setting(struct config_report *report, json_t *top, struct backend_config *backend);

/**
 * Checks what concerns several keys of a draft that was read, and fills in the defaults that
 * other keys decide. Skips what config_read() refused.
 */
void config_check(struct config_report *report, struct config_draft *draft);

#endif
