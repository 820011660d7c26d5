/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain: what is known of one connection, and what would become of its next SYN and ACK. Asks
 * all workers, since who owns a tuple is the appliance's business.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/command_request.h"
#include "control/command_text.h"
#include "table/queue_rules.h"

#define TEXT_BYTES 512

struct inquiry {
	struct tuple tuple;
	const struct slot *slot; /* NULL: no backend has that address and port */
	char name[REGISTRY_NAME_BYTES];
	char client[ENDPOINT_TEXT_BYTES], local[ENDPOINT_TEXT_BYTES];
	bool is_tagged;
	struct queue_load load;
	const struct prefix *prefix; /* of the lists, that decides about the client; NULL: none */
	const char *prefix_file;
	/* What the workers said. */
	unsigned unanswered; /* workers */
	bool has_row;
	struct inspect_row row;
	unsigned worker; /* of the row */
	uint8_t last_reason;
	uint64_t last_ago_ms;
	/* The answer. */
	json_t *lines;
	unsigned failed;
};

__attribute__((format(printf, 2, 3))) static void
say(struct inquiry *inquiry, const char *format, ...)
{
	char line[TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	inquiry->failed |=
			json_array_append_new(inquiry->lines, plain_json(line, strlen(line))) != 0;
}

static const struct slot *
slot_at(const struct registry *registry, const union ip_addr *address, uint16_t port)
{
	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];

		if (slot->use != SLOT_FREE && slot->config.port == port &&
				ip_addr_is_equal(&slot->config.address, address))
			return slot;
	}
	return NULL;
}

/* The backend, by name or by address and port, as the tuple's other end. */
static bool
read_backend(struct request *request, struct inquiry *inquiry)
{
	struct tuple *tuple = &inquiry->tuple;
	struct endpoint endpoint;
	struct slot *named;
	const char *text;

	if (!request_string(request, "backend", true, &text))
		return false;
	if (endpoint_parse(text, &endpoint)) {
		if (endpoint.port == 0) {
			request_refuse(request, "\"backend\" needs a port, as in 10.0.0.2:80");
			return false;
		}
		inquiry->slot = slot_at(request->env->registry, &endpoint.address, endpoint.port);
	} else if (request_backend(request, true, &named)) {
		inquiry->slot = named;
		endpoint = (struct endpoint){
				named->config.address, named->config.family, named->config.port};
	} else {
		return false;
	}
	if (endpoint.family != tuple->family) {
		request_refuse(request, "\"client\" and \"backend\" are not of the same family");
		return false;
	}
	tuple->backend = endpoint.address;
	tuple->backend_port = endpoint.port;
	return true;
}

static bool
read_inquiry(struct request *request, struct inquiry *inquiry)
{
	struct tuple *tuple = &inquiry->tuple;
	struct endpoint client;
	const char *text;
	json_int_t vlan;

	if (!request_string(request, "client", true, &text) ||
			!request_integer(request, "vlan", 0, 4095, -1, &vlan))
		return false;
	if (!endpoint_parse(text, &client) || client.port == 0) {
		request_refuse(request,
				"\"client\" must be address and port (10.0.0.1:40000, "
				"[fd00::1]:40000), not \"%.48s\"",
				text);
		return false;
	}
	tuple->client = client.address;
	tuple->client_port = client.port;
	tuple->family = client.family;
	inquiry->is_tagged = vlan >= 0;
	tuple->vlan = vlan >= 0 ? (vlan_tags_t)vlan : 0;
	if (!read_backend(request, inquiry))
		return false;
	if (inquiry->slot != NULL) {
		registry_name(request->env->registry, inquiry->slot, inquiry->name);
		inquiry->load = request_load(request, inquiry->slot);
	}
	inquiry->prefix = source_lists_decide(request->env->registry, tuple, &inquiry->prefix_file);
	endpoint_write(&tuple->client, tuple->family, tuple->client_port, inquiry->client);
	endpoint_write(&tuple->backend, tuple->family, tuple->backend_port, inquiry->local);
	return true;
}

