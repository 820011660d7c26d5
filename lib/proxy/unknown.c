/* SPDX-License-Identifier: BSD-3-Clause */
#include "proxy/unknown.h"

#include "proxy/probe.h"
#include "proxy/strays.h"
#include "proxy/worker_impl.h"

enum reason
unknown_from_client(struct worker *w, const struct task *task)
{
	enum reason reason = REASON_stray_client;
	struct proof proof;

	if (task->pkt->flags & TCP_SYN)
		return stray_take(w, task, reason);
	if (task->pkt->flags & TCP_RST) {
		reason = handshake_reset(w, task);
		return reason == REASON_stray_client ? stray_take(w, task, reason) : reason;
	}
	switch (handshake_check(w, task, &proof)) {
	case PROOF_VALID:
		return handshake_admit(w, task, &proof);
	case PROOF_NOT_ASKED:
		break;
	case PROOF_INVALID:
		worker_count(w, task->config->slot, COUNTER_SyncookiesFailed, 1);
		reason = REASON_ack_cookie_invalid;
		break;
	}
	return stray_take(w, task, reason);
}

enum reason
unknown_from_backend(struct worker *w, const struct task *task)
{
	enum reason reason = probe_answer(w, task->config, task->pkt);

	return reason == REASON_NONE ? stray_take(w, task, REASON_stray_backend) : reason;
}
