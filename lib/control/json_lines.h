/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where each value of a JSON text stands: its line, its text as written, its place in the tree,
 * and whether its key was given before. Jansson, which reads the values, keeps none of these.
 * Made for error messages about text that jansson has already accepted; it judges nothing.
 */
#ifndef SLUICE_CONTROL_JSON_LINES_H
#define SLUICE_CONTROL_JSON_LINES_H

#include <stddef.h>
#include <stdint.h>

#define JSON_LINES_TOP 0 /**< the node of the outermost value */

/** One value. Nodes are named by their position in the text: a parent before its children. */
struct json_node {
	const char *key; /**< member's key, decoded, not terminated; NULL: element, or the top */
	uint32_t key_length; /**< bytes */
	uint32_t index;	     /**< element's place in its array; 0 for others */
	uint32_t parent;     /**< node; the top is its own parent */
	uint32_t line;	     /**< of the key, or of an element itself; the first is 1 */
	uint32_t start;	     /**< offset of the value's text */
	uint32_t length;     /**< of the value's text, bytes */
	uint32_t children;
	uint32_t first; /**< the first node with this key in this object; itself unless repeated */
};

/** All values of one text. Keys and text point into the text, which must live as long. */
struct json_lines {
	const char *text;
	struct json_node *nodes;
	uint32_t count;
	uint32_t room;
	uint32_t *order; /**< node numbers by parent, then index or key, then position */
	char *decoded;	 /**< keys that are written with escapes */
	size_t decoded_length;
};

/** Walks length bytes (below 2^32) of text whose top is an object or array. The caller frees. */
struct json_lines *json_lines_new(const char *text, size_t length);
void json_lines_free(struct json_lines *lines);

/** The member of an object with that key, which must exist; the last one of a repeated key, as
 * jansson has it. */
uint32_t json_lines_member(const struct json_lines *lines, uint32_t object, const char *key);

/** The element of an array at index, which must exist. */
uint32_t json_lines_element(const struct json_lines *lines, uint32_t array, uint32_t index);

#endif
