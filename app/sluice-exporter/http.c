/* SPDX-License-Identifier: BSD-3-Clause */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/base.h"
#include "page.h"
#include "sample.h"

#define BACKLOG 512
#define CONNECTION_BYTES 8192 /* the largest request that is read */
#define IDLE_S 10
#define STACK_BYTES 262144

#define TEXT "text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

static const struct {
	const char *path;
	enum body_kind kind;
	const char *type;
} bodies[] = {
		{"/metrics", BODY_METRICS, METRICS},
		{"/status.json", BODY_STATUS, "application/json"},
		{"/history.json", BODY_HISTORY, "application/json"},
};

bool
http_host_is_local(const char *host)
{
	char name[INET6_ADDRSTRLEN + 2];
	size_t length;
	struct in_addr v4;
	struct in6_addr v6;

	if (host == NULL)
		return true;
	length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	if (length >= sizeof(name) || length > strlen(host))
		return false;
	memcpy(name, host, length);
	name[length] = '\0';
	if (name[0] == '[') {
		name[length - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &v6) == 1;
	}
	return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4) == 1;
}

/* Sends it, and gives it back. */
static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned status, const char *type,
		struct MHD_Response *response)
{
	static const struct {
		const char *name, *value;
	} always[] = {
			{"Connection", "close"},
			{"Cache-Control", "no-store"},
			{"Content-Security-Policy",
					"default-src 'none'; script-src 'self'; style-src 'self'; "
					"img-src 'self'; connect-src 'self'; base-uri 'none'; "
					"form-action 'none'; frame-ancestors 'none'"},
			{"X-Content-Type-Options", "nosniff"},
			{"X-Frame-Options", "DENY"},
			{"Referrer-Policy", "no-referrer"},
			{"Cross-Origin-Resource-Policy", "same-origin"},
	};
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	for (unsigned i = 0; i < ARRAY_COUNT(always); i++)
		MHD_add_response_header(response, always[i].name, always[i].value);
	MHD_add_response_header(response, "Content-Type", type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
respond_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return respond(connection, status, TEXT,
			MHD_create_response_from_buffer(
					strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result
respond_body(struct http *http, struct MHD_Connection *connection, enum body_kind kind,
		const char *type)
{
	struct body *body = shelf_take(http->shelf, kind);
	struct MHD_Response *response;

	if (body == NULL)
		return respond_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not yet\n");
	response = MHD_create_response_from_buffer_with_free_callback_cls(
			body->length, body->text, body_release, body);
	if (response == NULL)
		body_release(body);
	return respond(connection, MHD_HTTP_OK, type, response);
}

static bool
wants_openmetrics(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(
			connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
}

static enum MHD_Result
respond_path(struct http *http, struct MHD_Connection *connection, const char *path)
{
	if (strcmp(path, "/metrics") == 0 && wants_openmetrics(connection))
		return respond_body(http, connection, BODY_OPENMETRICS, OPENMETRICS);
	for (unsigned i = 0; i < ARRAY_COUNT(bodies); i++) {
		if (strcmp(path, bodies[i].path) == 0)
			return respond_body(http, connection, bodies[i].kind, bodies[i].type);
	}
	for (unsigned i = 0; i < page_file_count; i++) {
		const struct page_file *file = &page_files[i];

		if (strcmp(path, file->path) == 0)
			return respond(connection, MHD_HTTP_OK, file->type,
					MHD_create_response_from_buffer(file->length,
							(void *)file->bytes,
							MHD_RESPMEM_PERSISTENT));
	}
	if (strcmp(path, "/healthz") == 0)
		return respond_text(connection, MHD_HTTP_OK, "ok\n");
	if (strcmp(path, "/readyz") == 0 && shelf_is_ready(http->shelf))
		return respond_text(connection, MHD_HTTP_OK, "ready\n");
	if (strcmp(path, "/readyz") == 0)
		return respond_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				"the appliance does not answer\n");
	return respond_text(connection, MHD_HTTP_NOT_FOUND, "there is nothing here; try /\n");
}

static struct caller *
caller_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* MHD's parameters; called once per request, since it is answered at once, its body unread. */
static enum MHD_Result
answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
		const char *version, const char *upload, size_t *upload_size, void **request)
{
	struct http *http = context;
	const char *host = MHD_lookup_connection_value(
			connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

	(void)version, (void)upload, (void)upload_size, (void)request;
	callers_asked(&http->callers, caller_of(connection));
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return respond_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (http->is_loopback && !http_host_is_local(host))
		return respond_text(connection, MHD_HTTP_MISDIRECTED_REQUEST,
				"this listens for this machine only: ask by address or "
				"localhost\n");
	return respond_path(http, connection, url);
}

static void
connection_changed(void *context, struct MHD_Connection *connection, void **socket_context,
		enum MHD_ConnectionNotificationCode code)
{
	struct http *http = context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		callers_remove(&http->callers, *socket_context);
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*socket_context = callers_add(&http->callers, info->connect_fd, sample_clock_ms());
}

/* What callers do wrong is none of the log's business. */
__attribute__((format(printf, 2, 0))) static void
ignore(void *context, const char *format, va_list arguments)
{
	(void)context, (void)format, (void)arguments;
}

bool
http_open(struct http *http, const struct options *options, struct shelf *shelf)
{
	const int on = 1;

	*http = (struct http){.shelf = shelf, .is_loopback = options_is_loopback(options)};
	callers_init(&http->callers);
	http->listener = socket(
			options->listen.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (http->listener >= 0 &&
			setsockopt(http->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ==
					0 &&
			bind(http->listener, (const struct sockaddr *)&options->listen,
					options->listen_length) == 0 &&
			listen(http->listener, BACKLOG) == 0)
		return true;
	say("--listen: can't listen there: %s", strerror(errno));
	return false;
}

bool
http_start(struct http *http)
{
	http->daemon = MHD_start_daemon(
			MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL,
			NULL, answer, http, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL,
			MHD_OPTION_LISTEN_SOCKET, http->listener, MHD_OPTION_CONNECTION_LIMIT,
			(unsigned)CALLERS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
			MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
			MHD_OPTION_NOTIFY_CONNECTION, connection_changed, http, MHD_OPTION_END);
	if (http->daemon != NULL) {
		http->listener = -1; /* it closes it */
		return true;
	}
	say("can't start the HTTP server");
	return false;
}

void
http_close(struct http *http)
{
	if (http->daemon != NULL)
		MHD_stop_daemon(http->daemon);
	if (http->listener >= 0)
		close(http->listener);
	callers_fini(&http->callers);
}
