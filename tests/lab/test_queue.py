# SPDX-License-Identifier: BSD-3-Clause
"""The syn queue at work: repeated SYN-ACKs, and cookies when it is full."""

import socket
import time

import control
import tcp
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, SERVER, expect, expect_equal,
  wait_until)
from registry import lab_test

BESIDE = True
GREETING = b"220 hello\r\n"
SYN_LIMIT = 128
USERS = 100
FLOOD_RATE = 5000
RSS_GROWTH_KB_MAX = 512
TABLE_ENTRIES = 64
# Mode 0, tcp_max_syn_backlog 128: 97 places for all, the rest of the queue for the proven.
RESERVE_FROM = 97
DROP_FINAL_ACKS = f"""
table netdev lab {{
  chain lose {{
    type filter hook egress device c0 priority -300
    tcp dport {ECHO_PORT} tcp flags & (syn | ack | rst) == ack drop
  }}
}}
"""


@lab_test()
def lost_final_ack_server_first(lab):
  """The final ACK is lost and the client waits for a greeting: the repeated SYN-ACK saves it."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    lab.client.nft(DROP_FINAL_ACKS)
    begin = time.monotonic()
    client = lab.client.connect(family, ECHO_PORT)
    expect_equal(control.listed(sluice, f"echo-{FAMILY_NAME[family]}")["syn_recv"], 1, "SYN_RECV")
    lab.client.nft_clear()
    server, _ = listener.accept()
    server.sendall(GREETING)
    expect_equal(tcp.receive_exactly(client, len(GREETING)), GREETING, "greeting")
    took = time.monotonic() - begin
    # After the first repetition, or on a busy machine the second.
    expect(0.5 < took < 7.5, f"the greeting came after {took:.1f} s")
    counters = control.counters(sluice, f"echo-{FAMILY_NAME[family]}")
    expect_equal(counters["TCPTimeouts"], 1 if took < 2 else 2, "SYN-ACKs repeated")
    expect_equal(counters["SyncookiesSent"], 0, "cookies sent")
    expect_equal(control.listed(sluice, f"echo-{FAMILY_NAME[family]}")["syn_recv"], 0, "SYN_RECV")
    for end in (client, server, listener):
      end.close()


def rss_kb(sluice):
  """Memory of the process, without large pages."""
  with open(f"/proc/{sluice.process.popen.pid}/status") as status:
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def users_served(lab, echo_family, count):
  """So many clients connect one after the other and are echoed."""
  for number in range(count):
    client = lab.client.connect(echo_family, ECHO_PORT)
    client.sendall(b"%08d" % number)
    expect_equal(tcp.receive_exactly(client, 8), b"%08d" % number, f"echo of user {number}")
    client.close()


@lab_test()
def cookies_while_full(lab):
  """Mode 1: a flood fills the syn queue; users get through by cookies; established connections
  don't notice; afterwards the queue is empty and takes clients again."""
  config = lab.config(tcp_syncookies=1, somaxconn=SYN_LIMIT, tcp_synack_retries=1)
  sluice = lab.start_sluice(config)
  for family in FAMILIES:
    backend = f"echo-{FAMILY_NAME[family]}"
    listener = lab.server.listen(family, ECHO_PORT)
    held = tcp.connect_pair(lab, family, ECHO_PORT, listener)
    echo = tcp.EchoServer(listener)
    flood = lab.flood("syn", 60 * FLOOD_RATE, FLOOD_RATE, family)
    row = wait_until(lambda: full_row(sluice, backend), 5, "the syn queue full")
    expect_equal(row["mode"], "cookie", "mode")
    before, rss_before = control.counters(sluice, backend), rss_kb(sluice)
    users_served(lab, family, USERS)
    tcp.exchange(*held, 1000000)
    after = control.counters(sluice, backend)
    expect(flood.running(), "the flood ended before the users")
    flood.end()
    for name in ("SyncookiesRecv", "PassiveOpens"):
      expect(after[name] - before[name] >= USERS * 0.9, f"{name} rose by {after[name] - before[name]}")
    for name in ("ListenDrops", "ListenOverflows", "TCPReqQFullDrop", "SyncookiesFailed"):
      expect_equal(after[name], 0, name)
    expect(rss_kb(sluice) - rss_before < RSS_GROWTH_KB_MAX, "memory grew under the flood")
    wait_until(lambda: control.listed(sluice, backend)["syn_recv"] == 0, 12, "the queue empty")
    wait_until(lambda: control.listed(sluice, backend)["mode"] == "queue", 3, "mode queue again")
    sent = control.counters(sluice, backend)["SyncookiesSent"]
    users_served(lab, family, 10)
    expect_equal(control.counters(sluice, backend)["SyncookiesSent"], sent,
      "cookies after the flood")
    for end in held:
      end.close()
    echo.close()
    listener.close()


