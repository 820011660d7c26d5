/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One pass over the text without a stack: the parent links of the nodes are the stack. What
 * well-formed JSON rules out is ENSUREd, not reported: it would mean that jansson and this walk
 * read the same text differently. Look-ups are binary searches in the sorted order.
 */
#include "control/json_lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* How far the walk has come. */
struct walk {
	struct json_lines *lines;
	size_t at;
	size_t length;
	uint32_t line;
	uint32_t inside;  /* the innermost open object or array */
	bool expects_key; /* the next string is a key */
	bool has_key;	  /* key, key_length and key_line belong to the next value */
	const char *key;
	uint32_t key_length;
	uint32_t key_line;
};

static unsigned
hex_digit(char digit)
{
	if (digit <= '9')
		return (unsigned)(digit - '0');
	return (unsigned)((digit | 0x20) - 'a') + 10;
}

static uint32_t
hex4(const char *digits)
{
	return hex_digit(digits[0]) << 12 | hex_digit(digits[1]) << 8 | hex_digit(digits[2]) << 4 |
	       hex_digit(digits[3]);
}

static size_t
utf8_write(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Decodes the \u escape whose four digits start at digits; returns how many bytes it took from
 * there: 4, or 10 for a pair of surrogates (RFC 8259 7). */
static size_t
unicode_decode(const char *digits, char *out, size_t *out_length)
{
	uint32_t code = hex4(digits);
	size_t taken = 4;

	if (code >= 0xd800 && code < 0xdc00) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(digits + 6) - 0xdc00);
		taken = 10;
	}
	*out_length += utf8_write(out + *out_length, code);
	return taken;
}

/* Writes the decoded key behind those before it; no escape is shorter than what it stands for. */
static void
key_decode(struct walk *walk, const char *raw, size_t length)
{
	struct json_lines *lines = walk->lines;
	size_t used = lines->decoded_length;

	if (lines->decoded == NULL) {
		lines->decoded = malloc(walk->length);
		ENSURE(lines->decoded != NULL);
	}
	for (size_t i = 0; i < length;) {
		static const char codes[] = "bfnrt";
		static const char meanings[] = "\b\f\n\r\t";

		if (raw[i] != '\\') {
			lines->decoded[used++] = raw[i++];
		} else if (raw[i + 1] == 'u') {
			i += 2 + unicode_decode(raw + i + 2, lines->decoded, &used);
		} else {
			const char *code = strchr(codes, raw[i + 1]);
			const char *meaning = code != NULL ? &meanings[code - codes] : &raw[i + 1];

			lines->decoded[used++] = *meaning;
			i += 2;
		}
	}
	walk->key = lines->decoded + lines->decoded_length;
	walk->key_length = (uint32_t)(used - lines->decoded_length);
	lines->decoded_length = used;
}

/* Enters the value that starts here, under the pending key or as the next element. */
static uint32_t
node_add(struct walk *walk)
{
	struct json_lines *lines = walk->lines;
	uint32_t id = lines->count;

	if (id == lines->room) {
		lines->room *= 2;
		lines->nodes = reallocarray(lines->nodes, lines->room, sizeof(*lines->nodes));
		ENSURE(lines->nodes != NULL);
	}

	struct json_node *node = &lines->nodes[id];

	*node = (struct json_node){
			.parent = walk->inside,
			.line = walk->line,
			.start = (uint32_t)walk->at,
			.first = id,
	};
	if (walk->has_key) {
		node->key = walk->key;
		node->key_length = walk->key_length;
		node->line = walk->key_line;
		walk->has_key = false;
	} else if (id != JSON_LINES_TOP) {
		node->index = lines->nodes[walk->inside].children;
	}
	lines->count++;
	if (id != JSON_LINES_TOP)
		lines->nodes[walk->inside].children++;
	return id;
}

/* Steps over the string at the opening quote. */
static void
walk_string(struct walk *walk)
{
	const char *text = walk->lines->text;
	size_t end = walk->at + 1;

	while (end < walk->length && text[end] != '"')
		end += text[end] == '\\' ? 2 : 1;
	ENSURE(end < walk->length);

	if (walk->expects_key) {
		const char *raw = text + walk->at + 1;
		size_t length = end - walk->at - 1;

		if (memchr(raw, '\\', length) != NULL) {
			key_decode(walk, raw, length);
		} else {
			walk->key = raw;
			walk->key_length = (uint32_t)length;
		}
		walk->key_line = walk->line;
		walk->has_key = true;
		walk->expects_key = false;
	} else {
		uint32_t id = node_add(walk);

		walk->lines->nodes[id].length = (uint32_t)(end + 1 - walk->at);
	}
	walk->at = end + 1;
}

