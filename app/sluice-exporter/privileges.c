/* SPDX-License-Identifier: BSD-3-Clause */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sluice/say.h"

static const struct passwd *
user_find(const char *name)
{
	const struct passwd *user = getpwnam(name != NULL ? name : "sluice-exporter");

	return user != NULL || name != NULL ? user : getpwnam("nobody");
}

/* Of the user, of the group that was asked for, and never root's own. */
static bool
user_become(const char *user_name, const char *group_name)
{
	const struct passwd *user = user_find(user_name);
	const struct group *group = group_name != NULL ? getgrnam(group_name) : NULL;
	gid_t gid;

	if (user == NULL || user->pw_uid == 0) {
		say("--user %s: %s", user_name != NULL ? user_name : "nobody",
				user == NULL ? "there is no such user"
					     : "is root; name one without rights");
		return false;
	}
	if (group_name != NULL && group == NULL) {
		say("--group %s: there is no such group", group_name);
		return false;
	}
	gid = group != NULL ? group->gr_gid : user->pw_gid;
	if (initgroups(user->pw_name, gid) == 0 && setresgid(gid, gid, gid) == 0 &&
			setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0 && setuid(0) != 0)
		return true;
	say("can't become user %s: %s", user->pw_name, strerror(errno));
	return false;
}

bool
privileges_drop(const char *user, const char *group)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	const bool is_root = geteuid() == 0;

	if (!is_root && (user != NULL || group != NULL)) {
		say("--user and --group are for a start as root");
		return false;
	}
	for (unsigned long i = 0; is_root && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (is_root && !user_become(user, group))
		return false;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return true;
	say("can't give up capabilities: %s", strerror(errno));
	return false;
}
