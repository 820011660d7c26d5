/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiver of RFC 3168 6.1.3, one bit of state: an echo is owed. */
#include "proxy/ecn.h"

/* A CWR answers older marks; one on the same segment is new. */
static void
ecn_note(struct conn *conn, const struct pkt *pkt)
{
	if (pkt->flags & TCP_CWR)
		conn->flags &= (uint8_t) ~(unsigned)CONN_ECN_ECHO;
	if ((pkt->tos & IP_ECN_MASK) == IP_ECN_CE)
		conn->flags |= CONN_ECN_ECHO;
}

void
ecn_translate(struct conn *conn, struct pkt *pkt, enum side from, bool is_inside)
{
	if (from == SIDE_CLIENT) {
		if (is_inside)
			ecn_note(conn, pkt);
		rewrite_flags(pkt, TCP_ECE | TCP_CWR, 0);
		rewrite_not_ect(pkt);
	} else if (conn->flags & CONN_ECN_ECHO && !(pkt->flags & TCP_RST)) {
		rewrite_flags(pkt, 0, TCP_ECE);
	}
}
