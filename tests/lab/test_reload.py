# SPDX-License-Identifier: BSD-3-Clause
"""The configuration changes while traffic flows, and nobody notices but who was meant to."""

import copy
import http.client
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import threading
import time

import control
import tcp
from lab import (BUILD, DRIVERS, ECHO_PORT, FAMILIES, SERVER, SPARE_PORT, WEB_PORT, Failure, expect,
  expect_equal, url, wait_until)
from registry import lab_test
from test_queue import rss_kb

BESIDE = True
FAMILY = socket.AF_INET
IS_SANITIZED = "sanitized" in BUILD.name
RELOADS = 250 if IS_SANITIZED else 1000
RELOADS_S_MAX = 60
AT_ONCE = 10  # reloads without a pause
PAUSE_S = 0.05
SIGHUP_EACH = 10
WARM_UP = 100  # reloads before memory is looked at
RSS_GROWTH_KB_MAX = 3000
PAGE_BYTES = 10000
FLOOD_RATE = 3000
RESET_S = 2
COMING_PORT = 7100  # first of the backends that come and go
COMING = 40
HEADERS = {"Host": "web"}


def rewrite(sluice, config):
  """The configuration file as given."""
  sluice.path.write_text(json.dumps(config) + "\n")


def reloaded(sluice, config, **keys):
  """Puts a configuration in effect; what the reload said."""
  rewrite(sluice, config)
  return control.ask(sluice, "reload", **keys)


class Users:
  """HTTP requests until stopped: one user over connections that are kept, one over new ones."""

  def __init__(self, lab):
    self.lab = lab
    self.stopped = False
    self.failures = []
    self.served = {"kept": 0, "new": 0}
    self.threads = [threading.Thread(target=target, daemon=True)
      for target in (self._keep, self._renew)]
    for thread in self.threads:
      thread.start()

  def _keep(self):
    connection = http.client.HTTPConnection("web")
    connection.sock = self.lab.client.connect(FAMILY, WEB_PORT)
    while not self.stopped:
      try:
        connection.request("GET", "/page", headers=HEADERS)
        self._count("kept", len(connection.getresponse().read()))
      except (OSError, http.client.HTTPException) as error:
        self.failures.append(f"kept connection, request {self.served['kept']}: {error!r}")
        return
      time.sleep(0.002)
    connection.close()

  def _renew(self):
    while not self.stopped:
      try:
        done = self.lab.curl("--output", "/dev/null", "--max-time", "10", "--write-out",
          "%{size_download}", url(FAMILY, "page"))
        self._count("new", int(done.stdout))
      except (Failure, subprocess.TimeoutExpired) as error:
        self.failures.append(f"new connection {self.served['new']}: {error}")

  def _count(self, kind, size):
    if size != PAGE_BYTES:
      self.failures.append(f"{kind}: a page of {size} bytes")
    self.served[kind] += 1

  def stop(self):
    self.stopped = True
    for thread in self.threads:
      thread.join(15)


def varied(config, draw):
  """Another configuration: sizes and policies anew, some backends come and others go. What a user
  of the web backend could notice stays: its accept ring is always large enough, and cookies are
  never forbidden."""
  config = copy.deepcopy(config)
  config["queues"].update(somaxconn=draw.randint(64, 8192), tcp_abort_on_overflow=draw.randint(0, 1),
    tcp_max_syn_backlog=draw.randint(8, 4096), tcp_syncookies=draw.randint(1, 2),
    tcp_synack_retries=draw.randint(1, 5), connect_window=draw.randint(8, 2048),
    queue_rules=draw.choice(("linux-2.6", "linux-4.4", "linux-6.18", "classic")))
  for backend in config["backends"]:
    backend["backlog"] = draw.randint(64, 8192)
  for port in draw.sample(range(COMING_PORT, COMING_PORT + COMING), draw.randint(0, COMING)):
    config["backends"].append({"name": f"coming-{port}", "address": SERVER[FAMILY], "port": port,
      "tcp_syncookies": draw.randint(0, 2)})
  draw.shuffle(config["backends"])
  return config


def reload_by_signal(sluice, config):
  """SIGHUP, and waits until it has been done."""
  before = control.ask(sluice, "ping")["config_generation"]
  rewrite(sluice, config)
  sluice.process.signal(signal.SIGHUP)
  wait_until(lambda: control.ask(sluice, "ping")["config_generation"] > before, 5,
    "a reload by SIGHUP")


