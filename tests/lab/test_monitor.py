# SPDX-License-Identifier: BSD-3-Clause
"""Backends whose mode is monitor or off: what passes, what is counted as if, and switching."""

import collections
import socket
import struct
import time

import control
import tcp
from capture import Capture, ones_complement
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, SERVER, WEB_PORT, expect,
  expect_equal, url, wait_until)
from registry import lab_test
from test_reload import PAGE_BYTES, Users

BESIDE = True
BACKLOG = 128
FLOOD = 600  # SYNs, sent within the second after which the first entry's SYN-ACK would be due
MODES = ("off", "monitor")
PAGES = 20
TURNS = 3

# A backend and clients that no host is, so that nobody answers: all frames are the test's own.
NOBODY = {socket.AF_INET: ("10.0.0.66", "10.0.0.77"), socket.AF_INET6: ("fd00::66", "fd00::77")}
MAC = {"client": bytes.fromhex("020000000066"), "server": bytes.fromhex("020000000077")}
FIN, SYN, RST, ACK = 1, 2, 4, 16
SYN_OPTIONS = bytes.fromhex("020405b40402080a0000000100000000") + bytes.fromhex("01030307")
MORE = 0x2000  # fragments follow


def packed(family, text):
  return socket.inet_pton(family, text)


def with_checksum(family, ends, segment):
  pseudo = b"".join(packed(family, end) for end in ends) + struct.pack("!II", len(segment),
    socket.IPPROTO_TCP)
  total = 0xffff - ones_complement(pseudo + segment[:16] + b"\0\0" + segment[18:])
  return segment[:16] + struct.pack("!H", total) + segment[18:]


def tcp_segment(family, ends, ports, flags, seq, ack, options=b"", payload=b"", offset=None):
  """A segment with a right checksum; offset: what the header says of its length, in words."""
  words = 5 + len(options) // 4 if offset is None else offset
  return with_checksum(family, ends, struct.pack("!HHIIBBHHH", *ports, seq, ack, words << 4, flags, 8192,
    0, 0) + options + payload)


def frame(family, side, payload, number=0, fragment=None, protocol=socket.IPPROTO_TCP):
  """A frame from that side's nobody to the other's; fragment: offset and MORE, as IPv4 has them."""
  ends = NOBODY[family] if side == "client" else NOBODY[family][::-1]
  addresses = b"".join(packed(family, end) for end in ends)
  ether = (MAC["server"] + MAC["client"]) if side == "client" else (MAC["client"] + MAC["server"])
  if family == socket.AF_INET:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number, fragment or 0, 64, protocol,
      0) + addresses
    total = 0xffff - ones_complement(header)
    return ether + b"\x08\x00" + header[:10] + struct.pack("!H", total) + header[12:] + payload
  if fragment is not None:
    payload = struct.pack("!BBHI", protocol, 0, (fragment & 0x1fff) << 3 | bool(fragment & MORE),
      number) + payload
    protocol = 44
  elif protocol == socket.IPPROTO_ICMP:
    protocol = socket.IPPROTO_ICMPV6
  return ether + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + addresses + payload


def syn_flood(family):
  """SYNs of so many ports, each with its number as ISN."""
  return [("client", frame(family, "client", tcp_segment(family, NOBODY[family], (port, ECHO_PORT), SYN,
    port, 0, SYN_OPTIONS), port)) for port in range(10000, 10000 + FLOOD)]


def handshakes(family):
  """Clients that the server answers, in time, twice, or by a reset; some go on, some reset."""
  ends = NOBODY[family]
  for port in range(20000, 20040):
    there, back = (port, ECHO_PORT), (ECHO_PORT, port)
    yield "client", tcp_segment(family, ends, there, SYN, port, 0, SYN_OPTIONS)
    if port % 4 == 0:
      yield "server", tcp_segment(family, ends[::-1], back, RST | ACK, 0, port + 1)
      continue
    for _ in range(1 + port % 2):
      yield "server", tcp_segment(family, ends[::-1], back, SYN | ACK, 7 * port, port + 1, SYN_OPTIONS)
    if port % 4 == 1:
      yield "client", tcp_segment(family, ends, there, RST, port + 1, 0)
      continue
    yield "client", tcp_segment(family, ends, there, ACK, port + 1, 7 * port + 1)
    yield "client", tcp_segment(family, ends, there, ACK, port + 1, 7 * port + 1, payload=b"question")
    yield "server", tcp_segment(family, ends[::-1], back, ACK, 7 * port + 1, port + 9, payload=b"answer")
    yield "server", tcp_segment(family, ends[::-1], back, FIN | ACK, 7 * port + 7, port + 9)


