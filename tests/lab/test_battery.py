# SPDX-License-Identifier: BSD-3-Clause
"""The flood battery against Sluice: whatever rains, every user gets through, memory stays what it
was, everything is at rest afterwards, and no forged source is sent more than was sent in its name."""

import socket
import time

import battery
from lab import DRIVERS, expect, expect_equal, wait_until
from registry import lab_test
from test_queue import rss_kb

SECONDS = 0.8
USERS_LEAST = 1  # one that waits out a lost SYN on a busy machine takes the whole time
RSS_GROWTH_KB_MAX = 512
# Each kind of state and of answer once.
SHORT = ("SYN, 4,000 at a time", "SYN without options", "ACK, all valid, from one source", "fragments", "all mixed")


def check_rows(lab, family, names=None):
  sluice = lab.start_sluice(battery.sluice_config(lab))
  battery.prepare_hosts(lab)
  servers = battery.Servers(lab)
  print(battery.headline())
  rss_before = None
  load = battery.Load(sluice)
  time.sleep(0.2)
  busy_at_rest, _ = load.since()
  for row in battery.ROWS:
    if names and row.name not in names:
      continue
    seen = battery.observe(lab, row, family, SECONDS, sluice)
    print(battery.line(seen))
    expect_equal(seen.failed, 0, f"users that failed under {row.name}")
    expect(seen.users >= USERS_LEAST, f"only {seen.users} users under {row.name}")
    expect(seen.sent > 0.3 * row.rate * SECONDS, f"only {seen.sent} packets of {row.name}")
    expect(2 * busy_at_rest < seen.busy < 1, f"{row.name}: {seen.busy:.1%} busy")
    expect(seen.factor <= 1.0, f"{row.name}: {seen.factor:.3f} bytes out per byte in")
    expect(seen.worst <= 1.0, f"{row.name}: {seen.worst:.3f} bytes to a network per byte from it")
    rss_before = rss_before or rss_kb(sluice)  # pages touched for the first time by the first row
  expect(rss_kb(sluice) - rss_before < RSS_GROWTH_KB_MAX, "memory grew under the floods")
  wait_until(lambda: sluice.counters()["connections"] == 0, 5, "no connection left")
  servers.close()


@lab_test(drivers=DRIVERS[:1])
def pitfall_11_floods_ipv4(lab):
  """Every row over IPv4."""
  check_rows(lab, socket.AF_INET)


@lab_test(drivers=DRIVERS[1:])
def pitfall_11_floods_ipv6(lab):
  """Five rows over IPv6."""
  check_rows(lab, socket.AF_INET6, SHORT)
