# SPDX-License-Identifier: BSD-3-Clause
"""ACKs that nobody asked for prove nothing."""

import tcp
from lab import DRIVERS, ECHO_PORT, FAMILIES, expect, expect_equal, wait_until
from registry import lab_test

ACKS = 1000000
RATE = 150000
# Of ACKs without timestamps one in 2^24 hits a valid cookie by chance: 0.06 of a million. Four
# or more happen in one run of two million.
CHANCE_HITS_MAX = 3

COUNT_TCP = f"""
table inet lab {{
  counter segments {{ }}
  chain input {{
    type filter hook input priority 0;
    tcp dport {ECHO_PORT} counter name segments
  }}
}}
"""


def random_acks(lab, hits_max, *options):
  sluice = lab.start_sluice()
  listener = lab.server.listen(FAMILIES[0], ECHO_PORT)
  prove_one(lab, listener)
  lab.server.nft(COUNT_TCP)
  invalid = 0
  while invalid < ACKS:
    # What the ring between kernel and Sluice refuses is sent again.
    flood = lab.flood("ack", ACKS - invalid, RATE, options=options)
    expect_equal(flood.wait(60), 0, "exit status of the flood")
    before = invalid
    counters = wait_until(lambda: settled(sluice), 10, "all ACKs judged")
    invalid = counters["reasons"]["ack_cookie_invalid"]
    expect(invalid > before, "no ACK of the flood was judged")
  hits = counters["total"]["SyncookiesRecv"] - 1
  expect(hits <= hits_max, f"{hits} random ACKs accepted as cookies")
  expect(counters["connections"] <= 1 + hits, "connections that nobody proved")
  # A hit by chance is a client proved: its SYN and our ACK reach the server, but no ACK of the
  # flood does.
  expect(lab.server.nft_counter("segments") <= 2 * hits, "segments at the server")
  listener.close()


def prove_one(lab, listener):
  """One honest client, so that a cookie was sent lately: without, no ACK is held against one."""
  client, server = tcp.connect_pair(lab, FAMILIES[0], ECHO_PORT, listener)
  tcp.reset(client)
  tcp.expect_reset(server, 2)


def settled(sluice):
  """Counters once they stand still."""
  before, after = sluice.counters(), sluice.counters()
  return after if after["received"] == before["received"] else None


@lab_test(drivers=DRIVERS[:1])
def random_acks_without_timestamps(lab):
  """1,000,000 random ACKs: none reaches the server, none leaves state, but for the odds of
  the cookie's width."""
  random_acks(lab, CHANCE_HITS_MAX)


@lab_test(drivers=DRIVERS[:1])
def random_acks_with_timestamps(lab):
  """The same with timestamps, where chance alone takes 2^48 tries: not one."""
  random_acks(lab, 0, "--timestamps")


@lab_test()
def acks_without_a_cookie_sent(lab):
  """100,000 random ACKs when no cookie was sent: none is even checked, none reaches the server."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  lab.server.nft(COUNT_TCP)
  listener = lab.server.listen(FAMILIES[0], ECHO_PORT)
  expect_equal(lab.flood("ack", ACKS // 10, RATE).wait(60), 0, "exit status of the flood")
  counters = wait_until(lambda: settled(sluice), 10, "all ACKs judged")
  expect(counters["reasons"]["stray_client"] > ACKS // 20, "hardly an ACK was judged")
  expect_equal(counters["reasons"]["ack_cookie_invalid"], 0, "ACKs checked")
  expect_equal(counters["total"]["SyncookiesFailed"], 0, "SyncookiesFailed")
  expect_equal(lab.server.nft_counter("segments"), 0, "segments at the server")
  listener.close()
