#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluicectl watch: rates, restarts of the appliance, and the terminal.

usage: test_sluicectl_watch.py PROGRAM [UNITTEST-ARGUMENT...]
"""

import fcntl
import json
import os
import pathlib
import signal
import struct
import subprocess
import termios
import time

from sluicectl_case import PING, SECONDS_MAX, SIX, WEB, Case, main, netstat


class Growing:
  """netstat of an appliance where a million cookies per second are sent."""

  def __init__(self):
    self.begin = time.monotonic()

  def __call__(self, request):
    sent = int((time.monotonic() - self.begin) * 1_000_000)
    found = netstat(SyncookiesSent=sent)
    found["reasons"]["syn_cookie_sent"] = sent
    return found


class Watch(Case):
  def test_01_json(self):
    self.appliance(netstat=Growing())
    lines = self.run_well("--json", "watch", "--interval", "0.5", "--count", "2").splitlines()
    self.assertEqual(len(lines), 2)
    for block in map(json.loads, lines):
      self.assertTrue(block["connected"])
      self.assertEqual(set(block["rates"]), {"syns", "cookies", "proofs", "established", "drops"})
      for rate in (block["rates"]["syns"], block["rates"]["cookies"],
          block["backends"][0]["rates"]["cookies"]):
        self.assertTrue(5e5 < rate < 2e6, rate)
      self.assertEqual(block["rates"]["drops"], 0)
      self.assertEqual(block["backends"][0]["send_q"], 5)

  def test_02_text(self):
    self.appliance(netstat=Growing(), ss=[{**WEB, "recv_q": 6}, {**SIX, "syn_recv": 1}])
    out = self.run_well("watch", "-i", "0.5", "-n", "1")
    self.assertRegex(out, r"SYNs \d+(\.\d)? [kM]/s   cookies \d+(\.\d)? [kM]/s   proofs 0 /s")
    self.assertRegex(out, r"web +\[#{16}\] 6/5! ")
    self.assertRegex(out, r"web-six +\[\.{16}\] 0/5 +\[#\.{15}\] 1/129 ")
    self.assertIn("web: accept queue full", out)
    self.assertNotIn("\x1b", out)

  def test_03_nobody_there_at_the_start(self):
    self.run_status(1, "watch")

  def test_04_outlives_a_restart(self):
    first = self.appliance()
    process = subprocess.Popen([self.program, "watch", "--json", "--interval", "0.1", "--timeout", "2"],
      env=self.environment, stdout=subprocess.PIPE, text=True)
    self.addCleanup(process.stdout.close)
    self.addCleanup(process.wait)
    self.addCleanup(process.kill)

    def block_that(is_wanted):
      for _ in range(100):
        block = json.loads(process.stdout.readline())
        if is_wanted(block):
          return block
      raise AssertionError("no such block")

    block_that(lambda block: block["connected"])
    first.stop()
    self.assertIn("error", block_that(lambda block: not block["connected"]))
    self.appliance(ping={**PING, "pid": 78}, netstat=netstat(SyncookiesSent=10**9))
    block = block_that(lambda block: block["connected"])
    self.assertIsNone(block["rates"]["cookies"], "another process's counters are no rate")
    block = block_that(lambda block: block["connected"])
    self.assertEqual(block["rates"]["cookies"], 0)

  def check_restored(self, terminal):
    self.assertTrue(terminal.output.endswith(b"\x1b[?7h\x1b[?25h\x1b[?1049l"), terminal.output[-80:])
    self.assertEqual(terminal.modes_now(), terminal.modes)

  def test_05_the_terminal_is_given_back(self):
    self.appliance()
    for number, status in ((signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP), (None, 0)):
      with self.subTest(number):
        terminal = self.terminal("watch", "--interval", "0.2")
        self.assertIn(b"\x1b[?1049h", terminal.read_until(b"web-six"))
        self.assertFalse(terminal.modes_now()[3] & termios.ECHO)
        terminal.read_until(b"proofs 0 /s")
        if number is None:
          terminal.write(b"xq")
        elif number == signal.SIGINT:
          terminal.write(b"\x03")
        else:
          terminal.process.send_signal(number)
        self.assertEqual(terminal.wait(), status)
        self.check_restored(terminal)

  def test_06_a_signal_while_waiting_for_an_answer(self):
    appliance = self.appliance()
    terminal = self.terminal("watch", "--interval", "0.1", "--timeout", "60")
    terminal.read_until(b"proofs 0 /s")
    appliance.answers["ping"] = lambda request: time.sleep(60)
    count = len(appliance.requests)
    end = time.monotonic() + SECONDS_MAX
    while len(appliance.requests) < count + 3 and time.monotonic() < end:
      if appliance.requests[-1]["command"] == "ping":
        break
      time.sleep(0.02)
    time.sleep(0.3)
    begin = time.monotonic()
    terminal.write(b"\x03")
    self.assertEqual(terminal.wait(), -signal.SIGINT)
    self.assertLess(time.monotonic() - begin, 10)
    self.check_restored(terminal)

  def test_07_disconnected_is_said_on_the_screen(self):
    appliance = self.appliance()
    terminal = self.terminal("watch", "--interval", "0.1")
    terminal.read_until(b"proofs 0 /s")
    appliance.stop()
    terminal.read_until(b"disconnected: ")
    self.appliance()
    terminal.read_until(b"proofs 0 /s")
    terminal.write(b"q")
    self.assertEqual(terminal.wait(), 0)

  def test_08_more_backends_than_lines(self):
    backends = [{**WEB, "backend": f"b{i}"} for i in range(100)]
    backends[90]["recv_q"] = 6
    self.appliance(ss=backends)
    terminal = self.terminal("watch", "--count", "1", "--interval", "0.2")
    self.assertEqual(terminal.wait(), 0)
    screen = terminal.output.split(b"\x1b[H")[-1]
    self.assertLessEqual(screen.count(b"\r\n"), 23)
    self.assertIn(b"b90 ", screen)
    self.assertIn(b" more", screen)
    self.assertIn(b"\x1b[31m", screen)

  def test_09_a_stop_gives_the_terminal_back_for_a_while(self):
    self.appliance()
    terminal = self.terminal("watch", "--interval", "0.1")
    terminal.read_until(b"proofs 0 /s")
    os.kill(terminal.process.pid, signal.SIGTSTP)
    terminal.read_until(b"\x1b[?1049l")
    end = time.monotonic() + SECONDS_MAX
    while not self.is_stopped(terminal.process.pid) and time.monotonic() < end:
      time.sleep(0.02)
    self.assertEqual(terminal.modes_now(), terminal.modes)
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.read_until(b"\x1b[?1049h")
    terminal.read_until(b"proofs 0 /s")
    terminal.write(b"q")
    self.assertEqual(terminal.wait(), 0)
    self.check_restored(terminal)

  @staticmethod
  def is_stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

  def test_10_the_size_may_change(self):
    self.appliance()
    terminal = self.terminal("watch", "--interval", "60", columns=200)
    self.assertIn(b"[", terminal.read_until(b"web-six"))
    terminal.drain()
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))
    os.kill(terminal.process.pid, signal.SIGWINCH)
    screen = terminal.read_until(b"web")
    self.assertNotIn(b"[#", screen)
    terminal.write(b"q")
    self.assertEqual(terminal.wait(), 0)

  def test_11_a_counter_that_began_anew_is_no_rate(self):
    counts = iter(range(1000, 0, -1))
    self.appliance(netstat=lambda request: netstat(ListenDrops=next(counts)))
    block = json.loads(self.run_well("-j", "watch", "-n", "1", "-i", "0.1"))
    self.assertIsNone(block["rates"]["drops"])
    self.assertIsNone(block["backends"][0]["rates"]["drops"])

  def test_12_an_appliance_that_hangs_up_on_the_idle(self):
    def answer(request):
      # The reply, and the end of the connection right behind it.
      peer = appliance.peers[-1]
      peer.sendall(json.dumps({"version": 1, "ok": True, "result": [WEB]}).encode() + b"\n")

    appliance = self.appliance(ss=answer)
    for line in self.run_well("-j", "watch", "-n", "3", "-i", "0.1").splitlines():
      self.assertTrue(json.loads(line)["connected"], line)
    self.assertEqual(len(appliance.peers), 4)


if __name__ == "__main__":
  main(__doc__)
