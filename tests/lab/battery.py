# SPDX-License-Identifier: BSD-3-Clause
"""The flood battery: rows of attacks (battery.c), and what real clients, and the forged ones' victims,
notice meanwhile. The same rows meet Sluice, the server's own kernel, or a router with nftables
SYNPROXY (tests/bench/floods); test_battery.py says what must hold for Sluice.

What a row observes: users, clients one after the other that each connect and get one byte answered,
on another port of the host than the generator's; the bytes that went out to forged sources, as frames
of at least 60 bytes, by nftables counters at the client's interface; and what the flood costs Sluice's
worker, which counts its busy cycles itself.
"""

import collections
import json
import multiprocessing
import resource
import selectors
import socket
import statistics
import time

import control
from lab import (BUILD, ECHO_PORT, FAMILY_NAME, OTHER_CPUS, ROUTER_OUTER, SERVER, SPARE_PORT, WEB_PORT,
  expect, expect_equal, wait_until)

GENERATOR = BUILD / "tests" / "lab" / "battery"
RATE = 30000  # packets per second
USER_TIMEOUT_S = 8
REST_TIMEOUT_S = 10
FRAME_HEADER = 14
FILES_MAX = 16384

# Frames from and to forged sources, by network: IPv4 /24, IPv6 /56. Going out, a packet's length has
# the Ethernet header in it. A frame is padded to 60 bytes.
COUNT_NETWORKS = """
table netdev battery {
  set out4 { type ipv4_addr; flags dynamic; size 1024; counter; }
  set out4_padded { type ipv4_addr; flags dynamic; size 1024; counter; }
  set out6 { type ipv6_addr; flags dynamic; size 1024; counter; }
  set in4 { type ipv4_addr; flags dynamic; size 1024; counter; }
  set in4_padded { type ipv4_addr; flags dynamic; size 1024; counter; }
  set in6 { type ipv6_addr; flags dynamic; size 1024; counter; }
  chain answers {
    type filter hook ingress device c0 priority 0;
    ip daddr 198.18.0.0/15 meta length <= 46 update @out4_padded { ip daddr & 255.255.255.0 }
    ip daddr 198.18.0.0/15 meta length > 46 update @out4 { ip daddr & 255.255.255.0 }
    ip6 daddr 2001:2::/48 update @out6 { ip6 daddr & ffff:ffff:ffff:ff00:: }
  }
  chain forgeries {
    type filter hook egress device c0 priority 0;
    ip saddr 198.18.0.0/15 meta length <= 60 update @in4_padded { ip saddr & 255.255.255.0 }
    ip saddr 198.18.0.0/15 meta length > 60 update @in4 { ip saddr & 255.255.255.0 }
    ip6 saddr 2001:2::/48 update @in6 { ip6 saddr & ffff:ffff:ffff:ff00:: }
  }
}
"""

SYNPROXY = f"""
table inet battery {{
  chain before {{
    type filter hook prerouting priority raw;
    tcp dport {{ {WEB_PORT}, {ECHO_PORT}, {SPARE_PORT} }} tcp flags & (fin | syn | rst | ack) == syn notrack
  }}
  chain forward {{
    type filter hook forward priority filter;
    tcp dport {{ {WEB_PORT}, {ECHO_PORT}, {SPARE_PORT} }} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    ct state invalid drop
  }}
}}
"""

# queued: at the port whose backend keeps a syn queue (mode 1); otherwise cookies always (mode 2).
Row = collections.namedtuple("Row", "name kind rate one_source pulse_ms queued",
  defaults=(RATE, False, 0, False))

ROWS = (
  Row("SYN, random sources", "syn", queued=True),
  Row("SYN, random sources, cookies only", "syn"),
  Row("SYN, one source", "syn", one_source=True),
  Row("SYN without options", "bare-syn"),
  Row("SYN with tiny options", "tiny-syn"),
  Row("SYN with 1400 bytes", "large-syn", 10000),
  Row("SYN-ACK", "syn-ack"),
  Row("ACK, random numbers", "ack"),
  Row("ACK, 64 valid ones again and again", "replay", one_source=True),
  Row("ACK, all valid, from one source", "proved", 2000, True),
  Row("RST", "rst"),
  Row("FIN", "fin"),
  Row("fragments", "fragments"),
  Row("malformed", "malformed"),
  Row("all mixed", "mixed", queued=True),
  Row("SYN, 250 ms on and off", "syn", pulse_ms=250, queued=True),
  # As many as the queue takes: no cookie tells of a flood.
  Row("SYN, 4,000 at a time", "syn", 10000, pulse_ms=400, queued=True),
)

