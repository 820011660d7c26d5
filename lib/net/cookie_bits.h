/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a cookie's bits are, and its tables, for cookie.c and for what makes a burst's cookies with
 * vectors (syn_ack_burst_avx512.c). The design stands above cookie_encode().
 */
#ifndef SLUICE_NET_COOKIE_BITS_H
#define SLUICE_NET_COOKIE_BITS_H

#include "net/cookie.h"

#define COOKIE_VERSION 2u /* goes up with every change of what the MAC covers */

/* The ISN below its MAC. */
#define ISS_CODE_BITS 8
#define CODE_MSS_SHIFT 5
#define CODE_WSCALE_SHIFT 2
#define CODE_SACK_SHIFT 1
#define CODE_PARITY_SHIFT 0
#define CODE_INDEX_MASK 7u
static_assert(COOKIE_MAC_BITS + ISS_CODE_BITS == 32, "an ISN has 32 bits");
static_assert(CODE_MSS_SHIFT + 3 == ISS_CODE_BITS, "the MSS index ends the code");

/* The TSval below its MAC. */
#define TSVAL_CODE_BITS 8
#define TSVAL_WSCALE_SHIFT 4
#define TSVAL_WSCALE_MASK 15u
#define TSVAL_WSCALE_NONE 15u
#define TSVAL_ECN_SHIFT 3
#define TSVAL_ISN_MASK 7u
static_assert(COOKIE_MAC_BITS_TIMESTAMP + TSVAL_CODE_BITS == 32, "a TSval has 32 bits");
static_assert(TSVAL_WSCALE_NONE > TCP_WSCALE_MAX, "no scale looks like none");
static_assert(COOKIE_MAC_BITS + COOKIE_MAC_BITS_TIMESTAMP <= 64, "both come from one MAC");

#define MSS_COUNT 8
#define WSCALE_COUNT 8

/* Ascending; sources above cookie_encode(). */
static const uint16_t mss_ip4[MSS_COUNT] = {88, 536, 1200, 1360, 1400, 1440, 1452, 1460};
static const uint16_t mss_ip6[MSS_COUNT] = {88, 536, 1220, 1340, 1380, 1420, 1432, 1440};
static const uint8_t wscales[WSCALE_COUNT] = {TCP_WSCALE_NONE, 0, 2, 4, 6, 7, 8, 10};

#define MSS_DEFAULT_IP4 536  /* RFC 9293 3.7.1 */
#define MSS_DEFAULT_IP6 1220 /* the same, 1280 - 60 */

/* What the MAC covers: whole words, the last of them with the length byte of siphash_words(). */
#define MESSAGE_WORDS_IP4 3
#define MESSAGE_WORDS_IP6 6
static_assert(MESSAGE_WORDS_IP6 <= SIPHASH_LANE_WORDS_MAX, "a lane holds any message");

/* For 0..14, and TCP_WSCALE_NONE in its low 4 bits: the index in wscales of the largest scale that
 * is not above; test_cookie.c compares each. */
static const uint8_t wscale_indices[16] = {1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 7, 7, 7, 0};
static_assert((TCP_WSCALE_NONE & 15) == 15 && TCP_WSCALE_MAX < 15, "none has a cell of its own");

#endif
