# SPDX-License-Identifier: BSD-3-Clause
"""What passes a host's interface, both ways, and whether it is TCP as the RFCs have it.

Knows nothing of Sluice's code: frames are taken apart here, by struct. Both hosts' captures of one
connection are then held against each other: what came out on one side must be what went in on the
other, shifted by constants. Frames must be untagged, and the interface without offloads.
tshark, which knows TCP but not what the other host saw, gives a second opinion.
"""

import collections
import socket
import struct
import subprocess
import threading
import time

from lab import ETH_P_ALL, SOL_PACKET, expect, expect_equal, run

PACKET_STATISTICS = 6
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
BUFFER_BYTES = 64 << 20
FRAME_BYTES_MAX = 65536
NANOSECONDS = 10 ** 9
TSVAL_RACE_MS = 5  # by which a host that sends from two CPUs at once may go back by itself
STAMPING_S = 0.2  # after which the kernel stamps frames when they pass, not when they are read

PCAP_HEADER = struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, FRAME_BYTES_MAX, 1)  # ns, Ethernet

# What tshark calls an error of whoever sent the segment, whatever was lost on the way. It wants 0
# where the kernel writes 0xffff, which is the same sum (RFC 1624 3).
TSHARK_ERRORS = ("(tcp.checksum.status == Bad && tcp.checksum != 0xffff)", "ip.checksum.status == Bad", "_ws.malformed",
  "tcp.option.len.invalid", "tcp.analysis.ack_lost_segment")

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_SCALE, OPTION_SACK_OK, OPTION_SACK = 0, 1, 2, 3, 4, 5
OPTION_TIMESTAMP = 8
MSS_DEFAULT = {4: 536, 6: 1220}

Segment = collections.namedtuple("Segment", "time_ns source destination seq ack flags window "
  "options payload good")

# What must come out as it went in: numbers as offsets from the ISNs, the window in bytes;
# timestamps (TSval and TSecr as they are) and sack are None where the segment has none.
Record = collections.namedtuple("Record", "seq ack flags payload window timestamps sack")


def after(one, other):
  """one - other in sequence space, signed."""
  return (one - other + (1 << 31)) % (1 << 32) - (1 << 31)


def ones_complement(data):
  """The Internet checksum's sum, which is 0xffff over data that contain their checksum. Since
  2^16 is 1 modulo 0xffff, the sum of all words is the whole number modulo that (RFC 1071)."""
  return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xffff or 0xffff


def options_of(data):
  """Options by kind; raises ValueError where they are malformed."""
  found = {}
  at = 0
  while at < len(data) and data[at] != OPTION_END:
    if data[at] == OPTION_NOP:
      at += 1
      continue
    if at + 1 >= len(data) or data[at + 1] < 2 or at + data[at + 1] > len(data):
      raise ValueError(f"malformed options {data.hex()}")
    found[data[at]] = data[at + 2:at + data[at + 1]]
    at += data[at + 1]
  return found


def parse(frame, time_ns):
  """The TCP segment in an untagged frame; None if it holds none."""
  ethertype, = struct.unpack_from("!H", frame, 12)
  packet = frame[14:]
  if ethertype == 0x0800 and packet[9] == socket.IPPROTO_TCP:
    header, length = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
    addresses = packet[12:16], packet[16:20]
    good, version = ones_complement(packet[:header]) == 0xffff, 4
  elif ethertype == 0x86dd and packet[6] == socket.IPPROTO_TCP:
    header, length = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
    addresses = packet[8:24], packet[24:40]
    good, version = True, 6
  else:
    return None
  tcp = packet[header:length]
  pseudo = b"".join(addresses) + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
  good = good and ones_complement(pseudo + tcp) == 0xffff
  ports = struct.unpack_from("!HH", tcp, 0)
  seq, ack, offset, flags, window = struct.unpack_from("!IIBBH", tcp, 4)
  offset = (offset >> 4) * 4
  ends = [(version, address, port) for address, port in zip(addresses, ports)]
  return Segment(time_ns, *ends, seq, ack, flags, window, options_of(tcp[20:offset]), tcp[offset:],
    good)


