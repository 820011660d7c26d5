/* SPDX-License-Identifier: BSD-3-Clause */
#include "checker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Cookies are good for 64 s at least; the answer may have been under way for a second. */
#define COOKIE_LIFE (63 * TICKS_PER_S)

/* Repeated SYN-ACKs that outlast every ACK that a client loses on purpose. */
#define RETRIES_ENOUGH 2

/* No backend has more, and none is configured so. */
#define ANNOUNCED_MSS_MAX 1460

void
checker_init(struct checker *checker, const struct plan *plan, struct clock *clock,
		struct trace *trace)
{
	*checker = (struct checker){.plan = plan, .clock = clock, .trace = trace};
}

void
checker_fini(struct checker *checker)
{
	egress_watch_fini(&checker->egress);
}

void
checker_fault(struct checker *checker, int client, const char *text)
{
	if (checker->has_failed)
		return;
	checker->has_failed = true;
	if (client < 0)
		snprintf(checker->text, sizeof(checker->text), "%s", text);
	else
		snprintf(checker->text, sizeof(checker->text), "client %d, port %u: %s", client,
				checker->rounds[client].port, text);
	trace_note(checker->trace, checker->clock->now, checker->text);
}

static void
round_overdue(void *context, void *subject)
{
	struct checker *checker = context;
	uintptr_t number = (uintptr_t)subject;
	unsigned client = (unsigned)(number % CLIENTS_MAX);
	struct round *round = &checker->rounds[client];

	if (round->is_under_way && round->number == number / CLIENTS_MAX)
		checker_fault(checker, (int)client, "no end after all that time");
}

void
checker_begin(struct checker *checker, unsigned client, uint16_t port, uint32_t isn)
{
	struct round *round = &checker->rounds[client];
	struct round next = {
			.number = round->number + 1,
			.is_under_way = true,
			.port = port,
			.isn = isn,
			.proof_count = round->proof_count,
	};

	memcpy(next.proofs, round->proofs, sizeof(next.proofs));
	*round = next;
	clock_at(checker->clock,
			checker->clock->now + (checker->plan->world == WORLD_LOSSY ? ROUND_LOSSY_MAX
										   : ROUND_MAX),
			round_overdue, checker,
			(void *)(uintptr_t)(round->number * CLIENTS_MAX + client));
}

void
checker_proved(struct checker *checker, unsigned client, const struct endpoint *endpoint)
{
	struct round *round = &checker->rounds[client];

	round->is_proved = true;
	round->iss = endpoint->irs;
	round->has_timestamps = endpoint->timestamps;
	round->proved_at = checker->clock->now;
	round->proofs[round->proof_count++ % PROOFS_MAX] = round->isn;
	if (endpoint->window != 0 &&
			!plan_may_hold(checker->plan, checker->plan->client[client].slot))
		checker_fault(checker, (int)client, "SYN-ACK with a window above 0");
	if (endpoint->window > 2 * ANNOUNCED_MSS_MAX)
		checker_fault(checker, (int)client, "SYN-ACK with a window above two segments");
}

static bool
is_proved(const struct round *round, uint32_t isn)
{
	for (unsigned i = 0; i < PROOFS_MAX && i < round->proof_count; i++)
		if (round->proofs[i] == isn)
			return true;
	return false;
}

/* The RST for an old socket at the backend and the SYN behind it may overtake each other. */
static bool
met_stubborn_socket(const struct checker *checker, unsigned client)
{
	return checker->rounds[client].old_sockets >= 2 &&
	       checker->plan->cables[CABLE_TO_BACKENDS].jitter > 0;
}

static bool
may_be_reset(const struct checker *checker, unsigned client, const struct dialogue *dialogue)
{
	const struct plan *plan = checker->plan;

	return dialogue->end == END_ABORT_BY_BACKEND || !plan->is_clean || plan_ever_aborts(plan) ||
	       checker->lucky_shots > 0 || checker->rounds[client].was_flushed ||
	       checker->rounds[client].was_stray || met_stubborn_socket(checker, client) ||
	       plan->backends[plan->client[client].slot].mood != MOOD_NORMAL;
}

