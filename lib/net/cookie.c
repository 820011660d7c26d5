/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three steps that know nothing of each other, so that a burst's SYNs take the middle one
 * together: lay out the message, compute its MAC, draw the bits. The design stands above
 * cookie_encode().
 */
#include "net/cookie.h"

#include <endian.h>

#include "base/siphash_rounds.h"
#include "net/cookie_bits.h"

/* For an MSS divided by 4, as all entries are multiples of it: the index of the largest that is not
 * above. test_cookie.c compares each MSS. */
#define MSS_UNIT 4
static const uint8_t mss_indices_ip4[1460 / MSS_UNIT + 1] = {
		[536 / MSS_UNIT... 1199 / MSS_UNIT] = 1,
		[1200 / MSS_UNIT... 1359 / MSS_UNIT] = 2,
		[1360 / MSS_UNIT... 1399 / MSS_UNIT] = 3,
		[1400 / MSS_UNIT... 1439 / MSS_UNIT] = 4,
		[1440 / MSS_UNIT... 1451 / MSS_UNIT] = 5,
		[1452 / MSS_UNIT... 1459 / MSS_UNIT] = 6,
		[1460 / MSS_UNIT] = 7,
};
static const uint8_t mss_indices_ip6[1440 / MSS_UNIT + 1] = {
		[536 / MSS_UNIT... 1219 / MSS_UNIT] = 1,
		[1220 / MSS_UNIT... 1339 / MSS_UNIT] = 2,
		[1340 / MSS_UNIT... 1379 / MSS_UNIT] = 3,
		[1380 / MSS_UNIT... 1419 / MSS_UNIT] = 4,
		[1420 / MSS_UNIT... 1431 / MSS_UNIT] = 5,
		[1432 / MSS_UNIT... 1439 / MSS_UNIT] = 6,
		[1440 / MSS_UNIT] = 7,
};

static const uint16_t *
mss_table(enum family family)
{
	return family == FAMILY_IP4 ? mss_ip4 : mss_ip6;
}

/* The largest entry that is not above mss; the smallest when all are. */
static inline unsigned
mss_index(enum family family, uint16_t mss)
{
	bool is_ip4 = family == FAMILY_IP4;
	unsigned most = is_ip4 ? ARRAY_COUNT(mss_indices_ip4) - 1
			       : ARRAY_COUNT(mss_indices_ip6) - 1;
	unsigned unnamed = is_ip4 ? MSS_DEFAULT_IP4 : MSS_DEFAULT_IP6;
	unsigned cell = (mss != 0 ? mss : unnamed) / MSS_UNIT;

	cell = cell < most ? cell : most;
	return is_ip4 ? mss_indices_ip4[cell] : mss_indices_ip6[cell];
}

uint16_t
cookie_mss_round(enum family family, uint16_t mss)
{
	return mss_table(family)[mss_index(family, mss)];
}

static unsigned
wscale_index(uint8_t wscale)
{
	return wscale_indices[wscale & 15];
}

/* The two halves of an epoch's key are MACs, by the master, over: epoch 8, "cookie", half 1. */
static struct siphash_key
derive_key(const struct siphash_key *master, uint64_t epoch)
{
	uint64_t half[2] = {
			epoch,
			(uint64_t)(8 + 6 + 1) << 56 | 0x65696b6f6f63 /* "cookie" */,
	};
	struct siphash_key key;

	key.k0 = siphash_words(master, half, ARRAY_COUNT(half));
	half[1] |= (uint64_t)1 << 48;
	key.k1 = siphash_words(master, half, ARRAY_COUNT(half));
	return key;
}

struct cookie_plan
cookie_plan_make(const struct siphash_key *secret)
{
	struct cookie_plan plan = {.first = 0};

	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS; i++)
		plan.secrets[i] = *secret;
	return plan;
}

