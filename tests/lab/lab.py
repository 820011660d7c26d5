# SPDX-License-Identifier: BSD-3-Clause
"""A small network in namespaces, with Sluice in the middle.

    client (c0) ---- (c1) sluice (s1) ---- (s0) server

One flat Ethernet segment: the client is 10.0.0.1 and fd00::1, the server 10.0.0.2 and fd00::2.
Both ends are real Linux hosts. With the driver DIRECT there is no Sluice, and c0 is joined to s0.
A relay (relay.py) may stand in either wire, or a router through which no packet larger than
ROUTER_MTU fits. Everything that a Lab starts or makes ends with it,
also after a signal; nothing else on the machine is touched. Sluice's worker has a CPU of its own, or
shares it with those of labs beside this one; all the rest shares the others.
"""

import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from relay import Relay

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD_DIR", REPOSITORY / "build"))
SLUICE = BUILD / "app" / "sluice"
FLOOD = BUILD / "tests" / "lab" / "flood"
FLOOD_OBJECT = BUILD / "tests" / "lab" / "flood.bpf.o"
VIRTIO_PEER = BUILD / "tests" / "lab" / "virtio_peer"
VLAN_OBJECT = BUILD / "tests" / "lab" / "vlan.bpf.o"

CLIENT = {socket.AF_INET: "10.0.0.1", socket.AF_INET6: "fd00::1"}
SERVER = {socket.AF_INET: "10.0.0.2", socket.AF_INET6: "fd00::2"}
FAMILIES = (socket.AF_INET, socket.AF_INET6)
FAMILY_NAME = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
# A router's own addresses, towards its host and towards Sluice.
ROUTER_OUTER = {socket.AF_INET: "10.0.0.253", socket.AF_INET6: "fd00::fd"}
ROUTER_INNER = {socket.AF_INET: "10.0.0.254", socket.AF_INET6: "fd00::fe"}
ROUTER_MTU = 1280  # the least that IPv6 allows

WEB_PORT = 80        # nginx
TLS_PORT = 443       # nginx with tls; protected only where a test says so
ECHO_PORT = 7000     # whatever a test puts there; protected
SPARE_PORT = 7001    # a second such port
REFUSED_PORT = 7002  # protected, and nobody listens
FOREIGN_PORT = 9000  # not protected

DRIVERS = ("af_packet", "af_xdp")
DIRECT = "direct"
# What a wire between two hosts would not do: segments beyond the MTU, checksums left open,
# tags beside the frame instead of inside.
OFFLOADS = ("tx", "rx", "tso", "gso", "gro", "txvlan", "rxvlan")
START_TIMEOUT_S = 30
VIRTIO_RING = 1024  # mbufs in a ring of a virtio port
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23


class Failure(AssertionError):
  """A test found something that should not be."""


def expect(condition, message):
  """Raises Failure with the message unless the condition holds."""
  if not condition:
    raise Failure(message)


def expect_equal(found, wanted, what):
  """Raises Failure unless both are equal."""
  expect(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


def wait_until(condition, timeout_s, what):
  """Polls until the condition holds; its value. Raises Failure after the timeout, having looked once
  more then: this process may have stood still meanwhile."""
  end = time.monotonic() + timeout_s
  while True:
    is_late = time.monotonic() > end
    value = condition()
    if value:
      return value
    expect(not is_late, f"{what}: not within {timeout_s} s")
    time.sleep(0.02)


def cpus_shared_out():
  """The CPU for one worker, and the set for everything else."""
  cpus = sorted(os.sched_getaffinity(0))
  worker = cpus[1] if len(cpus) > 1 else cpus[0]
  return worker, set(cpus) - {worker} or {worker}


LOG_BYTES = 2000  # of each file that a failed test shows
REPLACED = "\N{REPLACEMENT CHARACTER}"
ALL_CPUS = sorted(os.sched_getaffinity(0))
WORKER_CPU, OTHER_CPUS = cpus_shared_out()


def run(*command, timeout=60, check=True, **options):
  """Runs a command to its end and returns it with its output as text."""
  done = subprocess.run([str(word) for word in command], timeout=timeout, text=True, check=False,
    **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options})
  if check and done.returncode != 0:
    raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
  return done


