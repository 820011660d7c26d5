/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst in stages: parse and judge all packets, look all of them up, splice, then the
 * handshakes in order of arrival, then all SYNs together. Each stage starts loading what the next
 * one will read. Splicing goes first, so that a flood delays no established connection.
 *
 * A look-up is good as long as nothing was inserted or removed since (worker.changes); after that
 * each later packet of the burst looks again. So two packets of one client in one burst, its proof
 * and its data, find each other.
 */
#include "base/seq.h"
#include "net/fragment.h"
#include "net/pkt_read.h"
#include "proxy/ack_flood.h"
#include "proxy/bypass.h"
#include "proxy/connect.h"
#include "proxy/exempt.h"
#include "proxy/handshake.h"
#include "proxy/icmp_error.h"
#include "proxy/lone.h"
#include "proxy/probe.h"
#include "proxy/sample.h"
#include "proxy/screen.h"
#include "proxy/splice.h"
#include "proxy/syn.h"
#include "proxy/unknown.h"
#include "proxy/worker_impl.h"

/* Packets of one burst that wait for the same stage. */
struct task_list {
	unsigned count;
	unsigned acks; /* those of them that pkt_read() found to be clients' ACKs */
	struct task tasks[BURST_MAX];
	struct flow_query queries[BURST_MAX]; /* the same packets, of those that are looked up */
};

/* Packets that are read together while the headers of as many more are loaded. */
#define READ_TOGETHER PKT_READ_LANES
#define READ_TOGETHER_LEAST 4 /* fewer are read as quickly one by one */
#define GROUP_ALL ((1u << READ_TOGETHER) - 1)

/* Packets between the one whose headers are loaded and the one that is read alone. */
#define PREFETCH_AHEAD 8

static PREFETCHING void
prefetch_packet(const struct pkt *pkt)
{
	burst_prefetch(pkt->data, pkt->len);
}

/* How many of the packets from the first on are read together. */
static inline unsigned
read_count(const struct burst *burst, unsigned first)
{
	if (first >= burst->count)
		return 0;
	return burst->count - first < READ_TOGETHER ? burst->count - first : READ_TOGETHER;
}

static PREFETCHING void
prefetch_packets(const struct burst *burst, unsigned first)
{
	const unsigned count = read_count(burst, first);

	for (unsigned i = first; i < first + count; i++)
		burst_prefetch_headers(burst->pkts[i].data);
}

static PREFETCHING void
prefetch_first(const struct burst *burst)
{
	for (unsigned i = 0; i < burst->count && i < PREFETCH_AHEAD; i++)
		prefetch_packet(&burst->pkts[i]);
}

static inline bool
is_client_syn(const struct pkt *pkt, enum side from)
{
	return from == SIDE_CLIENT && pkt->kind == PKT_TCP &&
	       (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Not even where fragments pass may they carry what a proof must come before. */
static enum reason
fragment_reason(struct worker *w, const struct pkt *pkt, enum side from)
{
	if (exempt_take_fragment(w, pkt))
		return REASON_pass_exempt;
	switch (snapshot_address(w->snapshot, &pkt->tuple.backend)) {
	case ADDRESS_FOREIGN:
		return REASON_pass_not_protected;
	case ADDRESS_UNPROTECTED:
		return REASON_fragment_passed;
	case ADDRESS_FRAGMENTS_DROP:
		return REASON_fragment;
	case ADDRESS_FRAGMENTS_PASS:
		break;
	}
	return from == SIDE_CLIENT && pkt->fragment != FRAGMENT_PLAIN ? REASON_fragment_unsafe
								      : REASON_fragment_passed;
}

/* Clients' sound SYNs in a row, which are looked up among the half-open clients. */
static inline void
syns_add(const struct worker *w, struct pkt *pkts, unsigned count,
		const struct backend_config *config, struct task_list *syns)
{
	struct task *tasks = &syns->tasks[syns->count];
	const bool is_queue_empty = syn_queue_is_empty(&w->syns);

	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = &pkts[i];
		const uint32_t hash = flow_table_hash(&w->flows, &pkt->tuple);

		pkt->hash = hash;
		if (!is_queue_empty)
			flow_table_prefetch(&w->syns.flows, hash);
		tasks[i] = (struct task){.pkt = pkt, .config = config};
	}
	syns->count += count;
}

/* Anything else that is sound, in a row, which is looked up among the connections. */
static inline void
sound_add(const struct worker *w, struct pkt *pkts, unsigned count,
		const struct backend_config *config, struct task_list *sound)
{
	struct task *tasks = &sound->tasks[sound->count];
	struct flow_query *queries = &sound->queries[sound->count];

	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = &pkts[i];
		const uint32_t hash = flow_table_hash(&w->flows, &pkt->tuple);

		pkt->hash = hash;
		flow_table_prefetch(&w->flows, hash);
		queries[i].tuple = &pkt->tuple;
		queries[i].hash = hash;
		tasks[i] = (struct task){.pkt = pkt, .config = config};
	}
	sound->count += count;
}