struct cookie_plan
cookie_plan_next(const struct cookie_plan *plan, const struct siphash_key *secret, ticks_t now)
{
	uint64_t epoch = cookie_epoch(now);
	struct cookie_plan next = {.first = epoch > 0 ? epoch - 1 : 0};

	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS - 1; i++)
		next.secrets[i] = plan->secrets[cookie_plan_index(plan, next.first + i)];
	next.secrets[COOKIE_PLAN_EPOCHS - 1] = *secret;
	return next;
}

static struct siphash_key
epoch_key(const struct jar *jar, uint64_t epoch)
{
	return derive_key(&jar->plan.secrets[cookie_plan_index(&jar->plan, epoch)], epoch);
}

/* Epoch 0 has a predecessor too: UINT64_MAX, whose parity is the other one as it must be. */
static void
jar_fill(struct jar *jar, uint64_t epoch)
{
	jar->epoch = epoch;
	jar->key[epoch & 1] = epoch_key(jar, epoch);
	jar->key[~epoch & 1] = epoch_key(jar, epoch - 1);
}

void
jar_init(struct jar *jar, const struct cookie_plan *plan, ticks_t now)
{
	jar->plan = *plan;
	jar->mac_mask = UINT32_MAX >> (32 - COOKIE_MAC_BITS);
	jar->mac_mask_timestamp = UINT32_MAX >> (32 - COOKIE_MAC_BITS_TIMESTAMP);
	jar_fill(jar, cookie_epoch(now));
}

void
jar_plan(struct jar *jar, const struct cookie_plan *plan)
{
	jar->plan = *plan;
}

uint64_t
jar_epoch_of(const struct jar *jar, uint32_t iss)
{
	return jar->epoch - ((iss >> CODE_PARITY_SHIFT ^ jar->epoch) & 1);
}

void
jar_advance(struct jar *jar, ticks_t now)
{
	uint64_t epoch = cookie_epoch(now);

	if (LIKELY(epoch == jar->epoch))
		return;
	if (epoch == jar->epoch + 1) {
		jar->epoch = epoch;
		jar->key[epoch & 1] = epoch_key(jar, epoch);
	} else {
		jar_fill(jar, epoch);
	}
}

/* The words of a message lie stride apart: 1, or SIPHASH_LANES for one lane of many. */
static inline unsigned
message_put_addresses(
		uint64_t *words, unsigned stride, const struct tuple *tuple, enum family family)
{
	if (family == FAMILY_IP4) {
		words[0] = le32toh(tuple->client.words_be[3]) |
			   (uint64_t)le32toh(tuple->backend.words_be[3]) << 32;
		return 1;
	}
	words[0] = le64toh(tuple->client.halves_be[0]);
	words[stride] = le64toh(tuple->client.halves_be[1]);
	words[2 * stride] = le64toh(tuple->backend.halves_be[0]);
	words[3 * stride] = le64toh(tuple->backend.halves_be[1]);
	return 4;
}

/*
 *	   8 or 32   client's and backend's address
 *	         8   ports 2 + 2, client's ISN 4
 *	         6   VLAN tags 4, code of the ISN 1, domain 1: version, timestamps, family
 *	    0 or 1   with timestamps: code of the TSval
 *
 * Returns the number of words, MESSAGE_WORDS_IP4 or MESSAGE_WORDS_IP6.
 */
static inline unsigned
message_build(uint64_t *words, unsigned stride, const struct tuple *tuple, enum family family,
		uint32_t isn, uint8_t code, bool has_timestamp, uint8_t tsval_code)
{
	unsigned n = message_put_addresses(words, stride, tuple, family);
	uint32_t ports = tuple->client_port | (uint32_t)tuple->backend_port << 16;
	uint64_t domain = (uint64_t)(COOKIE_VERSION << 4 | family) << 40;
	uint64_t length = (uint64_t)(n * 8 + 8 + 6) << 56;
	/* The domain's bit, one byte more, and that byte. */
	uint64_t timestamp = UINT64_C(8) << 40 | UINT64_C(1) << 56 | (uint64_t)tsval_code << 48;

	words[n * stride] = ports | (uint64_t)isn << 32;
	words[(n + 1) * stride] = (tuple->vlan | (uint64_t)code << 32) + (domain | length) +
				  (timestamp & -(uint64_t)has_timestamp);
	return n + 2;
}