/* Asks one worker about one tuple; true when it has a row. */
static bool
ask_worker(const struct registry *registry, struct inquiry *inquiry, unsigned worker,
		const struct tuple *tuple)
{
	struct inspect letter = {.kind = INSPECT_TUPLE,
			.slot = INSPECT_SLOT_ANY,
			.tuple = *tuple,
			.limit = 1};

	if (!registry->env.ask(registry->env.context, worker, &letter)) {
		inquiry->unanswered++;
		return false;
	}
	if (letter.count > 0) {
		inquiry->has_row = true;
		inquiry->row = letter.rows[0];
		inquiry->worker = worker;
		inquiry->last_reason = letter.rows[0].reason;
		inquiry->last_ago_ms = letter.rows[0].age_ms;
		return true;
	}
	if (letter.last_reason != REASON_NONE && inquiry->last_reason == REASON_NONE) {
		inquiry->last_reason = letter.last_reason;
		inquiry->last_ago_ms = letter.last_ago_ms;
	}
	return false;
}

/* Of a tag the request names only the number; the tuple has its protocol too. */
static void
ask_all(const struct registry *registry, struct inquiry *inquiry)
{
	static const enum vlan_tag tags[] = {VLAN_TAG_8100, VLAN_TAG_88A8, VLAN_TAG_9100};
	const unsigned kinds = inquiry->is_tagged ? ARRAY_COUNT(tags) : 1;

	for (unsigned kind = 0; kind < kinds && inquiry->unanswered == 0; kind++) {
		struct tuple tuple = inquiry->tuple;

		if (inquiry->is_tagged)
			tuple.vlan |= (vlan_tags_t)tags[kind] << 12;
		for (unsigned i = 0; i < registry->env.worker_count; i++) {
			if (ask_worker(registry, inquiry, i, &tuple))
				return;
		}
	}
}

/* Its address is exempt, and nothing that Sluice began before goes on. */
static bool
is_exempt(const struct inquiry *inquiry)
{
	const struct backend_config *config = &inquiry->slot->config;

	return !inquiry->has_row &&
	       exempt_list_has(&config->exempt, config->exempt_count, &inquiry->tuple.client);
}

static bool
is_protected(const struct inquiry *inquiry)
{
	return inquiry->slot->config.mode == MODE_PROTECT;
}

static bool
is_half_open(const struct inquiry *inquiry)
{
	return inquiry->has_row && strcmp(inquiry->row.state, "syn-recv") == 0;
}

/* What the lists deny it is a new connection, and to go on with a handshake. */
static bool
is_denied(const struct inquiry *inquiry)
{
	return inquiry->prefix != NULL && inquiry->prefix->verdict == SOURCE_DENIED;
}

static void
say_listed(struct inquiry *inquiry)
{
	char text[PREFIX_TEXT_BYTES];

	if (inquiry->prefix == NULL || inquiry->slot == NULL || is_exempt(inquiry))
		return;
	prefix_write(inquiry->prefix, text);
	say(inquiry, "Its address is %s by %s (%s:%u).", is_denied(inquiry) ? "denied" : "allowed",
			text, inquiry->prefix_file, inquiry->prefix->line);
}

/* Of a client that no list speaks about, to a backend that asks. */
static void
say_rate(struct inquiry *inquiry, const struct source_rates *rates)
{
	if (rates->syn_per_s == 0 || inquiry->prefix != NULL || inquiry->slot == NULL ||
			inquiry->slot->config.mode == MODE_OFF || is_exempt(inquiry))
		return;
	say(inquiry, "At most %u SYNs per second of its network (/%u); above that they %s dropped.",
			rates->syn_per_s,
			inquiry->tuple.family == FAMILY_IP4 ? rates->prefix : rates->prefix6,
			is_protected(inquiry) ? "are" : "would be");
}

