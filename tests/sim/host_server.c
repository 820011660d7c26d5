/* SPDX-License-Identifier: BSD-3-Clause */
#include "host_server.h"

#include <stdlib.h>
#include <string.h>

static void
served_output(struct endpoint *e, const struct packet *packet)
{
	const struct application *app = e->owner;
	const struct served *served = app->owner;

	link_send(served->server->out,
			frame_of(packet, ORIGIN_HONEST, served->is_ghost ? 0 : served->life), "");
}

static void
served_changed(struct endpoint *e)
{
	application_run(e->owner);
}

static void
served_fault(struct endpoint *e, const char *text)
{
	const struct application *app = e->owner;
	const struct served *served = app->owner;
	char line[128];

	snprintf(line, sizeof(line), "at the backend: %s", text);
	checker_fault(served->server->checker, (int)served->client, line);
}

static const struct endpoint_host served_host = {served_output, served_changed, served_fault};

const struct application *
host_server_find(const struct host_server *server, unsigned client, uint16_t port, uint32_t isn)
{
	const struct served *served = server->served[client];

	while (served != NULL && (served->port != port || served->life != isn || served->is_ghost))
		served = served->next;
	return served == NULL ? NULL : &served->app;
}

/* The socket that a packet is for: the latest one that is not closed. */
static struct served *
served_at(const struct host_server *server, unsigned client, uint16_t port)
{
	struct served *served = server->served[client];

	while (served != NULL &&
			(served->port != port || served->app.endpoint.state == ENDPOINT_CLOSED))
		served = served->next;
	return served;
}

static void
backend_dies(void *context, void *subject)
{
	struct host_server *server = context;
	unsigned slot = (unsigned)(uintptr_t)subject;

	trace_note(server->checker->trace, server->clock->now, "a backend dies");
	for (unsigned client = 0; client < CLIENTS_MAX; client++)
		for (struct served *s = server->served[client]; s != NULL; s = s->next)
			if (s->slot == slot)
				endpoint_die(&s->app.endpoint, ENDED_BY_ABORT);
}

void
host_server_start(struct host_server *server)
{
	for (uintptr_t slot = 0; slot < BACKENDS; slot++)
		if (server->plan->backends[slot].mood == MOOD_DYING)
			clock_at(server->clock, server->plan->backends[slot].dies_at, backend_dies,
					server, (void *)slot);
}

void
host_server_fini(struct host_server *server)
{
	for (unsigned client = 0; client < CLIENTS_MAX; client++)
		while (server->served[client] != NULL) {
			struct served *served = server->served[client];

			server->served[client] = served->next;
			free(served);
		}
}

static void
refuse(struct host_server *server, const struct packet *packet, uint32_t life)
{
	struct packet reset = address_reply(packet);

	if (endpoint_refusal(packet, &reset))
		link_send(server->out, frame_of(&reset, ORIGIN_HONEST, life), "");
}

/* A late copy of a SYN opens a second socket, whose peer knows nothing of it. */
static bool
was_opened(const struct application *app)
{
	return app != NULL && app->endpoint.una != app->endpoint.iss;
}

static void
serve(struct host_server *server, unsigned client, unsigned slot, const struct packet *syn)
{
	const struct plan *plan = server->plan;
	const struct backend_plan *backend = &plan->backends[slot];
	struct served *served = calloc(1, sizeof(*served));
	struct endpoint *e;
	uint32_t isn = (uint32_t)dice_roll(server->dice);

	if (served == NULL)
		abort();
	if (!backend->random_isn)
		isn = (uint32_t)(plan->seed * 0x9e3779b9 + client + server->clock->now / 4);
	served->server = server;
	served->client = client;
	served->slot = slot;
	served->port = syn->source_port;
	served->is_ghost = was_opened(host_server_find(server, client, syn->source_port, syn->seq));
	served->life = syn->seq;
	served->next = server->served[client];
	server->served[client] = served;
	served->app.owner = served;
	e = &served->app.endpoint;
	e->host = &served_host;
	e->owner = &served->app;
	e->clock = server->clock;
	e->traits = backend->traits;
	e->expects_timestamps = true;
	e->header = address_reply(syn);
	application_reset(&served->app, stream_key(plan->seed, client, syn->source_port, syn->seq),
			WAY_TO_CLIENT);
	endpoint_accept(e, isn, syn);
}

