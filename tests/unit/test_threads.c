/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that threads share, by real threads: two workers carry connections from SYN to RST, as
 * the appliance's loop would have them, while a control thread reloads, removes and brings back a
 * backend, sums counters, writes letters. What this asserts is coarse; that nothing of it races is
 * for ThreadSanitizer to see, under which tests/run has it run again.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_rcu_qsbr.h>

#include "control/command.h"
#include "kernel_wanted.h"
#include "packets.h"
#include "proxy/worker.h"
#include "spare.h"

enum { WORKERS = 2, SLOTS = 3, CONNECTIONS = 512, ROUNDS = 24, LETTERS = 2, FRAME_BYTES = 256 };

#define START (UINT64_C(1000000) * COOKIE_EPOCH_S * TICKS_PER_S + TICKS_PER_S)

struct rig;

struct thread {
	struct rig *rig;
	unsigned index;
	pthread_t pthread;
	void *memory;
	struct worker *worker;
	struct inspect *box;
	struct inspect letter;
	struct spare spare;
	uint64_t sent;
	unsigned spliced; /* connections that got that far */
};

struct rig {
	char path[64];
	struct registry registry;
	struct rte_rcu_qsbr *qsbr;
	const struct snapshot *where;
	struct backend_shared shared[SLOTS];
	struct stats_worker workers[WORKERS];
	struct thread threads[WORKERS];
	uint64_t clock; /* all threads', relaxed: it orders nothing */
	bool stop;
	unsigned answered;
};

static ticks_t
rig_now(struct rig *rig, ticks_t later)
{
	return START + __atomic_add_fetch(&rig->clock, later, __ATOMIC_RELAXED);
}

/* A packet through a burst of its own; answer is what leaves, if anything does. */
static enum reason
pass(struct thread *thread, enum side from, const struct packet *packet, struct packet *answer)
{
	uint8_t frame[FRAME_BYTES];
	struct burst burst = {.from = from, .count = 1};
	struct pkt *pkt = &burst.pkts[0];

	*pkt = (struct pkt){.data = frame};
	pkt->len = (uint32_t)packet_write(packet, frame, sizeof(frame));
	pkt->tailroom = (uint16_t)(sizeof(frame) - pkt->len);
	sluice_burst(thread->worker, &burst, rig_now(thread->rig, TICKS_PER_MS));
	thread->sent++;
	if (reason_verdict((enum reason)pkt->reason) != VERDICT_DROP)
		packet_read(answer, frame, pkt->len);
	answer->payload_length = 0;
	return (enum reason)pkt->reason;
}

/* One client's life, as far as it is let. */
static void
connection(struct thread *thread, unsigned n)
{
	const char *client = thread->index == 0 ? "10.1.0.1" : "10.1.0.2";
	uint16_t port = (uint16_t)(1024 + n % 60000), to = n % 3 == 0 ? 25 : 80;
	struct packet packet = packet_ip4(client, port, "10.0.0.2", to), answer;
	struct packet back = packet_ip4("10.0.0.2", to, client, port);

	packet.flags = PACKET_SYN;
	packet.seq = n;
	packet_add_mss(&packet, 1460);
	if (reason_verdict(pass(thread, SIDE_CLIENT, &packet, &answer)) != VERDICT_REPLY)
		return;
	packet.flags = PACKET_ACK;
	packet.options_length = 0;
	packet.seq = n + 1;
	packet.ack = answer.seq + 1;
	if (pass(thread, SIDE_CLIENT, &packet, &answer) != REASON_ack_connecting)
		return;
	back.flags = PACKET_SYN | PACKET_ACK;
	back.seq = 77;
	back.ack = n + 1;
	if (pass(thread, SIDE_BACKEND, &back, &answer) != REASON_backend_connected)
		return;
	if (pass(thread, SIDE_CLIENT, &packet, &answer) == REASON_spliced)
		__atomic_store_n(&thread->spliced, thread->spliced + 1, __ATOMIC_RELAXED);
	packet.flags = PACKET_RST;
	pass(thread, SIDE_CLIENT, &packet, &answer);
}

