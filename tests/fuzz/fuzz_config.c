/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: any bytes as a configuration file. Beside what the sanitizers see, either a
 * configuration comes back or error lines do, each one line of printable ASCII that starts with
 * the file's name, and the configuration keeps the promises that the appliance builds on.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config.h"
#include "control/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
expect_lines(const struct config_errors *errors)
{
	for (unsigned i = 0; i < errors->count; i++) {
		const char *line = errors->lines[i];

		ENSURE(strncmp(line, "fuzz.json:", 10) == 0);
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

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config_errors errors;
	struct config *config = config_parse("fuzz.json", (const char *)bytes, size, &errors);

	ENSURE((config == NULL) == (errors.count > 0));
	expect_lines(&errors);
	if (config != NULL)
		expect_config(config);
	config_free(config);
	config_errors_free(&errors);
	return 0;
}
