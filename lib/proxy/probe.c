/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	OFF ──► RESOLVING ──MAC known──► SYN out, WAITING ──SYN-ACK──► DONE (RST sent)
 *	            ▲   └──3 questions in vain──┐ │ RST, ICMP error: counted, the pause goes on
 *	            └───────────pause over──────┴─┘
 *
 * Probes leave no connection behind: the SYN's sequence number and TSval are a keyed hash of its
 * tuple, so that its answer is known by itself, and a forged one has to guess 32 bits, or 64
 * with timestamps. What the SYN offered is in its source port: odd ones did without ECN, which
 * something on the way may not let through (RFC 3168 6.1.1.1); attempts take turns.
 *
 * Backends are walked a few at a time, and the walk sends few packets, so that a tick stays short
 * and 65,535 backends cause no burst. Between walks nothing is looked at.
 */
#include "proxy/probe.h"

#include "net/neighbour.h"
#include "net/rewrite.h"

/* One step of a walk, and the pause after it. */
#define WALK_BACKENDS 64
#define WALK_SENDS 4
#define WALK_PAUSE TICKS_PER_MS

/* RFC 4861 10 (MAX_MULTICAST_SOLICIT, RETRANS_TIMER), and ARP as Linux does it. */
#define QUESTIONS_MAX 3
#define QUESTION_TIMEOUT TICKS_PER_S
/* How often a worker looks whether another one got the answer. */
#define QUESTION_LOOK (20 * TICKS_PER_MS)

#define PORT_COUNT (65536 - PROBE_PORT_FIRST)
#define PORT_TRIES 1024
#define PORT_WITHOUT_ECN 1u
static_assert(PORT_COUNT % 2 == 0 && PROBE_PORT_FIRST % 2 == 0, "even and odd ports alike");

/* The window of a SYN; no data ever fills it. */
#define PROBE_WINDOW 65535
#define PROBE_WSCALE 7
#define MSS_IP4 1460
#define MSS_IP6 1440

static_assert((1 << PROBE_QUICK_ATTEMPTS) - 1 == 63, "1, 2, ... 32 s");

static bool
is_on(const struct worker *w)
{
	const struct probe_config *config = snapshot_probe(w->snapshot);

	return w->env.hops != NULL &&
	       (probe_end_has(&config->ip4.source) || probe_end_has(&config->ip6.source));
}

void
probe_plan(struct worker *w)
{
	const struct probe_config *config = snapshot_probe(w->snapshot);
	struct prober *prober = &w->prober;

	if (!probe_config_is_equal(&prober->config, config)) {
		prober->config = *config;
		prober->series++;
	}
	prober->is_on = is_on(w);
	prober->cursor = 0;
	prober->soonest = TICKS_NEVER;
	prober->due = w->env.hops != NULL ? w->now : TICKS_NEVER;
}

void
probe_init(struct worker *w)
{
	static const uint8_t domain[] = {
			'p', 'r', 'o', 'b', 'e', '0', 'p', 'r', 'o', 'b', 'e', '1'};
	const struct siphash_key *seed = &w->env.hash_seed;

	w->prober = (struct prober){.key = {siphash(seed, domain, sizeof(domain) / 2),
						    siphash(seed, domain + sizeof(domain) / 2,
								    sizeof(domain) / 2)}};
	/* Not the ports of the run before, which a backend may remember. */
	w->prober.port = (uint32_t)w->prober.key.k0 % PORT_COUNT & ~PORT_WITHOUT_ECN;
	probe_plan(w);
}

/* What a probe's tuple is recognised by: the low half is the SYN's number, the high one its TSval.
 */
static uint64_t
probe_mac(const struct worker *w, const struct tuple *tuple)
{
	return siphash(&w->prober.key, tuple, sizeof(*tuple));
}

static struct tcp_opt_syn
probe_offer(const struct worker *w, const struct tuple *tuple, uint64_t mac)
{
	return (struct tcp_opt_syn){
			.tsval = (uint32_t)(mac >> 32),
			.mss = worker_mss(w, tuple->family,
					tuple->family == FAMILY_IP6 ? MSS_IP6 : MSS_IP4),
			.wscale = PROBE_WSCALE,
			.sack_permitted = true,
			.has_timestamp = true,
			.ecn = !(tuple->client_port & PORT_WITHOUT_ECN),
	};
}

