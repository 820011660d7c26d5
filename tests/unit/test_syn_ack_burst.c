/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every variant of syn_ack_burst_answer() that this CPU has against cookie_encode() and
 * syn_ack_build() one by one: ten million random SYNs, in bursts of every size, of either family
 * and both. What is answered, cookies, frames to the buffers' ends and every field of struct pkt
 * are the same.
 */
#include "net/syn_ack_burst.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"

/* Fewer where the sanitizers slow each down. */
#define TWINS (SLUICE_TEST_CHECKS ? 500000u : 10000000u)
#define BUFFER_BYTES 160

/* Of one variant: the same SYNs before, other answers after. */
struct side_by_side {
	struct syn_ack_burst burst;
	struct pkt pkts[SYN_ACK_BURST_MAX];
	uint8_t buffers[SYN_ACK_BURST_MAX][BUFFER_BYTES];
};

static struct jar
jar_make(unsigned epoch)
{
	const struct siphash_key secret = {1, 2};
	const struct cookie_plan plan = cookie_plan_make(&secret);
	struct jar jar;

	jar_init(&jar, &plan, epoch * COOKIE_EPOCH_S * TICKS_PER_S);
	return jar;
}

/* Often one of the cookie tables' or beside it, else any. */
static uint16_t
random_mss(uint64_t random)
{
	static const uint16_t known[] = {0, 1, 88, 536, 1200, 1220, 1340, 1360, 1380, 1400, 1420,
			1432, 1440, 1452, 1460, 32767, 32768, 65535};

	if (random & 1)
		return (uint16_t)(random >> 16);
	return (uint16_t)(known[(random >> 16) % ARRAY_COUNT(known)] - (random >> 8 & 1));
}

static void
random_tuple(struct tuple *tuple, uint64_t *seed, bool is_ip6)
{
	uint64_t random = packet_random(seed);

	*tuple = (struct tuple){
			.client = ip_addr_from_ip4((uint32_t)random),
			.backend = ip_addr_from_ip4((uint32_t)(random >> 32)),
			.family = is_ip6 ? FAMILY_IP6 : FAMILY_IP4,
	};
	random = packet_random(seed);
	tuple->client_port = (uint16_t)random;
	tuple->backend_port = (uint16_t)(random >> 16);
	tuple->vlan = (uint32_t)(random >> 32) & 0x3fff3fff;
	for (unsigned i = 0; is_ip6 && i < 2; i++) {
		/* All ones now and then: sums that fold to zero. */
		tuple->client.halves_be[i] = random & 7 ? packet_random(seed) : UINT64_MAX;
		tuple->backend.halves_be[i] = packet_random(seed);
	}
}

/* A checked SYN; what an answer must not depend on is random too. */
static void
random_syn(struct pkt *pkt, uint64_t *seed, bool is_ip6)
{
	uint64_t random = packet_random(seed);
	uint32_t length = 54 + random % 70;

	*pkt = (struct pkt){
			.len = length,
			.rest = random >> 8 & 1,
			.tailroom = (uint16_t)(BUFFER_BYTES - length),
			.csum = random >> 9 & 3,
			.kind = PKT_TCP,
			.l3_offset = (uint8_t)(14 + 4 * ((random >> 11) % 3)),
			.flags = (uint8_t)(random >> 16),
			.ttl = (uint8_t)(random >> 24),
			.tos = (uint8_t)(random >> 32),
			.fragment = (uint8_t)(random >> 40),
			.seq = (uint32_t)packet_random(seed),
	};
	/* ECN's bits are hardly ever right by chance. */
	if (random >> 13 & 1) {
		pkt->flags |= TCP_ECE | TCP_CWR;
		pkt->tos &= (uint8_t)~IP_ECN_MASK;
	}
	pkt->hash = (uint32_t)(random >> 3);
	random_tuple(&pkt->tuple, seed, is_ip6);
	random = packet_random(seed);
	pkt->opt = (struct tcp_opt){
			.tsval = (uint32_t)packet_random(seed),
			.tsecr = (uint32_t)(random >> 32),
			.mss = random_mss(random),
			.wscale = random >> 4 & 15 ? (random >> 4 & 15) - 1 : TCP_WSCALE_NONE,
			.sack_offset = (uint8_t)(random >> 40),
			.sack_permitted = random >> 2 & 1,
			.has_timestamp = random >> 3 & 1,
	};
}

static struct syn_terms
random_terms(uint64_t random)
{
	return (struct syn_terms){
			.mss = random_mss(random),
			.wscale = (random >> 32) % 15,
			.flags = (random >> 40) & 31,
	};
}