/* The SYN-ACK that opened the client's connection, if Sluice sent it. */
static const struct answer *
answer_of(const struct round *round)
{
	for (unsigned i = 0; i < round->answer_count && i < ANSWERS_MAX; i++)
		if (round->answers[i].iss == round->iss)
			return &round->answers[i];
	return NULL;
}

/* A backend that answers late is asked again, and may have aborted when it hears that. */
static bool
has_second_socket(const struct checker *checker, const struct round *round,
		const struct application *app)
{
	const struct plan *plan = checker->plan;
	unsigned slot = plan->client[round - checker->rounds].slot;

	return !plan->is_clean && app->dialogue.end == END_ABORT_BY_BACKEND &&
	       plan->backends[slot].mood == MOOD_SLOW;
}

/* The limits listed in checker.h. */
static bool
may_be_silent(const struct checker *checker, const struct round *round,
		const struct application *app)
{
	const struct answer *answer = answer_of(round);
	bool never_expires = checker->plan->is_clean && !checker->has_evicted &&
			     plan_least_retries(checker->plan) >= RETRIES_ENOUGH;

	if (!round->is_proved)
		return round->was_refused;
	if (round->met_overflow || round->was_reset || round->was_flushed || round->was_forgotten)
		return true;
	if (round->was_admitted)
		return has_second_socket(checker, round, app);
	/* The SYN was damaged where no sum covers it; nothing was noted. */
	if (answer == NULL)
		return true;
	if (answer->was_queued && never_expires && !plan_may_withhold(checker->plan))
		return false;
	if (answer->was_queued && !answer->was_cookie)
		return true;
	return !round->has_timestamps &&
	       (app->endpoint.traits.probes_below || app->endpoint.written == 0);
}

static void
check_complete(struct checker *checker, unsigned client, const struct application *app,
		const struct application *server)
{
	if (!application_is_complete(app))
		checker_fault(checker, (int)client, "closed before all was said");
	else if (server == NULL)
		checker_fault(checker, (int)client, "no backend knows of it");
	else if (!application_is_complete(server))
		checker_fault(checker, (int)client, "the backend has not heard all that was said");
}

void
checker_end(struct checker *checker, unsigned client, const struct application *app,
		const struct application *server)
{
	struct round *round = &checker->rounds[client];

	struct dice outcome = {((uint64_t)client << 32) + ((uint64_t)round->number << 8) +
			       app->endpoint.end};

	round->is_under_way = false;
	checker->outcomes += dice_roll(&outcome);
	switch (app->endpoint.end) {
	case ENDED_WELL:
		checker->ends[ROUND_COMPLETE]++;
		checker->unsettled +=
				checker->plan->backends[checker->plan->client[client].slot].mood ==
				MOOD_DYING;
		/* One that was flushed, or reset, and has not heard of it, may have opened a second
		 * one. */
		if (!round->was_flushed && !round->was_reset)
			check_complete(checker, client, app, server);
		break;
	case ENDED_BY_RESET:
		checker->ends[ROUND_RESET]++;
		if (!may_be_reset(checker, client, &app->dialogue))
			checker_fault(checker, (int)client, "reset for no reason");
		break;
	case ENDED_BY_ABORT:
		checker->ends[ROUND_ABORTED]++;
		break;
	default:
		checker->ends[ROUND_SILENT]++;
		if (!may_be_silent(checker, round, app))
			checker_fault(checker, (int)client, "left alone for no documented reason");
		break;
	}
}

void
checker_flushed(struct checker *checker, unsigned slot)
{
	for (unsigned client = 0; client < checker->plan->clients; client++)
		if (checker->plan->client[client].slot == slot)
			checker->rounds[client].was_flushed = true;
}

void
checker_forgotten(struct checker *checker)
{
	for (unsigned client = 0; client < checker->plan->clients; client++) {
		struct round *round = &checker->rounds[client];

		round->was_forgotten |= !round->was_admitted;
		for (unsigned i = 0; i < ANSWERS_MAX; i++)
			round->answers[i].was_cookie = true;
	}
	egress_watch_set(&checker->egress, &checker->version->egress, checker->plan->workers);
}

