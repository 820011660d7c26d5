/* SPDX-License-Identifier: BSD-3-Clause */
/* reason.def as three tables; a number that is no reason stops the process. */
#include "base/reason.h"

#include <assert.h>

#include "base/base.h"

static const char *const names[REASON_COUNT] = {
		[REASON_NONE] = "none",
#define REASON(name, verdict, text) [REASON_##name] = #name,
#include "base/reason.def"
#undef REASON
};

static const char *const texts[REASON_COUNT] = {
		[REASON_NONE] = "not decided yet",
#define REASON(name, verdict, text) [REASON_##name] = text,
#include "base/reason.def"
#undef REASON
};

/* Bytes, so that the table the packet path reads spans one or two cache lines. REASON_NONE drops:
 * a packet that nobody decided about must not travel on. */
static const uint8_t verdicts[REASON_COUNT] = {
		[REASON_NONE] = VERDICT_DROP,
#define REASON(name, verdict, text) [REASON_##name] = VERDICT_##verdict,
#include "base/reason.def"
#undef REASON
};
static_assert(REASON_COUNT <= UINT8_MAX, "struct pkt keeps a reason in one byte");

const char *
reason_name(enum reason reason)
{
	ENSURE((unsigned)reason < REASON_COUNT);
	return names[reason];
}

const char *
reason_text(enum reason reason)
{
	ENSURE((unsigned)reason < REASON_COUNT);
	return texts[reason];
}

enum verdict
reason_verdict(enum reason reason)
{
	ENSURE((unsigned)reason < REASON_COUNT);
	return (enum verdict)verdicts[reason];
}
