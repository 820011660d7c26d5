/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that are denied, allowed or limited by their address, as they and others see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "table/exempt.h"
#include "world.h"

/* The interface to look-up tables in its simplest form: all prefixes one after the other. */
#define NAIVE_MAX 8

struct naive {
	struct source_lists lists;
	unsigned count;
	unsigned asked; /* look-ups so far */
	struct {
		const char *address;
		uint8_t length; /* of 128 */
		enum source_verdict verdict;
	} prefixes[NAIVE_MAX];
};

static struct naive *
naive_of(const struct source_lists *lists)
{
	return (struct naive *)(uintptr_t)lists;
}

static void
naive_find(const struct source_lists *lists, const struct tuple *const *tuples, unsigned count,
		uint8_t *verdicts)
{
	struct naive *naive = naive_of(lists);

	assert_in_range(count, 1, SOURCE_LISTS_BURST_MAX);
	naive->asked += count;
	for (unsigned i = 0; i < count; i++) {
		int longest = -1;

		verdicts[i] = SOURCE_UNLISTED;
		for (unsigned k = 0; k < naive->count; k++) {
			struct exempt_list one = {.lengths = {naive->prefixes[k].length}};
			const char *text = naive->prefixes[k].address;
			const enum family family =
					strchr(text, ':') != NULL ? FAMILY_IP6 : FAMILY_IP4;
			struct in_addr ip4;

			if (family == FAMILY_IP6)
				inet_pton(AF_INET6, text, one.addresses[0].bytes);
			else if (inet_pton(AF_INET, text, &ip4) == 1)
				one.addresses[0] = ip_addr_from_ip4(ip4.s_addr);
			if (tuples[i]->family != family || one.lengths[0] <= longest ||
					!exempt_list_has(&one, 1, &tuples[i]->client))
				continue;
			longest = one.lengths[0];
			verdicts[i] = (uint8_t)naive->prefixes[k].verdict;
		}
	}
}

static struct naive
naive_make(void)
{
	return (struct naive){.lists = {.find = naive_find, .holders = 1}};
}

static void
naive_add(struct naive *naive, const char *address, uint8_t length, enum source_verdict verdict)
{
	assert_in_range(naive->count, 0, NAIVE_MAX - 1);
	naive->prefixes[naive->count].address = address;
	naive->prefixes[naive->count].length = length;
	naive->prefixes[naive->count++].verdict = verdict;
}

/* Publishes lists, or none, and a rate, or 0. */
static void
screen_with(struct world *w, struct naive *naive, uint32_t per_s, uint32_t burst)
{
	const struct source_rates rates = {per_s, burst, 32, 64};

	w->sources.lists = naive != NULL ? &naive->lists : NULL;
	w->sources.rule = source_rule_make(&rates, 1);
	world_publish(w);
}

static enum reason
send_client(struct world *w, const struct packet *packet)
{
	struct outcome out = world_send(w, SIDE_CLIENT, packet);

	world_nothing_emitted(w);
	return out.reason;
}

/* A SYN from another address than the script's. */
static enum reason
syn_from(struct world *w, const char *address, uint16_t port)
{
	const bool is_ip6 = strchr(address, ':') != NULL;
	struct flow_script f = flow_script_default(is_ip6 ? 6 : 4, port);
	struct packet syn = flow_syn(&f);

	assert_int_equal(inet_pton(is_ip6 ? AF_INET6 : AF_INET, address, syn.source), 1);
	return send_client(w, &syn);
}

/* 1. Denied: SYN, ACK, data, FIN and RST without a connection, whatever the queues and the policy
 * for strays are; nothing goes out, and no queue and no connection is touched. */