/* Chooses a source port whose answers come to this worker. */
static void
tuple_choose_port(struct worker *w, struct tuple *tuple, bool without_ecn)
{
	for (unsigned n = 0; n < PORT_TRIES; n++) {
		w->prober.port = (w->prober.port + 2) % PORT_COUNT;
		tuple->client_port = (uint16_t)(PROBE_PORT_FIRST + w->prober.port +
						(without_ecn ? PORT_WITHOUT_ECN : 0));
		if (w->env.owns == NULL || w->env.owns(w->env.context, tuple))
			return;
	}
}

static struct tuple
probe_tuple(struct worker *w, const struct backend_config *config)
{
	const struct probe_config *probe = snapshot_probe(w->snapshot);

	return (struct tuple){
			.client = probe_config_end(probe, config->family)->source,
			.backend = config->address,
			.backend_port = config->port,
			.vlan = probe_config_vlan(probe),
			.family = config->family,
	};
}

static bool
probe_get(struct worker *w, struct pkt *pkt, const struct tuple *tuple)
{
	*pkt = (struct pkt){.tuple = {.family = FAMILY_NONE}};
	if (!w->env.packet_get(w->env.context, pkt)) {
		counter_add(&w->counters.emit_failed, 1);
		return false;
	}
	pkt->tuple = *tuple;
	return true;
}

static void
probe_emit(struct worker *w, struct pkt *pkt, enum emitted as)
{
	w->env.packet_emit(w->env.context, SIDE_BACKEND, pkt);
	counter_add(&w->counters.emitted[as], 1);
	w->prober.sends++;
}

static bool
send_syn(struct worker *w, const struct backend_config *config, bool without_ecn,
		const uint8_t mac[ETHER_ADDR_BYTES])
{
	struct tuple tuple = probe_tuple(w, config);
	struct pkt_build build = {
			.to = SIDE_BACKEND, .window = PROBE_WINDOW, .ttl = PKT_TTL_DEFAULT};
	struct tcp_opt_syn offer;
	struct pkt pkt;

	if (!probe_get(w, &pkt, &tuple))
		return false;
	tuple_choose_port(w, &tuple, without_ecn);
	offer = probe_offer(w, &tuple, probe_mac(w, &tuple));
	build.seq = (uint32_t)probe_mac(w, &tuple);
	build.flags = TCP_SYN | (offer.ecn ? TCP_ECE | TCP_CWR : 0);
	build.options_length = (uint8_t)tcp_opt_build_syn(build.options, &offer);
	pkt.tuple = tuple;
	pkt_build_ether(&pkt, mac, w->env.server_mac);
	pkt_build_tcp(&pkt, &build);
	probe_emit(w, &pkt, EMITTED_PROBE_SYN);
	return true;
}

static bool
send_question(struct worker *w, const struct backend_config *config, const union ip_addr *hop)
{
	struct tuple tuple = probe_tuple(w, config);
	struct pkt pkt;

	if (!probe_get(w, &pkt, &tuple))
		return false;
	neighbour_build_question(&pkt, &tuple.client, hop, w->env.server_mac);
	probe_emit(w, &pkt, EMITTED_PROBE_QUESTION);
	return true;
}

/* True when both addresses agree in their first bits bits. */
static bool
is_on_link(const union ip_addr *a, const union ip_addr *b, unsigned bits)
{
	unsigned whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	return memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (mask == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0);
}

static const union ip_addr *
next_hop(const struct probe_end *end, const struct backend_config *config)
{
	/* IPv4 addresses stand behind 96 bits that all have. */
	unsigned bits = end->prefix + (config->family == FAMILY_IP4 ? 96u : 0);

	if (!probe_end_has(&end->gateway) || is_on_link(&end->source, &config->address, bits))
		return &config->address;
	return &end->gateway;
}

static ticks_t
attempt_pause(unsigned attempt)
{
	return attempt < PROBE_QUICK_ATTEMPTS ? TICKS_PER_S << attempt : PROBE_SLOW_S * TICKS_PER_S;
}