static void *
thread_run(void *argument)
{
	struct thread *thread = argument;
	struct rig *rig = thread->rig;

	for (unsigned n = 0; !__atomic_load_n(&rig->stop, __ATOMIC_RELAXED); n++) {
		connection(thread, n);
		sluice_tick(thread->worker, rig_now(rig, TICKS_PER_MS), 64);
		rte_rcu_qsbr_quiescent(rig->qsbr, thread->index);
	}
	rte_rcu_qsbr_thread_offline(rig->qsbr, thread->index);
	return NULL;
}

/* As the appliance has a letter answered, but with all patience. */
static bool
ask(void *context, unsigned worker, struct inspect *letter)
{
	struct rig *rig = context;
	struct thread *thread = &rig->threads[worker];

	thread->letter = *letter;
	thread->letter.done = 0;
	__atomic_store_n(&thread->box, &thread->letter, __ATOMIC_RELEASE);
	while (__atomic_load_n(&thread->letter.done, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	*letter = thread->letter;
	rig->answered++;
	return true;
}

static bool
secret(void *context, const struct config *config, struct siphash_key *key, char *message,
		size_t size)
{
	(void)context, (void)config, (void)message, (void)size;
	*key = (struct siphash_key){1, 2};
	return true;
}

static void
config_write(const struct rig *rig, unsigned backlog, bool has_mail)
{
	FILE *file = fopen(rig->path, "w");

	assert_non_null(file);
	fprintf(file,
			"{\"ports\": {\"client\": {\"device\": \"c\"}, \"server\": {\"device\": "
			"\"s\"}}, "
			"\"workers\": {\"cpus\": [1, 2]}, \"limits\": {\"backends\": %d}, "
			"\"timeouts\": {\"reset_s\": 1}, \"backends\": [{\"name\": \"web\", "
			"\"address\": \"10.0.0.2\", \"port\": 80, \"backlog\": %u}%s]}",
			SLOTS, backlog,
			has_mail ? ", {\"name\": \"mail\", \"address\": \"10.0.0.2\", \"port\": 25}"
				 : "");
	assert_int_equal(fclose(file), 0);
}

static void
rig_open_registry(struct rig *rig)
{
	struct registry_env env = {
			.context = rig,
			.workers = rig->workers,
			.worker_count = WORKERS,
			.shared = rig->shared,
			.where = &rig->where,
			.qsbr = rig->qsbr,
			.ask = ask,
			.secret = secret,
			.seed = 7,
	};
	struct config_errors errors;
	char message[256];
	int fd;

	strcpy(rig->path, "/tmp/test_threads_XXXXXX");
	fd = mkstemp(rig->path);
	assert_true(fd >= 0);
	close(fd);
	config_write(rig, 100, true);
	assert_true(registry_init(&rig->registry, &env, rig->path, config_load(rig->path, &errors),
			START, message, sizeof(message)));
}

static void
thread_open(struct rig *rig, unsigned index)
{
	struct thread *thread = &rig->threads[index];
	const struct sluice_limits limits = {CONNECTIONS, 0, SLOTS, 64, 8, 0, 64};
	struct sluice_env env = {
			.snapshot = &rig->where,
			.shared = rig->shared,
			.inspect = &thread->box,
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
	rig->workers[index] = (struct stats_worker){.cpu = index,
			.counters = worker_counters(thread->worker),
			.backends = worker_backend_counters(thread->worker, 0)};
	assert_int_equal(rte_rcu_qsbr_thread_register(rig->qsbr, index), 0);
	rte_rcu_qsbr_thread_online(rig->qsbr, index);
}

static struct rig *
rig_new(void)
{
	struct rig *rig = aligned_alloc(CACHE_LINE_SIZE, cache_align(sizeof(*rig)));

	assert_non_null(rig);
	memset(rig, 0, sizeof(*rig));
	rig->qsbr = aligned_alloc(CACHE_LINE_SIZE, cache_align(rte_rcu_qsbr_get_memsize(WORKERS)));
	assert_int_equal(rte_rcu_qsbr_init(rig->qsbr, WORKERS), 0);
	rig_open_registry(rig);
	for (unsigned i = 0; i < WORKERS; i++)
		thread_open(rig, i);
	return rig;
}

static void
rig_free(struct rig *rig)
{
	registry_fini(&rig->registry);
	for (unsigned i = 0; i < WORKERS; i++)
		free(rig->threads[i].memory);
	free(rig->qsbr);
	unlink(rig->path);
	free(rig);
}

static void
rig_start(struct rig *rig)
{
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&rig->threads[i].pthread, NULL, thread_run,
						 &rig->threads[i]),
				0);
}

static void
rig_stop(struct rig *rig)
{
	__atomic_store_n(&rig->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(rig->threads[i].pthread, NULL), 0);
}

static void
reload(struct rig *rig)
{
	struct config_errors errors;

	while (!publication_has_room(&rig->registry.publication)) {
		sched_yield();
		registry_tick(&rig->registry, rig_now(rig, 0));
	}
	if (!registry_reload(&rig->registry, rig_now(rig, 0), TICKS_NEVER, &errors))
		fail_msg("%s", errors.lines[0]);
	config_errors_free(&errors);
}

/* Listings of all kinds, from all workers, to their ends. */
static void
read_letters(struct rig *rig)
{
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		for (unsigned kind = 0; kind <= INSPECT_PROFILES; kind++) {
			struct inspect letter = {.kind = (enum inspect_kind)kind,
					.slot = kind == INSPECT_FLUSH ? 0 : INSPECT_SLOT_ANY,
					.limit = 8};

			do
				ask(rig, worker, &letter), letter.count = 0;
			while (letter.more);
		}
	}
}

