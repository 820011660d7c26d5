/* SPDX-License-Identifier: BSD-3-Clause */
#include "sysfs.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static void
path_format(char path[PATH_MAX], const char *root, const char *format, va_list values)
{
	const int length = snprintf(path, PATH_MAX, "%s", root);

	if (length >= 0 && length < PATH_MAX)
		vsnprintf(path + length, PATH_MAX - (size_t)length, format, values);
}

static bool
line_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found;

	text[0] = '\0';
	if (file == NULL)
		return false;
	found = fgets(text, (int)size, file) != NULL;
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return found;
}

bool
sysfs_line(const char *root, char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list values;

	va_start(values, format);
	path_format(path, root, format, values);
	va_end(values);
	return line_read(path, text, size);
}

bool
sysfs_number(const char *root, long *value, const char *format, ...)
{
	char path[PATH_MAX], text[64], *end;
	va_list values;
	long number;

	va_start(values, format);
	path_format(path, root, format, values);
	va_end(values);
	if (!line_read(path, text, sizeof(text)))
		return false;
	number = strtol(text, &end, 0);
	if (end == text)
		return false;
	*value = number;
	return true;
}

/* Ends at what is no number; CPUs beyond the set are left out. */
static void
list_parse(const char *text, cpu_set_t *set)
{
	while (*text != '\0') {
		char *end;
		const unsigned long first = strtoul(text, &end, 10);
		unsigned long last = first;

		if (end == text)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
			CPU_SET(cpu, set);
		text = end + (*end == ',');
	}
}

bool
sysfs_cpus(const char *root, cpu_set_t *set, const char *format, ...)
{
	char path[PATH_MAX], text[4096];
	va_list values;

	CPU_ZERO(set);
	va_start(values, format);
	path_format(path, root, format, values);
	va_end(values);
	if (!line_read(path, text, sizeof(text)))
		return false;
	list_parse(text, set);
	return true;
}

bool
sysfs_link(const char *root, char *name, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	va_list values;
	ssize_t length;

	name[0] = '\0';
	va_start(values, format);
	path_format(path, root, format, values);
	va_end(values);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return false;
	target[length] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash != NULL ? slash + 1 : target);
	return true;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strlen(entry->d_name) < SYSFS_NAME_BYTES;
}

void
sysfs_list(const char *root, struct sysfs_names *names, const char *format, ...)
{
	char path[PATH_MAX];
	struct dirent **entries;
	va_list values;
	int count;

	*names = (struct sysfs_names){0};
	va_start(values, format);
	path_format(path, root, format, values);
	va_end(values);
	count = scandir(path, &entries, is_visible, versionsort);
	if (count < 0)
		return;
	if (count > 0) {
		names->names = calloc((size_t)count, sizeof(names->names[0]));
		ENSURE(names->names != NULL);
	}
	for (int i = 0; i < count; i++) {
		memcpy(names->names[names->count++], entries[i]->d_name,
				strlen(entries[i]->d_name) + 1);
		free(entries[i]);
	}
	free(entries);
}

void
sysfs_names_fini(struct sysfs_names *names)
{
	free(names->names);
	*names = (struct sysfs_names){0};
}