def oddities(family):
  """What a protected backend would be spared: flags, lengths, options, checksums."""
  for side, ends, ports in (("client", NOBODY[family], (30000, ECHO_PORT)),
      ("server", NOBODY[family][::-1], (ECHO_PORT, 30000))):
    for flags in range(256):
      yield side, tcp_segment(family, ends, ports, flags, 5, 6, payload=b"x" * (flags % 3))
    for offset in range(16):
      yield side, tcp_segment(family, ends, ports, ACK, 5, 6, SYN_OPTIONS, offset=offset)
    for options in (b"\x02\x00\x00\x00", b"\x02\x01\x00\x00", b"\x02\xff\x00\x00", b"\x01\x01\x01\x02"):
      yield side, tcp_segment(family, ends, ports, SYN, 5, 6, options)
    good = tcp_segment(family, ends, ports, SYN, 5, 0, SYN_OPTIONS, payload=b"with data")
    yield side, good
    yield side, good[:16] + b"\xde\xad" + good[18:]
    yield side, tcp_segment(family, ends, (0, ports[1]), SYN, 5, 0)


def others(family, driver):
  """ICMP errors that quote segments, and fragments in any order, as whole frames."""
  quoted = frame(family, "server", tcp_segment(family, NOBODY[family][::-1], (ECHO_PORT, 20002), ACK, 5,
    6))[14:][:60]
  error = b"\x03\x04\0\0\0\0\x05\x00" if family == socket.AF_INET else b"\x02\0\0\0\0\0\x05\x00"
  yield "client", frame(family, "client", error + quoted, 1, protocol=socket.IPPROTO_ICMP)
  if (driver, family) == ("af_packet", socket.AF_INET):
    return  # the kernel reassembles them before the driver gets them
  for side in ("client", "server"):
    ends = NOBODY[family] if side == "client" else NOBODY[family][::-1]
    ports = (31000, ECHO_PORT) if side == "client" else (ECHO_PORT, 31000)
    whole = tcp_segment(family, ends, ports, SYN, 5, 0, payload=b"y" * 100)
    yield side, frame(family, side, whole[:64], 9, MORE)
    yield side, frame(family, side, whole[64:], 9, 8)
    yield side, frame(family, side, whole[:16], 10, MORE)
    yield side, frame(family, side, whole[8:], 11, 1)


def script(driver):
  """(flood, the rest): pairs of side and frame."""
  rest = []
  for family in FAMILIES:
    segments = [*handshakes(family), *oddities(family)]
    rest += [(side, frame(family, side, segment, number)) for number, (side, segment)
      in enumerate(segments)]
    rest += others(family, driver)
  return [one for family in FAMILIES for one in syn_flood(family)], rest


class Wire:
  """Sends frames at both hosts' interfaces, and gets those of the script that come to the other."""

  DEVICES = {"client": "c0", "server": "s0"}

  def __init__(self, lab):
    hosts = {"client": lab.client, "server": lab.server}
    self.into = {}
    self.taps = {}
    for side, host in hosts.items():
      self.into[side] = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
      self.into[side].bind((self.DEVICES[side], 0))
      self.taps[side] = host.packet_socket(self.DEVICES[side])
      self.taps[side].settimeout(5)
    self.came = {"client": [], "server": []}

  def send(self, frames, counts=True):
    """Sends them in order, each when the one before has come out where it must."""
    for side, one in frames:
      self.into[side].send(one)
      if counts:
        self.receive("server" if side == "client" else "client")

  def receive(self, side):
    """The next frame of the script that comes out on that side."""
    while True:
      came = self.taps[side].recv(65536)
      if came[6:12] in MAC.values():
        self.came[side].append(came)
        return

  def quiet(self, side):
    """True when nothing of the script comes there any more."""
    self.taps[side].settimeout(0.2)
    try:
      self.receive(side)
    except TimeoutError:
      return True
    finally:
      self.taps[side].settimeout(5)
    return False


