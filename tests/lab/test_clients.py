# SPDX-License-Identifier: BSD-3-Clause
"""Real clients and servers, on good wires and bad ones, and connections of every habit."""

import contextlib
import resource
import selectors
import socket
import statistics
import threading
import time

import clients
import tcp
from lab import (CLIENT, DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, FOREIGN_PORT, SERVER, expect,
  expect_equal, wait_until)
from registry import lab_test

FILE_BYTES = 10000000
LOSSY_FILE_BYTES = 500000
LOSSY_SMALL_BYTES = 60000
LOSSY_REQUESTS = 20
PARALLEL = 1000
REUSES = 2000
IDLE_S = 2
ESTABLISHED_S = 10  # all other states end after a second
SMALL_MSS = (536, 88)
SCALES = (None, 0, 14)

# On a bad wire: of all TCP frames in each direction 2 % each are lost, doubled, and late by more
# than a few others take, on a path of 10 ms there and back.
BAD_SHARE = 0.02
BAD_LATE_S = 0.008
BAD_DELAY_S = 0.005
BAD_SEED = 20260
BAD_BYTES = 500000
BAD_RUNS = 11
BAD_ROUNDS = 3  # at most: chance may want more than one
BAD_RATIO_MAX = 1.5


@contextlib.contextmanager
def many_files(count):
  """Meanwhile this process may have that many files open."""
  before = resource.getrlimit(resource.RLIMIT_NOFILE)
  resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], count), max(before[1], count)))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def all_clients(lab, size):
  servers = clients.Servers(lab, size, tcp_syncookies=1)
  for family in FAMILIES:
    clients.everything(servers, family)
  wait_until(lambda: servers.sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")


def options_off(lab):
  """Both hosts do without window scaling, SACK and timestamps."""
  for host in (lab.client, lab.server):
    for option in ("window_scaling", "sack", "timestamps"):
      host.sysctl(f"net.ipv4.tcp_{option}", 0)


@lab_test()
def programs_untagged(lab):
  """curl over HTTP/1.1, and over HTTP/2 and TLS, with 10 MB each way; 100 requests over one
  connection; ssh with a command and 10 MB; iperf3 up, down and --bidir; `nc -N` at either end."""
  all_clients(lab, FILE_BYTES)


@lab_test(drivers=DRIVERS[:1], tags="vlan")
def programs_vlan(lab):
  """The same in VLAN 10."""
  all_clients(lab, FILE_BYTES)


@lab_test(drivers=DRIVERS[:1])
def programs_without_options(lab):
  """The same between hosts without window scaling, SACK and timestamps."""
  options_off(lab)
  all_clients(lab, FILE_BYTES)


def make_bad(lab):
  for number, relay in enumerate(filter(None, lab.relays.values())):
    relay.delay_s = BAD_DELAY_S
    relay.impair(BAD_SEED + 2 * number, BAD_SHARE, BAD_LATE_S)


def expect_was_bad(lab):
  for relay in filter(None, lab.relays.values()):
    expect(min(relay.impaired().values()) > 10, f"the wire was hardly bad: {relay.impaired()}")


def all_clients_on_bad_wires(lab, size, requests):
  servers = clients.Servers(lab, size, requests, lossy=True, tcp_syncookies=1)
  make_bad(lab)
  clients.everything_at_once(servers)
  expect_was_bad(lab)


@lab_test(drivers=DRIVERS[:1], relays=("client", "server"), beside=True)
def programs_on_bad_wires(lab):
  """The same with 500 KB where both wires lose, double and reorder 2 % each in both directions."""
  all_clients_on_bad_wires(lab, LOSSY_FILE_BYTES, 100)


@lab_test(drivers=DRIVERS[:1], tags="vlan", relays=("client", "server"), beside=True)
def programs_vlan_on_bad_wires(lab):
  """The same in VLAN 10, with 60 KB and 20 requests."""
  all_clients_on_bad_wires(lab, LOSSY_SMALL_BYTES, LOSSY_REQUESTS)


@lab_test(drivers=DRIVERS[:1], relays=("client", "server"), beside=True)
def programs_without_options_on_bad_wires(lab):
  """The same between hosts without options."""
  options_off(lab)
  all_clients_on_bad_wires(lab, LOSSY_SMALL_BYTES, LOSSY_REQUESTS)


def timed_exchange(lab, listener, port):
  """Seconds that one connection with some bytes each way takes, from its SYN to its last byte."""
  begin = time.monotonic()
  client, server = tcp.connect_pair(lab, FAMILIES[0], port, listener)
  tcp.exchange(client, server, BAD_BYTES)
  took = time.monotonic() - begin
  for end in (client, server):
    tcp.reset(end)
  return took


def bad_wire_ratio(lab):
  """Compares a protected port with one that is only forwarded, on the same bad wire, in turns."""
  lab.start_sluice(tcp_syncookies=1)
  ways = [(lab.server.listen(FAMILIES[0], port), port) for port in (ECHO_PORT, FOREIGN_PORT)]
  make_bad(lab)
  took = []
  for _ in range(BAD_ROUNDS):
    took += [[timed_exchange(lab, *way) for way in ways] for _ in range(BAD_RUNS)]
    medians = [statistics.median(column) for column in zip(*took)]
    ratio = medians[0] / medians[1]
    print(f"{BAD_BYTES} bytes each way on a bad wire, {len(took)} times: median {medians[0]:.3f} s "
      f"spliced, {medians[1]:.3f} s forwarded, ratio {ratio:.2f}")
    if ratio < BAD_RATIO_MAX:
      break
  expect_was_bad(lab)
  expect(ratio < BAD_RATIO_MAX, f"{ratio:.2f} times as long as plain forwarding")


@lab_test(drivers=DRIVERS[:1], relays=("client",))
def time_on_bad_client_wire(lab):
  """With loss, duplication and reordering before Sluice, a transfer takes as long as one that is
  only forwarded."""
  bad_wire_ratio(lab)


@lab_test(drivers=DRIVERS[:1], relays=("server",))
def time_on_bad_server_wire(lab):
  """The same behind Sluice."""
  bad_wire_ratio(lab)


class Echoes:
  """Sends back what it receives; unlike tcp.EchoServer for more than 1,000 connections."""

  def __init__(self, listeners):
    self.selector = selectors.DefaultSelector()
    for listener in listeners:
      listener.setblocking(False)
      self.selector.register(listener, selectors.EVENT_READ, True)
    self.stopped = False
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def _serve(self):
    while not self.stopped:
      for key, _ in self.selector.select(0.1):
        self._accept(key.fileobj) if key.data else self._echo(key.fileobj)

  def _accept(self, listener):
    peer, _ = listener.accept()
    peer.settimeout(5)
    self.selector.register(peer, selectors.EVENT_READ, False)

  def _echo(self, peer):
    try:
      received = peer.recv(65536)
      peer.sendall(received)
    except OSError:
      received = b""
    if not received:
      self.selector.unregister(peer)
      peer.close()

  def close(self):
    self.stopped = True
    self.thread.join()


@lab_test()
def thousand_at_once(lab):
  """1,000 connections that are all made before any is answered, half of each family, each with
  bytes of its own."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  with many_files(4 * PARALLEL):
    ends = []
    for number in range(PARALLEL):
      end = lab.client.socket(FAMILIES[number % 2])
      end.setblocking(False)
      ends.append(end)
    listeners = [lab.server.listen(family, ECHO_PORT, backlog=PARALLEL) for family in FAMILIES]
    echoes = Echoes(listeners)
    for number, end in enumerate(ends):
      end.connect_ex((SERVER[FAMILIES[number % 2]], ECHO_PORT))
    for number, end in enumerate(ends):
      end.settimeout(20)
      end.sendall(f"{number:08}".encode() * 1000)
    wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == PARALLEL, 10, "all spliced")
    for number, end in enumerate(ends):
      received = tcp.receive_exactly(end, 8000)
      expect(received == f"{number:08}".encode() * 1000, f"echo on connection {number} changed")
      end.close()
    wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
    echoes.close()


def from_port(lab, family, port):
  """A connection from a certain port of the client; how long it took."""
  client = lab.client.socket(family)
  client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  client.bind((CLIENT[family], port))
  begin = time.monotonic()
  client.connect((SERVER[family], ECHO_PORT))
  return client, time.monotonic() - begin


def close_both(first, second, by_reset):
  """One end closes, then, once it noticed, the other."""
  if by_reset:
    tcp.reset(first)
    tcp.expect_reset(second, 5)
    second.close()
  else:
    tcp.close_in_order(first, second)


@lab_test()
def pitfall_14_same_tuple_again(lab):
  """2,000 connections with one and the same 4-tuple, each at once after the one before was closed:
  by FIN or RST, by either end. None waits for a repeated SYN."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  lab.client.sysctl("net.ipv4.tcp_max_tw_buckets", 0)  # the client's own kernel would not let us
  slow = []
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    for number in range(REUSES // len(FAMILIES)):
      client, took = from_port(lab, family, 40000)
      words = f"connection {number}".encode()
      client.sendall(words)
      server, _ = listener.accept()
      server.settimeout(10)
      server.sendall(tcp.receive_exactly(server, len(words)))
      expect_equal(tcp.receive_exactly(client, len(words)), words, "echo")
      ends = (client, server) if number & 1 else (server, client)
      close_both(*ends, by_reset=number & 2)
      lab.sockets.remove(client)
      if took > 0.5:
        slow.append((FAMILY_NAME[family], number, round(took, 2)))
    listener.close()
  expect_equal(slow, [], "connections that took more than 0.5 s to make")
  expect_equal(sluice.counters()["total"]["Established"], REUSES, "connections established")


@lab_test(drivers=DRIVERS[:1], beside=True)
def idle_then_data(lab):
  """A connection on which nothing happens for a while, longer than any other state than established
  would last, carries data afterwards; half-closed ones do too. (strays/idle_timeout has what comes
  after the timeout.)"""
  config = lab.config(tcp_syncookies=1)
  config["timeouts"] = {"established_s": ESTABLISHED_S, "half_closed_s": ESTABLISHED_S,
    "closing_s": 1, "time_wait_s": 1, "reset_s": 1}
  lab.start_sluice(config)
  pairs = [tcp.connect_pair(lab, family, port) for family in FAMILIES
    for port in (ECHO_PORT, ECHO_PORT + 1)]
  for pair in pairs[::2]:
    tcp.exchange(*pair, 1000)
  time.sleep(IDLE_S)
  for number, (client, server) in enumerate(pairs):
    first, second = (client, server) if number & 1 else (server, client)
    first.sendall(b"still there?")
    expect_equal(tcp.receive_exactly(second, 12), b"still there?", "words after the pause")
    tcp.exchange(client, server, 100000)
    first.shutdown(socket.SHUT_WR)
    expect_equal(tcp.receive_all(second), b"", "what came before the first FIN")
  time.sleep(IDLE_S)
  for number, (client, server) in enumerate(pairs):
    first, second = (client, server) if number & 1 else (server, client)
    second.sendall(b"and that is all")
    second.close()
    expect_equal(tcp.receive_all(first), b"and that is all", "words after the other pause")


@lab_test(drivers=DRIVERS[:1], beside=True)
def pitfall_4_small_mss(lab):
  """Clients that announce an MSS of 536 and of 88: no segment to them is larger."""
  lab.start_sluice(tcp_syncookies=1)
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    for mss in SMALL_MSS:
      client = lab.client.socket(family)
      client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
      client.connect((SERVER[family], ECHO_PORT))
      server, _ = listener.accept()
      tcp.exchange(client, server, 200000)
      shown = lab.server.run("ss", "-Htin", "sport", "=", f":{ECHO_PORT}").stdout
      largest = int(shown.split(" mss:")[1].split()[0])
      expect(largest <= mss, f"the server sends segments of {largest} to an MSS of {mss}")
      for end in (client, server):
        tcp.reset(end)


def scaled_connection(lab, family, scale):
  """A connection whose client announces that window scale, None for none."""
  lab.client.sysctl("net.ipv4.tcp_window_scaling", int(scale is not None))
  lab.client.sysctl("net.ipv4.tcp_rmem", f"4096 131072 {1 << 30 if scale == 14 else 6291456}")
  client = lab.client.socket(family)
  if scale == 0:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
  client.connect((SERVER[family], ECHO_PORT))
  return client


@lab_test(drivers=DRIVERS[:1], beside=True)
def pitfall_3_window_scales(lab):
  """Clients that announce no window scale, 0 and 14: the server knows which, and data flow."""
  for mode in (1, 2):
    sluice = lab.start_sluice(tcp_syncookies=mode)
    for family in FAMILIES:
      listener = lab.server.listen(family, ECHO_PORT)
      for scale in SCALES:
        client = scaled_connection(lab, family, scale)
        server, _ = listener.accept()
        tcp.exchange(client, server, 1000000)
        shown = lab.server.run("ss", "-Htin", "sport", "=", f":{ECHO_PORT}").stdout
        # wscale:SENDER'S,OWN; no word of a scale of 0 on both sides, or of none.
        announced = (int(shown.split(" wscale:")[1].split(",")[0]) if " wscale:" in shown else None)
        expect_equal(announced, scale, f"the client's window scale at the server, mode {mode}")
        for end in (client, server):
          tcp.reset(end)
      listener.close()
    sluice.stop()
