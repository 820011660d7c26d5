#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluicectl without an appliance, with a broken one, and with wrong words.

usage: test_sluicectl_failures.py PROGRAM [UNITTEST-ARGUMENT...]
"""

import contextlib
import json
import re
import socket
import subprocess
import threading
import time

from sluicectl_case import SECONDS_MAX, SIX, WEB, Case, main, netstat


class Failures(Case):
  def check_failure(self, word, *words):
    """One line on standard error, one object on standard output, and soon."""
    begin = time.monotonic()
    out, err = self.run_status(1, "--json", "--timeout", "0.5", *words)
    self.assertLess(time.monotonic() - begin, 10)
    self.assertIn(word, err)
    self.assertIn(word, json.loads(out)["error"])

  def test_01_nobody_there(self):
    self.check_failure("is sluice running?", "ss")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(self.path))
    sock.close()
    self.check_failure("is sluice running?", "ss")
    self.check_failure("longer than", "--socket", "/tmp/" + "x" * 200, "ss")

  def test_02_no_answer(self):
    self.appliance(ss=lambda request: time.sleep(5))
    self.check_failure("no answer within 0.5 s", "ss")

  def test_03_an_answer_that_never_ends(self):
    def drip(request):
      with contextlib.suppress(OSError):
        for _ in range(100):
          appliance.peers[-1].sendall(b" ")
          time.sleep(0.05)

    appliance = self.appliance(ss=drip)
    self.check_failure("no answer within 0.5 s", "ss")

  def test_04_a_full_backlog(self):
    listener = socket.socket(socket.AF_UNIX)
    self.addCleanup(listener.close)
    listener.bind(str(self.path))
    listener.listen(0)
    waiting = []
    with contextlib.suppress(BlockingIOError):
      for _ in range(10):
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.setblocking(False)
        peer.connect(str(self.path))
        waiting.append(peer)
    self.assertLess(len(waiting), 10)
    self.check_failure("no answer within 0.5 s", "ss")

  def test_05_broken_replies(self):
    appliance = self.appliance()
    cases = [
      (None, "hung up without an answer"),
      (b"\n", "no JSON object"),
      (b"hello\n", "no JSON object"),
      (b"[1]\n", "no JSON object"),
      (b"\xff\xfe\n", "no JSON object"),
      (b'{"ok": true}\n', "no reply of an appliance"),
      (b'{"ok": 1, "result": []}\n', "no reply of an appliance"),
      (b'{"ok": false}\n', "no reply of an appliance"),
      (b'{"version": 2, "ok": true, "result": []}\n', "another version"),
      (b'{"version": 1, "ok": true, "result": {}}\n', "wrong type"),
      (b'{"version": 1, "ok": true, "result": []} x\n', "no JSON object"),
      (b"[" * 100000 + b"\n", "no JSON object"),
    ]
    for answer, word in cases:
      with self.subTest(answer and answer[:60]):
        appliance.answers["ss"] = answer
        self.check_failure(word, "ss")

  def test_06_hung_up_within_the_answer(self):
    def half(request):
      appliance.peers[-1].sendall(b'{"ok": ')

    appliance = self.appliance(ss=half)
    self.check_failure("hung up within its answer", "ss")

  def test_07_an_error_before_the_request_was_read(self):
    listener = socket.socket(socket.AF_UNIX)
    self.addCleanup(listener.close)
    listener.bind(str(self.path))
    listener.listen(1)

    def refuse():
      peer, _ = listener.accept()
      peer.sendall(b'{"version": 1, "ok": false, "error": "too many peers"}\n')
      peer.close()

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    self.check_failure("too many peers", "ss")
    thread.join(SECONDS_MAX)

  def test_08_strange_types_within_results(self):
    strange = [5, None, "x", [], {}, {"backend": 5, "recv_q": "many", "send_q": 1e300, "local": {}}]
    self.appliance(ss=strange, netstat={"total": [], "backends": {"a": 5}, "reasons": None},
      doctor={"lines": 5, "findings": {}}, ping={}, explain={}, reload={"added": [5]},
      established={"rows": strange, "cursor": 5}, profile={"rows": strange}, flush={}, set={}, check={"notes": {}}, stats={})
    for words in (["ss"], ["netstat", "-ze"], ["ping"], ["explain", "1.2.3.4:5", "a"], ["reload"],
        ["ss", "established"], ["profile"], ["flush", "a"], ["set", "a", "b", "c"], ["check"], ["stats"],
        ["completion", "backends"], ["netstat", "--diff"], ["watch", "-n1", "-i0.1"],
        ["-j", "watch", "-n1", "-i0.1"]):
      with self.subTest(words):
        self.run_well(*words)
    self.run_status(3, "doctor")

  def test_09_a_closed_pipe_ends_quietly(self):
    self.appliance(ss=[{**WEB, "backend": f"b{i}"} for i in range(20000)])
    for words in (["ss"], ["-j", "ss"], ["watch", "--interval", "0.1"]):
      with self.subTest(words):
        process = subprocess.Popen([self.program, *words], env=self.environment, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        process.wait(SECONDS_MAX)


class Usage(Case):
  def test_01_wrong_usage(self):
    self.appliance()
    cases = [
      ([], "a command is missing"),
      (["sss"], 'unknown command "sss"; did you mean "ss"?'),
      (["netsat"], 'did you mean "netstat"?'),
      (["ss", "estblished"], 'did you mean "ss established"?'),
      (["frobnicate"], 'unknown command "frobnicate"; try: sluicectl --help'),
      (["ss", "--jsn"], "did you mean --json?"),
      (["ss", "--frobnicate"], 'unknown option "--frobnicate"; try'),
      (["ss", "-x"], 'unknown option "-x"'),
      (["ss", "--limit", "5"], "ss takes no --limit"),
      (["ss", "established", "--limit", "0"], "from 1 to"),
      (["ss", "established", "--limit", "1.5"], "a whole number"),
      (["ss", "established", "--limit"], "--limit needs N"),
      (["ss", "--timeout", "nan"], "takes seconds"),
      (["ss", "--timeout", "0x5"], "takes seconds"),
      (["ss", "--json=1"], "--json takes no value"),
      (["ss", "--backend", ""], "--backend is empty"),
      (["set", "web", "backlog"], "set needs BACKEND KEY VALUE"),
      (["set", "web", "backlog", "1", "2"], 'unexpected "2"'),
      (["flush"], "flush needs BACKEND"),
      (["ping", "me"], 'unexpected "me"'),
      (["help", "sss"], 'did you mean "ss"?'),
    ]
    for words, problem in cases:
      with self.subTest(words):
        out, err = self.run_status(2, *words)
        self.assertEqual(out, "")
        self.assertIn(problem, err)
        self.assertEqual(err.count("\n"), 1)
        out, _ = self.run_status(2, "--json", *words)
        self.assertIn(problem, json.loads(out)["error"])

  def test_02_words_that_are_not_utf8(self):
    appliance = self.appliance()
    for words in ([b"flush", b"\xff"], [b"ss", b"--backend", b"\xff"], [b"\xff"]):
      done = self.run_program(*words)
      self.assertEqual(done.returncode, 2)
    self.assertEqual(appliance.requests, [])

  def test_03_global_options_stand_anywhere(self):
    self.appliance()
    self.environment.pop("SLUICE_SOCKET")
    path = str(self.path)
    for words in (["-s", path, "-j", "ss"], ["ss", "-js", path], ["ss", f"-s{path}", "--json"],
        ["--json", "ss", f"--socket={path}"], ["-j", f"-s{path}", "--timeout", "5", "--", "ss"]):
      with self.subTest(words):
        self.assertEqual(json.loads(self.run_well(*words)), [WEB, SIX])

  def commands(self):
    names = re.findall(r"^  (\S+(?: \S+)?)  +\S", self.run_well("help").split("Options,")[0], re.M)
    self.assertIn("ss established", names)
    return names

  def test_04_every_command_has_help_and_examples_that_parse(self):
    for name in self.commands():
      with self.subTest(name):
        words = name.split()
        text = self.run_well(*words, "--help")
        self.assertEqual(text, self.run_well("help", *words))
        self.assertTrue(text.startswith(f"usage: sluicectl [OPTION...] {name}"))
        examples = text.split("Examples:\n")[1].split("\n\n")[0].splitlines()
        self.assertTrue(any(f"{name}" in example for example in examples))
        self.assertIn("--socket PATH", text)
    self.assertEqual(self.run_well("--help"), self.run_well("help"))
    self.assertRegex(self.run_well("--version"), r"^sluicectl \d+\.\d+\.\d+\n$")

  def test_05_completion(self):
    self.appliance()
    script = self.folder / "completion"
    script.write_text(self.run_well("completion", "bash"))

    def complete(line):
      words = line.split(" ")
      quoted = " ".join(f"'{word}'" for word in words)
      program = (f"source '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        f"_sluicectl '{self.program}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
      done = subprocess.run(["bash", "-c", program], env=self.environment, capture_output=True,
        text=True, timeout=SECONDS_MAX, check=True)
      self.assertEqual(done.stderr, "")
      return done.stdout.split()

    self.assertEqual(complete("sluicectl net"), ["netstat"])
    self.assertEqual(sorted(complete("sluicectl ")),
      sorted({name.split()[0] for name in self.commands()}))
    self.assertEqual(complete("sluicectl ss "), ["syn-recv", "established"])
    self.assertEqual(complete("sluicectl ss established --li"), ["--limit"])
    self.assertEqual(complete("sluicectl ss --li"), [])
    self.assertEqual(complete("sluicectl flush "), ["web", "web-six"])
    self.assertEqual(complete("sluicectl -j --timeout 5 ss --backend web-"), ["web-six"])
    self.assertEqual(complete("sluicectl set web back"), ["backlog"])
    self.assertIn("tcp_syncookies", complete("sluicectl set web tcp_"))
    self.assertEqual(complete("sluicectl set web backlog "), [])
    self.assertEqual(complete(f"sluicectl check {self.folder}/comp"), [str(script)])
    self.assertEqual(complete("sluicectl completion b"), ["bash", "backends"])
    self.environment.pop("SLUICE_SOCKET")
    self.assertEqual(complete(f"sluicectl --socket {self.path} netstat "), ["web", "web-six"])
    self.assertEqual(complete("sluicectl netstat "), [])


if __name__ == "__main__":
  main(__doc__)
