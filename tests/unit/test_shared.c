/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers share, by two of them in threads of their own: a connection takes one place in the
 * accept ring and gives it back, and that is all. While segments are spliced, SYNs answered by
 * cookies and forged ACKs refused, the shared memory can't be written at all: a worker that tries
 * ends the test at once, with status 255. Atomics on memory of its own would cost as much; builds
 * with test_checks count them (base/atomic_count.h), the others leave them to
 * tests/check_hot_path.py.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kernel_wanted.h"
#include "packets.h"
#include "proxy/worker.h"
#include "spare.h"

#if SLUICE_TEST_CHECKS
#include "base/atomic_count.h"
#else
static const uint64_t atomic_count;
#endif

enum { WORKERS = 2, CONNECTIONS = 3 * BURST_MAX, FLOOD = 40, ROUNDS = 50, FRAME_BYTES = 128 };

#define START (UINT64_C(1000000) * COOKIE_EPOCH_S * TICKS_PER_S + TICKS_PER_S)

/* What all workers share, on pages of its own. */
struct common {
	struct backend_shared shared[1];
	_Alignas(CACHE_LINE_SIZE) uint8_t snapshot[4096];
};

/* Atomics that a thread met in each part of its work. */
enum part { PART_SYNS, PART_PROOFS, PART_ANSWERS, PART_SPLICE, PART_FLOOD, PART_COUNT };

struct thread {
	struct rig *rig;
	unsigned index;
	pthread_t pthread;
	void *memory;
	struct worker *worker;
	struct burst burst;
	uint8_t frames[BURST_MAX][FRAME_BYTES];
	struct spare spare;
	uint32_t iss[CONNECTIONS];
	uint64_t atomics[PART_COUNT];
	unsigned surprises; /* packets that did not end as expected */
};

struct rig {
	struct common *common;
	const struct snapshot *where;
	pthread_barrier_t barrier;
	struct thread threads[WORKERS];
};

/* Numbers that tell a thread's clients from each other; the backend's ISN is the client's + 5. */
static struct packet
client(const struct thread *thread, unsigned n, uint8_t flags)
{
	const char *address = thread->index == 0 ? "10.1.0.1" : "10.1.0.2";
	struct packet p = packet_ip4(address, (uint16_t)(1024 + n), "10.0.0.2", 80);

	p.flags = flags;
	p.seq = n * 7919 + (flags & PACKET_SYN ? 0 : 1);
	return p;
}

static struct packet
client_syn(const struct thread *thread, unsigned n)
{
	struct packet p = client(thread, n, PACKET_SYN);

	packet_add_mss(&p, 1460);
	return p;
}

static struct packet
client_segment(const struct thread *thread, unsigned n)
{
	struct packet p = client(thread, n, PACKET_ACK);

	p.ack = thread->iss[n] + 1;
	return p;
}

static struct packet
backend_segment(const struct thread *thread, unsigned n, uint8_t flags)
{
	const char *address = thread->index == 0 ? "10.1.0.1" : "10.1.0.2";
	struct packet p = packet_ip4("10.0.0.2", 80, address, (uint16_t)(1024 + n));

	p.flags = flags;
	p.seq = n * 7919 + 5 + (flags & PACKET_SYN ? 0 : 1);
	p.ack = n * 7919 + 1;
	return p;
}

static void
place(struct thread *thread, unsigned i, const struct packet *packet)
{
	struct pkt *pkt = &thread->burst.pkts[i];

	*pkt = (struct pkt){.data = thread->frames[i]};
	pkt->len = (uint32_t)packet_write(packet, pkt->data, FRAME_BYTES);
	pkt->tailroom = (uint16_t)(FRAME_BYTES - pkt->len);
}

/* A full burst, each of whose packets should end as expected. */
static void
run(struct thread *thread, enum side from, enum part part, enum reason expected)
{
	uint64_t before = atomic_count;

	thread->burst.from = from;
	thread->burst.count = BURST_MAX;
	sluice_burst(thread->worker, &thread->burst, START);
	thread->atomics[part] += atomic_count - before;
	for (unsigned i = 0; i < BURST_MAX; i++)
		thread->surprises += thread->burst.pkts[i].reason != expected;
}

static void
open_connections(struct thread *thread, unsigned first)
{
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet syn = client_syn(thread, first + i);

		place(thread, i, &syn);
	}
	run(thread, SIDE_CLIENT, PART_SYNS, REASON_syn_cookie_sent);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet answer, ack;

		packet_read(&answer, thread->frames[i], thread->burst.pkts[i].len);
		thread->iss[first + i] = answer.seq;
		ack = client_segment(thread, first + i);
		place(thread, i, &ack);
	}
	run(thread, SIDE_CLIENT, PART_PROOFS, REASON_ack_connecting);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet answer = backend_segment(thread, first + i, PACKET_SYN | PACKET_ACK);

		place(thread, i, &answer);
	}
	run(thread, SIDE_BACKEND, PART_ANSWERS, REASON_backend_connected);
}