/* The lists that a burst's packets are put on. */
struct judged {
	struct task_list sound; /* looked up among the connections */
	struct task_list syns;	/* clients', looked up among the half-open */
	struct task_list open;	/* for backends that are not protected */
	unsigned spliced;	/* of the sound ones, already; not on any other list */
};

static_assert(MODE_PROTECT == 0, "nothing special is 0");

/* What passes as it is for its source's sake, and has its reason then, or may for its backend's
 * mode. */
static __attribute__((noinline)) bool
take_untouched(struct worker *w, const struct backend_config *config, struct pkt *pkt,
		struct task_list *open)
{
	if (config->exempt_count > 0 && exempt_take(w, config, pkt)) {
		pkt->reason = REASON_pass_exempt;
		return true;
	}
	if (config->mode == MODE_PROTECT)
		return false;
	bypass_prepare(w, config, pkt);
	open->tasks[open->count++] = (struct task){.pkt = pkt, .config = config};
	return true;
}

/* A packet for a backend, which goes on if it is sound: a client's SYN, which is looked up
 * among the half-open clients, or anything else, which is among the connections. */
static inline void
judge_sound(struct worker *w, struct pkt *pkt, enum side from, const struct backend_config *config,
		struct judged *judged)
{
	if (LIKELY(pkt->kind == PKT_TCP))
		pkt->reason = (uint8_t)pkt_check(w->env.kernel, pkt);
	if (pkt->reason != REASON_NONE)
		return;
	if (is_client_syn(pkt, from))
		syns_add(w, pkt, 1, config, &judged->syns);
	else
		sound_add(w, pkt, 1, config, &judged->sound);
}

/* Judges one packet. */
static void
stage_judge(struct worker *w, struct pkt *pkt, enum side from, const struct backend_config **last,
		struct judged *judged)
{
	const struct backend_config *config;

	switch (pkt->kind) {
	case PKT_TCP:
	case PKT_ICMP_ERROR:
		break;
	case PKT_FRAGMENT:
		pkt->reason = (uint8_t)fragment_reason(w, pkt, from);
		return;
	default:
		if (UNLIKELY(w->prober.is_on) && from == SIDE_BACKEND)
			probe_neighbour(w, pkt);
		return;
	}

	config = snapshot_find_again(
			w->snapshot, *last, &pkt->tuple.backend, pkt->tuple.backend_port);
	if (config == NULL) {
		pkt->reason = REASON_pass_not_protected;
		return;
	}
	*last = config;
	/* One question for both. */
	if (UNLIKELY((config->exempt_count | config->mode) != 0) &&
			take_untouched(w, config, pkt, &judged->open))
		return;
	judge_sound(w, pkt, from, config, judged);
}

/* What belongs to nothing that Sluice began passes; the rest goes on. Returns how many of what
 * passed are SYNs that are judged as if they were answered. */
static unsigned
stage_open(struct worker *w, struct judged *judged, enum side from)
{
	struct task *tasks = judged->open.tasks;
	unsigned count, syns = 0;

	for (unsigned i = 0; i < judged->open.count; i++)
		syns += tasks[i].config->mode == MODE_MONITOR && is_client_syn(tasks[i].pkt, from);
	count = bypass_take(w, tasks, judged->open.count);
	for (unsigned i = 0; i < count; i++)
		judge_sound(w, tasks[i].pkt, from, tasks[i].config, judged);
	return syns > count ? syns - count : 0;
}

