# SPDX-License-Identifier: BSD-3-Clause
"""Under a SYN flood nothing unproved reaches the server, and no user notices."""

import time

import tcp
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, FOREIGN_PORT, WEB_PORT, expect, expect_equal, url,
  wait_until)
from registry import EITHER, lab_test

COUNT_TCP = f"""
table inet lab {{
  counter segments {{ }}
  counter syns {{ }}
  chain input {{
    type filter hook input priority 0;
    tcp dport {{ {ECHO_PORT}, {WEB_PORT} }} counter name segments
    tcp dport {{ {ECHO_PORT}, {WEB_PORT} }} tcp flags & (syn | ack) == syn counter name syns
  }}
}}
"""
FLOOD_PACKETS = 100000
FLOOD_RATE = 50000
REQUESTS = 50


@lab_test()
def nothing_before_proof(lab):
  """100,000 SYNs from random sources per family: none reaches the server, no state is made."""
  sluice = lab.start_sluice()
  lab.server.nft(COUNT_TCP)
  for number, family in enumerate(FAMILIES, 1):
    flood = lab.flood("syn", FLOOD_PACKETS, FLOOD_RATE, family)
    expect_equal(flood.wait(30), 0, "exit status of the flood")
    wait_until(lambda: sluice.reason("syn_cookie_sent") >= number * FLOOD_PACKETS * 0.9, 5,
      "nine SYNs of ten answered")
  expect_equal(lab.server.nft_counter("segments"), 0, "TCP segments at the server")
  expect_equal(sluice.counters()["connections"], 0, "connections")


@lab_test(offloads=EITHER)
def users_under_flood(lab):
  """Every curl succeeds while a SYN flood goes on, over both families."""
  lab.start_nginx()
  (lab.directory / "www" / "page").write_bytes(b"x" * 10000)
  sluice = lab.start_sluice()
  lab.server.nft(COUNT_TCP)
  for family in FAMILIES:
    flood = lab.flood("syn", 60 * FLOOD_RATE, FLOOD_RATE, family, WEB_PORT)
    wait_until(lambda: sluice.reason("syn_cookie_sent") > FLOOD_RATE / 10, 5, "the flood began")
    for number in range(REQUESTS):
      begin = time.monotonic()
      done = lab.curl("--output", "/dev/null", "--max-time", "10", "--write-out",
        "%{size_download}", url(family, "page"))
      expect_equal(done.stdout, "10000", f"bytes of page {number} over {FAMILY_NAME[family]}")
      expect(time.monotonic() - begin < 5, f"request {number} took more than 5 s")
    expect(flood.running(), "the flood ended before the requests")
    flood.end()
  expect_equal(lab.server.nft_counter("syns"), len(FAMILIES) * REQUESTS, "SYNs at the server")


@lab_test(drivers=DRIVERS[:1])
def established_under_flood(lab):
  """A connection that stands keeps its bytes while SYNs, RSTs and FINs rain on its port."""
  lab.start_sluice()
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    for kind in ("syn", "rst", "fin", "syn-ack"):
      flood = lab.flood(kind, FLOOD_RATE // 2, FLOOD_RATE, family)
      tcp.exchange(client, server, 1000000)
      expect_equal(flood.wait(30), 0, "exit status of the flood")
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")


@lab_test(drivers=DRIVERS[:1])
def pitfall_24_nothing_logged(lab):
  """Whatever packets come, 50,000 each of SYNs, ACKs, RSTs, FINs and SYN-ACKs: no line of log but
  that a flood began, and that cookies go out."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  before = sluice.process.err()
  for number, kind in enumerate(("syn", "ack", "rst", "fin", "syn-ack"), 1):
    flood = lab.flood(kind, FLOOD_RATE, FLOOD_RATE, FAMILIES[number % 2])
    expect_equal(flood.wait(30), 0, "exit status of the flood")
  expect(sluice.counters()["received"] > 4 * FLOOD_RATE, "hardly a packet arrived")
  kinds = [line.split()[1] for line in sluice.process.err()[len(before):].splitlines()]
  expect(len(kinds) <= 4 and {*kinds} <= {"mode:", "flood-begins:", "flood-ends:"},
    f"what was logged: {kinds}")


@lab_test(drivers=DRIVERS[:1])
def pitfall_23_full_transmit_ring(lab):
  """The server's wire takes nothing, so that port's transmit ring fills up: what it refuses is
  counted, no buffer is lost, the other port goes on, and when the wire is back so are the users."""
  passing, asking = 20000, 5000
  lab.start_nginx()
  (lab.directory / "www" / "page").write_bytes(b"x" * 10000)
  sluice = lab.start_sluice(tcp_syncookies=2)
  lab.sluice_host.ip("link", "set", "s1", "down")
  wait_until(lambda: "link is down" in sluice.process.err(), 5, "a message that the link is down")
  for port, count in ((FOREIGN_PORT, passing), (WEB_PORT, asking)):
    flood = lab.flood("syn", count, FLOOD_RATE, port=port)
    expect_equal(flood.wait(30), 0, "exit status of the flood")
  wait_until(lambda: sluice.reason("syn_cookie_sent") >= asking * 0.9, 5,
    "nine SYNs of ten answered beside a full ring")
  counters = sluice.counters()
  forwarded = counters["reasons"]["pass_not_protected"]
  refused = counters["ports"]["server"]["tx_refused"]
  expect(forwarded - 4096 <= refused <= forwarded, f"{refused} refused of {forwarded} forwarded")
  expect_equal(counters["ports"]["client"]["tx_refused"], 0, "refused by the client's port")
  lab.sluice_host.ip("link", "set", "s1", "up")
  done = lab.curl("--output", "/dev/null", "--max-time", "10", "--write-out", "%{http_code}",
    url(FAMILIES[0], "page"))
  expect_equal(done.stdout.strip(), "200", "answer after the wire came back")
