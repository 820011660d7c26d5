# SPDX-License-Identifier: BSD-3-Clause
"""Clients that are denied, allowed and limited by their address: what they and others see, live."""

import copy
import os
import socket
import time

import control
import tcp
from lab import (CLIENT, DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, SERVER, WEB_PORT, expect,
  expect_equal, url, wait_until)
from registry import lab_test
from test_reload import Users, reloaded

OTHER = {socket.AF_INET: "10.0.0.9", socket.AF_INET6: "fd00:0:0:9::9"}
OTHER_NETWORK = {socket.AF_INET: "10.0.0.8/31", socket.AF_INET6: "fd00:0:0:8::/61"}
# Where lab/flood.c's sources are from (RFC 2544, RFC 5180).
FLOOD_NETWORK = {socket.AF_INET: "198.18.0.0/15", socket.AF_INET6: "2001:2::/48"}
FLOOD_COUNT = 40000
FLOOD_RATE = 20000
PAGE_BYTES = 10000
PER_S = 5
BURST = 4


def write_list(lab, name, *lines):
  """A file of prefixes, replaced at once as an operator should; its path."""
  path = lab.directory / f"{name}.txt"
  fresh = path.with_suffix(".new")
  fresh.write_text("".join(f"{line}\n" for line in lines))
  os.replace(fresh, path)
  return str(path)


def add_others(lab):
  """A second client of each family, whose address is used only when asked for."""
  for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
    lab.client.ip("address", "add", f"{OTHER[family]}/{bits}", "dev", "c0",
      *(["nodad", "preferred_lft", "0"] if family == socket.AF_INET6 else []))
  lab.server.ip("-6", "route", "add", f"{OTHER[socket.AF_INET6]}/128", "dev", "s0")


def fetches(lab, family, source, seconds=10):
  """Whether that client gets the page within so many seconds."""
  done = lab.curl("--interface", source, "--max-time", seconds, "--output", "/dev/null",
    "--write-out", "%{size_download}", url(family, "page"), check=False)
  expect(done.returncode in (0, 28), f"curl ended with {done.returncode}: {done.stderr}")
  return done.returncode == 0 and int(done.stdout) == PAGE_BYTES


def start(lab, **sources):
  """A web server behind Sluice, and the configuration that runs."""
  lab.start_nginx(keepalive_s=60)
  (lab.directory / "www" / "page").write_bytes(b"x" * PAGE_BYTES)
  config = {**lab.config(tcp_syncookies=1), "sources": sources}
  return lab.start_sluice(config), config


@lab_test(drivers=DRIVERS[:1], beside=True)
def lists_live(lab):
  """Lists at start, changed by reloads while others load pages: denied, allowed out of what is
  denied, taken back. A connection from before goes on. A wrong file changes nothing."""
  add_others(lab)
  deny = write_list(lab, "deny", "# nobody yet", "", "192.0.2.0/24")
  allow = write_list(lab, "allow")
  sluice, config = start(lab, deny_file=deny, allow_file=allow)
  others = {family: lab.client.socket(family) for family in FAMILIES}
  ends = []
  for family, client in others.items():
    with lab.server.listen(family, ECHO_PORT) as listener:
      client.bind((OTHER[family], 0))
      client.connect((SERVER[family], ECHO_PORT))
      server, _ = listener.accept()
    lab.sockets.append(server)
    server.settimeout(20)
    ends.append((client, server))
  users = Users(lab)

  for family in FAMILIES:
    expect(fetches(lab, family, OTHER[family]), "a client that no list speaks about got nothing")
  write_list(lab, "deny", *OTHER_NETWORK.values())
  control.ask(sluice, "reload")
  for family in FAMILIES:
    expect(not fetches(lab, family, OTHER[family], 1.5), "a denied client got the page")
    expect(fetches(lab, family, CLIENT[family]), "another client got nothing")
    told = control.sluicectl(sluice, "explain", f"{OTHER[family]}:4242" if family == socket.AF_INET
      else f"[{OTHER[family]}]:4242", f"web-{FAMILY_NAME[family]}")
    expect(f"denied by {OTHER_NETWORK[family]} ({deny}:" in told, f"explain says:\n{told}")
  expect(sluice.reason("syn_denied") >= 2 * len(FAMILIES), "SYNs of denied clients, repeated")
  for client, server in ends:
    tcp.exchange(client, server, 100000)

  # Everybody denied, but some; the longest prefix decides.
  write_list(lab, "allow", *(f"{CLIENT[family]}" for family in FAMILIES), "10.0.0.9 # the checker")
  write_list(lab, "deny", "0.0.0.0/0", "::/0", OTHER_NETWORK[socket.AF_INET])
  told = control.sluicectl(sluice, "reload")
  expect(fetches(lab, socket.AF_INET, OTHER[socket.AF_INET]), "an allowed client got nothing")
  expect(not fetches(lab, socket.AF_INET6, OTHER[socket.AF_INET6], 1.5), "a denied one got the page")
  listed = control.sluicectl(sluice, "lists")
  expect(f"deny      2     1  {deny}" in listed and f"allow     2     1  {allow}" in listed,
    f"sluicectl lists says:\n{listed}")
  expect("3 prefixes denied, 3 allowed" in sluice.process.err(), "the log of the reload")

  # Wrong files: told by line, and nothing changes.
  write_list(lab, "deny", "10.0.0.0/33", "0.0.0.0/0", "10.0.0.9", "x")
  for ask in ("reload", "check"):
    try:
      control.ask(sluice, ask)
      expect(False, f"{ask} takes a wrong file")
    except control.Refused as refused:
      expect_equal(refused.errors, [f"{deny}:1: length not in 0..32 (value 10.0.0.0/33)",
        f"{deny}:4: not a prefix (value x)",
        f"{allow}:3: also denied, by {deny}:3 (value 10.0.0.9/32)"], f"errors of {ask}")
  os.unlink(deny)
  checked = control.sluicectl(sluice, "check", sluice.path, status=2)
  expect(f"{deny}: cannot be opened: No such file" in checked, f"sluicectl check says:\n{checked}")
  expect(fetches(lab, socket.AF_INET, OTHER[socket.AF_INET]), "an allowed client, after all that")

  # Taken back.
  config = copy.deepcopy(config)
  config["sources"] = {}
  reloaded(sluice, config)
  for family in FAMILIES:
    expect(fetches(lab, family, OTHER[family]), "a client that is denied no more got nothing")
  for client, server in ends:
    tcp.exchange(client, server, 100000)
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of a connection from before")
  users.stopped = True
  for thread in users.threads:
    thread.join(20)
  expect(not users.failures, f"others: {users.failures[:3]}")
  expect(users.served["kept"] > 10 and users.served["new"] > 3, f"others: {users.served}")


