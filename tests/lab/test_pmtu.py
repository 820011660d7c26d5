# SPDX-License-Identifier: BSD-3-Clause
"""A router on the way takes no packet above 1280 bytes, and says so: both hosts get to know."""

import tcp
from lab import CLIENT, ECHO_PORT, FAMILIES, FAMILY_NAME, ROUTER_MTU, SERVER, expect
from registry import lab_test

BESIDE = True
TRANSFER_BYTES = 10000000


def learned_mtu(host, address):
  """The MTU of the path to an address as the host knows it; None before it was told."""
  words = host.ip("route", "get", address).stdout.split()
  return int(words[words.index("mtu") + 1]) if "mtu" in words else None


def path_mtu(lab):
  """10 MB each way with DF, over both families."""
  sluice = lab.start_sluice()
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, TRANSFER_BYTES)
    for host, address in ((lab.client, SERVER), (lab.server, CLIENT)):
      found = learned_mtu(host, address[family])
      expect(found == ROUTER_MTU, f"a host knows a path MTU of {found} over {FAMILY_NAME[family]}")
    client.close()
    expect(tcp.receive_all(server) == b"", "bytes after the end")
    server.close()
  expect(sluice.reason("icmp_translated") >= len(FAMILIES), "no ICMP error was translated")


@lab_test(router="client")
def pitfall_1_path_mtu_before_client(lab):
  """The router stands between the client and Sluice: its errors about the server's segments pass
  Sluice, with the server's own numbers in them."""
  path_mtu(lab)


@lab_test(router="server")
def pitfall_1_path_mtu_before_server(lab):
  """The same between Sluice and the server."""
  path_mtu(lab)
