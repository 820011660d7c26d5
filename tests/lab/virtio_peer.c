/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine at the other end of a virtio port: virtio_peer VDEV TAP [EAL ARGUMENT...] joins
 * DPDK's end of vhost-user to a tap device of the kernel's, with all offloads, as a hypervisor
 * does. Frames of up to 64 KB and checksums left open pass as such, both ways.
 * On SIGUSR1 it prints {"to_port": n, "from_port": n}: how many such merged frames went each way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#define MBUFS 16383
#define DESCRIPTORS 1024
#define BURST 32
#define FRAME_MAX (64 << 10)
#define SEGMENTS_MAX 64
#define EAL_ARGUMENTS 32
#define IDLE_US 20

struct join {
	int tap;
	uint16_t port;
	struct rte_mempool *pool;
	uint64_t to_port; /* merged frames */
	uint64_t from_port;
};

static volatile sig_atomic_t stopped, asked;

static void
on_signal(int number)
{
	if (number == SIGUSR1)
		asked = 1;
	else
		stopped = 1;
}

static int
tap_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) != 0 ||
			ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) {
		perror(name);
		return -1;
	}
	return tap;
}

static bool
port_start(struct join *join)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_info_get(join->port, &info) != 0)
		return false;
	conf.rxmode.offloads =
			info.rx_offload_capa &
			(RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
					RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER);
	conf.txmode.offloads =
			info.tx_offload_capa &
			(RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
					RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	return rte_eth_dev_configure(join->port, 1, 1, &conf) == 0 &&
	       rte_eth_rx_queue_setup(join->port, 0, DESCRIPTORS, 0, NULL, join->pool) == 0 &&
	       rte_eth_tx_queue_setup(join->port, 0, DESCRIPTORS, 0, NULL) == 0 &&
	       rte_eth_dev_start(join->port) == 0;
}

/* Bytes in front of IP; 0 when the frame isn't IP. */
static unsigned
l3_offset(const uint8_t *frame)
{
	unsigned at = 12;

	while (frame[at] == 0x81 && frame[at + 1] == 0x00)
		at += 4;
	if ((frame[at] == 0x08 && frame[at + 1] == 0x00) ||
			(frame[at] == 0x86 && frame[at + 1] == 0xdd))
		return at + 2;
	return 0;
}

/* What the kernel left open, said in DPDK's terms. */
static void
mark_for_port(struct rte_mbuf *m, const struct virtio_net_hdr *hdr)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const unsigned l3 = l3_offset(frame);

	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || l3 == 0)
		return;
	m->l2_len = l3;
	m->l3_len = hdr->csum_start - l3;
	m->ol_flags |= frame[l3] >> 4 == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags |= hdr->csum_offset == offsetof(struct rte_tcp_hdr, cksum)
				       ? RTE_MBUF_F_TX_TCP_CKSUM
				       : RTE_MBUF_F_TX_UDP_CKSUM;
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->l4_len = (frame[hdr->csum_start + 12u] >> 4) * 4u;
		m->tso_segsz = hdr->gso_size;
	}
}

/* A chain with the frame's bytes; NULL without mbufs. */
static struct rte_mbuf *
chain_make(struct rte_mempool *pool, const uint8_t *bytes, size_t length)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);

	for (struct rte_mbuf *tail = head; tail != NULL && length > 0;) {
		const uint16_t n = (uint16_t)RTE_MIN((size_t)rte_pktmbuf_tailroom(tail), length);

		memcpy(rte_pktmbuf_mtod(tail, uint8_t *), bytes, n);
		tail->data_len = n;
		head->pkt_len += n;
		bytes += n;
		length -= n;
		if (length == 0)
			break;
		tail->next = rte_pktmbuf_alloc(pool);
		tail = tail->next;
		head->nb_segs++;
		if (tail == NULL) {
			head->nb_segs--;
			rte_pktmbuf_free(head);
			return NULL;
		}
	}
	return head;
}