@lab_test(drivers=DRIVERS[:1])
def flood_from_denied(lab):
  """A SYN flood and an ACK flood from a network that is denied: not one cookie is sent, no queue is
  touched, and others are served; the lists are reloaded meanwhile."""
  deny = write_list(lab, "deny", *FLOOD_NETWORK.values())
  sluice, _ = start(lab, deny_file=deny)
  floods = [lab.flood(kind, FLOOD_COUNT, FLOOD_RATE, family, WEB_PORT)
    for kind in ("syn", "ack") for family in FAMILIES]
  reloads = 0
  while any(flood.running() for flood in floods):
    # Another list each time, so that tables are made anew.
    write_list(lab, "deny", *FLOOD_NETWORK.values(), f"192.0.2.{reloads}", f"2001:db8::{reloads}")
    control.ask(sluice, "reload")
    reloads += 1
    for family in FAMILIES:
      expect(fetches(lab, family, CLIENT[family]), "a client in the flood got nothing")
  for flood in floods:
    expect_equal(flood.wait(20), 0, "exit status of the flood")
  # What the wire and the kernel did not lose arrives and is dropped; nothing of it is answered.
  def counted():
    reasons = sluice.counters()["reasons"]
    return min(reasons.get("syn_denied", 0), reasons.get("stray_denied", 0)) > FLOOD_COUNT
  wait_until(counted, 10, "packets of the floods, dropped")
  total = sluice.counters()["total"]
  expect_equal(total["SyncookiesSent"], 0, "cookies sent")
  expect_equal(total.get("TCPReqQFullDoCookies", 0), 0, "SYNs that met a full queue")
  expect_equal(sluice.reason("ack_cookie_invalid") + sluice.reason("stray_client"), 0,
    "ACKs of the flood that were looked at")
  expect(reloads > 2, "reloads during the flood")


@lab_test(drivers=DRIVERS[:1], beside=True)
def rate_limited(lab):
  """One client begins more connections than its rate: so many get through at once and per second as
  configured, its other ones later; a client beside it and an allowed one are not held up."""
  add_others(lab)
  allow = write_list(lab, "allow", *OTHER.values())
  sluice, config = start(lab, syn_per_s=PER_S, syn_burst=BURST, allow_file=allow)
  for family in FAMILIES:
    began = time.monotonic()
    before = sluice.counters()["total"]["PassiveOpens"]
    clients = [lab.client.socket(family) for _ in range(3 * BURST)]
    for client in clients:
      client.setblocking(False)
      client.connect_ex((SERVER[family], WEB_PORT))
    for _ in range(2 * BURST):
      expect(fetches(lab, family, OTHER[family]), "an allowed client got nothing")
    # Their SYNs are repeated by their kernel, and in the end all are let in.
    allowed = 2 * BURST
    def opened():
      return sluice.counters()["total"]["PassiveOpens"] - before - allowed
    taken = opened()
    most = BURST + PER_S * (time.monotonic() - began)
    expect(BURST <= taken <= most + 1, f"connections of the limited client: {taken} of {most}")
    wait_until(lambda: opened() == len(clients), 30, "all of the limited client's connections")
    least = (len(clients) - BURST) / PER_S
    expect(time.monotonic() - began >= least, f"all were let in before {least} s had passed")
  expect(sluice.reason("syn_rate_limited") >= BURST, "SYNs that were refused for their rate")

  # Without the limit, all at once.
  config = copy.deepcopy(config)
  config["sources"] = {}
  reloaded(sluice, config)
  limited = sluice.reason("syn_rate_limited")
  for _ in range(3 * BURST):
    expect(fetches(lab, socket.AF_INET, CLIENT[socket.AF_INET]), "a client without a limit got nothing")
  expect_equal(sluice.reason("syn_rate_limited"), limited, "SYNs limited without a limit")
