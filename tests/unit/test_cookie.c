/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The numbers and promises of the comment above cookie_encode(): layout, round trip, lifetime,
 * what the MAC covers, and how often a forged ACK passes.
 */
#include "net/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"

#define EPOCH (64 * TICKS_PER_S)

/* The tables as documented, written down a second time. */
static const uint16_t mss_of[2][8] = {
		{88, 536, 1200, 1360, 1400, 1440, 1452, 1460},
		{88, 536, 1220, 1340, 1380, 1420, 1432, 1440},
};
static const int scale_of[8] = {-1, 0, 2, 4, 6, 7, 8, 10};

static const struct siphash_key master = {0x0123456789abcdef, 0xfedcba9876543210};

static struct tuple
random_tuple(uint64_t *seed, bool is_ip6)
{
	struct tuple tuple = {
			.client_port = (uint16_t)packet_random(seed),
			.backend_port = (uint16_t)packet_random(seed),
			.vlan = (uint32_t)packet_random(seed) & 0x3fff3fff,
			.family = is_ip6 ? FAMILY_IP6 : FAMILY_IP4,
	};

	if (is_ip6) {
		for (unsigned i = 0; i < 2; i++) {
			tuple.client.halves_be[i] = packet_random(seed);
			tuple.backend.halves_be[i] = packet_random(seed);
		}
	} else {
		tuple.client = ip_addr_from_ip4((uint32_t)packet_random(seed));
		tuple.backend = ip_addr_from_ip4((uint32_t)packet_random(seed));
	}
	return tuple;
}

static struct cookie_syn
random_syn(uint64_t *seed, bool has_timestamp)
{
	uint8_t wscale = packet_random(seed) % 16;

	return (struct cookie_syn){
			.isn = (uint32_t)packet_random(seed),
			.mss = (uint16_t)packet_random(seed),
			.wscale = wscale == 15 ? TCP_WSCALE_NONE : wscale,
			.sack_permitted = packet_random(seed) & 1,
			.has_timestamp = has_timestamp,
			.ecn = packet_random(seed) & 1,
	};
}

static struct jar
jar_at(ticks_t now)
{
	struct jar jar;

	memset(&jar, 0xa5, sizeof(jar));
	struct cookie_plan plan = cookie_plan_make(&master);

	jar_init(&jar, &plan, now);
	return jar;
}

/* The ACK that answers a cookie, as a client sends it. */
static enum cookie_outcome
check_ack(const struct jar *jar, const struct tuple *tuple, const struct cookie_syn *syn,
		struct cookie cookie, struct cookie_proof *proof)
{
	memset(proof, 0xa5, sizeof(*proof));
	return cookie_check(jar, tuple, syn->isn + 1, cookie.iss + 1, syn->has_timestamp,
			cookie.tsval, proof);
}

static int
scale_rounded(uint8_t wscale)
{
	int rounded = -1;

	for (unsigned i = 0; i < 8 && wscale != TCP_WSCALE_NONE; i++)
		if (scale_of[i] <= wscale)
			rounded = scale_of[i];
	return rounded;
}

static void
assert_proof(const struct cookie_proof *proof, const struct cookie_syn *syn, struct cookie cookie,
		uint16_t mss)
{
	int scale = syn->has_timestamp && syn->wscale != TCP_WSCALE_NONE
				    ? syn->wscale
				    : scale_rounded(syn->wscale);

	assert_true(proof->isn == syn->isn);
	assert_true(proof->iss == cookie.iss);
	assert_true(proof->syn.isn == syn->isn);
	assert_int_equal(proof->syn.mss, mss);
	assert_int_equal(proof->syn.wscale, scale < 0 ? TCP_WSCALE_NONE : scale);
	assert_int_equal(proof->syn.sack_permitted, syn->sack_permitted);
	assert_int_equal(proof->syn.has_timestamp, syn->has_timestamp);
	assert_int_equal(proof->syn.ecn, syn->has_timestamp && syn->ecn);
}