@lab_test(drivers=DRIVERS[:1], beside=False)
def thousand_reloads(lab):
  """1,000 reloads within a minute under requests and a flood: no request fails, memory does not
  grow, and no removed backend is left."""
  lab.start_nginx(keepalive_s=60)
  (lab.directory / "www" / "page").write_bytes(b"x" * PAGE_BYTES)
  config = lab.config(tcp_syncookies=1)
  config["timeouts"] = {"reset_s": RESET_S}
  sluice = lab.start_sluice(config)
  users = Users(lab)
  flood = lab.flood("syn", 120 * FLOOD_RATE, FLOOD_RATE, FAMILY, WEB_PORT)
  coming = [lab.server.listen(FAMILY, COMING_PORT + offset) for offset in range(COMING)]
  draw = random.Random(1)
  before = control.ask(sluice, "ping")["config_generation"]
  held, rss_before = [], 0
  begin = time.monotonic()
  with control.Peer(control.path_of(sluice)) as peer:
    for number in range(RELOADS):
      if number == WARM_UP:
        rss_before = rss_kb(sluice)
      changed = varied(config, draw)
      if number % SIGHUP_EACH == 0:
        reload_by_signal(sluice, changed)
      else:
        rewrite(sluice, changed)
        peer.ask("reload")
      held = come_and_go(lab, held, draw)
      if number % AT_ONCE == 0:
        time.sleep(PAUSE_S)
      expect(not users.failures, f"after {number} reloads: {users.failures[:3]}")
  took = time.monotonic() - begin
  growth = rss_kb(sluice) - rss_before
  for end in held:
    tcp.reset(end)
  users.stop()
  flood.end()
  expect_equal(users.failures, [], "failed requests")
  print(f"{RELOADS} reloads in {took:.1f} s, {users.served} requests, {growth} KiB more memory")
  expect(took < RELOADS_S_MAX, f"{RELOADS} reloads took {took:.1f} s")
  expect(min(users.served.values()) > 5 * took, f"hardly a request was served: {users.served}")
  # AddressSanitizer keeps freed memory for a while, and says itself at the end what was not freed.
  expect(growth < RSS_GROWTH_KB_MAX or IS_SANITIZED, f"memory grew by {growth} KiB")
  after = control.ask(sluice, "ping")["config_generation"]
  expect_equal(after - before, RELOADS, "accepted configurations")
  reloaded(sluice, config)
  for listener in coming:
    listener.close()
  wait_until(lambda: {row["backend"] for row in control.ask(sluice, "ss")}
    == {backend["name"] for backend in config["backends"]}, 90, "removed backends gone")


def come_and_go(lab, held, draw):
  """Now and then a connection to one of the backends that come and go, and later its end."""
  end = lab.client.socket(FAMILY)
  end.setblocking(False)
  end.connect_ex((SERVER[FAMILY], COMING_PORT + draw.randrange(COMING)))
  held.append(end)
  if len(held) > 20:
    tcp.reset(held.pop(0))
  return held


@lab_test(drivers=DRIVERS[:1])
def refused_whole(lab):
  """A reload with any error changes nothing, says all of them, and traffic goes on."""
  config = lab.config(tcp_syncookies=1)
  sluice = lab.start_sluice(config)
  ends = tcp.connect_pair(lab, FAMILY, ECHO_PORT)
  before, listing = control.ask(sluice, "ping"), settings(sluice)
  wrong = copy.deepcopy(config)
  wrong["queues"]["somaxcon"] = 1
  wrong["queues"]["tcp_syncookies"] = 3
  wrong["backends"][0]["backlog"] = 17  # right, but must not take effect
  restart = copy.deepcopy(config)
  restart["limits"]["mbufs"] *= 2
  restart["ports"]["client"]["rx_descriptors"] = 256
  restart["control"]["cpu"] += 1
  restart["workers"]["cpus"] = [7]
  restart["backends"][0]["backlog"] = 17
  cases = ((json.dumps(wrong), ("somaxcon", "tcp_syncookies")), ('{"ports": ', ()), ("", ()),
    (json.dumps(restart), ("limits.mbufs", "ports.client.rx_descriptors", "control.cpu",
      "workers.cpus")))
  for text, keys in cases:
    sluice.path.write_text(text)
    for command in ("check", "reload"):
      said = "\n".join(control.refusal(sluice, command).errors)
      for key in keys:
        expect(key in said, f"{command}: nothing about {key} in:\n{said}")
      expect(str(sluice.path.name) in said, f"{command}: the file is not named in:\n{said}")
    if "limits.mbufs" in keys:
      expect(said.count("restart") >= len(keys), f"nothing about a restart in:\n{said}")
    said = control.sluicectl(sluice, "reload", status=control.EXIT_REFUSED)
    for key in keys:
      expect(key in said, f"sluicectl reload: nothing about {key} in:\n{said}")
    reload_refused_by_signal(sluice, keys)
    tcp.exchange(*ends, 10000)
  after = control.ask(sluice, "ping")
  for key in ("generation", "config_generation"):
    expect_equal(after[key], before[key], key)
  expect_equal(after["last_reload"]["accepted"], False, "last_reload.accepted")
  expect_equal(settings(sluice), listing, "the listing")
  config["backends"][0]["backlog"] = 17
  reloaded(sluice, config)
  expect_equal(control.listed(sluice, "web-ipv4")["send_q"], 17, "Send-Q after a good reload")
  tcp.exchange(*ends, 10000)


