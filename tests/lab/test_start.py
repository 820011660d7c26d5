# SPDX-License-Identifier: BSD-3-Clause
"""Sluice starts cleanly, stops cleanly, or says in one message why it can't."""

import json
import re
import signal
import time

import tcp
from lab import (ALL_CPUS, DRIVERS, ECHO_PORT, FAMILIES, SERVER, SLUICE, SPARE_PORT, Sluice, expect,
  expect_equal, run, wait_until)
from registry import lab_test

BESIDE = True
EXIT_FAILED = 1
EXIT_CONFIG = 2


def refused(lab, config, status, *words):
  """A start that must fail with that status and a message with all the words."""
  sluice = Sluice(lab, config, check_end=False)
  expect(not sluice.wait_ready(), "Sluice started")
  expect_equal(sluice.process.wait(1), status, "exit status")
  message = sluice.process.err()
  for word in words:
    expect(word in message, f"nothing about {word!r} in:\n{message}")
  return message


@lab_test(offloads=(False,))
def no_such_device(lab):
  """A port that does not exist: its name in the message."""
  config = lab.config()
  config["ports"]["client"]["device"] = lab.vdev(0, "nowhere0")
  message = refused(lab, config, EXIT_FAILED, "nowhere0")
  expect_equal(message.count("sluice: "), 1, f"messages of Sluice's own in:\n{message}")


@lab_test(drivers=DRIVERS[:1])
def no_such_cpu(lab):
  """A core that does not exist: its number in the message."""
  config = lab.config(cpus=[1023])
  refused(lab, config, EXIT_FAILED, "1023")


@lab_test(drivers=DRIVERS[:1])
def bad_config(lab):
  """All errors of a configuration at once, each with line, path, value and what is allowed."""
  config = lab.config()
  config["queues"]["tcp_syncookies"] = 7
  config["queues"]["tcp_syncookie"] = 1
  config["limits"]["mbufs"] = "many"
  config["backends"].append(dict(config["backends"][0], name="again"))
  message = refused(lab, config, EXIT_CONFIG, "tcp_syncookies", "7", "0", "2", "tcp_syncookie",
    "mbufs", "many", config["backends"][0]["address"])
  lines = [line for line in message.splitlines() if ".json:" in line]
  expect_equal(len(lines), 4, f"lines with errors in:\n{message}")


@lab_test(drivers=DRIVERS[:1])
def malformed_config(lab):
  """JSON that ends too early, and a file that isn't there."""
  path = lab.directory / "broken.conf"
  path.write_text('{ "ports": {\n')
  for arguments, word in (((path,), "broken.conf:"), ((lab.directory / "none",), "none")):
    for check in ((), ("--check",)):
      done = run(SLUICE, *check, "--config", *arguments, check=False)
      expect_equal(done.returncode, EXIT_CONFIG, "exit status")
      expect(word in done.stdout, f"nothing about {word!r} in:\n{done.stdout}")


@lab_test(drivers=DRIVERS[:1])
def command_line(lab):
  """--check, --help and --version, and arguments that don't exist."""
  path = lab.directory / "good.conf"
  path.write_text(json.dumps(lab.config()))
  expect_equal(run(SLUICE, "--check", "--config", path, check=False).returncode, 0, "--check")
  expect("--config" in run(SLUICE, "--help").stdout, "--help shows no --config")
  expect("0." in run(SLUICE, "--version").stdout, "--version shows no number")
  for arguments in ((), ("--nonsense",), ("--config",), ("--config", path, "more"),
      ("--kernel", "nonsense", "--check", "--config", path)):
    expect_equal(run(SLUICE, *arguments, check=False).returncode, EXIT_CONFIG,
      f"exit status with arguments {arguments}")


@lab_test()
def interface_vanishes(lab):
  """A port is removed under a running Sluice: one message, exit status 1."""
  sluice = lab.start_sluice()
  sluice.check_end = False
  before = sluice.process.err()
  lab.sluice_host.ip("link", "delete", "s1")
  expect_equal(sluice.process.wait(10), EXIT_FAILED, "exit status")
  said = [line for line in sluice.process.err()[len(before):].splitlines() if "sluice: " in line]
  expect_equal(len(said), 1, f"messages of Sluice's own in {said}")
  expect("s1" in said[0] or "server" in said[0], f"the message names no port: {said[0]}")


