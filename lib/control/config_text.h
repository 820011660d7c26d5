/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wrong with a string of the configuration file, each in a few words, or NULL for
 * nothing. Any JSON value may be asked about. */
#ifndef SLUICE_CONTROL_CONFIG_TEXT_H
#define SLUICE_CONTROL_CONFIG_TEXT_H

#include <jansson.h>

#include "table/snapshot.h"

/** As a string of min..max bytes without control characters. */
const char *config_string_problem(const json_t *json, int64_t min, int64_t max);

/** As a name: a string of A-Z a-z 0-9 . _ - only. */
const char *config_name_problem(const json_t *json, int64_t min, int64_t max);

/** As an address that a backend can have; without a problem it is stored, with its family. */
const char *config_address_problem(const json_t *json, union ip_addr *address, uint8_t *family);

/** As a prefix of that family, a bare address being the longest; without a problem it is stored.
 * FAMILY_NONE takes either. *length counts 128 bits, as in struct exempt_list. */
const char *config_prefix_problem(
		const json_t *json, enum family family, union ip_addr *address, uint8_t *length);

/** Enough for any prefix as text, and its NUL. */
#define CONFIG_PREFIX_BYTES 50

/**
 * A prefix as text of length bytes, a bare address being the longest. *family: what it has to be,
 * FAMILY_NONE for either. Without a problem it is stored with its family; *bits counts 128 bits, so
 * that IPv4 /24 is 120. least: shortest length allowed, 0 or 1.
 */
const char *config_prefix_text(const char *text, size_t length, unsigned least,
		union ip_addr *address, enum family *family, uint8_t *bits);

/** True for the EAL options that decide which cores are used, in any way getopt_long() lets one
 * write them, and for "--", which would end the options. */
bool config_chooses_cores(const char *argument);

#endif
