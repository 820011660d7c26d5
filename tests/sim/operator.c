/* SPDX-License-Identifier: BSD-3-Clause */
#include "operator.h"

#include <stdlib.h>
#include <string.h>

/* From tick to tick of a worker that has a letter. */
#define LETTER_INTERVAL TICKS_PER_MS

#define LETTER_ROWS 16

static void
backend_address(struct backend_config *config, unsigned slot)
{
	uint8_t address[16];
	uint32_t ip4_be;

	address_backend(slot, address);
	if (address_backend_version(slot) == 4) {
		memcpy(&ip4_be, address, sizeof(ip4_be));
		config->address = ip_addr_from_ip4(ip4_be);
	} else {
		memcpy(config->address.bytes, address, sizeof(address));
	}
}

static struct backend_config
backend_config(const struct plan *plan, const struct queue_settings *queues, unsigned slot)
{
	bool ip4 = address_backend_version(slot) == 4;
	struct backend_config config = {
			.port = address_backend_port(slot),
			.slot = (uint16_t)slot,
			.family = ip4 ? FAMILY_IP4 : FAMILY_IP6,
			.tcp_syncookies = queues->syncookies,
			.tcp_abort_on_overflow = queues->abort_on_overflow,
			.tcp_synack_retries = queues->synack_retries,
			.tcp_syn_retries = plan->syn_retries,
			.queue_rules = (uint8_t)queues->rules,
			.backlog = queues->backlog,
			.somaxconn = 4096,
			.tcp_max_syn_backlog = queues->max_syn_backlog,
			.connect_window = queues->connect_window,
			.early_data = (uint8_t)queues->early_data,
			.announced_mss = ip4 ? 1460 : 1440,
			.announced_wscale = queues->announced_wscale,
			.is_draining = queues->is_draining,
			.stray = queues->resets_strays ? STRAY_RESET : STRAY_DROP,
			.incarnation = 1,
	};

	backend_address(&config, slot);
	return config;
}

/* What was announced stays so in the epochs that the new plan names one by one. */
static void
fix_wscale(struct backend_config *config, const struct backend_config *before,
		const struct cookie_plan *old, const struct cookie_plan *next)
{
	for (unsigned i = 0; i < COOKIE_PLAN_EPOCHS - 1; i++)
		config->earlier_wscale[i] =
				(uint8_t)(1 + backend_config_wscale(before, old, next->first + i));
}

static void *
memory_of(size_t size, uint8_t filler)
{
	void *memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));

	if (memory == NULL)
		abort();
	memset(memory, filler, cache_align(size));
	return memory;
}

static void
publish(struct operator* operator, const struct version * version)
{
	void *memory = memory_of(snapshot_memsize(BACKENDS), operator->filler);
	struct snapshot *snapshot = snapshot_init(
			memory, BACKENDS, ++operator->generation, dice_roll(operator->dice));

	for (unsigned slot = 0; slot < BACKENDS; slot++)
		ENSURE(snapshot_insert(snapshot, &operator->backends[slot]) == 0);
	snapshot_set_cookies(snapshot, &operator->cookies, operator->plan->foreign_cookies);
	snapshot_set_egress(snapshot, &version->egress);
	egress_watch_set(&operator->checker->egress, &version->egress, operator->plan->workers);
	operator->checker->version = version;
	operator->appliance->snapshot = snapshot;
	free(operator->memory);
	operator->memory = memory;
}

static void
reload(void *context, void *subject)
{
	struct operator* operator= context;
	const struct version *version = subject;
	struct siphash_key secret = operator->cookies.secrets[COOKIE_PLAN_EPOCHS - 1];
	struct cookie_plan next;

	if (version->changes_secret)
		secret = (struct siphash_key){dice_roll(operator->dice), operator->plan->seed };
	next = cookie_plan_next(&operator->cookies, &secret, operator->clock->now);
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		struct backend_config config =
				backend_config(operator->plan, &version->queues[slot], slot);

		fix_wscale(&config, &operator->backends[slot], &operator->cookies, &next);
		operator->backends[slot] = config;
	}
	operator->cookies = next;
	trace_note(operator->checker->trace, operator->clock->now, "reload");
	publish(operator, version);
}

static void
letter_answered(struct operator* operator, unsigned core)
{
	struct inspect *letter = &operator->letters[core];

	for (unsigned i = 0; i < letter->count; i++) {
		if (letter->rows[i].slot != letter->slot)
			checker_fault(operator->checker, -1, "another backend's client is listed");
		queue_watch_row(&operator->appliance->watch, &letter->rows[i]);
	}
	if (letter->kind == INSPECT_FLUSH)
		checker_flushed(operator->checker, letter->slot);
}

/* Until the worker has done all of it, a listing page by page, some of it with each tick. */
static void
letter_look(void *context, void *subject)
{
	struct operator* operator= context;
	unsigned core = (unsigned)(uintptr_t)subject;
	struct inspect *letter = &operator->letters[core];

	appliance_tick(operator->appliance, core);
	if (letter->done) {
		letter_answered(operator, core);
		if (letter->kind == INSPECT_FLUSH || !letter->more) {
			operator->letters_out--;
			return;
		}
		letter->count = 0;
		letter->done = 0;
		operator->appliance->cores[core].box = letter;
	}
	clock_at(operator->clock, operator->clock->now + LETTER_INTERVAL, letter_look, operator,
			subject);
}

static void
order_given(void *context, void *subject)
{
	struct operator* operator= context;
	const struct order *order = subject;

	/* One letter at a time and worker. */
	if (operator->letters_out> 0)
		return;
	operator->letters_out = operator->plan->workers;
	trace_note(operator->checker->trace, operator->clock->now,
			order->flushes ? "flush" : "list");
	if (order->flushes)
		checker_flushed(operator->checker, order->slot);
	for (unsigned core = 0; core < operator->plan->workers; core++) {
		operator->letters[core] =(struct inspect){
				.kind = order->flushes ? INSPECT_FLUSH : INSPECT_SYN_QUEUE,
				.slot = order->slot,
				.limit = LETTER_ROWS,
		};
		operator->appliance->cores[core].box = & operator->letters[core];
		letter_look(operator, (void *)(uintptr_t) core);
	}
}

void operator_start(struct operator* operator)
{
	const struct plan *plan = operator->plan;
	struct siphash_key secret = {dice_roll(operator->dice), plan->seed};

	operator->cookies = cookie_plan_make(&secret);
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		operator->backends[slot] =
				backend_config(plan, &plan->versions[0].queues[slot], slot);
	publish(operator, & plan->versions[0]);
	for (unsigned i = 1; i < plan->version_count; i++)
		clock_at(operator->clock, plan->versions[i].at,
				reload, operator, (void *)(uintptr_t) & plan->versions[i]);
	for (unsigned i = 0; i < plan->order_count; i++)
		clock_at(operator->clock, plan->orders[i].at,
				order_given, operator, (void *)(uintptr_t) & plan->orders[i]);
}

void operator_fini(struct operator* operator)
{
	free(operator->memory);
}