/* Ends an attempt; whatever comes of it, the next one is a pause away. */
static void
probe_wait(const struct worker *w, struct backend_probe *probe)
{
	probe->step = PROBE_WAITING;
	probe->due = w->now + attempt_pause(probe->attempt);
	if (probe->attempt < UINT8_MAX)
		probe->attempt++;
	probe->questions = 0;
}

/* Counts the SYN that is out as failed. */
static void
probe_fail(struct backend_probe *probe)
{
	probe->failures += probe->is_out;
	probe->is_out = false;
}

static void
probe_resolve(struct worker *w, const struct backend_config *config, struct backend_probe *probe)
{
	const struct probe_end *end = probe_config_end(snapshot_probe(w->snapshot), config->family);
	const union ip_addr *hop = next_hop(end, config);
	uint64_t place = hops_place(&w->prober.key, hop);
	uint8_t mac[ETHER_ADDR_BYTES];

	if (hops_find(w->env.hops, place, mac) == HOP_KNOWN) {
		if (send_syn(w, config, probe->attempt % 2 == 1, mac)) {
			probe->sent_at = w->now;
			probe->is_out = true;
		}
		probe_wait(w, probe);
		return;
	}
	probe->due = w->now + QUESTION_LOOK;
	if (probe->questions > 0 && w->now - probe->asked_at < QUESTION_TIMEOUT)
		return;
	if (probe->questions == QUESTIONS_MAX) {
		probe->failures++;
		probe_wait(w, probe);
		return;
	}
	probe->questions++;
	probe->asked_at = w->now;
	if (send_question(w, config, hop))
		hops_set(w->env.hops, place, HOP_ASKED);
}

/* The SYN was not answered in time: nor, perhaps, is it the hop's MAC any more. */
static void
probe_again(struct worker *w, const struct backend_config *config, struct backend_probe *probe)
{
	const struct probe_end *end = probe_config_end(snapshot_probe(w->snapshot), config->family);

	if (probe->is_out)
		hops_set(w->env.hops, hops_place(&w->prober.key, next_hop(end, config)),
				HOP_UNKNOWN);
	probe_fail(probe);
	probe->step = PROBE_RESOLVING;
}

static bool
is_wanted(const struct worker *w, const struct backend_config *config)
{
	const struct probe_config *probe = snapshot_probe(w->snapshot);

	return config->profile == PROFILE_PROBE &&
	       probe_end_has(&probe_config_end(probe, config->family)->source);
}

static void
probe_begin(const struct worker *w, struct backend_probe *probe)
{
	probe->step = PROBE_RESOLVING;
	probe->began_at = probe->due = w->now;
	probe->attempt = probe->questions = 0;
	probe->is_out = false;
	probe->series = w->prober.series;
}

/* Does what is due for one backend; when the next thing is. */
static ticks_t
probe_backend(struct worker *w, const struct backend_config *config)
{
	struct backend *backend = worker_backend(w, config);
	struct backend_probe *probe = &backend->probe;

	if (!is_wanted(w, config)) {
		probe->step = PROBE_OFF;
		return TICKS_NEVER;
	}
	if (probe->step == PROBE_OFF ||
			(probe->step != PROBE_DONE && probe->series != w->prober.series)) {
		probe_begin(w, probe);
	} else if (backend->profile.learned_at != 0 &&
			backend->profile.learned_at >= probe->began_at) {
		probe->step = PROBE_DONE;
	}
	if (probe->step == PROBE_DONE || config->is_draining || config->mode == MODE_OFF)
		return TICKS_NEVER;
	if (w->now < probe->due)
		return probe->due;
	if (probe->step == PROBE_WAITING)
		probe_again(w, config, probe);
	probe_resolve(w, config, probe);
	return probe->due;
}

void
probe_work(struct worker *w)
{
	struct prober *prober = &w->prober;
	uint32_t count = snapshot_count(w->snapshot);
	ticks_t pause = w->now + WALK_PAUSE;

	prober->sends = 0;
	for (unsigned n = 0; n < WALK_BACKENDS && prober->cursor < count; n++) {
		ticks_t due = probe_backend(w, snapshot_at(w->snapshot, prober->cursor++));

		prober->soonest = due < prober->soonest ? due : prober->soonest;
		if (prober->sends >= WALK_SENDS)
			break;
	}
	prober->due = pause;
	if (prober->cursor < count)
		return;
	prober->due = prober->soonest > pause ? prober->soonest : pause;
	prober->cursor = 0;
	prober->soonest = TICKS_NEVER;
}

