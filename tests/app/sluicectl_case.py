# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of sluicectl share: an appliance to ask, and terminals.

The appliance is a thread that answers from a table and can be slow, broken, or gone; the process and
the socket are real.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

SECONDS_MAX = 30

COUNTERS = {"SyncookiesSent": 1000, "PassiveOpens": 200, "Established": 190, "ListenDrops": 7,
  "ListenOverflows": 7, "TCPReqQFullDrop": 0, "CurrEstab": 12}

WEB = {"backend": "web", "state": "LISTEN", "protection": "protect", "local": "10.0.0.2:80", "recv_q": 3, "send_q": 5,
  "syn_recv": 40, "syn_recv_max": 129, "syn_recv_unproven_max": 129, "young": 30, "mode": "queue",
  "tcp_syncookies": 1, "established": 12, "connections": 15, "drain_left_s": None,
  "waiting_ms": {"p50": 1, "p99": 9, "mean": 2, "count": 200}}
SIX = {**WEB, "backend": "web-six", "local": "[fd00::2]:443", "recv_q": 0, "syn_recv": 0}

ROW = {"backend": "web", "client": "10.0.0.1:40000", "local": "10.0.0.2:80", "vlan": None,
  "state": "syn-recv", "age_ms": 1234, "due_ms": 766, "repeats": 1, "acked": False, "mss": 1460,
  "wscale": 7, "sack": True, "timestamps": False, "worker": 0}

PROFILE = {"backend": "web", "profile": "learn", "worker": 0, "mss": 1400, "scales": True, "wscale": 9,
  "sack": True, "timestamps": False, "ecn": None, "window": 65160, "learned_ago_ms": 2500,
  "refused_ago_ms": None, "drift": 3, "source": "probe", "probed_ago_ms": 2600, "probe_answers": 1,
  "probe_failures": 2}

PING = {"pid": 77, "sluice": "0.1.0", "generation": 3, "config_generation": 2, "uptime_s": 125,
  "config": "/etc/sluice.json", "last_reload": None, "sources": {
    "deny": {"file": "/etc/deny.txt", "ipv4": 12, "ipv6": 3},
    "allow": {"file": None, "ipv4": 0, "ipv6": 0}, "read_ago_s": 75, "syn_per_s": 0, "syn_burst": 1,
    "prefix": 32, "prefix6": 64}}


def netstat(**changes):
  counters = {**COUNTERS, **changes}
  return {"total": dict(counters), "backends": {"web": dict(counters), "web-six": {"ListenDrops": 0}},
    "reasons": {"syn_cookie_sent": 1000, "syn_accept_full": 7, "tcp_checksum": 0},
    "emitted": {"window_update": 190, "failed": 0}}


class Appliance:
  """Listens at a socket and answers each line by a function, a result, or bytes as they are."""

  def __init__(self, path, **answers):
    self.path = str(path)
    self.answers = {"ping": PING, "ss": [WEB, SIX], "netstat": netstat(), **answers}
    self.requests = []
    self.peers = []
    self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    self.listener.bind(self.path)
    self.listener.listen(8)
    self.thread = threading.Thread(target=self.serve, daemon=True)
    self.thread.start()

  def serve(self):
    with contextlib.suppress(OSError):
      while True:
        peer, _ = self.listener.accept()
        self.peers.append(peer)
        threading.Thread(target=self.serve_peer, args=(peer,), daemon=True).start()

  def serve_peer(self, peer):
    with contextlib.suppress(OSError), peer.makefile("rb") as lines:
      for line in lines:
        request = json.loads(line)
        self.requests.append(request)
        reply = self.reply(request)
        if reply is None:
          peer.shutdown(socket.SHUT_RDWR)
          return
        peer.sendall(reply)

  def reply(self, request):
    """Bytes to send; None to hang up."""
    answer = self.answers.get(request["command"])
    if callable(answer):
      answer = answer(request)
    if answer is None or isinstance(answer, bytes):
      return answer
    if isinstance(answer, Refused):
      reply = {"version": 1, "ok": False, "error": answer.error}
      if answer.errors:
        reply["errors"] = answer.errors
    else:
      reply = {"version": 1, "ok": True, "result": answer}
    return json.dumps(reply).encode() + b"\n"

  def stop(self):
    """As the death of an appliance: socket gone, peers hung up on."""
    with contextlib.suppress(FileNotFoundError):
      os.unlink(self.path)
    with contextlib.suppress(OSError):
      self.listener.shutdown(socket.SHUT_RDWR)
    self.listener.close()
    self.thread.join(SECONDS_MAX)
    for peer in self.peers:
      with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
      peer.close()


