/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Order within an iteration: time, both ports (the first one alternates, so that neither
 * starves the other; large bursts wait for the next iteration, while their headers are loaded),
 * packets from other workers, ticks, and only then transmission, once per port. The clock is read
 * once. At the end no snapshot is held, and QSBR is told so.
 */
#include "loop.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>

#include "mbuf_pkt.h"
#include "partial.h"

#define TICK_BUDGET 64
/* A worker that was paused this long first sees the packets that waited meanwhile, and only
 * then lets timers run, so that none expires because we were away. */
#define PAUSE_TICKS (100 * TICKS_PER_MS)
/* Under a flood the ports never run dry; timers wait for this many iterations at most. */
#define HOLD_ITERATIONS 1024

/* Drivers finish what offloads need; one that a driver finds unfit is taken out. */
static void
lane_finish_offloads(struct lane *lane)
{
	unsigned ready = 0;

	while (ready < lane->count) {
		ready += rte_eth_tx_prepare(lane->port, lane->queue, &lane->mbufs[ready],
				(uint16_t)(lane->count - ready));
		if (ready == lane->count)
			break;
		rte_pktmbuf_free(lane->mbufs[ready]);
		counter_add(&lane->refused, 1);
		lane->mbufs[ready] = lane->mbufs[--lane->count];
	}
	lane->is_told = false;
}

static void
lane_send(struct lane *lane)
{
	uint16_t sent;

	if (lane->count == 0)
		return;
	if (UNLIKELY(lane->is_told))
		lane_finish_offloads(lane);
	sent = rte_eth_tx_burst(lane->port, lane->queue, lane->mbufs, (uint16_t)lane->count);
	if (UNLIKELY(sent < lane->count)) {
		rte_pktmbuf_free_bulk(&lane->mbufs[sent], lane->count - sent);
		counter_add(&lane->refused, lane->count - sent);
	}
	lane->count = 0;
}

static void
lane_push(struct lane *lane, struct rte_mbuf *m)
{
	lane->mbufs[lane->count++] = m;
	if (lane->count == LANE_PACKETS)
		lane_send(lane);
}

/* A frame that can't leave as it is; see depart.h. */
static void
lane_push_other(struct lane *lane, struct rte_mbuf *m, struct rte_mempool *pool)
{
	struct segment_cut cut;

	switch (depart_prepare(m, &lane->depart, &cut)) {
	case DEPART_WHOLE:
		lane->is_told |= (m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM) != 0;
		lane_push(lane, m);
		return;
	case DEPART_IN_SEGMENTS:
		while (segment_is_left(&cut)) {
			struct rte_mbuf *segment = segment_next(&cut, pool);

			if (segment == NULL) {
				counter_add(&lane->refused, 1);
				break;
			}
			lane_push(lane, segment);
		}
		break;
	case DEPART_NOT:
		counter_add(&lane->too_large, 1);
		break;
	}
	rte_pktmbuf_free(m);
}

static void
loop_send(struct loop *loop, enum side out, const struct pkt *pkt)
{
	struct lane *lane = &loop->lanes[out];
	struct rte_mbuf *m = mbuf_pkt_unwrap(pkt);

	if (LIKELY(depart_is_plain(m, pkt->l3_offset, &lane->depart))) {
		m->ol_flags &= DEPART_FLAGS_KEPT;
		lane_push(lane, m);
	} else {
		lane_push_other(lane, m, loop->pool);
	}
}

bool
loop_packet_get(void *context, struct pkt *pkt)
{
	struct loop *loop = context;
	struct rte_mbuf *m = rte_pktmbuf_alloc(loop->pool);

	if (m == NULL)
		return false;
	pkt_clear(pkt);
	pkt->data = rte_pktmbuf_mtod(m, uint8_t *);
	pkt->owner = m;
	pkt->tailroom = rte_pktmbuf_tailroom(m);
	return true;
}

void
loop_packet_emit(void *context, enum side out, struct pkt *pkt)
{
	struct loop *loop = context;

	loop_send(loop, out, pkt);
}

void
loop_packet_drop(void *context, struct pkt *pkt)
{
	(void)context;
	rte_pktmbuf_free(pkt->owner);
}

bool
loop_owns(void *context, const struct tuple *tuple)
{
	const struct loop *loop = context;

	return steer_owner(loop->steer, tuple) == loop->index;
}

/* Wraps mbufs into the loop's burst; what can't be wrapped is refused and freed. */
static void
burst_fill(struct loop *loop, enum side from, struct rte_mbuf **mbufs, unsigned count)
{
	const struct lane *lane = &loop->lanes[from];
	const enum pkt_csum unverified =
			lane->completes_checksums ? PKT_CSUM_PARTIAL : PKT_CSUM_UNKNOWN;
	struct burst *burst = &loop->burst;

	burst->from = from;
	burst->count = 0;
	for (unsigned i = 0; i < count; i++) {
		mbufs[i]->port = lane->port; /* net_af_xdp leaves it unset; steering needs it */
		if (LIKELY(mbuf_pkt_wrap(mbufs[i], &burst->pkts[burst->count], unverified))) {
			if (UNLIKELY(lane->qinq_is_88a8))
				mbuf_pkt_restore_qinq(mbufs[i], &burst->pkts[burst->count]);
			burst->count++;
		} else {
			sluice_refuse(loop->worker, from, REASON_frame_too_large);
			rte_pktmbuf_free(mbufs[i]);
		}
	}
}

