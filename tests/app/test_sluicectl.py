#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What sluicectl shows and changes, as its users see it.

usage: test_sluicectl.py PROGRAM [UNITTEST-ARGUMENT...]
"""

import json
import os
import pathlib
import subprocess
import unittest

from sluicectl_case import PING, PROFILE, ROW, SECONDS_MAX, SIX, WEB, Case, Refused, main, netstat


class Listing(Case):
  def test_01_columns(self):
    self.appliance()
    self.assertEqual(self.run_well("ss"), """\
State   Recv-Q   Send-Q  Local-Address:Port  Backend  SYN-RECV   Max  Mode   Estab
LISTEN       3        5  10.0.0.2:80         web            40   129  queue     12
LISTEN       0        5  [fd00::2]:443       web-six         0   129  queue     12
""")

  def test_02_full_queues_are_marked_and_explained(self):
    cookies = {**WEB, "syn_recv": 129, "mode": "cookie"}
    cases = [
      # 1: the syn queue is full in mode 1
      (cookies, " 129! 129 cookie ",
        "web: syn queue full; further SYNs are answered with cookies, none is dropped"),
      # 2: it has just got room
      ({**cookies, "syn_recv": 128}, " 128 129 cookie ",
        "web: syn queue was full a moment ago; SYNs are answered with cookies, none is dropped"),
      # 3: mode 2
      ({**WEB, "tcp_syncookies": 2, "mode": "cookie"}, " 40 129 cookie ",
        "web: every SYN is answered with a cookie (tcp_syncookies 2) and none is queued or dropped"),
      # 4: mode 0 drops
      ({**WEB, "tcp_syncookies": 0, "syn_recv": 129}, " 129! 129 queue ",
        "web: syn queue full and tcp_syncookies 0; further SYNs are dropped"),
      # 5: mode 0, last quarter
      ({**WEB, "tcp_syncookies": 0, "syn_recv": 97, "syn_recv_unproven_max": 97}, " 97 129 ",
        "web: tcp_syncookies 0 keeps the rest of the syn queue for proven clients; "
        "SYNs of others are dropped"),
      # 6: A + 1 in the accept queue: cookies don't rescue that
      ({**cookies, "recv_q": 6}, " 6! 5 ", "web: accept queue full; clients wait or are "
        "refused until the backend takes connections, see: sluicectl doctor"),
      # 7: draining
      ({**WEB, "backend": "web~3", "state": "DRAIN"}, "DRAIN ",
        "web~3: removed from the configuration; takes no new connections, old ones go on"),
      # 8: draining until a deadline
      ({**WEB, "backend": "web~3", "state": "DRAIN", "drain_left_s": 90}, "DRAIN ",
        "web~3 (1 min 30 s left): removed from the configuration; takes no new connections, "
        "old ones go on"),
      # 9: monitored: what is said of it is as if
      ({**WEB, "protection": "monitor"}, " 40 129 monitor ",
        "web: mode is monitor; everything passes, and all this is counted as if it were protected"),
      # 10: off: nothing else is said
      ({**WEB, "tcp_syncookies": 2, "protection": "off"}, " 40 129 off ",
        "web: mode is off; everything passes, and nothing is counted"),
      # 11: A in the accept queue: one more fits
      ({**WEB, "recv_q": 5}, " 5 5 ", None),
    ]
    appliance = self.appliance()
    for number, (backend, row, note) in enumerate(cases, 1):
      with self.subTest(number):
        appliance.answers["ss"] = [backend]
        lines = self.run_well("ss").splitlines()
        self.assertIn(row, " ".join(lines[1].split()) + " ")
        self.assertEqual(lines[2:], [note] if note else [])

  def test_03_json_is_the_array_itself(self):
    self.appliance()
    self.assertEqual(self.run_json("ss"), [WEB, SIX])

  def test_04_backend_is_asked_for(self):
    appliance = self.appliance()
    self.run_well("ss", "--backend", "web")
    self.assertEqual(appliance.requests, [{"version": 1, "command": "ss", "backend": "web"}])

  def test_05_notes_of_many_backends_are_one_line(self):
    self.appliance(ss=[{**WEB, "backend": f"b{i}", "syn_recv": 129} for i in range(100)])
    self.assertEqual(self.run_well("ss").splitlines()[101:], ["b0, b1, b2, b3, b4 and 95 more: syn "
      "queue full; further SYNs are answered with cookies, none is dropped"])

  def test_06_large_replies(self):
    backends = [{**WEB, "backend": f"backend-{i}"} for i in range(20000)]
    self.appliance(ss=backends)
    self.assertEqual(self.run_json("ss"), backends)
    self.assertEqual(len(self.run_well("ss").splitlines()), 20001)

  def test_07_control_characters_never_reach_the_terminal(self):
    evil = "w\x1b[2J\x7f\x9b\u202e\n\u00e9"
    self.appliance(ss=[{**WEB, "backend": evil, "syn_recv": 129}],
      doctor={"healthy": False, "findings": [{}], "lines": [evil]}, flush=Refused(evil, evil),
      netstat={"total": {evil: 5}, "backends": {evil: {evil: 3}}, "reasons": {}, "emitted": {}})
    escaped = r"w\x1b[2J\x7f\xc2\x9b\xe2\x80\xae\x0a" + "\u00e9"
    for words in (["ss"], ["doctor"], ["flush", "web"], ["netstat", "-e"], ["completion", "backends"]):
      with self.subTest(words):
        done = self.run_program(*words)
        text = (done.stdout + done.stderr).decode()
        self.assertIn(escaped, text)
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
    out = self.run_well("-j", "ss")
    self.assertTrue(out.isascii() and "\x7f" not in out)
    self.assertEqual(json.loads(out)[0]["backend"], evil)

  def test_08_colour_only_on_terminals_and_not_against_wishes(self):
    self.appliance(ss=[{**WEB, "syn_recv": 129}])
    red = b"\x1b[31m129!\x1b[m"
    terminal = self.terminal("ss")
    self.assertEqual(terminal.wait(), 0)
    self.assertIn(red, terminal.output)
    self.environment["NO_COLOR"] = "1"
    terminal = self.terminal("ss")
    self.assertEqual(terminal.wait(), 0)
    self.assertIn(b"129!", terminal.output)
    self.assertNotIn(b"\x1b", terminal.output)

  def test_09_no_backends(self):
    self.appliance(ss=[])
    self.assertEqual(len(self.run_well("ss").splitlines()), 1)
    self.assertEqual(self.run_json("ss"), [])


class Rows(Case):
  def pages(self, sizes):
    """Answers with pages of these sizes, and numbers the rows through."""

    def answer(request):
      index = int(request.get("cursor", "0"))
      first = sum(sizes[:index])
      rows = [{**ROW, "client": f"10.0.0.1:{first + i}"} for i in range(sizes[index])]
      return {"rows": rows[:request["limit"]],
        "cursor": str(index + 1) if index + 1 < len(sizes) else None}

    return answer

  def test_01_columns(self):
    other = {**ROW, "client": "[fd00::1]:40000", "vlan": 7, "wscale": None, "acked": True}
    self.appliance(syn_recv={"rows": [ROW, other], "cursor": None})
    self.assertEqual([line.split() for line in self.run_well("ss", "syn-recv").splitlines()], [
      "State Client-Address:Port Local-Address:Port Backend Age Timer Repeats Acked MSS WScale SACK "
        "TS VLAN Worker".split(),
      "syn-recv 10.0.0.1:40000 10.0.0.2:80 web 1.234s 0.766s 1 no 1460 7 yes no - 0".split(),
      "syn-recv [fd00::1]:40000 10.0.0.2:80 web 1.234s 0.766s 1 yes 1460 - yes no 7 0".split()])

  def test_02_all_pages_are_asked_for(self):
    appliance = self.appliance(established=self.pages([128, 0, 5, 0, 128, 0]))
    rows = self.run_json("ss", "established")
    self.assertEqual([row["client"] for row in rows], [f"10.0.0.1:{i}" for i in range(261)])
    self.assertEqual([request.get("cursor") for request in appliance.requests],
      [None, "1", "2", "3", "4", "5"])
    self.assertEqual(len(appliance.peers), 1, "one connection for all pages")
    lines = self.run_well("ss", "established").splitlines()
    self.assertEqual(len(lines), 262)
    self.assertEqual(sum(line.startswith("State") for line in lines), 1)
    self.assertFalse([line for line in lines if line.endswith(" ")])

  def test_03_limit(self):
    for limit, requests in ((1, [1]), (128, [128]), (130, [128, 2])):
      with self.subTest(limit):
        appliance = self.appliance(established=self.pages([128, 128, 128]))
        self.assertEqual(len(self.run_json("ss", "established", "--limit", str(limit))), limit)
        self.assertEqual([request["limit"] for request in appliance.requests], requests)
        appliance.stop()

  def test_04_filters(self):
    appliance = self.appliance(established={"rows": [], "cursor": None})
    self.assertEqual(self.run_json("ss", "established", "--backend", "web", "--client=10.0.0.1",
      "--state", "queued"), [])
    self.assertEqual(appliance.requests[0], {"version": 1, "command": "established", "limit": 128,
      "backend": "web", "client": "10.0.0.1", "state": "queued"})

  def test_05_a_cursor_that_leads_nowhere(self):
    self.appliance(established=lambda request: {"rows": [], "cursor": "5"})
    _, err = self.run_status(1, "ss", "established")
    self.assertIn("again and again", err)

  def test_06_an_error_amid_pages_leaves_valid_json(self):
    def answer(request):
      return Refused("a worker is busy") if "cursor" in request else {"rows": [ROW], "cursor": "1"}

    self.appliance(established=answer)
    out, _ = self.run_status(1, "--json", "ss", "established")
    self.assertEqual([json.loads(line) for line in out.splitlines()],
      [[ROW], {"error": "a worker is busy"}])

  def test_07_profile(self):
    appliance = self.appliance(profile={"rows": [PROFILE], "cursor": None})
    self.assertEqual([line.split() for line in self.run_well("profile", "web").splitlines()], [
      "Backend Worker Profile MSS WScale SACK TS ECN Window Learned-Ago Refused-Ago Drift Source Probed-Ago "
      "Answers Failures".split(),
      "web 0 learn 1400 9 yes no - 65160 2.500s - 3 probe 2.600s 1 2".split()])
    self.assertEqual(appliance.requests[0],
      {"version": 1, "command": "profile", "limit": 128, "backend": "web"})
    self.assertEqual(self.run_json("profile"), [PROFILE])
    self.run_status(2, "profile", "web", "more")


class Netstat(Case):
  def test_01_zeros_are_left_out(self):
    self.appliance()
    lines = [line.split() for line in self.run_well("netstat").splitlines()]
    self.assertEqual(lines[0], ["total:"])
    self.assertIn(["SyncookiesSent", "1000"], lines)
    self.assertIn(["backend", "web:"], lines)
    self.assertIn(["reasons:"], lines)
    self.assertIn(["syn_accept_full", "7"], lines)
    self.assertIn(["emitted:"], lines)
    self.assertNotIn(["TCPReqQFullDrop", "0"], lines)
    for option in ("--zeros", "-z"):
      self.assertIn("TCPReqQFullDrop", self.run_well("netstat", option))

  def test_02_explain(self):
    self.appliance()
    out = self.run_well("netstat", "-e")
    self.assertRegex(out, r"ListenOverflows +7  SYNs and ACKs that met a full accept ring\n")
    self.assertRegex(out, r"syn_accept_full +7  SYN refused: the backend's accept ring is full\n")

  def test_03_one_backend(self):
    def answer(request):
      whole = netstat()
      name = request.get("backend")
      return {**whole, "backends": {name: whole["backends"][name]}} if name else whole

    self.appliance(netstat=answer)
    self.assertTrue(self.run_well("netstat", "web").startswith("backend web:\n"))
    self.assertNotIn("reasons", self.run_well("netstat", "web"))
    self.assertEqual(list(self.run_json("netstat", "web")["backends"]), ["web"])

  def test_04_json(self):
    self.appliance()
    self.assertEqual(self.run_json("netstat"), netstat())

  def test_05_diff(self):
    appliance = self.appliance()
    first = self.run_well("netstat", "--diff")
    self.assertTrue(first.startswith("first call: "), first)
    self.assertRegex(first, r"SyncookiesSent +1000\n")
    appliance.answers["netstat"] = netstat(SyncookiesSent=1005, CurrEstab=20, ListenDrops=7)
    second = self.run_well("netstat", "--diff")
    self.assertRegex(second, r"^since your last call \d+\.\d s ago:\ntotal:\n")
    self.assertRegex(second, r"SyncookiesSent +5\n")
    self.assertRegex(second, r"CurrEstab +20\n")
    self.assertNotIn("ListenDrops", second)
    self.assertIn("backend web-six:\n    (all 0)\n", second)
    third = self.run_json("netstat", "--diff")
    self.assertEqual(third["total"]["SyncookiesSent"], 0)
    self.assertGreater(third["since_s"], 0)
    self.assertFalse(third["restarted"])

  def test_06_diff_of_one_backend_forgets_no_other(self):
    appliance = self.appliance()
    self.run_well("netstat", "--diff", "web")
    appliance.answers["netstat"] = netstat(SyncookiesSent=1001)
    changed = self.run_json("netstat", "--diff")
    self.assertEqual(changed["reasons"]["syn_cookie_sent"], 0)
    self.assertEqual(changed["backends"]["web"]["SyncookiesSent"], 1)
    self.assertEqual(list(self.run_json("netstat", "-d", "web-six")["backends"]), ["web-six"])
    _, err = self.run_status(1, "netstat", "--diff", "webb")
    self.assertEqual(err, 'sluicectl: no backend "webb"\n')

  def test_07_diff_over_a_restart(self):
    appliance = self.appliance()
    self.run_well("netstat", "--diff")
    appliance.answers["ping"] = {**PING, "pid": 78}
    appliance.answers["netstat"] = netstat(SyncookiesSent=2000)
    out = self.run_well("netstat", "--diff")
    self.assertIn("was restarted", out)
    self.assertRegex(out, r"SyncookiesSent +2000\n")

  def test_08_diff_of_a_counter_that_began_anew(self):
    appliance = self.appliance()
    self.run_well("netstat", "--diff")
    appliance.answers["netstat"] = netstat(SyncookiesSent=3)
    self.assertEqual(self.run_json("netstat", "--diff")["backends"]["web"]["SyncookiesSent"], 3)

  def state_file(self):
    files = list(self.folder.glob("sluicectl-*.json"))
    self.assertEqual(len(files), 1)
    return files[0]

  def test_09_the_file_is_private_and_alone(self):
    self.appliance()
    self.run_well("netstat", "--diff")
    self.assertEqual(self.state_file().stat().st_mode & 0o7777, 0o600)
    self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
      sorted(["control.sock", self.state_file().name]))

  def test_10_what_others_could_have_put_there_is_not_used(self):
    self.appliance()
    self.run_well("netstat", "--diff")
    path = self.state_file()
    content = path.read_text()
    target = self.folder / "target"

    def link():
      target.write_text(content)
      target.chmod(0o600)
      path.symlink_to(target)

    def hard_link():
      path.hardlink_to(target)

    def fifo():
      os.mkfifo(path, 0o600)

    def readable():
      path.write_text(content)
      path.chmod(0o644)

    for make, word in ((link, "a symbolic link"), (hard_link, "has another name"),
        (fifo, "not a plain file"), (readable, "others may read or write it")):
      with self.subTest(word):
        path.unlink()
        make()
        _, err = self.run_status(1, "netstat", "--diff")
        self.assertIn(word + "; not used", err)
    self.assertEqual(target.read_text(), content)

  @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
  def test_11_the_file_of_another_user(self):
    self.appliance()
    self.run_well("netstat", "--diff")
    os.chown(self.state_file(), 65534, 65534)
    _, err = self.run_status(1, "netstat", "--diff")
    self.assertIn("belongs to another user; not used", err)

  def test_12_a_broken_file_is_a_first_call(self):
    self.appliance()
    self.run_well("netstat", "--diff")
    for text in ("", "{", "[]", '{"socket": 5}', "\0" * 100):
      self.state_file().write_text(text)
      self.assertTrue(self.run_well("netstat", "--diff").startswith("first call"))
    self.assertTrue(self.run_well("netstat", "--diff").startswith("since"))

  def test_13_output_that_nobody_got_is_told_again(self):
    appliance = self.appliance()
    self.run_well("netstat", "--diff")
    appliance.answers["netstat"] = netstat(SyncookiesSent=1005)
    with open("/dev/full", "wb") as full:
      done = subprocess.run([self.program, "netstat", "--diff"], env=self.environment, stdout=full,
        stderr=subprocess.PIPE, timeout=SECONDS_MAX, check=False)
    self.assertEqual(done.returncode, 1)
    self.assertEqual(done.stderr, b"sluicectl: cannot write: No space left on device\n")
    self.assertEqual(self.run_json("netstat", "--diff")["total"]["SyncookiesSent"], 5)


class Changes(Case):
  def test_01_set_takes_json_or_a_string(self):
    appliance = self.appliance(set=lambda request: {"backend": "web", "key": request["key"],
      "value": request["value"], "before": 128, "generation": 4, "note": note})
    note = ""
    for text, value in (("2048", 2048), ("linux-4.4", "linux-4.4"), ('"2048"', "2048"), ("-5", -5),
        ("true", True), ("", ""), ("[1]", [1])):
      with self.subTest(text):
        out = self.run_well("set", "web", "backlog", text)
        self.assertEqual(appliance.requests[-1], {"version": 1, "command": "set", "backend": "web",
          "key": "backlog", "value": value})
        self.assertIn("not saved", out)
        self.assertIn("until the next reload or restart", out)
    self.assertTrue(self.run_well("set", "web", "backlog", "9").startswith("web backlog: 128 -> 9\n"))
    note = "somaxconn decides; not saved"
    self.assertIn("\nsomaxconn decides; not saved; to keep it", self.run_well("set", "web", "a", "9"))
    self.assertEqual(self.run_json("set", "web", "backlog", "9")["before"], 128)

  def test_02_refusals_have_all_errors(self):
    self.appliance(set=Refused("refused", "a: too small", "b: unknown"))
    out, err = self.run_status(1, "set", "web", "backlog", "0")
    self.assertEqual((out, err), ("", "sluicectl: refused\na: too small\nb: unknown\n"))
    out, err = self.run_status(1, "set", "web", "backlog", "0", "--json")
    self.assertEqual(json.loads(out), {"error": "refused", "errors": ["a: too small", "b: unknown"]})
    self.assertIn("b: unknown", err)

  def test_03_a_single_error_is_said_once(self):
    self.appliance(set=Refused("set: unknown key", "set: unknown key"))
    self.assertEqual(self.run_status(1, "set", "web", "a", "0")[1], "sluicectl: set: unknown key\n")

  def test_04_reload(self):
    appliance = self.appliance(reload={"generation": 9, "config_generation": 3, "added": ["a", "b"],
      "removed": [], "changed": ["web"]})
    self.assertEqual(self.run_well("reload", "--drain-deadline", "60"),
      "reloaded: configuration 3, generation 9\nadded: a, b\nchanged: web\n")
    self.assertEqual(appliance.requests[-1]["drain_deadline_s"], 60)
    self.run_well("reload")
    self.assertNotIn("drain_deadline_s", appliance.requests[-1])

  def test_05_check_by_the_appliance(self):
    appliance = self.appliance(check={"notes": ["web: backlog changes"]})
    self.assertEqual(self.run_well("check"), "ok: a reload would be accepted\nweb: backlog changes\n")
    appliance.answers["check"] = Refused("the file has errors", "x.json:3: backlog")
    self.assertIn("x.json:3: backlog", self.run_status(1, "check")[1])

  def test_06_check_of_a_file_needs_no_appliance(self):
    examples = pathlib.Path(__file__).resolve().parents[2] / "config"
    good = next(path for path in sorted(examples.glob("*.json")) if path.name != "schema.json")
    self.assertRegex(self.run_well("check", str(good)), r": ok, \d+ backends?\n$")
    self.assertTrue(self.run_json("check", str(good))["ok"])
    bad = self.folder / "bad.json"
    bad.write_text('{"ports": {}, "backends": [{"name": "a b"}]}')
    out, err = self.run_status(2, "--json", "check", str(bad))
    reply = json.loads(out)
    self.assertIn("refused", reply["error"])
    self.assertGreater(len(reply["errors"]), 2)
    for line in reply["errors"]:
      self.assertIn(line, err)
    self.run_status(2, "check", str(self.folder / "missing.json"))

  def test_07_flush(self):
    appliance = self.appliance(flush={"backend": "web", "ended": 17, "complete": True})
    self.assertEqual(self.run_well("flush", "web"), "web: 17 ended\n")
    appliance.answers["flush"] = {"backend": "web", "ended": 17, "complete": False}
    self.assertIn("some may be left", self.run_status(0, "flush", "web")[1])

  def test_08_flush_asks_at_a_terminal(self):
    appliance = self.appliance(flush={"backend": "web", "ended": 17, "complete": True})
    for answer, status, asked in ((b"n\n", 1, 0), (b"\n", 1, 0), (b"\x04", 1, 0), (b"y\n", 0, 1)):
      with self.subTest(answer):
        appliance.requests.clear()
        terminal = self.terminal("flush", "web")
        terminal.read_until(b"Type y for yes: ")
        terminal.write(answer)
        self.assertEqual(terminal.wait(), status)
        self.assertEqual(len(appliance.requests), asked)
    terminal = self.terminal("flush", "--yes", "web")
    self.assertEqual(terminal.wait(), 0)
    self.assertNotIn(b"Type", terminal.output)


class Sentences(Case):
  def test_01_explain_reads_tuples_in_every_way(self):
    appliance = self.appliance(explain={"lines": ["It waits in the accept queue."]})
    four, six = "10.0.0.1:40000", "[fd00::1]:40000"
    cases = [
      ([four, "web"], four, "web"),
      ([four, "10.0.0.2:80"], four, "10.0.0.2:80"),
      ([six, "[fd00::2]:80"], six, "[fd00::2]:80"),
      ([four + "-10.0.0.2:80"], four, "10.0.0.2:80"),
      ([six + "->[fd00::2]:80"], six, "[fd00::2]:80"),
      ([four + " -> web-six"], four, "web-six"),
      ([four, "->", "web"], four, "web"),
      ([four + "-web-six"], four, "web-six"),
    ]
    for words, client, backend in cases:
      with self.subTest(words):
        self.assertEqual(self.run_well("explain", *words), "It waits in the accept queue.\n")
        self.assertEqual(appliance.requests[-1], {"version": 1, "command": "explain",
          "client": client, "backend": backend})
    self.run_well("explain", four, "web", "--vlan", "7")
    self.assertEqual(appliance.requests[-1]["vlan"], 7)

  def test_02_explain_refuses_what_is_no_tuple(self):
    self.appliance()
    for words in ([], ["web"], ["10.0.0.1", "web"], ["10.0.0.1:40000", "10.0.0.2:x"],
        ["10.0.0.1:70000", "web"], ["fd00::1:40000", "web"], ["10.0.0.1:4", "to", "web"],
        ["10.0.0.300:4", "web"], ["[fd00::1]40000", "web"], ["[fd00::1", "web"], ["[", "web"],
        ["10.0.0.1:4-"], ["-"], ["x" * 5000, "web"], ["[fd00::1]", "web"]):
      with self.subTest(words):
        self.run_status(2, "explain", *words)

  def test_03_doctor_ends_with_3_when_it_finds_something(self):
    appliance = self.appliance(doctor={"healthy": True, "findings": [], "lines": ["nothing wrong"]})
    self.assertEqual(self.run_well("doctor"), "nothing wrong\n")
    self.assertTrue(self.run_json("doctor")["healthy"])
    finding = {"cause": "accept-ring-too-small", "text": ["web loses clients."]}
    appliance.answers["doctor"] = {"healthy": False, "findings": [finding], "lines": []}
    self.assertEqual(self.run_status(3, "doctor"), ("web loses clients.\n", ""))
    out, _ = self.run_status(3, "-j", "doctor")
    self.assertEqual(json.loads(out)["findings"], [finding])
    appliance.answers["doctor"]["healthy"] = True
    self.run_status(3, "doctor")

  def test_04_ping(self):
    appliance = self.appliance()
    self.assertEqual(self.run_well("ping"), "sluice 0.1.0, process 77, up 2 min 5 s\n"
      "configuration 2 of /etc/sluice.json, generation 3\nnot reloaded since its start\n")
    appliance.answers["ping"] = {**PING, "last_reload": {"ago_s": 5, "accepted": False, "errors": 2,
      "first_error": "x.json:3: bad"}}
    self.assertIn("last reload 5.0 s ago: refused, 2 errors, the first: x.json:3: bad\n",
      self.run_well("ping"))

  def test_05_lists(self):
    appliance = self.appliance()
    told = ("List   IPv4  IPv6  File\ndeny     12     3  /etc/deny.txt\nallow     0     0  -\n"
      "read 1 min 15 s ago, with configuration 2\n")
    self.assertEqual(self.run_well("lists"), told + "SYNs are not limited\n")
    self.assertEqual(self.run_json("lists")["deny"]["ipv6"], 3)
    appliance.answers["ping"] = {**PING, "sources": {**PING["sources"], "syn_per_s": 100,
      "syn_burst": 200, "prefix": 24}}
    self.assertEqual(self.run_well("lists"), told +
      "at most 100 SYNs per second of one network (IPv4 /24, IPv6 /64), 200 at once\n")

  def test_06_stats(self):
    self.appliance(stats={"received": 5, "mbufs": {"free": 1}})
    self.assertEqual(json.loads(self.run_well("stats")), {"received": 5, "mbufs": {"free": 1}})
    self.assertEqual(self.run_json("stats")["received"], 5)


if __name__ == "__main__":
  main(__doc__)