/* One frame from the kernel to the port; false when there was none. */
static bool
kernel_to_port(struct join *join)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + FRAME_MAX + 64];
	const ssize_t n = read(join->tap, buffer, sizeof(buffer));
	struct virtio_net_hdr hdr;
	struct rte_mbuf *m;

	if (n <= (ssize_t)sizeof(hdr))
		return false;
	memcpy(&hdr, buffer, sizeof(hdr));
	m = chain_make(join->pool, buffer + sizeof(hdr), (size_t)n - sizeof(hdr));
	if (m == NULL)
		return true;
	mark_for_port(m, &hdr);
	join->to_port += hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	if (rte_eth_tx_prepare(join->port, 0, &m, 1) != 1 ||
			rte_eth_tx_burst(join->port, 0, &m, 1) != 1)
		rte_pktmbuf_free(m);
	return true;
}

/* What the port left open, said in the kernel's terms. */
static struct virtio_net_hdr
mark_for_kernel(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const unsigned l3 = l3_offset(frame);
	const bool is_ip4 = l3 != 0 && frame[l3] >> 4 == 4;
	const bool is_open =
			(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
	struct virtio_net_hdr hdr = {.flags = 0};

	if (l3 == 0 || !(is_open || m->ol_flags & RTE_MBUF_F_RX_LRO))
		return hdr;
	hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr.csum_start = (uint16_t)(l3 + (is_ip4 ? (frame[l3] & 15u) * 4 : 40));
	hdr.csum_offset = frame[l3 + (is_ip4 ? 9 : 6)] == IPPROTO_TCP ? 16 : 6;
	if (m->ol_flags & RTE_MBUF_F_RX_LRO) {
		hdr.gso_type = is_ip4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		hdr.gso_size = m->tso_segsz;
		hdr.hdr_len = (uint16_t)(hdr.csum_start + (frame[hdr.csum_start + 12u] >> 4) * 4u);
	}
	return hdr;
}

static void
port_to_kernel(struct join *join, struct rte_mbuf *m)
{
	struct virtio_net_hdr hdr = mark_for_kernel(m);
	struct iovec parts[SEGMENTS_MAX + 1] = {{&hdr, sizeof(hdr)}};
	int count = 1;

	join->from_port += hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	for (const struct rte_mbuf *part = m; part != NULL && count <= SEGMENTS_MAX;
			part = part->next)
		parts[count++] = (struct iovec){rte_pktmbuf_mtod(part, void *), part->data_len};
	if (writev(join->tap, parts, count) < 0 && errno != EAGAIN && errno != EIO)
		perror("writev");
	rte_pktmbuf_free(m);
}

static void
join_tell(const struct join *join)
{
	printf("{\"to_port\": %llu, \"from_port\": %llu}\n", (unsigned long long)join->to_port,
			(unsigned long long)join->from_port);
	fflush(stdout);
}

static void
join_run(struct join *join)
{
	while (!stopped) {
		struct rte_mbuf *mbufs[BURST];
		const uint16_t count = rte_eth_rx_burst(join->port, 0, mbufs, BURST);
		bool is_idle = count == 0;

		for (unsigned i = 0; i < count; i++)
			port_to_kernel(join, mbufs[i]);
		for (unsigned i = 0; i < BURST && kernel_to_port(join); i++)
			is_idle = false;
		if (asked) {
			asked = 0;
			join_tell(join);
		}
		if (is_idle)
			usleep(IDLE_US);
	}
}

int
main(int argc, char **argv)
{
	char *arguments[EAL_ARGUMENTS] = {argv[0], "--no-pci", "--in-memory",
			"--single-file-segments", "--no-telemetry", "--log-level=warning",
			"--vdev"};
	struct join join = {0};
	int count = 7;

	if (argc < 3 || argc - 3 + count > EAL_ARGUMENTS) {
		fprintf(stderr, "usage: virtio_peer VDEV TAP [EAL ARGUMENT...]\n");
		return 2;
	}
	arguments[count++] = argv[1];
	for (int i = 3; i < argc; i++)
		arguments[count++] = argv[i];
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGUSR1, on_signal);
	join.tap = tap_open(argv[2]);
	if (join.tap < 0 || rte_eal_init(count, arguments) < 0)
		return 1;
	join.pool = rte_pktmbuf_pool_create("peer", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (join.pool == NULL || rte_eth_dev_count_avail() != 1 || !port_start(&join))
		return 1;
	printf("{\"ready\": true}\n");
	fflush(stdout);
	join_run(&join);
	rte_eth_dev_stop(join.port);
	rte_eth_dev_close(join.port);
	rte_eal_cleanup();
	return 0;
}
