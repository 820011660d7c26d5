/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two ends of a connection say to each other. Every byte is a function of the connection,
 * the direction and the offset, so no end has to keep what it sent, and a byte that is lost,
 * doubled, moved or another connection's can't go unnoticed.
 */
#ifndef SLUICE_TESTS_SIM_STREAM_H
#define SLUICE_TESTS_SIM_STREAM_H

#include "base/ticks.h"
#include "dice.h"

enum way { WAY_TO_BACKEND, WAY_TO_CLIENT };

/** Which connection: its client, port and ISN, which both ends see. */
uint64_t stream_key(uint64_t seed, unsigned client, uint16_t port, uint32_t isn);

void stream_write(uint64_t key, enum way way, uint32_t offset, uint8_t *bytes, uint32_t count);
bool stream_is_right(
		uint64_t key, enum way way, uint32_t offset, const uint8_t *bytes, uint32_t count);

enum dialogue_order { ORDER_CLIENT_FIRST, ORDER_BACKEND_FIRST, ORDER_BOTH, ORDER_COUNT };

enum dialogue_end {
	END_HALF,	     /**< the client closes its half behind its request, reads on */
	END_BY_CLIENT,	     /**< the client, when it has the whole response */
	END_BY_BACKEND,	     /**< the backend, behind its response */
	END_ABORT_BY_CLIENT, /**< RST in mid-response */
	END_ABORT_BY_BACKEND,
	END_COUNT
};

struct dialogue {
	uint32_t length[2]; /**< bytes, by enum way */
	enum dialogue_order order;
	enum dialogue_end end;
	uint32_t read_size;    /**< bytes an application reads at a time; 0: all there is */
	ticks_t read_pause;    /**< between two reads */
	ticks_t backend_think; /**< before the response */
};

/** What is said on the connection with that key. */
struct dialogue dialogue_of(uint64_t key);

#endif
