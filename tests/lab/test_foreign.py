# SPDX-License-Identifier: BSD-3-Clause
"""What is not for a backend passes between the two ports unchanged."""

import os
import socket
import struct
import time

import tcp
from lab import (ECHO_PORT, FAMILIES, FAMILY_NAME, FOREIGN_PORT, SERVER, expect,
  expect_equal)
from registry import EITHER, lab_test

BESIDE = True
ETHERTYPE_LAB = 0x88b5  # IEEE 802: for local experiments
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6
ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
ICMP = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


def ping(lab, family, size):
  """An echo request with a payload of that size; the reply's payload must be the same."""
  lab.client.sysctl("net.ipv4.ping_group_range", "0 0")
  pinger = lab.client.socket(family, socket.SOCK_DGRAM, ICMP[family])
  payload = os.urandom(size)
  pinger.sendto(struct.pack("!BBHHH", ECHO_REQUEST[family], 0, 0, 0, 1) + payload,
    (SERVER[family], 0))
  pinger.settimeout(3)
  reply = pinger.recv(65536)
  expect_equal(reply[0], ECHO_REPLY[family], "ICMP type of the reply")
  expect(reply[8:] == payload, "the payload of the ping changed")
  pinger.close()


@lab_test(offloads=EITHER)
def foreign_traffic(lab):
  """Ping with and without fragments, address resolution, UDP, unprotected TCP, any EtherType."""
  sluice = lab.start_sluice()
  for family in FAMILIES:
    # The kernel reassembles IPv4 fragments before DPDK's net_af_packet gets them, which then
    # has no room for the result.
    whole_only = lab.driver == "af_packet" and family == socket.AF_INET
    for size in (56, 1400) if whole_only else (56, 1400, 4000):
      ping(lab, family, size)
    lab.client.ip("neighbour", "flush", "dev", "c0")
    lab.server.ip("neighbour", "flush", "dev", "s0")
    ping(lab, family, 56)
    server = lab.server.socket(family, socket.SOCK_DGRAM)
    server.bind((SERVER[family], ECHO_PORT))
    client = lab.client.socket(family, socket.SOCK_DGRAM)
    client.sendto(b"question" * 100, (SERVER[family], ECHO_PORT))
    question, peer = server.recvfrom(2000)
    expect_equal(question, b"question" * 100, "UDP to the server")
    server.sendto(b"answer" * 100, peer)
    expect_equal(client.recv(2000), b"answer" * 100, "UDP to the client")
    client, server = tcp.connect_pair(lab, family, FOREIGN_PORT)
    tcp.exchange(client, server, 1000000)
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of an unprotected stream")
  other_ethertype(lab)
  counters = sluice.counters()
  for reason in ("pass_not_ip", "pass_not_tcp", "pass_not_protected"):
    expect(counters["reasons"][reason] > 0, f"no packet counted as {reason}")
  expect_equal(counters["connections"], 0, "connections after foreign traffic alone")


def other_ethertype(lab):
  """Frames of an EtherType that nobody knows, shortest and longest, pass byte for byte."""
  receiver = lab.server.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_LAB))
  receiver.bind(("s0", ETHERTYPE_LAB))
  sender = lab.client.socket(socket.AF_PACKET, socket.SOCK_RAW)
  sender.bind(("c0", 0))
  addresses = bytes.fromhex((lab.server.mac("s0") + lab.client.mac("c0")).replace(":", ""))
  for size in (46, 500, 1500):
    frame = addresses + struct.pack("!H", ETHERTYPE_LAB) + os.urandom(size)
    sender.send(frame)
    receiver.settimeout(3)
    expect(receiver.recv(2000) == frame, f"a frame of {len(frame)} bytes arrived changed")


def first_frames(lab, family, device_tap, tries=2000):
  """The Ethernet header and tags of the first TCP frame for the echo port seen by a tap."""
  for _ in range(tries):
    frame, ancillary, _, address = device_tap.recvmsg(2000, 200)
    if address[2] == socket.PACKET_OUTGOING:
      continue
    tags = []
    for level, kind, value in ancillary:
      if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
        status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
        if status & VLAN_VALID:
          tags.append((tpid if status & VLAN_TPID_VALID else 0x8100, tci))
    offset = 12
    while (kind := struct.unpack_from("!H", frame, offset)[0]) in (0x8100, 0x88a8):
      tags.append((kind, struct.unpack_from("!H", frame, offset + 2)[0]))
      offset += 4
    header = 20 if family == socket.AF_INET else 40
    protocol = frame[offset + 2 + (9 if family == socket.AF_INET else 6)]
    ports = offset + 2 + header
    if protocol == socket.IPPROTO_TCP and ECHO_PORT in struct.unpack_from("!HH", frame, ports):
      return frame[:6], frame[6:12], tags
  expect(False, f"no TCP frame over {FAMILY_NAME[family]} at the tap")


def taps_see(lab, tags):
  """MAC addresses and tags of a connection, as they arrive at each host."""
  lab.start_sluice()
  macs = {host: bytes.fromhex(host.mac(device).replace(":", ""))
    for host, device in ((lab.client, "c0"), (lab.server, "s0"))}
  for family in FAMILIES:
    # Address resolution first, so that the taps see nothing but the connection.
    ping(lab, family, 56)
    taps = {}
    for host, device in ((lab.client, "c0"), (lab.server, "s0")):
      tap = lab_tap(host, device)
      taps[host] = tap
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, 1000)
    time.sleep(0.1)
    for host, other in ((lab.client, lab.server), (lab.server, lab.client)):
      destination, source, seen = first_frames(lab, family, taps[host])
      expect_equal(destination.hex(), macs[host].hex(), "destination MAC")
      expect_equal(source.hex(), macs[other].hex(), "source MAC")
      expect_equal([(hex(kind), tci & 0xfff) for kind, tci in seen],
        [(hex(kind), tci) for kind, tci in tags], "VLAN tags, outermost first")
      taps[host].close()


def lab_tap(host, device):
  """A socket that sees every frame of a device, and the tags that the kernel took off."""
  tap = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
  tap.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
  tap.bind((device, ETH_P_ALL))
  tap.settimeout(3)
  return tap


@lab_test(offloads=EITHER)
def addresses_stay(lab):
  """Both hosts see each other's MAC addresses, not Sluice's."""
  taps_see(lab, [])


@lab_test(offloads=EITHER, tags="vlan")
def vlan_stays(lab):
  """The same with the tag of VLAN 10."""
  taps_see(lab, [(0x8100, 10)])


@lab_test(offloads=EITHER, tags="qinq")
def qinq_stays(lab):
  """The same with both tags of QinQ."""
  taps_see(lab, [(0x88a8, 20), (0x8100, 7)])


@lab_test(drivers=("af_packet",), offloads=EITHER, tags="stacked")
def two_tags_stay(lab):
  """The same with two tags of 802.1Q, as net_af_packet has them unless told otherwise."""
  taps_see(lab, [(0x8100, 20), (0x8100, 7)])
