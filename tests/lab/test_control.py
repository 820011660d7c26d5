# SPDX-License-Identifier: BSD-3-Clause
"""Whatever its control socket is sent, Sluice goes on forwarding and answering others."""

import json
import os
import socket
import stat
import time

import control
import tcp
from lab import DRIVERS, ECHO_PORT, Sluice, expect, expect_equal, wait_until
from registry import lab_test

BESIDE = True
FAMILY = socket.AF_INET
REQUEST_BYTES_MAX = 64 * 1024
PEERS_MAX = 32
FLOOD_OF_REQUESTS = 20000


class Watched:
  """A running Sluice with one connection, to be checked after each attack."""

  def __init__(self, lab):
    self.sluice = lab.start_sluice(tcp_syncookies=1)
    self.path = control.path_of(self.sluice)
    self.ends = tcp.connect_pair(lab, FAMILY, ECHO_PORT)

  def check(self, after):
    """It forwards, and answers a new peer at once."""
    tcp.exchange(*self.ends, 100000)
    begin = time.monotonic()
    result = control.ask(self.sluice, "ping")
    expect_equal(result["pid"], self.sluice.process.popen.pid, "pid")
    expect(time.monotonic() - begin < 2, f"an answer took more than 2 s after {after}")


@lab_test(drivers=DRIVERS[:1])
def broken_requests(lab):
  """Requests that are no JSON, no object, of the wrong version or unknown: an error each, and the
  same peer is answered again."""
  watched = Watched(lab)
  deep = b"[" * 30000
  broken = (b"{", b"}", b"hello", b'{"command": ', b"[]", b"null", b"17", b'"ss"', b"", b"\0",
    b'{"command": "\xff\xfe"}', deep, deep + b"]" * 30000, b"{}", b'{"command": 1}',
    b'{"command": "ss", "version": 2}', b'{"command": "ss", "version": "1"}',
    b'{"command": "sss"}', b'{"command": "ss", "backnd": "x"}', b'{"command": "ss", "backend": 5}',
    b'{"command": "ss", "backend": "nobody"}', b'{"command": "syn-recv", "limit": 0}',
    b'{"command": "syn-recv", "limit": 1e400}', b'{"command": "syn-recv", "cursor": "../../etc"}',
    b'{"command": "set", "backend": "echo-ipv4", "key": "backlog", "value": 0}',
    b'{"command": "set", "backend": "echo-ipv4", "key": "port", "value": 1}',
    b'{"command": "set", "backend": "echo-ipv4"}', b'{"command": "explain", "client": "nonsense"}',
    b'{"command": "flush", "backend": "nobody"}')
  with control.Peer(watched.path) as peer:
    for request in broken:
      peer.send(request + b"\n")
      if not request:
        continue  # an empty line may be passed over
      reply = peer.line()
      expect(reply is not None, f"hung up after {request[:60]}")
      while not request.strip() and reply.get("ok"):
        reply = peer.line()
      expect_equal(reply["ok"], False, f"ok of the reply to {request[:60]}")
      expect(reply["error"], f"no error text for {request[:60]}")
    expect(peer.ask("ping")["pid"], "the peer is not answered any more")
  expect("nearest" in str(control.refusal(watched.sluice, "sss")), "no nearest command named")
  watched.check("broken requests")


@lab_test(drivers=DRIVERS[:1])
def huge_requests(lab):
  """A line longer than 64 KiB: an error, then hung up. A line of just that size is answered."""
  watched = Watched(lab)
  fits = json.dumps({"command": "ping"}).encode()
  with control.Peer(watched.path) as peer:
    peer.send(fits + b" " * (REQUEST_BYTES_MAX - 1 - len(fits)) + b"\n")
    expect_equal(peer.line()["ok"], True, "ok of the largest request")
    try:
      peer.send(b"x" * (1 << 22))
    except (BrokenPipeError, ConnectionResetError):
      pass
    reply = peer.line()
    if reply is not None:  # it may have been lost with the connection
      expect_equal(reply["ok"], False, "ok of the reply to a huge line")
      expect_equal(peer.line(), None, "what follows the error")
  watched.check("a huge line")