/* The MAC of one message. */
static inline uint64_t
message_mac(const struct siphash_key *key, const struct tuple *tuple, uint32_t isn, uint8_t code,
		bool has_timestamp, uint8_t tsval_code)
{
	uint64_t words[MESSAGE_WORDS_IP6];

	if (LIKELY(tuple->family == FAMILY_IP4)) {
		message_build(words, 1, tuple, FAMILY_IP4, isn, code, has_timestamp, tsval_code);
		return sip_words(key, words, MESSAGE_WORDS_IP4);
	}
	message_build(words, 1, tuple, FAMILY_IP6, isn, code, has_timestamp, tsval_code);
	return siphash_words(key, words, MESSAGE_WORDS_IP6);
}

/* The parity in the code says which epoch's. */
static const struct siphash_key *
code_key(const struct jar *jar, uint8_t code)
{
	return &jar->key[code >> CODE_PARITY_SHIFT & 1];
}

static uint8_t
code_pack(const struct jar *jar, enum family family, const struct cookie_syn *syn)
{
	return (uint8_t)(mss_index(family, syn->mss) << CODE_MSS_SHIFT |
			 wscale_index(syn->wscale) << CODE_WSCALE_SHIFT |
			 (unsigned)syn->sack_permitted << CODE_SACK_SHIFT |
			 (unsigned)(jar->epoch & 1) << CODE_PARITY_SHIFT);
}

static uint8_t
tsval_code_pack(const struct cookie_syn *syn)
{
	unsigned wscale = syn->wscale == TCP_WSCALE_NONE ? TSVAL_WSCALE_NONE : syn->wscale;

	return (uint8_t)(wscale << TSVAL_WSCALE_SHIFT | (unsigned)syn->ecn << TSVAL_ECN_SHIFT |
			 (syn->isn & TSVAL_ISN_MASK));
}

static uint32_t
mac_for_iss(uint64_t mac)
{
	return (uint32_t)mac << ISS_CODE_BITS;
}

static uint32_t
mac_for_tsval(uint64_t mac)
{
	return (uint32_t)(mac >> COOKIE_MAC_BITS) << TSVAL_CODE_BITS;
}

