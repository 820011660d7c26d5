# SPDX-License-Identifier: BSD-3-Clause
"""Connections live on over a restart of Sluice, by SIGUSR2 or by a stop and a start; what is in the
state file is taken whole, once, or not at all."""

import hashlib
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import threading
import time

import tcp
from lab import (ALL_CPUS, DRIVERS, ECHO_PORT, FAMILIES, FOREIGN_PORT, SERVER, SLUICE, SPARE_PORT,
  expect, expect_equal, wait_until)
from registry import lab_test

BESIDE = True
PIECE = 2000
ROUND_S = 0.2
BEAT_S = 0.002
SILENCE_MAX_S = 1.0


class Beats:
  """Numbered UDP packets from the client to the server, which Sluice only forwards: their largest
  gap at the server is how long nothing was forwarded."""

  def __init__(self, lab):
    self.receiver = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.receiver.bind((SERVER[socket.AF_INET], FOREIGN_PORT))
    self.receiver.settimeout(0.1)
    self.sender = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.times = []
    self.stopped = False
    self.threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]
    for thread in self.threads:
      thread.start()

  def _send(self):
    while not self.stopped:
      self.sender.sendto(b"beat", (SERVER[socket.AF_INET], FOREIGN_PORT))
      time.sleep(BEAT_S)

  def _receive(self):
    while not self.stopped:
      try:
        self.receiver.recv(100)
      except TimeoutError:
        continue
      self.times.append(time.monotonic())

  def gap(self):
    """Ends it; the largest gap in seconds."""
    self.stopped = True
    for thread in self.threads:
      thread.join()
    expect(len(self.times) > 100, f"only {len(self.times)} beats arrived")
    return max(after - before for before, after in zip(self.times, self.times[1:]))


class Swarm:
  """Many connections with both ends here, and a stream of random bytes each way on all of them
  for as long as wanted. Every stream's digest is kept as sent and as received."""

  def __init__(self, lab, count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * count + 1000)), hard))
    self.pairs = []
    for number, family in enumerate(FAMILIES):
      with lab.server.listen(family, ECHO_PORT, 2048) as listener:
        for _ in range(number, count, len(FAMILIES)):
          client = lab.client.connect(family, ECHO_PORT)
          server, _ = listener.accept()
          lab.sockets.append(server)
          self.pairs.append((client, server))
    self.ends = {end.fileno(): end for pair in self.pairs for end in pair}
    self.sent = {fd: hashlib.sha256() for fd in self.ends}
    self.received = {fd: hashlib.sha256() for fd in self.ends}
    self.left = {}
    self.bytes = 0
    self.open = set(self.ends)
    self.poll = select.epoll()
    for fd, end in self.ends.items():
      end.setblocking(False)
      self.poll.register(fd, select.EPOLLIN)

  def _send(self, fd):
    piece = self.left.get(fd) or random.randbytes(PIECE)
    try:
      done = self.ends[fd].send(piece)
    except BlockingIOError:
      done = 0
    self.sent[fd].update(piece[:done])
    self.left[fd] = piece[done:]

  def _receive(self, timeout_s):
    for fd, _ in self.poll.poll(timeout_s):
      try:
        piece = self.ends[fd].recv(1 << 18)
      except BlockingIOError:
        continue
      self.received[fd].update(piece)
      self.bytes += len(piece)
      if not piece:
        self.poll.unregister(fd)
        self.open.discard(fd)

  def run(self, until, timeout_s=20):
    """All ends send and receive until the condition holds."""
    end = time.monotonic() + timeout_s
    while not until():
      expect(time.monotonic() < end, f"transfers: condition not met within {timeout_s} s")
      # Paced: the hosts share Sluice's control CPU, on which it has to start again.
      round_end = time.monotonic() + ROUND_S
      for fd in self.ends:
        self._send(fd)
        if fd % 64 == 0:
          self._receive(0)
      while time.monotonic() < round_end:
        self._receive(0.02)

  def finish(self, timeout_s=30):
    """Ends every stream; all must have arrived as they were sent."""
    deadline = time.monotonic() + timeout_s
    pending = set(self.ends)
    while pending or self.open:
      expect(time.monotonic() < deadline,
        f"{len(self.open)} streams are not finished after {timeout_s} s")
      for fd in list(pending):
        while self.left.get(fd) and self._send_rest(fd):
          pass
        if not self.left.get(fd):
          self.ends[fd].shutdown(socket.SHUT_WR)
          pending.discard(fd)
      self._receive(0.01)
    for client, server in self.pairs:
      for one, other in ((client, server), (server, client)):
        expect(self.sent[one.fileno()].digest() == self.received[other.fileno()].digest(),
          "a stream arrived changed")
    self.poll.close()

  def _send_rest(self, fd):
    before = len(self.left[fd])
    self._send(fd)
    return len(self.left[fd]) < before