/* Acceptance 5: every MSS x scale x SACK x timestamps x ECN x parity x family. */
static void
test_every_round_trip(void **state)
{
	uint64_t seed = 1;
	unsigned count = 0;

	(void)state;
	for (unsigned n = 0; n < 8 * 16 * 2 * 2 * 2 * 2 * 2; n++) {
		bool is_ip6 = n >> 11 & 1;
		struct jar jar = jar_at(1000 * EPOCH + (n >> 10 & 1) * EPOCH);
		struct tuple tuple = random_tuple(&seed, is_ip6);
		struct cookie_syn syn = {
				.isn = (uint32_t)packet_random(&seed),
				.mss = mss_of[is_ip6][n & 7],
				.wscale = (n >> 3 & 15) == 15 ? TCP_WSCALE_NONE : (n >> 3 & 15),
				.sack_permitted = n >> 7 & 1,
				.has_timestamp = n >> 8 & 1,
				.ecn = n >> 9 & 1,
		};
		struct cookie cookie = cookie_encode(&jar, &tuple, &syn);
		struct cookie_proof proof;

		assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
		assert_proof(&proof, &syn, cookie, syn.mss);
		count++;
	}
	assert_int_equal(count, 4096);
}

static void
test_every_mss(void **state)
{
	struct jar jar = jar_at(EPOCH);
	uint64_t seed = 2;

	(void)state;
	for (unsigned n = 0; n < 2 * 65536; n++) {
		bool is_ip6 = n & 1;
		struct tuple tuple = random_tuple(&seed, is_ip6);
		struct cookie_syn syn = {.mss = (uint16_t)(n >> 1), .wscale = TCP_WSCALE_NONE};
		unsigned offered = syn.mss ? syn.mss : is_ip6 ? 1220 : 536;
		uint16_t expected = mss_of[is_ip6][0];
		struct cookie cookie = cookie_encode(&jar, &tuple, &syn);
		struct cookie_proof proof;

		for (unsigned i = 0; i < 8; i++)
			if (mss_of[is_ip6][i] <= offered)
				expected = mss_of[is_ip6][i];
		assert_int_equal(cookie_mss_round((enum family)tuple.family, syn.mss), expected);
		assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
		assert_proof(&proof, &syn, cookie, expected);
	}
}

/* A vector's cookies and one by one: 190,000 of each kernel, or as many as SLUICE_TWINS says. */
static unsigned
bursts_per_kernel(void)
{
	const char *twins = getenv("SLUICE_TWINS");

	return twins == NULL ? 3 * 4000
			     : (unsigned)strtoul(twins, NULL, 10) / (COOKIE_BURST_MAX / 2);
}

/* Cookies of a burst are those of its SYNs one by one, for every count, with either family or
 * both, by each variant that this CPU has. */
static void
test_burst(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (unsigned n = 0; n < KERNEL_COUNT * bursts_per_kernel(); n++) {
		enum kernel kernel = n % KERNEL_COUNT;
		unsigned families = n / KERNEL_COUNT % 3;
		unsigned count = n / KERNEL_COUNT / 3 % (COOKIE_BURST_MAX + 1);
		struct jar jar = jar_at((1000 + n % 2) * EPOCH);
		struct tuple tuples[COOKIE_BURST_MAX];
		const struct tuple *pointers[COOKIE_BURST_MAX];
		struct cookie_syn syns[COOKIE_BURST_MAX];
		struct cookie cookies[COOKIE_BURST_MAX];

		if (!kernel_is_supported(kernel))
			continue;
		for (unsigned i = 0; i < count; i++) {
			tuples[i] = random_tuple(
					&seed, families == 2 ? packet_random(&seed) & 1 : families);
			pointers[i] = &tuples[i];
			syns[i] = random_syn(&seed, packet_random(&seed) & 1);
		}
		cookie_encode_burst(&jar, kernel, pointers, syns, cookies, count);
		for (unsigned i = 0; i < count; i++) {
			struct cookie alone = cookie_encode(&jar, &tuples[i], &syns[i]);

			assert_true(cookies[i].iss == alone.iss);
			assert_true(cookies[i].tsval == alone.tsval);
		}
	}
}

/* ACKs of a burst, right ones, probes of a zero window, and ones with a wrong bit, are judged and
 * read as one by one. */
