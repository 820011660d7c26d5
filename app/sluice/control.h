/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread: what it owns (the registry of backends, its history, the control socket) and
 * what it does between start and stop: signals, commands, once a second a look at the ports, the
 * socket's file and what drains, and a few times a second one at the workers.
 */
#ifndef SLUICE_APP_CONTROL_H
#define SLUICE_APP_CONTROL_H

#include "control/incidents.h"
#include "control/registry.h"
#include "control_socket.h"
#include "keys.h"
#include "log.h"
#include "report.h"
#include "say.h"

struct control {
	/* Given. */
	struct workers *workers; /**< workers_init() was called */
	struct port *ports;	 /**< SIDE_COUNT of them */
	const struct keys *keys;
	const struct snapshot *before; /**< of the process before, or NULL; until control_open() */
	bool keeps_state;
	struct report report;
	/* Owned. */
	int signals;
	bool has_registry;
	struct registry registry;
	struct command_env commands;
	struct history *history;
	struct incidents *incidents;
	struct log log;
	struct control_socket *socket;
	struct control_socket *readers; /**< the sibling that only reads */
	uint64_t alive_interval_ms; /**< the service manager wants to hear of us; 0: it does not */
	bool all_work;		    /**< no worker is known to stand still */
	bool was_ready;		    /**< said so */
	bool wants_upgrade;
};

/** Publishes the first configuration, which it takes over, and listens at its control.socket; what
 * is given is set. False when it can't, already said; call control_close() in either case. */
bool control_open(struct control *control, const char *path, struct config *config);

/** Makes the tables of the configured lists of sources, which need DPDK's memory. False when it
 * can't, already said. */
bool control_open_lists(struct control *control);

/** Ends them. The workers have ended. */
void control_close_lists(struct control *control);

/** Says "ready", and runs until a stop or, seen by wants_upgrade, an upgrade is wished
 * (EXIT_CODE_OK), or a port is gone (EXIT_CODE_ENVIRONMENT). The workers run. */
enum exit_code control_run(struct control *control);

/** Hangs up and frees everything, the configuration too. The workers have ended. */
void control_close(struct control *control);

#endif
