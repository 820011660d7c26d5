#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-exporter as callers see it, good ones and bad ones, before an appliance that answers from a
table. Needs root: it is started by root, and gives that up."""

import http.client
import json
import os
import pathlib
import random
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from sluicectl_case import COUNTERS, PING, SIX, WEB, Appliance, Refused, netstat

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/app/sluice-exporter"
GROWTH_MAX_KB = 64 << 10
WAITS = {"first_us": 256, "sum_us": 3500000, "buckets": [1] * 18 + [2]}
DOCTOR = {"healthy": False, "lines": [], "findings": [{"backend": "web", "cause": "backend-down",
  "severity": "outage", "queue": "backend", "since_s": 5, "clients": 3, "clients_saw": "timeout",
  "text": ["It answers nothing."], "cure": None, "numbers": {}}]}
PORT = {"ipackets": 5, "opackets": 6, "ibytes": 7, "obytes": 8, "imissed": 0, "ierrors": 0, "oerrors": 0,
  "rx_nombuf": 0, "tx_refused": 0, "tx_too_large": 0}
STATS = {**netstat(), "generation": 3, "received": 1007, "connections": 15, "steered": 0,
  "workers": [{"cpu": 1, "received": {"client": 1000, "server": 7}, "connections": 15,
    "stalled": False, "stalls": 0, "pauses": 1, "paused_ms": 250, "busy_percent": None,
    "busy_cycles": 5, "idle_cycles": 10}],
  "ports": {"client": PORT, "server": PORT}, "mbufs": {"total": 100, "in_use": 9, "in_use_at_start": 1}}
ANSWERS = {"ss": [{**WEB, "waits": WAITS}, {**SIX, "waits": WAITS}], "stats": STATS, "doctor": DOCTOR}


class ExporterCase(unittest.TestCase):
  def setUp(self):
    self.folder = tempfile.TemporaryDirectory()
    self.addCleanup(self.folder.cleanup)
    os.chmod(self.folder.name, 0o755)
    self.socket = pathlib.Path(self.folder.name, "control.sock.ro")
    self.appliance = None
    self.log = pathlib.Path(self.folder.name, "log")

  def appliance_start(self):
    self.appliance = Appliance(self.socket, **ANSWERS)
    self.addCleanup(self.appliance.stop)
    os.chmod(self.socket, 0o666)

  def start(self, *arguments):
    """Starts it at a free port, and waits for its first look."""
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      self.port = free.getsockname()[1]
    # A process that changed its user can't be looked at by LeakSanitizer.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=8"}
    with open(self.log, "wb") as log:
      self.process = subprocess.Popen([PROGRAM, "--socket", self.socket, "--listen",
        f"127.0.0.1:{self.port}", "--user", "nobody", *arguments], stdout=log, stderr=log, env=environment)
    self.addCleanup(self.stop)
    self.wait(self.answers, "it answers")

  def stop(self):
    self.process.terminate()
    self.assertEqual(self.process.wait(10), 0, self.log.read_text())

  def wait(self, condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
      self.assertLess(time.monotonic(), end, f"{what}: {self.log.read_text()}")
      self.assertIsNone(self.process.poll(), self.log.read_text())
      time.sleep(0.02)

  def answers(self):
    try:
      return self.get("/metrics")[0] == 200
    except ConnectionError:
      return False

  def get(self, path, method="GET", **headers):
    """Status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
    try:
      connection.request(method, path, headers=headers)
      reply = connection.getresponse()
      return reply.status, reply.read().decode(), reply.headers
    finally:
      connection.close()

  def metric(self, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.M)
    return found and float(found[1])


