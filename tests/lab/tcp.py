# SPDX-License-Identifier: BSD-3-Clause
"""What lab tests do with TCP sockets: connect, exchange, close, and look at `ss`."""

import random
import re
import select
import socket
import struct
import threading
import time

from lab import CLIENT, SERVER, expect, expect_equal, wait_until

TCP_CLOSE = 7  # a state, as in TCP_INFO


class EchoServer:
  """Sends back what it receives, on any number of connections, until closed."""

  def __init__(self, listener):
    self.listener = listener
    self.stopped = False
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def _serve(self):
    waiting = {}
    self.listener.setblocking(False)
    while not self.stopped:
      readable, writable, _ = select.select([self.listener, *waiting],
        [peer for peer, held in waiting.items() if held], [], 0.2)
      for peer in readable:
        if peer is self.listener:
          accepted, _ = peer.accept()
          accepted.setblocking(False)
          waiting[accepted] = b""
        elif not waiting[peer]:
          self._read(peer, waiting)
      for peer in writable:
        if peer in waiting:
          self._write(peer, waiting)
    for peer in waiting:
      peer.close()

  @staticmethod
  def _read(peer, waiting):
    try:
      received = peer.recv(65536)
    except ConnectionError:
      received = b""
    if received:
      waiting[peer] = received
    else:
      peer.close()
      del waiting[peer]

  @staticmethod
  def _write(peer, waiting):
    try:
      waiting[peer] = waiting[peer][peer.send(waiting[peer]):]
    except BlockingIOError:
      pass
    except ConnectionError:
      peer.close()
      del waiting[peer]

  def close(self):
    self.stopped = True
    self.thread.join()


def connect_pair(lab, family, port, listener=None):
  """A connection through Sluice: the client's end and the server's."""
  listening = listener or lab.server.listen(family, port)
  client = lab.client.connect(family, port)
  server, peer = listening.accept()
  if not listener:
    listening.close()
  lab.sockets.append(server)
  server.settimeout(20)
  expect_equal(peer[0], CLIENT[family], "the client's address at the server")
  expect_equal(peer[1], client.getsockname()[1], "the client's port at the server")
  expect_equal(client.getpeername()[0], SERVER[family], "the server's address at the client")
  return client, server


def exchange(first, second, size, timeout_s=60):
  """Sends size random bytes each way at the same time and compares."""
  ends = (first, second)
  sent = {end: random.randbytes(size) for end in ends}
  position = {end: 0 for end in ends}
  received = {end: bytearray() for end in ends}
  other = {first: second, second: first}
  deadline = time.monotonic() + timeout_s
  for end in ends:
    end.setblocking(False)
  while any(len(received[end]) < size for end in ends):
    expect(time.monotonic() < deadline,
      f"exchange of {size} bytes each way: after {timeout_s} s only {len(received[first])} and "
      f"{len(received[second])} came")
    readable, writable, _ = select.select(ends, [end for end in ends if position[end] < size], [], 1)
    for end in readable:
      piece = end.recv(1 << 20)
      expect(piece, "connection closed in mid-exchange")
      received[end] += piece
    for end in writable:
      position[end] += end.send(sent[end][position[end]:position[end] + (1 << 18)])
  for end in ends:
    end.settimeout(20)
    expect(received[end] == sent[other[end]], "bytes arrived changed")


def receive_all(end):
  """Everything up to the other end's FIN."""
  parts = []
  while True:
    part = end.recv(1 << 20)
    if not part:
      return b"".join(parts)
    parts.append(part)


def receive_exactly(end, size):
  """Just size bytes."""
  parts = b""
  while len(parts) < size:
    part = end.recv(size - len(parts))
    expect(part, f"connection closed after {len(parts)} of {size} bytes")
    parts += part
  return parts


def reset(end):
  """Closes with RST instead of FIN."""
  end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
  end.close()


def expect_reset(end, timeout_s):
  """The other end's RST, seen by a read."""
  end.settimeout(timeout_s)
  try:
    received = end.recv(1)
  except ConnectionResetError:
    return
  except TimeoutError:
    expect(False, f"no RST within {timeout_s} s")
  expect(False, f"read {received!r} instead of a reset")


def negotiated(host, family, end, options="ts|sack|wscale"):
  """The options of a connection as the host's `ss -tio` shows them: a set out of those asked for."""
  local, peer = end.getsockname()[:2], end.getpeername()[:2]
  text = host.run("ss", "-Htion", f"-{'6' if family == socket.AF_INET6 else '4'}",
    "sport", "=", f":{local[1]}", "and", "dport", "=", f":{peer[1]}").stdout
  expect(text.strip(), f"ss shows no connection {local} to {peer}")
  words = set(re.findall(rf"\b({options})\b", text))
  return words


def is_over(connection):
  """True when its kernel is done with a connection: its FIN is acknowledged, its port free."""
  return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE


def close_in_order(first, second):
  """FIN and its acknowledgement, from one end, then from the other, whose port is free then."""
  first.shutdown(socket.SHUT_WR)
  expect_equal(receive_all(second), b"", "what came before the FIN")
  second.shutdown(socket.SHUT_WR)
  expect_equal(receive_all(first), b"", "what came before the other FIN")
  wait_until(lambda: is_over(second), 5, "acknowledgement of the second FIN")
  first.close()
  second.close()
