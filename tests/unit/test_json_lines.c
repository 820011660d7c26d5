/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the values of a JSON text stand, seen through every look-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "control/json_lines.h"

static struct json_lines *
walk(const char *text)
{
	return json_lines_new(text, strlen(text));
}

static void
expect_node(const struct json_lines *lines, uint32_t node, unsigned line, const char *text)
{
	const struct json_node *found = &lines->nodes[node];

	assert_int_equal(found->line, line);
	assert_int_equal(found->length, strlen(text));
	assert_memory_equal(lines->text + found->start, text, found->length);
}

/* 1. Every kind of value, in objects and arrays, tight and with white space of all kinds. */
static void
test_places(void **state)
{
	struct json_lines *lines = walk("\n{\"s\":\"a,]}{[:\\\"\\\\\",\"n\" \t:\r\n-1.5e3,\n"
					"\"e\":[],\"o\" : { } ,\"a\":[true,\n null, [7,8] ,{\"x\"\n"
					":\nfalse}]}\n ");
	uint32_t array = json_lines_member(lines, JSON_LINES_TOP, "a");

	(void)state;
	assert_int_equal(lines->nodes[JSON_LINES_TOP].line, 2);
	assert_int_equal(lines->nodes[JSON_LINES_TOP].children, 5);
	expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, "s"), 2, "\"a,]}{[:\\\"\\\\\"");
	expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, "n"), 2, "-1.5e3");
	expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, "e"), 4, "[]");
	expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, "o"), 4, "{ }");
	assert_int_equal(lines->nodes[array].children, 4);
	expect_node(lines, json_lines_element(lines, array, 0), 4, "true");
	expect_node(lines, json_lines_element(lines, array, 1), 5, "null");
	expect_node(lines, json_lines_element(lines, json_lines_element(lines, array, 2), 1), 5,
			"8");
	expect_node(lines, json_lines_member(lines, json_lines_element(lines, array, 3), "x"), 5,
			"false");
	json_lines_free(lines);
}

/* 2. Keys with escapes are found, and repeated, by what they mean. */
static void
test_escapes(void **state)
{
	static const struct {
		const char *written;
		const char *meant;
	} cases[] = {
			{"plain", "plain"},
			{"", ""},
			{"\\\"\\\\\\/", "\"\\/"},
			{"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
			{"\\u0061\\u004a\\u004A", "aJJ"},
			{"\\u007f\\u0080", "\x7f\xc2\x80"},
			{"\\u07ff\\u0800", "\xdf\xbf\xe0\xa0\x80"},
			{"\\uffff", "\xef\xbf\xbf"},
			{"\\ud800\\udc00", "\xf0\x90\x80\x80"},
			{"\\uDBFF\\uDFFFz", "\xf4\x8f\xbf\xbfz"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[256];
		struct json_lines *lines;

		strcpy(stpcpy(stpcpy(text, "{\"k\\u0030\":0,\""), cases[i].written), "\":\n11}");
		lines = walk(text);
		expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, "k0"), 1, "0");
		expect_node(lines, json_lines_member(lines, JSON_LINES_TOP, cases[i].meant), 1,
				"11");
		json_lines_free(lines);
	}
}

/* 3. Repeated keys: each names the first, a look-up finds the last, other objects don't count. */
static void
test_repeated(void **state)
{
	struct json_lines *lines = walk("{\"a\":1,\n\"b\":{\"a\":2},\n\"\\u0061\":3,\n\"a\":4}");
	uint32_t last = json_lines_member(lines, JSON_LINES_TOP, "a");
	uint32_t inner = json_lines_member(
			lines, json_lines_member(lines, JSON_LINES_TOP, "b"), "a");

	(void)state;
	expect_node(lines, last, 4, "4");
	expect_node(lines, lines->nodes[last].first, 1, "1");
	expect_node(lines, last - 1, 3, "3");
	assert_int_equal(lines->nodes[last - 1].first, lines->nodes[last].first);
	assert_int_equal(lines->nodes[inner].first, inner);
	json_lines_free(lines);
}

/* 4. Many elements and members, each found again. */
static void
test_many(void **state)
{
	enum { COUNT = 5000 };
	char *text = malloc((size_t)COUNT * 32);
	char *out = stpcpy(text, "[");
	struct json_lines *lines;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		out += snprintf(out, 32, "%s{\"k%u\":%u}\n", i == 0 ? "" : ",", i, i);
	strcpy(out, "]");
	lines = walk(text);
	assert_int_equal(lines->count, 1 + 2 * COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		char key[16];
		char value[16];

		sprintf(key, "k%u", i);
		sprintf(value, "%u", i);
		expect_node(lines,
				json_lines_member(lines,
						json_lines_element(lines, JSON_LINES_TOP, i), key),
				i + 1, value);
	}
	json_lines_free(lines);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_places),
			cmocka_unit_test(test_escapes),
			cmocka_unit_test(test_repeated),
			cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
