# SPDX-License-Identifier: BSD-3-Clause
"""doctor finds what is wrong in staged outages, and nothing in calm."""

import socket
import time

import control
import tcp
from control import sluicectl, sluicectl_json
from lab import DRIVERS, ECHO_PORT, expect, expect_equal, wait_until
from parity import BACKEND, Accepting, Clients
from registry import lab_test
from test_overflow import DROP_SYNS

BESIDE = True
FAMILY = socket.AF_INET
SMALL = 5
BURST = 60


def finding(sluice, cause, also=()):
  """The first finding of doctor, once there is one; it must have that cause and be about the
  backend, which is named in words too. There is no other one but warnings whose causes are also
  there. The exit status says that something was found."""
  wait_until(lambda: control.ask(sluice, "doctor")["findings"], 10, "a finding")
  time.sleep(1.1)  # what the doctor thinks must last
  found = sluicectl_json(sluice, "doctor", status=control.EXIT_FINDINGS)
  expect_equal(found["healthy"], False, "healthy")
  said = sluicectl(sluice, "doctor", status=control.EXIT_FINDINGS)
  first, *others = found["findings"]
  expect_equal((first["backend"], first["cause"]), (BACKEND, cause), f"first finding in:\n{said}\n")
  for one in others:
    expect(one["severity"] == "warning" and one["cause"] in also, f"another finding:\n{said}")
  expect(BACKEND in said, f"doctor names no backend:\n{said}")
  print(said)
  return first


def cure(sluice, one, *keys):
  """Does what the doctor says; the key must be one of those."""
  expect(one["cure"], f"no cure in {one}")
  expect(one["cure"]["key"] in keys, f"{one['cure']['key']} is none of {keys}")
  expect(one["cure"]["key"] in one["cure"]["command"], "the command does not name the key")
  said = sluicectl(sluice, "doctor", status=control.EXIT_FINDINGS)
  expect(one["cure"]["command"] in said, f"the text has no {one['cure']['command']}:\n{said}")
  lines = [line.strip() for line in said.splitlines() if line.strip().startswith("sluicectl set")]
  for words in (line.split() for line in lines or [one["cure"]["command"]]):
    sluicectl(sluice, *words[1:])


def burst(lab):
  """Many clients at once."""
  clients = Clients(lab)
  clients.connect(BURST)
  return clients


@lab_test(drivers=DRIVERS[:1], relays=("server",))
def accept_ring_too_small(lab):
  """Bursts of clients meet a ring of 5, and a backend that answers each within 40 ms: the backlog
  is too small. With what the doctor says nobody is lost any more."""
  lab.relays["server"].delay_s = 0.02
  server = Accepting(lab.server.listen(FAMILY, ECHO_PORT))
  config = lab.config(tcp_syncookies=1)
  for backend in config["backends"]:
    backend["backlog"] = SMALL
  sluice = lab.start_sluice(config)
  bursts = []
  for _ in range(3):
    bursts.append(burst(lab))
    time.sleep(1)
  # Sixty SYNs at once meet a syn queue of 6 as well, and those beyond it get cookies.
  one = finding(sluice, "accept-ring-too-small", also=("syn-flood",))
  expect_equal((one["severity"], one["queue"]), ("outage", "accept"), "severity and queue")
  expect(one["clients"] > 0 and one["clients_saw"] in ("timeout", "delay"), f"clients in {one}")
  cure(sluice, one, "backlog", "somaxconn")
  expect(control.listed(sluice, BACKEND)["send_q"] > SMALL, "Send-Q did not grow")
  for clients in bursts:
    wait_until(lambda: len(clients.connected()) == BURST, 15, "the first clients served")
  before = control.counters(sluice, BACKEND)["ListenOverflows"]
  clients = burst(lab)
  wait_until(lambda: len(clients.connected()) == BURST, 2, "all clients connected")
  time.sleep(0.3)
  expect_equal(control.counters(sluice, BACKEND)["ListenOverflows"], before,
    "ListenOverflows after the cure")
  server.close()


@lab_test(drivers=DRIVERS[:1], relays=("server",))
def slow_backend(lab):
  """Ten clients per second for a backend that takes two: no backlog helps."""
  server = Accepting(lab.server.listen(FAMILY, ECHO_PORT))
  lab.relays["server"].hold_requests()
  lab.relays["server"].pass_requests(0.5)
  config = lab.config(tcp_syncookies=1, tcp_syn_retries=8)
  for backend in config["backends"]:
    backend["backlog"] = SMALL
  sluice = lab.start_sluice(config)
  clients = Clients(lab)
  for _ in range(60):
    clients.connect(1)
    time.sleep(0.1)
  one = finding(sluice, "slow-backend")
  expect_equal((one["severity"], one["queue"]), ("outage", "backend"), "severity and queue")
  expect(not one["cure"] or one["cure"]["key"] == "connect_window", f"cure {one['cure']}")
  server.close()


