/* SPDX-License-Identifier: BSD-3-Clause */
/* jansson answers 0 and NULL for what isn't there; only numbers need a little more. */
#include "field.h"

#include <stdio.h>
#include <string.h>

const char *
field_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

double
field_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

int64_t
field_count(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	const double real = json_real_value(value);

	if (json_is_integer(value))
		return json_integer_value(value);
	/* Out of range, the conversion would be undefined. */
	return real > -9e18 && real < 9e18 ? (int64_t)real : 0;
}

static void
render_array(const json_t *array, char *text, size_t size)
{
	const json_t *element;
	size_t used = 0;
	size_t i;

	snprintf(text, size, "-");
	json_array_foreach(array, i, element)
	{
		if (i > 0 && used + 2 < size)
			text[used++] = ',';
		if (used + 1 < size)
			field_render(element, text + used, size - used);
		used += strlen(text + used);
	}
}

void
field_render(const json_t *value, char *text, size_t size)
{
	if (json_is_string(value))
		snprintf(text, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value))
		render_array(value, text, size);
	else
		snprintf(text, size, "-");
}

void
field_render_ms(const json_t *value, char *text, size_t size)
{
	if (json_is_number(value))
		snprintf(text, size, "%.3fs", json_number_value(value) / 1000);
	else
		snprintf(text, size, "-");
}
