/* SPDX-License-Identifier: BSD-3-Clause */
/* Worker i runs on lcore i + 1; lcore 0 is the control thread (eal.c). */
#include "workers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_rcu_qsbr.h>

#include "cpus.h"
#include "memory.h"
#include "owner.h"
#include "say.h"

#define ANSWER_TIMEOUT (1 * TICKS_PER_S)
#define END_TIMEOUT (3 * TICKS_PER_S)
/* A worker looks into its letter-box at every tick; a listing or flush takes a few. */
#define ANSWER_PAUSE_US_MIN 20u
#define ANSWER_PAUSE_US_MAX 200u

ticks_t
workers_wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (ticks_t)now.tv_sec * TICKS_PER_S + (ticks_t)now.tv_nsec / 1000;
}

/* The redirection table that decides who owns a connection: the client port's, since that is
 * where floods arrive. */
static unsigned
table_size(const struct port ports[SIDE_COUNT])
{
	const unsigned size = ports[SIDE_CLIENT].table_size;

	return size > 0 && (size & (size - 1)) == 0 ? size : OWNER_TABLE_DEFAULT;
}

static void
lane_init(struct lane *lane, const struct port *port, unsigned index)
{
	*lane = (struct lane){
			.port = port->id,
			.queue = (uint16_t)index,
			.receives = index < port->rx_queues,
			.completes_checksums = port->completes_checksums,
			.depart = port->depart,
			.qinq_is_88a8 = port->device.kind == DEVICE_AF_PACKET &&
					port->config->qinq_outer == CONFIG_QINQ_88A8,
	};
}

/* The library's worker of a loop, in memory of its own node. */
static bool
worker_build(struct workers *workers, struct loop *loop, const struct keys *keys, int node)
{
	const size_t size = sluice_worker_memsize(&workers->limits);
	struct sluice_env env = {
			.context = loop,
			.packet_get = loop_packet_get,
			.packet_emit = loop_packet_emit,
			.packet_drop = loop_packet_drop,
			.snapshot = &workers->snapshot,
			.shared = workers->shared,
			.owns = loop_owns,
			.hops = &workers->hops,
			.inspect = &loop->inspect,
			.samples = &loop->samples,
			.hash_seed = keys->hash_seed,
			.kernel = workers->kernel,
			.mtu = (uint16_t)workers->mtu,
			.now = loop->clock.start,
	};
	void *memory = size > 0 ? memory_alloc(size, node) : NULL;
	struct rte_ether_addr mac;

	if (rte_eth_macaddr_get(loop->lanes[SIDE_BACKEND].port, &mac) == 0)
		memcpy(env.server_mac, mac.addr_bytes, sizeof(env.server_mac));

	if (memory == NULL) {
		say("limits: no memory for a worker's %u connections and %u syn entries (%zu MB) "
		    "on "
		    "node %d; lower connections_per_worker or syn_entries_per_worker",
				workers->limits.connections, workers->limits.syn_entries,
				size >> 20, node);
		return false;
	}
	loop->worker = sluice_worker_init(memory, &workers->limits, &env);
	if (loop->worker == NULL) {
		memory_free(memory, size);
		say("limits: the library refuses them");
		return false;
	}
	return true;
}

/* A worker far from its port still works, but each packet crosses the interconnect. */
static void
node_warn(const struct port ports[SIDE_COUNT], unsigned index, int node)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const int at = rte_eth_dev_socket_id(ports[side].id);

		if (ports[side].device.kind == DEVICE_PCI && at >= 0 && at != node)
			say("workers.cpus[%u]: warning: on NUMA node %d, but %s is on node %d; "
			    "choose a "
			    "CPU of that node",
					index, node, ports[side].config->device, at);
	}
}

static bool
loop_build(struct workers *workers, unsigned index, const struct config *config,
		const struct keys *keys, const struct port ports[SIDE_COUNT],
		const struct mbufs *mbufs)
{
	const unsigned cpu = config->worker_cpus[index];
	const int node = cpus_node(cpu);
	struct loop *loop = memory_alloc(sizeof(*loop), node);

	if (loop == NULL) {
		say("workers.cpus[%u]: no memory on node %d", index, node);
		return false;
	}
	workers->loops[index] = loop;
	node_warn(ports, index, node);
	loop->clock = workers->clock;
	loop->stop = &workers->stop;
	loop->steer = &workers->steer;
	loop->pool = mbufs->by_worker[index];
	loop->qsbr = workers->qsbr;
	loop->index = index;
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		lane_init(&loop->lanes[side], &ports[side], index);
	if (!worker_build(workers, loop, keys, node))
		return false;
	workers->stats[index] = (struct stats_worker){
			.cpu = cpu,
			.counters = worker_counters(loop->worker),
			.backends = worker_backend_counters(loop->worker, 0),
			.watch = &workers->watches[index],
			.load = &workers->loads[index],
			.samples = &loop->samples,
	};
	workers->watches[index] = (struct watchdog){.progress = &loop->progress};
	workers->loads[index] = (struct load){.progress = &loop->progress};
	return true;
}

