/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file: JSON to struct config, validated whole. Every error of a file is
 * found in one run, each with JSON path, line, the value and what is allowed; with any error
 * nothing is returned. Keys, defaults and ranges are documented in config/README.md and
 * config/schema.json; a test keeps the three in step.
 */
#ifndef SLUICE_CONTROL_CONFIG_H
#define SLUICE_CONTROL_CONFIG_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"
#include "control/prefix_list.h"
#include "table/snapshot.h"
#include "table/source_limit.h"

#define CONFIG_WORKERS_MAX 128

/** What to make of a TCP checksum that a virtual peer left to hardware that isn't there. */
enum config_checksum {
	CONFIG_CHECKSUM_AUTO,	 /**< complete on kernel and virtual devices, strict on real NICs */
	CONFIG_CHECKSUM_STRICT,	 /**< "strict": it counts as wrong */
	CONFIG_CHECKSUM_PARTIAL, /**< "partial": complete it */
};

/** Tag protocol of the outer one of two VLAN tags, where the kernel took it off and says not which.
 */
enum config_qinq {
	CONFIG_QINQ_8100, /**< "0x8100": as net_af_packet puts it back */
	CONFIG_QINQ_88A8, /**< "0x88a8": IEEE 802.1ad */
};

struct config_port {
	char *device; /**< PCI address or vdev string */
	uint16_t mtu; /**< 0: keep the device's */
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	enum config_checksum checksum;
	enum config_qinq qinq_outer;
};

/** Which clients are denied, allowed and limited by their address. */
struct config_sources {
	char *deny_file;  /**< NULL: none */
	char *allow_file; /**< NULL: none */
	struct source_rates rates;
	struct prefix_list *list; /**< what both files hold; NULL: neither is configured, or the
				     configuration was never a file */
};

struct config {
	struct config_port ports[SIDE_COUNT]; /**< SIDE_CLIENT: "client", SIDE_BACKEND: "server" */
	unsigned worker_count;
	unsigned worker_cpus[CONFIG_WORKERS_MAX]; /**< distinct */
	unsigned control_cpu;
	char *control_socket;
	uint32_t drain_s;    /**< how long a removed backend may drain; 0: for ever */
	uint32_t watchdog_s; /**< a worker without progress for so long is told of; 0: none is */
	struct timeouts timeouts;
	struct probe_config probe;
	struct egress_rates egress;
	struct config_sources sources;
	char *secret_file; /**< NULL: a random secret per start */
	unsigned eal_count;
	char **eal; /**< extra EAL arguments, eal_count of them */
	uint32_t connections_per_worker;
	uint32_t syn_entries_per_worker;
	uint32_t ip6_connections_per_worker;
	uint32_t mbufs;			   /**< in all */
	uint32_t early_packets_per_worker; /**< as configured: see config_early_packets() */
	uint32_t monitor_clients_per_worker;
	uint32_t source_prefixes_per_worker; /**< that the SYN rate limit knows at a time */
	uint32_t backends_max;
	unsigned backend_count;
	struct backend_config *backends; /**< slots numbered from 0 in file order */
};

/** Errors of one run; text lines ready to print, each "FILE:LINE: PATH: what is wrong ...". */
struct config_errors {
	unsigned count;
	char **lines;
};

/**
 * Reads and validates the file at path. Returns the configuration (config_free() it), or NULL with
 * at least one line in errors; out of memory stops the process. errors may hold anything before;
 * config_errors_free() it after either outcome.
 */
struct config *config_load(const char *path, struct config_errors *errors);

/** The same for a reload: never waits, so anything but a regular file is an error. */
struct config *config_load_again(const char *path, struct config_errors *errors);

/** The same from text of length bytes; name stands for the file in messages. No NUL needed. */
struct config *config_parse(
		const char *name, const char *text, size_t length, struct config_errors *errors);

/**
 * Sets one key of a backend as its object in a file could, with the same checks: "set NAME.KEY:
 * what is wrong ...". name, address and port can't be set. False with errors filled, and the
 * backend as it was.
 */
bool config_set(struct backend_config *backend, const char *key, const json_t *value,
		struct config_errors *errors);

/** What keeps a backend's profile from being probed, as a constant; NULL: nothing, or it is not to
 * be. */
const char *config_probe_problem(
		const struct probe_config *probe, const struct backend_config *backend);

/** Says, one line per key, which keys differ that only take effect at start; name stands for the
 * file that next comes from. False when there are any. */
bool config_can_follow(const struct config *config, const struct config *next, const char *name,
		struct config_errors *errors);

/** True when any key of a file has another value in two backends. */
bool backend_config_differs(const struct backend_config *a, const struct backend_config *b);

/** Moves what takes effect at once from next into config, and ends next. Everything else in config
 * stays where it is. */
void config_follow(struct config *config, struct config *next);

/** Packets of clients' first data that each worker may hold: the configured number, or the default
 * that follows from limits.mbufs, which pays for them. */
uint32_t config_early_packets(const struct config *config);

void config_free(struct config *config);
void config_errors_free(struct config_errors *errors);

#endif