def full_row(sluice, backend):
  row = control.listed(sluice, backend)
  expect(row["syn_recv"] <= row["syn_recv_max"] == SYN_LIMIT + 1, f"SYN_RECV beyond its limit: {row}")
  return row if row["syn_recv"] == row["syn_recv_max"] else None


@lab_test()
def reserve_for_the_proven(lab):
  """Mode 0: a flood fills three quarters of the queue; a client that completed a connection before
  gets one of the other places, and a stranger does not."""
  config = lab.config(tcp_syncookies=0, somaxconn=1024, tcp_max_syn_backlog=128)
  sluice = lab.start_sluice(config)
  stranger = "10.0.0.9"
  lab.client.ip("address", "add", f"{stranger}/24", "dev", "c0")
  listener = lab.server.listen(socket.AF_INET, ECHO_PORT)
  for end in tcp.connect_pair(lab, socket.AF_INET, ECHO_PORT, listener):
    end.close()
  expect_equal(lab.flood("syn", 1000, 2000).wait(10), 0, "exit status of the flood")
  expect_equal(control.listed(sluice, "echo-ipv4")["syn_recv"], RESERVE_FROM, "SYN_RECV")
  begin = time.monotonic()
  ends = tcp.connect_pair(lab, socket.AF_INET, ECHO_PORT, listener)
  tcp.exchange(*ends, 10000)
  expect(time.monotonic() - begin < 0.9, "the proven client had to try twice")
  refused = lab.client.socket(socket.AF_INET)
  refused.bind((stranger, 0))
  refused.settimeout(0.8)
  try:
    refused.connect((SERVER[socket.AF_INET], ECHO_PORT))
    expect(False, "a stranger got in")
  except TimeoutError:
    pass
  expect_equal(control.counters(sluice, "echo-ipv4")["TCPReqQFullDrop"], 0, "TCPReqQFullDrop")


@lab_test(drivers=DRIVERS[:1])
def late_cookies_count(lab):
  """A client got a cookie; the flood ends and the backend queues its clients again; only then the
  proof arrives, and is taken."""
  sluice = lab.start_sluice(tcp_syncookies=1, somaxconn=SYN_LIMIT, tcp_synack_retries=1)
  listener = lab.server.listen(socket.AF_INET, ECHO_PORT)
  expect_equal(lab.flood("syn", 2000, 4000).wait(10), 0, "exit status of the flood")
  lab.client.nft(DROP_FINAL_ACKS)
  client = lab.client.connect(socket.AF_INET, ECHO_PORT)
  client.sendall(b"late")
  before = wait_until(lambda: is_queueing(sluice, "echo-ipv4"), 12, "mode queue")
  expect_equal(before["syn_recv"], 0, "SYN_RECV")
  expect_equal(control.counters(sluice, "echo-ipv4")["SyncookiesRecv"], 0, "cookies before")
  lab.client.nft_clear()
  server, _ = listener.accept()
  expect_equal(tcp.receive_exactly(server, 4), b"late", "the client's words")
  expect_equal(control.counters(sluice, "echo-ipv4")["SyncookiesRecv"], 1, "cookies taken")


def is_queueing(sluice, backend):
  row = control.listed(sluice, backend)
  return row if row["mode"] == "queue" and row["syn_recv"] == 0 else None


@lab_test(drivers=DRIVERS[:1])
def table_smaller_than_queue(lab):
  """A flood meets a backend whose queue is larger than the worker's table: the table is the bound,
  and users get through."""
  config = lab.config(tcp_syncookies=1)
  config["limits"]["syn_entries_per_worker"] = TABLE_ENTRIES
  sluice = lab.start_sluice(config)
  echo = tcp.EchoServer(lab.server.listen(socket.AF_INET, ECHO_PORT))
  flood = lab.flood("syn", 60 * FLOOD_RATE, FLOOD_RATE)
  wait_until(lambda: sum(row["syn_recv"] for row in control.ask(sluice, "ss")) >= TABLE_ENTRIES / 2,
    5, "a table that fills")
  users_served(lab, socket.AF_INET, USERS)
  held = sum(row["syn_recv"] for row in control.ask(sluice, "ss"))
  expect(held <= TABLE_ENTRIES, f"{held} half-open clients in a table of {TABLE_ENTRIES}")
  expect(flood.running(), "the flood ended before the users")
  flood.end()
  counters = control.counters(sluice, "echo-ipv4")
  expect_equal(counters["ListenDrops"], 0, "ListenDrops")
  echo.close()
