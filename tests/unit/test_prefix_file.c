/* SPDX-License-Identifier: BSD-3-Clause */
/* The operator's lists of prefixes: what a line may be, what is wrong with it, which prefix
 * decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/mix.h"
#include "control/prefix_file.h"

static union ip_addr
address(const char *text, enum family *family)
{
	union ip_addr found;
	struct in_addr ip4;

	*family = strchr(text, ':') != NULL ? FAMILY_IP6 : FAMILY_IP4;
	if (*family == FAMILY_IP6) {
		assert_int_equal(inet_pton(AF_INET6, text, found.bytes), 1);
		return found;
	}
	assert_int_equal(inet_pton(AF_INET, text, &ip4), 1);
	return ip_addr_from_ip4(ip4.s_addr);
}

/* Reads two texts as both files; the errors are the caller's. */
static struct prefix_list *
read_both(const char *deny, size_t deny_length, const char *allow, struct config_errors *errors)
{
	struct config_report report = {.name = "sluice.json"};
	struct prefix_list *list = prefix_list_new();

	prefix_text_read(&report, list, "deny.txt", deny, deny_length, SOURCE_DENIED);
	prefix_text_read(&report, list, "allow.txt", allow, strlen(allow), SOURCE_ALLOWED);
	prefix_list_join(&report, list, "deny.txt", "allow.txt");
	config_report_finish(&report, errors);
	return list;
}

static struct prefix_list *
read_deny(const char *deny)
{
	struct config_errors errors;
	struct prefix_list *list = read_both(deny, strlen(deny), "", &errors);

	if (errors.count > 0)
		fail_msg("%s", errors.lines[0]);
	return list;
}

/* 1. Ways to write the same thing, and things that say nothing. */
static void
test_lines(void **state)
{
	static const struct {
		const char *text;
		unsigned count;
		const char *first; /* as written back */
	} cases[] = {
			{"", 0, NULL},
			{"\n\n \t\n\r\n", 0, NULL},
			{"# 10.0.0.0/8\n;10.0.0.0/8\n   # x", 0, NULL},
			{"10.0.0.0/8", 1, "10.0.0.0/8"},
			{"10.0.0.0/8\n", 1, "10.0.0.0/8"},
			{"10.0.0.0/8\r\n", 1, "10.0.0.0/8"},
			{"\t 10.0.0.0/8 \t", 1, "10.0.0.0/8"},
			{"10.0.0.0/8#\xff\xff", 1, "10.0.0.0/8"},
			{"1.10.16.0/20 ; SBL256894", 1, "1.10.16.0/20"},
			{"10.1.2.3", 1, "10.1.2.3/32"},
			{"10.1.2.3/32\n10.1.2.3\n10.1.2.3", 1, "10.1.2.3/32"},
			{"0.0.0.0/0", 1, "0.0.0.0/0"},
			{"255.255.255.255", 1, "255.255.255.255/32"},
			{"2001:db8::/32", 1, "2001:db8::/32"},
			{"2001:DB8:0::/32", 1, "2001:db8::/32"},
			{"::/0", 1, "::/0"},
			{"fe80::1", 1, "fe80::1/128"},
			{"::ffff:0:0:0/80", 1, "::ffff:0:0:0/80"},
			{"0.0.0.0/0\n::/0\n10.0.0.0/8\n10.0.0.0/9", 4, "0.0.0.0/0"},
			{"10.0.0.0/9\n::/0\n10.0.0.0/8", 3, "10.0.0.0/8"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct prefix_list *list = read_deny(cases[i].text);
		char text[PREFIX_TEXT_BYTES];

		assert_int_equal(list->count, cases[i].count);
		if (list->count > 0) {
			prefix_write(&list->prefixes[0], text);
			assert_string_equal(text, cases[i].first);
		}
		prefix_list_free(list);
	}
}

/* 2. Every kind of malformed line, all told in one run, with its number. */
static void
test_malformed(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
			{"10.0.0.0/33", "length not in 0..32 (value 10.0.0.0/33)"},
			{"2001:db8::/129", "length not in 0..128 (value 2001:db8::/129)"},
			{"10.0.0.0/", "length not in 0..32 (value 10.0.0.0/)"},
			{"10.0.0.0/08", "length not in 0..32 (value 10.0.0.0/08)"},
			{"10.0.0.0/+8", "length not in 0..32 (value 10.0.0.0/+8)"},
			{"10.0.0.0/-8", "length not in 0..32 (value 10.0.0.0/-8)"},
			{"10.0.0.0/8/8", "length not in 0..32 (value 10.0.0.0/8/8)"},
			{"10.0.0.0/4294967304", "length not in 0..32 (value 10.0.0.0/4294967304)"},
			{"10.0.0.0/255.0.0.0", "length not in 0..32 (value 10.0.0.0/255.0.0.0)"},
			{"10.0.0.1/8", "has bits set behind its length (value 10.0.0.1/8)"},
			{"2001:db8::1/64", "has bits set behind its length (value 2001:db8::1/64)"},
			{"1.2.3.4/0", "has bits set behind its length (value 1.2.3.4/0)"},
			{"10.0.0", "not a prefix (value 10.0.0)"},
			{"10.0.0.256", "not a prefix (value 10.0.0.256)"},
			{"10.0.0.0 /8", "not a prefix (value 10.0.0.0 /8)"},
			{"10.0.0.0/8 10.1.0.0/16",
					"length not in 0..32 (value 10.0.0.0/8 10.1.0.0/16)"},
			{"10.0.0.1-10.0.0.9", "not a prefix (value 10.0.0.1-10.0.0.9)"},
			{"10/8", "not a prefix (value 10/8)"},
			{"example.com", "not a prefix (value example.com)"},
			{"/8", "not a prefix (value /8)"},
			{"2001:db8::/32::", "length not in 0..128 (value 2001:db8::/32::)"},
			{"::ffff:1.2.3.4", "IPv4-mapped prefix; write the IPv4 prefix itself "
					   "(value ::ffff:1.2.3.4)"},
			{"fe80::1%eth0", "not a prefix (value fe80::1%eth0)"},
			{"\xef\xbb\xbf"
			 "10.0.0.0/8",
					"not a prefix (value \\xef\\xbb\\xbf10.0.0.0/8)"},
			{"0000000000000000000000000000000000000000000000000000000000000000",
					"not a prefix (value "
					"000000000000000000000000000000000000000000000...)"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct config_errors errors;
		struct prefix_list *list;
		char text[256], wanted[256];

		snprintf(text, sizeof(text), "# first\n10.1.0.0/16\n%s\n10.2.0.0/16\n",
				cases[i].line);
		snprintf(wanted, sizeof(wanted), "deny.txt:3: %s", cases[i].message);
		list = read_both(text, strlen(text), "", &errors);
		assert_int_equal(errors.count, 1);
		assert_string_equal(errors.lines[0], wanted);
		assert_int_equal(list->count, 2);
		prefix_list_free(list);
		config_errors_free(&errors);
	}
}

/* 3. A NUL does not end anything: neither a line nor a prefix. */
static void
test_nul(void **state)
{
	static const char text[] = "10.0.0.0/8\0\n10.1.0.0/16\n";
	struct config_errors errors;
	struct prefix_list *list = read_both(text, sizeof(text) - 1, "", &errors);

	(void)state;
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], "deny.txt:1: not a prefix (value 10.0.0.0/8\\x00)");
	assert_int_equal(list->count, 1);
	prefix_list_free(list);
	config_errors_free(&errors);
}

