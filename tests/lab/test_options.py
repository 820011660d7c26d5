# SPDX-License-Identifier: BSD-3-Clause
"""Whatever options the two hosts agree to, and whatever one of them does without."""

import itertools

import tcp
from lab import ECHO_PORT, FAMILIES, FAMILY_NAME, expect, expect_equal
from registry import lab_test

BESIDE = True
SYSCTLS = {"wscale": "net.ipv4.tcp_window_scaling", "sack": "net.ipv4.tcp_sack",
  "ts": "net.ipv4.tcp_timestamps"}
COMBINATIONS = [{name for name, on in zip(SYSCTLS, switches) if on}
  for switches in itertools.product((True, False), repeat=len(SYSCTLS))]
EXCHANGE_BYTES = 1000000


def configure(host, options):
  for name, key in SYSCTLS.items():
    host.sysctl(key, int(name in options))


def connection(lab, family, client_shows, server_shows, case):
  """One connection: what each end shows in ss, and bytes both ways."""
  client, server = tcp.connect_pair(lab, family, ECHO_PORT)
  tcp.exchange(client, server, EXCHANGE_BYTES)
  expect_equal(tcp.negotiated(lab.client, family, client), client_shows, f"client's ss, {case}")
  expect_equal(tcp.negotiated(lab.server, family, server), server_shows, f"server's ss, {case}")
  for end in (client, server):
    tcp.reset(end)


def combination(lab, client_offers, server_offers):
  """Two connections with these options offered, through a Sluice that knows nothing yet. The
  first client is granted all it offers, and what the server does without is translated away.
  From the server's answer Sluice learns what to grant the second; only the window scale is
  always granted."""
  configure(lab.client, client_offers)
  configure(lab.server, server_offers)
  sluice = lab.start_sluice()
  for family in FAMILIES:
    case = (f"client with {sorted(client_offers)}, server with {sorted(server_offers)}, "
      f"{FAMILY_NAME[family]}")
    common = client_offers & server_offers
    connection(lab, family, client_offers, common, f"{case}, first")
    connection(lab, family, common | (client_offers & {"wscale"}), common, f"{case}, second")
  sluice.stop()


@lab_test()
def options_at_client(lab):
  """All 8 combinations of window scaling, SACK and timestamps at the client."""
  for offers in COMBINATIONS:
    combination(lab, offers, set(SYSCTLS))


@lab_test()
def options_at_server(lab):
  """All 8 combinations at the server, with a client that offers everything."""
  for offers in COMBINATIONS:
    combination(lab, set(SYSCTLS), offers)


@lab_test()
def mss_of_client(lab):
  """The client's own MSS reaches the backend: it never gets a larger segment."""
  sluice = lab.start_sluice()
  for family, overhead in zip(FAMILIES, (40, 60)):
    for mtu in (1280, 1400):
      lab.client.ip("link", "set", "c0", "mtu", mtu)
      client, server = tcp.connect_pair(lab, family, ECHO_PORT)
      tcp.exchange(client, server, 100000)
      shown = lab.server.run("ss", "-Htin", "sport", "=", f":{ECHO_PORT}").stdout
      largest = int(shown.split(" mss:")[1].split()[0])
      # mss in ss is without the 12 bytes of timestamps.
      expect(largest <= mtu - overhead - 12, f"server sends segments of {largest} at MTU {mtu}")
      for end in (client, server):
        tcp.reset(end)
  expect_equal(sluice.counters()["total"]["AttemptFails"], 0, "AttemptFails")