static void
test_denied_gets_nothing(void **state)
{
	static const uint8_t flags[] = {PACKET_ACK, PACKET_ACK | PACKET_FIN, PACKET_RST,
			PACKET_RST | PACKET_ACK, PACKET_SYN | PACKET_ACK};

	(void)state;
	for (unsigned i = 0; i < 18; i++) {
		const unsigned ip_version = i % 2 == 0 ? 4 : 6;
		struct world *w = world_new(&(struct world_options){.mode = i / 2 % 3,
				.backend = {.stray = (uint8_t)(i / 6)},
				.foreign_cookies = true});
		struct flow_script f = flow_script_default(ip_version, 40000);
		struct packet syn = flow_syn(&f);
		struct naive naive = naive_make();

		naive_add(&naive, "10.0.0.0", 96 + 8, SOURCE_DENIED);
		naive_add(&naive, "fd00::", 8, SOURCE_DENIED);
		screen_with(w, &naive, 0, 1);
		for (unsigned n = 1; n <= 3; n++) {
			assert_int_equal(send_client(w, &syn), REASON_syn_denied);
			assert_int_equal(world_reason(w, REASON_syn_denied), n);
		}
		for (unsigned k = 0; k < ARRAY_COUNT(flags); k++) {
			struct packet p = flow_client(&f, flags[k], 7, 8);

			assert_int_equal(send_client(w, &p), REASON_stray_denied);
		}
		assert_int_equal(world_connections(w), 0);
		assert_int_equal(w->shared[0].syn + w->shared[1].syn, 0);
		assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesSent) +
						 world_counter(w, 1, COUNTER_SyncookiesSent),
				0);
		/* The server's answers were never looked up: it is trusted. */
		naive.asked = 0;

		struct packet answer = flow_backend(&f, PACKET_ACK, 1, 1);

		world_send(w, SIDE_BACKEND, &answer);
		assert_int_equal(naive.asked, 0);
		world_free(w);
	}
}

/* 2. Malformed segments of a denied client keep their own reasons; other ports and hosts pass. */
static void
test_denied_is_for_backends(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct naive naive = naive_make();
	struct flow_script f = flow_script_default(4, 40000);
	struct packet syn = flow_syn(&f);

	(void)state;
	naive_add(&naive, "0.0.0.0", 96, SOURCE_DENIED);
	screen_with(w, &naive, 0, 1);
	syn.flags |= PACKET_FIN;
	assert_int_equal(send_client(w, &syn), REASON_tcp_flags);
	syn = flow_syn(&f);
	syn.destination_port = 81;
	assert_int_equal(send_client(w, &syn), REASON_pass_not_protected);
	assert_int_equal(naive.asked, 0);
	world_free(w);
}

/* 3. Who has a connection keeps it when he is denied, to its end; then there is no other. One that
 * had his SYN answered, and not proved himself, is out. */
static void
test_connections_go_on(void **state)
{
	(void)state;
	for (unsigned ip_version = 4; ip_version <= 6; ip_version += 2) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		struct flow_script f = flow_script_default(ip_version, 40000);
		struct flow_script half = flow_script_default(ip_version, 40001);
		struct flow_script ring = flow_script_default(ip_version, 40002);
		struct naive naive = naive_make();
		struct packet p;

		flow_establish(w, &f);
		flow_send_syn(w, &half);
		flow_send_syn(w, &ring);
		p = flow_ack(&ring);
		world_send(w, SIDE_CLIENT, &p);

		naive_add(&naive, "10.0.0.1", 128, SOURCE_DENIED);
		naive_add(&naive, "fd00::1", 128, SOURCE_DENIED);
		screen_with(w, &naive, 0, 1);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1,
				flow_to_client(&f, f.backend_isn + 1));
		p.payload = (const uint8_t *)"still here";
		p.payload_length = 10;
		assert_int_equal(send_client(w, &p), REASON_spliced);
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 11);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_spliced);
		p = flow_ack(&half);
		assert_int_equal(send_client(w, &p), REASON_stray_denied);
		p = flow_synack(&ring);
		assert_int_equal(world_send(w, SIDE_BACKEND, &p).reason, REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		assert_int_equal(world_connections(w), 2);

		p = flow_syn(&f);
		assert_int_equal(send_client(w, &p), REASON_syn_denied);
		p = flow_client(&f, PACKET_RST, f.client_isn + 11, 0);
		assert_int_equal(send_client(w, &p), REASON_spliced_reset);

		/* The list is taken away: all is as before, the half-open client too, since its
		 * SYN-ACK was not due meanwhile. */
		screen_with(w, NULL, 0, 1);
		p = flow_ack(&half);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_ack_connecting);
		world_free(w);
	}
}

/* 4. A half-open client that is denied is given up when its SYN-ACK is due again, and not sent it:
 * not even its reset would end that. Of a backend that is not protected any more it goes on. */