class Capture:
  """Records TCP at a host's interface, in both directions, until stopped."""

  def __init__(self, host, device):
    self.segments = []
    self.stopped = False
    self.socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    self.socket.bind((device, ETH_P_ALL))
    self.socket.settimeout(0.1)
    self.frames = []
    time.sleep(STAMPING_S)
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def _serve(self):
    while True:
      try:
        frame, ancillary, _, _ = self.socket.recvmsg(FRAME_BYTES_MAX, 64)
      except TimeoutError:
        if self.stopped:
          return
        continue
      seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
      self.frames.append((frame, seconds * NANOSECONDS + nanoseconds))

  def stop(self):
    """Ends it; the segments in order, by connection. A connection is its client's end."""
    self.stopped = True
    self.thread.join()
    _, dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    expect_equal(dropped, 0, "frames that the capture missed")
    found = {}
    for frame, time_ns in self.frames:
      segment = parse(frame, time_ns)
      if segment is None:
        continue
      key = frozenset((segment.source, segment.destination))
      found.setdefault(key, []).append(segment)
    return found


  def save(self, path):
    """All frames as a capture file."""
    with open(path, "wb") as file:
      file.write(PCAP_HEADER)
      for frame, time_ns in self.frames:
        file.write(struct.pack("=IIII", *divmod(time_ns, NANOSECONDS), len(frame), len(frame)))
        file.write(frame)


def tshark_errors(path, port):
  """The segments of a file that tshark finds wrong, as it describes them. port: one whose bytes
  are no protocol that it might know."""
  checksums = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
  return run("tshark", "-n", "-r", path, "-d", f"tcp.port=={port},data", *checksums, "-Y",
    " || ".join(TSHARK_ERRORS), stderr=subprocess.PIPE).stdout.splitlines()


class Side:
  """One direction of a connection as seen at one host."""

  def __init__(self):
    self.isn = None
    self.next = None      # behind the highest byte sent
    self.acked = None     # the highest ack sent
    self.edge = None      # the highest window edge announced
    self.scale = 0        # of the windows it announces, SYNs apart
    self.options = None   # of its SYN
    self.tsval = None     # the highest
    self.tsvals = set()
    self.records = []     # of all but SYNs and RSTs

  def syn(self, segment):
    """Takes in its SYN or SYN-ACK, which may come again but never with another number."""
    if self.isn is not None:
      expect_equal(segment.seq, self.isn, "ISN of a repeated SYN")
    self.isn = segment.seq
    self.options = segment.options
    self.next = segment.seq + 1 & 0xffffffff


