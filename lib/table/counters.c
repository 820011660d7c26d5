/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/counters.h"

static const char *const counter_names[] = {
#define COUNTER(name, text) #name,
#include "table/counters.def"
#undef COUNTER
};

static const char *const counter_texts[] = {
#define COUNTER(name, text) text,
#include "table/counters.def"
#undef COUNTER
};

static const char *const emitted_names[EMITTED_COUNT] = {
		[EMITTED_SYN_ACK_AGAIN] = "syn_ack_again",
		[EMITTED_WINDOW_UPDATE] = "window_update",
		[EMITTED_SYN] = "syn",
		[EMITTED_SYN_AGAIN] = "syn_again",
		[EMITTED_RST_CLIENT] = "rst_client",
		[EMITTED_RST_BACKEND] = "rst_backend",
		[EMITTED_ACK] = "ack",
		[EMITTED_EARLY_DATA] = "early_data",
		[EMITTED_PROBE_SYN] = "probe_syn",
		[EMITTED_PROBE_QUESTION] = "probe_question",
};

const char *
backend_counter_name(enum backend_counter counter)
{
	ENSURE(counter < BACKEND_COUNTER_COUNT);
	return counter_names[counter];
}

const char *
backend_counter_text(enum backend_counter counter)
{
	ENSURE(counter < BACKEND_COUNTER_COUNT);
	return counter_texts[counter];
}

const char *
emitted_name(enum emitted emitted)
{
	ENSURE(emitted < EMITTED_COUNT);
	return emitted_names[emitted];
}