/*
 * SYN cookies (D. J. Bernstein, 1996): the ISN of our SYN-ACK is a MAC over what the ACK will show
 * again, so that an ACK with that number + 1 proves that its sender saw the SYN-ACK, and nothing
 * has to be remembered. Every SYN is answered so.
 *
 *	          31                                      8 7     5 4     2   1    0
 *	         +-----------------------------------------+-------+-------+----+----+
 *	ISN      |              MAC bits 0-23              |  MSS  | scale |SACK|par.|
 *	         +-----------------------------------------+-------+-------+----+----+
 *	          31                                      8 7         4   3    2    0
 *	         +-----------------------------------------+-----------+----+--------+
 *	TSval    |             MAC bits 24-47              |   scale   |ECN | client |
 *	         +-----------------------------------------+-----------+----+--------+
 *
 *	MSS      index into the family's table        SACK     SACK-permitted was offered
 *	scale    ISN: index into wscales; TSval:      par.     the epoch's lowest bit
 *	         the scale itself, 15 for none        client   the client's ISN, lowest 3 bits
 *
 * The TSval exists only when the SYN had timestamps; it comes back in the ACK's TSecr.
 *
 * MAC. SipHash-2-4 over the addresses, the ports, the VLAN tags, the client's ISN, the 8 code bits
 * of the ISN, a domain byte (version, timestamps or not, family), and with timestamps the 8 code
 * bits of the TSval. So nothing an ACK shows can be changed without a new MAC, a cookie counts only
 * on its own connection and VLAN, and a cookie sent with timestamps is worth nothing without
 * them. Nothing in it depends on the moment within an epoch: a repeated SYN gets the same answer.
 *
 * Lifetime. Time is cut into epochs of 64 s, each with a key of 128 bits derived from the master
 * secret, so that every worker and every node that has the secret validates every cookie. A cookie
 * is valid in its own epoch and the next, 64 to 128 s; its parity selects which of the two keys to
 * try. There is no third try, so a roll of the key never ends a handshake and never costs a second
 * MAC.
 *
 * One MAC. An ACK has seq = ISN + 1, but a zero-window probe (Linux tcp_xmit_probe_skb) has
 * seq = ISN; our SYN-ACK announces no window, so the probe may be all that a client sends whose
 * ACK was lost. The 3 bits of the client's ISN in the TSval tell which of the two it is. When they
 * fit neither, no MAC is computed. Without timestamps there is no room for them, and only the ACK
 * proves.
 *
 * Attacks.
 *   - Forged ACKs: a random one passes with 2^-24, with timestamps at most 2^-48. The choice of the
 *     code bits makes none more likely to pass, since the MAC covers them. A forger may leave the
 *     timestamps out, so 2^-24 is what protects; what passes still meets the accept ring's bound.
 *     A failure costs us one SipHash of 3 words (IPv6: 6), as a SYN does.
 *   - Replay: only by somebody who saw the SYN-ACK, on the same tuple, within 128 s. To them the
 *     handshake was open anyway.
 *   - Finding the key: 128 bits, from MACs that are cut to 24 or 48 bits and whose key is gone for
 *     new cookies after 64 s. One epoch's key says nothing about another's or the master.
 *   - Guessing sequence numbers (RFC 6528): the ISN of a connection one can't see is unknown in
 *     24 bits, and other connections' ISNs tell nothing about them. Unlike RFC 6528's, it does
 *     not rise with time on the same tuple; the window check of RFC 9293 3.10.7.4 and the
 *     backend's TIME_WAIT stand in for that.
 *   - Downgrading: the options are the client's own, and the MAC covers them.
 *
 * Tables. Both are rounded down, so that we never promise what the client can't take.
 *   MSS: 88 is Linux's TCP_MIN_MSS; less counts as 88. 536 and 1220 are the defaults (RFC 9293
 *   3.7.1), which also stand for "no option"; 1200 is the same step down for IPv4, for paths cut
 *   to about the least that IPv6 allows. 1460 and 1440 are plain Ethernet, 1452 and 1432 PPPoE
 *   (RFC 2516 7: 1492), 1440 and 1420 a tunnel with one more IPv4 header, 1400 and 1380 mobile
 *   networks, 1360 and 1340 what IPsec and GRE gateways clamp to. From the fourth entry up, IPv6's
 *   is IPv4's less the 20 bytes by which its header is longer.
 *   Scale, without timestamps: 8 is Windows (which sends no timestamps, and so counts here), 7
 *   Linux's default for long, 10 its default since tcp_rmem allows 32 MiB, 6 macOS, iOS and
 *   FreeBSD, 0, 2 and 4 small devices. Up to 11 rounding loses at most half of the window. None is
 *not 0: with 0 the client accepts our scale, with none it doesn't (RFC 7323 1.3).
 */
struct cookie
cookie_encode(const struct jar *jar, const struct tuple *tuple, const struct cookie_syn *syn)
{
	uint8_t code = code_pack(jar, (enum family)tuple->family, syn);
	uint8_t tsval_code = tsval_code_pack(syn);
	uint64_t mac = message_mac(
			code_key(jar, code), tuple, syn->isn, code, syn->has_timestamp, tsval_code);

	return (struct cookie){
			.iss = mac_for_iss(mac) | code,
			.tsval = syn->has_timestamp ? mac_for_tsval(mac) | tsval_code : 0,
	};
}