class Checker:
  """Follows one connection at one host, from its SYN, and raises Failure at the first segment that
  can't be."""

  def __init__(self, name):
    self.name = name
    self.sides = {}
    self.client = None
    self.proof_ns = None
    self.first_ns = None

  def fail(self, segment, why):
    numbers = f"seq {segment.seq} ack {segment.ack} flags {segment.flags:#x} window {segment.window}"
    expect(False, f"{self.name}: {why}: from port {segment.source[2]}, {numbers}, "
      f"{len(segment.payload)} bytes, options { {k: v.hex() for k, v in segment.options.items()} }")

  def need(self, condition, segment, why):
    if not condition:
      self.fail(segment, why)

  def take(self, segment):
    self.need(segment.good, segment, "bad checksum")
    if self.client is None:
      self.need(segment.flags & (SYN | ACK) == SYN, segment, "the first segment is no SYN")
      self.client = segment.source
      self.first_ns = segment.time_ns
    sender = self.sides.setdefault(segment.source, Side())
    receiver = self.sides.setdefault(segment.destination, Side())
    if segment.flags & RST:
      self.need(sender.isn is not None, segment, "a RST before the SYN")
      sender.records.append(Record(after(segment.seq, sender.isn), None, RST, b"", 0, None, None))
      return
    if segment.flags & SYN:
      sender.syn(segment)
      if segment.flags & ACK:
        self._scales(sender, receiver)
    else:
      self.need(sender.isn is not None, segment, "a segment before the SYN")
    self._timestamp(segment, sender, receiver)
    if segment.flags & ACK:
      self._acknowledgement(segment, sender, receiver)
    if not segment.flags & SYN:
      self._sequence(segment, sender, receiver)

  @staticmethod
  def _scales(*sides):
    if all(OPTION_SCALE in (side.options or {}) for side in sides):
      for side in sides:
        side.scale = min(side.options[OPTION_SCALE][0], 14)

  def _both_have(self, option):
    return all(option in (side.options or {}) for side in self.sides.values())

  def _timestamp(self, segment, sender, receiver):
    """RFC 7323 3.2: always there once negotiated, and echoing what was sent."""
    option = segment.options.get(OPTION_TIMESTAMP)
    if segment.flags & SYN and option is None:
      return
    if not segment.flags & SYN and not self._both_have(OPTION_TIMESTAMP):
      self.need(option is None, segment, "timestamps that were not negotiated")
      return
    self.need(option is not None, segment, "no timestamp")
    tsval, tsecr = struct.unpack("!II", option)
    sender.tsvals.add(tsval)
    if sender.tsval is not None:
      self.need(after(tsval, sender.tsval) >= -TSVAL_RACE_MS, segment,
        f"TSval {tsval} after {sender.tsval}")
      tsval = tsval if after(tsval, sender.tsval) > 0 else sender.tsval
    sender.tsval = tsval
    if segment.flags & ACK:
      self.need(tsecr in receiver.tsvals, segment, f"TSecr {tsecr} was no TSval")

  def _acknowledgement(self, segment, sender, receiver):
    self.need(receiver.isn is not None, segment, "an ACK before the SYN")
    self.need(after(segment.ack, receiver.isn) > 0, segment, "ack below the first byte")
    self.need(after(segment.ack, receiver.next) <= 0, segment, f"ack above {receiver.next}")
    if not segment.flags & SYN and segment.source == self.client and self.proof_ns is None:
      self.proof_ns = segment.time_ns
    if sender.acked is None or after(segment.ack, sender.acked) > 0:
      sender.acked = segment.ack
    scale = 0 if segment.flags & SYN else sender.scale
    edge = segment.ack + (segment.window << scale) & 0xffffffff
    if sender.edge is None or after(edge, sender.edge) > 0:
      sender.edge = edge
    if OPTION_SACK in segment.options:
      self.need(self._both_have(OPTION_SACK_OK), segment, "SACK that was not negotiated")
      numbers = struct.unpack(f"!{len(segment.options[OPTION_SACK]) // 4}I",
        segment.options[OPTION_SACK])
      for left, right in zip(numbers[::2], numbers[1::2]):
        inside = after(left, receiver.isn) > 0 and after(right, receiver.next) <= 0
        self.need(inside and after(right, left) > 0, segment, f"SACK of {left} to {right}")

  def _sequence(self, segment, sender, receiver):
    length = len(segment.payload) + (segment.flags & FIN != 0)
    end = segment.seq + length & 0xffffffff
    # A keep-alive or a window probe repeats one byte.
    self.need(after(segment.seq, sender.isn) >= 0, segment, "seq below the ISN")
    # What is lost before this host's interface leaves a gap, within the window.
    if receiver.edge is not None:
      self.need(after(end, receiver.edge) <= 1 + (segment.flags & FIN), segment,
        f"bytes beyond the window's edge {receiver.edge}")
    if receiver.options is not None:
      mss = receiver.options.get(OPTION_MSS)
      mss = struct.unpack("!H", mss)[0] if mss else MSS_DEFAULT[segment.source[0]]
      self.need(len(segment.payload) <= mss, segment, f"more than the MSS of {mss}")
    if after(end, sender.next) > 0:
      sender.next = end
    sender.records.append(self._record(segment, sender, receiver))

  @staticmethod
  def _record(segment, sender, receiver):
    timestamps, sack = segment.options.get(OPTION_TIMESTAMP), segment.options.get(OPTION_SACK)
    if timestamps is not None:
      timestamps = struct.unpack("!II", timestamps)
    if sack is not None:
      sack = tuple(after(edge, receiver.isn) for edge in struct.unpack(f"!{len(sack) // 4}I", sack))
    return Record(after(segment.seq, sender.isn), after(segment.ack, receiver.isn), segment.flags,
      segment.payload, segment.window << sender.scale, timestamps, sack)


