/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/fragment.h"

#include "net/bytes.h"
#include "net/pkt.h"

enum fragment_kind
fragment_judge(const uint8_t *data, uint32_t length, uint32_t offset)
{
	if (offset >= TCP_BYTES_MIN)
		return FRAGMENT_PLAIN;
	if (offset > 0 || length < TCP_BYTES_MIN)
		return FRAGMENT_UNSAFE;
	return data[TCP_FLAGS_AT] & TCP_SYN ? FRAGMENT_SYN : FRAGMENT_PLAIN;
}
