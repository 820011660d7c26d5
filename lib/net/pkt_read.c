/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses the variant; what that leaves is done here, packet by packet. */
#include "net/pkt_read.h"

#include "net/bytes.h"
#include "net/csum.h"

/* A vector's way takes as long for one packet as for PKT_READ_LANES. */
#define PACKETS_WORTH_A_VECTOR 4

#if defined(__x86_64__)
/* Fewer than PKT_READ_LANES: the places left are of packets that are nothing. */
static struct pkt_alike
read_few(struct pkt *pkts, unsigned count, enum side from)
{
	const uint16_t ours = (uint16_t)((1u << count) - 1);
	struct pkt lanes[PKT_READ_LANES];
	struct pkt_alike alike;

	for (unsigned i = 0; i < PKT_READ_LANES; i++)
		lanes[i] = i < count ? pkts[i]
				     : (struct pkt){.data = pkts[0].data, .kind = PKT_BAD};
	alike = pkt_read_avx512(lanes, from);
	memcpy(pkts, lanes, count * sizeof(*pkts));
	return (struct pkt_alike){alike.syns & ours, alike.acks & ours};
}

static struct pkt_alike
read_group(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from)
{
	if (kernel == KERNEL_AVX512 && count == PKT_READ_LANES)
		return pkt_read_avx512(pkts, from);
	if (kernel == KERNEL_AVX512 && count >= PACKETS_WORTH_A_VECTOR)
		return read_few(pkts, count, from);
	return (struct pkt_alike){0};
}
#else
static struct pkt_alike
read_group(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from)
{
	(void)kernel;
	(void)pkts;
	(void)count;
	(void)from;
	return (struct pkt_alike){0};
}
#endif

struct pkt_alike
pkt_read(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from)
{
	struct pkt_alike first = {0};

	for (unsigned i = 0; i < count; i += PKT_READ_LANES) {
		const unsigned n = count - i < PKT_READ_LANES ? count - i : PKT_READ_LANES;
		const struct pkt_alike alike = read_group(kernel, &pkts[i], n, from);

		if (i == 0)
			first = alike;
		if (LIKELY((alike.syns | alike.acks) == (1u << n) - 1))
			continue;
		for (unsigned j = i; j < i + n; j++)
			if (UNLIKELY(pkts[j].kind == PKT_UNPARSED))
				pkt_parse(&pkts[j], from);
	}
	return first;
}

uint32_t
pkt_read_segments(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from)
{
	const uint32_t all = (uint32_t)((UINT64_C(1) << count) - 1);
	uint32_t alike = 0;

	ENSURE(count <= PKT_SEGMENTS_MAX);
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512)
		alike = pkt_read_segments_avx512(pkts, count, from);
#else
	(void)kernel;
#endif
	for (uint32_t left = all & ~alike; left != 0; left &= left - 1) {
		struct pkt *pkt = &pkts[__builtin_ctz(left)];

		if (pkt->kind == PKT_UNPARSED)
			pkt_parse(pkt, from);
	}
	return alike;
}

/* The running TCP sum, completed. */
static uint64_t
sum_whole(enum kernel kernel, const struct pkt *pkt)
{
	const uint32_t begun = pkt->l3_offset + PKT_READ_IP_BYTES;
	const uint32_t end = pkt->l4_offset + pkt->l4_length;

	if (end <= begun)
		return pkt->csum_begun;
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512)
		return csum_add_avx512(pkt->csum_begun, pkt->data + begun, end - begun);
#endif
	(void)kernel;
	return csum_add(pkt->csum_begun, pkt->data + begun, end - begun);
}

enum reason
pkt_check_rest(enum kernel kernel, struct pkt *pkt)
{
	if (!(pkt->checked & PKT_HEADERS_SOUND))
		return pkt_check_tcp(pkt);
	if (!(pkt->checked & PKT_SUM_RIGHT) && csum_fold(sum_whole(kernel, pkt)) != 0xffff)
		return pkt_check_tcp(pkt);
	if (!(pkt->checked & PKT_OPTIONS_READ) &&
			!tcp_opt_parse(pkt->data + pkt->l4_offset + TCP_BYTES_MIN,
					pkt->tcp_header_length - (unsigned)TCP_BYTES_MIN,
					&pkt->opt))
		return REASON_tcp_options;
	return REASON_NONE;
}
