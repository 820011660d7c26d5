# SPDX-License-Identifier: BSD-3-Clause
"""What a client sees of a full accept ring, in queue and in cookie mode."""

import hashlib
import random
import select
import socket
import threading
import time

import control
import tcp
from lab import DRIVERS, ECHO_PORT, SERVER, expect, expect_equal, wait_until
from parity import BACKEND, Clients
from registry import lab_test

BESIDE = True
FAMILY = socket.AF_INET
BACKLOG = 5  # six fit
STREAM_BYTES = 200000
DELAY_S = 0.05
# A round trip, and what a busy machine adds.
RESET_S_MAX = 2 * DELAY_S + 0.2

DROP_SYNS = f"""
table inet lab {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {ECHO_PORT} tcp flags & (syn | ack) == syn drop
  }}
}}
"""


class StreamServer:
  """Reads streams to their ends; digests by the client's port."""

  def __init__(self, listener):
    self.listener = listener
    self.digests = {}
    self.stopped = False
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def _serve(self):
    hashes = {}
    while not self.stopped:
      for end in select.select([self.listener, *hashes], [], [], 0.05)[0]:
        if end is self.listener:
          hashes[end.accept()[0]] = hashlib.sha256()
        else:
          self._read(end, hashes)
    for end in hashes:
      end.close()

  def _read(self, end, hashes):
    port = end.getpeername()[1]
    try:
      piece = end.recv(1 << 16)
    except ConnectionError:
      piece = b""
    hashes[end].update(piece)
    if not piece:
      self.digests[port] = hashes.pop(end).hexdigest()
      end.close()

  def close(self):
    self.stopped = True
    self.thread.join()


class Speaker:
  """A client's stream, sent from a thread of its own."""

  def __init__(self, end):
    self.end = end
    self.stream = random.randbytes(STREAM_BYTES)
    self.digest = hashlib.sha256(self.stream).hexdigest()
    self.port = end.getsockname()[1]
    self.error = None
    end.settimeout(40)
    self.thread = threading.Thread(target=self._speak, daemon=True)
    self.thread.start()

  def _speak(self):
    try:
      self.end.sendall(self.stream)
      self.end.shutdown(socket.SHUT_WR)
    except OSError as error:
      self.error = error


def overflowing(lab, sluice):
  """Ten clients: the final ACKs of two meet a full accept ring, and so do the SYNs of two others."""
  lab.relays["client"].delay_s = DELAY_S
  clients = Clients(lab)
  for count in (3, 5, 2):
    clients.connect(count)
    time.sleep(0.25)
  row = control.listed(sluice, BACKEND)
  expect_equal(row["recv_q"], BACKLOG + 1, "Recv-Q")
  expect_equal(row["send_q"], BACKLOG, "Send-Q")
  return clients


def completes(lab, syncookies):
  """Clients that met a full ring are served in the end, with every byte."""
  server = StreamServer(lab.server.listen(FAMILY, ECHO_PORT))
  lab.server.nft(DROP_SYNS)
  config = lab.config(tcp_syncookies=syncookies, somaxconn=BACKLOG, tcp_syn_retries=6)
  sluice = lab.start_sluice(config)
  clients = overflowing(lab, sluice)
  expect_equal(clients.outcomes()["established"], 8, "clients that believe to be connected")
  expect(control.counters(sluice, BACKEND)["ListenOverflows"] >= 4, "hardly an overflow was counted")
  connected = clients.connected()
  speakers = [Speaker(end) for end in connected]
  time.sleep(0.5)
  lab.server.nft_clear()
  wait_until(lambda: len(clients.connected()) == len(clients.ends), 30, "all ten connected")
  speakers += [Speaker(end) for end in clients.ends if end not in connected]
  wait_until(lambda: len(server.digests) == len(speakers), 30, "all ten streams ended")
  for speaker in speakers:
    expect_equal(speaker.error, None, "error of a client")
    expect_equal(server.digests.get(speaker.port), speaker.digest, "sha256 of a client's stream")
  server.close()
  clients.close()


@lab_test(drivers=DRIVERS[:1], relays=("client",))
def completes_queued(lab):
  """Abort 0 in queue mode: room appears, all ten clients' streams arrive whole."""
  completes(lab, 1)


@lab_test(drivers=DRIVERS[:1], relays=("client",))
def completes_with_cookies(lab):
  """Abort 0 in cookie mode: the same."""
  completes(lab, 2)


def resets(lab, syncookies):
  """Two clients are reset, and see it one round trip after their final ACK."""
  lab.server.nft(DROP_SYNS)
  lab.relays["client"].delay_s = DELAY_S
  sluice = lab.start_sluice(tcp_syncookies=syncookies, somaxconn=BACKLOG, tcp_abort_on_overflow=1,
    tcp_syn_retries=6)
  clients = Clients(lab)
  clients.connect(3)
  time.sleep(0.3)
  clients.connect(5)
  connected_at, reset_at = {}, {}
  end_at = time.monotonic() + 2
  while len(reset_at) < 2 and time.monotonic() < end_at:
    readable, writable, _ = select.select([end for end in clients.ends if end not in reset_at],
      [end for end in clients.ends if end not in connected_at], [], 0.02)
    now = time.monotonic()
    connected_at.update((end, now) for end in writable)
    for end in readable:
      tcp.expect_reset(end, 5)
      reset_at[end] = now
  expect_equal(len(reset_at), 2, "clients reset")
  for end, at in reset_at.items():
    took = at - connected_at[end]
    expect(took < RESET_S_MAX,
      f"reset {took:.3f} s after the final ACK, a round trip is {2 * DELAY_S} s")
  expect_equal(control.counters(sluice, BACKEND)["EmbryonicRsts"], 2, "EmbryonicRsts")
  expect_equal(clients.lab.client.run("ss", "-Hnt", "state", "established", "dst",
    SERVER[FAMILY]).stdout.count("\n"), 6, "connections the client's kernel holds")
  clients.close()


@lab_test(drivers=DRIVERS[:1], relays=("client",), beside=False)
def resets_queued(lab):
  """Abort 1 in queue mode: ECONNRESET within one round trip."""
  resets(lab, 1)


@lab_test(drivers=DRIVERS[:1], relays=("client",), beside=False)
def resets_with_cookies(lab):
  """Abort 1 in cookie mode: the same, where Linux stays silent."""
  resets(lab, 2)