class Refused:
  def __init__(self, error, *errors):
    self.error = error
    self.errors = list(errors)


class Terminal:
  """A program on a terminal of its own."""

  def __init__(self, command, environment, lines=24, columns=140):
    self.master, self.slave = pty.openpty()
    fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    self.modes = termios.tcgetattr(self.slave)
    self.output = b""
    self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave,
      stderr=self.slave, env={**environment, "TERM": "xterm"}, start_new_session=True,
      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

  def read_until(self, wanted, seconds=SECONDS_MAX):
    """Reads until the bytes have come; everything since the last call."""
    end = time.monotonic() + seconds
    start = len(self.output)
    while wanted not in self.output[start:]:
      left = end - time.monotonic()
      if left <= 0 or not select.select([self.master], [], [], left)[0]:
        raise AssertionError(f"{wanted} did not come: {self.output[start:]}")
      self.output += os.read(self.master, 65536)
    return self.output[start:]

  def drain(self):
    while select.select([self.master], [], [], 0.1)[0]:
      self.output += os.read(self.master, 65536)

  def write(self, text):
    os.write(self.master, text)

  def wait(self):
    """The exit status; reads meanwhile, or the program could not end."""
    end = time.monotonic() + SECONDS_MAX
    while self.process.poll() is None and time.monotonic() < end:
      self.drain()
    self.drain()
    return self.process.wait(0)

  def modes_now(self):
    return termios.tcgetattr(self.slave)

  def close(self):
    if self.process.poll() is None:
      self.process.kill()
      self.process.wait(SECONDS_MAX)
    os.close(self.slave)
    os.close(self.master)


class Case(unittest.TestCase):
  program = ""
  maxDiff = None

  def setUp(self):
    folder = tempfile.TemporaryDirectory(prefix="sluicectl-")
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)
    self.path = self.folder / "control.sock"
    self.environment = {"PATH": os.environ["PATH"], "SLUICE_SOCKET": str(self.path),
      "XDG_RUNTIME_DIR": folder.name, "LC_ALL": "C",
      **{key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}}

  def appliance(self, **answers):
    appliance = Appliance(self.path, **{key.replace("_", "-"): value
      for key, value in answers.items()})
    self.addCleanup(appliance.stop)
    return appliance

  def run_program(self, *words, **options):
    return subprocess.run([self.program, *words], env=self.environment, timeout=SECONDS_MAX,
      stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)

  def run_status(self, status, *words):
    done = self.run_program(*words)
    self.assertEqual(done.returncode, status, done)
    return done.stdout.decode(), done.stderr.decode()

  def run_well(self, *words):
    out, err = self.run_status(0, *words)
    self.assertEqual(err, "")
    return out

  def run_json(self, *words):
    out = self.run_well("--json", *words)
    self.assertEqual(out.count("\n"), 1, "one line per answer")
    return json.loads(out)

  def terminal(self, *words, **options):
    terminal = Terminal([self.program, *words], self.environment, **options)
    self.addCleanup(terminal.close)
    return terminal


def main(usage):
  """Runs the tests of the calling script; its first argument is the program."""
  if len(sys.argv) < 2:
    sys.exit(usage.strip())
  Case.program = os.path.abspath(sys.argv.pop(1))
  unittest.main()
