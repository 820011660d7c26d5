/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A million connections at once, set up packet by packet and then each spliced once more in both
 * directions, in another order: every one has its own numbers. Frames are written here byte by
 * byte, and their checksums declared verified, so that it takes seconds.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel_wanted.h"
#include "proxy/worker.h"

#ifdef __SANITIZE_ADDRESS__
enum { CONNECTIONS = 100000 };
#else
enum { CONNECTIONS = 1000000 };
#endif

enum {
	FRAME = 128,
	IP = 14,
	TCP = 34,
	SEQ = TCP + 4,
	ACK = TCP + 8,
	FLAGS = TCP + 13,
	HEADERS = 54,
	PAYLOAD = 8,
	STRIDE = 7368787, /* a prime: another order, each once */
};

struct rig {
	struct worker *worker;
	const struct snapshot *snapshot;
	struct backend_shared shared[1];
	ticks_t now;
	uint8_t spare[FRAME];
	uint8_t frames[BURST_MAX][FRAME];
	struct burst burst;
	uint32_t *iss; /* by connection: our number towards the client */
};

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct rig *rig = context;

	*pkt = (struct pkt){.data = rig->spare, .tailroom = sizeof(rig->spare)};
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	(void)context;
	(void)out;
	(void)pkt;
}

static void
put16(uint8_t *at, uint16_t value)
{
	value = htobe16(value);
	memcpy(at, &value, sizeof(value));
}

static void
put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t
get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

/* Numbers of connection n that no neighbour has. */
static uint32_t
client_isn(uint32_t n)
{
	return n * UINT32_C(2654435761);
}

static uint32_t
backend_isn(uint32_t n)
{
	return ~n * UINT32_C(40503);
}

static const uint32_t backend_address = 0x0a000002;

static void
frame_write(uint8_t *frame, enum side from, uint32_t n, uint8_t flags, uint32_t seq, uint32_t ack,
		unsigned payload)
{
	uint32_t client = 0x0b000000 + n / 60000;
	uint16_t port = (uint16_t)(1024 + n % 60000);
	bool is_client = from == SIDE_CLIENT;

	memset(frame, 0, HEADERS);
	put16(frame + 12, 0x0800);
	frame[IP] = 0x45;
	put16(frame + IP + 2, (uint16_t)(40 + payload));
	frame[IP + 8] = 64;
	frame[IP + 9] = 6;
	put32(frame + IP + 12, is_client ? client : backend_address);
	put32(frame + IP + 16, is_client ? backend_address : client);
	put16(frame + TCP, is_client ? port : 80);
	put16(frame + TCP + 2, is_client ? 80 : port);
	put32(frame + SEQ, seq);
	put32(frame + ACK, ack);
	frame[TCP + 12] = 5 << 4;
	frame[FLAGS] = flags;
	put16(frame + TCP + 14, 60000);
	memset(frame + HEADERS, (int)n, payload);
}

static void
pass(struct rig *rig, enum side from, unsigned count, unsigned length)
{
	rig->burst.from = from;
	rig->burst.count = count;
	for (unsigned i = 0; i < count; i++)
		rig->burst.pkts[i] = (struct pkt){.data = rig->frames[i],
				.len = length,
				.tailroom = FRAME - HEADERS - PAYLOAD,
				.csum = PKT_CSUM_GOOD};
	sluice_burst(rig->worker, &rig->burst, rig->now);
}

