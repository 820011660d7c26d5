/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue against its limit, as a bar of ASCII: "[####......] 50/128". */
#ifndef SLUICECTL_BAR_H
#define SLUICECTL_BAR_H

#include <stddef.h>
#include <stdint.h>

#define BAR_WIDTH_MAX 40
#define BAR_BYTES (BAR_WIDTH_MAX + 64)

/** Draws value of limit with width places (at most BAR_WIDTH_MAX; 0 for numbers only). What is not
 * empty has one place at least, what is not full leaves one; beyond the limit the bar is full. */
void bar_draw(char text[BAR_BYTES], int64_t value, int64_t limit, unsigned width);

#endif
