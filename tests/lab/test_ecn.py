# SPDX-License-Identifier: BSD-3-Clause
"""PITFALLS 13: ECN between real hosts, where both speak it and where the server refuses it."""

import tcp
from control import sluicectl_json
from lab import ECHO_PORT, FAMILIES, FAMILY_NAME, expect, expect_equal
from registry import lab_test

BESIDE = True

REFUSES, OFFERS, ACCEPTS = 0, 1, 2  # tcp_ecn
EXCHANGE_BYTES = 1000000

# What of ECN gets to the server beside the flags of SYNs.
SEEN_BY_SERVER = """
table inet lab {
  counter ecn-flags {}
  counter ecn-marks {}
  chain in {
    type filter hook prerouting priority -300
    tcp flags & syn == 0 tcp flags & (ecn | cwr) != 0 counter name ecn-flags
    meta l4proto tcp ip ecn != not-ect counter name ecn-marks
    meta l4proto tcp ip6 ecn != not-ect counter name ecn-marks
  }
}
"""

# A congested router next to the client: every ECN-capable segment is marked.
CONGESTED = """
table inet lab {
  chain out {
    type filter hook output priority 0
    ip ecn { ect0, ect1 } ip ecn set ce
    ip6 ecn { ect0, ect1 } ip6 ecn set ce
  }
}
"""


def connection(lab, family, client_shows, server_shows, case):
  """One connection: who shows ECN in ss, and bytes both ways."""
  client, server = tcp.connect_pair(lab, family, ECHO_PORT)
  tcp.exchange(client, server, EXCHANGE_BYTES)
  case = f"{case}, {FAMILY_NAME[family]}"
  expect_equal(tcp.negotiated(lab.client, family, client, "ecn"), client_shows, f"client, {case}")
  expect_equal(tcp.negotiated(lab.server, family, server, "ecn"), server_shows, f"server, {case}")
  for end in (client, server):
    tcp.reset(end)


def marks_echoed(lab):
  """Segments delivered with a mark, as the client's kernel was told by echoes."""
  names, values = [line.split() for line in lab.client.run("cat", "/proc/net/netstat").stdout
    .splitlines() if line.startswith("TcpExt")]
  return int(dict(zip(names, values))["TCPDeliveredCE"])


@lab_test()
def agreed(lab):
  """Both ends speak it and agree through Sluice, from the first connection on, by cookie and by
  queue; marks are echoed to the client by the server itself."""
  lab.client.sysctl("net.ipv4.tcp_ecn", OFFERS)
  lab.server.sysctl("net.ipv4.tcp_ecn", ACCEPTS)
  lab.server.nft(SEEN_BY_SERVER)
  for mode in (1, 2):
    sluice = lab.start_sluice(tcp_syncookies=mode)
    for family in FAMILIES:
      for case in ("first", "second"):
        connection(lab, family, {"ecn"}, {"ecn"}, f"{case}, tcp_syncookies {mode}")
    sluice.stop()
  expect(lab.server.nft_counter("ecn-marks") > 0, "no ECN-capable segment reached the server")
  lab.client.nft(CONGESTED)
  before = marks_echoed(lab)
  sluice = lab.start_sluice()
  for family in FAMILIES:
    connection(lab, family, {"ecn"}, {"ecn"}, "congested")
  expect(marks_echoed(lab) > before, "no mark was echoed to the client")
  rows = sluicectl_json(sluice, "profile", "echo-ipv4")
  expect_equal({row["ecn"] for row in rows}, {True}, "ecn of sluicectl profile")


@lab_test()
def refused(lab):
  """The server refuses what the first client was promised: no flag or mark of it reaches the
  server, Sluice echoes the marks, and the second client is promised nothing."""
  lab.client.sysctl("net.ipv4.tcp_ecn", OFFERS)
  lab.server.sysctl("net.ipv4.tcp_ecn", REFUSES)
  lab.client.nft(CONGESTED)
  lab.server.nft(SEEN_BY_SERVER)
  before = marks_echoed(lab)
  sluice = lab.start_sluice()
  for family in FAMILIES:
    connection(lab, family, {"ecn"}, set(), "first")
  expect(marks_echoed(lab) > before, "no mark was echoed to the client")
  for family in FAMILIES:
    connection(lab, family, set(), set(), "second")
  for counter in ("ecn-flags", "ecn-marks"):
    expect_equal(lab.server.nft_counter(counter), 0, f"{counter} that reached the server")
  for row in sluicectl_json(sluice, "profile"):
    if row["backend"].startswith("echo"):
      expect_equal((row["ecn"], row["drift"] > 0), (False, True), "sluicectl profile")


@lab_test()
def not_offered(lab):
  """A client that does not offer ECN: nobody hears of it."""
  lab.client.sysctl("net.ipv4.tcp_ecn", REFUSES)
  lab.server.sysctl("net.ipv4.tcp_ecn", ACCEPTS)
  lab.server.nft(SEEN_BY_SERVER)
  lab.start_sluice()
  for family in FAMILIES:
    connection(lab, family, set(), set(), "no offer")
  for counter in ("ecn-flags", "ecn-marks"):
    expect_equal(lab.server.nft_counter(counter), 0, f"{counter} that reached the server")
