/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP server: hands out what lies on the shelf, and the page's files. Nothing a caller sends
 * makes it ask the appliance, or keep more than a few kilobytes. One thread of libmicrohttpd.
 */
#ifndef SLUICE_EXPORTER_HTTP_H
#define SLUICE_EXPORTER_HTTP_H

#include <stdbool.h>

#include "body.h"
#include "callers.h"
#include "options.h"

struct http {
	struct MHD_Daemon *daemon; /**< owned; NULL: not started */
	int listener;		   /**< until it is started */
	bool is_loopback;
	struct shelf *shelf;
	struct callers callers;
};

/** Listens; false when it can't, already said. Callers are served from http_start() on. */
bool http_open(struct http *http, const struct options *options, struct shelf *shelf);

bool http_start(struct http *http);

void http_close(struct http *http);

/** True for the Host of a request that may be answered when only this machine is to reach us: an
 * address, localhost, or none (NULL). A web page elsewhere can have a name of its own point here,
 * but not an address (DNS rebinding). */
bool http_host_is_local(const char *host);

#endif