/* Steps over a number, true, false or null. */
static void
walk_scalar(struct walk *walk)
{
	static const char ends[] = {' ', '\t', '\r', '\n', ',', ']', '}'};
	uint32_t id = node_add(walk);
	size_t start = walk->at;

	while (walk->at < walk->length &&
			memchr(ends, walk->lines->text[walk->at], sizeof(ends)) == NULL)
		walk->at++;
	walk->lines->nodes[id].length = (uint32_t)(walk->at - start);
}

static bool
is_object(const struct json_lines *lines, uint32_t id)
{
	return lines->text[lines->nodes[id].start] == '{';
}

static void
walk_step(struct walk *walk)
{
	struct json_lines *lines = walk->lines;
	char byte = lines->text[walk->at];

	switch (byte) {
	case '{':
	case '[':
		walk->inside = node_add(walk);
		walk->expects_key = byte == '{';
		walk->at++;
		break;
	case '}':
	case ']':
		walk->at++;
		lines->nodes[walk->inside].length =
				(uint32_t)(walk->at - lines->nodes[walk->inside].start);
		walk->inside = lines->nodes[walk->inside].parent;
		walk->expects_key = false;
		break;
	case ',':
		walk->expects_key = is_object(lines, walk->inside);
		walk->at++;
		break;
	case '"':
		walk_string(walk);
		break;
	case '\n':
		walk->line++;
		walk->at++;
		break;
	case ' ':
	case '\t':
	case '\r':
	case ':':
		walk->at++;
		break;
	default:
		walk_scalar(walk);
	}
}

/* The order without the position: equal means a repeated key. */
static int
node_compare(const struct json_node *a, const struct json_node *b)
{
	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->key_length != b->key_length)
		return a->key_length < b->key_length ? -1 : 1;
	return a->key_length == 0 ? 0 : memcmp(a->key, b->key, a->key_length);
}

static int
order_compare(const void *a, const void *b, void *context)
{
	const struct json_lines *lines = context;
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;
	int compared = node_compare(&lines->nodes[left], &lines->nodes[right]);

	if (compared != 0)
		return compared;
	return left < right ? -1 : left > right;
}

/* Sorts all nodes but the top, whose parent is itself, and finds the repeated keys. */
static void
order_build(struct json_lines *lines)
{
	uint32_t count = lines->count - 1;

	lines->order = calloc(lines->count, sizeof(*lines->order));
	ENSURE(lines->order != NULL);
	for (uint32_t i = 0; i < count; i++)
		lines->order[i] = i + 1;
	qsort_r(lines->order, count, sizeof(*lines->order), order_compare, lines);
	for (uint32_t i = 1; i < count; i++) {
		struct json_node *before = &lines->nodes[lines->order[i - 1]];
		struct json_node *node = &lines->nodes[lines->order[i]];

		if (node_compare(before, node) == 0)
			node->first = before->first;
	}
}

struct json_lines *
json_lines_new(const char *text, size_t length)
{
	struct json_lines *lines = malloc(sizeof(*lines));
	struct walk walk = {.lines = lines, .length = length, .line = 1};

	ENSURE(lines != NULL && length < UINT32_MAX);
	*lines = (struct json_lines){
			.text = text, .room = 64, .nodes = calloc(64, sizeof(*lines->nodes))};
	ENSURE(lines->nodes != NULL);
	while (walk.at < length)
		walk_step(&walk);
	ENSURE(lines->count > 0);
	order_build(lines);
	return lines;
}

void
json_lines_free(struct json_lines *lines)
{
	if (lines == NULL)
		return;
	free(lines->nodes);
	free(lines->order);
	free(lines->decoded);
	free(lines);
}

/* The last node of the order that equals wanted. */
static uint32_t
order_find(const struct json_lines *lines, const struct json_node *wanted)
{
	uint32_t low = 0;
	uint32_t high = lines->count - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (node_compare(&lines->nodes[lines->order[middle]], wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	ENSURE(low > 0 && node_compare(&lines->nodes[lines->order[low - 1]], wanted) == 0);
	return lines->order[low - 1];
}

uint32_t
json_lines_member(const struct json_lines *lines, uint32_t object, const char *key)
{
	struct json_node wanted = {
			.parent = object, .key = key, .key_length = (uint32_t)strlen(key)};

	return order_find(lines, &wanted);
}

uint32_t
json_lines_element(const struct json_lines *lines, uint32_t array, uint32_t index)
{
	struct json_node wanted = {.parent = array, .index = index};

	return order_find(lines, &wanted);
}