class Process:
  """A program in the background with its output in files."""

  def __init__(self, name, command, directory, cpus=None, stdin=subprocess.DEVNULL, stdout=None):
    self.name = name
    self.out_path = directory / f"{name}.out"
    self.err_path = directory / f"{name}.err"
    with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
      # DPDK leaves a folder behind: rather here than in /run.
      self.popen = subprocess.Popen([str(word) for word in command], stdin=stdin,
        stdout=stdout or out, stderr=err, env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)),
        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)

  def out(self):
    return self.out_path.read_text(errors="replace")

  def err(self):
    return self.err_path.read_text(errors="replace")

  def running(self):
    return self.popen.poll() is None

  def signal(self, number):
    self.popen.send_signal(number)

  def wait(self, timeout_s):
    """Waits for the end; the exit status."""
    try:
      return self.popen.wait(timeout_s)
    except subprocess.TimeoutExpired:
      raise Failure(f"{self.name} still runs after {timeout_s} s") from None

  def end(self):
    """Ends it, gently if it listens."""
    if self.running():
      self.popen.terminate()
      try:
        self.popen.wait(5)
      except subprocess.TimeoutExpired:
        self.popen.kill()
        self.popen.wait()


class Namespace:
  """A network namespace; a host of its own as far as networking goes."""

  _setns = ctypes.CDLL(None, use_errno=True).setns

  def __init__(self, lab, name):
    self.lab = lab
    self.name = f"sluice-{os.getpid()}-{lab.number}-{name}"
    run("ip", "netns", "add", self.name)
    # A host, not a router, whatever the machine around it is.
    self.sysctl("net.ipv4.ip_forward", 0)
    self.sysctl("net.ipv6.conf.all.accept_dad", 0)
    self.sysctl("net.ipv6.conf.default.accept_dad", 0)
    self.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)
    self.ip("link", "set", "lo", "up")

  def remove(self):
    run("ip", "netns", "delete", self.name, check=False)

  @contextlib.contextmanager
  def entered(self):
    """The calling thread is inside meanwhile. A socket made inside stays inside for ever."""
    with open("/proc/thread-self/ns/net", "rb") as before:
      with open(f"/run/netns/{self.name}", "rb") as inside:
        self._enter(inside)
      try:
        yield
      finally:
        self._enter(before)

  def _enter(self, file):
    if self._setns(file.fileno(), CLONE_NEWNET) != 0:
      raise OSError(ctypes.get_errno(), "setns")

  def socket(self, family, kind=socket.SOCK_STREAM, protocol=0):
    with self.entered():
      made = socket.socket(family, kind, protocol)
    self.lab.sockets.append(made)
    made.settimeout(20)
    return made

  def packet_socket(self, device):
    """A socket for all frames that come in at a device."""
    made = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    made.bind((device, ETH_P_ALL))
    return made

  def listen(self, family, port, backlog=1024):
    """A listening TCP socket on the server's address."""
    listener = self.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SERVER[family], port))
    listener.listen(backlog)
    return listener

  def connect(self, family, port):
    """A connected TCP socket to the server."""
    client = self.socket(family)
    client.connect((SERVER[family], port))
    return client

  def run(self, *command, **options):
    with self.entered():
      return run(*command, **options)

  def start(self, name, *command, cpus=None):
    with self.entered():
      return self.lab.start(name, *command, cpus=cpus)

  def ip(self, *arguments):
    return run("ip", "-n", self.name, *arguments)

  def ip_batch(self, *lines):
    """Several commands of ip in one process."""
    run("ip", "-n", self.name, "-batch", "-", input="".join(f"{line}\n" for line in lines))

  def sysctl(self, key, value):
    with self.entered():
      pathlib.Path("/proc/sys", key.replace(".", "/")).write_text(f"{value}\n")

  def nft(self, rules):
    """Loads nftables rules."""
    return self.run("nft", "-f", "-", input=rules)

  def nft_clear(self):
    self.run("nft", "flush", "ruleset")

  def nft_counter(self, name):
    """Packets counted by a named counter in a table named lab."""
    rules = json.loads(self.run("nft", "-j", "list", "counters").stdout)["nftables"]
    found = [rule["counter"] for rule in rules if "counter" in rule]
    return sum(counter["packets"] for counter in found if counter["name"] == name)

  def mac(self, interface):
    with self.entered():
      links = json.loads(run("ip", "-j", "link", "show", "dev", interface).stdout)
    return links[0]["address"]

  def offloads_off(self, interface):
    self.run("ethtool", "-K", interface, *(word for name in OFFLOADS for word in (name, "off")))