static void
test_check_burst(void **state)
{
	const struct jar jars[] = {jar_at(999 * EPOCH), jar_at(1000 * EPOCH), jar_at(1001 * EPOCH)};
	uint64_t seed = 12;
	unsigned outcomes[2] = {0};

	(void)state;
	for (unsigned n = 0; n < KERNEL_COUNT * bursts_per_kernel(); n++) {
		enum kernel kernel = n % KERNEL_COUNT;
		unsigned families = n / KERNEL_COUNT % 3;
		unsigned count = n / KERNEL_COUNT / 3 % (COOKIE_BURST_MAX + 1);
		const struct jar jar = jars[1 + n % 2], before = jars[n % 2];
		struct pkt pkts[COOKIE_BURST_MAX];
		const struct pkt *acks[COOKIE_BURST_MAX];
		uint32_t valid;

		if (!kernel_is_supported(kernel))
			continue;
		for (unsigned i = 0; i < count; i++) {
			struct cookie_syn syn = random_syn(&seed, packet_random(&seed) & 1);
			uint64_t bits = packet_random(&seed);
			struct cookie cookie;

			pkts[i].tuple = random_tuple(
					&seed, families == 2 ? packet_random(&seed) & 1 : families);
			cookie = cookie_encode(bits & 16 ? &before : &jar, &pkts[i].tuple, &syn);
			pkts[i].seq = syn.isn + (bits & 1);
			pkts[i].ack = cookie.iss + 1;
			pkts[i].opt.tsecr = cookie.tsval;
			pkts[i].opt.has_timestamp = syn.has_timestamp;
			if (bits & 2)
				pkts[i].ack ^= UINT32_C(1) << (bits >> 8 & 31);
			if ((bits & 12) == 12)
				pkts[i].opt.tsecr ^= UINT32_C(1) << (bits >> 16 & 31);
			acks[i] = &pkts[i];
		}
		valid = cookie_check_burst(&jar, kernel, acks, count);
		for (unsigned i = 0; i < count; i++) {
			const struct cookie_ack ack = cookie_ack_from(acks[i]);
			struct cookie_proof alone, read;
			bool is_valid = cookie_check(&jar, ack.tuple, ack.seq, ack.ack,
							ack.has_timestamp, ack.tsecr,
							&alone) == COOKIE_VALID;

			assert_int_equal(valid >> i & 1, is_valid);
			if (is_valid) {
				cookie_read(&ack, &read);
				assert_int_equal(read.isn, alone.isn);
				assert_int_equal(read.iss, alone.iss);
				assert_int_equal(read.syn.isn, alone.syn.isn);
				assert_int_equal(read.syn.mss, alone.syn.mss);
				assert_int_equal(read.syn.wscale, alone.syn.wscale);
				assert_int_equal(read.syn.sack_permitted, alone.syn.sack_permitted);
				assert_int_equal(read.syn.has_timestamp, alone.syn.has_timestamp);
				assert_int_equal(read.syn.ecn, alone.syn.ecn);
			}
			outcomes[is_valid]++;
		}
		assert_int_equal((uint64_t)valid >> count, 0);
	}
	assert_true(outcomes[0] > 10000 && outcomes[1] > 10000);
}

/* What the comment says of its tables. */
static void
test_tables(void **state)
{
	(void)state;
	for (unsigned i = 3; i < 8; i++)
		assert_int_equal(mss_of[1][i], mss_of[0][i] - 20);
	for (uint8_t scale = 0; scale <= 10; scale++)
		assert_in_range(scale_rounded(scale), scale == 0 ? 0 : scale - 1, scale);
	assert_int_equal(scale_rounded(TCP_WSCALE_NONE), -1);
	assert_int_equal(COOKIE_EPOCH_S, 64);
	assert_int_equal(COOKIE_MAC_BITS, 24);
	assert_int_equal(COOKIE_MAC_BITS_TIMESTAMP, 24);
}

/* Bytes, least significant first, behind what is there already. */
static void
append(uint8_t *message, size_t *length, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0) {
		message[(*length)++] = (uint8_t)value;
		value >>= 8;
	}
}

static struct siphash_key
naive_key(uint64_t epoch)
{
	struct siphash_key key;
	uint8_t message[32];
	size_t length = 0;

	append(message, &length, epoch, 8);
	memcpy(message + length, "cookie", 6);
	length += 6;
	append(message, &length, 0, 1);
	key.k0 = siphash(&master, message, length);
	message[length - 1] = 1;
	key.k1 = siphash(&master, message, length);
	return key;
}