/* Of a packet that may have been read before. */
static void
judge_one(struct worker *w, struct pkt *pkt, enum side from, const struct backend_config **last,
		struct judged *judged)
{
	pkt_parse(pkt, from);
	stage_judge(w, pkt, from, last, judged);
}

/* The backend of packets that are alike, if that is all there is to be found out; else NULL. */
static const struct backend_config *
alike_config(const struct worker *w, const struct pkt *pkt, const struct backend_config **last)
{
	const struct backend_config *config = snapshot_find_again(
			w->snapshot, *last, &pkt->tuple.backend, pkt->tuple.backend_port);

	if (config == NULL || config->exempt_count > 0 || config->mode != MODE_PROTECT)
		return NULL;
	*last = config;
	return config;
}

/* A group of what pkt_read() has read: a flood's packets the short way, which ends as
 * stage_judge() would with each. */
static void
stage_judge_group(struct worker *w, struct burst *burst, unsigned first, const struct alike *alike,
		const struct backend_config **last, struct judged *judged)
{
	const unsigned end = first + read_count(burst, first);
	const struct backend_config *config = NULL;
	uint32_t are_syns = alike->syns >> first & GROUP_ALL;
	uint32_t are_acks = alike->acks >> first & GROUP_ALL;

	if ((are_syns | are_acks) != 0)
		config = alike_config(w,
				&burst->pkts[first + (unsigned)__builtin_ctz(are_syns | are_acks)],
				last);
	if (config == NULL)
		are_syns = are_acks = 0;
	for (unsigned i = first, row; i < end; i += row, are_syns >>= row, are_acks >>= row) {
		struct pkt *pkts = &burst->pkts[i];

		row = 1;
		if (LIKELY(are_syns & 1)) {
			row = (unsigned)__builtin_ctz(~are_syns);
			syns_add(w, pkts, row, config, &judged->syns);
		} else if (LIKELY(are_acks & 1)) {
			row = (unsigned)__builtin_ctz(~are_acks);
			sound_add(w, pkts, row, config, &judged->sound);
			judged->sound.acks += burst->from == SIDE_CLIENT ? row : 0;
		} else {
			judge_one(w, pkts, burst->from, last, judged);
		}
	}
}

/* Starts loading what the look-ups of many backends would wait for one after the other. */
static void
stage_many_backends(const struct worker *w, const struct burst *burst)
{
	uint64_t hashes[BURST_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		const struct tuple *tuple = &burst->pkts[i].tuple;

		if (burst->pkts[i].kind == PKT_TCP)
			hashes[n++] = snapshot_prefetch_cell(
					w->snapshot, &tuple->backend, tuple->backend_port);
	}
	for (unsigned i = 0; i < n; i++) {
		const int slot = snapshot_prefetch_config(w->snapshot, hashes[i]);

		if (slot < 0)
			continue;
		__builtin_prefetch(&w->env.shared[slot]);
		__builtin_prefetch(&w->backends[slot]);
		__builtin_prefetch(&w->backend_counters[slot], 1);
	}
}

static struct alike
read_together(const struct worker *w, struct burst *burst)
{
	const enum kernel kernel =
			w->reading[burst->from] == READING_TOGETHER ? w->env.kernel : KERNEL_SCALAR;
	struct alike alike = {0};

	prefetch_packets(burst, 0);
	for (unsigned first = 0; first < burst->count; first += READ_TOGETHER) {
		prefetch_packets(burst, first + READ_TOGETHER);
		const struct pkt_alike group = pkt_read(
				kernel, &burst->pkts[first], read_count(burst, first), burst->from);

		alike.syns |= (uint32_t)group.syns << first;
		alike.acks |= (uint32_t)group.acks << first;
	}
	return alike;
}

/* A client's packet alone where those before proved nothing. */
static inline bool
is_lone(const struct worker *w, const struct burst *burst)
{
	/* In this order, or both members of burst were loaded as one, which waits for the caller's
	 * two stores. */
	return burst->count == 1 && w->reading[SIDE_CLIENT] == READING_TOGETHER &&
	       burst->from == SIDE_CLIENT;
}