def starts(sluice):
  """How often it said that it is ready."""
  return sluice.process.err().count("sluice: ready:")


def upgraded(sluice, count=2):
  """A condition for Swarm.run(): ready again, and a second has passed since."""
  seen = []

  def condition():
    expect(sluice.process.running(), f"Sluice ended:\n{sluice.process.err()}")
    if starts(sluice) >= count:
      seen.append(time.monotonic())
    return bool(seen) and time.monotonic() - seen[0] > 1
  return condition


def lasting(seconds):
  end = time.monotonic() + seconds
  return lambda: time.monotonic() > end


def expect_counters_afterwards(sluice, before):
  """Connections are there, and none was reset."""
  sluice.printed += 1  # the last line of the process before
  total = sluice.counters()["total"]
  expect_equal(total["CurrEstab"], before, "connections established after the restart")
  expect_equal(total["EstabResets"], 0, "connections reset")


@lab_test(beside=False)
def pitfall_29_warm_restart(lab):
  """1,000 connections with running transfers over an upgrade: each stream arrives as it was sent,
  and nothing is forwarded for less than a second."""
  state = lab.directory / "state"
  sluice = lab.start_sluice(arguments=("--keep-state", state), tcp_syncookies=1)
  swarm = Swarm(lab, 1000)
  beats = Beats(lab)
  swarm.run(lasting(0.5))
  sluice.process.signal(signal.SIGUSR2)
  swarm.run(upgraded(sluice))
  gap = beats.gap()
  said = re.search(r"(\d+) connections go on, after ([\d.]+) s", sluice.process.err())
  expect(said, f"not a word of connections taken up:\n{sluice.process.err()}")
  print(f"{said.group(1)} connections, {swarm.bytes >> 20} MB; nothing forwarded for {gap:.3f} s "
    f"(Sluice says {said.group(2)} s)")
  expect_equal(int(said.group(1)), 1000, "connections taken up")
  expect(gap < SILENCE_MAX_S, f"nothing was forwarded for {gap:.3f} s")
  expect(not state.exists(), "the state is still there, to be taken twice")
  expect_counters_afterwards(sluice, 1000)
  swarm.finish()


def connected(lab):
  """A connection of each family, with some bytes exchanged."""
  pairs = [tcp.connect_pair(lab, family, ECHO_PORT) for family in FAMILIES]
  exchange(pairs)
  return pairs


def exchange(pairs):
  for pair in pairs:
    tcp.exchange(*pair, 20_000)


def taken(sluice):
  """How many connections it said it took up at its last start; None when it took no state."""
  said = re.findall(r"(\d+) connections go on", sluice.process.err())
  return int(said[-1]) if said else None


