# SPDX-License-Identifier: BSD-3-Clause
"""Each command of sluicectl once for real, against a Sluice with traffic."""

import json
import socket

import control
import tcp
from control import sluicectl, sluicectl_json
from lab import (CLIENT, DRIVERS, ECHO_PORT, FAMILIES, FAMILY_NAME, SERVER, SPARE_PORT, expect,
  expect_equal, run, wait_until)
from registry import lab_test

BESIDE = True
FAMILY = socket.AF_INET
SS_KEYS = {"backend", "state", "local", "recv_q", "send_q", "syn_recv", "syn_recv_max", "mode",
  "established"}
BACKENDS = 8
HALF_OPEN = 300


def text_of(end):
  """A socket's own address as sluicectl writes it."""
  address, port = end.getsockname()[:2]
  return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@lab_test(drivers=DRIVERS[:1])
def listings(lab):
  """ss, ss syn-recv and ss established: text and JSON agree with what the hosts know."""
  sluice = lab.start_sluice(tcp_syncookies=1, somaxconn=1024)
  ends = {family: tcp.connect_pair(lab, family, ECHO_PORT) for family in FAMILIES}
  rows = sluicectl_json(sluice, "ss")
  expect_equal(len(rows), BACKENDS, "lines of --json ss")
  for row in rows:
    expect(SS_KEYS <= row.keys(), f"keys {SS_KEYS - row.keys()} are missing")
    expect_equal((row["state"], row["mode"], row["send_q"]), ("LISTEN", "queue", 1024), "a line")
    expect_equal(row["established"], int(row["backend"].startswith("echo")), "established")
  text = sluicectl(sluice, "ss")
  for row in rows:
    expect(row["backend"] in text and row["local"] in text, f"{row['local']} is not in:\n{text}")
  for family, (client, _) in ends.items():
    backend = f"echo-{FAMILY_NAME[family]}"
    row, = sluicectl_json(sluice, "ss", "established", "--backend", backend)
    expect_equal((row["client"], row["state"]), (text_of(client), "established"), "a connection")
    expect(text_of(client) in sluicectl(sluice, "ss", "established", "--client", text_of(client)),
      "ss established does not show its connection")
  expect_equal(len(sluicectl_json(sluice, "ss", "established")), 2, "connections")
  half_open(lab, sluice)


def half_open(lab, sluice):
  """Clients that never answer are listed over several pages, each once."""
  expect_equal(lab.flood("syn", HALF_OPEN, 2000).wait(10), 0, "exit status of the flood")
  wait_until(lambda: control.listed(sluice, "echo-ipv4")["syn_recv"] == HALF_OPEN, 2,
    "every SYN in the queue")
  rows = sluicectl_json(sluice, "ss", "syn-recv")
  expect_equal(len({row["client"] for row in rows}), HALF_OPEN, "different half-open clients")
  expect_equal({row["state"] for row in rows}, {"syn-recv"}, "states of half-open clients")
  one = rows[0]["client"]
  expect_equal([row["client"] for row in sluicectl_json(sluice, "ss", "syn-recv", "--client", one)],
    [one], "half-open clients chosen by address")
  expect(len(sluicectl(sluice, "ss", "syn-recv", "--limit", 5).splitlines()) <= 7, "--limit 5")
  expect_equal(sluicectl_json(sluice, "ss", "syn-recv", "--backend", "spare-ipv4"), [],
    "half-open clients of another backend")
  said = sluicectl(sluice, "explain", one, "echo-ipv4")
  expect("SYN" in said.upper(), f"explain does not know a half-open client:\n{said}")
  told = sluicectl_json(sluice, "flush", "echo-ipv4", "--yes")
  expect_equal((told["ended"], told["complete"]), (HALF_OPEN + 1, True), "ended by flush")
  expect_equal(control.listed(sluice, "echo-ipv4")["syn_recv"], 0, "SYN_RECV after flush")


