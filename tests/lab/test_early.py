# SPDX-License-Identifier: BSD-3-Clause
"""What a client sends before its backend has answered (PITFALLS 5): no extra trip, no byte lost."""

import hashlib
import random
import socket
import time

import tcp
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, REFUSED_PORT, SERVER, SPARE_PORT,
  expect, expect_equal, url, wait_until)
from registry import lab_test

BESIDE = True
DELAY_S = 0.1  # one way, between the client and Sluice
HELD_S_MAX = 3.9 * DELAY_S  # the relay itself takes some ms per trip
EXTRA_S_MIN = 1.5 * DELAY_S
ROUNDS_MAX = 10
REQUEST = b"GET /page HTTP/1.0\r\n\r\n"

DROP_SYNS = f"""
table inet lab {{ chain in {{
  type filter hook input priority 0;
  tcp dport {ECHO_PORT} tcp flags syn drop
}}
}}
"""


def config_of(lab, **early_data):
  """A configuration where ports have policies of their own."""
  ports = {"echo": ECHO_PORT, "spare": SPARE_PORT, "refused": REFUSED_PORT}
  config = lab.config()
  for backend in config["backends"]:
    for name, policy in early_data.items():
      if backend["port"] == ports[name]:
        backend["early_data"] = policy
  return config


def held(sluice):
  """Packets that the workers hold now."""
  return sum(worker["early_held"] for worker in sluice.counters()["workers"])


def first_bytes_s(lab, family, listener):
  """From connect() until the server has read the client's request."""
  begin = time.monotonic()
  client = lab.client.connect(family, listener.getsockname()[1])
  client.sendall(REQUEST)
  server, _ = listener.accept()
  server.settimeout(20)
  expect_equal(tcp.receive_exactly(server, len(REQUEST)), REQUEST, "the client's request")
  took = time.monotonic() - begin
  server.close()
  client.close()
  return took


@lab_test(drivers=DRIVERS[:1], relays=("client",), beside=False)
def pitfall_5_no_extra_trip(lab):
  """A request is at the server one and a half trips of the client's path after connect(), as
  without Sluice; with zero-window one trip later."""
  sluice = lab.start_sluice(config_of(lab, spare="zero-window"))
  lab.relays["client"].delay_s = DELAY_S
  for family in FAMILIES:
    listeners = [lab.server.listen(family, port) for port in (ECHO_PORT, SPARE_PORT)]
    held_s = zero_s = float("inf")
    for _ in range(ROUNDS_MAX):
      # The least, since a busy machine only adds.
      held_s, zero_s = (min(before, first_bytes_s(lab, family, listener))
        for before, listener in zip((held_s, zero_s), listeners))
      if held_s < HELD_S_MAX and zero_s > held_s + EXTRA_S_MIN:
        break
    print(f"{FAMILY_NAME[family]}: in units of the path's delay {held_s / DELAY_S:.2f} held, "
      f"{zero_s / DELAY_S:.2f} with zero-window")
    expect(held_s < HELD_S_MAX, f"the request took {held_s:.3f} s, not {3 * DELAY_S:.3f} s")
    expect(zero_s > held_s + EXTRA_S_MIN, f"zero-window took {zero_s:.3f} s, held {held_s:.3f} s")
  counters = sluice.counters()
  expect_equal(counters["reasons"]["client_early"], 0, "segments dropped")


@lab_test(drivers=DRIVERS[:1], relays=("server",))
def pitfall_5_held_while_slow(lab):
  """A server that answers after a quarter of a second, clients that say much at once and repeat it: what
  arrives is what they said; curl and nginx too, with every policy."""
  lab.start_nginx()
  body = random.randbytes(50000)
  (lab.directory / "www" / "file").write_bytes(body)
  (lab.directory / "page").write_bytes(body)
  lab.relays["server"].delay_s = 0.12
  sluice = lab.start_sluice(config_of(lab, echo="hold", spare="zero-window"))
  for family in FAMILIES:
    for port in (ECHO_PORT, SPARE_PORT):
      echo = tcp.EchoServer(lab.server.listen(family, port))
      clients = [lab.client.connect(family, port) for _ in range(20)]
      for client in clients:
        # In small pieces, more than are held.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, 1000, 100):
          client.sendall(body[at:at + 100])
        client.sendall(body[1000:20000])
        client.shutdown(socket.SHUT_WR)
      for client in clients:
        expect(tcp.receive_all(client) == body[:20000], "bytes arrived changed")
      echo.close()
    lab.curl("--output", lab.directory / "down", url(family, "file"))
    lab.curl("--upload-file", lab.directory / "page", url(family, f"up/{FAMILY_NAME[family]}"))
    for path in (lab.directory / "down", lab.directory / "www" / "up" / FAMILY_NAME[family]):
      expect_equal(hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(body).hexdigest(),
        f"sha256 of {path.name}")
  reasons = sluice.counters()["reasons"]
  expect(reasons["client_early_held"] + reasons["ack_connecting_held"] > 40, "hardly any data held")
  expect(reasons["backend_connected_early"] >= 40, "hardly any held data forwarded")


@lab_test()
def pitfall_5_held_to_the_end(lab):
  """Clients whose data is held when their backend refuses, when they reset, when their backend stays
  silent, and when Sluice stops: the buffers come back (checked after every test)."""
  config = config_of(lab, echo="hold", refused="hold")
  for backend in config["backends"]:
    backend["tcp_syn_retries"] = 2
  sluice = lab.start_sluice(config)
  lab.server.nft(DROP_SYNS)
  for family in FAMILIES:
    for end in ("refused", "reset", "silent"):
      client = lab.client.socket(family)
      try:
        client.connect((SERVER[family], REFUSED_PORT if end == "refused" else ECHO_PORT))
        client.sendall(b"first words")
      except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
        expect_equal(end, "refused", "how the connection ended")
        continue
      if end == "reset":
        wait_until(lambda: held(sluice) > 0, 5, "data held")
        tcp.reset(client)
        wait_until(lambda: held(sluice) == 0, 5, "held data given back")
      else:
        tcp.expect_reset(client, 10)
  wait_until(lambda: held(sluice) == 0 and sluice.counters()["connections"] == 0, 5, "no connection")
  client = lab.client.connect(FAMILIES[0], ECHO_PORT)
  client.sendall(b"last words")
  wait_until(lambda: held(sluice) == 1, 5, "data held at the end")