/* Hands packets of other workers' connections over and closes the gaps they leave. */
static void
burst_steer(struct loop *loop)
{
	struct burst *burst = &loop->burst;
	unsigned kept = 0;

	sluice_read(loop->worker, burst);
	for (unsigned i = 0; i < burst->count; i++) {
		struct pkt *pkt = &burst->pkts[i];
		unsigned owner = loop->index;

		if (pkt->kind == PKT_TCP || pkt->kind == PKT_ICMP_ERROR)
			owner = steer_owner(loop->steer, &pkt->tuple);
		if (owner == loop->index) {
			if (kept != i)
				burst->pkts[kept] = *pkt;
			kept++;
		} else if (steer_send(loop->steer, loop->index, owner, pkt->owner)) {
			counter_add(&loop->steered, 1);
		} else {
			sluice_refuse(loop->worker, burst->from, REASON_steer_full);
			rte_pktmbuf_free(pkt->owner);
		}
	}
	if (kept != burst->count)
		sluice_read_others(loop->worker);
	burst->count = kept;
}

/* A packet nobody checked leaves with the checksum its sender meant to have: the first reasons of
 * all, but for what is not IP. */
static_assert(REASON_pass_not_ip + 1 == REASON_pass_not_tcp &&
				REASON_monitor_passed + 1 == REASON_eth_truncated,
		"all that pass unchanged stand together");
static void
pkt_complete(const struct lane *lane, struct pkt *pkt)
{
	if (lane->completes_checksums && pkt->csum != PKT_CSUM_LATER &&
			pkt->reason >= REASON_pass_not_tcp && pkt->reason <= REASON_monitor_passed)
		partial_complete(pkt->data, pkt->len, pkt->l3_offset);
}

static void
burst_finish(struct loop *loop)
{
	struct burst *burst = &loop->burst;
	struct rte_mbuf *dropped[BURST_MAX];
	unsigned drops = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		struct pkt *pkt = &burst->pkts[i];

		switch (reason_verdict(pkt->reason)) {
		case VERDICT_FORWARD:
			pkt_complete(&loop->lanes[burst->from], pkt);
			loop_send(loop, side_other(burst->from), pkt);
			break;
		case VERDICT_REPLY:
			loop_send(loop, burst->from, pkt);
			break;
		case VERDICT_DROP:
			dropped[drops++] = pkt->owner;
			break;
		case VERDICT_HOLD:
			break; /* the worker's, until loop_packet_emit or loop_packet_drop */
		}
	}
	if (drops > 0)
		rte_pktmbuf_free_bulk(dropped, drops);
}

static void
loop_take(struct loop *loop, enum side from, struct rte_mbuf **mbufs, unsigned count, ticks_t now)
{
	if (count == 0)
		return;
	burst_fill(loop, from, mbufs, count);
	sluice_burst(loop->worker, &loop->burst, now);
	burst_finish(loop);
}

/* Like loop_take(), for packets that may be other workers'. */
static void
loop_take_own(struct loop *loop, enum side from, struct rte_mbuf **mbufs, unsigned count,
		ticks_t now)
{
	if (loop->steer->count == 1) {
		loop_take(loop, from, mbufs, count, now);
		return;
	}
	if (count == 0)
		return;
	burst_fill(loop, from, mbufs, count);
	burst_steer(loop);
	sluice_burst(loop->worker, &loop->burst, now);
	burst_finish(loop);
}

static PREFETCHING void
mbuf_prefetch(struct rte_mbuf *mbuf)
{
	burst_prefetch(rte_pktmbuf_mtod(mbuf, const uint8_t *), rte_pktmbuf_data_len(mbuf));
}

/* Has frames loaded from memory, while the burst before them is worked on if there is one. */
static void
loop_load(struct loop *loop, struct rte_mbuf **mbufs, unsigned count, bool during_burst)
{
	struct burst *burst = &loop->burst;

	for (unsigned i = 0; !during_burst && i < count; i++)
		mbuf_prefetch(mbufs[i]);
	burst->ahead_count = during_burst ? count : 0;
	for (unsigned i = 0; i < burst->ahead_count; i++)
		burst->ahead[i] = (struct burst_ahead){rte_pktmbuf_mtod(mbufs[i], const uint8_t *),
				rte_pktmbuf_data_len(mbufs[i])};
}

/* Polls one port; how many packets came or were worked on. A large burst is worked on in the next
 * iteration, when its headers have come from memory. */