/*
 * The cookie made from bytes by the drawing alone. What it says is on the wire and shared between
 * nodes: when this test fails, COOKIE_VERSION has to change.
 */
static struct cookie
naive_encode(uint64_t epoch, const struct tuple *tuple, const struct cookie_syn *syn,
		unsigned mss_index, unsigned scale_index)
{
	bool is_ip4 = tuple->family == FAMILY_IP4;
	uint32_t code = mss_index << 5 | scale_index << 2 | syn->sack_permitted << 1 | (epoch & 1);
	uint32_t scale = syn->wscale == TCP_WSCALE_NONE ? 15 : syn->wscale;
	uint32_t tsval_code = scale << 4 | syn->ecn << 3 | (syn->isn & 7);
	struct siphash_key key = naive_key(epoch);
	uint8_t message[64];
	size_t length = 0;
	uint64_t mac;

	for (unsigned i = is_ip4 ? 12 : 0; i < 16; i++)
		append(message, &length, tuple->client.bytes[i], 1);
	for (unsigned i = is_ip4 ? 12 : 0; i < 16; i++)
		append(message, &length, tuple->backend.bytes[i], 1);
	append(message, &length, tuple->client_port, 2);
	append(message, &length, tuple->backend_port, 2);
	append(message, &length, syn->isn, 4);
	append(message, &length, tuple->vlan, 4);
	append(message, &length, code, 1);
	append(message, &length, 2 << 4 | syn->has_timestamp << 3 | (is_ip4 ? 4 : 6), 1);
	if (syn->has_timestamp)
		append(message, &length, tsval_code, 1);
	mac = siphash(&key, message, length);
	return (struct cookie){
			.iss = (uint32_t)(mac & 0xffffff) << 8 | code,
			.tsval = syn->has_timestamp ? (uint32_t)(mac >> 24 & 0xffffff) << 8 |
								      tsval_code
						    : 0,
	};
}

static void
test_layout(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		bool is_ip6 = n & 1;
		uint64_t epoch = packet_random(&seed) >> 40;
		struct jar jar = jar_at(epoch * EPOCH + packet_random(&seed) % EPOCH);
		struct tuple tuple = random_tuple(&seed, is_ip6);
		struct cookie_syn syn = random_syn(&seed, n & 2);
		unsigned mss_index = packet_random(&seed) % 8;
		unsigned scale_index = packet_random(&seed) % 8;
		struct cookie cookie, twin;

		syn.mss = mss_of[is_ip6][mss_index];
		syn.wscale = scale_index == 0 ? TCP_WSCALE_NONE : (uint8_t)scale_of[scale_index];
		cookie = cookie_encode(&jar, &tuple, &syn);
		twin = naive_encode(epoch, &tuple, &syn, mss_index, scale_index);
		assert_true(cookie.iss == twin.iss);
		assert_true(cookie.tsval == twin.tsval);
	}
}

/* A repeated SYN gets the same SYN-ACK all through an epoch, from any jar, and another after it. */
static void
test_same_within_epoch(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		ticks_t start = (1 + packet_random(&seed) % 1000000) * EPOCH;
		struct jar jar = jar_at(start);
		struct tuple tuple = random_tuple(&seed, n & 1);
		struct cookie_syn syn = random_syn(&seed, n & 2);
		struct cookie first = cookie_encode(&jar, &tuple, &syn), other;
		struct jar second = jar_at(start + EPOCH - 1);

		jar_advance(&jar, start + EPOCH - 1);
		other = cookie_encode(&jar, &tuple, &syn);
		assert_true(other.iss == first.iss && other.tsval == first.tsval);
		other = cookie_encode(&second, &tuple, &syn);
		assert_true(other.iss == first.iss && other.tsval == first.tsval);
		jar_advance(&jar, start + EPOCH);
		other = cookie_encode(&jar, &tuple, &syn);
		assert_int_not_equal(other.iss & 1, first.iss & 1);
		assert_true(other.iss >> 8 != first.iss >> 8);
	}
}

/*
 * Lifetime, and acceptance 5's key roll: a cookie of each second of an epoch, of either parity,
 * is good until the end of the next epoch, and not a tick longer, whether its worker lived
 * through the rolls or was started just now.
 */