/* Nothing but a RST reaches a backend from who has not proved itself. */
static void
check_gate(struct checker *checker, const struct packet *packet)
{
	int client = address_client_number(packet->source, packet->ip_version);
	const struct round *round;

	if (packet->flags & PACKET_RST)
		return;
	if (client < 0) {
		checker_fault(checker, -1, "a stranger's packet reached a backend");
		return;
	}
	round = &checker->rounds[client];
	if (round->proof_count == 0)
		checker_fault(checker, client, "reached a backend before its proof");
	else if (packet->flags & PACKET_SYN && packet->payload_length > 0)
		checker_fault(checker, client, "SYN to a backend with data");
	else if (packet->flags & PACKET_SYN && !is_proved(round, packet->seq))
		checker_fault(checker, client,
				"SYN to a backend with an ISN that was never proved");
}

static void
check_sent(struct checker *checker, enum side to, const struct frame *frame)
{
	struct packet packet;
	int client;

	if (!frame_read(frame, &packet)) {
		checker_fault(checker, -1, "sent a packet with a wrong checksum");
		return;
	}
	if (packet.vlan_count != checker->plan->vlans)
		checker_fault(checker, -1, "sent a packet with other VLAN tags");
	if (to == SIDE_BACKEND) {
		check_gate(checker, &packet);
		return;
	}
	client = address_client_number(packet.destination, packet.ip_version);
	if (client >= 0 && packet.flags & PACKET_RST &&
			packet.destination_port == checker->rounds[client].port)
		checker->rounds[client].was_reset = true;
}

void
checker_made(struct checker *checker, enum side to, struct frame *frame)
{
	const struct round *round;
	struct packet packet;
	int client;

	check_sent(checker, to, frame);
	if (to != SIDE_CLIENT || !frame_read(frame, &packet))
		return;
	/* A repeated SYN-ACK is for queue_watch.c, which knows whose it is. */
	if (!(packet.flags & PACKET_SYN) && !egress_watch_is_proved(&checker->egress, &packet))
		checker_fault(checker, -1, "made a packet for who has proved nothing");
	client = address_client_number(packet.destination, packet.ip_version);
	if (client < 0)
		return;
	round = &checker->rounds[client];
	if (packet.flags & PACKET_SYN)
		frame->life = packet.ack - 1;
	else if (round->was_admitted && packet.destination_port == round->port)
		frame->life = round->isn;
}

/* The final ACK, or a probe below it, which proves with timestamps or by an entry. */
static bool
is_proof(const struct round *round, const struct packet *packet)
{
	return round->is_proved && packet->flags & PACKET_ACK &&
	       !(packet->flags & (PACKET_RST | PACKET_SYN)) && packet->ack == round->iss + 1 &&
	       (packet->seq == round->isn + 1 ||
			       (round->has_timestamps && packet->seq == round->isn));
}

/* While the cookie is good, which counts as long as its ACKs are checked for one; or while there
 * is an entry, which even under pressure stays for two repetitions, and leaves its cookie behind
 * when it is flushed. */
static bool
is_good_proof(const struct checker *checker, const struct round *round, const struct packet *packet,
		enum reason reason)
{
	const struct answer *answer = answer_of(round);
	unsigned retries = plan_least_retries(checker->plan);
	ticks_t entry_life, age;

	if (answer == NULL || !is_proof(round, packet))
		return false;
	if (retries > RETRIES_ENOUGH)
		retries = RETRIES_ENOUGH;
	entry_life = ((UINT64_C(2) << retries) - 1) * TICKS_PER_S;
	age = checker->clock->now - answer->at;
	if (reason == REASON_ack_cookie_invalid || answer->was_cookie)
		return age < COOKIE_LIFE;
	/* Its entry is used up when the proof comes again, or behind a RST of either end. */
	return !round->was_admitted && !round->has_left && !round->was_reset && age < entry_life;
}