# factor: bytes to forged sources per byte from them; worst: the same of one network.
# busy, of the worker's time, and cycles per packet: Sluice's alone, else None.
Seen = collections.namedtuple("Seen",
  "row sent rate users failed median_ms max_ms factor worst rest_s busy cycles")


class Servers:
  """Answers one byte with one, on both ports and families, in a process of its own."""

  def __init__(self, lab):
    self.listeners = [lab.server.listen(family, port, 4096) for family in SERVER
      for port in (ECHO_PORT, SPARE_PORT)]
    self.process = multiprocessing.Process(target=self._serve, daemon=True)
    self.process.start()

  def _serve(self):
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    selector = selectors.DefaultSelector()
    listeners = set(self.listeners)
    for listener in listeners:
      listener.setblocking(False)
      selector.register(listener, selectors.EVENT_READ)
    while True:
      for key, _ in selector.select():
        if key.fileobj in listeners:
          self._accept(key.fileobj, selector)
        else:
          self._answer(key.fileobj, selector)

  @staticmethod
  def _accept(listener, selector):
    for _ in range(64):
      try:
        peer, _ = listener.accept()
      except OSError:
        return
      peer.setblocking(False)
      selector.register(peer, selectors.EVENT_READ)

  @staticmethod
  def _answer(peer, selector):
    try:
      received = peer.recv(16)
      if received:
        peer.send(received)
        return
    except OSError:
      pass
    selector.unregister(peer)
    peer.close()

  def close(self):
    self.process.kill()
    self.process.join()


def prepare_hosts(lab):
  """What all variants need: the counters."""
  lab.client.nft(COUNT_NETWORKS)


def prepare_synproxy(lab, family=socket.AF_INET):
  """Makes the lab's router a SYN proxy for that family."""
  router = lab.router
  if family == socket.AF_INET6:
    # nft_synproxy checks TCP's checksum with IPv4's pseudo header, whatever the family, so no IPv6
    # packet gets past it unless its checksum was checked before. A NIC does that, and so does GRO.
    for name in ("r0", "r1"):
      router.run("ethtool", "-K", name, "gro", "on")
  for name in ("all", "default", "r0", "r1"):
    router.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
  router.ip("route", "add", "198.18.0.0/15", "via", "10.0.0.1", "dev", "r0")
  router.ip("-6", "route", "add", "2001:2::/48", "via", "fd00::1", "dev", "r0")
  router.nft(SYNPROXY)
  router.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)


def sluice_config(lab):
  """Modes as rows want them, and an end for every state within seconds."""
  config = lab.config(tcp_syncookies=1, tcp_synack_retries=1)
  config["timeouts"] = {"closing_s": 1, "time_wait_s": 1, "reset_s": 1}
  for backend in config["backends"]:
    if backend["port"] == SPARE_PORT:
      backend["tcp_syncookies"] = 2
  return config


class Traffic:
  """Bytes of frames from and to forged sources, from here on."""

  def __init__(self, lab):
    self.lab = lab
    self.begin = self._read()

  def _read(self):
    """A counter of bytes per network, for each way."""
    rules = json.loads(self.lab.client.run("nft", "-j", "list", "table", "netdev", "battery").stdout)
    ways = {"in": collections.Counter(), "out": collections.Counter()}
    for entry in rules["nftables"]:
      for element in entry.get("set", {}).get("elem", []):
        name, counter = entry["set"]["name"], element["elem"]["counter"]
        bytes_each = 60 if name.endswith("padded") else 0
        header = FRAME_HEADER if name in ("out4", "out6") else 0
        ways[name.split("4")[0].split("6")[0]][element["elem"]["val"]] += (
          counter["packets"] * bytes_each if bytes_each else counter["bytes"] + counter["packets"] * header)
    return ways

  def since(self):
    """Bytes to all of them, and the most to one network per byte from it."""
    now = self._read()
    sent, answered = (now[way] - self.begin[way] for way in ("in", "out"))
    worst = max((count / sent[network] if sent[network] else float("inf")
      for network, count in answered.items()), default=0.0)
    return answered.total(), worst


