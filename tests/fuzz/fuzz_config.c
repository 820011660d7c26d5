/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: any bytes as a configuration file, and as a file of prefixes. Beside what the
 * sanitizers see, either a configuration comes back or error lines do, each one line of printable
 * ASCII that starts with the file's name, and the configuration keeps the promises that the
 * appliance builds on.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config.h"
#include "control/prefix_file.h"
#include "control/publish.h"
#include "table/exempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
expect_lines(const struct config_errors *errors, const char *name)
{
	for (unsigned i = 0; i < errors->count; i++) {
		const char *line = errors->lines[i];

		ENSURE(strncmp(line, name, strlen(name)) == 0);
		for (; *line != '\0'; line++)
			ENSURE(*line >= ' ' && *line < 0x7f);
	}
}

static void
expect_config(const struct config *config)
{
	struct snapshot *snapshot;

	ENSURE(config->ports[SIDE_CLIENT].device[0] != '\0');
	ENSURE(config->ports[SIDE_BACKEND].device[0] != '\0');
	ENSURE(config->worker_count >= 1 && config->worker_count <= CONFIG_WORKERS_MAX);
	ENSURE(config->control_socket[0] != '\0');
	ENSURE(config->connections_per_worker >= 1);
	ENSURE(config->ip6_connections_per_worker <= config->connections_per_worker);
	ENSURE(config->backend_count <= config->backends_max);
	for (unsigned i = 0; i < config->backend_count; i++) {
		const struct backend_config *backend = &config->backends[i];

		ENSURE(backend->slot == i && backend->port != 0 && backend->name[0] != '\0');
		ENSURE(backend->family == FAMILY_IP4 || backend->family == FAMILY_IP6);
		ENSURE(backend->tcp_syncookies <= 2 && backend->tcp_syn_retries >= 1);
		ENSURE(backend->connect_window >= 1 && backend->announced_mss >= 88);
	}
	/* Stops by itself if an address and port were let through twice. */
	snapshot = snapshot_from_config(config, 1, 1);
	ENSURE(snapshot != NULL && snapshot_count(snapshot) == config->backend_count);
	snapshot_free(snapshot);
}

/* What tables are built from: sorted, each once, no bit behind its length. */
static void
expect_list(const struct prefix_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct prefix *prefix = &list->prefixes[i];
		const unsigned least = prefix->family == FAMILY_IP4 ? EXEMPT_IP4_BITS : 0;

		ENSURE(prefix->family == FAMILY_IP4 || prefix->family == FAMILY_IP6);
		ENSURE(prefix->length >= least && prefix->length <= 128 && prefix->line > 0);
		ENSURE(exempt_is_prefix(&prefix->address, prefix->length));
		ENSURE(prefix_list_find(list, &prefix->address, (enum family)prefix->family) !=
				NULL);
		ENSURE(i == 0 || (!prefix_is_equal(prefix - 1, prefix) &&
						 !(prefix_covers(prefix, prefix - 1))));
	}
}

/* The first line ends the text of one file and begins the other's. */
static void
try_prefixes(const char *text, size_t size)
{
	const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
	const size_t first = end != NULL ? (size_t)(end - text) : 0;
	struct config_report report = {.name = "fuzz.json"};
	struct prefix_list *list = prefix_list_new();
	struct config_errors errors;

	prefix_text_read(&report, list, "fuzz.txt", text, first, SOURCE_ALLOWED);
	prefix_text_read(&report, list, "fuzz.txt", text + first, size - first, SOURCE_DENIED);
	prefix_list_join(&report, list, "fuzz.txt", "fuzz.txt");
	config_report_finish(&report, &errors);
	ENSURE(errors.count <= 3 * (PREFIX_FILE_ERRORS_MAX + 1));
	expect_lines(&errors, "fuzz.txt:");
	expect_list(list);
	prefix_list_free(list);
	config_errors_free(&errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config_errors errors;
	struct config *config = config_parse("fuzz.json", (const char *)bytes, size, &errors);

	ENSURE((config == NULL) == (errors.count > 0));
	expect_lines(&errors, "fuzz.json:");
	if (config != NULL)
		expect_config(config);
	config_free(config);
	config_errors_free(&errors);
	try_prefixes((const char *)bytes, size);
	return 0;
}
