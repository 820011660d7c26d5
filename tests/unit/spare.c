/* SPDX-License-Identifier: BSD-3-Clause */
#include "spare.h"

static bool
packet_get(void *context, struct pkt *pkt)
{
	struct spare *spare = context;

	*pkt = (struct pkt){.data = spare->bytes, .tailroom = sizeof(spare->bytes)};
	return true;
}

static void
packet_emit(void *context, enum side out, struct pkt *pkt)
{
	(void)context, (void)out, (void)pkt;
}

static void
packet_drop(void *context, struct pkt *pkt)
{
	(void)context, (void)pkt;
}

void
spare_serve(struct spare *spare, struct sluice_env *env)
{
	env->context = spare;
	env->packet_get = packet_get;
	env->packet_emit = packet_emit;
	env->packet_drop = packet_drop;
}