/* 4. The same prefix in both files is an error; another length of it is not. Bounded, like all. */
static void
test_both(void **state)
{
	struct config_errors errors;
	struct prefix_list *list;
	const char *deny = "10.0.0.0/8\n\n10.1.0.0/16\n2001:db8::/32\n";
	char many[4096] = "", *end = many;

	(void)state;
	list = read_both(deny, strlen(deny),
			"10.0.0.0/9\n10.1.0.0/16\n2001:db8::/32\n2001:db8::/33\n10.1.0.0/16\n",
			&errors);
	assert_int_equal(errors.count, 3);
	assert_string_equal(errors.lines[0],
			"allow.txt:2: also denied, by deny.txt:3 (value 10.1.0.0/16)");
	assert_string_equal(errors.lines[1],
			"allow.txt:5: also denied, by deny.txt:3 (value 10.1.0.0/16)");
	assert_string_equal(errors.lines[2],
			"allow.txt:3: also denied, by deny.txt:4 (value 2001:db8::/32)");
	prefix_list_free(list);
	config_errors_free(&errors);

	for (unsigned i = 0; i < 100; i++)
		end += sprintf(end, "10.0.0.%u\n", i);
	list = read_both(many, strlen(many), many, &errors);
	assert_int_equal(errors.count, PREFIX_FILE_ERRORS_MAX + 1);
	assert_string_equal(errors.lines[PREFIX_FILE_ERRORS_MAX],
			"allow.txt: 80 more lines are denied, too");
	prefix_list_free(list);
	config_errors_free(&errors);

	for (end = many; end < many + 1000; end += 2)
		memcpy(end, "x\n", 2);
	list = read_both(many, 1000, many + 2000, &errors);
	assert_int_equal(errors.count, PREFIX_FILE_ERRORS_MAX + 1);
	assert_string_equal(errors.lines[0], "deny.txt:1: not a prefix (value x)");
	assert_string_equal(errors.lines[PREFIX_FILE_ERRORS_MAX],
			"deny.txt: 480 more lines are no prefixes");
	prefix_list_free(list);
	config_errors_free(&errors);
}