class ExporterTest(ExporterCase):
  def test_metrics(self):
    """promtool has nothing to say, and the numbers are the appliance's."""
    self.appliance_start()
    self.start("--backends-max", "1")
    _, text, headers = self.get("/metrics")
    self.assertEqual(headers["Content-Type"].split(";")[0], "text/plain")
    said = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, timeout=20,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    self.assertEqual((said.returncode, said.stdout), (0, ""))
    for name, value in (("sluice_up", 1), ("sluice_backends", 2), ("sluice_backends_without_series", 1),
        ('sluice_backend_accept_ring{backend="web"}', 3),
        ('sluice_backend_accept_ring_limit{backend="web"}', 5),
        ('sluice_source_prefixes{list="deny",family="ipv6"}', 3),
        ('sluice_backend_syn_queue{backend="web"}', 40),
        ('sluice_backend_mode{backend="web",mode="protect"}', 1),
        ('sluice_backend_listen_overflows_total{backend="web"}', COUNTERS["ListenOverflows"]),
        ('sluice_packets_total{reason="syn_cookie_sent",verdict="reply"}', 1000),
        ('sluice_packets_total{reason="syn_accept_full",verdict="drop"}', 7),
        ('sluice_backend_accept_wait_seconds_bucket{backend="web",le="0.000256"}', 1),
        ('sluice_backend_accept_wait_seconds_count{backend="web"}', 20),
        ('sluice_backend_accept_wait_seconds_sum{backend="web"}', 3.5),
        ('sluice_doctor_findings{cause="backend-down",severity="outage"}', 1),
        ('sluice_doctor_findings{cause="slow-backend",severity="outage"}', 0),
        ('sluice_worker_paused_seconds_total{cpu="1"}', 0.25),
        ('sluice_worker_packets_received_total{cpu="1",side="client"}', 1000)):
      self.assertEqual(self.metric(name), value, name)
    self.assertNotIn('sluice_worker_busy_ratio{', text)  # not known, so not said
    self.assertNotIn('backend="web-six"', text)
    _, text, headers = self.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1")
    self.assertIn("application/openmetrics-text", headers["Content-Type"])
    self.assertTrue(text.endswith("# EOF\n"))
    self.assertEqual(len(re.findall(r"^# TYPE ", text, re.M)), len(re.findall(r"^# HELP ", text, re.M)))

  def test_comes_and_goes(self):
    """Started before the appliance, which comes, goes and comes again."""
    self.start()
    for _ in range(2):
      self.wait(lambda: self.get("/readyz")[0] == 503, "not ready")
      self.assertEqual(self.metric("sluice_up"), 0)
      self.assertIsNone(self.metric("sluice_connections"))
      self.assertEqual(self.get("/healthz")[0], 200)
      self.appliance_start()
      self.wait(lambda: self.get("/readyz")[0] == 200, "ready")
      self.assertEqual(self.metric("sluice_up"), 1)
      self.appliance.stop()
    said = self.log.read_text()
    self.assertLessEqual(len(said.splitlines()), 6, said)

  def test_refusals_in_any_language(self):
    """A sentence that is cut within a character is told all the same."""
    self.appliance_start()
    self.start()
    self.wait(lambda: self.get("/readyz")[0] == 200, "ready")
    self.appliance.answers["ping"] = Refused("x" + "\u00e9" * 200)
    self.wait(lambda: self.get("/readyz")[0] == 503, "not ready")
    told = json.loads(self.get("/status.json")[1])
    self.assertEqual(told["state"], "disconnected")
    self.assertIn("the appliance answered: x??", told["problem"])

  def test_page(self):
    """All that the page refers to is there, and it refers to nothing outside."""
    self.appliance_start()
    self.start()
    _, page, headers = self.get("/")
    self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
    for path in re.findall(r'(?:src|href)="([^"#]+)"', page):
      status, text, _ = self.get(path)
      self.assertEqual(status, 200, path)
      self.assertNotRegex(text.replace("http://www.w3.org/2000/svg", ""), r"https?://")
    self.assertNotRegex(page, r"https?://|style=|onclick")
    self.assertEqual(self.get("/nothing")[0], 404)
    self.assertEqual(self.get("/../../etc/passwd")[0], 404)
    self.assertEqual(self.get("/", "HEAD")[:2], (200, ""))
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"):
      self.assertEqual(self.get("/metrics", method)[0], 405, method)
    self.assertEqual(self.get("/metrics", Host="evil.example")[0], 421)

  def test_privileges(self):
    """Nothing of root is left."""
    self.start()
    status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
    for line in (r"Uid:\t(?!0\t)(\d+)\t\1\t\1\t\1", r"Gid:\t(?!0\t)(\d+)\t\1\t\1\t\1", r"CapEff:\t0+",
        r"CapPrm:\t0+", r"CapBnd:\t0+", r"CapAmb:\t0+", r"NoNewPrivs:\t1"):
      self.assertRegex(status, rf"(?m)^{line}$")

  def test_wrong_options(self):
    """Said clearly, and nothing is started."""
    with socket.socket() as taken:
      taken.bind(("127.0.0.1", 0))
      taken.listen()
      busy = f"127.0.0.1:{taken.getsockname()[1]}"
      for arguments, status, words in ((["--listen", "9797"], 2, "takes ADDRESS:PORT"),
          (["--listen", busy], 1, "Address already in use"), (["--backends-max", "0"], 2, "1 to 4096"),
          (["--nonsense"], 2, "--help"), (["word"], 2, 'unexpected "word"'),
          (["--listen", "127.0.0.1:0", "--user", "nobody-of-that-name"], 1, "no such user"),
          (["--listen", "127.0.0.1:0", "--user", "root"], 1, "is root"),
          (["--listen", "127.0.0.1:0", "--group", "nobody-of-that-name"], 1, "no such group"),
          (["--help"], 0, "usage:"), (["--version"], 0, "sluice-exporter ")):
        done = subprocess.run([PROGRAM, *arguments], timeout=10, text=True, stdout=subprocess.PIPE,
          stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}")
        self.assertIn(words, done.stdout)


