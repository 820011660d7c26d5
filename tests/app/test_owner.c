/* SPDX-License-Identifier: BSD-3-Clause */
/* Ownership against a naive Toeplitz hash, bit by bit over the fields as a NIC lays them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "owner.h"

#define TRIES 2000

/* The definition: for each input bit that is set, the 32 key bits starting there. */
static uint32_t
toeplitz(const uint8_t *key, const uint8_t *input, unsigned length)
{
	uint32_t hash = 0;

	for (unsigned bit = 0; bit < length * 8; bit++) {
		if ((input[bit / 8] >> (7 - bit % 8) & 1) == 0)
			continue;
		for (unsigned i = 0; i < 32; i++) {
			const unsigned at = bit + i;

			hash ^= (uint32_t)(key[at / 8] >> (7 - at % 8) & 1) << (31 - i);
		}
	}
	return hash;
}

/* Addresses and ports, source first, as RSS takes them. */
static uint32_t
nic_hash(const struct tuple *tuple, bool from_client)
{
	const union ip_addr *source = from_client ? &tuple->client : &tuple->backend;
	const union ip_addr *destination = from_client ? &tuple->backend : &tuple->client;
	const uint16_t ports[2] = {from_client ? tuple->client_port : tuple->backend_port,
			from_client ? tuple->backend_port : tuple->client_port};
	const unsigned skip = tuple->family == FAMILY_IP4 ? 12 : 0, bytes = 16 - skip;
	uint8_t key[64], input[36];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = i % 2 == 0 ? OWNER_KEY_WORD >> 8 : OWNER_KEY_WORD & 0xff;
	memcpy(input, source->bytes + skip, bytes);
	memcpy(input + bytes, destination->bytes + skip, bytes);
	for (unsigned i = 0; i < 2; i++) {
		input[2 * bytes + 2 * i] = (uint8_t)(ports[i] >> 8);
		input[2 * bytes + 2 * i + 1] = (uint8_t)ports[i];
	}
	return toeplitz(key, input, 2 * bytes + 4);
}

static struct tuple
random_tuple(enum family family)
{
	struct tuple tuple = {.family = family};

	for (unsigned i = 0; i < 16; i++) {
		tuple.client.bytes[i] = (uint8_t)rand();
		tuple.backend.bytes[i] = (uint8_t)rand();
	}
	if (family == FAMILY_IP4) {
		tuple.client = ip_addr_from_ip4(tuple.client.words_be[3]);
		tuple.backend = ip_addr_from_ip4(tuple.backend.words_be[3]);
	}
	tuple.client_port = (uint16_t)rand();
	tuple.backend_port = (uint16_t)rand();
	return tuple;
}

static void
test_1_agrees_with_a_nic_both_ways(void **state)
{
	static const enum family families[] = {FAMILY_IP4, FAMILY_IP6};

	(void)state;
	srand(1);
	for (unsigned i = 0; i < TRIES; i++) {
		const struct tuple tuple = random_tuple(families[i % 2]);

		assert_int_equal(owner_hash(&tuple), nic_hash(&tuple, true));
		assert_int_equal(owner_hash(&tuple), nic_hash(&tuple, false));
	}
}

static void
test_2_no_worker_is_left_out(void **state)
{
	(void)state;
	srand(2);
	for (unsigned workers = 1; workers <= 16; workers++) {
		unsigned counts[16] = {0};

		for (unsigned i = 0; i < TRIES; i++) {
			const struct tuple tuple = random_tuple(FAMILY_IP4);
			const unsigned owner = owner_of(&tuple, OWNER_TABLE_DEFAULT, workers);

			assert_true(owner < workers);
			counts[owner]++;
		}
		for (unsigned i = 0; i < workers; i++)
			assert_in_range(counts[i], TRIES / workers / 2, TRIES / workers * 2);
	}
}

/* Clients that differ only in their port, as behind one NAT, must spread too. */
static void
test_3_ports_of_one_client_spread(void **state)
{
	struct tuple tuple = random_tuple(FAMILY_IP4);
	unsigned counts[4] = {0};

	(void)state;
	for (unsigned port = 32768; port < 33792; port++) {
		tuple.client_port = (uint16_t)port;
		counts[owner_of(&tuple, OWNER_TABLE_DEFAULT, 4)]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(counts[i], 128, 512);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_1_agrees_with_a_nic_both_ways),
			cmocka_unit_test(test_2_no_worker_is_left_out),
			cmocka_unit_test(test_3_ports_of_one_client_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
