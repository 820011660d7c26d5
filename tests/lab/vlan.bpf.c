/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tc classifiers that put a host of the lab into a VLAN, or into a VLAN within a VLAN, without
 * VLAN devices: push on egress, pop on ingress. Frames are tagged as a VLAN device would do it,
 * segmentation and checksum offload included.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define SECTION(name) __attribute__((section(name), used))
#define NETWORK_ORDER(value) __builtin_bswap16(value)

static long (*vlan_push)(struct __sk_buff *, __be16, __u16) = (void *)BPF_FUNC_skb_vlan_push;
static long (*vlan_pop)(struct __sk_buff *) = (void *)BPF_FUNC_skb_vlan_pop;

/* The VLANs that test_foreign.py looks for. */
enum { VLAN_ID = 10, QINQ_INNER_ID = 7, QINQ_OUTER_ID = 20 };

/* TC_ACT_OK is 0, so outcomes of several steps join by |. */
static inline int
push(struct __sk_buff *frame, __u16 ethertype, __u16 id)
{
	return vlan_push(frame, NETWORK_ORDER(ethertype), id) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Frames without that tag, which no host of the VLAN would get, are dropped. */
static inline int
pop(struct __sk_buff *frame, __u16 id)
{
	if (!frame->vlan_present || (frame->vlan_tci & 0xfff) != id)
		return TC_ACT_SHOT;
	return vlan_pop(frame) ? TC_ACT_SHOT : TC_ACT_OK;
}

SECTION("tc/push_vlan")
int
push_vlan(struct __sk_buff *frame)
{
	return push(frame, ETH_P_8021Q, VLAN_ID);
}

SECTION("tc/pop_vlan")
int
pop_vlan(struct __sk_buff *frame)
{
	return pop(frame, VLAN_ID);
}

SECTION("tc/push_qinq")
int
push_qinq(struct __sk_buff *frame)
{
	return push(frame, ETH_P_8021Q, QINQ_INNER_ID) | push(frame, ETH_P_8021AD, QINQ_OUTER_ID);
}

SECTION("tc/pop_qinq")
int
pop_qinq(struct __sk_buff *frame)
{
	return pop(frame, QINQ_OUTER_ID) | pop(frame, QINQ_INNER_ID);
}

/* The same with the outer tag that DPDK's net_af_packet makes of any. */
SECTION("tc/push_stacked")
int
push_stacked(struct __sk_buff *frame)
{
	return push(frame, ETH_P_8021Q, QINQ_INNER_ID) | push(frame, ETH_P_8021Q, QINQ_OUTER_ID);
}

SECTION("tc/pop_stacked")
int
pop_stacked(struct __sk_buff *frame)
{
	return pop_qinq(frame);
}

SECTION("license") char license_text[] = "Dual BSD/GPL";
