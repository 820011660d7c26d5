/* SPDX-License-Identifier: BSD-3-Clause */
/* Members of a reply's objects, where missing ones and ones of the wrong type are as good as empty:
 * an appliance may be older or newer than we are. */
#ifndef SLUICECTL_FIELD_H
#define SLUICECTL_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** A string, or "". */
const char *field_text(const json_t *object, const char *key);

/** A number, rounded down, or 0. */
int64_t field_count(const json_t *object, const char *key);

/** A number, or 0. */
double field_number(const json_t *object, const char *key);

/** Any value as it stands in a table: "-" for null and what is missing, "yes" and "no", numbers and
 * strings as they are, elements joined by ",". Cut to size. */
void field_render(const json_t *value, char *text, size_t size);

/** Milliseconds as "12.345s"; "-" when missing. */
void field_render_ms(const json_t *value, char *text, size_t size);

#define FIELD_BYTES 128 /**< enough for what an appliance sends */

#endif
