/* SPDX-License-Identifier: BSD-3-Clause */
#include "host_client.h"

#include <string.h>

#define PORT_FIRST 40000

static void
client_send(struct host_client *client, const struct packet *packet)
{
	link_send(client->out, frame_of(packet, ORIGIN_HONEST, client->app.endpoint.iss), "");
}

/* On a clean network too the ACK that ends the handshake may not get through. */
static void
client_lose(struct host_client *client, const struct packet *packet)
{
	struct frame *frame = frame_of(packet, ORIGIN_HONEST, client->app.endpoint.iss);

	client->proofs_to_lose--;
	trace_packet(client->out->trace, client->clock->now, PLACE_CLIENT, PLACE_SLUICE, frame, "",
			"lost");
	frame_free(frame);
}

static void
client_output(struct endpoint *e, const struct packet *packet)
{
	const struct application *app = e->owner;
	struct host_client *client = app->owner;

	if (client->proofs_to_lose > 0 && packet->flags == PACKET_ACK &&
			packet->payload_length == 0)
		client_lose(client, packet);
	else
		client_send(client, packet);
}

static void
client_fault(struct endpoint *e, const char *text)
{
	const struct application *app = e->owner;
	const struct host_client *client = app->owner;

	checker_fault(client->checker, (int)client->number, text);
}

/* RFC 6528: rising by one every 4 us on the same tuple; or any number, which RFC 9293 allows. */
static uint32_t
draw_isn(struct host_client *client)
{
	if (client->plan->client[client->number].random_isn)
		return (uint32_t)dice_roll(client->dice);
	return client->isn_base + (uint32_t)(client->clock->now / 4);
}

static void
round_begin(void *context, void *subject)
{
	struct host_client *client = context;
	const struct client_plan *plan = &client->plan->client[client->number];
	struct endpoint *e = &client->app.endpoint;
	uint32_t isn = draw_isn(client);

	(void)subject;
	client->rounds_left--;
	if (!plan->reuses_port)
		client->port++;
	client->proofs_to_lose = plan->lost_proofs;
	client->has_proved = false;
	client->has_ended = false;
	e->header = address_packet(client->number, client->port, plan->slot);
	for (unsigned i = client->plan->vlans; i > 0; i--)
		packet_add_vlan(&e->header, i == 2 ? 0x88a8 : 0x8100, (uint16_t)(10 * i));
	application_reset(&client->app,
			stream_key(client->plan->seed, client->number, client->port, isn),
			WAY_TO_BACKEND);
	checker_begin(client->checker, client->number, client->port, isn);
	endpoint_connect(e, isn);
}

static void
round_end(struct host_client *client)
{
	const struct endpoint *e = &client->app.endpoint;
	const struct client_plan *plan = &client->plan->client[client->number];
	ticks_t pause = plan->pause;

	client->has_ended = true;
	checker_end(client->checker, client->number, &client->app,
			host_server_find(client->server, client->number, client->port, e->iss));
	if (client->rounds_left == 0)
		return;
	if (e->state == ENDPOINT_TIME_WAIT)
		pause += plan->traits.time_wait;
	clock_at(client->clock, client->clock->now + pause, round_begin, client, NULL);
}

static void
client_changed(struct endpoint *e)
{
	struct application *app = e->owner;
	struct host_client *client = app->owner;

	if (!client->has_proved && e->state == ENDPOINT_OPEN) {
		client->has_proved = true;
		checker_proved(client->checker, client->number, e);
	}
	application_run(app);
	if (!client->has_ended && e->end != ENDED_NOT)
		round_end(client);
}

static const struct endpoint_host client_host = {client_output, client_changed, client_fault};

void
host_client_start(struct host_client *client, unsigned number)
{
	const struct client_plan *plan = &client->plan->client[number];

	client->number = number;
	client->app.owner = client;
	client->app.endpoint.host = &client_host;
	client->app.endpoint.owner = &client->app;
	client->app.endpoint.clock = client->clock;
	client->app.endpoint.traits = plan->traits;
	client->app.endpoint.expects_timestamps =
			client->plan->backends[plan->slot].traits.timestamps;
	client->rounds_left = plan->rounds;
	client->port = PORT_FIRST;
	client->isn_base = (uint32_t)dice_roll(client->dice);
	client->has_ended = true;
	if (plan->rounds == 0)
		return;
	clock_at(client->clock, plan->starts_at, round_begin, client, NULL);
}

static bool
is_for_endpoint(const struct host_client *client, const struct packet *packet)
{
	const struct packet *header = &client->app.endpoint.header;

	return packet->destination_port == header->source_port &&
	       packet->source_port == header->destination_port &&
	       memcmp(packet->source, header->destination, sizeof(packet->source)) == 0;
}

void
host_client_receive(struct host_client *client, struct frame *frame)
{
	struct endpoint *e = &client->app.endpoint;
	struct packet packet, reset;
	enum origin origin = frame->origin;
	uint8_t mac[6];

	mac_client(client->number, mac);
	if (frame_read(frame, &packet)) {
		/* What answers a forged packet goes by the forger's router. */
		if (frame->life != e->iss)
			origin = ORIGIN_HOSTILE;
		if (memcmp(packet.ether_destination, mac, sizeof(mac)) != 0 &&
				origin != ORIGIN_HOSTILE)
			checker_fault(client->checker, (int)client->number,
					"packet for another MAC address");
		if (!is_for_endpoint(client, &packet) || !endpoint_input(e, &packet, origin)) {
			reset = address_reply(&packet);
			if (endpoint_refusal(&packet, &reset))
				client_send(client, &reset);
		}
	}
	frame_free(frame);
}