static void
test_lifetime(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned n = 0; n < 4 * 64; n++) {
		ticks_t start = (500 + (n >> 1 & 1)) * EPOCH;
		ticks_t sent = start + (n >> 2) * TICKS_PER_S;
		struct jar jar = jar_at(sent);
		struct tuple tuple = random_tuple(&seed, n & 1);
		struct cookie_syn syn = random_syn(&seed, n & 1);
		struct cookie cookie = cookie_encode(&jar, &tuple, &syn);
		struct cookie_proof proof;

		for (ticks_t now = sent; now < start + 4 * EPOCH; now += TICKS_PER_S) {
			struct jar fresh = jar_at(now);
			enum cookie_outcome expected =
					now < start + 2 * EPOCH ? COOKIE_VALID : COOKIE_INVALID;

			jar_advance(&jar, now);
			assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), expected);
			assert_int_equal(check_ack(&fresh, &tuple, &syn, cookie, &proof), expected);
		}
		jar = jar_at(start + 2 * EPOCH - 1);
		assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
		jar_advance(&jar, start + 2 * EPOCH);
		assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_INVALID);
	}
}

/* However time jumps, an old jar is a new one. */
static void
test_advance_is_init(void **state)
{
	static const struct {
		ticks_t from, to;
	} jumps[] = {
			/* 0 */ {0, 0},
			/* 1 */ {0, EPOCH - 1},
			/* 2 */ {0, EPOCH},
			/* 3 */ {EPOCH - 1, EPOCH},
			/* 4 */ {7 * EPOCH, 8 * EPOCH},
			/* 5 */ {7 * EPOCH, 9 * EPOCH},
			/* 6 */ {7 * EPOCH, 10 * EPOCH},
			/* 7 */ {7 * EPOCH, 1000001 * EPOCH},
			/* 8: backwards */ {8 * EPOCH, 7 * EPOCH},
			/* 9 */ {EPOCH, 0},
			/* 10 */ {0, TICKS_NEVER},
			/* 11 */ {TICKS_NEVER, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(jumps); i++) {
		struct jar jar = jar_at(jumps[i].from), fresh = jar_at(jumps[i].to);

		jar_advance(&jar, jumps[i].to);
		assert_true(jar.epoch == jumps[i].to / EPOCH);
		assert_true(jar.epoch == fresh.epoch);
		assert_memory_equal(jar.key, fresh.key, sizeof(jar.key));
		assert_memory_not_equal(&jar.key[0], &jar.key[1], sizeof(jar.key[0]));
	}
}

/* A clock that starts at 0 works like any other, its first roll included. */
static void
test_time_zero(void **state)
{
	struct jar jar = jar_at(0);
	uint64_t seed = 6;
	struct tuple tuple = random_tuple(&seed, false);
	struct cookie_syn syn = random_syn(&seed, true);
	struct cookie cookie = cookie_encode(&jar, &tuple, &syn);
	struct cookie_proof proof;

	(void)state;
	assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
	jar_advance(&jar, EPOCH);
	assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
	jar_advance(&jar, 2 * EPOCH);
	assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_INVALID);
}

static void
flip(void *bytes, unsigned bit)
{
	((uint8_t *)bytes)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/*
 * Each bit of what an ACK shows, one at a time. An IPv4 address is 4 bytes of its 16. The client's
 * ISN is even, since of an odd one the neighbour below looks like a zero-window probe.
 */
static void
test_every_flipped_bit(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned n = 0; n < 64; n++) {
		bool is_ip6 = n & 1;
		struct jar jar = jar_at((100 + (n >> 2 & 1)) * EPOCH);
		struct tuple tuple = random_tuple(&seed, is_ip6), other;
		struct cookie_syn syn = random_syn(&seed, n & 2), changed;
		struct cookie cookie, forged;
		struct cookie_proof proof;

		syn.isn &= ~1u;
		cookie = cookie_encode(&jar, &tuple, &syn);
		assert_int_equal(check_ack(&jar, &tuple, &syn, cookie, &proof), COOKIE_VALID);
		for (unsigned bit = is_ip6 ? 0 : 96; bit < 128; bit++) {
			other = tuple;
			flip(&other.client, bit);
			assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof),
					COOKIE_INVALID);
			other = tuple;
			flip(&other.backend, bit);
			assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof),
					COOKIE_INVALID);
		}
		for (unsigned bit = 0; bit < 16; bit++) {
			other = tuple;
			flip(&other.client_port, bit);
			assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof),
					COOKIE_INVALID);
			other = tuple;
			flip(&other.backend_port, bit);
			assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof),
					COOKIE_INVALID);
		}
		for (unsigned bit = 0; bit < 32; bit++) {
			other = tuple;
			flip(&other.vlan, bit);
			assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof),
					COOKIE_INVALID);
			changed = syn;
			flip(&changed.isn, bit);
			assert_int_equal(check_ack(&jar, &tuple, &changed, cookie, &proof),
					COOKIE_INVALID);
			forged = cookie;
			flip(&forged.iss, bit);
			assert_int_equal(check_ack(&jar, &tuple, &syn, forged, &proof),
					COOKIE_INVALID);
			forged = cookie;
			flip(&forged.tsval, bit);
			assert_int_equal(check_ack(&jar, &tuple, &syn, forged, &proof),
					syn.has_timestamp ? COOKIE_INVALID : COOKIE_VALID);
		}
	}
}