/* families: 0 or 1 for one of them, 2 for both. */
static void
fill(struct side_by_side *one, struct side_by_side *other, unsigned count, unsigned families,
		uint64_t *seed)
{
	for (unsigned i = 0; i < count; i++) {
		const uint64_t random = packet_random(seed);
		uint64_t frame[3];

		for (unsigned j = 0; j < ARRAY_COUNT(frame); j++)
			frame[j] = packet_random(seed);
		random_syn(&one->pkts[i], seed, families == 2 ? random & 1 : families);
		one->burst.terms[i] = other->burst.terms[i] = random_terms(random);
		memset(one->buffers[i], (uint8_t)random, BUFFER_BYTES);
		memcpy(one->buffers[i], frame, sizeof(frame));
		memcpy(other->buffers[i], one->buffers[i], BUFFER_BYTES);
		other->pkts[i] = one->pkts[i];
		one->pkts[i].data = one->buffers[i];
		other->pkts[i].data = other->buffers[i];
		one->burst.pkts[i] = &one->pkts[i];
		other->burst.pkts[i] = &other->pkts[i];
	}
	one->burst.count = other->burst.count = count;
}

/* What the header says, by the functions for one. */
static uint32_t
answer_alone(const struct jar *jar, struct side_by_side *side, unsigned i)
{
	struct pkt *pkt = &side->pkts[i];
	const struct syn_terms *terms = &side->burst.terms[i];
	const bool wants_ecn = terms->flags & SYN_TERMS_ECN && pkt_offers_ecn(pkt);
	struct tcp_opt_syn announce = {
			.tsecr = pkt->opt.tsval,
			.mss = terms->mss,
			.wscale = pkt->opt.wscale == TCP_WSCALE_NONE ? TCP_WSCALE_NONE
								     : terms->wscale,
			.sack_permitted = pkt->opt.sack_permitted && terms->flags & SYN_TERMS_SACK,
			.has_timestamp = pkt->opt.has_timestamp &&
					 terms->flags & SYN_TERMS_TIMESTAMPS,
	};
	const struct cookie_syn syn = {
			.isn = pkt->seq,
			.mss = pkt->opt.mss,
			.wscale = pkt->opt.wscale,
			.sack_permitted = announce.sack_permitted,
			.has_timestamp = announce.has_timestamp,
			.ecn = wants_ecn && announce.has_timestamp,
	};
	const struct cookie cookie = cookie_encode(jar, &pkt->tuple, &syn);
	const struct syn_ack syn_ack = {
			.seq = cookie.iss,
			.ack = pkt->seq + 1,
			.window = early_window(
					terms->flags & SYN_TERMS_DATA, terms->mss, pkt->opt.mss),
			.ecn = wants_ecn &&
			       (announce.has_timestamp || terms->flags & SYN_TERMS_ECN_KEPT),
	};

	side->burst.iss[i] = cookie.iss;
	side->burst.tsval[i] = announce.tsval = cookie.tsval;
	if (terms->mss == 0 || !syn_ack_fits(pkt, tcp_opt_syn_length(&announce)))
		return 0;
	pkt_turn_round(pkt);
	syn_ack_build(pkt, &syn_ack, &announce);
	return UINT32_C(1) << i;
}

static void
check(enum kernel kernel, const struct jar *jar, unsigned count, unsigned families, uint64_t *seed,
		uint64_t *answers)
{
	static struct side_by_side one, other;
	uint32_t answered = 0, found;

	fill(&one, &other, count, families, seed);
	for (unsigned i = 0; i < count; i++)
		answered |= answer_alone(jar, &one, i);
	found = syn_ack_burst_answer(jar, kernel, &other.burst);
	assert_int_equal(found, answered);
	assert_memory_equal(one.buffers, other.buffers, count * BUFFER_BYTES);
	assert_memory_equal(one.burst.iss, other.burst.iss, count * sizeof(one.burst.iss[0]));
	assert_memory_equal(one.burst.tsval, other.burst.tsval, count * sizeof(one.burst.iss[0]));
	for (unsigned i = 0; i < count; i++) {
		other.pkts[i].data = one.pkts[i].data;
		assert_memory_equal(&one.pkts[i], &other.pkts[i], sizeof(one.pkts[i]));
	}
	*answers += (uint64_t)__builtin_popcount(answered);
}

static void
test_every_count(void **state)
{
	const struct jar jar = jar_make(1000);
	uint64_t seed = 1, answers = 0;

	(void)state;
	for (enum kernel kernel = 0; kernel < KERNEL_COUNT; kernel++)
		for (unsigned n = 0; kernel_is_supported(kernel) && n < 300 * 33; n++)
			check(kernel, &jar, n % 33, n / 33 % 3, &seed, &answers);
	assert_true(answers > 0);
}

static void
test_random_twins(void **state)
{
	const struct jar jar = jar_make(1001);
	uint64_t seed = 2, answers = 0;

	(void)state;
	if (!kernel_is_supported(KERNEL_AVX512)) {
		print_message("%s: not on this CPU\n", kernel_name(KERNEL_AVX512));
		return;
	}
	for (unsigned n = 0; n < TWINS; n += SYN_ACK_BURST_MAX)
		check(KERNEL_AVX512, &jar, SYN_ACK_BURST_MAX, n / SYN_ACK_BURST_MAX % 3, &seed,
				&answers);
	/* Not all are long enough. */
	assert_true(answers > TWINS / 3 && answers < TWINS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_count),
			cmocka_unit_test(test_random_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