@lab_test(beside=False)
def stop_in_mid_traffic(lab):
  """Each stop signal ends it within seconds, with connections open and packets under way."""
  for number in (signal.SIGTERM, signal.SIGINT):
    sluice = lab.start_sluice()
    for family in FAMILIES:
      client, server = tcp.connect_pair(lab, family, ECHO_PORT + (number == signal.SIGINT))
      tcp.exchange(client, server, 100000)
    flood = lab.flood("syn", 100000, 50000)
    wait_until(lambda: sluice.reason("syn_cookie_sent") > 0, 5, "the flood began")
    last = sluice.stop(number)
    expect_equal(last["total"]["CurrEstab"], len(FAMILIES), "CurrEstab in the last counters")
    flood.end()


@lab_test(drivers=DRIVERS[:1])
def pitfall_21_large_frames_refused(lab):
  """A peer that hands over 64 KB segments, which net_af_packet would cut off: no start, a message
  per port with the lines to run; once they were run, everything gets through."""
  message = refused(lab, lab.config(), EXIT_FAILED, "TSO", "ethtool -K c0 tso off",
    "ethtool -K s0 tso off")
  expect_equal(message.count("sluice: ports."), 2, f"messages about ports in:\n{message}")
  for line in re.findall(r"run: (.*ethtool .*)", message):
    lab.sluice_host.run("sh", "-c", line)
  lab.start_sluice()
  for family in FAMILIES:
    tcp.exchange(*tcp.connect_pair(lab, family, ECHO_PORT), 5000000)


@lab_test(drivers=DRIVERS[:1])
def pitfall_28_stopped_and_continued(lab):
  """The whole process stands still for 3 s, as under a debugger: connections live on, a client
  that was half open gets in, and no SYN-ACK, SYN or RST comes in a storm."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  pairs = [tcp.connect_pair(lab, family, ECHO_PORT) for family in FAMILIES]
  expect_equal(lab.flood("syn", 500, 5000).wait(10), 0, "exit status of the flood")
  listener = lab.server.listen(FAMILIES[0], SPARE_PORT)
  sluice.process.signal(signal.SIGSTOP)
  time.sleep(0.1)
  late = lab.client.socket(FAMILIES[0])
  late.setblocking(False)
  late.connect_ex((SERVER[FAMILIES[0]], SPARE_PORT))
  time.sleep(3)
  sluice.process.signal(signal.SIGCONT)
  for pair in pairs:
    tcp.exchange(*pair, 100000)
  late.settimeout(10)
  late.sendall(b"hello")
  server, _ = listener.accept()
  server.settimeout(10)
  expect_equal(tcp.receive_exactly(server, 5), b"hello", "words of the late client")
  counters = sluice.counters()
  expect_equal(counters["total"]["CurrEstab"], len(pairs) + 1, "CurrEstab")
  expect_equal(counters["total"]["EstabResets"], 0, "EstabResets")
  expect("no progress" not in sluice.process.err(), "a worker is blamed for the whole process")
  emitted = counters["emitted"]
  expect(emitted["syn_ack_again"] <= 1500, f"a storm of SYN-ACKs: {emitted}")
  expect(emitted["rst_client"] + emitted["rst_backend"] == 0, f"resets: {emitted}")


@lab_test(drivers=DRIVERS[:1], beside=False)
def two_workers(lab):
  """Two workers share the ports; whatever lands on the wrong one is steered."""
  expect(len(ALL_CPUS) >= 2, "this test needs two CPUs")
  sluice = lab.start_sluice(lab.config(cpus=ALL_CPUS[:2], vdev_extra=",qpairs=2"))
  echoes = [tcp.EchoServer(lab.server.listen(family, ECHO_PORT)) for family in FAMILIES]
  for number in range(100):
    client = lab.client.connect(FAMILIES[number % 2], ECHO_PORT)
    client.sendall(b"y" * 5000)
    expect_equal(tcp.receive_exactly(client, 5000), b"y" * 5000, f"echo on connection {number}")
    client.close()
  for echo in echoes:
    echo.close()
  workers = sluice.counters()["workers"]
  expect_equal(len(workers), 2, "workers in the counters")
  busy = sum(sum(worker["received"].values()) > 0 for worker in workers)
  expect_equal(busy, 2, "workers that received packets")