@lab_test(drivers=DRIVERS[:1], beside=False)
def stop_and_start(lab):
  """A stop keeps connections for the next start, be it with other workers; once, and never from a
  file that was damaged. After a kill -9 there is nothing to take."""
  state = lab.directory / "state"
  keep = ("--keep-state", state)
  sluice = lab.start_sluice(arguments=keep, tcp_syncookies=1)
  pairs = connected(lab)
  waiting = lab.client.socket(FAMILIES[0])
  sluice.stop()
  expect_equal(state.stat().st_mode & 0o7777, 0o600, "mode of the state")
  # A client and its backend go on meanwhile, as far as they can.
  waiting.setblocking(False)
  waiting.connect_ex((SERVER[FAMILIES[0]], SPARE_PORT))
  pairs[0][0].send(b"meanwhile")
  workers = lab.config(cpus=ALL_CPUS[:2], vdev_extra=",qpairs=2", tcp_syncookies=1)
  sluice = lab.start_sluice(workers, arguments=keep)
  expect_equal(taken(sluice), len(pairs), "connections taken up")
  expect_equal(tcp.receive_exactly(pairs[0][1], 9), b"meanwhile", "what was sent meanwhile")
  exchange(pairs)
  sluice.stop()
  content = bytearray(state.read_bytes())
  content[len(content) // 2] ^= 1
  state.write_bytes(content)
  sluice = lab.start_sluice(arguments=keep, tcp_syncookies=1)
  expect("is refused: it is damaged" in sluice.process.err(), f"in {sluice.process.err()}")
  expect_equal(taken(sluice), None, "connections taken up from a damaged file")
  expect_equal(sluice.counters()["connections"], 0, "connections after that")
  connected(lab)
  sluice.check_end = False
  sluice.process.signal(signal.SIGKILL)
  sluice.process.wait(5)
  state.unlink()  # the damaged one
  sluice = lab.start_sluice(arguments=keep, tcp_syncookies=1)
  expect_equal(taken(sluice), None, "connections taken up after kill -9")


@lab_test(drivers=DRIVERS[:1])
def pitfall_29_killed_while_stopping(lab):
  """kill -9 at some moment after SIGTERM: the next start takes all connections or none."""
  state = lab.directory / "state"
  outcomes = []
  for _ in range(4):
    sluice = lab.start_sluice(arguments=("--keep-state", state), tcp_syncookies=1)
    sluice.check_end = False
    pairs = connected(lab)
    sluice.process.signal(signal.SIGTERM)
    time.sleep(random.random() * 0.02)
    sluice.process.signal(signal.SIGKILL)
    sluice.process.wait(5)
    sluice = lab.start_sluice(arguments=("--keep-state", state), tcp_syncookies=1)
    outcomes.append(taken(sluice))
    expect(outcomes[-1] in (None, len(pairs)), f"{outcomes[-1]} of {len(pairs)} were taken up")
    expect("refused" not in sluice.process.err(), f"a state that is not whole:\n{sluice.process.err()}")
    if outcomes[-1]:
      exchange(pairs)
    for end in (end for pair in pairs for end in pair):
      tcp.reset(end)
    sluice.process.signal(signal.SIGKILL)
    sluice.process.wait(5)
    state.unlink(missing_ok=True)
    sluice.check_end = False
  print("taken up after kill -9:", outcomes)


def install(path, content=None):
  """Puts a program at the path, as a package manager does: a new file under the old name."""
  beside = path.with_suffix(".new")
  if content is None:
    shutil.copy(SLUICE, beside)
  else:
    beside.write_text(content)
  beside.chmod(0o755)
  os.rename(beside, path)


@lab_test(drivers=DRIVERS[:1])
def upgrade(lab):
  """SIGUSR2 runs the file that is now at the program's path. One that does not start, or refuses the
  configuration, or is gone at the last moment changes nothing; nor does a SIGUSR2 without a state."""
  program = lab.directory / "sluice-program"
  install(program)
  sluice = lab.start_sluice(tcp_syncookies=1)
  sluice.process.signal(signal.SIGUSR2)
  wait_until(lambda: "started without --keep-state" in sluice.process.err(), 5, "a word")
  connected(lab)
  sluice.stop()
  state = lab.directory / "state"
  sluice = lab.start_sluice(arguments=("--keep-state", state), program=program, tcp_syncookies=1)
  pairs = connected(lab)
  for content, words in (("no program at all", "does not start"),
      ("#!/bin/sh\nexit 2\n", "refuses its arguments or configuration"),
      (f"#!/bin/sh\nrm {program}\n", "going on as before")):
    install(program, content)
    sluice.process.signal(signal.SIGUSR2)
    wait_until(lambda: words in sluice.process.err(), 10, f"{words!r} on standard error")
    exchange(pairs)
  expect(not state.exists(), "a state is left of an upgrade that was none")
  sluice.printed += 1
  expect_equal(sluice.counters()["total"]["CurrEstab"], len(pairs), "connections")
  install(program)
  sluice.process.signal(signal.SIGUSR2)
  wait_until(lambda: starts(sluice) == 2, 10, "ready after the upgrade")
  expect_equal(taken(sluice), len(pairs), "connections taken up")
  expect_equal(os.stat(f"/proc/{sluice.process.popen.pid}/exe").st_ino, program.stat().st_ino,
    "the program that runs")
  exchange(pairs)
  sluice.printed += 1