def use(lab, family, port):
  """One user; seconds until the answer, or None."""
  user = lab.client.socket(family)
  user.settimeout(USER_TIMEOUT_S)
  begin = time.perf_counter()
  try:
    user.connect((SERVER[family], port))
    user.send(b"q")
    return time.perf_counter() - begin if user.recv(1) == b"q" else None
  except OSError:
    return None
  finally:
    user.close()
    lab.sockets.remove(user)


def is_at_rest(sluice, backend):
  """Nobody is half open or waits any more."""
  listed = control.listed(sluice, backend)
  return listed["syn_recv"] == 0 and listed["recv_q"] == 0


class Load:
  """What Sluice's worker did from here on: its share of busy time, and cycles per packet."""

  def __init__(self, sluice):
    self.sluice = sluice
    self.begin = self._read()

  def _read(self):
    (worker,) = control.ask(self.sluice, "stats")["workers"]
    return worker["busy_cycles"], worker["idle_cycles"], sum(worker["received"].values())

  def since(self):
    busy, idle, packets = (now - then for now, then in zip(self._read(), self.begin))
    return busy / (busy + idle), busy / packets if packets else float("nan")


def observe(lab, row, family, seconds, sluice=None):
  """Runs one row, and what users see of it."""
  port = ECHO_PORT if row.queued else SPARE_PORT
  mac = (lab.router.mac("r0") if getattr(lab, "router", None) else lab.server.mac("s0"))
  expect(any(use(lab, family, port) is not None for _ in range(3)), "no user gets through before the flood")
  traffic = Traffic(lab)
  options = (["--one-source"] if row.one_source else []) + (
    ["--pulse-ms", row.pulse_ms] if row.pulse_ms else [])
  flood = lab.client.start("battery", GENERATOR, "--interface", "c0", "--destination-mac", mac,
    "--to", SERVER[family], "--port", port, "--kind", row.kind, "--rate", row.rate, "--ms",
    int(seconds * 1000), *options, cpus=OTHER_CPUS)
  load = Load(sluice) if sluice else None
  took = []
  while flood.running():
    took.append(use(lab, family, port))
    time.sleep(0.002)  # or the user would have the generator's CPU to itself
  busy, cycles = load.since() if load else (None, None)
  expect_equal(flood.wait(1), 0, f"exit status of the generator: {flood.err()}")
  sent = json.loads(flood.out())
  begin = time.monotonic()
  if sluice:
    backend = f"{'echo' if row.queued else 'spare'}-{FAMILY_NAME[family]}"
    wait_until(lambda: is_at_rest(sluice, backend), REST_TIMEOUT_S, f"rest after {row.name}")
  rest_s = time.monotonic() - begin
  answered, worst = traffic.since()
  good = [1e3 * value for value in took if value is not None] or [float("nan")]
  return Seen(row.name, sent["packets"], sent["packets"] / sent["seconds"], len(took),
    took.count(None), statistics.median(good), max(good), answered / sent["bytes"], worst, rest_s,
    busy, cycles)


def headline():
  return (f"{'':<36}{'packets/s':>10}{'users':>7}{'failed':>7}{'median ms':>11}{'max ms':>9}"
    f"{'out/in':>8}{'network':>9}{'busy':>7}{'cycles/packet':>15}")


def line(seen):
  load = f"{seen.busy:>7.0%}{seen.cycles:>15.0f}" if seen.busy is not None else f"{'-':>7}{'-':>15}"
  return (f"{seen.row:<36}{seen.rate:>10.0f}{seen.users:>7}{seen.failed:>7}{seen.median_ms:>11.2f}"
    f"{seen.max_ms:>9.1f}{seen.factor:>8.3f}{seen.worst:>9.3f}{load}")