void
sluice_read(struct worker *w, struct burst *burst)
{
	w->alike = (struct alike){0};
	if (is_lone(w, burst))
		pkt_read_lone(w->env.kernel, &burst->pkts[0], burst->from);
	else if (w->reading[burst->from] == READING_SEGMENTS)
		w->alike.acks = pkt_read_segments(
				w->env.kernel, burst->pkts, burst->count, burst->from);
	else
		w->alike = read_together(w, burst);
}

void
sluice_read_others(struct worker *w)
{
	w->alike = (struct alike){0};
}

/* Reads the whole burst, before any of it is judged, unless that has been done. */
static struct alike
stage_read(struct worker *w, struct burst *burst)
{
	struct alike alike = {0};

	if (burst->count > 0 && burst->pkts[0].kind == PKT_UNPARSED)
		alike = read_together(w, burst);
	else
		alike = w->alike;
	w->alike = (struct alike){0};
	if (UNLIKELY(snapshot_is_large(w->snapshot)))
		stage_many_backends(w, burst);
	return alike;
}

/* Reads and judges a burst whose packets had better be read one by one. */
static void
stage_judge_each(struct worker *w, struct burst *burst, struct judged *judged)
{
	const struct backend_config *last = NULL;

	prefetch_first(burst);
	for (unsigned i = 0; i < burst->count; i++) {
		if (i + PREFETCH_AHEAD < burst->count && burst->pkts[i].kind == PKT_UNPARSED)
			prefetch_packet(&burst->pkts[i + PREFETCH_AHEAD]);
		judge_one(w, &burst->pkts[i], burst->from, &last, judged);
	}
}

/* The backend of a burst that is nothing but clients' ACKs for it, as far as stage_judge() would be
 * done with them; else NULL. */
static const struct backend_config *
all_acks_config(const struct worker *w, const struct burst *burst, const struct alike *alike)
{
	const struct tuple *tuple = &burst->pkts[0].tuple;
	const struct backend_config *config = NULL;

	if (burst->from != SIDE_CLIENT || alike->acks == 0 ||
			alike->acks != (UINT64_C(1) << burst->count) - 1)
		return NULL;
	for (unsigned first = READ_TOGETHER; first < burst->count; first += READ_TOGETHER) {
		const struct tuple *other = &burst->pkts[first].tuple;

		if (other->backend_port != tuple->backend_port ||
				!ip_addr_is_equal(&other->backend, &tuple->backend))
			return NULL;
	}
	return alike_config(w, &burst->pkts[0], &config);
}
static_assert(BURST_MAX == 32, "a bit for each");

/* The same together. True: there is no more to be done with any. */
static bool
stage_judge_all(struct worker *w, struct burst *burst, struct judged *judged)
{
	const struct alike alike = stage_read(w, burst);
	const struct backend_config *last = all_acks_config(w, burst, &alike);

	if (last != NULL && ack_flood_take(w, burst, last))
		return true;
	for (unsigned first = 0; first < burst->count; first += READ_TOGETHER)
		stage_judge_group(w, burst, first, &alike, &last, judged);
	return false;
}

/* Packets in a row that are read as segments while the same number is loaded. */
#define SEGMENTS_READ 16

/* The same where most are segments of connections. is_loaded: their frames have come already. */
static void
stage_judge_segments(struct worker *w, struct burst *burst, bool is_loaded, struct judged *judged)
{
	const struct backend_config *last = NULL;
	struct alike alike = {0};
	unsigned count;

	if (burst->count > 0 && burst->pkts[0].kind != PKT_UNPARSED)
		alike = w->alike;
	w->alike = (struct alike){0};
	for (unsigned i = 0; !is_loaded && i < burst->count && i < SEGMENTS_READ; i++)
		prefetch_packet(&burst->pkts[i]);
	for (unsigned first = 0; first < burst->count; first += count) {
		count = burst->count - first < SEGMENTS_READ ? burst->count - first : SEGMENTS_READ;
		for (unsigned i = first + count; !is_loaded && i < burst->count; i++)
			prefetch_packet(&burst->pkts[i]);
		alike.acks |= pkt_read_segments(w->env.kernel, &burst->pkts[first], count,
					      burst->from)
			      << first;
	}
	for (unsigned first = 0; first < burst->count; first += READ_TOGETHER)
		stage_judge_group(w, burst, first, &alike, &last, judged);
}