class HostileTest(ExporterCase):
  """Callers who mean harm: others are served meanwhile, memory stays, the appliance notices nothing."""

  def setUp(self):
    super().setUp()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12000), hard))
    self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    self.appliance_start()
    self.start()
    self.memory = self.resident_kb()
    self.began, self.asked = time.monotonic(), len(self.appliance.requests)
    self.sockets = []

  def tearDown(self):
    for one in self.sockets:
      one.close()
    self.served()
    grown = self.resident_kb() - self.memory
    self.assertLess(grown, GROWTH_MAX_KB, "growth of resident memory in kB")
    seconds = time.monotonic() - self.began
    asked = len(self.appliance.requests) - self.asked
    self.assertLessEqual(asked, 4 * (seconds + 2), "requests to the appliance")
    self.assertGreaterEqual(asked, 4 * (seconds // 2 - 1), "requests to the appliance")

  def resident_kb(self):
    status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

  def served(self):
    begin = time.monotonic()
    self.assertEqual(self.get("/healthz")[:2], (200, "ok\n"))
    self.assertLess(time.monotonic() - begin, 3)

  def dial(self, data=b""):
    one = socket.create_connection(("127.0.0.1", self.port), timeout=5)
    self.sockets.append(one)
    if data:
      one.send(data)
    return one

  def test_many_connections(self):
    """Ten thousand at once, each with half a request; every thousandth time somebody else asks."""
    for number in range(10000):
      self.dial(b"GET /metrics HTTP/1.1\r\nHost: ")
      if number % 1000 == 999:
        self.served()

  def test_slow(self):
    """A byte now and then is no request: it is over after five seconds."""
    slow = [self.dial(b"GET /metr") for _ in range(50)]
    begin = time.monotonic()
    while slow and time.monotonic() - begin < 9:
      for one in select.select(slow, [], [], 0.2)[0]:
        slow.remove(one)
      for one in slow:
        try:
          one.send(b"x")
        except ConnectionError:
          pass
      self.served()
      # However many ask for it: the appliance is asked once a second, as tearDown() checks.
      for path in ("/metrics", "/status.json", "/history.json"):
        self.assertEqual(self.get(path)[0], 200)
    self.assertEqual(slow, [], "slow callers that still have their connection")

  def test_huge(self):
    """Headers and bodies without end."""
    one = self.dial(b"GET / HTTP/1.1\r\n")
    with self.assertRaises((ConnectionError, TimeoutError)):
      for number in range(100000):
        one.send(b"X-%d: " % number + b"a" * 1000 + b"\r\n")
    one = self.dial(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    self.assertIn(b" 405 ", one.recv(100))
    one = self.dial(b"GET /" + b"a" * 100000)
    self.served()

  def test_fuzz(self):
    """Requests with bytes changed, cut, repeated; from a fixed seed."""
    dice = random.Random(7)
    base = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for number in range(1500):
      data = bytearray(base)
      for _ in range(dice.randrange(1, 8)):
        at = dice.randrange(len(data))
        kind = dice.randrange(3)
        if kind == 0:
          data[at] = dice.randrange(256)
        elif kind == 1:
          data[at:at] = data[:dice.randrange(len(data))]
        else:
          del data[at:at + dice.randrange(20)]
        data = data or bytearray(b"\0")
      with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
        one.send(data[:4096])
        if number % 10 == 0:
          self.served()


if __name__ == "__main__":
  unittest.main()