/* Another master, another family with the same bytes, and timestamps added or left out. */
static void
test_domains(void **state)
{
	const struct siphash_key stranger = {master.k0, master.k1 ^ 1};
	uint64_t seed = 8;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		struct jar jar = jar_at(EPOCH * n), foreign;
		struct tuple tuple = random_tuple(&seed, n & 1), other;
		struct cookie_syn syn = random_syn(&seed, n & 2), changed = syn;
		struct cookie cookie = cookie_encode(&jar, &tuple, &syn);
		struct cookie_proof proof;

		struct cookie_plan plan = cookie_plan_make(&stranger);

		jar_init(&foreign, &plan, EPOCH * n);
		assert_int_equal(check_ack(&foreign, &tuple, &syn, cookie, &proof), COOKIE_INVALID);

		other = tuple;
		other.family = tuple.family == FAMILY_IP4 ? FAMILY_IP6 : FAMILY_IP4;
		assert_int_equal(check_ack(&jar, &other, &syn, cookie, &proof), COOKIE_INVALID);

		changed.has_timestamp = !syn.has_timestamp;
		cookie.tsval |= syn.isn & 7;
		assert_int_equal(check_ack(&jar, &tuple, &changed, cookie, &proof), COOKIE_INVALID);
	}
}

/* seq = ISN, as Linux tcp_xmit_probe_skb sends it, proves with timestamps and only with them. */
static void
test_zero_window_probe(void **state)
{
	struct jar jar = jar_at(EPOCH);
	uint64_t seed = 9;

	(void)state;
	for (unsigned n = 0; n < 4000; n++) {
		struct tuple tuple = random_tuple(&seed, n & 1);
		struct cookie_syn syn = random_syn(&seed, n & 2);
		struct cookie cookie;
		struct cookie_proof proof;
		enum cookie_outcome outcome;

		/* Around the wrap, and everywhere. */
		if (n % 8 == 0)
			syn.isn = (uint32_t)(n / 8 % 8) - 4;
		cookie = cookie_encode(&jar, &tuple, &syn);
		outcome = cookie_check(&jar, &tuple, syn.isn, cookie.iss + 1, syn.has_timestamp,
				cookie.tsval, &proof);
		assert_int_equal(outcome, syn.has_timestamp ? COOKIE_VALID : COOKIE_INVALID);
		if (outcome == COOKIE_VALID)
			assert_proof(&proof, &syn, cookie,
					cookie_mss_round((enum family)tuple.family, syn.mss));
	}
}

/* With every MAC accepted, what is left is the client's ISN as the TSval's lowest bits confirm it.
 */
static void
test_isn_confirmed(void **state)
{
	struct jar jar = jar_at(EPOCH);
	uint64_t seed = 10;
	struct tuple tuple = random_tuple(&seed, false);

	(void)state;
	jar.mac_mask = 0;
	jar.mac_mask_timestamp = 0;
	for (unsigned n = 0; n < 16 * 8; n++) {
		uint32_t seq = n / 8 - 4;
		uint32_t low = n % 8;
		struct cookie_proof proof;
		enum cookie_outcome outcome = cookie_check(
				&jar, &tuple, seq, 1, true, 0xabcdef00 | 7 << 4 | low, &proof);

		if (low == ((seq - 1) & 7)) {
			assert_int_equal(outcome, COOKIE_VALID);
			assert_true(proof.isn == seq - 1);
		} else if (low == (seq & 7)) {
			assert_int_equal(outcome, COOKIE_VALID);
			assert_true(proof.isn == seq);
		} else {
			assert_int_equal(outcome, COOKIE_INVALID);
		}
	}
}