static void
note_reason(struct round *round, enum reason reason)
{
	switch (reason) {
	case REASON_ack_connecting:
	case REASON_ack_queued:
	case REASON_ack_connecting_held:
	case REASON_ack_queued_held:
		round->was_admitted = true;
		break;
	case REASON_ack_overflow_dropped:
	case REASON_ack_overflow_reset:
	case REASON_conn_table_full:
		round->met_overflow = true;
		break;
	case REASON_syn_accept_full:
	case REASON_syn_queue_full:
	case REASON_syn_reserved:
	case REASON_syn_draining:
	case REASON_syn_egress_limited:
		round->was_refused = true;
		break;
	case REASON_stray_reset:
		/* Its proof was lost: the end that it would not have got otherwise. */
		round->was_stray = !round->was_admitted;
		break;
	case REASON_syn_queue_reset:
		round->has_left = true;
		break;
	default:
		break;
	}
}

static void
note_answer(struct checker *checker, struct round *round, const struct frame *left,
		enum reason reason)
{
	struct packet packet;
	struct answer *answer = NULL;

	if (!frame_read(left, &packet))
		return;
	for (unsigned i = 0; i < round->answer_count && i < ANSWERS_MAX; i++)
		if (round->answers[i].iss == packet.seq)
			answer = &round->answers[i];
	if (answer == NULL) {
		answer = &round->answers[round->answer_count++ % ANSWERS_MAX];
		*answer = (struct answer){.iss = packet.seq, .at = checker->clock->now};
	}
	if (reason == REASON_syn_cookie_sent)
		answer->was_cookie = true;
	else
		answer->was_queued = true;
}

static void
check_honest_syn(struct checker *checker, unsigned client, const struct frame *left,
		enum reason reason)
{
	switch (reason) {
	case REASON_syn_cookie_sent:
	case REASON_syn_queued:
	case REASON_syn_again:
		note_answer(checker, &checker->rounds[client], left, reason);
		break;
	case REASON_syn_accept_full:
	case REASON_syn_queue_full:
	case REASON_syn_reserved:
	case REASON_syn_draining:
		/* Whether they are true is for queue_watch.c to say. */
		break;
	case REASON_syn_egress_limited:
		if (!plan_may_withhold(checker->plan))
			checker_fault(checker, (int)client, "SYN refused for want of a budget");
		break;
	default:
		checker_fault(checker, (int)client, "SYN neither answered nor refused by a rule");
		break;
	}
}

/* A client that was flushed, or reset, and has not heard of it proves itself again by the cookie of
 * its entry, which may know its window scale less exactly than the backend's socket does. */
static bool
has_other_scale(const struct round *round)
{
	return round->was_flushed || round->was_reset;
}

/* A packet of an honest client's present connection, as the client sent it. */
static void
check_honest_client(struct checker *checker, unsigned client, const struct packet *packet,
		struct frame *left, enum reason reason)
{
	struct round *round = &checker->rounds[client];

	note_reason(round, reason);
	if (packet->flags == PACKET_SYN) {
		check_honest_syn(checker, client, left, reason);
		return;
	}
	if ((reason == REASON_ack_cookie_invalid || reason == REASON_stray_client ||
			    reason == REASON_stray_reset || reason == REASON_stray_reset_limited) &&
			is_good_proof(checker, round, packet, reason))
		checker_fault(checker, (int)client, "good proof refused");
	if (reason != REASON_spliced_outside)
		return;
	/* One not admitted has no numbers yet; an old connection of the tuple sees it outside. */
	if (!round->was_admitted)
		left->life = 0;
	else if (!has_other_scale(round))
		checker_fault(checker, (int)client,
				"honest segment taken for one outside the windows");
}

static void
check_honest(struct checker *checker, enum side from, const struct frame *came, struct frame *left,
		enum reason reason)
{
	struct packet packet;
	int client;

