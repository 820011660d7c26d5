# SPDX-License-Identifier: BSD-3-Clause
"""Sources that are exempt from the proxy: a health checker and the server by themselves."""

import copy
import socket

import control
import tcp
from capture import ACK, SYN, Capture
from lab import (DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, SERVER, WEB_PORT, expect,
  expect_equal, url, wait_until)
from registry import lab_test
from test_reload import reloaded

CHECKER = {socket.AF_INET: "10.0.0.9", socket.AF_INET6: "fd00::9"}
LISTED = {socket.AF_INET: "10.0.0.8/31", socket.AF_INET6: "fd00::9"}
BACKLOG = 2
CHECKS = 5

# The web server answers only the checker, and counts who else asks.
DEAF = f"""
table inet lab {{
  counter others {{}}
  chain input {{
    type filter hook input priority 0;
    ip saddr {CHECKER[socket.AF_INET]} accept
    ip6 saddr {CHECKER[socket.AF_INET6]} accept
    tcp dport {WEB_PORT} tcp flags & (syn | ack) == syn counter name others drop
  }}
}}
"""


def exempting(config):
  """The configuration with the checker exempt everywhere."""
  config = copy.deepcopy(config)
  for backend in config["backends"]:
    family = socket.AF_INET6 if ":" in backend["address"] else socket.AF_INET
    backend["exempt"] = [LISTED[family]]
  return config


def checker_connects(lab, family):
  """A connection of the checker to the echo port: both ends."""
  with lab.server.listen(family, ECHO_PORT) as listener:
    client = lab.client.socket(family)
    client.bind((CHECKER[family], 0))
    client.connect((SERVER[family], ECHO_PORT))
    server, _ = listener.accept()
  lab.sockets.append(server)
  server.settimeout(20)
  return client, server


def fill_accept_rings(lab, sluice):
  """Clients whom the web server leaves waiting, until no more are let in."""
  for family in FAMILIES:
    for _ in range(2 * BACKLOG + 2):
      client = lab.client.socket(family)
      client.setblocking(False)
      client.connect_ex((SERVER[family], WEB_PORT))
  def full():
    listed = {listener["backend"]: listener for listener in control.ask(sluice, "ss")}
    return all(listed[f"web-{FAMILY_NAME[family]}"]["recv_q"] > BACKLOG for family in FAMILIES)
  wait_until(full, 5, "accept rings full")


def handshakes(tap):
  """{the checker's end: (SYN, SYN-ACK)} of what a capture saw, numbers and options as they were."""
  found = {}
  for segments in tap.stop().values():
    pair = [(one.seq, one.ack, one.window, one.options) for one in segments
      if one.flags & (SYN | ACK) in (SYN, SYN | ACK) and one.flags & SYN]
    for one in segments:
      if one.flags & (SYN | ACK) == SYN:
        found[one.source] = pair
  packed = {(4, socket.inet_pton(socket.AF_INET, CHECKER[socket.AF_INET])),
    (6, socket.inet_pton(socket.AF_INET6, CHECKER[socket.AF_INET6]))}
  return {end: pair for end, pair in found.items() if end[:2] in packed}


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def pitfall_30_health_check(lab):
  """A checker reaches the server itself while the accept ring is full and a flood runs: the server
  sees its SYN and it the server's answer as they were sent. A connection from before the reload that
  exempts it lives on. Others are proved as ever."""
  for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
    # Only for those who ask for it.
    lab.client.ip("address", "add", f"{CHECKER[family]}/{bits}", "dev", "c0",
      *(["nodad", "preferred_lft", "0"] if family == socket.AF_INET6 else []))
  lab.start_nginx()
  (lab.directory / "www" / "health").write_text("well")
  lab.server.nft(DEAF)
  config = lab.config(tcp_syncookies=1)
  for backend in config["backends"]:
    if backend["port"] == WEB_PORT:
      backend["backlog"] = BACKLOG
  sluice = lab.start_sluice(config)

  spliced = [checker_connects(lab, family) for family in FAMILIES]
  reloaded(sluice, exempting(config))
  for client, server in spliced:
    tcp.exchange(client, server, 100000)
  expect_equal(sluice.counters()["total"]["CurrEstab"], len(spliced), "connections from before")
  expect_equal(sluice.reason("pass_exempt"), 0, "their segments that were not translated")

  fill_accept_rings(lab, sluice)
  asked = lab.server.nft_counter("others")
  floods = [lab.flood("syn", 20000, 20000, family, WEB_PORT) for family in FAMILIES]
  taps = [Capture(lab.client, "c0"), Capture(lab.server, "s0")]
  for family in FAMILIES:
    for _ in range(CHECKS):
      answer = lab.curl("--interface", CHECKER[family], "--max-time", 2, url(family, "health"))
      expect_equal(answer.stdout, "well", "what a health check was told")
  near, far = map(handshakes, taps)
  expect_equal(len(near), CHECKS * len(FAMILIES), "handshakes of the checker")
  expect_equal(near, far, "handshakes of the checker at both ends")
  for flood in floods:
    expect_equal(flood.wait(20), 0, "exit status of the flood")
  # Repeated for the clients in the ring, at most twice more each; nothing of the flood.
  expect(lab.server.nft_counter("others") - asked <= 2 * 2 * (BACKLOG + 1),
    "SYNs of others reached the server")

  for family in FAMILIES:
    before = sluice.counters()["total"]["PassiveOpens"]
    for end in tcp.connect_pair(lab, family, ECHO_PORT):
      end.close()
    expect_equal(sluice.counters()["total"]["PassiveOpens"], before + 1, "others that were proved")
    told = control.sluicectl(sluice, "explain",
      *((f"{CHECKER[family]}:4242",) if family == socket.AF_INET else (f"[{CHECKER[family]}]:4242",)),
      f"web-{FAMILY_NAME[family]}")
    expect("exempt from the proxy" in told, f"sluicectl explain says nothing of it:\n{told}")
  for client, server in spliced:
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of a connection from before")
    server.close()