/*
 * Acceptance 4: random ACKs against a MAC of fewer bits. The count of those that pass is binomial;
 * six standard deviations either way is the tolerance. With timestamps a random TSecr also has
 * to confirm one of two ISNs by 3 bits; a forger who knows that draws them right.
 */
static const struct {
	unsigned bits, bits_timestamp;
	bool has_timestamp, knows_isn_bits;
	double rate;
} forgeries[] = {
		/* 0 */ {8, 24, false, false, 1.0 / 256},
		/* 1 */ {10, 24, false, false, 1.0 / 1024},
		/* 2 */ {12, 24, false, false, 1.0 / 4096},
		/* 3 */ {4, 4, true, true, 1.0 / 256},
		/* 4 */ {5, 5, true, true, 1.0 / 1024},
		/* 5 */ {6, 6, true, true, 1.0 / 4096},
		/* 6 */ {0, 10, true, true, 1.0 / 1024},
		/* 7 */ {10, 0, true, true, 1.0 / 1024},
		/* 8 */ {4, 4, true, false, 1.0 / 256 / 4},
		/* 9 */ {5, 5, true, false, 1.0 / 1024 / 4},
};

static unsigned
count_passing(const struct jar *jar, unsigned tries, bool has_timestamp, bool knows_isn_bits,
		uint64_t seed)
{
	unsigned passing = 0;

	for (unsigned n = 0; n < tries; n++) {
		struct tuple tuple = random_tuple(&seed, n & 1);
		uint32_t seq = (uint32_t)packet_random(&seed);
		uint32_t ack = (uint32_t)packet_random(&seed);
		uint32_t tsecr = (uint32_t)packet_random(&seed);
		struct cookie_proof proof;

		if (knows_isn_bits)
			tsecr = (tsecr & ~7u) | ((seq - 1) & 7);
		passing += cookie_check(jar, &tuple, seq, ack, has_timestamp, tsecr, &proof) ==
			   COOKIE_VALID;
	}
	return passing;
}

static void
test_pitfall_10_false_accepts(void **state)
{
	const unsigned tries = 1u << 20;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(forgeries); i++) {
		struct jar jar = jar_at((i & 1) * EPOCH);
		double expected = tries * forgeries[i].rate;
		double passing, difference;

		jar.mac_mask = (1u << forgeries[i].bits) - 1;
		jar.mac_mask_timestamp = (1u << forgeries[i].bits_timestamp) - 1;
		passing = count_passing(&jar, tries, forgeries[i].has_timestamp,
				forgeries[i].knows_isn_bits, i);
		difference = passing - expected;
		print_message("case %u: %.0f of %u passed, %.0f expected\n", i, passing, tries,
				expected);
		assert_true(difference * difference <= 36 * expected * (1 - forgeries[i].rate));
	}
}

/* At full width none of a million passes: 0.06 were expected without timestamps. */
static void
test_a_million_forged(void **state)
{
	struct jar jar = jar_at(EPOCH);

	(void)state;
	assert_int_equal(count_passing(&jar, 1000000, false, false, 11), 0);
	assert_int_equal(count_passing(&jar, 1000000, true, true, 12), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_round_trip),
			cmocka_unit_test(test_every_mss),
			cmocka_unit_test(test_burst),
			cmocka_unit_test(test_check_burst),
			cmocka_unit_test(test_tables),
			cmocka_unit_test(test_layout),
			cmocka_unit_test(test_same_within_epoch),
			cmocka_unit_test(test_lifetime),
			cmocka_unit_test(test_advance_is_init),
			cmocka_unit_test(test_time_zero),
			cmocka_unit_test(test_every_flipped_bit),
			cmocka_unit_test(test_domains),
			cmocka_unit_test(test_zero_window_probe),
			cmocka_unit_test(test_isn_confirmed),
			cmocka_unit_test(test_pitfall_10_false_accepts),
			cmocka_unit_test(test_a_million_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