class Sluice:
  """The appliance under test, as a process."""

  def __init__(self, lab, config, check_end=True, arguments=(), program=SLUICE):
    self.lab = lab
    self.config = config
    self.check_end = check_end
    number = sum(process.name.startswith("sluice") for process in lab.processes)
    self.path = lab.directory / f"config{number}.json"
    self.path.write_text(json.dumps(config) + "\n")
    self.process = lab.start(f"sluice{number}", "ip", "netns", "exec", lab.sluice_host.name,
      *lab.wrapper, program, "--config", self.path, *arguments, cpus=ALL_CPUS)
    self.printed = 0

  def wait_ready(self):
    """Waits for "ready"; False when it ended before."""
    wait_until(lambda: "ready" in self.process.err() or not self.process.running(),
      START_TIMEOUT_S, "Sluice ready or ended")
    return self.process.running() and "ready" in self.process.err()

  def counters(self):
    """What it prints on SIGUSR1, parsed."""
    self.process.signal(signal.SIGUSR1)
    return self._next_line(5)

  def _next_line(self, timeout_s):
    def lines():
      text = self.process.out()
      return text[:text.rfind("\n") + 1].splitlines()[self.printed:]
    line = wait_until(lines, timeout_s, "counters on standard output")[0]
    self.printed += 1
    return json.loads(line)

  def reason(self, name):
    return self.counters()["reasons"].get(name, 0)

  def stop(self, number=signal.SIGTERM):
    """Stops it and checks what must hold after every test; the last counters."""
    self.process.signal(number)
    expect_equal(self.process.wait(15), 0, "exit status after a stop signal")
    last = self._next_line(1)
    self.check_counters(last)
    return last

  def check_counters(self, counters):
    """What must hold in every lab test: each packet one reason, no mbuf lost."""
    expect_equal(sum(counters["reasons"].values()), counters["received"], "sum of reasons")
    mbufs = counters["mbufs"]
    if self.lab.virtio and self.lab.driver == "af_packet":
      # Its driver keeps sent ones until the ring is full, and can't be asked for them.
      expect(0 <= mbufs["in_use"] - mbufs["in_use_at_start"] <= len(self.lab.virtio) * VIRTIO_RING,
        f"mbufs in use, end and start: {mbufs}")
    else:
      expect_equal(mbufs["in_use"], mbufs["in_use_at_start"], "mbufs in use, end and start")
    expect_equal(counters["emitted"].get("failed", 0), 0, "packets not emitted for want of mbufs")