/* The cookies of one family's SYNs among count; returns how many these were. */
static inline __attribute__((always_inline)) unsigned
encode_family(const struct jar *jar, enum kernel kernel, enum family family,
		const struct tuple *const *tuples, const struct cookie_syn *syns,
		struct cookie *cookies, unsigned count)
{
	const struct siphash_key *key = &jar->key[jar->epoch & 1];
	struct siphash_lanes lanes;
	uint8_t owners[SIPHASH_LANES];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		uint8_t code, tsval_code;

		if (UNLIKELY((tuples[i]->family == FAMILY_IP4) != (family == FAMILY_IP4)))
			continue;
		code = code_pack(jar, family, &syns[i]);
		tsval_code = tsval_code_pack(&syns[i]);
		cookies[i] = (struct cookie){code, tsval_code};
		siphash_lanes_key(&lanes, n, key);
		message_build(&lanes.words[0][n], SIPHASH_LANES, tuples[i], family, syns[i].isn,
				code, syns[i].has_timestamp, tsval_code);
		owners[n++] = (uint8_t)i;
	}
	siphash_lanes(kernel, &lanes, family == FAMILY_IP4 ? MESSAGE_WORDS_IP4 : MESSAGE_WORDS_IP6,
			n);
	for (unsigned lane = 0; lane < n; lane++) {
		struct cookie *cookie = &cookies[owners[lane]];

		cookie->iss |= mac_for_iss(lanes.macs[lane]);
		cookie->tsval |= mac_for_tsval(lanes.macs[lane]);
		cookie->tsval &= -(uint32_t)syns[owners[lane]].has_timestamp;
	}
	return n;
}

void
cookie_encode_burst(const struct jar *jar, enum kernel kernel, const struct tuple *const *tuples,
		const struct cookie_syn *syns, struct cookie *cookies, unsigned count)
{
	ENSURE(count <= COOKIE_BURST_MAX);
	if (encode_family(jar, kernel, FAMILY_IP4, tuples, syns, cookies, count) < count)
		encode_family(jar, kernel, FAMILY_IP6, tuples, syns, cookies, count);
}

/* The client's ISN, which the TSval's lowest bits must confirm: see "One MAC" above. */
static bool
find_isn(uint32_t seq, bool has_timestamp, uint32_t tsecr, uint32_t *isn)
{
	*isn = seq - 1;
	if (!has_timestamp || ((*isn ^ tsecr) & TSVAL_ISN_MASK) == 0)
		return true;
	*isn = seq;
	return ((*isn ^ tsecr) & TSVAL_ISN_MASK) == 0;
}

static void
code_unpack(struct cookie_syn *syn, enum family family, uint32_t isn, uint8_t code,
		bool has_timestamp, uint8_t tsval_code)
{
	unsigned wscale = tsval_code >> TSVAL_WSCALE_SHIFT & TSVAL_WSCALE_MASK;

	syn->isn = isn;
	syn->mss = mss_table(family)[code >> CODE_MSS_SHIFT & CODE_INDEX_MASK];
	syn->sack_permitted = code >> CODE_SACK_SHIFT & 1;
	syn->has_timestamp = has_timestamp;
	if (has_timestamp) {
		syn->wscale = wscale == TSVAL_WSCALE_NONE ? TCP_WSCALE_NONE : (uint8_t)wscale;
		syn->ecn = tsval_code >> TSVAL_ECN_SHIFT & 1;
	} else {
		syn->wscale = wscales[code >> CODE_WSCALE_SHIFT & CODE_INDEX_MASK];
		syn->ecn = false;
	}
}

/* The MAC as an ACK shows it: what came from its TSval lies above what came from its ISN, as in the
 * MAC itself. */
static inline uint64_t
ack_mac(const struct cookie_ack *ack)
{
	return (ack->ack - 1) >> ISS_CODE_BITS | (uint64_t)(ack->tsecr >> TSVAL_CODE_BITS)
								 << COOKIE_MAC_BITS;
}

/* The bits of it that an ACK must have right. */
static inline uint64_t
ack_mac_mask(const struct jar *jar, const struct cookie_ack *ack)
{
	uint64_t in_tsval = (uint64_t)jar->mac_mask_timestamp << COOKIE_MAC_BITS;

	return jar->mac_mask | (in_tsval & -(uint64_t)ack->has_timestamp);
}