/* Waits until each worker has carried some connections more. */
static void
wait_for_connections(const struct rig *rig, unsigned more)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const unsigned *spliced = &rig->threads[i].spliced;
		unsigned before = __atomic_load_n(spliced, __ATOMIC_RELAXED);

		while (__atomic_load_n(spliced, __ATOMIC_RELAXED) - before < more)
			sched_yield();
	}
}

static void
command(struct rig *rig, struct command_env *commands, const char *text)
{
	json_t *reply = command_run(commands, text, strlen(text), rig_now(rig, 0));

	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
}

/* What the control thread does in the life of an appliance, in short. Returns how often the mail
 * backend was gone from the snapshot. */
static unsigned
control_run(struct rig *rig)
{
	struct command_env commands = {.registry = &rig->registry};
	struct worker_counters sum;
	unsigned gone = 0;

	commands.history = history_new(&rig->registry);
	assert_non_null(commands.history);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool has_mail = round / 4 % 2 == 0;

		config_write(rig, 1 + round % 7 * 10, has_mail);
		reload(rig);
		wait_for_connections(rig, 2);
		registry_tick(&rig->registry, rig_now(rig, TICKS_PER_S));
		history_sample(commands.history, &rig->registry, rig_now(rig, 0));
		stats_sum(&rig->registry, &sum);
		assert_true(sum.received[SIDE_CLIENT] > 0);
		command(rig, &commands, "{\"command\": \"stats\"}");
		command(rig, &commands, "{\"command\": \"doctor\"}");
		if (round % 8 == 3)
			read_letters(rig);
		gone += snapshot_count(rig->where) == 1;
	}
	history_free(commands.history);
	return gone;
}

/* 1. Workers go on through everything the control thread does; afterwards each packet has been
 * counted once, and with time all that they shared is back at nothing. */
static void
test_all_at_once(void **state)
{
	struct rig *rig = rig_new();
	unsigned gone;

	(void)state;
	rig_start(rig);
	wait_for_connections(rig, 20);
	gone = control_run(rig);
	rig_stop(rig);

	assert_true(gone > 0);
	assert_true(rig->answered >= LETTERS * WORKERS * (INSPECT_PROFILES + 1));
	assert_int_equal(rig->registry.config_generation, 1 + ROUNDS);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct thread *thread = &rig->threads[i];
		const struct worker_counters *counters = worker_counters(thread->worker);
		uint64_t sum = 0;

		for (unsigned reason = 0; reason < REASON_COUNT; reason++)
			sum += counters->reasons[reason];
		assert_int_equal(sum, thread->sent);
		while (counters->connections > 0 || sluice_next_tick(thread->worker) != TICKS_NEVER)
			sluice_tick(thread->worker, rig_now(rig, TICKS_PER_S), 64);
	}
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(rig->shared[slot].accept, 0);
		assert_int_equal(rig->shared[slot].syn, 0);
		assert_int_equal(rig->shared[slot].young, 0);
	}
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
