# SPDX-License-Identifier: BSD-3-Clause
"""Every connection comes to a definite end that both hosts see."""

import socket
import time

import tcp
from lab import ECHO_PORT, FAMILIES, REFUSED_PORT, SERVER, expect, expect_equal, wait_until
from registry import lab_test

BESIDE = True
SYN_RETRIES = 2
# SYNs at 0 s and 1 s; 2 s after the last one the backend counts as silent.
SILENT_S = 3

DROP_SYNS = f"""
table inet lab {{
  counter syns {{ }}
  chain input {{
    type filter hook input priority 0;
    tcp dport {ECHO_PORT} tcp flags & (syn | ack) == syn counter name syns drop
  }}
}}
"""



@lab_test()
def reset_by_client(lab):
  """The client closes with RST; the server's read fails with ECONNRESET."""
  reset_by(lab, lambda client, server: (client, server))


@lab_test()
def reset_by_server(lab):
  """The server closes with RST; the client's read fails with ECONNRESET."""
  reset_by(lab, lambda client, server: (server, client))


def reset_by(lab, order):
  sluice = lab.start_sluice()
  for family in FAMILIES:
    for size in (0, 100000):
      client, server = tcp.connect_pair(lab, family, ECHO_PORT + (size > 0))
      if size:
        tcp.exchange(client, server, size)
      first, second = order(client, server)
      tcp.reset(first)
      tcp.expect_reset(second, 2)
      second.close()
  total = sluice.counters()["total"]
  expect_equal(total["EstabResets"], 2 * len(FAMILIES), "EstabResets")
  expect_equal(total["CurrEstab"], 0, "CurrEstab")


@lab_test()
def refused_port(lab):
  """A backend that refuses: the client, which Sluice already answered, is reset at once."""
  sluice = lab.start_sluice()
  for family in FAMILIES:
    client = lab.client.socket(family)
    begin = time.monotonic()
    try:
      client.connect((SERVER[family], REFUSED_PORT))
      tcp.expect_reset(client, 2)
    except (ConnectionRefusedError, ConnectionResetError):
      pass  # the RST came before connect() returned
    expect(time.monotonic() - begin < 1, "the reset took more than 1 s")
  total = sluice.counters()["total"]
  expect_equal(total["AttemptFails"], len(FAMILIES), "AttemptFails")
  expect_equal(sluice.reason("backend_refused"), len(FAMILIES), "reason backend_refused")


@lab_test()
def silent_backend(lab):
  """A backend that never answers gets tcp_syn_retries SYNs, then the client a RST."""
  sluice = lab.start_sluice(tcp_syn_retries=SYN_RETRIES)
  lab.server.nft(DROP_SYNS)
  for number, family in enumerate(FAMILIES, 1):
    begin = time.monotonic()
    client = lab.client.connect(family, ECHO_PORT)
    client.sendall(b"anyone there?")
    tcp.expect_reset(client, SILENT_S + 5)
    took = time.monotonic() - begin
    expect(SILENT_S - 0.5 < took < SILENT_S + 1, f"reset after {took:.1f} s, not {SILENT_S} s")
    expect_equal(lab.server.nft_counter("syns"), number * SYN_RETRIES, "SYNs at the server")
  counters = sluice.counters()
  expect_equal(counters["total"]["AttemptFails"], len(FAMILIES), "AttemptFails")
  wait_until(lambda: sluice.counters()["connections"] == 0, 5, "no connection left")


@lab_test()
def client_gives_up_early(lab):
  """The client resets while its backend is still silent: no half of a connection stays."""
  sluice = lab.start_sluice(tcp_syn_retries=5)
  lab.server.nft(DROP_SYNS)
  for family in FAMILIES:
    client = lab.client.connect(family, ECHO_PORT)
    time.sleep(0.1)
    tcp.reset(client)
  wait_until(lambda: sluice.counters()["connections"] == 0, 3, "no connection left")


@lab_test()
def closed_by_both_at_once(lab):
  """Both ends close at the same moment; both see the other's FIN."""
  sluice = lab.start_sluice()
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, 1000)
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    expect_equal(tcp.receive_all(client), b"", "end of the server's stream")
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
  wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