static void
say_half_open(struct inquiry *inquiry)
{
	const struct inspect_row *row = &inquiry->row;

	if (row->acked)
		say(inquiry,
				"It has proved itself, but the accept queue was full. Its next "
				"segment tries again; so does the answer to our next SYN-ACK, in "
				"%.1f s.",
				(double)row->due_ms / 1e3);
	else
		say(inquiry,
				"It is half open (syn-recv): its SYN was answered %.1f s ago, its "
				"ACK has not come. The SYN-ACK was repeated %u times; %s in %.1f "
				"s.",
				(double)row->age_ms / 1e3, row->repeats,
				is_protected(inquiry) && is_denied(inquiry) ? "it is given up"
									    : "next",
				(double)row->due_ms / 1e3);
}

static void
say_connection(struct inquiry *inquiry)
{
	static const struct {
		const char *state;
		const char *text;
	} states[] = {
			{"queued", "it has proved itself and waits in the accept queue for its "
				   "turn to be connected"},
			{"connecting", "it has proved itself; its backend was sent a SYN and has "
				       "not answered yet"},
			{"established", "client and backend are connected"},
			{"time-wait", "both ends have closed it; it is remembered for late "
				      "segments"},
	};
	const struct inspect_row *row = &inquiry->row;
	const char *text = "its ends are closing it";

	for (unsigned i = 0; i < ARRAY_COUNT(states); i++) {
		if (strcmp(states[i].state, row->state) == 0)
			text = states[i].text;
	}
	say(inquiry, "State %s: %s, for %.1f s.", row->state, text, (double)row->age_ms / 1e3);
	if (row->repeats > 0 && strcmp(row->state, "connecting") == 0)
		say(inquiry, "The SYN to the backend was repeated %u times without an answer.",
				row->repeats);
}

static void
say_state(struct inquiry *inquiry)
{
	if (inquiry->slot == NULL) {
		say(inquiry,
				"%s is no backend: what %s sends there passes through Sluice "
				"unchanged.",
				inquiry->local, inquiry->client);
		return;
	}
	say(inquiry, "%s to %s, backend %s.", inquiry->client, inquiry->local, inquiry->name);
	if (is_half_open(inquiry))
		say_half_open(inquiry);
	else if (inquiry->has_row)
		say_connection(inquiry);
	else if (is_exempt(inquiry))
		say(inquiry, "Its address is exempt from the proxy: it and the backend speak to "
			     "each other, and all of that passes unchanged, SYNs without a proof.");
	else if (inquiry->unanswered > 0)
		say(inquiry,
				"%u workers did not answer in time; no other knows of this "
				"connection.",
				inquiry->unanswered);
	else
		say(inquiry, "There is no such connection now, and none half open%s.",
				inquiry->is_tagged ? "" : " (without a VLAN tag)");
	if (!is_protected(inquiry))
		say(inquiry,
				"The backend's mode is %s: what belongs to no connection or "
				"half-open client of Sluice passes unchanged%s.",
				backend_mode_name((enum backend_mode)inquiry->slot->config.mode),
				backend_config_is_monitored(&inquiry->slot->config)
						? ", and is counted as if it were protected"
						: "");
	if (inquiry->slot->use == SLOT_DRAINING)
		say(inquiry,
				"The backend was removed and is draining: connections may finish, "
				"new "
				"ones %s.",
				is_protected(inquiry) ? "are refused" : "pass");
}

static json_t *
say_last(struct inquiry *inquiry)
{
	static const char *const verdicts[] = {
			[VERDICT_DROP] = "drop",
			[VERDICT_FORWARD] = "forward",
			[VERDICT_REPLY] = "reply",
			[VERDICT_HOLD] = "hold",
	};
	enum reason reason = inquiry->last_reason;
	const char *verdict;

	if (reason == REASON_NONE || reason >= REASON_COUNT) {
		if (inquiry->slot != NULL)
			say(inquiry, "What became of its last packet is not remembered.");
		return json_null();
	}
	verdict = verdicts[reason_verdict(reason)];
	say(inquiry, "Its last packet, %.1f s ago: %s (%s, %s).",
			(double)inquiry->last_ago_ms / 1e3, reason_text(reason),
			reason_name(reason), verdict);
	return json_pack("{s:s, s:s, s:s, s:I}", "reason", reason_name(reason), "text",
			reason_text(reason), "verdict", verdict, "ago_ms",
			(json_int_t)inquiry->last_ago_ms);
}

