# SPDX-License-Identifier: BSD-3-Clause
"""A Debian in a folder, booted as a machine of its own: its systemd is the first process of namespaces
that end with it, on the network of one of a lab's hosts. It shares the kernel, its huge pages and its
CPUs with everybody."""

import json
import os
import pathlib
import re
import subprocess

from lab import ALL_CPUS, expect, run, wait_until

BOOT_TIMEOUT_S = 60
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# In the new namespaces: $1 is the folder, $2 how it is to see cgroups.
BOOT = r"""
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  : > dev/$name
  mount --bind /dev/$name dev/$name
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
if [ "$2" = named ]; then
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
pivot_root . mnt
umount -l /mnt
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""
# systemd wants a part of the tree of cgroups for itself.
ENTER_CGROUP = 'mkdir "$0" && echo $$ > "$0/cgroup.procs" && exec "$@"'


class Debian:
  """Booted when it is made; close() ends it."""

  def __init__(self, lab, host, root):
    self.lab = lab
    named = CGROUPS / "systemd"
    kind, tree = ("named", named) if named.is_dir() else ("unified", CGROUPS)
    self.cgroup = tree / f"sluice-lab-{os.getpid()}-{lab.number}"
    self.process = lab.start("debian", "sh", "-c", ENTER_CGROUP, self.cgroup, "ip", "netns", "exec",
      host.name, "unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--cgroup",
      "sh", "-c", BOOT, "sh", root, kind, cpus=ALL_CPUS)
    wait_until(self._is_up, BOOT_TIMEOUT_S, "Debian is up")

  def _first(self):
    """The first process's number outside."""
    pid = self.process.popen.pid
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children[0] if children else None

  def _is_up(self):
    expect(self.process.running(), f"Debian ended:\n{self.process.out()}{self.process.err()}")
    if not self._first():
      return False
    said = self.run("systemctl is-system-running", check=False).stdout
    return re.search("^(running|degraded)$", said, re.M)

  def run(self, script, check=True, timeout=120):
    """Runs commands of bash as root, until one fails; what they said."""
    return run("nsenter", "--all", "--target", self._first(), "--root", "env", "-i",
      "--chdir=/root", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-e", "-c", script,
      stdin=subprocess.DEVNULL, check=check, timeout=timeout)

  def run_script(self, script, timeout_s):
    """What a script said, to whatever end it came."""
    return self.run(f"set +e\n{script}", check=False, timeout=timeout_s).stdout

  def json(self, *command):
    """What its sluicectl answers."""
    return json.loads(self.run(f"sluicectl {' '.join(command)} --json").stdout)

  def close(self):
    """All of its processes end, and nothing of it stays."""
    self.process.end()
    for folder, _, _ in os.walk(self.cgroup, topdown=False):
      wait_until(lambda folder=folder: not self._procs(folder), 10, "Debian's processes have ended")
      os.rmdir(folder)

  @staticmethod
  def _procs(folder):
    return (pathlib.Path(folder) / "cgroup.procs").read_text()
