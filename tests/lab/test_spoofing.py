# SPDX-License-Identifier: BSD-3-Clause
"""An attacker who knows a connection's addresses and ports, and may forge either, can't harm it."""

import itertools
import random
import socket
import struct
import time

import tcp
from capture import ACK, FIN, RST, SYN, Capture, Checker, ones_complement
from control import sluicectl_json
from lab import ECHO_PORT, FAMILIES, FAMILY_NAME, expect, expect_equal, wait_until
from registry import lab_test

BESIDE = True
POSITIONS = 1000
WINDOW_BYTES = 60000  # what both hosts take at any time
OLD_MS = 100000       # how much older than the last one a forged timestamp is
BURST = 50
BURST_PAUSE_S = 0.002
WAR_PAUSE_S = 0.001
WAR_S_MAX = 15
SEED = 15


class Numbers:
  """Those of one host of the connection, as it uses them itself: its next byte, what it expects
  next, its last timestamp and the other's."""

  def __init__(self, checker, end, other):
    sender, receiver = checker.sides[end], checker.sides[other]
    self.end, self.other = end, other
    self.next, self.expected = sender.next, receiver.next
    self.timestamps = sender.tsval, receiver.tsval


def established(lab, family):
  """A connection with some bytes behind it: both ends, and each host's numbers as an attacker
  beside it would love to know them."""
  taps = [Capture(lab.client, "c0"), Capture(lab.server, "s0")]
  client, server = tcp.connect_pair(lab, family, ECHO_PORT)
  tcp.exchange(client, server, 3000)
  time.sleep(0.1)  # the last acknowledgements
  numbers = []
  for tap in taps:
    checker = Checker("before the attack")
    (segments,) = tap.stop().values()
    for segment in segments:
      checker.take(segment)
    ends = list(checker.sides)
    numbers.append(Numbers(checker, *(ends if tap is taps[0] else ends[::-1])))
  return client, server, numbers


def segment(numbers, flags, seq, ack, payload=b"", old=True):
  """A TCP segment over IP from a host, with the timestamps of long ago or none."""
  (version, source, source_port), (_, destination, destination_port) = numbers.end, numbers.other
  options = b""
  if old:
    tsval, tsecr = numbers.timestamps
    options = struct.pack("!BBBBII", 1, 1, 8, 10, tsval - OLD_MS & 0xffffffff, tsecr)
  header = struct.pack("!HHIIBBHHH", source_port, destination_port, seq & 0xffffffff,
    ack & 0xffffffff, (20 + len(options)) // 4 << 4, flags, 500, 0, 0)
  body = header + options + payload
  pseudo = source + destination + struct.pack("!II", len(body), socket.IPPROTO_TCP)
  body = body[:16] + struct.pack("!H", 0xffff ^ ones_complement(pseudo + body)) + body[18:]
  if version == 6:
    ip = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_TCP, 64)
    return ip + source + destination + body
  ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, socket.IPPROTO_TCP, 0)
  ip += source + destination
  return ip[:10] + struct.pack("!H", 0xffff ^ ones_complement(ip)) + ip[12:] + body