def protected(lab, mode, **queues):
  """Sluice with a backend of each family that no host is."""
  config = lab.config(tcp_syncookies=1, mode=mode, somaxconn=BACKLOG, **queues)
  config["backends"] += [{"name": f"nobody-{FAMILY_NAME[family]}", "address": NOBODY[family][1],
    "port": ECHO_PORT} for family in FAMILIES]
  return lab.start_sluice(config)


def nobody_counters(sluice):
  """Of the flood's backends, and their SYN queues."""
  wanted = ("SyncookiesSent", "TCPReqQFullDoCookies", "ListenDrops", "ListenOverflows",
    "TCPReqQFullDrop")
  found = {}
  for family in FAMILIES:
    name = f"nobody-{FAMILY_NAME[family]}"
    counters = control.counters(sluice, name)
    found[name] = {key: counters[key] for key in wanted}
    found[name]["SYN-RECV"] = control.listed(sluice, name)["syn_recv"]
  return found


def pages_pass(lab):
  """Pages by curl: each frame is the same at both ends."""
  taps = [Capture(lab.client, "c0"), Capture(lab.server, "s0")]
  for family in FAMILIES:
    for _ in range(PAGES):
      expect_equal(len(lab.curl(url(family, "page")).stdout), PAGE_BYTES, "bytes of a page")
  time.sleep(0.1)
  seen = []
  for tap in taps:
    tap.stop()
    seen.append(collections.Counter(one for one, _ in tap.frames
      if one[12:14] in (b"\x08\x00", b"\x86\xdd") and struct.pack("!H", WEB_PORT) in one[34:58]))
  expect(sum(seen[0].values()) > PAGES * 8, f"only {sum(seen[0].values())} frames were captured")
  expect_equal(seen[0] - seen[1], collections.Counter(), "frames that only the client's side saw")
  expect_equal(seen[1] - seen[0], collections.Counter(), "frames that only the server's side saw")


@lab_test(offloads=(False,))
def same_as_off(lab):
  """The same frames, most of them such as a protected backend never sees, and pages: with monitor
  the ports send byte for byte what they send with off, which is what came in. The counters of the
  flood are those of protect."""
  lab.start_nginx()
  (lab.directory / "www" / "page").write_bytes(b"x" * PAGE_BYTES)
  flood, rest = script(lab.driver)
  came, counted = {}, {}
  for mode in MODES:
    sluice = protected(lab, mode)
    wire = Wire(lab)
    wire.send(flood)
    counted[mode] = nobody_counters(sluice)
    wire.send(rest)
    expect(wire.quiet("client") and wire.quiet("server"), "more came out than went in")
    came[mode] = wire.came
    pages_pass(lab)
    if mode == "monitor":
      proved = sum(control.counters(sluice, f"web-{FAMILY_NAME[family]}")["PassiveOpens"]
        for family in FAMILIES)
      expect_equal(proved, PAGES * len(FAMILIES), "clients that would have been proved")
      text = control.sluicectl(sluice, "ss")
      expect("mode is monitor" in text, f"sluicectl ss does not say so:\n{text}")
      expect("not protected: its mode is monitor" in control.sluicectl(sluice, "doctor",
        status=control.EXIT_FINDINGS if control.ask(sluice, "doctor")["findings"] else 0),
        "sluicectl doctor does not say so")
    expect(not any(sluice.stop()["emitted"].values()), f"packets were made in mode {mode}")
  sent = {"client": [one for side, one in flood + rest if side == "server"],
    "server": [one for side, one in flood + rest if side == "client"]}
  for side in sent:
    expect_equal(len(came["off"][side]), len(sent[side]), f"frames that came out on the {side}'s side")
    for before, off, monitor in zip(sent[side], came["off"][side], came["monitor"][side]):
      expect(before == off == monitor, f"changed: {before.hex()}, off {off.hex()}, "
        f"monitor {monitor.hex()}")

  sluice = protected(lab, "protect")
  wire = Wire(lab)
  wire.send(flood, counts=False)
  wanted = len(flood) // len(FAMILIES) - BACKLOG - 1
  wait_until(lambda: all(one["SyncookiesSent"] >= wanted for one in nobody_counters(sluice).values()), 5,
    "the flood is answered")
  counted["protect"] = nobody_counters(sluice)
  expect_equal(counted["monitor"], counted["protect"], "what is counted of the flood")
  expect(all(value == 0 for one in counted["off"].values() for value in one.values()),
    f"counted with off: {counted['off']}")