def comparable(record, source, sink):
  """A record with its window in steps that both sides' scales have, and no wider than both can
  say."""
  step = 1 << max(source.scale, sink.scale)
  window = min(record.window, 0xffff << min(source.scale, sink.scale)) // step
  return record._replace(window=window)


def is_handshake(record):
  """The ACK to the backend and the window update to the client, which Sluice makes itself."""
  return (record.seq, record.ack, record.payload) == (1, 1, b"")


def text_of(record):
  return str(record._replace(payload=f"{len(record.payload)} bytes"))


def timestamp_shift(came_out, went_in):
  """What is added to an end's TSvals on the way, from the first segment that can only be one of
  those that went in. None without timestamps."""
  by_rest = collections.defaultdict(set)
  for record in went_in:
    by_rest[record._replace(timestamps=None)].add(record.timestamps)
  for record in came_out:
    candidates = by_rest[record._replace(timestamps=None)]
    if len(candidates) == 1 and record.timestamps and None not in candidates:
      return record.timestamps[0] - candidates.pop()[0] & 0xffffffff
  return None


def shifted(record, tsval_shift, tsecr_shift):
  """A record that went in as it must come out."""
  if record.timestamps is None or None in (tsval_shift, tsecr_shift):
    return record
  tsval, tsecr = record.timestamps
  return record._replace(timestamps=(tsval + tsval_shift & 0xffffffff,
    tsecr + tsecr_shift & 0xffffffff))


def check_direction(went_in, came_out, where):
  """All that came out must have gone in, each as often at most."""
  left = collections.Counter(went_in)
  for record in came_out:
    expect(left[record] > 0, f"{where}: nobody sent {text_of(record)}, but, from there, "
      f"{[text_of(other) for other in left if other.seq == record.seq]}")
    left[record] -= 1


def check_splice(client_segments, server_segments):
  """One connection as both hosts saw it. Returns the number of segments that were compared."""
  near, far = Checker("at the client"), Checker("at the server")
  for checker, segments in ((near, client_segments), (far, server_segments)):
    for segment in segments:
      checker.take(segment)
  expect_equal(far.client, near.client, "who opened the connection")
  expect(near.proof_ns is not None, "the client never proved itself")
  expect(far.first_ns > near.proof_ns, "a SYN reached the backend before the proof")
  went_in, came_out, shift = {}, {}, {}
  for end in near.sides:
    source, sink = (near, far) if end == near.client else (far, near)
    sides = source.sides[end], sink.sides[end]
    went_in[end] = [comparable(record, *sides) for record in sides[0].records]
    came_out[end] = [comparable(record, *sides) for record in sides[1].records
      if not is_handshake(record)]
    shift[end] = timestamp_shift(came_out[end], went_in[end])
  for end, other in zip(near.sides, reversed(near.sides)):
    echo_shift = None if shift[other] is None else -shift[other]
    check_direction([shifted(record, shift[end], echo_shift) for record in went_in[end]],
      came_out[end], "at the server" if end == near.client else "at the client")
  return sum(map(len, came_out.values()))


def check_all(client_capture, server_capture):
  """Every connection of two captures. Returns how many, and the number of segments compared."""
  near, far = client_capture.stop(), server_capture.stop()
  for key in far:
    expect(key in near, f"the server saw a connection {key} that the client did not open")
  compared = [check_splice(segments, far[key]) for key, segments in near.items() if key in far]
  return len(compared), sum(compared)