def positions(draw, first):
  """Numbers all over the window, but never its first, and as many anywhere."""
  step = WINDOW_BYTES // (POSITIONS // 2)
  inside = [first + 1 + number * step for number in range(POSITIONS // 2)]
  return inside + [draw.getrandbits(32) for _ in inside]


def battery(numbers, draw):
  """Everything that an attacker tries from one host's address, as IP packets. He knows no number
  for sure, so an ack number is a guess; only what carries old timestamps has the right one."""
  for seq in positions(draw, numbers.next):
    guess = draw.getrandbits(32)
    yield segment(numbers, RST, seq, 0, old=False)
    yield segment(numbers, RST | ACK, seq, guess, old=False)
    yield segment(numbers, SYN, seq, 0, old=False)
    yield segment(numbers, SYN | ACK, seq, guess, old=False)
    yield segment(numbers, FIN | ACK, seq, guess, old=False)
    yield segment(numbers, ACK, seq, guess, b"forged", old=False)


def battery_old(numbers, draw):
  """Data and FINs that fit, from long ago by their timestamps (RFC 7323 5), the first of them to the
  byte."""
  yield segment(numbers, FIN | ACK, numbers.next, numbers.expected)
  yield segment(numbers, FIN | ACK, numbers.next, numbers.expected, b"forged")
  for seq in positions(draw, numbers.next):
    yield segment(numbers, ACK, seq, numbers.expected, b"forged")
    yield segment(numbers, FIN | ACK, seq, numbers.expected)


def attack(attacker, device, destination_mac, packets):
  """Sends IP packets from a host's interface. The source address of the frames is the host's."""
  raw = attacker.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
  raw.bind((device, 0))
  macs = bytes.fromhex((destination_mac + attacker.mac(device)).replace(":", ""))
  sent = 0
  for packet in packets:
    ethertype = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    raw.send(macs + struct.pack("!H", ethertype) + packet)
    sent += 1
    if sent % BURST == 0:
      time.sleep(BURST_PAUSE_S)
  return sent


def state_of(sluice, client, family):
  """What `sluicectl explain` says of a connection, apart from times."""
  address, port = client.getsockname()[:2]
  text = f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"
  row = sluicectl_json(sluice, "explain", text, f"echo-{FAMILY_NAME[family]}")["connection"]
  return row and {key: value for key, value in row.items() if not key.endswith("_ms")}


def unharmed(lab, kind, data_after=(True,)):
  """Attacks a connection. data_after: whether bytes flow afterwards, or both ends just close."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  draw = random.Random(SEED)
  macs = {lab.client: lab.client.mac("c0"), lab.server: lab.server.mac("s0")}
  for family, with_data in itertools.product(FAMILIES, data_after):
    client, server, (near, far) = established(lab, family)
    before = state_of(sluice, client, family)
    received = sluice.counters()["received"]
    # As the client from its side, as the server from its own, and as the server from the client's.
    sent = 0
    for attacker, device, target, numbers in ((lab.client, "c0", lab.server, near),
        (lab.server, "s0", lab.client, far), (lab.client, "c0", lab.server, far)):
      sent += attack(attacker, device, macs[target], kind(numbers, draw))
      expect_equal(state_of(sluice, client, family), before, f"state after the attack from {device}")
    wait_until(lambda: sluice.counters()["received"] - received >= 0.99 * sent, 5, "all judged")
    if with_data:
      tcp.exchange(client, server, 500000)
    expect_equal(state_of(sluice, client, family), before, "state before the close")
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
    server.close()
    wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
  expect_equal(sluice.counters()["total"]["EstabResets"], 0, "EstabResets")


@lab_test(offloads=(False,))
def pitfall_15_blind_segments(lab):
  """RST, SYN, FIN, data and SYN-ACK at 1,000 positions in and out of the window, from either
  host's address: the connection and its state stay as they are, and go on."""
  unharmed(lab, battery)


def provocations(numbers, victim):
  """Keep-alive probes of a host that answers each, one number below the next, until the other host's
  socket is closed. A war with pauses is none: how long it takes depends on how busy the machine
  is."""
  end = time.monotonic() + WAR_S_MAX
  while not tcp.is_over(victim):
    expect(time.monotonic() < end, f"the war went on for {WAR_S_MAX} s")
    yield segment(numbers, ACK, numbers.next - 1, numbers.expected, old=False)
    time.sleep(WAR_PAUSE_S)


@lab_test(drivers=("af_packet",), offloads=(False,))
def pitfall_17_ack_war(lab):
  """Segments that say nothing go to and fro without end, a host's own answers among them: both
  hosts get a reset within seconds. Other connections go on."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  lab.server.sysctl("net.ipv4.tcp_invalid_ratelimit", 0)
  for family in FAMILIES:
    bystander = tcp.connect_pair(lab, family, ECHO_PORT)
    client, server, (near, _) = established(lab, family)
    before = sluice.counters()
    attack(lab.client, "c0", lab.server.mac("s0"), provocations(near, client))
    for end in (client, server):
      tcp.expect_reset(end, 5)
    after = sluice.counters()
    expect(after["reasons"]["ack_war"] > before["reasons"]["ack_war"], "no war was noticed")
    expect_equal(after["total"]["EstabResets"], before["total"]["EstabResets"] + 1, "EstabResets")
    tcp.exchange(*bystander, 100000)
    for end in bystander:
      end.close()


@lab_test(drivers=("af_packet",), offloads=(False,))
def pitfall_15_old_timestamps(lab):
  """Data and FINs that fit but for their timestamps, which are of long ago, in the window and at
  its very edge;
  the close is seen also when no byte follows."""
  unharmed(lab, battery_old, data_after=(True, False))