@lab_test(drivers=DRIVERS[:1])
def switching_under_load(lab):
  """Pages over new connections, and over one that is older than protection, while the mode changes
  again and again: none fails, and those of protect are proved."""
  lab.start_nginx(keepalive_s=60)
  (lab.directory / "www" / "page").write_bytes(b"x" * PAGE_BYTES)
  config = lab.config(tcp_syncookies=1, mode="monitor", stray="pass")
  sluice = lab.start_sluice(config)
  users = Users(lab)
  modes = ("protect", "off", "protect", "monitor") * TURNS
  seen = collections.Counter()
  for number, mode in enumerate(modes):
    before = dict(users.served)
    wait_until(lambda: users.failures or all(users.served[kind] > before[kind] + 3 for kind in before),
      20, f"pages before the change to {mode}")
    expect_equal(users.failures, [], f"failed requests after {number} changes")
    control.ask(sluice, "set", backend="web-ipv4", key="mode", value=mode)
    seen[mode] += 1
    if number % 2 == 0:  # cookies alone, so that clients in between have no entry
      control.ask(sluice, "set", backend="web-ipv4", key="tcp_syncookies", value=2 - number // 2 % 2)
  before, opens = users.served["new"], control.counters(sluice, "web-ipv4")["PassiveOpens"]
  wait_until(lambda: users.failures or users.served["new"] > before + 5, 20, "pages in monitor mode")
  users.stop()
  expect_equal(users.failures, [], "failed requests")
  # Open checksums and all: those that began after the look are counted.
  expect(control.counters(sluice, "web-ipv4")["PassiveOpens"] - opens >= users.served["new"] - before - 1,
    "new connections are not counted as proved in monitor mode")
  counters = control.counters(sluice, "web-ipv4")
  expect(counters["Established"] > 0 and counters["SyncookiesRecv"] > 0, f"nobody was proved: {counters}")
  listed = wait_until(lambda: calm(control.listed(sluice, "web-ipv4")), 5, "queues that are empty")
  expect_equal(listed["protection"], "monitor", "the mode at last")
  print(f"{users.served} pages over {dict(seen)} changes")


def calm(row):
  return row if row["recv_q"] == 0 and row["syn_recv"] == 0 else None


DEAF = f"""
table inet lab {{
  chain input {{
    type filter hook input priority 0
    tcp dport {ECHO_PORT} drop
  }}
}}
"""


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def silent_backend_shows(lab):
  """The story: a backend stops answering. With monitor its clients fill the accept ring as if, and
  are told of; each is served as soon as it answers."""
  sluice = lab.start_sluice(tcp_syncookies=1, mode="monitor", somaxconn=2)
  listener = lab.server.listen(socket.AF_INET, ECHO_PORT)
  lab.server.nft(DEAF)
  clients = [lab.client.socket(socket.AF_INET) for _ in range(5)]
  for client in clients:
    client.setblocking(False)
    client.connect_ex((SERVER[socket.AF_INET], ECHO_PORT))
  # Three fit; of the others the ring and the queue, which holds three too, refuse what there is.
  row = wait_until(lambda: full(control.listed(sluice, "echo-ipv4")), 10, "an accept ring as if")
  expect_equal((row["recv_q"], row["send_q"]), (3, 2), "Recv-Q and Send-Q")
  wait_until(lambda: control.counters(sluice, "echo-ipv4")["ListenOverflows"] > 0, 10, "overflows as if")
  told = control.ask(sluice, "doctor")["findings"]
  expect(any("Mode is monitor" in finding["text"][0] and finding["severity"] == "warning"
    for finding in told if finding["backend"] == "echo-ipv4"), f"doctor says {told}")
  lab.server.nft_clear()
  for client in clients:
    client.settimeout(20)
    server, _ = listener.accept()
    server.close()
  for client in clients:
    expect_equal(tcp.receive_all(client), b"", "end of a stream")
  wait_until(lambda: calm(control.listed(sluice, "echo-ipv4")), 10, "queues that are empty")


def full(row):
  return row if row["recv_q"] > row["send_q"] else None
