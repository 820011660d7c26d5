/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hand-off rings between threads that do nothing else: every packet arrives once, in order, as
 * its sender left it, and a full ring refuses. Also run under ThreadSanitizer. The rings stand in
 * memory of the test, since steer_init() takes it from EAL.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "proxy/burst.h"
#include "steer.h"

enum { WORKERS = 3, RING_SIZE = 64, PACKETS = 20000 };

struct rig {
	struct steer steer;
	struct rte_ring *rings[WORKERS * WORKERS];
	/* By sender and receiver: each packet goes once, so that nothing but the ring orders what
	 * is written into it and read from it. */
	struct rte_mbuf *packets[WORKERS][WORKERS];
};

struct thread {
	struct rig *rig;
	unsigned index;
	pthread_t pthread;
	unsigned wrong;
};

static void *
aligned_new(size_t size)
{
	void *memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));

	assert_non_null(memory);
	memset(memory, 0, size);
	return memory;
}

static struct rig *
rig_new(void)
{
	struct rig *rig = aligned_new(sizeof(*rig));

	rig->steer = (struct steer){.count = WORKERS, .table_size = 128, .rings = rig->rings};
	for (unsigned from = 0; from < WORKERS; from++) {
		for (unsigned to = 0; to < WORKERS; to++) {
			struct rte_ring *ring;

			if (from == to)
				continue;
			ring = aligned_new((size_t)rte_ring_get_memsize(RING_SIZE));
			assert_int_equal(rte_ring_init(ring, "steer", RING_SIZE,
							 RING_F_SP_ENQ | RING_F_SC_DEQ),
					0);
			rig->rings[from * WORKERS + to] = ring;
			rig->packets[from][to] = aligned_new(PACKETS * sizeof(struct rte_mbuf));
		}
	}
	return rig;
}

static void
rig_free(struct rig *rig)
{
	for (unsigned from = 0; from < WORKERS; from++) {
		for (unsigned to = 0; to < WORKERS; to++)
			free(rig->packets[from][to]);
	}
	for (unsigned i = 0; i < WORKERS * WORKERS; i++)
		free(rig->rings[i]);
	free(rig);
}

/* Sends the next packet, unless the ring is full. */
static void
send_next(struct thread *thread, unsigned to, unsigned *sent)
{
	struct rte_mbuf *m = &thread->rig->packets[thread->index][to][*sent];

	m->port = (uint16_t)thread->index;
	m->pkt_len = *sent;
	if (steer_send(&thread->rig->steer, thread->index, to, m))
		++*sent;
}

static void
receive_some(struct thread *thread, unsigned from, unsigned *received)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	unsigned count = steer_receive(
			&thread->rig->steer, from, thread->index, mbufs, ARRAY_COUNT(mbufs));

	for (unsigned i = 0; i < count; i++, ++*received)
		thread->wrong += mbufs[i]->port != from || mbufs[i]->pkt_len != *received ||
				 mbufs[i] != &thread->rig->packets[from][thread->index][*received];
}

static void *
thread_run(void *argument)
{
	struct thread *thread = argument;
	unsigned sent[WORKERS] = {0}, received[WORKERS] = {0}, done;

	do {
		done = 0;
		for (unsigned other = 0; other < WORKERS; other++) {
			if (other == thread->index)
				continue;
			for (unsigned i = 0; i < BURST_MAX && sent[other] < PACKETS; i++)
				send_next(thread, other, &sent[other]);
			receive_some(thread, other, &received[other]);
			done += sent[other] == PACKETS && received[other] == PACKETS;
		}
		if (done < WORKERS - 1)
			sched_yield();
	} while (done < WORKERS - 1);
	return NULL;
}

/* 1. Between three threads, each with each. */
static void
test_hand_over(void **state)
{
	struct rig *rig = rig_new();
	struct thread threads[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		threads[i] = (struct thread){.rig = rig, .index = i};
		assert_int_equal(pthread_create(&threads[i].pthread, NULL, thread_run, &threads[i]),
				0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(pthread_join(threads[i].pthread, NULL), 0);
		assert_int_equal(threads[i].wrong, 0);
	}
	for (unsigned i = 0; i < WORKERS * WORKERS; i++)
		assert_true(rig->rings[i] == NULL || rte_ring_empty(rig->rings[i]));
	rig_free(rig);
}

/* 2. A ring takes one packet less than its size, then refuses until there is room; what waits comes
 * out in bursts of the size asked for. */
static void
test_full(void **state)
{
	struct rig *rig = rig_new();
	struct rte_mbuf *packets = rig->packets[0][1], *mbufs[BURST_MAX];

	(void)state;
	for (unsigned i = 0; i < RING_SIZE - 1; i++)
		assert_true(steer_send(&rig->steer, 0, 1, &packets[i]));
	assert_false(steer_send(&rig->steer, 0, 1, &packets[RING_SIZE - 1]));
	assert_true(steer_send(&rig->steer, 1, 0, &rig->packets[1][0][0]));
	assert_int_equal(steer_receive(&rig->steer, 0, 1, mbufs, BURST_MAX), BURST_MAX);
	assert_ptr_equal(mbufs[BURST_MAX - 1], &packets[BURST_MAX - 1]);
	assert_true(steer_send(&rig->steer, 0, 1, &packets[RING_SIZE - 1]));
	assert_int_equal(steer_receive(&rig->steer, 0, 1, mbufs, BURST_MAX), BURST_MAX);
	assert_ptr_equal(mbufs[BURST_MAX - 1], &packets[RING_SIZE - 1]);
	assert_int_equal(steer_receive(&rig->steer, 0, 1, mbufs, BURST_MAX), 0);
	assert_int_equal(steer_receive(&rig->steer, 2, 1, mbufs, BURST_MAX), 0);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_hand_over),
			cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