def reload_refused_by_signal(sluice, keys):
  """SIGHUP says the same on standard error."""
  before = len(sluice.process.err())
  sluice.process.signal(signal.SIGHUP)
  for key in keys:
    wait_until(lambda key=key: key in sluice.process.err()[before:], 5, f"{key} told after SIGHUP")


def settings(sluice):
  """What of the listing is configured."""
  return [[row[key] for key in ("backend", "state", "local", "send_q", "syn_recv_max",
    "tcp_syncookies")] for row in control.ask(sluice, "ss")]


def without(config, name):
  """The configuration without a backend."""
  config = copy.deepcopy(config)
  config["backends"] = [backend for backend in config["backends"] if backend["name"] != name]
  return config


def draining(sluice):
  return [row for row in control.ask(sluice, "ss") if row["state"] == "DRAIN"]


@lab_test(drivers=DRIVERS[:1])
def backend_removed(lab):
  """A removed backend's connections finish; new clients get no answer meanwhile; afterwards its
  address is the server's own affair."""
  config = lab.config(tcp_syncookies=1)
  config["timeouts"] = {"reset_s": RESET_S}
  sluice = lab.start_sluice(config)
  listener = lab.server.listen(FAMILY, ECHO_PORT)
  client, server = tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener)
  told = reloaded(sluice, without(config, "echo-ipv4"))
  expect_equal((told["added"], told["removed"], told["changed"]), ([], ["echo-ipv4"], []),
    "what the reload did")
  rows = draining(sluice)
  expect_equal([row["local"] for row in rows], [f"{SERVER[FAMILY]}:{ECHO_PORT}"], "backends in DRAIN")
  expect_equal(rows[0]["established"], 1, "connections of the draining backend")
  late = lab.client.socket(FAMILY)
  late.setblocking(False)
  late.connect_ex((SERVER[FAMILY], ECHO_PORT))
  tcp.exchange(client, server, 5000000)
  expect_equal(len(control.ask(sluice, "established", backend=rows[0]["backend"])["rows"]), 1,
    "connections of the draining backend: a new client got in")
  expect(sluice.reason("syn_draining") >= 1, "no SYN was refused")
  late.close()
  # After a reset so much is left, after an orderly end the 120 s of TIME-WAIT.
  tcp.reset(server)
  tcp.expect_reset(client, 2)
  wait_until(lambda: not draining(sluice), RESET_S + 5, "nothing left of the removed backend")
  before = control.ask(sluice, "netstat")["reasons"].get("pass_not_protected", 0)
  client, server = tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener)
  tcp.exchange(client, server, 100000)
  expect(control.ask(sluice, "netstat")["reasons"].get("pass_not_protected", 0) > before,
    "the address does not pass")


