# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own tools on a running Sluice: telemetry, dpdk-proc-info, dpdk-dumpcap."""

import json
import signal
import socket
import subprocess

import control
import tcp
from lab import DRIVERS, ECHO_PORT, SERVER, expect, expect_equal, run, wait_until
from registry import lab_test

FAMILY = socket.AF_INET
OPTIONS = ("backends", "backend", "workers", "reasons", "ports")
CAPTURE_PACKETS = 3


def prefix_of(lab, sluice):
  """The instance's file prefix, which is its folder below the runtime directory."""
  return f"sluice-{sluice.process.popen.pid}", lab.directory / "dpdk" / f"sluice-{sluice.process.popen.pid}"


class Telemetry:
  """A client of DPDK's telemetry socket."""

  def __init__(self, path):
    self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    self.socket.settimeout(5)
    self.socket.connect(str(path / "dpdk_telemetry.v2"))
    self.about = json.loads(self.socket.recv(1 << 16))

  def ask(self, question):
    self.socket.send(question.encode())
    return next(iter(json.loads(self.socket.recv(1 << 16)).values()))


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def telemetry(lab):
  """Every endpoint answers what the control socket says, has a help text, and refuses nonsense, also
  after an upgrade; dpdk-telemetry.py reads it. A second instance has a socket of its own."""
  sluice = lab.start_sluice(arguments=["--keep-state", lab.directory / "state"])
  prefix, path = prefix_of(lab, sluice)
  one = Telemetry(path)
  expect_equal(one.about["pid"], sluice.process.popen.pid, "pid")
  listed = one.ask("/")
  for option in OPTIONS:
    expect(f"/sluice/{option}" in listed, f"no /sluice/{option} in {listed}")
    expect(len(one.ask(f"/help,/sluice/{option}")[f"/sluice/{option}"]) > 20, f"help of {option}")

  listener = lab.server.listen(FAMILY, ECHO_PORT)
  tcp.exchange(*tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener), 10000)
  stats = control.ask(sluice, "stats")
  expect_equal(one.ask("/sluice/backends")["names"], list(stats["backends"]), "names")
  expect_equal(one.ask("/sluice/backends,6")["names"], list(stats["backends"])[6:], "the last names")
  backend = one.ask("/sluice/backend,echo-ipv4")
  expect_equal({key: backend[key] for key in stats["backends"]["echo-ipv4"]},
    stats["backends"]["echo-ipv4"], "counters")
  expect_equal((backend["established"], backend["local"]), (1, f"{SERVER[FAMILY]}:{ECHO_PORT}"), "backend")
  reasons = one.ask("/sluice/reasons")
  expect(reasons["spliced"] >= stats["reasons"]["spliced"] > 0, f"spliced: {reasons['spliced']}")
  expect(one.ask("/sluice/ports")["client"]["ipackets"] >= stats["ports"]["client"]["ipackets"] > 0,
    "packets of the client port")
  before = one.ask("/sluice/workers")["0"]
  wait_until(lambda: one.ask("/sluice/workers")["0"]["idle_cycles"] > before["idle_cycles"] > 0, 2,
    "idle cycles")
  for wrong in ("/sluice/backend,none", "/sluice/backend", "/sluice/backends,x", "/sluice/backend," + "x" * 500):
    expect_equal(one.ask(wrong), None, f"answer to {wrong[:30]}")

  others = [Telemetry(path) for _ in range(4)]
  for _ in range(20):
    for other in others:  # asked together, answered in turn
      other.socket.send(b"/sluice/backend,echo-ipv4")
    for other in others:
      expect(b'"recv_q":0' in other.socket.recv(1 << 16), "an answer to one of many")
  done = subprocess.run(["dpdk-telemetry.py", "-f", prefix], input="/sluice/workers\nquit\n", text=True,
    capture_output=True, timeout=10, check=False,
    env={"RUNTIME_DIRECTORY": str(lab.directory), "PATH": "/usr/bin:/bin"})
  expect("idle_cycles" in done.stdout, f"dpdk-telemetry.py said {done.stdout} {done.stderr}")

  config = lab.config()
  config["control"]["socket"] += "2"
  for number, side in enumerate(("client", "server")):
    config["ports"][side] = {"device":
      f"net_memif{number},role=server,socket={lab.directory}/memif{number},socket-abstract=no"}
  second = lab.start_sluice(config)
  expect_equal(Telemetry(prefix_of(lab, second)[1]).about["pid"], second.process.popen.pid, "second pid")
  second.stop()

  sluice.process.signal(signal.SIGUSR2)
  wait_until(lambda: sluice.process.err().count("sluice: ready:") == 2, 10, "the next process ready")
  expect_equal(Telemetry(path).ask("/sluice/backend,echo-ipv4")["established"], 1, "after an upgrade")


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def tools_attach(lab):
  """dpdk-proc-info and dpdk-dumpcap attach as secondary processes where huge pages are files, and
  what dumpcap wrote holds what the client sent."""
  if lab.eal_memory():
    print("no huge pages on this machine: nothing can attach")
    return
  huge = lab.directory / "huge"
  huge.mkdir()
  # The mount goes with the namespace that `ip netns exec` makes.
  lab.wrapper = ["sh", "-c", f'mount -t hugetlbfs none {huge} && exec "$@"', "sh"]
  config = lab.config()
  config["eal"] = ["--no-pci", "--huge-unlink=existing", "--huge-dir", str(huge)]
  sluice = lab.start_sluice(config)
  prefix, _ = prefix_of(lab, sluice)
  inside = ["nsenter", "--net", "--mount", "--target", sluice.process.popen.pid]

  said = run(*inside, "env", f"RUNTIME_DIRECTORY={lab.directory}", "dpdk-proc-info", "--no-pci",
    "--file-prefix", prefix, "--", "--stats").stdout
  expect("NIC statistics for port 1" in said, f"dpdk-proc-info said {said}")
  path = lab.directory / "client.pcapng"
  capture = lab.start("dumpcap", *inside, "dpdk-dumpcap", "--file-prefix", prefix, "-i", "0", "-f",
    f"tcp port {ECHO_PORT}", "-c", CAPTURE_PACKETS, "-w", path)
  listener = lab.server.listen(FAMILY, ECHO_PORT)

  def captured():
    tcp.exchange(*tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener), 1000)
    return not capture.running()
  # It doesn't say when it begins.
  wait_until(captured, 10, "packets captured")
  expect_equal(capture.wait(1), 0, f"exit status of dpdk-dumpcap: {capture.out()}{capture.err()}")
  seen = run("tshark", "-r", path, "-T", "fields", "-e", "ip.src", "-e", "tcp.dstport").stdout
  expect(f"10.0.0.1\t{ECHO_PORT}" in seen, f"tshark reads {seen}")

  path = lab.directory / "client.pcap"
  dump = lab.start("pdump", *inside, "env", f"RUNTIME_DIRECTORY={lab.directory}", "dpdk-pdump", "--no-pci",
    "--file-prefix", prefix, "--", "--pdump", f"port=0,queue=*,rx-dev={path},total-num-mbufs=4095")

  def dumped():
    expect(dump.running(), f"dpdk-pdump ended: {dump.out()}{dump.err()}")
    tcp.exchange(*tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener), 100000)
    return path.exists() and path.stat().st_size > 10000
  wait_until(dumped, 10, "packets dumped")
  dump.signal(signal.SIGINT)
  expect_equal(dump.wait(10), 0, f"exit status of dpdk-pdump: {dump.out()}{dump.err()}")
  seen = run("tshark", "-r", path, "-T", "fields", "-e", "ip.src", "-e", "tcp.dstport").stdout
  expect(f"10.0.0.1\t{ECHO_PORT}" in seen, f"tshark reads {seen}")
  tcp.exchange(*tcp.connect_pair(lab, FAMILY, ECHO_PORT, listener), 10000)
