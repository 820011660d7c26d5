# SPDX-License-Identifier: BSD-3-Clause
"""ACKs that nobody asked for prove nothing."""

from lab import ECHO_PORT, FAMILIES, expect, expect_equal, wait_until
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
  lab.server.nft(COUNT_TCP)
  listener = lab.server.listen(FAMILIES[0], ECHO_PORT)
  invalid = 0
  while invalid < ACKS:
    # What the ring between kernel and Sluice refuses is sent again.
    flood = lab.flood("ack", ACKS - invalid, RATE, options=options)
    expect_equal(flood.wait(60), 0, "exit status of the flood")
    before = invalid
    counters = wait_until(lambda: settled(sluice), 10, "all ACKs judged")
    invalid = counters["reasons"]["ack_cookie_invalid"]
    expect(invalid > before, "no ACK of the flood was judged")
  hits = counters["total"]["SyncookiesRecv"]
  expect(hits <= hits_max, f"{hits} random ACKs accepted as cookies")
  expect(counters["connections"] <= hits, "connections that nobody proved")
  # A hit by chance is a client proved: its SYN and our ACK reach the server, but no ACK of the
  # flood does.
  expect(lab.server.nft_counter("segments") <= 2 * hits, "segments at the server")
  listener.close()


def settled(sluice):
  """Counters once they stand still."""
  before, after = sluice.counters(), sluice.counters()
  return after if after["received"] == before["received"] else None


@lab_test()
def random_acks_without_timestamps(lab):
  """1,000,000 random ACKs: none reaches the server, none leaves state, but for the odds of
  the cookie's width."""
  random_acks(lab, CHANCE_HITS_MAX)


@lab_test()
def random_acks_with_timestamps(lab):
  """The same with timestamps, where chance alone takes 2^48 tries: not one."""
  random_acks(lab, 0, "--timestamps")
