/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Partial checksums of passing traffic, against a naive checksum over a pseudo-header that is
 * written out. Truncations must change nothing and read nothing behind the frame (ASan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "naive_sum.h"
#include "partial.h"

#define L3 14
#define FRAME_MAX 256
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

struct frame {
	uint8_t bytes[FRAME_MAX];
	unsigned length;
	unsigned l4;	   /* offset */
	unsigned checksum; /* offset of the transport checksum */
};

static uint16_t
naive_pseudo(const struct frame *frame)
{
	const bool is_ip4 = frame->bytes[L3] >> 4 == 4;
	const unsigned length = frame->length - frame->l4;
	const uint8_t protocol = frame->bytes[L3 + (is_ip4 ? 9 : 6)];

	return naive_sum(length + protocol, frame->bytes + L3 + (is_ip4 ? 12 : 8), is_ip4 ? 8 : 32);
}

static void
checksum_store(struct frame *frame, uint16_t value)
{
	frame->bytes[frame->checksum] = (uint8_t)(value >> 8);
	frame->bytes[frame->checksum + 1] = (uint8_t)value;
}

/* A frame whose checksum field holds the pseudo-header's sum only. */
static struct frame
frame_make(unsigned version, uint8_t protocol, unsigned l4_length)
{
	struct frame frame = {.l4 = L3 + (version == 4 ? 20 : 40)};
	uint8_t *l3 = frame.bytes + L3;

	frame.length = frame.l4 + l4_length;
	frame.checksum = frame.l4 + (protocol == PROTOCOL_TCP ? 16 : 6);
	for (unsigned i = L3; i < frame.length; i++)
		frame.bytes[i] = (uint8_t)rand();
	if (version == 4) {
		l3[0] = 0x45;
		l3[2] = 0;
		l3[3] = (uint8_t)(20 + l4_length);
		l3[6] = 0x40;
		l3[7] = 0;
		l3[9] = protocol;
	} else {
		l3[0] = 0x60;
		l3[4] = 0;
		l3[5] = (uint8_t)l4_length;
		l3[6] = protocol;
	}
	checksum_store(&frame, naive_pseudo(&frame));
	return frame;
}

static bool
is_right(const struct frame *frame)
{
	return naive_sum(naive_pseudo(frame), frame->bytes + frame->l4,
			       frame->length - frame->l4) == 0xffff;
}

static const struct {
	unsigned version;
	uint8_t protocol;
	unsigned least;
} kinds[] = {
		{4, PROTOCOL_TCP, 20},
		{4, PROTOCOL_UDP, 8},
		{6, PROTOCOL_TCP, 20},
		{6, PROTOCOL_UDP, 8},
};

static void
test_1_completed_once(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++) {
		for (unsigned length = kinds[i].least; length < 120; length++) {
			struct frame frame =
					frame_make(kinds[i].version, kinds[i].protocol, length);

			assert_true(partial_complete(frame.bytes, frame.length, L3));
			assert_true(is_right(&frame));
			assert_false(partial_complete(frame.bytes, frame.length, L3));
			assert_true(is_right(&frame));
		}
	}
}

/* Padding behind the IP packet (frames of 60 bytes) is not part of the sum. */
static void
test_2_padding_is_ignored(void **state)
{
	struct frame frame = frame_make(4, PROTOCOL_UDP, 9);

	(void)state;
	memset(frame.bytes + frame.length, 0xa5, 17);
	assert_true(partial_complete(frame.bytes, frame.length + 17, L3));
	assert_true(is_right(&frame));
}

static void
test_3_wrong_stays_wrong(void **state)
{
	(void)state;
	srand(3);
	for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct frame frame = frame_make(kinds[i].version, kinds[i].protocol, 40), before;

		checksum_store(&frame, (uint16_t)(naive_pseudo(&frame) + 1));
		before = frame;
		assert_false(partial_complete(frame.bytes, frame.length, L3));
		assert_memory_equal(&frame, &before, sizeof(frame));
	}
}

/* 1: more fragments, 2: last fragment, 3: another protocol, 4: total length beyond the frame, 5:
 * header length below 20, 6: neither IP version; then UDP without a checksum. */
static void
test_4_left_alone(void **state)
{
	static const struct {
		unsigned offset;
		uint8_t value;
	} changes[] = {{6, 0x20}, {7, 0x01}, {9, 1}, {3, 0xff}, {0, 0x44}, {0, 0x55}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(changes); i++) {
		struct frame frame = frame_make(4, PROTOCOL_UDP, 40), before;

		frame.bytes[L3 + changes[i].offset] = changes[i].value;
		before = frame;
		assert_false(partial_complete(frame.bytes, frame.length, L3));
		assert_memory_equal(&frame, &before, sizeof(frame));
	}

	struct frame frame = frame_make(4, PROTOCOL_UDP, 40);

	checksum_store(&frame, 0);
	assert_false(partial_complete(frame.bytes, frame.length, L3));
	assert_int_equal(frame.bytes[frame.checksum] | frame.bytes[frame.checksum + 1], 0);
}

static void
test_5_every_truncation(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++) {
		const struct frame frame = frame_make(kinds[i].version, kinds[i].protocol, 40);

		for (unsigned length = 0; length < frame.length; length++) {
			uint8_t *cut = malloc(length + 1);

			memcpy(cut, frame.bytes, length);
			assert_false(partial_complete(cut, length, L3));
			assert_memory_equal(cut, frame.bytes, length);
			free(cut);
		}
	}
}

/* A computed UDP checksum of 0 is sent as 0xffff (RFC 768); for TCP 0 is fine. */
static void
test_6_zero_checksum(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct frame frame = frame_make(4, kinds[i].protocol, 40);
		uint16_t rest;

		frame.bytes[frame.l4 + 38] = frame.bytes[frame.l4 + 39] = 0;
		rest = naive_sum(0, frame.bytes + frame.l4, 40);
		frame.bytes[frame.l4 + 38] = (uint8_t) ~(rest >> 8);
		frame.bytes[frame.l4 + 39] = (uint8_t)~rest;
		assert_true(partial_complete(frame.bytes, frame.length, L3));
		assert_int_equal(frame.bytes[frame.checksum] << 8 | frame.bytes[frame.checksum + 1],
				kinds[i].protocol == PROTOCOL_UDP ? 0xffff : 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_1_completed_once),
			cmocka_unit_test(test_2_padding_is_ignored),
			cmocka_unit_test(test_3_wrong_stays_wrong),
			cmocka_unit_test(test_4_left_alone),
			cmocka_unit_test(test_5_every_truncation),
			cmocka_unit_test(test_6_zero_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