static void
test_half_open_is_given_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		static const ticks_t due = TICKS_PER_S + TICKS_PER_S / 8;
		static const struct {
			const char *denied, *denied6;
			bool is_monitored;
			bool goes_on;
		} cases[] = {
				{"10.0.0.1", "fd00::1", false, false},
				{"10.0.0.1", "fd00::1", true, true},
				{"11.0.0.1", "fd01::1", false, true},
		};
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		const bool is_ip6 = i % 2 == 1;
		struct flow_script f = flow_script_default(is_ip6 ? 6 : 4, 40000);
		struct naive naive = naive_make();
		struct packet p;

		flow_send_syn(w, &f);
		naive_add(&naive, cases[i / 2].denied, 128, SOURCE_DENIED);
		naive_add(&naive, cases[i / 2].denied6, 128, SOURCE_DENIED);
		w->configs[is_ip6].mode = cases[i / 2].is_monitored ? MODE_MONITOR : MODE_PROTECT;
		screen_with(w, &naive, 0, 1);
		world_pass(w, due);
		if (cases[i / 2].goes_on)
			world_emitted(w, SIDE_CLIENT);
		else
			world_nothing_emitted(w);
		assert_int_equal(w->shared[is_ip6].syn, cases[i / 2].goes_on);
		assert_int_equal(world_counter(w, is_ip6, COUNTER_SynQueueExpired),
				!cases[i / 2].goes_on);
		p = flow_ack(&f);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason,
				cases[i / 2].goes_on ? REASON_ack_connecting : REASON_stray_denied);
		world_free(w);
	}
}

/* 5. Denied between its SYN's answer and its proof, a client gets no connection in place of the one
 * that has the same ports; that one goes on. */
static void
test_no_other_in_its_place(void **state)
{
	(void)state;
	for (unsigned ip_version = 4; ip_version <= 6; ip_version += 2) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
		struct flow_script old = flow_script_default(ip_version, 40000), new = old;
		struct naive naive = naive_make();
		struct packet proof, data;

		flow_establish(w, &old);
		data = flow_client(&old, PACKET_ACK, old.client_isn + 1,
				flow_to_client(&old, old.backend_isn + 1));
		new.client_isn += 0x40000000;
		flow_send_syn(w, &new);
		proof = flow_ack(&new);
		naive_add(&naive, "10.0.0.1", 128, SOURCE_DENIED);
		naive_add(&naive, "fd00::1", 128, SOURCE_DENIED);
		screen_with(w, &naive, 0, 1);
		assert_int_equal(send_client(w, &proof), REASON_stray_denied);
		assert_int_equal(send_client(w, &data), REASON_spliced);
		assert_int_equal(world_connections(w), 1);

		/* Not denied any more, it replaces the old one. */
		screen_with(w, NULL, 0, 1);
		assert_int_equal(world_send(w, SIDE_CLIENT, &proof).reason, REASON_ack_connecting);
		world_free(w);
	}
}

/* 6. The longest prefix decides; all denied but some is "only these". Allowed is still proved. */
static void
test_longest_decides(void **state)
{
	static const struct {
		const char *client;
		enum reason reason;
	} cases[] = {
			{"10.1.2.3", REASON_syn_denied}, {"10.1.0.9", REASON_syn_cookie_sent},
			{"10.1.2.4", REASON_syn_denied}, {"10.9.2.4", REASON_syn_denied},
			{"11.0.0.1", REASON_syn_denied}, {"fd00:1::1", REASON_syn_denied},
			{"fd00:2::1", REASON_syn_cookie_sent},
			{"fd01::1", REASON_syn_cookie_sent}, /* no list speaks about it */
	};
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct naive naive = naive_make();

	(void)state;
	naive_add(&naive, "0.0.0.0", 96 + 0, SOURCE_DENIED);
	naive_add(&naive, "10.1.0.0", 96 + 16, SOURCE_ALLOWED);
	naive_add(&naive, "10.1.2.0", 96 + 24, SOURCE_DENIED);
	naive_add(&naive, "fd00::", 16, SOURCE_DENIED);
	naive_add(&naive, "fd00:2::", 32, SOURCE_ALLOWED);
	screen_with(w, &naive, 0, 1);
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(syn_from(w, cases[i].client, (uint16_t)(40000 + i)),
				cases[i].reason);
	world_free(w);
}

