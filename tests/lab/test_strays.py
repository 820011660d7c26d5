# SPDX-License-Identifier: BSD-3-Clause
"""Connections that Sluice knows nothing of: older than itself, or forgotten by a restart."""

import copy
import socket
import time

import control
import tcp
from lab import DRIVERS, ECHO_PORT, FAMILIES, SERVER, expect, expect_equal
from registry import lab_test
from test_reload import reloaded

BESIDE = True
SIZE = 2_000_000
IDLE_S = 3


def unprotected(config):
  """The configuration without any backend: everything passes."""
  config = copy.deepcopy(config)
  config["backends"] = []
  return config


def with_policy(config, stray):
  config = copy.deepcopy(config)
  config["queues"]["stray"] = stray
  return config


@lab_test(drivers=DRIVERS[:1])
def take_over(lab):
  """Connections that stood before their backend was protected go on, busy and idle ones, and end in
  order; new ones are proved, also from the same port."""
  for cookies in (1, 2):
    config = lab.config(tcp_syncookies=cookies)
    sluice = lab.start_sluice(unprotected(config))
    pairs = []
    for family in FAMILIES:
      with lab.server.listen(family, ECHO_PORT) as listener:
        pairs += [(family, *tcp.connect_pair(lab, family, ECHO_PORT, listener)) for _ in range(3)]
    reloaded(sluice, with_policy(config, "pass"))
    for _, client, server in pairs:
      tcp.exchange(client, server, SIZE)
    total = sluice.counters()["total"]
    expect_equal(total["CurrEstab"], len(pairs), "connections tracked")
    expect_equal(total["PassiveOpens"], 0, "connections that needed a proof")
    for number, (family, client, server) in enumerate(pairs):
      port = client.getsockname()[1]
      tcp.close_in_order(*((client, server) if number % 2 else (server, client)))
      if number % 2 == 0:  # the server waits in TIME-WAIT, the client's port is free
        again, served = connect_again(lab, family, port)
        tcp.exchange(again, served, 10000)
        tcp.close_in_order(again, served)
    total = sluice.counters()["total"]
    expect_equal(total["CurrEstab"], 0, "connections still open")
    expect_equal(total["PassiveOpens"], len(pairs) / 2, "connections that were proved")
    sluice.stop()


def connect_again(lab, family, port):
  """A connection from a given port of the client."""
  with lab.server.listen(family, ECHO_PORT) as listener:
    client = lab.client.socket(family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", port))
    client.settimeout(20)
    client.connect((SERVER[family], ECHO_PORT))
    server, _ = listener.accept()
  lab.sockets.append(server)
  server.settimeout(20)
  return client, server


@lab_test(drivers=DRIVERS[:1])
def forgotten_is_reset(lab):
  """After a restart the next segment of either end gets its connection reset, and within a moment."""
  config = with_policy(lab.config(tcp_syncookies=1), "reset")
  for first_is_client in (True, False):
    sluice = lab.start_sluice(config)
    pairs = []
    for family in FAMILIES:
      with lab.server.listen(family, ECHO_PORT) as listener:
        pairs += [tcp.connect_pair(lab, family, ECHO_PORT, listener) for _ in range(5)]
    sluice.stop()
    sluice = lab.start_sluice(config)
    for client, server in pairs:
      first, second = (client, server) if first_is_client else (server, client)
      first.send(b"x")
      tcp.expect_reset(first, 3)
      second.send(b"x")
      tcp.expect_reset(second, 3)
    expect(sluice.reason("stray_reset") >= 2 * len(pairs), "hardly a stray was answered")
    expect_equal(sluice.reason("stray_reset_limited"), 0, "strays beyond the budget")
    sluice.stop()


@lab_test(drivers=DRIVERS[:1])
def idle_timeout(lab):
  """A connection that is silent for longer than configured is forgotten, one that talks is not."""
  config = with_policy(lab.config(tcp_syncookies=1), "reset")
  config["timeouts"] = {"established_s": IDLE_S}
  sluice = lab.start_sluice(config)
  ends = tcp.connect_pair(lab, FAMILIES[0], ECHO_PORT)
  for _ in range(4):
    time.sleep(IDLE_S / 3)
    tcp.exchange(*ends, 100)
  time.sleep(IDLE_S + 1)
  expect_equal(control.ask(sluice, "established")["rows"], [], "connections after their time")
  ends[0].send(b"x")
  tcp.expect_reset(ends[0], 3)