static void
rig_init(struct rig *rig)
{
	const struct sluice_limits limits = {.connections = CONNECTIONS + CONNECTIONS / 8,
			.backends = 1,
			.syn_entries = 64};
	struct backend_config config = {
			.address = ip_addr_from_ip4(htobe32(backend_address)),
			.port = 80,
			.family = FAMILY_IP4,
			.tcp_syncookies = 2,
			.tcp_syn_retries = 3,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = 4096,
			.somaxconn = 4096,
			.tcp_max_syn_backlog = 4096,
			.connect_window = 65535,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};
	struct snapshot *snapshot =
			snapshot_init(aligned_alloc(CACHE_LINE_SIZE, snapshot_memsize(1)), 1, 1, 1);

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(snapshot_insert(snapshot, &config), 0);
	rig->snapshot = snapshot;
	rig->now = UINT64_C(1700000000) * TICKS_PER_S;
	rig->iss = malloc(CONNECTIONS * sizeof(*rig->iss));
	rig->worker = sluice_worker_init(
			aligned_alloc(CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&limits))),
			&limits,
			&(struct sluice_env){
					.context = rig,
					.packet_get = packet_get,
					.packet_emit = packet_emit,
					.snapshot = &rig->snapshot,
					.shared = rig->shared,
					.hash_seed = {3, 4},
					.kernel = kernel_wanted(),
					.now = rig->now,
			});
	assert_non_null(rig->worker);
}

/* Opens the connections first..first + count - 1, a burst at a time. */
static void
open_burst(struct rig *rig, uint32_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		frame_write(rig->frames[i], SIDE_CLIENT, first + i, 0x02, client_isn(first + i), 0,
				0);
	pass(rig, SIDE_CLIENT, count, HEADERS);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(rig->burst.pkts[i].reason, REASON_syn_cookie_sent);
		rig->iss[first + i] = get32(rig->frames[i] + SEQ);
		frame_write(rig->frames[i], SIDE_CLIENT, first + i, 0x10, client_isn(first + i) + 1,
				rig->iss[first + i] + 1, 0);
	}
	pass(rig, SIDE_CLIENT, count, HEADERS);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(rig->burst.pkts[i].reason, REASON_ack_connecting);
		frame_write(rig->frames[i], SIDE_BACKEND, first + i, 0x12, backend_isn(first + i),
				client_isn(first + i) + 1, 0);
	}
	pass(rig, SIDE_BACKEND, count, HEADERS);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(rig->burst.pkts[i].reason, REASON_backend_connected);
}

/* One segment of each of count connections from one side; what leaves must carry the other leg's
 * numbers. */
static void
splice_burst(struct rig *rig, enum side from, const uint32_t *n, unsigned count)
{
	bool is_client = from == SIDE_CLIENT;

	for (unsigned i = 0; i < count; i++)
		frame_write(rig->frames[i], from, n[i], 0x10,
				(is_client ? client_isn(n[i]) : backend_isn(n[i])) + 1,
				(is_client ? rig->iss[n[i]] : client_isn(n[i])) + 1, PAYLOAD);
	pass(rig, from, count, HEADERS + PAYLOAD);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *frame = rig->frames[i];

		assert_int_equal(rig->burst.pkts[i].reason, REASON_spliced);
		assert_int_equal(get32(frame + SEQ),
				(is_client ? client_isn(n[i]) : rig->iss[n[i]]) + 1);
		assert_int_equal(get32(frame + ACK),
				(is_client ? backend_isn(n[i]) : client_isn(n[i])) + 1);
		assert_int_equal(frame[HEADERS], (uint8_t)n[i]);
	}
}

static void
test_million(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));
	const struct backend_counters *counters;

	(void)state;
	rig_init(rig);
	for (uint32_t first = 0; first < CONNECTIONS; first += BURST_MAX)
		open_burst(rig, first, BURST_MAX);
	counters = worker_backend_counters(rig->worker, 0);
	assert_int_equal(counters->values[COUNTER_CurrEstab], CONNECTIONS);
	assert_int_equal(counters->connections, CONNECTIONS);
	assert_int_equal(rig->shared[0].accept, 0);

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		for (uint32_t i = 0; i < CONNECTIONS; i += BURST_MAX) {
			uint32_t n[BURST_MAX];

			for (unsigned j = 0; j < BURST_MAX; j++)
				n[j] = (uint32_t)((uint64_t)(i + j) * STRIDE % CONNECTIONS);
			splice_burst(rig, (enum side)side, n, BURST_MAX);
		}
	}
	free((void *)(uintptr_t)rig->snapshot);
	free(rig->worker);
	free(rig->iss);
	free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