/* RFC 6191 and RFC 9293 3.10.7.4: a SYN that can't be an old one ends TIME_WAIT. */
static bool
ends_time_wait(const struct endpoint *e, const struct packet *syn)
{
	uint32_t tsval, tsecr;

	if (e->state != ENDPOINT_TIME_WAIT)
		return false;
	if (e->timestamps && packet_timestamp(syn, &tsval, &tsecr) && before(e->ts_recent, tsval))
		return true;
	return before(e->rcv_nxt, syn->seq);
}

static void
take_syn(struct host_server *server, unsigned client, unsigned slot, const struct packet *syn,
		const struct frame *frame)
{
	struct served *served = served_at(server, client, syn->source_port);
	uint8_t mac[6];

	mac_client(client, mac);
	if (memcmp(syn->ether_source, mac, sizeof(mac)) != 0)
		checker_fault(server->checker, (int)client, "SYN with another MAC address");
	if (packet_mss(syn) >
			(server->plan->client[client].traits.mss == 0
							? syn->ip_version == 4 ? 536u : 1220u
							: server->plan->client[client].traits.mss))
		checker_fault(server->checker, (int)client, "SYN with an MSS above the client's");
	if (served == NULL) {
		serve(server, client, slot, syn);
	} else if (ends_time_wait(&served->app.endpoint, syn)) {
		endpoint_die(&served->app.endpoint, ENDED_WELL);
		serve(server, client, slot, syn);
	} else {
		endpoint_input(&served->app.endpoint, syn, frame->origin);
	}
}

static void
server_take(struct host_server *server, const struct frame *frame)
{
	struct packet packet;
	struct served *served;
	enum origin origin = frame->origin;
	unsigned slot;
	int client;

	if (!frame_read(frame, &packet))
		return;
	client = address_client_number(packet.source, packet.ip_version);
	if (client < 0)
		return;
	slot = server->plan->client[client].slot;
	if ((packet.flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN) {
		take_syn(server, (unsigned)client, slot, &packet, frame);
		return;
	}
	served = served_at(server, (unsigned)client, packet.source_port);
	if (served != NULL && frame->life != served->life)
		origin = ORIGIN_HOSTILE;
	if (served == NULL || !endpoint_input(&served->app.endpoint, &packet, origin))
		refuse(server, &packet, frame->life);
}

static void
answer_late(void *context, void *subject)
{
	struct frame *frame = subject;

	server_take(context, frame);
	frame_free(frame);
}

static bool
is_refusing(const struct host_server *server, const struct backend_plan *backend)
{
	ticks_t now = server->clock->now;

	return backend->mood == MOOD_REFUSING ||
	       (backend->mood == MOOD_DYING && backend->dies_at <= now &&
			       now < backend->returns_at);
}

void
host_server_receive(void *context, struct frame *frame)
{
	struct host_server *server = context;
	const struct backend_plan *backend;
	struct packet packet;
	int client;

	if (!frame_read(frame, &packet)) {
		frame_free(frame);
		return;
	}
	client = address_client_number(packet.source, packet.ip_version);
	backend = &server->plan->backends[client < 0 ? 0 : server->plan->client[client].slot];
	if (backend->mood == MOOD_SILENT) {
		frame_free(frame);
	} else if (is_refusing(server, backend)) {
		refuse(server, &packet, frame->life);
		frame_free(frame);
	} else if (backend->answer_delay != 0 && packet.flags == PACKET_SYN) {
		clock_at(server->clock, server->clock->now + backend->answer_delay, answer_late,
				server, frame);
	} else {
		server_take(server, frame);
		frame_free(frame);
	}
}
