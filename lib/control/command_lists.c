/* SPDX-License-Identifier: BSD-3-Clause */
/* What commands say of the operator's lists of sources, and of the rate. */
#include <string.h>

#include "control/command_request.h"
#include "control/command_text.h"

static json_t *
list_json(const struct config_sources *sources, enum source_verdict verdict)
{
	const char *file = verdict == SOURCE_DENIED ? sources->deny_file : sources->allow_file;
	const struct prefix_list *list = sources->list;

	return json_pack("{s:o, s:I, s:I}", "file",
			file != NULL ? plain_json(file, strlen(file)) : json_null(), "ipv4",
			(json_int_t)prefix_list_count(list, FAMILY_IP4, verdict), "ipv6",
			(json_int_t)prefix_list_count(list, FAMILY_IP6, verdict));
}

json_t *
source_lists_json(const struct request *request)
{
	const struct registry *registry = request->env->registry;
	const struct config_sources *sources = &registry->config->sources;
	const ticks_t read_at = registry->lists_read_at;

	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:i, s:i}", "deny",
			list_json(sources, SOURCE_DENIED), "allow",
			list_json(sources, SOURCE_ALLOWED), "read_ago_s",
			(json_int_t)(request->now > read_at ? (request->now - read_at) / TICKS_PER_S
							    : 0),
			"syn_per_s", (json_int_t)sources->rates.syn_per_s, "syn_burst",
			(json_int_t)sources->rates.burst, "prefix", sources->rates.prefix,
			"prefix6", sources->rates.prefix6);
}

const struct prefix *
source_lists_decide(const struct registry *registry, const struct tuple *tuple, const char **file)
{
	const struct config_sources *sources = &registry->config->sources;
	const struct prefix *prefix =
			sources->list != NULL ? prefix_list_find(sources->list, &tuple->client,
								(enum family)tuple->family)
					      : NULL;

	if (prefix != NULL)
		*file = prefix->verdict == SOURCE_DENIED ? sources->deny_file : sources->allow_file;
	return prefix;
}
