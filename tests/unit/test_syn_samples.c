/* SPDX-License-Identifier: BSD-3-Clause */
/* Samples of SYNs on their way from a worker to the control thread. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct syn_samples *
samples_new(void)
{
	struct syn_samples *samples =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(sizeof(struct syn_samples)));

	assert_non_null(samples);
	memset(samples, 0, sizeof(*samples));
	return samples;
}

static union ip_addr
client(uint32_t number)
{
	return ip_addr_from_ip4(htobe32(0x0a000000 | number));
}

static void
put(struct syn_samples *samples, uint32_t number, uint32_t weight)
{
	const struct syn_sample sample = {.client = client(number),
			.weight = weight,
			.slot = 7,
			.family = FAMILY_IP4};

	syn_samples_put(samples, &sample);
}

/* 1. At any rate some 500 samples a second, which together stand for all SYNs, and each part of
 * them for as many as it has, also when they come in turns that a clock would fall in with. */
static void
test_rates(void **state)
{
	static const unsigned rates[] = {100, 1000, 32000, 1000000, 20000000}; /* per second */
	const unsigned steps = 4000;					       /* of 1 ms */

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rates); i++) {
		struct syn_samples *samples = samples_new();
		uint64_t sent = 0, weight = 0, even = 0, drawn = 0;

		for (unsigned step = 1; step <= steps; step++) {
			uint64_t due = (uint64_t)rates[i] * step / 1000;

			while (sent < due) {
				/* Bursts of an even and an odd sender in turn, the odd one's thrice
				 * as large. */
				const bool is_even = sent % 32 < 8;
				unsigned count = is_even ? 8 - sent % 32 : 32 - sent % 32;

				count = due - sent < count ? (unsigned)(due - sent) : count;
				sent += count;
				while (count > 0 && syn_samples_see(samples, count)) {
					count -= samples->left > 0 ? samples->left : 1;
					const uint32_t w = syn_samples_draw(
							samples, TICKS_PER_S + step * TICKS_PER_MS);
					weight += w;
					even += is_even ? w : 0;
					drawn++;
				}
			}
		}
		if (drawn < (rates[i] < 1000 ? rates[i] * 3 : 4 * 150) || drawn > 4 * 1200)
			fail_msg("%u/s: %llu samples", rates[i], (unsigned long long)drawn);
		assert_in_range(weight, sent * 95 / 100, sent);
		assert_in_range(even * 1000 / weight, 200, 300);
		free(samples);
	}
}

/* 2. A full ring takes no more, and what was not taken counts with the next that is. */
static void
test_full(void **state)
{
	struct syn_samples *samples = samples_new();
	struct syn_sample sample;

	(void)state;
	assert_false(syn_samples_take(samples, &sample));
	samples->filled = samples->read = UINT32_MAX - 5; /* the numbers wrap on the way */
	for (unsigned i = 0; i < SYN_SAMPLES_MAX + 10; i++)
		put(samples, i, 2);
	assert_true(syn_samples_take(samples, &sample));
	assert_int_equal(sample.weight, 2);
	assert_int_equal(sample.slot, 7);
	assert_int_equal(sample.family, FAMILY_IP4);
	put(samples, 5000, 3);
	for (unsigned i = 1; i < SYN_SAMPLES_MAX; i++) {
		assert_true(syn_samples_take(samples, &sample));
		assert_int_equal(sample.client.words_be[3], client(i).words_be[3]);
		assert_int_equal(sample.weight, 2);
	}
	assert_true(syn_samples_take(samples, &sample));
	assert_int_equal(sample.client.words_be[3], client(5000).words_be[3]);
	assert_int_equal(sample.weight, 23);
	assert_false(syn_samples_take(samples, &sample));
	free(samples);
}

