/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The search: named namespaces first (/run/netns, where a name makes the better command), then
 * those of running processes. A socket made while the thread visits the namespace stays there.
 */
#include "peer.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "rtnl.h"

#define NETNS_FOLDER "/run/netns"

/* Does the namespace behind fd satisfy what we look for? */
struct search {
	int nsid;   /* our number for it, or -1: it is our own */
	ino_t self; /* inode of our own namespace */
};

static bool
search_matches(const struct search *search, int fd)
{
	struct stat status;

	if (search->nsid >= 0)
		return rtnl_nsid(fd) == search->nsid;
	return fstat(fd, &status) == 0 && status.st_ino == search->self;
}

/* Opens path when it is the namespace looked for; -1 otherwise. */
static int
search_open(const struct search *search, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !search_matches(search, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
search_named(const struct search *search, char *enter, size_t size)
{
	DIR *folder = opendir(NETNS_FOLDER);
	struct dirent *entry;
	int fd = -1;

	if (folder == NULL)
		return -1;
	while (fd < 0 && (entry = readdir(folder)) != NULL) {
		char path[sizeof(NETNS_FOLDER) + sizeof(entry->d_name) + 1];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NETNS_FOLDER "/%s", entry->d_name);
		fd = search_open(search, path);
		if (fd >= 0)
			snprintf(enter, size, "ip netns exec %.100s ", entry->d_name);
	}
	closedir(folder);
	return fd;
}

static int
search_processes(const struct search *search, char *enter, size_t size)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int fd = -1;

	if (folder == NULL)
		return -1;
	while (fd < 0 && (entry = readdir(folder)) != NULL) {
		char path[sizeof("/proc//ns/net") + sizeof(entry->d_name)];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		fd = search_open(search, path);
		if (fd >= 0)
			snprintf(enter, size, "nsenter -t %.20s -n ", entry->d_name);
	}
	closedir(folder);
	return fd;
}

/* A socket in the namespace behind fd; -1 when we may not go there. */
static int
netns_socket(int fd)
{
	const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int visitor = -1;

	if (home < 0)
		return -1;
	if (setns(fd, CLONE_NEWNET) == 0) {
		visitor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ENSURE(setns(home, CLONE_NEWNET) == 0);
	}
	close(home);
	return visitor;
}

static bool
peer_name(struct peer *peer, int index)
{
	struct ifreq ifr = {.ifr_ifindex = index};

	if (ioctl(peer->dev.fd, SIOCGIFNAME, &ifr) != 0)
		return false;
	memcpy(peer->dev.name, ifr.ifr_name, sizeof(peer->dev.name));
	return true;
}

enum peer_outcome
peer_find(const char *interface, struct peer *peer)
{
	struct rtnl_link link;

	memset(peer, 0, sizeof(*peer));
	peer->dev.fd = -1;
	if (rtnl_link_get(interface, &link) != 0 || !link.is_veth)
		return PEER_NONE;

	if (link.peer_nsid < 0) {
		peer_enter_own(peer->enter, sizeof(peer->enter));
		peer->dev.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	} else {
		const struct search search = {.nsid = link.peer_nsid};
		int fd = search_named(&search, peer->enter, sizeof(peer->enter));

		if (fd < 0)
			fd = search_processes(&search, peer->enter, sizeof(peer->enter));
		if (fd >= 0) {
			peer->dev.fd = netns_socket(fd);
			close(fd);
		}
	}
	if (peer->dev.fd >= 0 && peer_name(peer, link.peer_index))
		return PEER_FOUND;
	peer_close(peer);
	return PEER_HIDDEN;
}

void
peer_close(struct peer *peer)
{
	if (peer->dev.fd >= 0)
		close(peer->dev.fd);
	peer->dev.fd = -1;
}

void
peer_enter_own(char *enter, size_t size)
{
	struct search search = {.nsid = -1};
	struct stat status;

	enter[0] = '\0';
	if (stat("/proc/thread-self/ns/net", &status) != 0)
		return;
	search.self = status.st_ino;

	const int fd = search_named(&search, enter, size);

	if (fd >= 0)
		close(fd);
}
