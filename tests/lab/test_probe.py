# SPDX-License-Identifier: BSD-3-Clause
"""The probe of backends: what a real server's kernel teaches before the first client comes."""

import json
import socket

import tcp
from control import sluicectl_json
from lab import (ALL_CPUS, ECHO_PORT, FAMILIES, FAMILY_NAME, ROUTER_INNER, ROUTER_OUTER, SPARE_PORT,
  expect, expect_equal, wait_until)
from registry import lab_test

BESIDE = True
PROBE = {socket.AF_INET: "10.0.0.250", socket.AF_INET6: "fd00::250"}
SERVER_MTU = 1400
SERVER_MSS = {socket.AF_INET: SERVER_MTU - 40, socket.AF_INET6: SERVER_MTU - 60}
LEARNED_S = 10
VLAN_ID = 10  # vlan.bpf.c
PROBED = ("echo", "spare")


def probing_config(lab, probe=None, **options):
  """The lab's configuration, where the echo and spare ports are probed."""
  config = lab.config(**options)
  config["probe"] = {"source": PROBE[socket.AF_INET], "source6": PROBE[socket.AF_INET6], **(probe or {})}
  for backend in config["backends"]:
    if backend["name"].startswith(PROBED):
      backend["profile"] = "probe"
  return config


def rows_of(sluice, name):
  return [row for row in sluicectl_json(sluice, "profile") if row["backend"].startswith(name)]


def wait_learned(sluice, name):
  """Waits until every worker has an answer from both families' backends; their rows."""
  wait_until(lambda: all(row["source"] for row in rows_of(sluice, name)), LEARNED_S,
    f"profile of {name} learned")
  return rows_of(sluice, name)


def mac_of(host, address):
  """The MAC address that a host knows of a neighbour, or None."""
  neighbours = json.loads(host.ip("-j", "neigh", "show", address).stdout)
  return neighbours[0].get("lladdr") if neighbours else None


def frames_with(watcher, address):
  """How many of the frames that came in have the address somewhere inside."""
  watcher.setblocking(False)
  found = 0
  try:
    while True:
      found += address in watcher.recv(65536)
  except BlockingIOError:
    return found


@lab_test()
def first_client(lab):
  """A server with a smaller MTU and without timestamps: the first client is told so, though no
  client was there before, and nothing of the probe stays at the server or gets to the clients' side.
  A port where nobody listens is asked again until somebody does."""
  lab.server.sysctl("net.ipv4.tcp_timestamps", 0)
  lab.server.ip("link", "set", "s0", "mtu", SERVER_MTU)
  listeners = {family: lab.server.listen(family, ECHO_PORT) for family in FAMILIES}
  watcher = lab.client.packet_socket("c0")
  sluice = lab.start_sluice(probing_config(lab))
  for row in wait_learned(sluice, "echo"):
    family = socket.AF_INET6 if row["backend"].endswith("6") else socket.AF_INET
    expect_equal((row["profile"], row["source"], row["mss"], row["timestamps"], row["sack"]),
      ("probe", "probe", SERVER_MSS[family], False, True), f"profile of {row['backend']}")
    expect(row["probe_answers"] > 0 and row["probed_ago_ms"] is not None, f"row {row}")
  wait_until(lambda: all(row["probe_failures"] for row in rows_of(sluice, "spare")), LEARNED_S,
    "a failed probe where nobody listens")
  for family in FAMILIES:
    listeners[family, SPARE_PORT] = lab.server.listen(family, SPARE_PORT)
  wait_learned(sluice, "spare")

  left = lab.server.run("ss", "-Htan", "state", "all", "exclude", "listening").stdout
  expect_equal(left.strip(), "", "sockets at the server")
  for line in lab.server.run("ss", "-Hltn").stdout.splitlines():
    expect_equal(line.split()[1], "0", f"accept queue of {line}")
  for family in FAMILIES:
    found = frames_with(watcher, socket.inet_pton(family, PROBE[family]))
    expect_equal(found, 0, f"frames of the probe's {FAMILY_NAME[family]} address at the client")

  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT, listeners[family])
    expect_equal(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), SERVER_MSS[family],
      "MSS of the first client")
    expect_equal(tcp.negotiated(lab.client, family, client), {"sack", "wscale"}, "options of the first client")
    tcp.exchange(client, server, 100000)
  for row in rows_of(sluice, "echo"):
    expect_equal((row["source"], row["drift"]), ("client", 1), f"profile of {row['backend']} afterwards")

  # Whoever asks on the servers' side is told who has the probe's address.
  for family in FAMILIES:
    lab.server.ip("neigh", "flush", "dev", "s0")
    lab.server.socket(family, socket.SOCK_DGRAM).sendto(b"anybody", (PROBE[family], 9))
    wait_until(lambda family=family: mac_of(lab.server, PROBE[family]) == lab.sluice_host.mac("s1"), 2,
      f"MAC of {PROBE[family]} at the server")


@lab_test(drivers=("af_packet",), router="server", beside=False)
def behind_a_gateway(lab):
  """A server behind a router, probed by two workers through that gateway."""
  lab.router.ip("address", "add", "10.0.0.249/30", "dev", "r1")
  lab.router.ip("route", "add", f"{PROBE[socket.AF_INET6]}/128", "dev", "r1")
  for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
    lab.server.ip("route", "add", f"{PROBE[family]}/{bits}", "via", ROUTER_OUTER[family], "dev", "s0")
  listeners = [lab.server.listen(family, port) for family in FAMILIES for port in (ECHO_PORT, SPARE_PORT)]
  config = probing_config(lab, {"prefix": 30, "prefix6": 126, "gateway": ROUTER_INNER[socket.AF_INET],
    "gateway6": "fe80::fe"}, cpus=ALL_CPUS[:2], vdev_extra=",qpairs=2")
  sluice = lab.start_sluice(config)
  rows = wait_learned(sluice, "echo")
  expect_equal(len(rows), 4, "rows of two workers and two backends")
  for row in rows + wait_learned(sluice, "spare"):
    expect_equal((row["source"], row["probe_answers"]), ("probe", 1), f"profile {row}")
  for listener in listeners:
    listener.setblocking(False)
    try:
      listener.accept()
    except BlockingIOError:
      continue
    expect(False, "the server accepted a probe's connection")


@lab_test(tags="vlan")
def in_a_vlan(lab):
  """A server in a VLAN: probes, questions and answers carry its tag."""
  lab.server.sysctl("net.ipv4.tcp_timestamps", 0)
  listeners = {family: lab.server.listen(family, ECHO_PORT) for family in FAMILIES}
  sluice = lab.start_sluice(probing_config(lab, {"vlan": VLAN_ID}))
  wait_learned(sluice, "echo")
  for family in FAMILIES:
    client, _ = tcp.connect_pair(lab, family, ECHO_PORT, listeners[family])
    expect_equal(tcp.negotiated(lab.client, family, client), {"sack", "wscale"}, "options of the first client")