/* Sends SYNs of one burst from clients with those last bytes. */
static void
send_syns(struct world *w, const uint8_t *hosts, unsigned count)
{
	struct packet packets[BURST_MAX];
	struct outcome outcomes[BURST_MAX];

	for (unsigned i = 0; i < count; i++) {
		packets[i] = packet_ip4("10.0.0.1", (uint16_t)(40000 + i), "10.0.0.2", 80);
		packets[i].flags = PACKET_SYN;
		packets[i].ack = 0;
		packet_add_mss(&packets[i], 1460);
		packets[i].source[3] = hosts[i];
	}
	world_send_burst(w, SIDE_CLIENT, count, packets, outcomes);
}

/* 3. A worker that sends cookies leaves samples of all its clients, which stand for all of them. */
static void
test_worker_cookies(void **state)
{
	static const uint8_t hosts[] = {11, 12, 13, 14};
	struct syn_samples *samples = samples_new();
	struct world *w = world_new(&(struct world_options){.samples = samples});
	uint64_t weights[256] = {0};
	struct syn_sample sample;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		send_syns(w, hosts, ARRAY_COUNT(hosts));
		if (i % 100 == 99)
			world_pass(w, 10 * TICKS_PER_MS);
	}
	while (syn_samples_take(samples, &sample)) {
		assert_int_equal(sample.slot, 0);
		assert_int_equal(sample.family, FAMILY_IP4);
		weights[sample.client.bytes[15]] += sample.weight;
	}
	for (unsigned i = 0; i < ARRAY_COUNT(hosts); i++)
		assert_true(weights[hosts[i]] > 0);
	assert_in_range(weights[11] + weights[12] + weights[13] + weights[14], 2500, 4000);
	world_free(w);
	free(samples);
}

/* 4. SYNs that found room in the syn queue are nobody's flood. */
static void
test_worker_queue(void **state)
{
	static const uint8_t hosts[] = {11, 12, 13};
	struct syn_samples *samples = samples_new();
	struct world_options options = {.samples = samples, .mode = WORLD_MODE_1};
	struct world *w = world_new(&options);
	struct syn_sample sample;

	(void)state;
	send_syns(w, hosts, ARRAY_COUNT(hosts));
	assert_int_equal(world_reason(w, REASON_syn_queued), 3);
	assert_false(syn_samples_take(samples, &sample));
	for (unsigned i = 0; i < WORLD_BACKENDS; i++)
		w->configs[i].tcp_syncookies = 2;
	world_publish(w);
	for (unsigned i = 0; i < 8; i++)
		send_syns(w, &(uint8_t){21}, 1);
	assert_true(syn_samples_take(samples, &sample));
	assert_int_equal(sample.client.bytes[15], 21);
	assert_in_range(sample.weight, 1, 8);
	world_free(w);
	free(samples);
}

enum { THREAD_SAMPLES = 200000 };

static void *
writer(void *argument)
{
	struct syn_samples *samples = argument;

	for (uint32_t i = 0; i < THREAD_SAMPLES; i++)
		put(samples, i, 1);
	/* The last one says that no other will come; there has to be room for it. */
	while (samples->filled - __atomic_load_n(&samples->read, __ATOMIC_ACQUIRE) ==
			SYN_SAMPLES_MAX)
		sched_yield();
	put(samples, THREAD_SAMPLES, 1);
	return NULL;
}

/* 5. Two threads: what is read is in order and whole, and every SYN is counted once. */
static void
test_threads(void **state)
{
	struct syn_samples *samples = samples_new();
	struct syn_sample sample = {.weight = 0};
	uint64_t weight = 0;
	uint32_t last = 0, number = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, writer, samples), 0);
	while (number < THREAD_SAMPLES) {
		if (!syn_samples_take(samples, &sample))
			continue;
		number = be32toh(sample.client.words_be[3]) & 0xffffff;
		assert_true(number > last || last == 0);
		last = number;
		weight += sample.weight;
	}
	pthread_join(thread, NULL);
	assert_int_equal(weight, THREAD_SAMPLES + 1);
	free(samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_rates),
			cmocka_unit_test(test_full),
			cmocka_unit_test(test_worker_cookies),
			cmocka_unit_test(test_worker_queue),
			cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