/* Zeroed memory for what starts on a cache line of its own, or NULL. */
static void *
lines_alloc(size_t size)
{
	void *memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));

	if (memory != NULL)
		memset(memory, 0, cache_align(size));
	return memory;
}

bool
workers_init(struct workers *workers, const struct config *config)
{
	*workers = (struct workers){
			.config = config,
			.count = config->worker_count,
			.limits = {.connections = config->connections_per_worker,
					.connections_ip6 = config->ip6_connections_per_worker,
					.backends = config->backends_max,
					.syn_entries = config->syn_entries_per_worker,
					.monitor_clients = config->monitor_clients_per_worker,
					.early_packets = config_early_packets(config),
					.source_prefixes = config->source_prefixes_per_worker},
			.shared = lines_alloc(config->backends_max * sizeof(struct backend_shared)),
			.qsbr = lines_alloc(rte_rcu_qsbr_get_memsize(config->worker_count)),
	};
	if (workers->shared != NULL && workers->qsbr != NULL &&
			rte_rcu_qsbr_init(workers->qsbr, workers->count) == 0)
		return true;
	say("out of memory");
	return false;
}

bool
workers_build(struct workers *workers, const struct config *config, const struct keys *keys,
		const struct port ports[SIDE_COUNT], const struct mbufs *mbufs)
{
	workers->mtu = RTE_MIN(ports[SIDE_CLIENT].mtu, ports[SIDE_BACKEND].mtu);
	workers->clock = clock_make(rte_rdtsc(), rte_get_tsc_hz(), workers_wall_clock());
	if (!steer_init(&workers->steer, config, table_size(ports))) {
		say("out of memory");
		return false;
	}
	for (unsigned i = 0; i < workers->count; i++)
		if (!loop_build(workers, i, config, keys, ports, mbufs))
			return false;
	workers->is_built = true;
	return true;
}

bool
workers_start(struct workers *workers)
{
	for (; workers->running < workers->count; workers->running++) {
		const unsigned i = workers->running;

		/* Before its first load: what is published from now on waits for it. */
		rte_rcu_qsbr_thread_register(workers->qsbr, i);
		rte_rcu_qsbr_thread_online(workers->qsbr, i);
		if (rte_eal_remote_launch(loop_run, workers->loops[i], i + 1) != 0) {
			say("workers.cpus[%u]: its core can't be started", i);
			return false;
		}
	}
	return true;
}

ticks_t
workers_now(const struct workers *workers)
{
	return clock_at(&workers->clock, rte_rdtsc());
}

static double
seconds(ticks_t time)
{
	return (double)time / TICKS_PER_S;
}

/* True when the posted letter was answered; false when that takes too long. */
static bool
answer_wait(const struct workers *workers, const struct inspect *letter)
{
	const ticks_t until = workers_now(workers) + ANSWER_TIMEOUT;
	unsigned pause = ANSWER_PAUSE_US_MIN;

	/* Pairs with the worker's store-release: whoever sees done sees the whole answer. */
	while (__atomic_load_n(&letter->done, __ATOMIC_ACQUIRE) == 0) {
		const struct timespec time = {.tv_nsec = (long)pause * 1000};

		if (workers_now(workers) >= until)
			return false;
		nanosleep(&time, NULL);
		pause = RTE_MIN(2 * pause, ANSWER_PAUSE_US_MAX);
	}
	return true;
}