@lab_test(drivers=DRIVERS[:1])
def counting(lab):
  """netstat: totals are the sums over backends; names as Linux has them; --diff is since last
  time."""
  sluice = lab.start_sluice(tcp_syncookies=2)
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, 1000)
  found = sluicectl_json(sluice, "netstat")
  expect(set(found) >= {"total", "backends", "reasons"}, f"keys of netstat: {set(found)}")
  for name, value in found["total"].items():
    expect_equal(value, sum(counters[name] for counters in found["backends"].values()), name)
  for name in ("SyncookiesSent", "SyncookiesRecv", "PassiveOpens", "ActiveOpens", "CurrEstab"):
    expect_equal(found["total"][name], 2, name)
    expect_equal(found["backends"]["echo-ipv6"][name], 1, f"{name} of a backend")
  expect(found["reasons"]["syn_cookie_sent"] == 2, "reason syn_cookie_sent")
  text = sluicectl(sluice, "netstat")
  expect("SyncookiesSent" in text and "syn_cookie_sent" in text, f"netstat prints:\n{text}")
  sluicectl(sluice, "netstat", "--diff")
  tcp.connect_pair(lab, FAMILY, SPARE_PORT)
  lines = sluicectl(sluice, "netstat", "--diff").splitlines()
  sent = [line.split() for line in lines if "SyncookiesSent" in line]
  expect(sent and all(line[1] == "1" for line in sent), f"SyncookiesSent since last time: {sent}")
  for path in (sluicectl_json(sluice, "stats"), sluice.counters()):
    expect_equal(path["total"]["PassiveOpens"], 3, "PassiveOpens of stats and SIGUSR1")


@lab_test(drivers=DRIVERS[:1])
def setting(lab):
  """set takes effect at once, says that it is not saved, and lasts until the next reload; what
  can't be is refused with what is allowed."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  said = sluicectl(sluice, "set", "echo-ipv4", "backlog", "17")
  expect("17" in said and "4096" in said, f"set does not say old and new:\n{said}")
  expect("not saved" in said or "reload" in said, f"set does not say for how long:\n{said}")
  expect_equal(control.listed(sluice, "echo-ipv4")["send_q"], 17, "Send-Q")
  expect_equal(control.listed(sluice, "echo-ipv6")["send_q"], 4096, "Send-Q of another backend")
  sluicectl(sluice, "set", "echo-ipv4", "queue_rules", "linux-2.6")
  expect_equal(control.listed(sluice, "echo-ipv4")["syn_recv_max"], 32, "limit by linux-2.6")
  sluicectl(sluice, "set", "echo-ipv4", "tcp_syncookies", "2")
  expect_equal(control.listed(sluice, "echo-ipv4")["mode"], "cookie", "mode")
  client, server = tcp.connect_pair(lab, FAMILY, ECHO_PORT)
  expect_equal(control.counters(sluice, "echo-ipv4")["SyncookiesRecv"], 1, "SyncookiesRecv")
  for backend, key, value, words in (("echo-ipv4", "backlog", "0", ("1..1048576",)),
      ("echo-ipv4", "backlgo", "5", ("backlog",)), ("nobody", "backlog", "5", ("nobody",)),
      ("echo-ipv4", "backlog", "many", ("backlog",)), ("echo-ipv4", "port", "81", ("port",))):
    said = sluicectl(sluice, "set", backend, key, value, status=control.EXIT_REFUSED)
    for word in words:
      expect(word in said, f"nothing about {word} in:\n{said}")
  sluicectl(sluice, "reload")
  row = control.listed(sluice, "echo-ipv4")
  expect_equal((row["send_q"], row["mode"]), (4096, "queue"), "after a reload")
  tcp.exchange(client, server, 100000)


@lab_test(drivers=DRIVERS[:1])
def reloading(lab):
  """check says what a reload would do and does nothing; reload does it."""
  config = lab.config(tcp_syncookies=1)
  sluice = lab.start_sluice(config)
  gone = config["backends"].pop(0)["name"]
  config["backends"][0]["name"] = "renamed"
  config["backends"].append({"name": "coming", "address": SERVER[FAMILY], "port": 7100})
  sluice.path.write_text(json.dumps(config))
  said = sluicectl(sluice, "check")
  for name in (gone, "coming"):
    expect(name in said, f"check does not say that {name} would change:\n{said}")
  expect(gone in sluicectl(sluice, "ss"), "check removed a backend")
  told = sluicectl_json(sluice, "reload")
  expect_equal((told["added"], told["removed"]), (["coming"], [gone]), "what the reload did")
  names = {row["backend"] for row in sluicectl_json(sluice, "ss")}
  expect(names >= {"coming", "renamed"} and gone not in names, f"backends listed: {names}")
  config["backends"][0]["backlog"] = -1
  config["queues"]["somaxcon"] = 1
  sluice.path.write_text(json.dumps(config))
  for command in (("check",), ("reload",)):
    said = sluicectl(sluice, *command, status=control.EXIT_REFUSED)
    expect("backlog" in said and "somaxconn" in said, f"{command} does not say both errors:\n{said}")
    expect("error" in sluicectl_json(sluice, *command, status=control.EXIT_REFUSED), "no error")
  said = sluicectl(sluice, "check", sluice.path, status=control.EXIT_USAGE)
  expect("backlog" in said and "somaxconn" in said, f"check FILE does not say both errors:\n{said}")


@lab_test(drivers=DRIVERS[:1])
def explaining(lab):
  """explain: a connection that stands, one that was, a client that never came, an address that is
  not protected."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    tcp.exchange(client, server, 1000)
    backend = f"echo-{FAMILY_NAME[family]}"
    local = control.listed(sluice, backend)["local"]
    for arguments in ((text_of(client), backend), (text_of(client), local),
        (f"{text_of(client)}->{local}",)):
      expect("established" in sluicectl(sluice, "explain", *arguments), f"explain {arguments}")
    found = sluicectl_json(sluice, "explain", text_of(client), local)
    expect_equal(found["connection"]["state"], "established", "state of a connection")
    expect_equal(found["syn_recv"], None, "half-open client of a connection")
  stranger = sluicectl_json(sluice, "explain", f"{CLIENT[FAMILY]}:9", "echo-ipv4")
  expect_equal((stranger["connection"], stranger["syn_recv"]), (None, None), "a stranger")
  expect(stranger["next"]["syn"]["reason"].startswith("syn_"), "reason of a next SYN")
  said = sluicectl(sluice, "explain", f"{CLIENT[FAMILY]}:9", f"{SERVER[FAMILY]}:9")
  expect("pass" in said or "not protected" in said, f"an address that is no backend's:\n{said}")
  sluicectl(sluice, "explain", "nonsense", "echo-ipv4", status=control.EXIT_USAGE)
  sluicectl(sluice, "explain", f"{CLIENT[FAMILY]}:9", "nobody", status=control.EXIT_REFUSED)


