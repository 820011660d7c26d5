# SPDX-License-Identifier: BSD-3-Clause
"""The log tells an operator what began and what ended, once each, with the right numbers."""

import collections
import re
import shlex
import socket

import control
from lab import (DRIVERS, ECHO_PORT, REFUSED_PORT, SERVER, SPARE_PORT, Sluice, expect, expect_equal,
  wait_until)
from registry import lab_test

FAMILY = socket.AF_INET
RATE = 20000   # of the flood's network
OTHERS = 4000  # of sources all over the place
FLOOD_S = 3
SMALL = 3

DROP_SYNS = f"""
table inet lab {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {SPARE_PORT} tcp flags & (syn | ack) == syn drop
  }}
}}
"""


def events(sluice):
  """What was logged of backends, as (kind, backend) to a list of fields by name."""
  found = collections.defaultdict(list)
  for line in sluice.process.err().splitlines():
    match = re.fullmatch(r"sluice: ([a-z-]+): (backend=.*)", line)
    if match:
      fields = dict(word.split("=", 1) for word in shlex.split(match[2]))
      found[match[1], fields["backend"]].append(fields)
  return found


def within(value, low, high, what):
  expect(low <= int(value) <= high, f"{what} is {value}, not {low} to {high}")


def knock(lab, port, count=1):
  """Clients that try to connect, and are still trying."""
  clients = [lab.client.socket(FAMILY) for _ in range(count)]
  for client in clients:
    client.setblocking(False)
    client.connect_ex((SERVER[FAMILY], port))
  return clients


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def every_event_once(lab):
  """At the same time a flood on one backend, an overflow of another that is also down, and one that
  refuses; then all are well again. Each is told once, with numbers that are right."""
  config = lab.config(tcp_syncookies=1, tcp_syn_retries=2)
  for backend in config["backends"]:
    backend["backlog"] = SMALL if backend["port"] == SPARE_PORT else 64
  sluice = lab.start_sluice(config)
  lab.server.listen(FAMILY, ECHO_PORT)
  lab.server.listen(FAMILY, SPARE_PORT)
  lab.server.nft(DROP_SYNS)

  refused = knock(lab, REFUSED_PORT)
  crowd = knock(lab, SPARE_PORT, 12)
  floods = [lab.flood("syn", RATE * FLOOD_S, RATE, options=["--one-network"]),
    lab.flood("syn", OTHERS * FLOOD_S, OTHERS)]
  wait_until(lambda: {("flood-begins", "echo-ipv4"), ("overflow-begins", "spare-ipv4"),
    ("backend-down", "spare-ipv4"), ("backend-down", "refused-ipv4")} <= set(events(sluice)), 8,
    "the beginnings")
  said = control.sluicectl(sluice, "doctor", status=control.EXIT_FINDINGS)
  expect(re.search(r"198\.18\.7\.0/24 \d+ %", said), f"doctor names no network:\n{said}")
  for flood in floods:
    expect_equal(flood.wait(10), 0, "exit status of the flood")
  for client in crowd + refused:
    client.close()
  lab.server.nft_clear()
  lab.server.listen(FAMILY, REFUSED_PORT)
  for port in (SPARE_PORT, REFUSED_PORT):
    lab.client.connect(FAMILY, port)
  wait_until(lambda: {("flood-ends", "echo-ipv4"), ("overflow-ends", "spare-ipv4"),
    ("backend-up", "spare-ipv4"), ("backend-up", "refused-ipv4")} <= set(events(sluice)), 12,
    "the ends")

  found = events(sluice)
  for key, lines in found.items():
    expect(len(lines) == 1 or key[0] == "mode", f"{key}: {lines}")
  expect_equal([line["mode"] for line in found["mode", "echo-ipv4"]], ["cookie", "queue"], "modes")
  begun, ended = found["flood-begins", "echo-ipv4"][0], found["flood-ends", "echo-ipv4"][0]
  all_rate = RATE + OTHERS
  within(begun["syns_per_s"], all_rate * 0.4, all_rate * 1.4, "rate as it began")
  within(ended["syns_per_s_peak"], all_rate * 0.7, all_rate * 1.4, "peak rate")
  within(ended["syns"], all_rate * FLOOD_S * 0.85, all_rate * FLOOD_S, "SYNs")
  within(ended["lasted_s"], FLOOD_S - 1, FLOOD_S + 2, "length")
  top = re.fullmatch(r"198\.18\.7\.0/24 (\d+) %", ended["sources"])
  expect(top, f"sources: {ended['sources']}")
  within(top[1], 70, 95, "share of the top network")
  overflow = found["overflow-ends", "spare-ipv4"][0]
  counted = control.counters(sluice, "spare-ipv4")["ListenOverflows"]
  expect_equal(int(overflow["turned_away"]), counted, "clients turned away")
  expect_equal(found["backend-down", "refused-ipv4"][0]["cause"], "refuses", "why it is down")
  expect_equal(found["backend-down", "spare-ipv4"][0]["cause"], "silent", "why it is down")


