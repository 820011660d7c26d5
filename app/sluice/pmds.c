/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmds.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static const char mark[] = "PMD_INFO_STRING= ";

/* Every table in the bytes of a plugin. */
static void
plugin_scan(json_t *pmds, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	const char *found;

	while ((found = memmem(bytes, (size_t)(end - bytes), mark, sizeof(mark) - 1)) != NULL) {
		json_t *pmd;

		bytes = found + sizeof(mark) - 1;
		pmd = json_loadb(bytes, (size_t)(end - bytes), JSON_DISABLE_EOF_CHECK, NULL);
		if (json_is_object(pmd))
			json_array_append(pmds, pmd);
		json_decref(pmd);
	}
}

static void
plugin_read(json_t *pmds, int folder, const char *name)
{
	const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	void *bytes = MAP_FAILED;

	if (fd < 0)
		return;
	if (fstat(fd, &stat) == 0 && stat.st_size > 0)
		bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return;
	plugin_scan(pmds, bytes, (size_t)stat.st_size);
	munmap(bytes, (size_t)stat.st_size);
}

/* One name per plugin, of the one or three that link to it. */
static bool
is_plugin(const char *name)
{
	const char *suffix = strstr(name, ".so.");

	return strncmp(name, "librte_net_", 11) == 0 && suffix != NULL &&
	       strchr(suffix + 4, '.') == NULL;
}

json_t *
pmds_read(const char *folder)
{
	json_t *pmds = json_array();
	DIR *plugins = opendir(folder);
	const struct dirent *entry;

	ENSURE(pmds != NULL);
	if (plugins == NULL)
		return pmds;
	while ((entry = readdir(plugins)) != NULL)
		if (is_plugin(entry->d_name))
			plugin_read(pmds, dirfd(plugins), entry->d_name);
	closedir(plugins);
	return pmds;
}

static bool
is_for(const json_t *pmd, long vendor, long device)
{
	const json_t *id;
	size_t i;

	json_array_foreach(json_object_get(pmd, "pci_ids"), i, id)
	{
		if (json_integer_value(json_array_get(id, 0)) == vendor &&
				json_integer_value(json_array_get(id, 1)) == device)
			return true;
	}
	return false;
}

bool
pmds_find(const json_t *pmds, long vendor, long device, struct pmd *pmd)
{
	const json_t *candidate;
	size_t i;

	json_array_foreach(pmds, i, candidate)
	{
		const char *name = json_string_value(json_object_get(candidate, "name"));
		const char *kmod = json_string_value(json_object_get(candidate, "kmod"));

		if (name == NULL || !is_for(candidate, vendor, device))
			continue;
		snprintf(pmd->name, sizeof(pmd->name), "%s", name);
		pmd->shares_with_kernel = kmod != NULL && strstr(kmod, "vfio-pci") == NULL &&
					  strstr(kmod, "uio") == NULL;
		pmd->works_without_iommu = kmod != NULL && strstr(kmod, "uio_pci_generic") != NULL;
		return true;
	}
	return false;
}
