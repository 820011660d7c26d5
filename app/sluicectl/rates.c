/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure. A counter that became lower is another appliance's, or another backend's of that name. */
#include "rates.h"

#include "base/base.h"
#include "base/reason.h"
#include "field.h"

/* Every way a SYN for a backend can end; no counter has them all. */
static const enum reason syn_reasons[] = {
		REASON_syn_cookie_sent,
		REASON_syn_queued,
		REASON_syn_again,
		REASON_syn_queue_full,
		REASON_syn_reserved,
		REASON_syn_draining,
		REASON_syn_accept_full,
};

static const struct {
	const char *name;
	const char *counter; /* NULL: sum of syn_reasons */
} kinds[RATE_COUNT] = {
		[RATE_SYNS] = {"syns", NULL},
		[RATE_COOKIES] = {"cookies", "SyncookiesSent"},
		[RATE_PROOFS] = {"proofs", "PassiveOpens"},
		[RATE_ESTABLISHED] = {"established", "Established"},
		[RATE_DROPS] = {"drops", "ListenDrops"},
};

const char *
rate_name(enum rate rate)
{
	return kinds[rate].name;
}

void
sample_fini(struct sample *sample)
{
	json_decref(sample->ping);
	json_decref(sample->netstat);
	json_decref(sample->ss);
	*sample = (struct sample){0};
}

/* What was added to a counter; negative when it became lower. */
static double
added(const json_t *before, const json_t *now, const char *name)
{
	return field_number(now, name) - field_number(before, name);
}

static double
syns_added(const struct sample *before, const struct sample *now)
{
	const json_t *old = json_object_get(before->netstat, "reasons");
	const json_t *new = json_object_get(now->netstat, "reasons");
	double sum = 0;

	for (size_t i = 0; i < ARRAY_COUNT(syn_reasons); i++)
		sum += added(old, new, reason_name(syn_reasons[i]));
	return sum;
}

static struct rates
rates_of(const struct sample *before, const struct sample *now, const json_t *old,
		const json_t *new)
{
	const double seconds = now->at_s - before->at_s;
	struct rates rates = {
			.is_known = json_is_object(old) && json_is_object(new) && seconds > 0 &&
				    field_count(before->ping, "pid") ==
						    field_count(now->ping, "pid"),
	};

	for (unsigned i = 0; i < RATE_COUNT && rates.is_known; i++) {
		const double count = kinds[i].counter != NULL ? added(old, new, kinds[i].counter)
							      : syns_added(before, now);

		rates.values[i] = count / seconds;
		if (count < 0)
			rates = (struct rates){0};
	}
	return rates;
}

struct rates
rates_total(const struct sample *before, const struct sample *now)
{
	return rates_of(before, now, json_object_get(before->netstat, "total"),
			json_object_get(now->netstat, "total"));
}

struct rates
rates_backend(const struct sample *before, const struct sample *now, const char *backend)
{
	return rates_of(before, now,
			json_object_get(json_object_get(before->netstat, "backends"), backend),
			json_object_get(json_object_get(now->netstat, "backends"), backend));
}