bool
workers_ask(struct workers *workers, unsigned worker, struct inspect *letter)
{
	struct loop *loop = workers->loops[worker];

	/* One that nobody waits for any more; the worker may still be writing it. */
	if (loop->letter_is_out && __atomic_load_n(&loop->letter.done, __ATOMIC_ACQUIRE) == 0)
		return false;
	loop->letter = *letter;
	loop->letter.done = 0;
	loop->letter_is_out = true;
	/* Pairs with the load-acquire in sluice_tick(): whoever sees the letter sees the question.
	 */
	__atomic_store_n(&loop->inspect, &loop->letter, __ATOMIC_RELEASE);
	if (!answer_wait(workers, &loop->letter))
		return false;
	loop->letter_is_out = false;
	*letter = loop->letter;
	return true;
}

bool
workers_watch(struct workers *workers, ticks_t limit)
{
	const ticks_t now = workers_now(workers);
	bool all_work = true;

	for (unsigned i = 0; i < workers->running; i++) {
		struct watchdog *watch = &workers->watches[i];

		load_look(&workers->loads[i], now);
		switch (watchdog_look(watch, limit, now)) {
		case WATCHDOG_STALLED:
			say("workers.cpus[%u]: the worker on CPU %u has made no progress for %.1f "
			    "s",
					i, workers->stats[i].cpu, seconds(now - watch->since));
			break;
		case WATCHDOG_RESUMED:
			say("workers.cpus[%u]: the worker on CPU %u goes on after %.1f s", i,
					workers->stats[i].cpu, seconds(watch->lasted));
			break;
		case WATCHDOG_NOTHING:
			break;
		}
		all_work &= !watchdog_is_stalled(watch);
	}
	return all_work;
}

/* Joins a worker; one that stands still can't be joined, nor can anything be freed under it. */
static void
worker_join(const struct workers *workers, unsigned index)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	const ticks_t until = workers_now(workers) + END_TIMEOUT;

	while (rte_eal_get_lcore_state(index + 1) == RUNNING) {
		if (workers_now(workers) >= until) {
			say("workers.cpus[%u]: the worker on CPU %u does not end; leaving without "
			    "it",
					index, workers->stats[index].cpu);
			_exit(EXIT_CODE_ENVIRONMENT);
		}
		nanosleep(&pause, NULL);
	}
	rte_eal_wait_lcore(index + 1);
}

void
workers_stop(struct workers *workers)
{
	if (workers->running == 0)
		return;
	__atomic_store_n(&workers->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < workers->running; i++)
		worker_join(workers, i);
	workers->running = 0;
	steer_drain(&workers->steer);
	for (unsigned i = 0; i < workers->count; i++) {
		if (workers->loops[i] == NULL)
			continue;
		if (workers->loops[i]->worker != NULL)
			sluice_give_back(workers->loops[i]->worker);
		loop_reclaim(workers->loops[i]);
	}
}

bool
workers_resume(struct workers *workers, const struct port ports[SIDE_COUNT])
{
	__atomic_store_n(&workers->stop, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < workers->count; i++) {
		for (unsigned side = 0; side < SIDE_COUNT; side++) {
			struct lane *lane = &workers->loops[i]->lanes[side];
			const uint64_t refused = lane->refused;

			lane_init(lane, &ports[side], i);
			lane->refused = refused;
		}
	}
	return workers_start(workers);
}

uint64_t
workers_refused(const struct workers *workers, enum side side)
{
	uint64_t refused = 0;

	for (unsigned i = 0; i < workers->count; i++)
		refused += counter_read(&workers->loops[i]->lanes[side].refused);
	return refused;
}

uint64_t
workers_too_large(const struct workers *workers, enum side side)
{
	uint64_t too_large = 0;

	for (unsigned i = 0; i < workers->count; i++)
		too_large += counter_read(&workers->loops[i]->lanes[side].too_large);
	return too_large;
}

uint64_t
workers_steered(const struct workers *workers)
{
	uint64_t steered = 0;

	for (unsigned i = 0; i < workers->count; i++)
		steered += counter_read(&workers->loops[i]->steered);
	return steered;
}

void
workers_raze(struct workers *workers)
{
	const size_t size = sluice_worker_memsize(&workers->limits);

	for (unsigned i = 0; i < workers->count; i++) {
		if (workers->loops[i] != NULL)
			memory_free(workers->loops[i]->worker, size);
		memory_free(workers->loops[i], sizeof(struct loop));
		workers->loops[i] = NULL;
		workers->stats[i] = (struct stats_worker){.cpu = 0};
	}
	steer_fini(&workers->steer);
	workers->is_built = false;
}

void
workers_fini(struct workers *workers)
{
	free(workers->shared);
	free(workers->qsbr);
	*workers = (struct workers){0};
}
