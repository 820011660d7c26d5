# SPDX-License-Identifier: BSD-3-Clause
"""A wire that takes its time.

Carries frames, with their VLAN tags, between two packet sockets, in order: those of the first socket
are on their way inwards (to Sluice's client port, or from the server), those of the second outwards.
As a program, relay.py MS DEVICE DEVICE, it delays all that passes between two devices, until it is ended.
It can delay all of them, lose, double and reorder some by a seeded draw, and let connection requests pass only one at
a time, which makes a slow backend out of a fast one.
"""

import collections
import heapq
import itertools
import random
import select
import socket
import struct
import sys
import threading
import time

ETHER_BYTES = 14
ETHERTYPE_IP4 = 0x0800
ETHERTYPE_IP6 = 0x86dd
ETHERTYPES_TAG = (0x8100, 0x88a8)
IP4_PROTOCOL = 9
IP6_NEXT_HEADER = 6
TCP_FLAGS = 13
SYN, RST, ACK = 0x02, 0x04, 0x10
POLL_S = 0.05

# A packet socket hands over a frame without its outer tag, and that beside it (packet(7)).
SOL_PACKET = 263
PACKET_AUXDATA = 8
AUXDATA = struct.Struct("IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid
PACKET_IGNORE_OUTGOING = 23
ETH_P_ALL = 3
STATUS_VLAN_VALID, STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6


def tag_restored(frame, ancillary):
  """The frame as it was on the wire, with the tag that the kernel took off."""
  for level, kind, data in ancillary:
    if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and len(data) >= AUXDATA.size:
      status, *_, tci, tpid = AUXDATA.unpack_from(data)
      if status & STATUS_VLAN_VALID:
        ethertype = tpid if status & STATUS_VLAN_TPID_VALID else ETHERTYPES_TAG[0]
        return frame[:12] + struct.pack("!HH", ethertype, tci) + frame[12:]
  return frame


def network_of(frame):
  """The EtherType behind any tags, and where its header begins."""
  at = 12
  while len(frame) >= at + 2:
    ethertype, = struct.unpack_from("!H", frame, at)
    if ethertype not in ETHERTYPES_TAG:
      return ethertype, at + 2
    at += 4
  return None, at


def request_of(frame):
  """Tags, addresses and ports of an IPv4 frame with a TCP SYN; None for any other."""
  ethertype, ip = network_of(frame)
  if ethertype != ETHERTYPE_IP4 or len(frame) < ip + 40:
    return None
  tcp = ip + (frame[ip] & 0xf) * 4
  if frame[ip + IP4_PROTOCOL] != socket.IPPROTO_TCP or len(frame) < tcp + 20:
    return None
  if frame[tcp + TCP_FLAGS] & (SYN | ACK | RST) != SYN:
    return None
  return frame[12:ip] + frame[ip + 12:ip + 20] + frame[tcp:tcp + 4]


def is_tcp(frame):
  """Whether it is a frame of TCP over IPv4, or over IPv6 without extension headers."""
  ethertype, ip = network_of(frame)
  at = {ETHERTYPE_IP4: IP4_PROTOCOL, ETHERTYPE_IP6: IP6_NEXT_HEADER}.get(ethertype)
  return at is not None and len(frame) > ip + at and frame[ip + at] == socket.IPPROTO_TCP


class Impairment:
  """What one direction does to its TCP frames. share: the probability of each of loss,
  duplication and reordering; a reordered frame is late_s later than the rest."""

  def __init__(self, seed, share, late_s):
    self.random = random.Random(seed)
    self.share = share
    self.late_s = late_s
    self.counts = {"lost": 0, "doubled": 0, "reordered": 0}

  def draw(self):
    """The extra delay of each copy of the next frame."""
    drawn = self.random.random()
    for name, delays in (("lost", ()), ("doubled", (0.0, 0.0)), ("reordered", (self.late_s,))):
      if drawn < self.share:
        self.counts[name] += 1
        return delays
      drawn -= self.share
    return (0.0,)


class Relay:
  """Runs until closed. delay_s: of each frame."""

  def __init__(self, sockets):
    self.sockets = sockets
    self.delay_s = 0.0
    self.stopped = False
    self.order = itertools.count()
    self.under_way = []  # heap of (due, order, socket, frame)
    self.request_interval_s = None
    self.request_at = 0.0
    self.waiting = collections.OrderedDict()  # requests that were not let through yet
    self.impairments = {}  # of the socket that sends
    for sock in sockets:
      sock.setblocking(False)
      sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def impair(self, seed, share, late_s):
    """From now on each direction treats TCP as an Impairment does."""
    self.impairments = {sock: Impairment(seed + number, share, late_s)
      for number, sock in enumerate(self.sockets)}

  def impaired(self):
    """How often each thing was done so far, both directions together."""
    counts = [impairment.counts for impairment in self.impairments.values()]
    return {name: sum(count[name] for count in counts) for name in counts[0]}

  def hold_requests(self):
    """From now on no TCP SYN passes, until pass_requests()."""
    self.request_at = float("inf")
    self.request_interval_s = 1.0

  def pass_requests(self, interval_s):
    """Lets through one waiting SYN per interval, the oldest first."""
    self.request_interval_s = interval_s
    self.request_at = time.monotonic()

  def _serve(self):
    while not self.stopped:
      now = time.monotonic()
      due = [self.under_way[0][0]] if self.under_way else []
      due += [self.request_at] if self.waiting else []
      timeout = max(0.0, min([POLL_S, *(at - now for at in due)]))
      for sock in select.select(self.sockets, [], [], timeout)[0]:
        self._receive(sock)
      now = time.monotonic()
      if self.waiting and self.request_at <= now:
        self.request_at = now + self.request_interval_s
        self._put(*self.waiting.popitem(last=False)[1])
      while self.under_way and self.under_way[0][0] <= now:
        _, _, sock, frame = heapq.heappop(self.under_way)
        self._send(sock, frame)

  def _receive(self, sock):
    try:
      frame, ancillary, *_ = sock.recvmsg(65536, socket.CMSG_SPACE(AUXDATA.size))
    except OSError:  # the other end of the wire is gone
      return
    frame = tag_restored(frame, ancillary)
    other = self.sockets[self.sockets[0] is sock]
    request = request_of(frame) if self.request_interval_s is not None else None
    if request is None:
      self._put(other, frame)
    else:
      self.waiting.setdefault(request, (other, frame))  # a repeated one waits where the first does

  def _put(self, sock, frame):
    impairment = self.impairments.get(sock)
    delays = impairment.draw() if impairment and is_tcp(frame) else (0.0,)
    due = time.monotonic() + self.delay_s
    for late_s in delays:
      heapq.heappush(self.under_way, (due + late_s, next(self.order), sock, frame))

  @staticmethod
  def _send(sock, frame):
    try:
      sock.send(frame)
    except OSError:  # as on any wire: lost
      pass

  def close(self):
    self.stopped = True
    self.thread.join()


def main(delay_ms, *devices):
  """Between two devices of the namespace it is started in."""
  sockets = []
  for device in devices:
    sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
    sockets[-1].setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sockets[-1].bind((device, ETH_P_ALL))
  relay = Relay(sockets)
  relay.delay_s = float(delay_ms) / 1e3
  relay.thread.join()


if __name__ == "__main__":
  main(*sys.argv[1:])