@lab_test(drivers=DRIVERS[:1])
def many_peers(lab):
  """40 peers: 32 are served, the others told why not; those that leave make room."""
  watched = Watched(lab)
  peers = [control.Peer(watched.path) for _ in range(PEERS_MAX + 8)]
  served, refused = 0, 0
  for peer in peers:
    try:
      peer.send(b'{"command": "ping"}\n')
      reply = peer.line()
    except (BrokenPipeError, ConnectionResetError):
      reply = None
    served += bool(reply and reply["ok"])
    refused += not (reply and reply["ok"])
  expect_equal((served, refused), (PEERS_MAX, 8), "peers served and refused")
  tcp.exchange(*watched.ends, 100000)
  for peer in peers:
    peer.close()

  def room():
    try:
      return control.ask(watched.sluice, "ping")
    except (control.Refused, AssertionError, OSError):
      return None
  wait_until(room, 5, "room for a new peer")
  watched.check("40 peers")


@lab_test(drivers=DRIVERS[:1])
def peers_that_never_read(lab):
  """A peer that asks and asks and never reads is hung up on in the end; others are answered."""
  watched = Watched(lab)
  deaf = control.Peer(watched.path, timeout_s=1)
  sent = 0
  try:
    for _ in range(FLOOD_OF_REQUESTS):
      deaf.send(b'{"command": "netstat"}\n')
      sent += 1
  except (TimeoutError, BrokenPipeError, ConnectionResetError):
    pass
  watched.check(f"{sent} requests of a peer that never reads")
  deaf.close()
  watched.check("the end of a peer that never read")


@lab_test(drivers=DRIVERS[:1])
def peers_that_vanish(lab):
  """Peers that leave in mid-request, before their answer, or with many of them under way."""
  watched = Watched(lab)
  for number in range(200):
    peer = control.Peer(watched.path)
    peer.send((b'{"comm', b'{"command": "netstat"}\n', b'{"command": "stats"}\n' * 50)[number % 3])
    peer.close()
  watched.check("200 peers that vanished")
  descriptors = len(os.listdir(f"/proc/{watched.sluice.process.popen.pid}/fd"))
  expect(descriptors < 100, f"{descriptors} descriptors are open")


@lab_test(drivers=DRIVERS[:1])
def requests_in_pieces(lab):
  """A request that comes byte by byte, and forty in one write: each answered, in order."""
  watched = Watched(lab)
  with control.Peer(watched.path) as peer:
    for byte in b'{"command": "ping"}\n':
      peer.send(bytes([byte]))
    expect_equal(peer.line()["ok"], True, "ok of a request in pieces")
    peer.send(b'{"command": "ping"}\n{"command": "nonsense"}\n' * 20)
    answers = [peer.line()["ok"] for _ in range(40)]
    expect_equal(answers, [True, False] * 20, "answers to forty requests at once")
  watched.check("requests in pieces")


@lab_test(drivers=DRIVERS[:1])
def socket_file(lab):
  """Mode 0600; a second Sluice on it is refused; gone after the end; a stale one is replaced; a
  file that is no socket stays."""
  config = lab.config(tcp_syncookies=1)
  path = config["control"]["socket"]
  sluice = lab.start_sluice(config)
  mode = os.stat(path).st_mode
  expect(stat.S_ISSOCK(mode), f"{path} is no socket")
  expect_equal(stat.S_IMODE(mode), 0o600, "mode of the socket")
  mode = os.stat(f"{path}.ro").st_mode
  expect_equal(stat.S_IMODE(mode), 0o660, "mode of the socket that only reads")
  with control.Peer(f"{path}.ro") as peer:
    expect(peer.ask("ping"), "the socket that only reads does not answer")
    peer.send(b'{"command": "reload"}\n')
    expect(not peer.line()["ok"], "the socket that only reads lets reload")
  second = Sluice(lab, config, check_end=False)
  expect(not second.wait_ready(), "a second Sluice started on the same socket")
  expect_equal(second.process.wait(5), 1, "exit status of the second")
  expect(path in second.process.err(), f"the message names no socket:\n{second.process.err()}")
  expect(control.ask(sluice, "ping"), "the first is not answering any more")
  sluice.stop()
  for left in (path, f"{path}.ro"):
    expect(not os.path.exists(left), f"{left} is still there after the end")
  stale = socket.socket(socket.AF_UNIX)
  stale.bind(path)
  stale.close()
  lab.start_sluice(config).stop()
  with open(path, "w") as file:
    file.write("keep me\n")
  third = Sluice(lab, config, check_end=False)
  expect(not third.wait_ready(), "Sluice started over a file")
  expect_equal(third.process.wait(5), 1, "exit status of the third")
  with open(path) as file:
    expect_equal(file.read(), "keep me\n", "the file's content")
