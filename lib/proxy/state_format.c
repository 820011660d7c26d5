/* SPDX-License-Identifier: BSD-3-Clause */
#include "proxy/state_format.h"

#include <endian.h>
#include <string.h>

/* The format's numbers are these enumerations'; where one changes, translate it here. */
static_assert(CONN_QUEUED == 0 && CONN_CONNECTING == 1 && CONN_ESTABLISHED == 2 &&
				CONN_CLIENT_FIN == 3 && CONN_CLIENT_DONE == 4 &&
				CONN_BACKEND_FIN == 5 && CONN_BACKEND_DONE == 6 &&
				CONN_BOTH_FIN == 7 && CONN_CLIENT_DONE_BACKEND_FIN == 8 &&
				CONN_CLIENT_FIN_BACKEND_DONE == 9 && CONN_TIME_WAIT == 10 &&
				CONN_RESET == 11 && CONN_UNANSWERED == 12,
		"states in version 1");
static_assert(CONN_STRIP_TIMESTAMP == 1 && CONN_STRIP_SACK == 2 && CONN_ECN_ALONE == 4 &&
				CONN_ECN_ECHO == 8 && CONN_TRACKED == 16 &&
				CONN_IS_UNANSWERED == 32 && CONN_FIN_SEEN == 64 &&
				CONN_AT_WAR == 128,
		"flags in version 1");
static_assert(LEARNED_NOTHING == 0 && LEARNED_NO == 1 && LEARNED_YES == 2, "in version 1");
static_assert(SIDE_CLIENT == 0 && SIDE_BACKEND == 1 && SIDE_COUNT == 2, "legs in version 1");
static_assert(COOKIE_PLAN_EPOCHS == 4, "secrets in version 1");

/* All that vlan_tags_t uses. */
#define VLAN_BITS UINT32_C(0x3fff3fff)

/* Of the bits byte of a connection. */
enum {
	BIT_SACK_PERMITTED = 1,
	BIT_HAS_TIMESTAMP = 2,
	BIT_MET_OLD_SOCKET = 4,
	BIT_ECN = 8,
};

static void
field_bytes(struct state_cursor *cursor, void *value, size_t size)
{
	if (cursor->to != NULL) {
		memcpy(cursor->to, value, size);
		cursor->to += size;
	} else {
		memcpy(value, cursor->from, size);
		cursor->from += size;
	}
}

static void
field8(struct state_cursor *cursor, uint8_t *value)
{
	field_bytes(cursor, value, sizeof(*value));
}

static void
field16(struct state_cursor *cursor, uint16_t *value)
{
	uint16_t raw = htole16(*value);

	field_bytes(cursor, &raw, sizeof(raw));
	*value = le16toh(raw);
}

static void
field32(struct state_cursor *cursor, uint32_t *value)
{
	uint32_t raw = htole32(*value);

	field_bytes(cursor, &raw, sizeof(raw));
	*value = le32toh(raw);
}

static void
field64(struct state_cursor *cursor, uint64_t *value)
{
	uint64_t raw = htole64(*value);

	field_bytes(cursor, &raw, sizeof(raw));
	*value = le64toh(raw);
}

void
state_head_fields(struct state_cursor *cursor, struct state_head *head)
{
	field_bytes(cursor, head->magic, sizeof(head->magic));
	field32(cursor, &head->version);
	field32(cursor, &head->head_bytes);
	field32(cursor, &head->backend_bytes);
	field32(cursor, &head->conn_bytes);
	field64(cursor, &head->length);
	field64(cursor, &head->place);
	field64(cursor, &head->wall_us);
	field64(cursor, &head->boot_us);
	field32(cursor, &head->backend_count);
	field32(cursor, &head->conn_count);
	field8(cursor, &head->secret_is_configured);
	field_bytes(cursor, head->zero, sizeof(head->zero));
	field64(cursor, &head->cookies.first);
	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS; i++) {
		field64(cursor, &head->cookies.secrets[i].k0);
		field64(cursor, &head->cookies.secrets[i].k1);
	}
}

void
state_backend_fields(struct state_cursor *cursor, struct state_backend *backend)
{
	struct backend_profile *profile = &backend->profile;

	field_bytes(cursor, backend->address.bytes, sizeof(backend->address.bytes));
	field16(cursor, &backend->port);
	field8(cursor, &backend->family);
	field_bytes(cursor, backend->wscales, sizeof(backend->wscales));
	field16(cursor, &profile->mss);
	field16(cursor, &profile->window);
	field8(cursor, &profile->wscale);
	field8(cursor, &profile->scales);
	field8(cursor, &profile->sack);
	field8(cursor, &profile->timestamps);
	field8(cursor, &profile->ecn);
	field32(cursor, &profile->drift);
	field32(cursor, &backend->learned_s);
	field32(cursor, &backend->refused_s);
	field_bytes(cursor, backend->zero, sizeof(backend->zero));
}