/* 7. The rate, per source and to the number; the allowed are not limited, the denied don't count,
 * and repeated SYNs do. Segments of connections are free. */
static void
test_rate(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct naive naive = naive_make();
	struct flow_script f = flow_script_default(4, 50000);
	unsigned answered[4] = {0};
	static const char *const clients[] = {"10.1.0.1", "10.2.0.1", "fd00:1::1", "10.3.0.1"};

	(void)state;
	naive_add(&naive, "10.2.0.0", 96 + 16, SOURCE_ALLOWED);
	naive_add(&naive, "10.3.0.0", 96 + 16, SOURCE_DENIED);
	screen_with(w, &naive, 10, 5);
	for (unsigned i = 0; i < 1000; i++) {
		for (unsigned c = 0; c < ARRAY_COUNT(clients); c++) {
			enum reason reason = syn_from(w, clients[c], (uint16_t)(40000 + i % 3));

			answered[c] += reason == REASON_syn_cookie_sent;
			assert_int_equal(reason, answered[c] == 0 ? REASON_syn_denied
						 : reason == REASON_syn_cookie_sent
								 ? REASON_syn_cookie_sent
								 : REASON_syn_rate_limited);
		}
		w->now += 10 * TICKS_PER_MS;
	}
	/* 5 at once, and 10 a second until just before the tenth is over. */
	assert_int_equal(answered[0], 5 + 99);
	assert_int_equal(answered[1], 1000);
	assert_int_equal(answered[2], 5 + 99);
	assert_int_equal(answered[3], 0);
	assert_int_equal(world_reason(w, REASON_syn_rate_limited), 2 * (1000 - 104));
	assert_int_equal(world_reason(w, REASON_syn_denied), 1000);

	flow_establish(w, &f);
	for (unsigned i = 0; i < 100; i++) {
		struct packet p = flow_client(&f, PACKET_ACK, f.client_isn + 1,
				flow_to_client(&f, f.backend_isn + 1));

		assert_int_equal(send_client(w, &p), REASON_spliced);
	}
	world_free(w);
}

/* 8. A burst of everything at once: each packet gets what it would get alone, the others are served
 * in their order, and the sum of reasons holds. */
static void
test_mixed_burst(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct naive naive = naive_make();
	struct packet packets[BURST_MAX];
	struct outcome *outcomes = calloc(BURST_MAX, sizeof(*outcomes));
	unsigned counts[5] = {0};

	(void)state;
	assert_non_null(outcomes);
	naive_add(&naive, "10.3.0.0", 96 + 16, SOURCE_DENIED);
	screen_with(w, &naive, 1, 2);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		static const char *const clients[] = {
				"10.1.0.1", "10.3.0.1", "10.4.0.1", "10.3.0.2"};
		struct flow_script f = flow_script_default(4, (uint16_t)(40000 + i));

		packets[i] = i % 4 == 3 ? flow_client(&f, PACKET_ACK, 1, 1) : flow_syn(&f);
		assert_int_equal(inet_pton(AF_INET, clients[i % 4], packets[i].source), 1);
	}
	world_send_burst(w, SIDE_CLIENT, BURST_MAX, packets, outcomes);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		const enum reason reason = outcomes[i].reason;
		const enum reason wanted = i % 4 == 1	? REASON_syn_denied
					   : i % 4 == 3 ? REASON_stray_denied
					   : i < 8	? REASON_syn_cookie_sent
							: REASON_syn_rate_limited;

		assert_int_equal(reason, wanted);
		counts[i % 4]++;
		if (reason == REASON_syn_cookie_sent)
			assert_int_equal(outcomes[i].packet.destination_port, 40000 + i);
	}
	assert_int_equal(counts[0], BURST_MAX / 4);
	free(outcomes);
	world_free(w);
}

/* 9. A worker without memory for a limit has none; lists work all the same. */
static void
test_no_prefixes(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_2, .no_source_prefixes = true});
	struct naive naive = naive_make();

	(void)state;
	naive_add(&naive, "10.3.0.0", 96 + 16, SOURCE_DENIED);
	screen_with(w, &naive, 1, 1);
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(syn_from(w, "10.1.0.1", 40000 + i), REASON_syn_cookie_sent);
	assert_int_equal(syn_from(w, "10.3.0.1", 40000), REASON_syn_denied);
	world_free(w);
}

