/* SPDX-License-Identifier: BSD-3-Clause */
#include "live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "flood.bpf.h"
#include "sender.h"

#define BATCH 64
/* A run can't be ended between two looks for signals but by its length: a few seconds. */
#define RUN_MAX 10000000u

#define IP_OFFSET sizeof(struct ether_header)
#define TCP_OFFSET (IP_OFFSET + sizeof(struct iphdr))
#define TCP_LENGTH (LIVE_FRAME_LENGTH - TCP_OFFSET)
#define TIMESTAMP_OFFSET (TCP_OFFSET + sizeof(struct tcphdr) + 8)

static volatile sig_atomic_t has_signal;

static void
signal_take(int number)
{
	(void)number;
	has_signal = 1;
}

/* A running program only sees signals that are not blocked. */
static void
signals_unblock(void)
{
	struct sigaction action = {.sa_handler = signal_take};
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
}

static uint32_t
words_sum(const void *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += sizeof(uint16_t)) {
		uint16_t word;

		memcpy(&word, (const uint8_t *)bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* The frame without what the program writes into it, and the sums of what remains. */
static struct flood_sums
frame_strip(uint8_t *frame)
{
	uint8_t *ip = frame + IP_OFFSET, *tcp = frame + TCP_OFFSET;

	memset(ip + offsetof(struct iphdr, check), 0, sizeof(uint16_t));
	memset(ip + offsetof(struct iphdr, saddr), 0, sizeof(uint32_t));
	memset(tcp + offsetof(struct tcphdr, th_sport), 0, sizeof(uint16_t));
	memset(tcp + offsetof(struct tcphdr, th_seq), 0, sizeof(uint32_t));
	memset(tcp + offsetof(struct tcphdr, th_sum), 0, sizeof(uint16_t));
	memset(frame + TIMESTAMP_OFFSET, 0, sizeof(uint32_t));
	return (struct flood_sums){
			.ip = words_sum(ip, sizeof(struct iphdr)),
			.tcp = words_sum(ip + offsetof(struct iphdr, daddr), sizeof(uint32_t)) +
			       htons(IPPROTO_TCP) + htons(TCP_LENGTH) + words_sum(tcp, TCP_LENGTH),
	};
}

static int
program_load(const char *path, const struct flood_sums *sums)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (object == NULL)
		sender_fail(path);
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata");
	struct bpf_program *program = bpf_object__find_program_by_name(object, "flood_forge");

	if (constants == NULL || program == NULL ||
			bpf_map__set_initial_value(constants, sums, sizeof(*sums)) != 0 ||
			bpf_object__load(object) != 0)
		sender_fail(path);
	return bpf_program__fd(program);
}

/* Since the interface came up, modulo 2^32. */
static uint32_t
packets_sent(const char *interface)
{
	struct ifaddrs *all;
	uint32_t sent = 0;

	if (getifaddrs(&all) != 0)
		sender_fail(interface);
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		if (strcmp(one->ifa_name, interface) == 0 && one->ifa_addr != NULL &&
				one->ifa_addr->sa_family == AF_PACKET)
			sent = ((const struct rtnl_link_stats *)one->ifa_data)->tx_packets;
	}
	freeifaddrs(all);
	return sent;
}

uint32_t
live_flood(const char *object, const char *interface, const uint8_t *frame, uint64_t count)
{
	uint8_t bytes[LIVE_FRAME_LENGTH];
	struct xdp_md context = {
			.data_end = sizeof(bytes), .ingress_ifindex = if_nametoindex(interface)};
	uint32_t before = packets_sent(interface);

	memcpy(bytes, frame, sizeof(bytes));
	struct flood_sums sums = frame_strip(bytes);
	int program = program_load(object, &sums);

	signals_unblock();
	for (uint64_t done = 0; done < count && !has_signal; done += RUN_MAX) {
		uint64_t left = count - done;
		struct bpf_test_run_opts run = {.sz = sizeof(run),
				.data_in = bytes,
				.data_size_in = sizeof(bytes),
				.ctx_in = &context,
				.ctx_size_in = sizeof(context),
				.repeat = (int)(left < RUN_MAX ? left : RUN_MAX),
				.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
				.batch_size = BATCH};

		if (bpf_prog_test_run_opts(program, &run) != 0 && errno != EINTR)
			sender_fail(interface);
	}
	return packets_sent(interface) - before;
}
