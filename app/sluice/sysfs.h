/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small files of the kernel's, read below a root folder: "" for this machine, or a made-up tree in
 * tests. Paths are formats, below the root. What can't be read is not there.
 */
#ifndef SLUICE_APP_SYSFS_H
#define SLUICE_APP_SYSFS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#define SYSFS_NAME_BYTES 64

/** Entries of a folder, however many; longer names are left out. */
struct sysfs_names {
	unsigned count;
	char (*names)[SYSFS_NAME_BYTES]; /**< owned; NULL when there are none */
};

/** The first line without its end, cut to size; false when there is none, and text is empty. */
__attribute__((format(printf, 4, 5))) bool sysfs_line(
		const char *root, char *text, size_t size, const char *format, ...);

/** The number at the beginning, decimal or with 0x; false when there is none, and value stays. */
__attribute__((format(printf, 3, 4))) bool sysfs_number(
		const char *root, long *value, const char *format, ...);

/** The CPUs of a list like "0-3,8"; false when there is no file. An empty list is an empty set. */
__attribute__((format(printf, 3, 4))) bool sysfs_cpus(
		const char *root, cpu_set_t *set, const char *format, ...);

/** The last part of a symbolic link's target; false when it is no link, and name is empty. */
__attribute__((format(printf, 4, 5))) bool sysfs_link(
		const char *root, char *name, size_t size, const char *format, ...);

/** The folder's entries in natural order ("node2" before "node10"), without hidden ones; to be
 * given to sysfs_names_fini(). */
__attribute__((format(printf, 3, 4))) void sysfs_list(
		const char *root, struct sysfs_names *names, const char *format, ...);

void sysfs_names_fini(struct sysfs_names *names);

#endif