/* 10. A backend in monitor mode gets all of it, counted as if; one that is off doesn't ask. What
 * Sluice began when it was protected goes on, for denied clients, too. */
static void
test_modes(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script half = flow_script_default(4, 40001);
	struct naive naive = naive_make();
	struct packet ack;

	(void)state;
	flow_send_syn(w, &half);
	naive_add(&naive, "10.3.0.0", 96 + 16, SOURCE_DENIED);
	naive_add(&naive, "10.2.0.0", 96 + 16, SOURCE_ALLOWED);
	naive_add(&naive, "10.0.0.1", 128, SOURCE_DENIED);
	w->configs[0].mode = MODE_MONITOR;
	screen_with(w, &naive, 1, 2);
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(syn_from(w, "10.3.0.1", 40000 + i), REASON_monitor_syn_denied);
		assert_int_equal(syn_from(w, "10.2.0.1", 40000 + i), REASON_monitor_syn_queued);
		assert_int_equal(syn_from(w, "10.1.0.1", 40000 + i),
				i < 2 ? REASON_monitor_syn_queued
				      : REASON_monitor_syn_rate_limited);
	}
	/* Refused ones are in no queue. */
	assert_int_equal(w->shared[0].syn, 1 + 3 + 2);

	ack = flow_client(&half, PACKET_ACK, 7, 7);
	ack.source_port = 4;
	assert_int_equal(send_client(w, &ack), REASON_monitor_passed);
	ack = flow_ack(&half);
	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);

	w->configs[0].mode = MODE_OFF;
	naive.asked = 0;
	world_publish(w);
	for (uint16_t i = 0; i < 9; i++)
		assert_int_equal(syn_from(w, "10.3.0.1", 41000 + i), REASON_pass_off);
	assert_int_equal(naive.asked, 0);
	world_free(w);
}

/* 11. Whole bursts of one kind, as floods are made of, which the pipeline takes together: nothing
 * of them is looked at when they are denied, and others among them are. */
static void
test_floods(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct outcome *outcomes = calloc(BURST_MAX, sizeof(*outcomes));
	struct flow_script f = flow_script_default(4, 50000);
	struct packet packets[BURST_MAX];
	struct naive naive = naive_make();

	(void)state;
	assert_non_null(outcomes);
	flow_send_syn(w, &f); /* a cookie is out there */
	naive_add(&naive, "11.0.0.0", 96 + 8, SOURCE_DENIED);
	for (unsigned round = 0; round < 9; round++) {
		const bool is_syn = round % 3 == 1;
		const bool is_mixed = round >= 6;

		screen_with(w, round >= 3 ? &naive : NULL, 0, 1);
		for (unsigned i = 0; i < BURST_MAX; i++) {
			packets[i] = world_stranger_syn(i);
			if (!is_syn) {
				packets[i].flags = PACKET_ACK;
				packets[i].ack = i * 7919;
				packets[i].options_length = 0;
			}
			if (is_mixed && i % 5 == 0)
				packets[i].source[0] = 12;
		}
		world_send_burst(w, SIDE_CLIENT, BURST_MAX, packets, outcomes);
		for (unsigned i = 0; i < BURST_MAX; i++) {
			const bool is_denied = round >= 3 && packets[i].source[0] == 11;
			const enum reason wanted = is_denied ? (is_syn ? REASON_syn_denied
								       : REASON_stray_denied)
						   : is_syn  ? REASON_syn_cookie_sent
							     : REASON_ack_cookie_invalid;

			assert_int_equal(outcomes[i].reason, wanted);
		}
	}
	/* Of the bursts before there was a list, all; of mixed ones seven. */
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesFailed), 2 * BURST_MAX + 2 * 7);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesSent), 1 + BURST_MAX + 7);
	free(outcomes);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_denied_gets_nothing),
			cmocka_unit_test(test_denied_is_for_backends),
			cmocka_unit_test(test_connections_go_on),
			cmocka_unit_test(test_half_open_is_given_up),
			cmocka_unit_test(test_no_other_in_its_place),
			cmocka_unit_test(test_longest_decides),
			cmocka_unit_test(test_rate),
			cmocka_unit_test(test_mixed_burst),
			cmocka_unit_test(test_no_prefixes),
			cmocka_unit_test(test_modes),
			cmocka_unit_test(test_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