class Lab:
  """The hosts. Use it in a with statement; leaving it removes everything. relays: the wires,
  "client" or "server", that have a relay in them; router: the wire that has a router instead;
  virtio: those that are a virtio link, whose host is handed merged segments and hands over such."""

  _numbers = itertools.count()

  def __init__(self, driver="af_packet", offloads=True, tags="", relays=(), router="", virtio=()):
    self.number = next(self._numbers)
    self.driver = driver
    # A relay carries frames, not what offloads make, and a router checks their size.
    self.offloads = offloads and not relays and not router
    self.router_wire = router
    self.virtio = virtio
    self.virtio_peers = {}
    self.virtio_waiting = []
    self.tags = tags
    self.relays = dict.fromkeys(relays)
    self.processes = []
    self.sockets = []
    self.namespaces = []
    self.sluices = []
    self.wrapper = []
    self.directory = None

  def __enter__(self):
    os.sched_setaffinity(0, OTHER_CPUS)
    self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-lab-"))
    try:
      self._make_network()
    except BaseException:
      self.__exit__(None, None, None)
      raise
    return self

  def __exit__(self, *_):
    for process in reversed(self.processes):
      process.end()
    for relay in filter(None, self.relays.values()):
      relay.close()
    for sock in self.sockets:
      sock.close()
    for namespace in reversed(self.namespaces):
      namespace.remove()

  def finish(self):
    """After a test that passed: stops every Sluice that still runs, with all checks."""
    for sluice in self.sluices:
      if sluice.check_end and sluice.process.running():
        sluice.stop()

  def remove_directory(self):
    shutil.rmtree(self.directory, ignore_errors=True)

  def logs(self):
    """The end of everything that was logged; of files that were transferred, that they are there."""
    parts = []
    for path in sorted(self.directory.glob("*")):
      if path.suffix in (".out", ".err", ".log", ".json") and path.stat().st_size:
        text = path.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        if text.count(REPLACED) > LOG_BYTES / 100:
          text = f"{path.stat().st_size} bytes that are no text\n"
        parts.append(f"--- {path.name}\n{text}")
    return "\n".join(parts)

  def _host(self, name):
    namespace = Namespace(self, name)
    self.namespaces.append(namespace)
    return namespace

  def _make_network(self):
    self.client = self._host("client")
    self.server = self._host("server")
    if self.driver == DIRECT:
      self._wire("client", self.client, "c0", self.server, "s0")
    else:
      self.sluice_host = self._host("sluice")
      self._wire("client", self.client, "c0", self.sluice_host, "c1")
      self._wire("server", self.server, "s0", self.sluice_host, "s1")
    for host, outer, inner in ((self.client, "c0", "c1"), (self.server, "s0", "s1")):
      self._tag(host, outer)
      if (self.driver, self.tags) == ("af_packet", "qinq"):
        # Beyond the MTU a packet socket sends one tag, and only 802.1Q (packet_extra_vlan_len_allowed).
        self.sluice_host.ip("link", "set", inner, "mtu", 1504)
    # A veth lets pass one tag beyond its MTU, not two.
    mtu = "" if self.tags in ("", "vlan") else "mtu 1496"
    for host, device, (ip4, ip6) in ((self.client, "c0", CLIENT.values()),
        (self.server, "s0", SERVER.values())):
      host.ip_batch(f"address add {ip4}/24 dev {device} noprefixroute",
        f"address add {ip6}/64 dev {device} noprefixroute nodad",
        f"route add 10.0.0.0/24 dev {device} {mtu}", f"route add fd00::/64 dev {device} {mtu}")
    # Answers to sources that do not exist go back the way they came, as through a router.
    self.server.ip_batch(*(f"route add default via {address}" for address in CLIENT.values()))
    if self.router_wire:
      self._route()

  def _wire(self, name, first, first_device, second, second_device):
    """Joins two hosts' devices, through a relay if this wire has one."""
    if name == self.router_wire:
      self.router = self._host("router")
      self._veth(first, first_device, self.router, "r0")
      self._veth(self.router, "r1", second, second_device)
      return
    if name in self.virtio:
      self._virtio(name, first, first_device)
      return
    if name not in self.relays:
      self._veth(first, first_device, second, second_device)
      return
    between = self._host(f"relay-{name}")
    self._veth(first, first_device, between, "r0")
    self._veth(between, "r1", second, second_device)
    self.relays[name] = Relay([between.packet_socket(device) for device in ("r0", "r1")])

  def _route(self):
    """Makes the router one, and sends both hosts' packets for each other through it. Its MTU is
    one of its routes, not of its devices: both hosts believe in 1500 until they are told."""
    self.router.sysctl("net.ipv4.ip_forward", 1)
    self.router.sysctl("net.ipv6.conf.all.forwarding", 1)
    hosts = [(self.client, "c0", CLIENT), (self.server, "s0", SERVER)]
    if self.router_wire == "server":
      hosts.reverse()
    (outer, outer_device, outer_address), (inner, inner_device, inner_address) = hosts
    for device, link_local in (("r0", "fe80::fd"), ("r1", "fe80::fe")):
      # For others a router asks for neighbours from its link-local address.
      self.router.ip("address", "add", f"{link_local}/64", "dev", device, "nodad")
    for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
      for device, own, beyond in (("r0", ROUTER_OUTER, outer_address),
          ("r1", ROUTER_INNER, inner_address)):
        self.router.ip("address", "add", f"{own[family]}/{bits}", "dev", device,
          *(["nodad"] if family == socket.AF_INET6 else []))
        self.router.ip("route", "add", f"{beyond[family]}/{bits}", "dev", device, "mtu", "lock",
          ROUTER_MTU)
      outer.ip("route", "add", f"{inner_address[family]}/{bits}", "via", ROUTER_OUTER[family],
        "dev", outer_device)
      inner.ip("route", "add", f"{outer_address[family]}/{bits}", "via", ROUTER_INNER[family],
        "dev", inner_device)

  def _veth(self, first, first_device, second, second_device):
    second.ip_batch(f"link add {second_device} type veth peer name {first_device} netns {first.name}",
      f"link set {second_device} up")
    first.ip("link", "set", first_device, "up")
    if not self.offloads:
      first.offloads_off(first_device)
      second.offloads_off(second_device)

  def _virtio(self, name, host, device):
    """A tap device that a process of its own joins to Sluice's virtio port by vhost-user. Sluice is
    the machine and the process its host, or, beside a port of af_xdp, the other way round."""
    host.ip("tuntap", "add", device, "mode", "tap", "vnet_hdr")
    host.ip("link", "set", device, "up")
    if self.driver == "af_packet":
      self._virtio_join(name, host, device)
    else:
      self.virtio_waiting.append((name, host, device))  # for Sluice to make the socket

  def _virtio_join(self, name, host, device):
    path = f"{self.directory}/{name}.sock"
    vdev = (f"net_vhost0,iface={path},tso=1" if self.driver == "af_packet" else
      f"net_virtio_user0,path={path},queue_size={VIRTIO_RING}")
    peer = host.start(f"virtio-{name}", VIRTIO_PEER, vdev, device, "--lcores",
      f"0@{min(OTHER_CPUS)}", *self.eal_memory())
    self.virtio_peers[name] = peer
    wait_until(lambda: "ready" in peer.out() or not peer.running(), 20, "the virtio peer is ready")
    expect(peer.running(), f"the virtio peer ended:\n{peer.err()}")

  def virtio_merged(self, name):
    """How many merged segments went from the peer to Sluice, and came from it."""
    peer = self.virtio_peers[name]
    before = peer.out().count("\n")
    peer.signal(signal.SIGUSR1)
    wait_until(lambda: peer.out().count("\n") > before, 5, "counts of the virtio peer")
    counts = json.loads(peer.out().splitlines()[-1])
    return counts["to_port"], counts["from_port"]

  @staticmethod
  def eal_memory():
    """EAL's arguments for huge pages, or without any on a machine that has too few."""
    if int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text()) < 256:
      return ["--no-huge", "-m", "512"]
    return []

  def _tag(self, host, device):
    """Puts all that the host sends on the device into VLANs, and takes the tags off what it
    receives; self.tags names the programs in vlan.bpf.c. Unlike VLAN devices this needs no kernel
    module."""
    if not self.tags:
      return
    host.run("tc", "qdisc", "add", "dev", device, "clsact")
    for direction, action in (("egress", "push"), ("ingress", "pop")):
      host.run("tc", "filter", "add", "dev", device, direction, "bpf", "direct-action",
        "object-file", VLAN_OBJECT, "section", f"tc/{action}_{self.tags}")

  def start(self, name, *command, cpus=None):
    process = Process(name, command, self.directory, cpus)
    self.processes.append(process)
    return process

  def vdev(self, index, interface, extra=""):
    name = ("client", "server")[index]
    if name in self.virtio:
      path = f"{self.directory}/{name}.sock"
      return (f"net_virtio_user{index},path={path},queue_size={VIRTIO_RING}{extra}"
        if self.driver == "af_packet" else f"net_vhost{index},iface={path},tso=1{extra}")
    if self.driver == "af_packet":
      # The default ring of 512 frames overflows when the worker has to wait for its CPU.
      extra += ",framecnt=4096"
    return f"net_{self.driver}{index},iface={interface}{extra}"

  def config(self, cpus=None, vdev_extra="", **queues):
    """A configuration with every port of both families protected."""
    eal = ["--in-memory", "--no-pci", *self.eal_memory()]
    if self.virtio:
      eal.append("--single-file-segments")  # few enough for vhost-user to pass on
    # The driver can't tell by itself; a driver that can isn't told.
    tags = {"qinq_outer": "0x88a8"} if (self.driver, self.tags) == ("af_packet", "qinq") else {}
    backends = []
    for family in FAMILIES:
      for name, port in (("web", WEB_PORT), ("echo", ECHO_PORT), ("spare", SPARE_PORT),
          ("refused", REFUSED_PORT)):
        backends.append({"name": f"{name}-{FAMILY_NAME[family]}", "address": SERVER[family],
          "port": port, "backlog": 4096})
    return {
      "ports": {"client": {"device": self.vdev(0, "c1", vdev_extra), **tags},
        "server": {"device": self.vdev(1, "s1", vdev_extra), **tags}},
      "workers": {"cpus": cpus or [WORKER_CPU]},
      "control": {"cpu": min(OTHER_CPUS), "socket": str(self.directory / "control.sock")},
      "eal": eal,
      "limits": {"connections_per_worker": 65536, "mbufs": 32768},
      "queues": {"tcp_syncookies": 2, **queues},
      "backends": backends,
    }

  def start_sluice(self, config=None, arguments=(), program=SLUICE, **queues):
    """Starts Sluice and waits until it forwards. When it refuses a wire, runs the lines that its
    messages say to run, as its operator would, and starts it again."""
    config = config or self.config(**queues)
    for _ in range(3):
      sluice = Sluice(self, config, arguments=arguments, program=program)
      self.sluices.append(sluice)
      ready = sluice.wait_ready()
      if self.tags or not ready:
        advice = re.findall(r"run: (.*ethtool .*)", sluice.process.err())
        expect(ready or self.offloads and advice, f"Sluice did not start:\n{sluice.process.err()}")
        for line in advice:
          self.sluice_host.run("sh", "-c", line)
      if ready:
        while self.virtio_waiting:
          self._virtio_join(*self.virtio_waiting.pop())
        return sluice
    raise Failure(f"Sluice refuses again after its own advice:\n{sluice.process.err()}")

  def start_nginx(self, keepalive_s=0, tls=False):
    """nginx on the web port, both families: files from www/, PUT into www/up/. tls: with HTTP/2 on
    the TLS port, too, by a certificate that nobody knows."""
    root = self.directory / "www"
    (root / "up").mkdir(parents=True)
    ports = [(WEB_PORT, "")]
    certificate = ""
    if tls:
      ports.append((TLS_PORT, "ssl http2"))
      run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=lab", "-keyout", self.directory / "tls.key", "-out",
        self.directory / "tls.crt")
      certificate = (f"ssl_certificate {self.directory}/tls.crt; "
        f"ssl_certificate_key {self.directory}/tls.key;")
    listen = "\n".join(f"    listen {address}:{port} backlog=4096 {kind};" for port, kind in ports
      for address in (SERVER[socket.AF_INET], f"[{SERVER[socket.AF_INET6]}]"))
    config = self.directory / "nginx.conf"
    config.write_text(f"""
daemon off; worker_processes 1; pid {self.directory}/nginx.pid; user root;
error_log {self.directory}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_timeout {keepalive_s}; keepalive_requests 1000000;
  client_body_temp_path {self.directory}/body; client_max_body_size 0;
  proxy_temp_path {self.directory}/t1; fastcgi_temp_path {self.directory}/t2;
  uwsgi_temp_path {self.directory}/t3; scgi_temp_path {self.directory}/t4;
  server {{
{listen}
    {certificate}
    root {root};
    location /up/ {{ dav_methods PUT; }}
  }}
}}
""")
    nginx = self.server.start("nginx", "nginx", "-e", self.directory / "nginx.log", "-c", config)
    wait_until(lambda: str(WEB_PORT) in self.server.run("ss", "-Hltn").stdout, 10, "nginx listening")
    return nginx

  def curl(self, *arguments, **options):
    return self.client.run("curl", "--silent", "--show-error", "--fail", "--globoff",
      "--noproxy", "*", *arguments, **options)

  def flood(self, kind, count, rate, family=socket.AF_INET, port=ECHO_PORT, options=()):
    """Starts a flood of count packets from random sources at the server's port."""
    return self.client.start(f"flood-{kind}", FLOOD, "--interface", "c0",
      "--destination-mac", self.server.mac("s0"), "--to", SERVER[family], "--port", port,
      "--type", kind, "--count", count, "--rate", rate, *options)


def url(family, path, tls=False):
  """A URL on the server's nginx."""
  host = f"[{SERVER[family]}]" if family == socket.AF_INET6 else SERVER[family]
  return f"https://{host}:{TLS_PORT}/{path}" if tls else f"http://{host}:{WEB_PORT}/{path}"