	if (!frame_read(came, &packet)) {
		checker_fault(checker, -1, "the simulator made a packet it can't read");
		return;
	}
	client = address_client_number(from == SIDE_CLIENT ? packet.source : packet.destination,
			packet.ip_version);
	if (client >= 0 && reason == REASON_backend_old_socket)
		checker->rounds[client].old_sockets++;
	if (client < 0 || came->life != checker->rounds[client].isn)
		return;
	if (from == SIDE_CLIENT)
		check_honest_client(checker, (unsigned)client, &packet, left, reason);
	else if (reason == REASON_spliced_outside && !has_other_scale(&checker->rounds[client]))
		checker_fault(checker, client,
				"backend's segment taken for one outside the windows");
}

static void
note_proof(struct checker *checker, const struct frame *came, enum reason reason)
{
	bool proves = reason == REASON_ack_connecting || reason == REASON_ack_queued ||
		      reason == REASON_ack_connecting_held || reason == REASON_ack_queued_held;
	struct packet packet;

	if (proves && frame_read(came, &packet))
		egress_watch_proved(&checker->egress, &packet);
}

void
checker_pay(struct checker *checker, const struct packet *packet, enum side to)
{
	if (!egress_watch_pay(&checker->egress, packet, to, checker->clock->now))
		checker_fault(checker, -1, "more sent unasked than the budgets allow");
}

/* What goes back to where a packet came from. */
static void
check_answer(struct checker *checker, enum side from, const struct frame *came,
		const struct frame *left, enum reason reason)
{
	bool fits = egress_watch_fits(left->length, came->length);
	struct packet answer;

	if (!frame_read(left, &answer))
		return;
	if (reason == REASON_stray_reset)
		checker_pay(checker, &answer, from);
	if (fits || from == SIDE_BACKEND)
		return;
	if (answer.flags & PACKET_SYN)
		checker_pay(checker, &answer, from);
	else
		checker_fault(checker, -1, "answer longer than what it answers");
}

static void
check_forwarded(struct checker *checker, enum side from, const struct frame *left)
{
	struct packet packet;

	if (from == SIDE_BACKEND && frame_read(left, &packet) &&
			!egress_watch_is_proved(&checker->egress, &packet))
		checker_fault(checker, -1, "a backend's packet reached who has proved nothing");
}

/* One in an honest client's name, with its numbers: the reset is its own. */
static void
note_stray(struct checker *checker, const struct frame *came)
{
	struct packet packet;
	int client;

	if (!frame_read(came, &packet))
		return;
	client = address_client_number(packet.source, packet.ip_version);
	if (client >= 0 && packet.source_port == checker->rounds[client].port)
		checker->rounds[client].was_stray = true;
}

void
checker_taken(struct checker *checker, enum side from, const struct frame *came, struct frame *left,
		enum reason reason)
{
	enum verdict verdict = reason_verdict(reason);

	checker->packets++;
	if (from == SIDE_CLIENT)
		note_proof(checker, came, reason);
	if (came->origin == ORIGIN_HOSTILE && reason == REASON_spliced_reset)
		checker->lucky_shots++;
	if (came->origin == ORIGIN_HOSTILE && reason == REASON_stray_reset)
		note_stray(checker, came);
	if (came->origin == ORIGIN_HONEST && !came->is_corrupted)
		check_honest(checker, from, came, left, reason);
	if (verdict == VERDICT_DROP || verdict == VERDICT_HOLD)
		return;
	if (reason <= REASON_pass_exempt) {
		if (!came->is_corrupted)
			checker_fault(checker, -1, "protected packet passed by");
		if (came->length != left->length ||
				memcmp(came->bytes, left->bytes, came->length) != 0)
			checker_fault(checker, -1, "foreign packet changed");
		return;
	}
	/* No sum covers IPv6's flow label and hop limit. */
	if (!packet_checksums_are_right(came->bytes, came->length))
		checker_fault(checker, -1, "packet with a wrong checksum taken");
	check_sent(checker, verdict == VERDICT_REPLY ? from : side_other(from), left);
	if (verdict == VERDICT_REPLY)
		check_answer(checker, from, came, left, reason);
	else
		check_forwarded(checker, from, left);
}