static bool
is_ours(const struct probe_end *end, const union ip_addr *address)
{
	return probe_end_has(&end->source) && ip_addr_is_equal(&end->source, address);
}

void
probe_neighbour(struct worker *w, struct pkt *pkt)
{
	const struct probe_config *config = snapshot_probe(w->snapshot);
	struct neighbour neighbour;
	enum neighbour_kind kind;

	if (pkt->tuple.vlan != probe_config_vlan(config))
		return;
	kind = neighbour_parse(pkt, &neighbour);
	if (kind == NEIGHBOUR_QUESTION) {
		if ((is_ours(&config->ip4, &neighbour.target) ||
				    is_ours(&config->ip6, &neighbour.target)) &&
				neighbour_answer(pkt, w->env.server_mac))
			pkt->reason = REASON_probe_neighbour;
		return;
	}
	if (kind == NEIGHBOUR_NONE ||
			(!is_ours(&config->ip4, &neighbour.destination) &&
					!is_ours(&config->ip6, &neighbour.destination)))
		return;
	if (!hops_answer(w->env.hops, hops_place(&w->prober.key, &neighbour.target), neighbour.mac))
		return;
	pkt->reason = REASON_probe_resolved;
}

/* True for the tuple of a probe that could be out; its VLAN is in the hash. */
static bool
is_probe(const struct worker *w, const struct tuple *tuple)
{
	const struct probe_config *config = snapshot_probe(w->snapshot);

	return w->prober.is_on && tuple->client_port >= PROBE_PORT_FIRST &&
	       is_ours(probe_config_end(config, tuple->family), &tuple->client);
}

static enum reason
take_syn_ack(struct worker *w, const struct backend_config *config, struct pkt *pkt, uint64_t mac)
{
	struct tcp_opt_syn offer = probe_offer(w, &pkt->tuple, mac);
	struct backend *backend = worker_backend(w, config);
	struct pkt_build reset = {
			.to = SIDE_BACKEND,
			.seq = pkt->ack,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT,
	};

	if (pkt->opt.has_timestamp && pkt->opt.tsecr != offer.tsval)
		return REASON_NONE;
	backend_profile_learn(&backend->profile, config, &offer, pkt, w->now);
	backend->probe.answers++;
	backend->probe.answered_at = w->now;
	backend->probe.is_out = false;
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_probe_answered;
}

enum reason
probe_answer(struct worker *w, const struct backend_config *config, struct pkt *pkt)
{
	uint64_t mac;

	if (LIKELY(!is_probe(w, &pkt->tuple)))
		return REASON_NONE;
	mac = probe_mac(w, &pkt->tuple);
	if (!(pkt->flags & TCP_ACK) || pkt->ack != (uint32_t)mac + 1)
		return REASON_NONE;
	if (pkt->flags & TCP_RST) {
		probe_fail(&worker_backend(w, config)->probe);
		return REASON_probe_refused;
	}
	return pkt->flags & TCP_SYN ? take_syn_ack(w, config, pkt, mac) : REASON_NONE;
}

bool
probe_expects(const struct worker *w, const struct pkt *pkt)
{
	uint32_t isn;

	if (LIKELY(!is_probe(w, &pkt->tuple)))
		return false;
	isn = (uint32_t)probe_mac(w, &pkt->tuple);
	if (pkt->kind == PKT_ICMP_ERROR)
		return pkt->seq == isn;
	return pkt->flags & TCP_ACK && pkt->ack == isn + 1;
}

enum reason
probe_unreachable(struct worker *w, const struct pkt *pkt)
{
	const struct backend_config *config;

	if (pkt->from != SIDE_BACKEND || !is_probe(w, &pkt->tuple) ||
			pkt->seq != (uint32_t)probe_mac(w, &pkt->tuple))
		return REASON_NONE;
	config = snapshot_find(w->snapshot, &pkt->tuple.backend, pkt->tuple.backend_port);
	if (config == NULL)
		return REASON_NONE;
	probe_fail(&worker_backend(w, config)->probe);
	return REASON_probe_unreachable;
}
