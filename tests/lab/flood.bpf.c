/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a frame of live.c a SYN from a random source of RFC 2544's range, and sends it. A page that
 * carried a frame comes back for a later one as its receiver left it, so all that a router changes
 * is written again.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "flood.bpf.h"

#define SECTION(name) __attribute__((section(name), used))

#define NETWORK 0xc6120000u /* 198.18.0.0 */

enum { HOST_BITS = 17, PORT_LEAST = 1024, TTL = 64 };

/* Set by live.c. */
volatile const struct flood_sums flood_sums;

static __u32 (*draw)(void) = (void *)BPF_FUNC_get_prandom_u32;

struct frame {
	struct ethhdr ether;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 mss_sack_kind_length[8];
	__u32 timestamp;
} __attribute__((packed));

static inline __u32
halves(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static inline __u16
sum_close(__u32 sum)
{
	return (__u16)~halves(halves(sum));
}

SECTION("xdp")
int
flood_forge(struct xdp_md *ctx)
{
	struct frame *frame = (struct frame *)(long)ctx->data;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__u32 who = draw(), number = draw();
	__u32 source = __builtin_bswap32(NETWORK | (who & ((1 << HOST_BITS) - 1)));
	__u16 port = __builtin_bswap16((__u16)(PORT_LEAST + (who >> HOST_BITS)));

	frame->ip.ttl = TTL;
	frame->ip.saddr = source;
	frame->ip.check = sum_close(flood_sums.ip + halves(source));
	frame->tcp.source = port;
	frame->tcp.seq = number;
	frame->timestamp = number;
	frame->tcp.check = sum_close(flood_sums.tcp + halves(source) + port + 2 * halves(number));
	return XDP_TX;
}

SECTION("license") char license_text[] = "Dual BSD/GPL";