/* What becomes of a SYN of a backend that is not protected. */
static enum reason
next_syn_passing(const struct inquiry *inquiry)
{
	const struct backend_config *config = &inquiry->slot->config;

	if (config->mode == MODE_OFF)
		return REASON_pass_off;
	if (config->is_draining)
		return REASON_monitor_passed;
	if (is_denied(inquiry))
		return REASON_monitor_syn_denied;
	switch (queue_rules_syn(config, &inquiry->load)) {
	case SYN_QUEUE:
		return REASON_monitor_syn_queued;
	case SYN_COOKIE:
	case SYN_COOKIE_QUEUE_FULL:
		return REASON_monitor_syn_cookie;
	case SYN_DROP_QUEUE_FULL:
		return REASON_monitor_syn_queue_full;
	case SYN_DROP_ACCEPT_FULL:
		return REASON_monitor_syn_accept_full;
	case SYN_DROP_RESERVED:
		break;
	}
	return REASON_monitor_syn_reserved;
}

/* One that a SYN with the same tuple must not disturb. */
static bool
is_living(const struct inquiry *inquiry)
{
	static const char *const over[] = {"syn-recv", "time-wait", "reset", "unanswered"};

	for (unsigned i = 0; i < ARRAY_COUNT(over); i++)
		if (inquiry->has_row && strcmp(inquiry->row.state, over[i]) == 0)
			return false;
	return inquiry->has_row;
}

/* What becomes of a SYN now. */
static enum reason
next_syn(const struct inquiry *inquiry)
{
	if (inquiry->slot == NULL)
		return REASON_pass_not_protected;
	if (is_exempt(inquiry))
		return REASON_pass_exempt;
	if (is_protected(inquiry) && is_denied(inquiry))
		return REASON_syn_denied;
	if (is_half_open(inquiry))
		return REASON_syn_again;
	if (!is_protected(inquiry))
		return is_living(inquiry) ? REASON_syn_cookie_sent : next_syn_passing(inquiry);
	if (inquiry->slot->use == SLOT_DRAINING)
		return REASON_syn_draining;
	switch (queue_rules_syn(&inquiry->slot->config, &inquiry->load)) {
	case SYN_QUEUE:
		return is_living(inquiry) ? REASON_syn_cookie_sent : REASON_syn_queued;
	case SYN_COOKIE:
	case SYN_COOKIE_QUEUE_FULL:
		return REASON_syn_cookie_sent;
	case SYN_DROP_QUEUE_FULL:
		return REASON_syn_queue_full;
	case SYN_DROP_ACCEPT_FULL:
		return REASON_syn_accept_full;
	case SYN_DROP_RESERVED:
		break;
	}
	return REASON_syn_reserved;
}

static bool
is_accept_full(const struct inquiry *inquiry)
{
	return inquiry->load.accept > backend_config_accept_limit(&inquiry->slot->config);
}

/* What becomes of a proving ACK now. */
static const char *
next_stray(const struct backend_config *config)
{
	switch ((enum stray_policy)config->stray) {
	case STRAY_RESET:
		return "reset as a stray: no cookie was sent for this backend, so it can prove "
		       "nothing";
	case STRAY_PASS:
		return "passes as a stray: no cookie was sent for this backend, so it can prove "
		       "nothing";
	case STRAY_DROP:
		break;
	}
	return "dropped as a stray: no cookie was sent for this backend, so it can prove nothing";
}

/* Of a backend that is not protected any more. */
static const char *
next_ack_passing(const struct backend_shared *shared, ticks_t now)
{
	return shared_cookie_is_out(shared, now)
			       ? "passes unchanged, unless it carries a cookie that was sent while "
				 "the backend was protected: that lets the client into the accept "
				 "queue"
			       : "passes unchanged";
}