class Journal:
  """The receiving end of journald: what comes, entry by entry (systemd's journal native protocol)."""

  def __init__(self, path):
    self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.socket.bind(str(path))
    self.socket.settimeout(5)

  def entry(self):
    """The next entry as an object of its fields, none of which has a newline."""
    lines = self.socket.recv(1 << 16).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)

  def event(self, kind):
    """The next entry of that kind."""
    while True:
      entry = self.entry()
      if entry["SLUICE_EVENT"] == kind:
        return entry


def wrapper(folder):
  """What systemd does: a socket at its place, and the inode of standard error in the environment."""
  return ["sh", "-c", "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
    f"mount --bind {folder} /run/systemd/journal && "
    'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh"]


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def journald_native(lab):
  """Under systemd events go to journald with fields, and to standard error no more."""
  folder = lab.directory / "journal"
  folder.mkdir()
  journal = Journal(folder / "socket")
  lab.sockets.append(journal.socket)
  lab.wrapper = wrapper(folder)
  config = lab.config(tcp_syncookies=1)
  sluice = Sluice(lab, config)
  lab.sluices.append(sluice)
  start = journal.event("start")
  expect_equal((start["PRIORITY"], start["SYSLOG_IDENTIFIER"], start["SLUICE_BACKENDS"]),
    ("5", "sluice", "8"), "fields of the start")
  expect(start["MESSAGE"].startswith("ready: 1 workers, 8 backends"), f"message {start['MESSAGE']}")
  control.ask(sluice, "reload")
  expect_equal(journal.event("reload")["SLUICE_ACCEPTED"], "yes", "SLUICE_ACCEPTED")
  sluice.path.write_text("{}")
  control.refusal(sluice, "reload")
  refused = journal.event("reload")
  expect_equal((refused["PRIORITY"], refused["SLUICE_ACCEPTED"]), ("3", "no"), "a refused reload")
  expect("ports" in refused["SLUICE_FIRST_ERROR"], f"first error {refused['SLUICE_FIRST_ERROR']}")
  clients = knock(lab, REFUSED_PORT)
  down = journal.event("backend-down")
  expect_equal((down["SLUICE_BACKEND"], down["SLUICE_CAUSE"], down["MESSAGE"].split(":")[0]),
    ("refused-ipv4", "refuses", "backend-down"), "fields of an outage")
  clients[0].close()
  expect("ready" not in sluice.process.err() and "backend-down" not in sluice.process.err(),
    f"on standard error, too:\n{sluice.process.err()}")


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def journald_hangs(lab):
  """A journald that reads nothing costs no time: events go to standard error, commands are answered."""
  folder = lab.directory / "journal"
  folder.mkdir()
  journal = Journal(folder / "socket")
  filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
  filler.setblocking(False)
  lab.sockets += [journal.socket, filler]
  try:
    while True:
      filler.sendto(b"MESSAGE=full\n", str(folder / "socket"))
  except BlockingIOError:
    pass
  lab.wrapper = wrapper(folder)
  sluice = lab.start_sluice(lab.config())
  for number in (1, 2):
    control.ask(sluice, "reload")
    wait_until(lambda: sluice.process.err().count("reloaded: ") == number, 2, "the line of the reload")