static void
splice(struct thread *thread, enum side from, unsigned first)
{
	static const uint8_t data[8] = "sluice";

	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet p = from == SIDE_CLIENT
						  ? client_segment(thread, first + i)
						  : backend_segment(thread, first + i, PACKET_ACK);

		p.payload = data;
		p.payload_length = sizeof(data);
		place(thread, i, &p);
	}
	run(thread, from, PART_SPLICE, REASON_spliced);
}

static void
flood(struct thread *thread, unsigned first)
{
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet syn = client_syn(thread, first + i);

		place(thread, i, &syn);
	}
	run(thread, SIDE_CLIENT, PART_FLOOD, REASON_syn_cookie_sent);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		struct packet ack = client(thread, first + i, PACKET_ACK);

		ack.ack = first * 31 + i;
		place(thread, i, &ack);
	}
	run(thread, SIDE_CLIENT, PART_FLOOD, REASON_ack_cookie_invalid);
}

static void *
thread_run(void *argument)
{
	struct thread *thread = argument;

	for (unsigned first = 0; first < CONNECTIONS; first += BURST_MAX)
		open_connections(thread, first);
	pthread_barrier_wait(&thread->rig->barrier);
	pthread_barrier_wait(&thread->rig->barrier);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned first = round * BURST_MAX % CONNECTIONS;

		splice(thread, SIDE_CLIENT, first);
		splice(thread, SIDE_BACKEND, first);
		flood(thread, CONNECTIONS + round % FLOOD * BURST_MAX);
	}
	return NULL;
}

static void
common_open(struct rig *rig)
{
	struct backend_config config = {
			.port = 80,
			.family = FAMILY_IP4,
			.tcp_syncookies = 2,
			.tcp_synack_retries = 5,
			.tcp_syn_retries = 3,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = 1000,
			.somaxconn = 1000,
			.tcp_max_syn_backlog = 1000,
			.connect_window = 1000,
			.announced_mss = 1460,
			.announced_wscale = 7,
	};
	const struct packet p = packet_ip4("10.0.0.2", 80, "10.0.0.2", 80);
	struct snapshot *snapshot;
	uint32_t ip4_be;

	rig->common = mmap(NULL, sizeof(*rig->common), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(rig->common != MAP_FAILED);
	assert_true(snapshot_memsize(1) <= sizeof(rig->common->snapshot));
	memcpy(&ip4_be, p.source, sizeof(ip4_be));
	config.address = ip_addr_from_ip4(ip4_be);
	snapshot = snapshot_init(rig->common->snapshot, 1, 1, 1);
	snapshot_insert(snapshot, &config);
	rig->where = snapshot;
}

static void
thread_open(struct rig *rig, unsigned index)
{
	struct thread *thread = &rig->threads[index];
	const struct sluice_limits limits = {CONNECTIONS, 0, 1, 64, 8, 0, 64};
	struct sluice_env env = {
			.snapshot = &rig->where,
			.shared = rig->common->shared,
			.hash_seed = {3, 4},
			.kernel = kernel_wanted(),
			.now = START,
	};

	spare_serve(&thread->spare, &env);
	thread->rig = rig;
	thread->index = index;
	thread->memory =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(sluice_worker_memsize(&limits)));
	thread->worker = sluice_worker_init(thread->memory, &limits, &env);
	assert_non_null(thread->worker);
}

static void
test_what_is_shared(void **state)
{
	static struct rig rig;

	(void)state;
	common_open(&rig);
	pthread_barrier_init(&rig.barrier, NULL, WORKERS + 1);
	for (unsigned i = 0; i < WORKERS; i++)
		thread_open(&rig, i);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&rig.threads[i].pthread, NULL, thread_run,
						 &rig.threads[i]),
				0);
	pthread_barrier_wait(&rig.barrier);
	assert_int_equal(rig.common->shared[0].accept, 0);
	assert_int_equal(mprotect(rig.common, sizeof(*rig.common), PROT_READ), 0);
	pthread_barrier_wait(&rig.barrier);
	for (unsigned i = 0; i < WORKERS; i++) {
		const uint64_t *atomics = rig.threads[i].atomics;
		const uint64_t once = SLUICE_TEST_CHECKS ? CONNECTIONS : 0;

		assert_int_equal(pthread_join(rig.threads[i].pthread, NULL), 0);
		assert_int_equal(rig.threads[i].surprises, 0);
		assert_int_equal(atomics[PART_SYNS], 0);
		assert_int_equal(atomics[PART_PROOFS], once);
		assert_int_equal(atomics[PART_ANSWERS], once);
		assert_int_equal(atomics[PART_SPLICE], 0);
		assert_int_equal(atomics[PART_FLOOD], 0);
		free(rig.threads[i].memory);
	}
	pthread_barrier_destroy(&rig.barrier);
	munmap(rig.common, sizeof(*rig.common));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_shared)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