@lab_test(drivers=DRIVERS[:1])
def flushing(lab):
  """flush resets the connections of one backend at both ends, and no other's."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  ended = [tcp.connect_pair(lab, FAMILY, ECHO_PORT) for _ in range(5)]
  others = tcp.connect_pair(lab, FAMILY, SPARE_PORT)
  tcp.exchange(*ended[0], 1000)
  sluicectl(sluice, "flush", "echo-ipv4", "--yes")
  for client, server in ended:
    tcp.expect_reset(client, 2)
    tcp.expect_reset(server, 2)
  tcp.exchange(*others, 100000)
  expect_equal(control.listed(sluice, "echo-ipv4")["established"], 0, "established after flush")
  tcp.connect_pair(lab, FAMILY, ECHO_PORT)


@lab_test(drivers=DRIVERS[:1])
def small_commands(lab):
  """ping, stats, watch, completion, help and wrong usage; and no appliance at all."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  expect_equal(sluicectl_json(sluice, "ping")["pid"], sluice.process.popen.pid, "pid")
  watched = sluicectl(sluice, "watch", "--interval", 1, "--count", 2)
  expect(watched.count("web-ipv4") >= 2, f"watch printed:\n{watched}")
  lines = sluicectl(sluice, "--json", "watch", "--interval", 1, "--count", 2).splitlines()
  expect_equal([isinstance(json.loads(line), dict) for line in lines], [True, True], "--json watch")
  expect("complete" in sluicectl(sluice, "completion", "bash"), "no completion")
  run("bash", "-n", input=sluicectl(sluice, "completion", "bash"))
  for command in ("ss", "netstat", "watch", "set", "reload", "check", "explain", "doctor", "flush"):
    for arguments in (("help", command), (command, "--help")):
      expect("xample" in sluicectl(sluice, *arguments), f"{arguments} shows no example")
  for arguments in (("sss",), ("ss", "--nonsense"), ("set", "web-ipv4"), ()):
    sluicectl(sluice, *arguments, status=control.EXIT_USAGE)
  expect("ss" in sluicectl(sluice, "sss", status=control.EXIT_USAGE), "no nearest command")
  sluice.stop()
  sluicectl(sluice, "ss", status=control.EXIT_REFUSED)
  expect("error" in sluicectl_json(sluice, "ss", status=control.EXIT_REFUSED), "no error as JSON")