static unsigned
loop_poll(struct loop *loop, enum side from, ticks_t now)
{
	struct lane *lane = &loop->lanes[from];
	const unsigned due = lane->ahead_count;
	struct rte_mbuf *mbufs[BURST_MAX];
	unsigned count;

	if (!lane->receives)
		return 0;
	count = rte_eth_rx_burst(lane->port, lane->queue, mbufs, BURST_MAX);
	loop_load(loop, mbufs, count, due > 0);
	loop_take_own(loop, from, lane->ahead, due, now);
	lane->ahead_count = 0;
	if (count < BURST_AHEAD_LEAST) {
		loop_take_own(loop, from, mbufs, count, now);
	} else {
		memcpy(lane->ahead, mbufs, count * sizeof(*mbufs));
		lane->ahead_count = count;
	}
	return due + count;
}

/* Takes what other workers handed over, and says how much; each ring holds packets of both ports.
 */
static unsigned
loop_poll_steered(struct loop *loop, ticks_t now)
{
	unsigned all = 0;

	for (unsigned from = 0; from < loop->steer->count; from++) {
		struct rte_mbuf *mbufs[BURST_MAX], *sides[SIDE_COUNT][BURST_MAX];
		unsigned count, counts[SIDE_COUNT] = {0};

		if (from == loop->index)
			continue;
		count = steer_receive(loop->steer, from, loop->index, mbufs, BURST_MAX);
		for (unsigned i = 0; i < count; i++) {
			burst_prefetch_ahead(rte_pktmbuf_mtod(mbufs[i], const uint8_t *));
			const enum side side = mbufs[i]->port == loop->lanes[SIDE_CLIENT].port
							       ? SIDE_CLIENT
							       : SIDE_BACKEND;

			sides[side][counts[side]++] = mbufs[i];
		}
		loop_take(loop, SIDE_CLIENT, sides[SIDE_CLIENT], counts[SIDE_CLIENT], now);
		loop_take(loop, SIDE_BACKEND, sides[SIDE_BACKEND], counts[SIDE_BACKEND], now);
		all += count;
	}
	return all;
}

/* How much there was to do. */
static unsigned
loop_tick(struct loop *loop, ticks_t now, bool more_waits)
{
	if (UNLIKELY(loop->hold > 0)) {
		loop->hold = more_waits ? loop->hold - 1 : 0;
		if (loop->hold > 0)
			return 0;
	}
	return sluice_tick(loop->worker, now, TICK_BUDGET);
}

/* What was received and not worked on yet is not lost, unless it is another worker's. */
static void
loop_finish(struct loop *loop)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		struct lane *lane = &loop->lanes[side];

		loop_take_own(loop, (enum side)side, lane->ahead, lane->ahead_count,
				loop->progress.at);
		lane->ahead_count = 0;
	}
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		lane_send(&loop->lanes[side]);
}

int
loop_run(void *argument)
{
	struct loop *loop = argument;
	enum side first = SIDE_CLIENT;
	uint64_t before = rte_rdtsc();
	unsigned done = 0; /* packets and timers of the iteration before */

	progress_go(&loop->progress, clock_at(&loop->clock, before));
	while (!__atomic_load_n(loop->stop, __ATOMIC_RELAXED)) {
		const uint64_t cycles = rte_rdtsc();
		const ticks_t read = clock_at(&loop->clock, cycles);
		const ticks_t last = loop->progress.at;
		const ticks_t now = read > last ? read : last;
		unsigned counts[SIDE_COUNT];

		if (UNLIKELY(now - last > PAUSE_TICKS)) {
			loop->hold = HOLD_ITERATIONS;
			progress_pause(&loop->progress, now - last);
		} else {
			progress_spend(&loop->progress, cycles - before, done > 0);
		}
		progress_go(&loop->progress, now);
		before = cycles;

		counts[first] = loop_poll(loop, first, now);
		first = side_other(first);
		counts[first] = loop_poll(loop, first, now);
		done = counts[SIDE_CLIENT] + counts[SIDE_BACKEND];
		if (loop->steer->count > 1)
			done += loop_poll_steered(loop, now);
		done += loop_tick(loop, now,
				loop->lanes[SIDE_CLIENT].ahead_count > 0 ||
						loop->lanes[SIDE_BACKEND].ahead_count > 0);
		for (unsigned side = 0; side < SIDE_COUNT; side++)
			lane_send(&loop->lanes[side]);
		rte_rcu_qsbr_quiescent(loop->qsbr, loop->index);
	}
	loop_finish(loop);
	rte_rcu_qsbr_thread_offline(loop->qsbr, loop->index);
	return 0;
}

void
loop_reclaim(struct loop *loop)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		struct lane *lane = &loop->lanes[side];

		/* net_af_xdp knows no cleanup call, but collects what was sent whenever it sends.
		 */
		if (rte_eth_tx_done_cleanup(lane->port, lane->queue, 0) < 0)
			rte_eth_tx_burst(lane->port, lane->queue, lane->mbufs, 0);
	}
}