/* The next burst's frames are loaded into L2 at once; segments then from there while those of this
 * burst are translated. */
static bool
stage_load_ahead(struct worker *w, struct burst *burst)
{
	const bool is_loaded = burst->count > 0 && burst->pkts[0].data == w->loaded[burst->from];
	const bool is_late = w->reading[burst->from] == READING_SEGMENTS;

	w->loaded[burst->from] = is_late && burst->ahead_count > 0 ? burst->ahead[0].data : NULL;
	w->ahead = burst->ahead;
	w->ahead_end = burst->ahead + burst->ahead_count;
	burst->ahead_count = 0;
	for (const struct burst_ahead *a = w->ahead; is_late && a < w->ahead_end; a++)
		burst_prefetch_segment_ahead(a->data, a->len);
	for (; !is_late && w->ahead < w->ahead_end; w->ahead++)
		burst_prefetch_ahead(w->ahead->data);
	return is_loaded;
}

/*
 * Reading together pays for what a flood is made of. Segments that are spliced have payload, whose
 * sum is no shorter, and many layouts of options, but one shape; what passes needs no sum at all.
 * So the burst before says how to read the next one; it makes no difference to what becomes of it.
 */
static inline void
note_kind(struct worker *w, const struct burst *burst, unsigned unproved, unsigned spliced)
{
	enum reading reading = READING_ALONE;

	if (2 * unproved > burst->count)
		reading = READING_TOGETHER;
	else if (2 * spliced > burst->count && w->env.kernel == KERNEL_AVX512)
		reading = READING_SEGMENTS;
	w->reading[burst->from] = (uint8_t)reading;
}

/* Starts loading what a step of a handshake will need. */
static PREFETCHING void
prefetch_step(const struct worker *w, const struct pkt *pkt)
{
	if (pkt->conn != FLOW_NONE) {
		const uint8_t *setup = (const uint8_t *)&w->setups[pkt->conn];

		__builtin_prefetch(setup, 1);
		__builtin_prefetch(setup + sizeof(struct conn_setup) - 1, 1);
	} else if (!syn_queue_is_empty(&w->syns)) {
		flow_table_prefetch(&w->syns.flows, pkt->hash);
	}
}

/* Splices common segments from the first packet on while their look-up is but guessed: nearly all
 * guesses are right, and the splice itself looks at the tuple beside everything else. Returns how
 * many packets are done with. */
static unsigned
stage_guess(struct worker *w, const struct task_list *sound, enum side from)
{
	unsigned count;

	for (count = 0; count < sound->count; count++) {
		struct pkt *pkt = sound->tasks[count].pkt;
		const uint32_t guess = sound->queries[count].handle;

		if (UNLIKELY(guess == FLOW_NONE) || UNLIKELY(pkt->kind != PKT_TCP))
			break;
		pkt->conn = guess;
	}
	return splice_guessed(w, sound->tasks, count, from);
}

/* Sorts what has been looked up, from first on: spliced, or a step of a handshake. */
static void
stage_classify(struct worker *w, const struct task_list *sound, unsigned first,
		struct task_list *spliced, struct task_list *steps)
{
	for (unsigned i = first; i < sound->count; i++) {
		struct pkt *pkt = sound->tasks[i].pkt;

		pkt->conn = sound->queries[i].handle;
		if (UNLIKELY(pkt->kind == PKT_ICMP_ERROR)) {
			pkt->reason = (uint8_t)icmp_error_take(w, pkt);
		} else if (pkt->conn != FLOW_NONE &&
				worker_conn(w, pkt->conn)->state >= CONN_ESTABLISHED) {
			spliced->tasks[spliced->count++] = sound->tasks[i];
		} else {
			prefetch_step(w, pkt);
			steps->tasks[steps->count++] = sound->tasks[i];
		}
	}
}

/* What spliced segments end as is seen from their connection; the others are remembered here. */
static void
note_recent(struct worker *w, const struct task_list *list)
{
	const ticks_t now = w->now; /* so that it is converted once */

	for (unsigned i = 0; i < list->count; i++) {
		const struct pkt *pkt = list->tasks[i].pkt;

		recent_note(&w->recent, pkt->hash, (enum reason)pkt->reason, now);
	}
}