static const char *
next_ack(const struct request *request, const struct inquiry *inquiry)
{
	const struct registry *registry = request->env->registry;
	const struct backend_shared *shared;

	if (inquiry->slot == NULL)
		return "passes unchanged";
	if (is_exempt(inquiry))
		return "passes unchanged";
	if (inquiry->has_row && !is_half_open(inquiry))
		return "belongs to the connection and is taken by it";
	shared = &registry->env.shared[registry_slot(registry, inquiry->slot)];
	if (!is_protected(inquiry) && !is_half_open(inquiry))
		return next_ack_passing(shared, request->now);
	if (is_protected(inquiry) && is_denied(inquiry))
		return "dropped: its address is denied";
	if (is_protected(inquiry) && inquiry->slot->use == SLOT_DRAINING)
		return "refused: the backend is draining";
	if (!is_half_open(inquiry) && inquiry->slot->config.tcp_syncookies != 2 &&
			shared_read(&shared->cookie_s) == 0)
		return next_stray(&inquiry->slot->config);
	if (!is_accept_full(inquiry))
		return is_half_open(inquiry)
				       ? "proves the client, which then enters the accept queue"
				       : "checked as a cookie; a valid one lets the client into "
					 "the accept queue, an invalid one is dropped";
	return inquiry->slot->config.tcp_abort_on_overflow
			       ? "a valid one meets a full accept queue and is answered by a reset "
				 "(tcp_abort_on_overflow 1)"
			       : "a valid one meets a full accept queue and is dropped in silence; "
				 "the client's data, repeated, tries again";
}

static json_t *
say_next(const struct request *request, struct inquiry *inquiry)
{
	enum reason syn = next_syn(inquiry);
	const char *ack = next_ack(request, inquiry);

	if (inquiry->slot != NULL) {
		const struct backend_config *config = &inquiry->slot->config;

		say(inquiry, "Queues now: accept %u of %u, syn %u of %u, tcp_syncookies %u%s.",
				inquiry->load.accept, backend_config_accept_limit(config),
				inquiry->load.syn, queue_rules_syn_limit(config),
				config->tcp_syncookies,
				inquiry->load.cookies ? ", sending cookies" : "");
		say(inquiry, "A SYN from it now: %s (%s).", reason_text(syn), reason_name(syn));
		if (syn == REASON_syn_reserved || syn == REASON_monitor_syn_reserved)
			say(inquiry, "A client that completed a connection before would be let "
				     "in.");
		say(inquiry, "An ACK from it now: %s.", ack);
	}
	return json_pack("{s:{s:s, s:s}, s:s}", "syn", "reason", reason_name(syn), "text",
			reason_text(syn), "ack", ack);
}

json_t *
command_explain(struct request *request)
{
	struct inquiry inquiry = {0};
	json_t *row, *last, *next, *tuple;
	bool half_open;

	if (!read_inquiry(request, &inquiry))
		return NULL;
	if (inquiry.slot != NULL)
		ask_all(request->env->registry, &inquiry);
	half_open = is_half_open(&inquiry);
	inquiry.lines = json_array();
	say_state(&inquiry);
	say_listed(&inquiry);
	say_rate(&inquiry, &request->env->registry->config->sources.rates);
	last = say_last(&inquiry);
	next = say_next(request, &inquiry);
	row = inquiry.has_row ? row_json(request, &inquiry.row, inquiry.worker) : json_null();
	tuple = json_pack("{s:s, s:s, s:o, s:s?}", "client", inquiry.client, "local", inquiry.local,
			"vlan", inquiry.is_tagged ? json_integer(inquiry.tuple.vlan) : json_null(),
			"backend", inquiry.slot != NULL ? inquiry.name : NULL);
	if (inquiry.failed != 0) {
		json_decref(inquiry.lines);
		inquiry.lines = NULL; /* which fails the whole */
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "tuple", tuple, "syn_recv",
			half_open ? row : json_null(), "connection", half_open ? json_null() : row,
			"last", last, "next", next, "lines", inquiry.lines);
}
