/* SPDX-License-Identifier: BSD-3-Clause */
/* Mistyped words: how near one is to the word that may have been meant. */
#ifndef SLUICE_CONTROL_WORD_H
#define SLUICE_CONTROL_WORD_H

#include <stdint.h>

/** How alike two words are: letters to change, 0 for equal; UINT32_MAX when they are too different
 * to be a typing error. */
unsigned word_distance(const char *typed, const char *word);

#endif