static void
tuple_fields(struct state_cursor *cursor, struct tuple *tuple)
{
	uint8_t family = (uint8_t)tuple->family;

	field_bytes(cursor, tuple->client.bytes, sizeof(tuple->client.bytes));
	field_bytes(cursor, tuple->backend.bytes, sizeof(tuple->backend.bytes));
	field16(cursor, &tuple->client_port);
	field16(cursor, &tuple->backend_port);
	field32(cursor, &tuple->vlan);
	field8(cursor, &family);
	tuple->family = family;
}

static void
setup_fields(struct state_cursor *cursor, struct conn_setup *setup)
{
	uint8_t bits = (uint8_t)((setup->sack_permitted ? BIT_SACK_PERMITTED : 0) |
				 (setup->has_timestamp ? BIT_HAS_TIMESTAMP : 0) |
				 (setup->met_old_socket ? BIT_MET_OLD_SOCKET : 0) |
				 (setup->ecn ? BIT_ECN : 0));

	field_bytes(cursor, setup->client_mac, sizeof(setup->client_mac));
	field_bytes(cursor, setup->backend_mac, sizeof(setup->backend_mac));
	field32(cursor, &setup->tsval);
	field32(cursor, &setup->flow_label);
	field32(cursor, &setup->iss);
	field16(cursor, &setup->mss);
	field16(cursor, &setup->window);
	field8(cursor, &setup->ttl);
	field8(cursor, &setup->tos);
	field8(cursor, &setup->syns);
	field8(cursor, &setup->wscale);
	field8(cursor, &bits);
	setup->sack_permitted = bits & BIT_SACK_PERMITTED;
	setup->has_timestamp = bits & BIT_HAS_TIMESTAMP;
	setup->met_old_socket = bits & BIT_MET_OLD_SOCKET;
	setup->ecn = bits & BIT_ECN;
}

void
state_conn_fields(struct state_cursor *cursor, struct state_conn *record)
{
	struct conn *conn = &record->conn;

	tuple_fields(cursor, &record->tuple);
	field8(cursor, &conn->state);
	field8(cursor, &conn->flags);
	field32(cursor, &conn->seq_delta);
	field32(cursor, &conn->ts_delta);
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		field32(cursor, &conn->leg[side].snd_nxt);
		field32(cursor, &conn->leg[side].rcv_nxt);
		field32(cursor, &conn->leg[side].window_end);
	}
	field8(cursor, &conn->scale_client);
	field8(cursor, &conn->scale_to_backend);
	field8(cursor, &conn->scale_backend);
	field8(cursor, &conn->scale_to_client);
	field32(cursor, &record->past);
	field32(cursor, &record->due);
	setup_fields(cursor, &record->setup);
	field32(cursor, &record->setup.backend_tsval);
	field_bytes(cursor, record->zero, sizeof(record->zero));
}

static bool
is_zero(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum |= bytes[i];
	return sum == 0;
}

static bool
address_is_possible(const union ip_addr *address, uint32_t family)
{
	const union ip_addr mapped = ip_addr_from_ip4(address->words_be[3]);

	/* A packet of IPv6 may well carry a mapped address. */
	return family == FAMILY_IP6 || (family == FAMILY_IP4 && ip_addr_is_equal(address, &mapped));
}

static bool
scale_is_possible(uint8_t scale)
{
	return scale <= TCP_WSCALE_MAX;
}

bool
state_backend_is_possible(const struct state_backend *backend)
{
	const struct backend_profile *profile = &backend->profile;

	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS; i++)
		if (!scale_is_possible(backend->wscales[i]))
			return false;
	return address_is_possible(&backend->address, backend->family) && backend->port != 0 &&
	       scale_is_possible(profile->wscale) && profile->scales <= LEARNED_YES &&
	       profile->sack <= LEARNED_YES && profile->timestamps <= LEARNED_YES &&
	       profile->ecn <= LEARNED_YES && is_zero(backend->zero, sizeof(backend->zero));
}

bool
state_conn_is_possible(const struct state_conn *record)
{
	const struct tuple *tuple = &record->tuple;
	const struct conn *conn = &record->conn;
	const struct conn_setup *setup = &record->setup;
	const bool is_tracked = conn->flags & CONN_TRACKED;

	return address_is_possible(&tuple->client, tuple->family) &&
	       address_is_possible(&tuple->backend, tuple->family) && tuple->backend_port != 0 &&
	       !(tuple->vlan & ~VLAN_BITS) &&
	       /* One that only its client was heard of is not saved. */
	       conn->state < CONN_UNANSWERED && !(conn->flags & CONN_IS_UNANSWERED) &&
	       !(is_tracked && conn->state < CONN_ESTABLISHED) &&
	       scale_is_possible(conn->scale_client) && scale_is_possible(conn->scale_to_backend) &&
	       scale_is_possible(conn->scale_backend) && scale_is_possible(conn->scale_to_client) &&
	       (setup->wscale <= TCP_WSCALE_MAX || setup->wscale == TCP_WSCALE_NONE) &&
	       is_zero(record->zero, sizeof(record->zero));
}