void
cookie_read(const struct cookie_ack *ack, struct cookie_proof *proof)
{
	proof->iss = ack->ack - 1;
	find_isn(ack->seq, ack->has_timestamp, ack->tsecr, &proof->isn);
	code_unpack(&proof->syn, (enum family)ack->tuple->family, proof->isn, (uint8_t)proof->iss,
			ack->has_timestamp, (uint8_t)ack->tsecr);
}

enum cookie_outcome
cookie_check(const struct jar *jar, const struct tuple *tuple, uint32_t seq, uint32_t ack,
		bool has_timestamp, uint32_t tsecr, struct cookie_proof *proof)
{
	const struct cookie_ack shown = {tuple, seq, ack, tsecr, has_timestamp};
	uint8_t code = (uint8_t)(ack - 1);
	uint64_t mac;
	uint32_t isn;

	if (!find_isn(seq, has_timestamp, tsecr, &isn))
		return COOKIE_INVALID;
	mac = message_mac(code_key(jar, code), tuple, isn, code, has_timestamp, (uint8_t)tsecr);
	if ((mac ^ ack_mac(&shown)) & ack_mac_mask(jar, &shown))
		return COOKIE_INVALID;
	cookie_read(&shown, proof);
	return COOKIE_VALID;
}

/* A vector's way takes as long for one ACK as for sixteen. */
#define ACKS_WORTH_A_VECTOR 3

/* Those of one family among count; *others counts the rest. */
static inline __attribute__((always_inline)) uint32_t
check_family(const struct jar *jar, enum kernel kernel, bool is_ip4, const struct pkt *const *acks,
		unsigned count, unsigned *others)
{
	struct siphash_lanes lanes;
	uint64_t shown[SIPHASH_LANES], masks[SIPHASH_LANES];
	uint8_t owners[SIPHASH_LANES];
	uint32_t valid = 0;
	unsigned n = 0;

	*others = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct cookie_ack ack = cookie_ack_from(acks[i]);
		uint8_t code = (uint8_t)(ack.ack - 1);
		uint32_t isn;

		if (UNLIKELY((ack.tuple->family == FAMILY_IP4) != is_ip4)) {
			++*others;
			continue;
		}
		if (UNLIKELY(!find_isn(ack.seq, ack.has_timestamp, ack.tsecr, &isn)))
			continue;
		siphash_lanes_key(&lanes, n, code_key(jar, code));
		message_build(&lanes.words[0][n], SIPHASH_LANES, ack.tuple,
				is_ip4 ? FAMILY_IP4 : FAMILY_IP6, isn, code, ack.has_timestamp,
				(uint8_t)ack.tsecr);
		shown[n] = ack_mac(&ack);
		masks[n] = ack_mac_mask(jar, &ack);
		owners[n++] = (uint8_t)i;
	}
	siphash_lanes(kernel, &lanes, is_ip4 ? MESSAGE_WORDS_IP4 : MESSAGE_WORDS_IP6, n);
	for (unsigned lane = 0; lane < n; lane++)
		if (UNLIKELY(((lanes.macs[lane] ^ shown[lane]) & masks[lane]) == 0))
			valid |= UINT32_C(1) << owners[lane];
	return valid;
}
static_assert(COOKIE_BURST_MAX <= 32, "a bit for each");

uint32_t
cookie_check_burst(const struct jar *jar, enum kernel kernel, const struct pkt *const *acks,
		unsigned count)
{
	unsigned others;
	uint32_t valid;

	ENSURE(count <= COOKIE_BURST_MAX);
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512 && count >= ACKS_WORTH_A_VECTOR)
		return cookie_check_burst_avx512(jar, acks, count);
#endif
	valid = check_family(jar, kernel, true, acks, count, &others);
	if (others > 0)
		valid |= check_family(jar, kernel, false, acks, count, &others);
	return valid;
}