/* 5. The longest prefix decides, whichever file it is in: by hand, and against a plain search. */
static void
test_find(void **state)
{
	static const struct {
		const char *address;
		const char *found; /* NULL: none */
	} cases[] = {
			{"10.1.2.3", "10.1.2.3/32"},
			{"10.1.2.4", "10.1.2.0/24"},
			{"10.1.3.4", "10.0.0.0/8"},
			{"11.0.0.0", NULL},
			{"9.255.255.255", NULL},
			{"2001:db8::1", "2001:db8::/32"},
			{"2001:db9::1", "::/0"},
			{"::a01:203", "::/0"},
	};
	struct config_errors errors;
	const char *deny = "10.0.0.0/8\n10.1.2.3\n::/0\n";
	struct prefix_list *list =
			read_both(deny, strlen(deny), "10.1.2.0/24\n2001:db8::/32\n", &errors);
	uint64_t random = 7;

	(void)state;
	assert_int_equal(errors.count, 0);
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		enum family family;
		const union ip_addr asked = address(cases[i].address, &family);
		const struct prefix *found = prefix_list_find(list, &asked, family);
		char text[PREFIX_TEXT_BYTES] = "";

		if (found != NULL)
			prefix_write(found, text);
		assert_string_equal(text, cases[i].found != NULL ? cases[i].found : "");
	}
	assert_int_equal(prefix_list_count(list, FAMILY_IP4, SOURCE_DENIED), 2);
	assert_int_equal(prefix_list_count(list, FAMILY_IP4, SOURCE_ALLOWED), 1);
	assert_int_equal(prefix_list_count(list, FAMILY_IP6, SOURCE_DENIED), 1);
	assert_int_equal(prefix_list_count(list, FAMILY_IP6, SOURCE_ALLOWED), 1);
	prefix_list_free(list);

	for (unsigned round = 0; round < 200; round++) {
		struct config_report report = {.name = "f"};

		list = prefix_list_new();
		for (unsigned i = 0; i < 40; i++) {
			const unsigned length = 96 + (unsigned)(mix_next(&random) % 33);
			const uint32_t mask = length == 96 ? 0 : UINT32_MAX << (128 - length);
			const uint32_t ip = (uint32_t)mix_next(&random) & 0xc0000303 & mask;

			prefix_list_add(list,
					&(struct prefix){.address = ip_addr_from_ip4(htobe32(ip)),
							.length = (uint8_t)length,
							.family = FAMILY_IP4,
							.verdict = SOURCE_DENIED,
							.line = i});
		}
		prefix_list_join(&report, list, "d", "a");
		for (unsigned i = 0; i < 100; i++) {
			const uint32_t ip = (uint32_t)mix_next(&random) & 0xc0000303;
			const struct prefix host = {.address = ip_addr_from_ip4(htobe32(ip)),
					.length = 128,
					.family = FAMILY_IP4};
			const struct prefix *best = NULL;

			for (uint32_t k = 0; k < list->count; k++)
				if (prefix_covers(&list->prefixes[k], &host) &&
						(best == NULL || list->prefixes[k].length >
										 best->length))
					best = &list->prefixes[k];
			assert_ptr_equal(prefix_list_find(list, &host.address, FAMILY_IP4), best);
		}
		prefix_list_free(list);
	}
}

/* A file with that text, at a path that is the caller's to unlink and free. */
static char *
write_file(const char *text)
{
	char *path = strdup("/tmp/sluice-prefixes-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void
refused(const char *path, const char *problem)
{
	struct config_report report = {.name = "sluice.json"};
	struct prefix_list *list = prefix_files_read(&report, path, NULL);
	struct config_errors errors;
	char wanted[256];

	config_report_finish(&report, &errors);
	snprintf(wanted, sizeof(wanted), "%s: %s", path, problem);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], wanted);
	config_errors_free(&errors);
	prefix_list_free(list);
}

/* 6. What is no file that one can read says so, and nothing is waited for. */
static void
test_files(void **state)
{
	char *path = write_file("10.0.0.0/8\n");
	struct config_report report = {.name = "sluice.json"};
	struct prefix_list *list = prefix_files_read(&report, path, NULL);

	(void)state;
	assert_int_equal(report.count, 0);
	assert_int_equal(list->count, 1);
	prefix_list_free(list);
	assert_int_equal(truncate(path, (off_t)PREFIX_FILE_BYTES_MAX + 1), 0);
	refused(path, "larger than 64 MiB");
	unlink(path);
	refused(path, "cannot be opened: No such file or directory");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(path, "is no regular file");
	unlink(path);
	refused("/tmp", "is a directory");
	if (geteuid() != 0) {
		assert_int_equal(mknod(path, S_IFREG, 0), 0);
		refused(path, "cannot be opened: Permission denied");
		unlink(path);
	}
	free(path);
}

