/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one worker's core does all day: poll both ports, take each burst through the library,
 * carry out its verdicts, send, tick. It allocates nothing, logs nothing, and never waits.
 */
#ifndef SLUICE_APP_LOOP_H
#define SLUICE_APP_LOOP_H

#include "clock.h"
#include "depart.h"
#include "proxy/worker.h"
#include "steer.h"
#include "table/progress.h"

struct rte_mbuf;
struct rte_mempool;

/** Packets gathered for one port before they are sent: more than one iteration usually makes. */
#define LANE_PACKETS 128

/** One port as one worker sees it. */
struct lane {
	/* Fixed before the loop runs. */
	uint16_t port;
	uint16_t queue;
	bool receives;		  /**< the port has a receive queue for this worker */
	bool completes_checksums; /**< see struct port */
	bool qinq_is_88a8;	  /**< the outer of two tags that the kernel took off was 0x88a8 */
	struct depart depart;	  /**< what the port can send */
	/* The worker's. */
	struct rte_mbuf *ahead[BURST_MAX]; /**< received, and to be worked on in the next iteration
					    */
	unsigned ahead_count;
	bool is_told; /**< some of mbufs ask the port for offloads */
	unsigned count;
	struct rte_mbuf *mbufs[LANE_PACKETS];
	uint64_t refused;   /**< packets the port did not take; freed. Any thread may counter_read()
			     */
	uint64_t too_large; /**< packets larger than the port's MTU; freed. The same */
};

struct loop {
	/* Fixed before the loop runs. */
	struct worker *worker;
	struct clock clock;
	const bool *stop; /**< set by the control thread, read relaxed: nothing else depends on it
			   */
	const struct steer *steer;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr; /**< told once per iteration that no snapshot is held */
	unsigned index;
	/* The worker's. */
	struct lane lanes[SIDE_COUNT];
	struct burst burst;
	uint64_t steered; /**< packets handed to other workers. Any thread may counter_read() */
	struct progress progress; /**< the time of the iteration before, and pauses. Any thread may
				     read */
	unsigned hold;		  /**< iterations for which timers still have to wait */
	/* The control thread's, except for what a posted letter leaves to the worker. */
	struct inspect *inspect; /**< the letter-box: NULL, or the letter */
	struct inspect letter;
	struct syn_samples samples; /**< the worker writes, the control thread reads */
	bool letter_is_out;	    /**< posted, and its answer not taken yet */
} __attribute__((aligned(CACHE_LINE_SIZE)));

/** Runs until *stop; the argument is a struct loop. Fits rte_eal_remote_launch(). */
int loop_run(void *loop);

/** sluice_env's functions; context is the struct loop. */
bool loop_packet_get(void *context, struct pkt *pkt);
void loop_packet_emit(void *context, enum side out, struct pkt *pkt);
void loop_packet_drop(void *context, struct pkt *pkt);
bool loop_owns(void *context, const struct tuple *tuple);

/** Lets the ports give back mbufs that have been sent. After the loop has ended. */
void loop_reclaim(struct loop *loop);

#endif