@lab_test(drivers=DRIVERS[:1])
def backend_removed_with_deadline(lab):
  """What is left at the deadline is reset at both ends; listed again in time, nothing is."""
  config = lab.config(tcp_syncookies=1)
  config["timeouts"] = {"reset_s": RESET_S}
  sluice = lab.start_sluice(config)
  for port, name in ((ECHO_PORT, "echo-ipv4"), (SPARE_PORT, "spare-ipv4")):
    client, server = tcp.connect_pair(lab, FAMILY, port)
    reloaded(sluice, without(config, name), drain_deadline_s=2)
    left = draining(sluice)[0]["drain_left_s"]
    expect(0 <= left <= 2, f"drain_left_s is {left}")
    tcp.exchange(client, server, 100000)
    if port == SPARE_PORT:
      reloaded(sluice, config)
      expect_equal(draining(sluice), [], "backends in DRAIN")
      time.sleep(3)
      tcp.exchange(client, server, 100000)
    else:
      tcp.expect_reset(client, 5)
      tcp.expect_reset(server, 5)
      # Reset connections are remembered for a while.
      wait_until(lambda: not draining(sluice), RESET_S + 6, "nothing left of the removed backend")


@lab_test(drivers=DRIVERS[:1], relays=("client",))
def secret_changes(lab):
  """The cookies' secret changes again and again while clients connect: none fails."""
  config = lab.config(tcp_syncookies=2)
  path = lab.directory / "secret"
  config["keys"] = {"secret_file": str(path)}

  def new_secret():
    path.write_text(secrets.token_hex(16) + "\n")
    path.chmod(0o600)
  new_secret()
  sluice = lab.start_sluice(config)
  lab.relays["client"].delay_s = 0.02
  echoes = [tcp.EchoServer(lab.server.listen(family, ECHO_PORT)) for family in FAMILIES]
  for number in range(60):
    family = FAMILIES[number % 2]
    client = lab.client.socket(family)
    client.setblocking(False)
    client.connect_ex((SERVER[family], ECHO_PORT))
    new_secret()
    expect_equal(control.ask(sluice, "reload")["added"], [], "backends added")
    client.settimeout(5)
    client.sendall(b"hello")
    expect_equal(tcp.receive_exactly(client, 5), b"hello", f"echo on connection {number}")
    client.close()
  total = control.ask(sluice, "netstat")["total"]
  expect_equal(total["SyncookiesFailed"], 0, "SyncookiesFailed")
  expect_equal(total["SyncookiesRecv"], 60, "SyncookiesRecv")
  path.write_text("not a secret\n")
  said = str(control.refusal(sluice, "reload").errors)
  expect("secret" in said, f"nothing about the secret in: {said}")
  for echo in echoes:
    echo.close()


@lab_test(drivers=DRIVERS[:1], relays=("client",), beside=False)
def handshakes_under_way(lab):
  """A backend is removed while final ACKs are on their way to it, of a queued client and of one
  with a cookie: both were promised a connection, and get it."""
  for syncookies in (1, 2):
    config = lab.config(tcp_syncookies=syncookies)
    sluice = lab.start_sluice(config)
    listener = lab.server.listen(FAMILY, ECHO_PORT)
    lab.relays["client"].delay_s = 0.2
    client = lab.client.socket(FAMILY)
    client.setblocking(False)
    client.connect_ex((SERVER[FAMILY], ECHO_PORT))
    wait_until(lambda: sluice.reason("syn_queued") + sluice.reason("syn_cookie_sent"), 5,
      "the client's SYN answered")
    reloaded(sluice, without(config, "echo-ipv4"))
    expect_equal(sluice.reason("ack_connecting"), 0, "clients proved before the backend was removed")
    server, _ = listener.accept()
    lab.relays["client"].delay_s = 0.0
    server.settimeout(20)
    tcp.exchange(client, server, 100000)
    expect_equal(len(draining(sluice)), 1, "backends in DRAIN")
    for end in (client, server, listener):
      end.close()
    sluice.stop()


@lab_test(drivers=DRIVERS[:1])
def file_gone_or_odd(lab):
  """A reload finds no file, a folder, a pipe that nobody writes to, or far too much: each an error,
  and the control thread goes on."""
  sluice = lab.start_sluice(tcp_syncookies=1)

  def make_large():
    sluice.path.write_bytes(b" " * (17 << 20))
  for make in (lambda: None, sluice.path.mkdir, lambda: os.mkfifo(sluice.path), make_large):
    if sluice.path.is_dir():
      sluice.path.rmdir()
    else:
      sluice.path.unlink(missing_ok=True)
    make()
    for command in ("check", "reload"):
      expect(control.refusal(sluice, command).errors, f"{command} gave no error")
    sluice.process.signal(signal.SIGHUP)
    expect_equal(control.ask(sluice, "ping")["config_generation"], 1, "config_generation")
  tcp.connect_pair(lab, FAMILY, ECHO_PORT)