@lab_test(drivers=DRIVERS[:1])
def backend_down(lab):
  """A backend that answers nothing."""
  lab.server.nft(DROP_SYNS)
  sluice = lab.start_sluice(tcp_syncookies=1, tcp_syn_retries=1)
  clients = Clients(lab)
  for _ in range(10):
    clients.connect(1)
    time.sleep(0.2)
  one = finding(sluice, "backend-down")
  expect_equal((one["severity"], one["queue"]), ("outage", "backend"), "severity and queue")
  expect_equal(one["cure"], None, "cure")


@lab_test(drivers=DRIVERS[:1])
def backend_refuses(lab):
  """A backend where nobody listens."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  clients = Clients(lab)
  for _ in range(10):
    clients.connect(1)
    time.sleep(0.1)
  one = finding(sluice, "backend-refuses")
  expect_equal((one["severity"], one["clients_saw"]), ("outage", "reset"), "severity and clients_saw")


@lab_test(drivers=DRIVERS[:1])
def syn_queue_too_small(lab):
  """Cookies are off and the syn queue is full: clients are dropped, until the doctor is obeyed."""
  lab.server.listen(FAMILY, ECHO_PORT)
  sluice = lab.start_sluice(tcp_syncookies=0, somaxconn=64)
  flood = lab.flood("syn", 60000, 1000)
  wait_until(lambda: control.counters(sluice, BACKEND)["TCPReqQFullDrop"] > 500, 10, "SYNs dropped")
  one = finding(sluice, "syn-queue-too-small")
  expect_equal((one["severity"], one["queue"], one["clients_saw"]), ("outage", "syn", "timeout"),
    "severity, queue and clients_saw")
  cure(sluice, one, "tcp_syncookies")
  begin = time.monotonic()
  lab.client.connect(FAMILY, ECHO_PORT)
  expect(time.monotonic() - begin < 0.9, "a client had to try twice")
  expect(flood.running(), "the flood ended before the client came")


@lab_test(drivers=DRIVERS[:1])
def forged_acks(lab):
  """A flood of ACKs that prove nothing: named, and nobody is lost."""
  listener = lab.server.listen(FAMILY, ECHO_PORT)
  sluice = lab.start_sluice(tcp_syncookies=2)
  tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener)
  flood = lab.flood("ack", 200000, 20000)
  wait_until(lambda: sluice.reason("ack_cookie_invalid") > 50000, 10, "forged ACKs judged")
  one = finding(sluice, "forged-acks")
  expect_equal((one["severity"], one["clients_saw"], one["cure"]), ("warning", "nothing", None),
    "severity, clients_saw and cure")
  tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener)
  flood.end()


@lab_test(drivers=DRIVERS[:1])
def nothing_wrong(lab):
  """In calm, and with users who come and go."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  echo = tcp.EchoServer(lab.server.listen(FAMILY, ECHO_PORT))
  calm(sluice)
  for number in range(200):
    client = lab.client.connect(FAMILY, ECHO_PORT)
    client.sendall(b"x")
    tcp.receive_exactly(client, 1)
    tcp.reset(client) if number % 3 == 0 else client.close()
  time.sleep(2.2)
  calm(sluice)
  echo.close()


def calm(sluice):
  found = sluicectl_json(sluice, "doctor")
  expect_equal((found["healthy"], found["findings"]), (True, []), "doctor in calm")
  said = sluicectl(sluice, "doctor")
  expect("nothing wrong" in said.lower(), f"doctor says in calm:\n{said}")


@lab_test(drivers=DRIVERS[:1])
def flood_answered_with_cookies(lab):
  """Mode 1 under a flood is no outage: everybody is answered, and the doctor says so."""
  listener = lab.server.listen(FAMILY, ECHO_PORT)
  sluice = lab.start_sluice(tcp_syncookies=1, somaxconn=64)
  flood = lab.flood("syn", 60000, 2000)
  wait_until(lambda: control.counters(sluice, BACKEND)["TCPReqQFullDoCookies"] > 1000, 10, "cookies")
  one = finding(sluice, "syn-flood")
  expect_equal((one["severity"], one["clients_saw"]), ("warning", "nothing"),
    "severity and clients_saw")
  expect("cookie" in " ".join(one["text"]), f"nothing about cookies in {one['text']}")
  tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener)
  flood.end()