/* 7. As many prefixes as there may be, then lines without one, and one more. */
static void
test_too_many(void **state)
{
	struct config_report report = {.name = "sluice.json"};
	struct prefix_list *list = prefix_list_new();
	const size_t line = strlen("10.000.000.000\n");
	static const char none[] = "# nobody\n\n  ; yet",
			  more[] = "\n# one\n11.0.0.0/8\n12.0.0.0/8\n";
	char *text = malloc(PREFIX_LIST_MAX * line + 1), *end = text;
	struct config_errors errors;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < PREFIX_LIST_MAX; i++)
		end += sprintf(end, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	prefix_text_read(&report, list, "deny.txt", text, (size_t)(end - text), SOURCE_DENIED);
	assert_int_equal(list->count, PREFIX_LIST_MAX);
	prefix_text_read(&report, list, "allow.txt", none, strlen(none), SOURCE_ALLOWED);
	assert_int_equal(report.count, 0);
	prefix_text_read(&report, list, "allow.txt", more, strlen(more), SOURCE_ALLOWED);
	assert_int_equal(list->count, PREFIX_LIST_MAX);
	config_report_finish(&report, &errors);
	assert_int_equal(errors.count, 1);
	assert_string_equal(
			errors.lines[0], "allow.txt:3: more than 1000000 prefixes in all lists");
	config_errors_free(&errors);
	prefix_list_free(list);
	free(text);
}

/* 8. Configured files: read with the configuration, their errors behind its own, in one run; a file
 * that changed without its configuration is another list. */
static void
test_configured(void **state)
{
	static const char format[] =
			"{\"ports\": {\"client\": {\"device\": \"net_null0\"}, \"server\": "
			"{\"device\": \"net_null1\"}},\n\"workers\": {\"cpus\": [0]},\n"
			"\"sources\": {\"deny_file\": \"%s\", \"allow_file\": \"%s\", "
			"\"syn_per_s\": %s},\n\"backends\": []}";
	char *deny = write_file("10.0.0.0/8\n"), *allow = write_file("10.1.0.0/16\n10.2\n"), *path;
	struct config_errors errors;
	char text[1024], wanted[256];
	struct config *config;

	(void)state;
	snprintf(text, sizeof(text), format, deny, allow, "-1");
	path = write_file(text);
	assert_null(config_load(path, &errors));
	assert_int_equal(errors.count, 2);
	snprintf(wanted, sizeof(wanted),
			"%s:3: sources.syn_per_s: out of range (value -1; allowed 0..1000000)",
			path);
	assert_string_equal(errors.lines[0], wanted);
	snprintf(wanted, sizeof(wanted), "%s:2: not a prefix (value 10.2)", allow);
	assert_string_equal(errors.lines[1], wanted);
	config_errors_free(&errors);
	unlink(path);
	free(path);

	unlink(allow);
	free(allow);
	allow = write_file("10.1.0.0/16\n");
	snprintf(text, sizeof(text), format, deny, allow, "7");
	path = write_file(text);
	config = config_load_again(path, &errors);
	assert_non_null(config);
	assert_int_equal(config->sources.list->count, 2);
	assert_int_equal(config->sources.rates.syn_per_s, 7);
	assert_int_equal(config->sources.rates.burst, 7); /* unless configured */
	assert_int_equal(config->sources.rates.prefix, 32);
	assert_int_equal(config->sources.rates.prefix6, 64);

	unlink(deny);
	free(deny);
	deny = write_file("# moved down\n10.0.0.0/8\n");

	struct config_report report = {.name = path};
	struct prefix_list *again = prefix_files_read(&report, deny, allow);

	assert_true(prefix_list_is_equal(again, config->sources.list));
	prefix_list_free(again);
	again = prefix_files_read(&report, allow, deny);
	assert_false(prefix_list_is_equal(again, config->sources.list));
	assert_false(prefix_list_is_equal(again, NULL));
	prefix_list_free(again);
	config_free(config);
	for (unsigned i = 0; i < 3; i++) {
		char *each = (char *[]){path, deny, allow}[i];

		unlink(each);
		free(each);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_lines),
			cmocka_unit_test(test_malformed),
			cmocka_unit_test(test_nul),
			cmocka_unit_test(test_both),
			cmocka_unit_test(test_find),
			cmocka_unit_test(test_files),
			cmocka_unit_test(test_too_many),
			cmocka_unit_test(test_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
