# SPDX-License-Identifier: BSD-3-Clause
"""README.md's guides that install Sluice on a machine, followed word for word on one: a Debian that was
booted between a lab's client and server."""

import json
import pathlib
import re
import shutil
import socket

import guide
import tcp
from debian import Debian
from lab import SERVER, WEB_PORT, expect, expect_equal, wait_until

CONFIG = "etc/sluice/sluice.json"
INSTALL = "In front of a web server in ten minutes"
UPGRADE = "Upgrade it"
BUFFER_BYTES = 16384
PURGE = "apt purge sluice-synproxy sluice-exporter"
# What apt asks at a terminal; and nothing is fetched, for there is no way out of the lab.
APT = 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\nDir::Log::Terminal "";\n'


class Download:
  """One that takes as long as it is let, through whatever stands between client and server."""

  def __init__(self, lab):
    self.socket = lab.client.socket(socket.AF_INET)
    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    self.socket.connect((SERVER[socket.AF_INET], WEB_PORT))
    self.socket.sendall(b"GET /large HTTP/1.0\r\n\r\n")
    self.goes_on()

  def goes_on(self):
    """More of it comes than could be under way, or wait here, already."""
    tcp.receive_exactly(self.socket, 20 * BUFFER_BYTES)


def prepare(lab, root):
  """The machine's interfaces, what it gets and what it may fetch."""
  for name, device in (("c1", "eth1"), ("s1", "eth2")):
    lab.sluice_host.ip_batch(f"link set {name} down", f"link set {name} name {device}")
  (root / "etc/apt/apt.conf.d/99lab").write_text(APT)


def backends_write(root, fragment):
  """What the guide says to change in the file."""
  path = root / CONFIG
  text, count = re.subn(r'"backends": \[.*\]', lambda _: fragment.strip(), path.read_text(), flags=re.S)
  expect_equal(count, 1, "places for backends in the default configuration")
  path.write_text(text)


def get(lab):
  return lab.curl("--max-time", "5", f"http://10.0.0.2:{WEB_PORT}/", timeout=10).stdout


def proofs(machine):
  """How many clients count as proved, and how many really were."""
  stats = machine.json("stats")
  return stats["total"]["PassiveOpens"], sum(stats["reasons"][name] for name in
    ("ack_connecting", "ack_queued", "ack_connecting_held", "ack_queued_held"))


def huge_pages():
  return int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text())


def install(lab, root, debs, machine):
  """From the packages, which the first two commands make elsewhere, to a protected server."""
  reserved = huge_pages()
  blocks = guide.blocks(INSTALL)
  commands = guide.steps(*blocks[0])
  expect_equal([step.command.split()[0] for step in commands], ["apt", "config/packaging/build", "apt"],
    "how the guide begins")
  for deb in debs:
    shutil.copy(deb, root / "tmp")
  guide.follow(commands[2:], 120, machine.run_script)
  if lab.eal_memory():
    # No huge pages on this machine: what the README says of that.
    path = root / CONFIG
    path.write_text(path.read_text().replace("{", f'{{ "eal": {json.dumps(lab.eal_memory())},', 1))
  old, found = None, []
  for kind, text in blocks[1:]:
    if kind == "json":
      backends_write(root, text)
      continue
    before = proofs(machine) if found else (0, 0)
    guide.follow(guide.steps(kind, text), 120, machine.run_script)
    expect("words" in get(lab), f"no page after {text}")
    found.append(tuple(after > earlier for earlier, after in zip(before, proofs(machine))))
    old = old or Download(lab)
    old.goes_on()
  expect_equal(found, [(False, False), (True, False), (True, True), (True, True)],
    "whether clients were counted as proved, and were, after each block of commands")
  expect(huge_pages() >= reserved, f"{reserved} huge pages were reserved, now {huge_pages()}")


def upgrade(lab, machine):
  """A download through the proxy goes on over an upgrade and a restart."""
  download = Download(lab)
  wait_until(lambda: machine.json("stats")["total"]["CurrEstab"] >= 1, 5, "a connection through Sluice")
  blocks = [(kind, text) for kind, text in guide.blocks(UPGRADE) if kind in ("sh", "console")]
  steps = guide.steps(*blocks[0])
  expect_equal(steps[0].command.split()[0], "config/packaging/build", "how the guide begins")
  guide.follow(steps[1:], 120, machine.run_script)
  download.goes_on()
  wait_until(lambda: "go on" in machine.run("journalctl -u sluice -o cat").stdout, 10, "the line of the upgrade")
  guide.follow(guide.steps(*blocks[1]), 120, machine.run_script)
  download.goes_on()


def follow(lab, root, debs, files_of):
  """All of it; files_of() is what the machine's folder has. Which of them a purge left."""
  prepare(lab, root)
  lab.start_nginx()
  (lab.directory / "www" / "index.html").write_text("words\n")
  (lab.directory / "www" / "large").write_bytes(bytes(1 << 26))
  machine = Debian(lab, lab.sluice_host, root)
  try:
    before = files_of()
    install(lab, root, debs, machine)
    upgrade(lab, machine)
    expect(f"`{PURGE}`" in guide.section(INSTALL), "the guide's last command")
    machine.run(PURGE)
    expect_equal(machine.run("ls -A /run/sluice* 2> /dev/null || pidof sluice sluice-exporter || true").stdout, "",
      "what runs after the purge")
    return sorted(files_of() - before)
  finally:
    machine.close()
