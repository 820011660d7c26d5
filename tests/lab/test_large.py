# SPDX-License-Identifier: BSD-3-Clause
"""Frames of other sizes than 1500 bytes: merged segments from virtio peers, and jumbo frames."""

import re
import socket

import tcp
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FOREIGN_PORT, SERVER, Sluice, expect, expect_equal,
  wait_until)
from registry import lab_test

BYTES = 10 * 1000 * 1000


def both_ways(lab):
  """10 MB each way over both families, compared byte by byte."""
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, BYTES)
    client.close()
    server.close()


def passing_traffic(lab):
  """What Sluice only passes has open checksums, too: TCP of another port, UDP both ways."""
  for family in FAMILIES:
    tcp.exchange(*tcp.connect_pair(lab, family, FOREIGN_PORT), BYTES // 10)
    client = lab.client.socket(family, socket.SOCK_DGRAM)
    server = lab.server.socket(family, socket.SOCK_DGRAM)
    server.bind((SERVER[family], FOREIGN_PORT))
    client.sendto(b"question" * 100, (SERVER[family], FOREIGN_PORT))
    question, asker = server.recvfrom(2000)
    expect_equal(question, b"question" * 100, f"UDP to the server over {family.name}")
    server.sendto(b"answer", asker)
    expect_equal(client.recv(2000), b"answer", f"UDP to the client over {family.name}")


def first_flight(lab):
  """Data that follow the handshake at once, and are held until the server answers."""
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    client = lab.client.connect(family, ECHO_PORT)
    words = bytes(range(250)) * 80
    client.sendall(words)
    server, _ = listener.accept()
    lab.sockets.append(server)
    listener.close()
    server.settimeout(10)
    expect(tcp.receive_exactly(server, len(words)) == words, "bytes arrived changed")


def expect_nothing_lost(counters):
  """No packet ended for its size or checksum, whole or in the ports."""
  for reason in ("frame_too_large", "tcp_checksum", "ip4_checksum"):
    expect_equal(counters["reasons"].get(reason, 0), 0, f"packets with the reason {reason}")
  for name, port in counters["ports"].items():
    expect_equal(port["tx_too_large"], 0, f"packets too large for the {name}'s port")


@lab_test(virtio=("client",))
def pitfall_20_virtio_client(lab):
  """A client behind virtio hands over merged segments with open checksums (PITFALLS 20, 21); a veth's
  server gets them cut to its MTU, with right checksums."""
  sluice = lab.start_sluice()
  first_flight(lab)
  both_ways(lab)
  passing_traffic(lab)
  expect_nothing_lost(sluice.counters())
  to_sluice, _ = lab.virtio_merged("client")
  expect(to_sluice > 50, f"the client's kernel merged only {to_sluice} segments")


@lab_test(virtio=("server",))
def pitfall_20_virtio_server(lab):
  """The same with the server behind virtio."""
  sluice = lab.start_sluice()
  first_flight(lab)
  both_ways(lab)
  passing_traffic(lab)
  expect_nothing_lost(sluice.counters())
  to_sluice, _ = lab.virtio_merged("server")
  expect(to_sluice > 50, f"the server's kernel merged only {to_sluice} segments")


@lab_test(drivers=DRIVERS[:1], virtio=("client", "server"))
def pitfall_21_virtio_both(lab):
  """Between two virtio peers merged segments stay merged."""
  sluice = lab.start_sluice()
  first_flight(lab)
  both_ways(lab)
  passing_traffic(lab)
  expect_nothing_lost(sluice.counters())
  for name, other in (("client", "server"), ("server", "client")):
    handed_over, _ = lab.virtio_merged(name)
    _, received = lab.virtio_merged(other)
    expect(handed_over > 50, f"the {name}'s kernel merged only {handed_over} segments")
    expect(received >= handed_over * 0.8, f"of the {name}'s {handed_over} merged segments {received} "
      f"reached the {other} as such")


def jumbo(lab, client_mtu, server_mtu, **queues):
  """Sluice between two veths with these MTUs: its own ends get theirs from the configuration."""
  lab.client.ip("link", "set", "c0", "mtu", client_mtu)
  lab.server.ip("link", "set", "s0", "mtu", server_mtu)
  config = lab.config(**queues)
  config["ports"]["client"]["mtu"] = client_mtu
  config["ports"]["server"]["mtu"] = server_mtu
  config["limits"]["mbufs"] = 16384
  return lab.start_sluice(config)


def segment_sizes(lab, family):
  """One connection with 10 MB each way; the largest segment that each end then sends by its ss."""
  client, server = tcp.connect_pair(lab, family, ECHO_PORT)
  tcp.exchange(client, server, BYTES)
  sizes = []
  port = client.getsockname()[1]
  for host, end in ((lab.client, "sport"), (lab.server, "dport")):
    shown = host.run("ss", "-Htin", end, "=", f":{port}").stdout
    sizes.append(int(re.search(r" mss:(\d+)", shown)[1]))
  client.close()
  server.close()
  return sizes


def check_segments(lab, sluice, mtu):
  """Segments of either end fill that MTU, from the second connection on, and none is lost."""
  for family, headers in zip(FAMILIES, (40 + 12, 60 + 12)):
    tcp.exchange(*tcp.connect_pair(lab, family, ECHO_PORT), 1000)
    expect_equal(segment_sizes(lab, family), [mtu - headers] * 2, f"segments' sizes, {family.name}")
  expect_nothing_lost(sluice.counters())


@lab_test(drivers=DRIVERS[:1])
def pitfall_21_jumbo(lab):
  """MTU 9000 on both sides: slots of the packet rings grow by themselves, the client learns the
  server's MSS once Sluice has, the server the client's from the syn queue."""
  check_segments(lab, jumbo(lab, 9000, 9000, tcp_syncookies=1), 9000)


@lab_test(drivers=DRIVERS[:1])
def pitfall_21_jumbo_server_only(lab):
  """MTU 9000 on the server's side alone: no larger segments than the client's side takes."""
  check_segments(lab, jumbo(lab, 1500, 9000), 1500)


@lab_test(drivers=DRIVERS[:1])
def pitfall_21_too_large_is_counted(lab):
  """What passes from a side with MTU 9000 to one with 1500 and can't be cut is counted, not lost in
  silence; TCP is told in time and loses nothing."""
  sluice = jumbo(lab, 9000, 1500)
  for family in FAMILIES:
    tcp.exchange(*tcp.connect_pair(lab, family, ECHO_PORT), BYTES)
  expect_nothing_lost(sluice.counters())
  sender = lab.client.socket(FAMILIES[0], socket.SOCK_DGRAM)
  for size in (1472, 1473, 8972):
    sender.sendto(bytes(size), (SERVER[FAMILIES[0]], FOREIGN_PORT))
  wait_until(lambda: sluice.counters()["ports"]["server"]["tx_too_large"] == 2, 2,
    "two datagrams counted as too large")


@lab_test(drivers=DRIVERS[1:])
def pitfall_21_jumbo_refused(lab):
  """net_af_xdp has no frames of that size: refused at start, with the largest MTU it can do."""
  lab.client.ip("link", "set", "c0", "mtu", 9000)
  config = lab.config()
  config["ports"]["client"]["mtu"] = 9000
  sluice = Sluice(lab, config, check_end=False)
  expect(not sluice.wait_ready(), "Sluice starts with MTU 9000 on net_af_xdp")
  expect("MTU 9000 is too large for net_af_xdp: at most" in sluice.process.err(),
    f"message for MTU 9000:\\n{sluice.process.err()}")
