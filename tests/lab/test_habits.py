# SPDX-License-Identifier: BSD-3-Clause
"""Every habit that a connection can have, on the kinds of path that the programs of test_clients.py
are tried on: in a VLAN, without options, on bad wires."""

import concurrent.futures
import socket
import time

import tcp
from lab import DRIVERS, ECHO_PORT, FAMILIES, REFUSED_PORT, SERVER, expect, expect_equal
from registry import lab_test
from test_clients import (SCALES, SMALL_MSS, close_both, expect_was_bad, from_port, make_bad,
  options_off, scaled_connection)

BESIDE = True
PARALLEL = 100
REUSES = 20
BAD_REUSES = 6
SIZE = 20000
FIRST_PORT = 41000
REFUSED_S = 10  # of a refusal whose RST may be lost, so that another SYN has to ask


def server_first(lab, family, listener):
  client, server = tcp.connect_pair(lab, family, ECHO_PORT, listener)
  server.sendall(b"220 hello\r\n")
  expect_equal(tcp.receive_exactly(client, 11), b"220 hello\r\n", "greeting")
  close_both(client, server, by_reset=False)


def half_closes(lab, family, listener):
  """One end is done; the other goes on, and then is."""
  for by_client in (True, False):
    ends = tcp.connect_pair(lab, family, ECHO_PORT, listener)
    first, second = ends if by_client else reversed(ends)
    first.sendall(b"all of it")
    first.shutdown(socket.SHUT_WR)
    expect_equal(tcp.receive_all(second), b"all of it", "what came before the first FIN")
    second.sendall(b"x" * SIZE)
    second.close()
    expect_equal(len(tcp.receive_all(first)), SIZE, "bytes that came after the first FIN")
    first.close()


def resets(lab, family, listener):
  for by_client in (True, False):
    ends = tcp.connect_pair(lab, family, ECHO_PORT, listener)
    tcp.exchange(*ends, 1000)
    close_both(*(ends if by_client else reversed(ends)), by_reset=True)


def refusal(lab, family):
  begin = time.monotonic()
  client = lab.client.socket(family)
  try:
    client.connect((SERVER[family], REFUSED_PORT))
    client.settimeout(REFUSED_S)
    client.sendall(b"anybody?")
    received = client.recv(1)
  except (ConnectionRefusedError, ConnectionResetError):
    received = None
  expect_equal(received, None, "what a refused client read")
  expect(time.monotonic() - begin < REFUSED_S, f"the refusal took more than {REFUSED_S} s")


def parallel(lab, family, listener):
  ends = []
  for _ in range(PARALLEL):
    end = lab.client.socket(family)
    end.setblocking(False)
    end.connect_ex((SERVER[family], ECHO_PORT))
    ends.append(end)
  for number, end in enumerate(ends):
    end.settimeout(20)
    end.sendall(f"{number:08}".encode())
  waiting = {f"{number:08}".encode() for number in range(PARALLEL)}
  while waiting:
    server, _ = listener.accept()
    server.settimeout(20)
    words = tcp.receive_exactly(server, 8)
    expect(words in waiting, f"{words} came twice")
    waiting.remove(words)
    server.close()
  for end in ends:
    expect_equal(tcp.receive_all(end), b"", "end of a stream")
    end.close()
    lab.sockets.remove(end)


def same_tuple(lab, family, listener, count, with_resets):
  for number in range(count):
    client, _ = from_port(lab, family, FIRST_PORT)
    client.sendall(b"again")
    server, _ = listener.accept()
    server.settimeout(20)
    expect_equal(tcp.receive_exactly(server, 5), b"again", "words")
    ends = (client, server) if number & 1 else (server, client)
    close_both(*ends, by_reset=with_resets and number & 2)
    lab.sockets.remove(client)


def small_mss(lab, family, listener):
  for mss in SMALL_MSS:
    client = lab.client.socket(family)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    client.connect((SERVER[family], ECHO_PORT))
    server, _ = listener.accept()
    tcp.exchange(client, server, SIZE)
    close_both(client, server, by_reset=False)


def window_scales(lab, family, listener):
  for scale in SCALES:
    client = scaled_connection(lab, family, scale)
    server, _ = listener.accept()
    tcp.exchange(client, server, SIZE)
    close_both(client, server, by_reset=False)


def habits_of(lab, family, is_bad):
  """Those of one family. A lost RST is not repeated, so bad wires do without."""
  with lab.server.listen(family, ECHO_PORT) as listener:
    server_first(lab, family, listener)
    half_closes(lab, family, listener)
    refusal(lab, family)
    parallel(lab, family, listener)
    same_tuple(lab, family, listener, BAD_REUSES if is_bad else REUSES, with_resets=not is_bad)
    small_mss(lab, family, listener)
    if not is_bad:
      resets(lab, family, listener)


def every_habit(lab, is_bad=False, with_scales=True):
  """All of them, both families at once."""
  lab.client.sysctl("net.ipv4.tcp_max_tw_buckets", 0)  # or its own kernel holds the tuple
  with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda family: habits_of(lab, family, is_bad), FAMILIES))
  for family in FAMILIES[:1 if is_bad else 2] if with_scales else ():
    with lab.server.listen(family, ECHO_PORT) as listener:
      window_scales(lab, family, listener)


@lab_test(drivers=DRIVERS[:1], tags="vlan")
def habits_vlan(lab):
  """In VLAN 10: server first, half-close, RST by either end, a refused port, 100 at once, the same
  4-tuple again and again, MSS 536 and 88, window scale none, 0 and 14."""
  lab.start_sluice(tcp_syncookies=1)
  every_habit(lab)


@lab_test(drivers=DRIVERS[:1])
def habits_without_options(lab):
  """The same between hosts without window scaling, SACK and timestamps."""
  options_off(lab)
  lab.start_sluice(tcp_syncookies=1)
  every_habit(lab, with_scales=False)


@lab_test(drivers=DRIVERS[:1], relays=("client", "server"))
def habits_on_bad_wires(lab):
  """The same where both wires lose, double and reorder 2 % each in both directions; without
  resets, which nobody repeats."""
  lab.start_sluice(tcp_syncookies=1)
  make_bad(lab)
  every_habit(lab, is_bad=True)
  expect_was_bad(lab)
