/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands whose answer is sentences that the appliance wrote: explain and doctor. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "command.h"
#include "field.h"
#include "session.h"

#define ENDPOINT_BYTES 128

/* Both ends of a connection, as words of a request. */
struct ends {
	char client[ENDPOINT_BYTES];
	char backend[ENDPOINT_BYTES];
};

static bool
is_port(const char *text)
{
	char *end;
	const unsigned long port = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port <= 65535;
}

/* "10.0.0.1:40000" or "[fd00::1]:40000". */
static bool
is_endpoint(const char *text)
{
	const bool is_ip6 = text[0] == '[';
	const char *end = is_ip6 ? strchr(text, ']') : strchr(text, ':');
	char address[ENDPOINT_BYTES];
	struct in6_addr bytes;

	if (end == NULL || !is_port(end + (is_ip6 ? 2 : 1)) || (is_ip6 && end[1] != ':'))
		return false;
	text += is_ip6;
	snprintf(address, sizeof(address), "%.*s", (int)(end - text), text);
	return inet_pton(is_ip6 ? AF_INET6 : AF_INET, address, &bytes) == 1;
}

/* Copies length bytes without the spaces around; false when they are too many, or none. */
static bool
copy_trimmed(char to[ENDPOINT_BYTES], const char *from, size_t length)
{
	for (; length > 0 && *from == ' '; from++)
		length--;
	while (length > 0 && from[length - 1] == ' ')
		length--;
	if (length == 0 || length >= ENDPOINT_BYTES)
		return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return true;
}

/* Splits at the first "-" or "->": no address has one, names of backends may. */
static bool
split(struct ends *ends, const char *text)
{
	const char *dash = strchr(text, '-');
	const char *rest;

	if (dash == NULL)
		return false;
	rest = dash + (dash[1] == '>' ? 2 : 1);
	return copy_trimmed(ends->client, text, (size_t)(dash - text)) &&
	       copy_trimmed(ends->backend, rest, strlen(rest));
}

/* One argument, or two, or two with an arrow between them. */
static bool
ends_take(struct ends *ends, const struct options *options)
{
	const char **words = options->arguments;

	if (options->count == 1)
		return split(ends, words[0]);
	if (options->count == 3 && strcmp(words[1], "->") != 0 && strcmp(words[1], "-") != 0)
		return false;
	return copy_trimmed(ends->client, words[0], strlen(words[0])) &&
	       copy_trimmed(ends->backend, words[options->count - 1],
			       strlen(words[options->count - 1]));
}

enum status
explain_run(struct session *session)
{
	const struct options *options = session->options;
	struct ends ends;
	json_t *request;
	json_t *result;

	if (!ends_take(&ends, options))
		return session_fail(session, STATUS_USAGE, NULL,
				"explain needs CLIENT and BACKEND; try: sluicectl help explain");
	if (!is_endpoint(ends.client))
		return session_fail(session, STATUS_USAGE, NULL,
				"\"%s\" is no client: ADDRESS:PORT or [ADDRESS]:PORT", ends.client);
	if (strchr(ends.backend, ':') != NULL && !is_endpoint(ends.backend))
		return session_fail(session, STATUS_USAGE, NULL,
				"\"%s\" is no backend: ADDRESS:PORT, [ADDRESS]:PORT or a name",
				ends.backend);
	request = session_request("explain");
	session_put(request, "client", ends.client);
	session_put(request, "backend", ends.backend);
	if (options_has(options, OPTION_VLAN))
		json_object_set_new(request, "vlan",
				json_integer((json_int_t)options->numbers[OPTION_VLAN]));
	result = session_ask_for(session, request, JSON_OBJECT);
	if (result == NULL)
		return STATUS_REFUSED;
	if (session_is_json(session))
		session_print_json(result);
	else
		session_print_lines(stdout, json_object_get(result, "lines"));
	json_decref(result);
	return STATUS_OK;
}

/* An appliance that sends findings without lines is still understood. */
static void
doctor_print(const json_t *result)
{
	const json_t *findings = json_object_get(result, "findings");
	const json_t *finding;
	size_t i;

	if (session_print_lines(stdout, json_object_get(result, "lines")) > 0)
		return;
	if (json_array_size(findings) == 0)
		puts("nothing wrong");
	json_array_foreach(findings, i, finding)
	{
		session_print_lines(stdout, json_object_get(finding, "text"));
	}
}

enum status
doctor_run(struct session *session)
{
	json_t *result = session_ask_for(session, session_request("doctor"), JSON_OBJECT);
	bool is_calm;

	if (result == NULL)
		return STATUS_REFUSED;
	is_calm = json_is_true(json_object_get(result, "healthy")) &&
		  json_array_size(json_object_get(result, "findings")) == 0;
	if (session_is_json(session))
		session_print_json(result);
	else
		doctor_print(result);
	json_decref(result);
	return is_calm ? STATUS_OK : STATUS_FINDINGS;
}