/* The same of forged ACKs. */
static void
note_refused(struct worker *w, const struct task_list *sound)
{
	const ticks_t now = w->now;

	for (unsigned i = 0; i < sound->count; i++)
		recent_note(&w->recent, sound->queries[i].hash, REASON_ack_cookie_invalid, now);
}

/* Looks up, and sorts; but what a flood of forged ACKs is made of is refused on the spot, unsorted,
 * and so are common segments spliced. Returns how many of the former there were. */
static unsigned
stage_sort(struct worker *w, struct judged *judged, enum side from, struct task_list *spliced,
		struct task_list *steps)
{
	struct task_list *sound = &judged->sound;
	unsigned found = 0, done = 0;

	if (sound->count == 0)
		return 0;
	if (flow_table_guess_all(&w->flows, sound->queries, sound->count) > 0) {
		if (w->reading[from] == READING_SEGMENTS)
			done = stage_guess(w, sound, from);
		found = done + flow_table_confirm_all(&w->flows, &sound->queries[done],
					       sound->count - done);
	}
	judged->spliced = done;
	if (found == 0 && sound->acks == sound->count && LIKELY(!w->denies) &&
			ack_flood_refuse(w, sound->tasks, sound->count)) {
		note_refused(w, sound);
		return sound->count;
	}
	stage_classify(w, sound, done, spliced, steps);
	return 0;
}

/*
 * A client that reuses its tuple shows it by an ACK that is not the old connection's. The ACK that
 * opened the old one, arriving again, is: its cookie may still be valid, but proves nothing new.
 */
static bool
client_is_new(const struct worker *w, const struct task *task, struct proof *proof)
{
	const struct pkt *pkt = task->pkt;
	const struct conn *conn = worker_conn(w, pkt->conn);

	if (pkt->flags & (TCP_SYN | TCP_RST))
		return false;
	if (conn->state >= CONN_ESTABLISHED && LIKELY(splice_owns(conn, pkt)))
		return false;
	if (pkt->ack == w->setups[pkt->conn].iss + 1)
		return false;
	return handshake_check(w, task, proof) == PROOF_VALID;
}

static enum reason
client_step(struct worker *w, const struct task *task)
{
	struct pkt *pkt = task->pkt;
	struct proof proof;

	if (pkt->conn == FLOW_NONE)
		return unknown_from_client(w, task);
	if (UNLIKELY(client_is_new(w, task, &proof))) {
		/* Was left out before, for the old connection's sake, which goes on. */
		if (screen_denies(w, task->config, &pkt->tuple))
			return REASON_stray_denied;
		conn_abandon(w, pkt->conn);
		return handshake_admit(w, task, &proof);
	}
	if (worker_conn(w, pkt->conn)->state < CONN_ESTABLISHED)
		return connect_client(w, pkt->conn, pkt);
	return splice_segment(w, pkt->conn, pkt, SIDE_CLIENT);
}

static enum reason
backend_step(struct worker *w, const struct task *task)
{
	struct pkt *pkt = task->pkt;

	if (pkt->conn == FLOW_NONE)
		return unknown_from_backend(w, task);
	if (worker_conn(w, pkt->conn)->state < CONN_ESTABLISHED)
		return connect_answer(w, pkt->conn, pkt, task->config);
	return splice_segment(w, pkt->conn, pkt, SIDE_BACKEND);
}

static void
take_step(struct worker *w, struct task *task, enum side from, uint32_t changes)
{
	struct pkt *pkt = task->pkt;

	if (w->changes != changes) {
		pkt->conn = flow_table_find(&w->flows, pkt->hash, &pkt->tuple);
		task->has_looked = false;
	}
	pkt->reason = (uint8_t)(from == SIDE_CLIENT ? client_step(w, task) : backend_step(w, task));
}

static void
stage_splice(struct worker *w, struct task_list *list, enum side from, uint32_t changes)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (LIKELY(w->changes == changes))
			i += splice_common(w, &list->tasks[i], list->count - i, from);
		if (i < list->count)
			take_step(w, &list->tasks[i], from, changes);
	}
}

