/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A restart's state of any content, ending at a guard page: first as it is, then with a head and a
 * checksum that are right, so that the records are looked at. What passes the check must do no harm
 * to a worker that takes it: timers run, and saving gives a valid state again. Input: a byte for
 * the number of backends, then records.
 */
#include "proxy/state.h"

#include <stdlib.h>
#include <string.h>

#include "guard_page.h"
#include "proxy/state_format.h"

#define MEMORY_BYTES (1 << 20)
#define START (UINT64_C(1700000000) * TICKS_PER_S)

static const struct state_here here = {.place = 1, .wall_us = 2, .boot_us = 3};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static bool
packet_get(void *context, struct pkt *pkt)
{
	*pkt = (struct pkt){.data = context, .tailroom = PKT_BUILD_BYTES_MAX};
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	ENSURE(pkt->data == context && (out == SIDE_CLIENT || out == SIDE_BACKEND));
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	(void)context;
	(void)pkt;
	ENSURE(!"nothing is ever held");
}

static unsigned
owner(void *context, const struct tuple *tuple)
{
	(void)context;
	(void)tuple;
	return 0;
}

/* 10.0.0.2:80 and [fd00::2]:80, as in the corpus. */
static struct snapshot *
snapshot_make(void *memory)
{
	struct snapshot *snapshot = snapshot_init(memory, 2, 1, 1);
	struct backend_config config = {.port = 80,
			.family = FAMILY_IP4,
			.connect_window = 2,
			.tcp_syn_retries = 2,
			.somaxconn = 8,
			.backlog = 8,
			.announced_wscale = 7};

	config.address = ip_addr_from_ip4(htole32(0x0200000a));
	ENSURE(snapshot_insert(snapshot, &config) == 0);
	config.slot = 1;
	config.family = FAMILY_IP6;
	config.address = (union ip_addr){.bytes = {[0] = 0xfd, [15] = 2}};
	ENSURE(snapshot_insert(snapshot, &config) == 0);
	return snapshot;
}

static void
take(const struct state *state, struct worker *w)
{
	const struct state_target target = {
			.workers = &w, .worker_count = 1, .owner = owner, .boot_us = here.boot_us};
	const struct state_source source = {.workers = &w, .worker_count = 1, .here = here};
	struct state_result result;
	struct guarded_block again;
	struct state found;

	state_restore(state, &target, START, &result);
	ENSURE(result.taken + result.removed + result.beyond == state->conn_count);
	again = guarded_block_map(state_size(&source));
	state_save(&source, START, again.bytes);
	ENSURE(state_check(&found, again.bytes, again.size, &here) == STATE_VALID);
	ENSURE(found.conn_count == result.taken);
	guarded_block_unmap(&again);
	for (ticks_t s = 0; s < 20; s++)
		sluice_tick(w, START + s * TICKS_PER_S, 1000);
}

static void
take_into_new(const struct state *state)
{
	static const struct sluice_limits limits = {
			.connections = 16, .connections_ip6 = 8, .backends = 2};
	void *memory = aligned_alloc(CACHE_LINE_SIZE, MEMORY_BYTES);
	void *described = aligned_alloc(
			CACHE_LINE_SIZE, cache_align(snapshot_memsize(state->backend_count)));
	void *configured = aligned_alloc(CACHE_LINE_SIZE, cache_align(snapshot_memsize(2)));
	const struct snapshot *snapshot = snapshot_make(configured);
	struct backend_shared shared[2] = {{.accept = 0}};
	uint8_t frame[PKT_BUILD_BYTES_MAX];
	struct inspect *box = NULL;
	const struct sluice_env env = {
			.context = frame,
			.packet_get = packet_get,
			.packet_emit = packet_emit,
			.packet_drop = packet_drop,
			.snapshot = &snapshot,
			.shared = shared,
			.inspect = &box,
			.hash_seed = {3, 4},
			.now = START,
	};

	ENSURE(sluice_worker_memsize(&limits) <= MEMORY_BYTES);
	state_describe(state, snapshot_init(described, state->backend_count, 1, 1));
	take(state, sluice_worker_init(memory, &limits, &env));
	free(memory);
	free(described);
	free(configured);
}

/* Writes a head that fits the size, and the checksum. */
static void
make_right(struct guarded_block *block, unsigned backends)
{
	const size_t records = block->size - STATE_HEAD_BYTES - STATE_CHECKSUM_BYTES;
	struct state_cursor cursor = {.to = block->bytes};
	struct state_head head = {
			.magic = {0x89, 'S', 'l', 'u', 'i', 'c', 'e', '\n'},
			.version = STATE_VERSION,
			.head_bytes = STATE_HEAD_BYTES,
			.backend_bytes = STATE_BACKEND_BYTES,
			.conn_bytes = STATE_CONN_BYTES,
			.length = block->size,
			.place = here.place,
			.wall_us = here.wall_us,
			.boot_us = here.boot_us,
	};

	head.backend_count = backends;
	head.conn_count = (uint32_t)((records - backends * STATE_BACKEND_BYTES) / STATE_CONN_BYTES);
	state_head_fields(&cursor, &head);
	state_seal(block->bytes, block->size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct guarded_block block;
	struct state state;
	unsigned backends;
	size_t conns;

	if (size < 1)
		return 0;
	block = guarded_block_map(size);
	memcpy(block.bytes, input, size);
	ENSURE(state_check(&state, block.bytes, size, &here) != STATE_VALID);
	guarded_block_unmap(&block);

	backends = input[0] % 4;
	if (size - 1 < backends * STATE_BACKEND_BYTES)
		return 0;
	conns = (size - 1 - backends * STATE_BACKEND_BYTES) / STATE_CONN_BYTES;
	block = guarded_block_map(STATE_HEAD_BYTES + backends * STATE_BACKEND_BYTES +
				  conns * STATE_CONN_BYTES + STATE_CHECKSUM_BYTES);
	memcpy(block.bytes + STATE_HEAD_BYTES, input + 1,
			backends * STATE_BACKEND_BYTES + conns * STATE_CONN_BYTES);
	make_right(&block, backends);
	if (state_check(&state, block.bytes, block.size, &here) == STATE_VALID)
		take_into_new(&state);
	guarded_block_unmap(&block);
	return 0;
}