/* As many tasks from here on, of one backend, as are ACKs of a flood; counted at one go. */
static unsigned
take_refused(struct worker *w, const struct task *tasks, unsigned count)
{
	const struct backend_config *config = tasks[0].config;
	unsigned n = 0;

	while (n < count && handshake_is_refused(&tasks[n]) && tasks[n].config == config)
		tasks[n++].pkt->reason = REASON_ack_cookie_invalid;
	if (n > 0)
		worker_count(w, config->slot, COUNTER_SyncookiesFailed, n);
	return n;
}

static void
stage_steps(struct worker *w, struct task_list *list, enum side from, uint32_t changes)
{
	if (from == SIDE_CLIENT)
		handshake_look(w, list->tasks, list->count);
	for (unsigned i = 0; i < list->count; i++) {
		if (w->changes == changes)
			i += take_refused(w, &list->tasks[i], list->count - i);
		if (i < list->count)
			take_step(w, &list->tasks[i], from, changes);
	}
}

static void
count_reasons(struct worker *w, const struct burst *burst)
{
	counter_add(&w->counters.received[burst->from], burst->count);
	/* Packets of one reason come in rows; one addition each. */
	for (unsigned i = 0, row; i < burst->count; i += row) {
		uint8_t reason = burst->pkts[i].reason;

		ENSURE(reason != REASON_NONE && reason < REASON_COUNT);
		row = 1;
		while (i + row < burst->count && burst->pkts[i + row].reason == reason)
			row++;
		counter_add(&w->counters.reasons[reason], row);
	}
}

static void
check_sums(const struct worker *w)
{
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += w->counters.reasons[reason];
	ENSURE(sum == w->counters.received[SIDE_CLIENT] + w->counters.received[SIDE_BACKEND]);
}

/* Counts them, too. */
static void
take_burst(struct worker *w, struct burst *burst, bool is_loaded)
{
	struct judged judged;
	struct task_list spliced, steps;
	uint32_t changes = w->changes;
	unsigned unproved = 0;

	judged.sound.count = 0;
	judged.sound.acks = 0;
	judged.syns.count = 0;
	judged.open.count = 0;
	judged.spliced = 0;
	spliced.count = 0;
	steps.count = 0;
	if ((w->reading[burst->from] == READING_TOGETHER && burst->count >= READ_TOGETHER_LEAST) ||
			UNLIKELY(snapshot_is_large(w->snapshot))) {
		if (stage_judge_all(w, burst, &judged))
			return;
	} else if (w->reading[burst->from] == READING_SEGMENTS) {
		stage_judge_segments(w, burst, is_loaded, &judged);
	} else {
		stage_judge_each(w, burst, &judged);
	}
	if (UNLIKELY(judged.open.count > 0))
		unproved = stage_open(w, &judged, burst->from);
	unproved += stage_sort(w, &judged, burst->from, &spliced, &steps);
	note_kind(w, burst, judged.syns.count + steps.count + unproved,
			judged.spliced + spliced.count);
	/* What the operator doesn't want goes no further than this, and SYNs not further than
	 * below, so that the last word on a tuple is that on its SYN. */
	if (UNLIKELY(w->denies) && burst->from == SIDE_CLIENT)
		steps.count = screen_strays(w, steps.tasks, steps.count);
	stage_splice(w, &spliced, burst->from, changes);
	while (w->ahead < w->ahead_end)
		worker_load_ahead(w);
	if (steps.count > 0) {
		stage_steps(w, &steps, burst->from, changes);
		note_recent(w, &steps);
	}
	if (UNLIKELY(w->screens))
		judged.syns.count = screen_syns(w, judged.syns.tasks, judged.syns.count);
	if (judged.syns.count > 0) {
		syn_answer_all(w, judged.syns.tasks, judged.syns.count);
		sample_syns(w, judged.syns.tasks, judged.syns.count);
		note_recent(w, &judged.syns);
	}
	count_reasons(w, burst);
}

void
sluice_burst(struct worker *w, struct burst *burst, ticks_t now)
{
	bool is_loaded;

	worker_enter(w, now);
	is_loaded = stage_load_ahead(w, burst);
	if (!is_lone(w, burst) || !lone_take(w, &burst->pkts[0]))
		take_burst(w, burst, is_loaded);
	if (SLUICE_TEST_CHECKS)
		check_sums(w);
}
