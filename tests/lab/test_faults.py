# SPDX-License-Identifier: BSD-3-Clause
"""What breaks around Sluice, or in it, under running connections: those that can live on do, new
ones work afterwards, one line of log says it, and nothing hangs or leaks."""

import contextlib
import fcntl
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

import control
import tcp
from lab import (ALL_CPUS, DRIVERS, ECHO_PORT, FAMILIES, OTHER_CPUS, REFUSED_PORT, SERVER, SPARE_PORT,
  Process, Sluice, expect, expect_equal, wait_until)
from registry import lab_test
from test_start import EXIT_FAILED, refused

BESIDE = True
HERE = pathlib.Path(__file__).resolve().parent


def threads(sluice, name):
  """Thread numbers of those whose name begins so, in order."""
  tasks = pathlib.Path(f"/proc/{sluice.process.popen.pid}/task")
  found = [int(task.name) for task in tasks.iterdir()
    if (task / "comm").read_text().startswith(name)]
  expect(found, f"no thread {name} among {[(task / 'comm').read_text() for task in tasks.iterdir()]}")
  return sorted(found)


def worker_threads(sluice):
  return threads(sluice, "rte-worker")


@contextlib.contextmanager
def frozen(lab, thread):
  """That thread stands still meanwhile; yields a function that lets it go on earlier."""
  number = sum(process.name.startswith("freeze") for process in lab.processes)
  process = Process(f"freeze{number}", [HERE / "freeze.py", thread], lab.directory, OTHER_CPUS,
    stdin=subprocess.PIPE)
  lab.processes.append(process)
  wait_until(lambda: "stopped" in process.out() or not process.running(), 5, "a thread that stops")
  expect(process.running(), f"the thread can't be stopped: {process.err()}")

  def thaw():
    process.popen.stdin.close()
    expect_equal(process.wait(5), 0, "exit status of freeze.py")
  try:
    yield thaw
  finally:
    if process.running():
      thaw()


def lines(sluice, words, since=0):
  """Lines of log with all the words, after so many characters."""
  return [line for line in sluice.process.err()[since:].splitlines()
    if all(word in line for word in words)]


def wait_line(sluice, *words, timeout_s=5):
  return wait_until(lambda: lines(sluice, words), timeout_s, f"a line of log with {words}")[0]


def pairs_of(lab, port=ECHO_PORT):
  """A connection over each family."""
  return [tcp.connect_pair(lab, family, port) for family in FAMILIES]


def start_backend(lab):
  number = sum(process.name.startswith("backend") for process in lab.processes)
  backend = lab.server.start(f"backend{number}", HERE / "backend.py", ECHO_PORT)
  wait_until(lambda: "listening" in backend.out(), 10, "the backend listens")
  return backend


def echoes(client):
  client.sendall(b"hello")
  expect_equal(tcp.receive_exactly(client, 5), b"hello", "echo")


def ended(client, timeout_s=5):
  """The end of the client's stream: a FIN or a RST."""
  client.settimeout(timeout_s)
  try:
    expect_equal(client.recv(100), b"", "what a dead backend sends")
  except ConnectionResetError:
    pass


@lab_test(drivers=DRIVERS[:1])
def backend_killed(lab):
  """A backend is killed and started again: its clients see an end at once, those that come
  meanwhile a reset, later ones are served."""
  backend = start_backend(lab)
  sluice = lab.start_sluice(tcp_syncookies=1)
  old = [lab.client.connect(family, ECHO_PORT) for family in FAMILIES for _ in range(10)]
  for client in old:
    echoes(client)
  backend.signal(signal.SIGKILL)
  backend.wait(5)
  for client in old:
    ended(client)
    client.close()
  for family in FAMILIES:
    try:
      client = lab.client.connect(family, ECHO_PORT)
    except ConnectionResetError:
      continue  # before connect() had a look
    tcp.expect_reset(client, 3)
  start_backend(lab)
  for family in FAMILIES:
    echoes(lab.client.connect(family, ECHO_PORT))
  expect_equal(sluice.counters()["total"]["CurrEstab"], len(FAMILIES), "CurrEstab")


@lab_test(drivers=DRIVERS[1:])
def link_down_and_up(lab):
  """Either wire is cut for a moment: said, and the connections go on where they were."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  pairs = pairs_of(lab)
  for number, device in enumerate(("s1", "c1"), 1):
    lab.sluice_host.ip("link", "set", device, "down")
    wait_until(lambda: len(lines(sluice, ["link is down"])) == number, 5, f"{device} said to be down")
    for client, server in pairs:
      client.sendall(b"sent into the void")
      server.sendall(b"and back")
    lab.sluice_host.ip("link", "set", device, "up")
    for client, server in pairs:
      expect_equal(tcp.receive_exactly(server, 18), b"sent into the void", "what was sent meanwhile")
      expect_equal(tcp.receive_exactly(client, 8), b"and back", "what was sent meanwhile")
    wait_until(lambda: len(lines(sluice, ["link is up"])) == number, 5, f"{device} said to be up")
  for pair in pairs + pairs_of(lab):
    tcp.exchange(*pair, 100000)


@lab_test(drivers=DRIVERS[:1], beside=False)
def control_thread_stopped(lab):
  """The control thread stands still: packets flow on, established and new, also under a flood; when
  it goes on it serves what has waited, and blames no worker."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  pairs = pairs_of(lab)
  with frozen(lab, sluice.process.popen.pid) as thaw:
    flood = lab.flood("syn", 50000, 50000)
    for pair in pairs:
      tcp.exchange(*pair, 1000000)
    for pair in pairs_of(lab, SPARE_PORT):
      tcp.exchange(*pair, 1000000)
    sluice.process.signal(signal.SIGHUP)
    expect_equal(flood.wait(10), 0, "exit status of the flood")
    time.sleep(0.5)
    expect_equal(lines(sluice, ["reloaded"]), [], "what a stopped thread says")
    thaw()
  wait_line(sluice, "reloaded")
  expect(control.ask(sluice, "reload")["config_generation"] == 3, "not two reloads")
  expect_equal(lines(sluice, ["progress"]), [], "workers said to stand still")
  for pair in pairs + pairs_of(lab):
    tcp.exchange(*pair, 100000)


@lab_test(drivers=DRIVERS[:1])
def worker_stopped(lab):
  """A worker stands still, for a second and for longer than the watchdog waits: the latter is said
  once, shown by stats and doctor, and over when it is over. Connections live on."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  pairs = pairs_of(lab)
  (worker,) = worker_threads(sluice)

  def entry():
    return control.ask(sluice, "stats")["workers"][0]
  with frozen(lab, worker):
    time.sleep(1)
  for pair in pairs:
    tcp.exchange(*pair, 100000)
  expect_equal(entry()["pauses"], 1, "pauses")
  expect_equal(lines(sluice, ["progress"]), [], "what is said of a short pause")
  with frozen(lab, worker):
    for client, server in pairs:
      client.sendall(b"waits")
    said = wait_line(sluice, "workers.cpus[0]", "no progress for 2.")
    expect(said, "nothing said")
    expect(entry()["stalled"], "stats don't show the stall")
    (finding,) = control.ask(sluice, "doctor")["findings"]
    expect_equal((finding["cause"], finding["severity"]), ("worker-stalled", "outage"), "finding")
    expect_equal(finding["numbers"]["worker"], 0, "the worker that it is about")
    # Asks the worker itself: refused within a moment, not waited for.
    control.refusal(sluice, "established")
  wait_line(sluice, "workers.cpus[0]", "goes on after")
  for client, server in pairs:
    expect_equal(tcp.receive_exactly(server, 5), b"waits", "what was sent meanwhile")
    tcp.exchange(client, server, 100000)
  shown = entry()
  expect_equal((shown["stalls"], shown["stalled"]), (1, False), "stalls and stalled")
  expect(shown["paused_ms"] > 3000, f"the worker was paused for {shown['paused_ms']} ms only")
  expect("stood still for" in control.sluicectl(sluice, "doctor", status=control.EXIT_FINDINGS),
    "doctor has forgotten")
  expect_equal(len(lines(sluice, ["workers.cpus"])), 2, "lines about the worker")
  expect_equal(sluice.counters()["total"]["EstabResets"], 0, "EstabResets")
  for pair in pairs_of(lab):
    tcp.exchange(*pair, 100000)


class Manager:
  """A service manager, as far as sd_notify(3) goes."""

  def __init__(self, lab):
    self.path = lab.directory / "notify"
    self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.socket.bind(str(self.path))
    self.socket.setblocking(False)
    lab.sockets.append(self.socket)
    self.told = []

  def all(self):
    """All messages so far, each as a dictionary."""
    with contextlib.suppress(BlockingIOError):
      while True:
        text = self.socket.recv(4096).decode()
        self.told.append(dict(line.split("=", 1) for line in text.splitlines()))
    return self.told

  def count(self, key):
    return sum(key in message for message in self.all())

  def wait(self, key, since, timeout_s=5):
    """The first message with the key, after so many messages."""
    return wait_until(lambda: [m for m in self.all()[since:] if key in m], timeout_s, key)[0]


@lab_test(drivers=DRIVERS[:1])
def service_manager(lab):
  """sd_notify: READY when packets flow, keep-alives that end while a worker stands still and begin
  again with it, RELOADING and READY around a reload, STOPPING."""
  manager = Manager(lab)
  lab.wrapper = ["env", "-u", "WATCHDOG_PID", f"NOTIFY_SOCKET={manager.path}", "WATCHDOG_USEC=400000"]
  config = lab.config(tcp_syncookies=1)
  config["control"]["watchdog_s"] = 1
  sluice = lab.start_sluice(config)
  first = manager.wait("READY", 0)
  expect_equal((first["READY"], manager.all()[0]), ("1", first), "what is told first")
  expect("8 backends" in first["STATUS"], f"status {first['STATUS']}")
  before, begin = manager.count("WATCHDOG"), time.monotonic()
  time.sleep(1)
  kept, due = manager.count("WATCHDOG") - before, (time.monotonic() - begin) / 0.2
  expect(0.7 * due <= kept <= due + 1, f"{kept} keep-alives, wanted one each 0.2 s, so {due:.1f}")
  for ask_reload in (lambda: sluice.process.signal(signal.SIGHUP),
      lambda: control.ask(sluice, "reload")):
    since = len(manager.all())
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    ask_reload()
    manager.wait("READY", since)
    around = [m for m in manager.all()[since:] if "WATCHDOG" not in m]
    expect_equal([sorted(m) for m in around], [["MONOTONIC_USEC", "RELOADING"], ["READY", "STATUS"]],
      "messages around a reload")
    expect(now_us <= int(around[0]["MONOTONIC_USEC"]) < now_us + 5000000, f"time in {around[0]}")
  with frozen(lab, worker_threads(sluice)[0]):
    wait_line(sluice, "no progress")
    wait_until(lambda: "no progress" in manager.all()[-1].get("STATUS", ""), 5, "its STATUS")
    since = len(manager.all())
    time.sleep(0.7)
    expect_equal(manager.all()[since:], [], "what is told while a worker stands still")
  manager.wait("WATCHDOG", since)
  sluice.stop()
  expect_equal(manager.all()[-1]["STOPPING"], "1", "what is told last")


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def log_takes_nothing(lab):
  """Standard error on a full disk, and as a pipe that nobody reads: Sluice starts, runs, reloads
  and stops all the same, and says in the end how many lines are missing."""
  lab.wrapper = ["sh", "-c", 'exec "$@" 2> /dev/full', "sh"]
  config = lab.config(tcp_syncookies=1)
  mute = Sluice(lab, config)
  lab.sluices.append(mute)
  wait_until(lambda: pathlib.Path(control.path_of(mute)).exists(), 20, "a control socket")
  mute.process.signal(signal.SIGHUP)
  wait_until(lambda: control.ask(mute, "ping")["config_generation"] == 2, 10, "a reload")
  for pair in pairs_of(lab):
    tcp.exchange(*pair, 100000)
  mute.stop()

  path = lab.directory / "log"
  os.mkfifo(path)
  pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
  lab.wrapper = ["sh", "-c", f'exec "$@" 2> {path}', "sh"]
  stuck = Sluice(lab, config)
  lab.sluices.append(stuck)
  said = b""

  def read():
    nonlocal said
    with contextlib.suppress(BlockingIOError):
      said += os.read(pipe, 1 << 20)
    return said.decode()
  wait_until(lambda: "ready" in read(), 20, "Sluice ready")
  with contextlib.suppress(BlockingIOError):
    while True:
      os.write(pipe, b"x" * 4096)
  for number in range(2, 5):
    stuck.process.signal(signal.SIGHUP)
    wait_until(lambda: control.ask(stuck, "ping")["config_generation"] == number, 5, "a reload")
  for pair in pairs_of(lab):
    tcp.exchange(*pair, 100000)
  while read().endswith("x"):
    said = b""
  stuck.process.signal(signal.SIGHUP)
  wait_until(lambda: "generation 5" in read(), 5, f"a line about the reload")
  expect("3 lines of log could not be written" in read(), f"no word of missing lines in {said!r}")
  stuck.stop()
  os.close(pipe)


@lab_test(drivers=DRIVERS[:1])
def socket_removed(lab):
  """The control socket's file is removed: there again within two seconds, said, and whoever was
  connected goes on."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  path = pathlib.Path(control.path_of(sluice))
  with control.Peer(path) as peer:
    peer.ask("ping")
    path.unlink()
    wait_until(path.exists, 2.5, "the file again")
    expect_equal(control.ask(sluice, "ping")["pid"], sluice.process.popen.pid, "pid")
    peer.ask("ping")
  control.sluicectl(sluice, "ss")
  expect_equal(path.stat().st_mode & 0o777, 0o600, "mode of the new file")
  expect_equal(len(lines(sluice, ["control.socket", "there again"])), 1, "lines about it")
  sluice.stop()
  expect(not path.exists(), "the file is left behind")


@lab_test(drivers=DRIVERS[:1], offloads=(False,))
def out_of_huge_pages(lab):
  """More huge pages wanted than there are: refused before DPDK is asked, with what to do."""
  config = lab.config()
  config["eal"] = ["--in-memory", "--no-pci"]
  config["limits"]["mbufs"] = 1 << 24
  said = refused(lab, config, EXIT_FAILED, "huge pages", "/proc/sys/vm/nr_hugepages", "--no-huge")
  expect_equal(said.count("\n"), 1, f"lines in:\n{said}")


def least_mbufs(lab, config):
  """What the refusal of too few says is enough."""
  config["limits"]["mbufs"] = 1024
  said = refused(lab, config, EXIT_FAILED, "limits.mbufs", "at least")
  return int(re.search(r"at least (\d+)", said).group(1))


@lab_test(drivers=DRIVERS[:1], offloads=(False,), beside=False)
def least_buffers(lab):
  """As few packet buffers as are allowed, and as much held as can be: clients of a silent backend
  send at once, under a flood. What has no room is dropped and counted, others are served."""
  config = lab.config(tcp_syncookies=1, tcp_syn_retries=6, early_data="hold")
  config["limits"]["early_packets_per_worker"] = 300
  config["limits"]["mbufs"] = least_mbufs(lab, config)
  sluice = lab.start_sluice(config)
  pairs = pairs_of(lab)
  lab.server.nft(f"""
table inet lab {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {REFUSED_PORT} drop
  }}
}}
""")
  waiting = []
  for number in range(350):
    client = lab.client.connect(FAMILIES[number % 2], REFUSED_PORT)
    client.setblocking(False)
    client.send(b"x" * 1000)
    waiting.append(client)
  wait_until(lambda: sluice.counters()["workers"][0]["early_held"] == 300, 10, "300 packets held")
  flood = lab.flood("syn", 30000, 30000, port=SPARE_PORT)
  for pair in pairs:
    tcp.exchange(*pair, 100000)
  expect_equal(flood.wait(30), 0, "exit status of the flood")
  counters = sluice.counters()
  expect(counters["reasons"]["client_early"] > 0, f"nothing dropped: {counters['reasons']}")
  expect_equal(counters["ports"]["client"]["rx_nombuf"], 0, "packets not received for want of mbufs")
  for client in waiting:
    tcp.reset(client)
  wait_until(lambda: sluice.counters()["workers"][0]["early_held"] == 0, 5, "nothing held")


@lab_test(drivers=DRIVERS[:1], offloads=(False,), beside=False)
def other_worker_stopped(lab):
  """One of two workers stands still under a flood, with as few packet buffers as are allowed: what
  waits for it leaves the other one enough to serve its own connections."""
  expect(len(ALL_CPUS) >= 2, "this test needs two CPUs")
  config = lab.config(cpus=ALL_CPUS[:2], vdev_extra=",qpairs=2", tcp_syncookies=2)
  config["limits"]["early_packets_per_worker"] = 0
  config["limits"]["mbufs"] = least_mbufs(lab, config)
  sluice = lab.start_sluice(config)
  start_backend(lab)
  clients = [lab.client.connect(family, ECHO_PORT) for family in FAMILIES for _ in range(50)]
  for client in clients:
    echoes(client)
  with frozen(lab, worker_threads(sluice)[1]):
    expect_equal(lab.flood("syn", 50000, 50000).wait(30), 0, "exit status of the flood")
    for client in clients:
      client.send(b"hello")
    served, _, _ = select.select(clients, [], [], 5)
    counters = sluice.counters()
    expect(counters["reasons"]["steer_full"] > 0, "the stopped worker's ring did not fill up")
    for side in ("client", "server"):
      expect_equal(counters["ports"][side]["rx_nombuf"], 0, f"packets lost at the {side}'s port")
    # Its own connections, as far as the kernel brings it both directions.
    expect(len(served) >= 3, f"{len(served)} of {len(clients)} connections went on")
  for client in clients:
    expect_equal(tcp.receive_exactly(client, 5), b"hello", "echo afterwards")


@lab_test(drivers=DRIVERS[:1])
def stop_with_worker_stopped(lab):
  """A stop signal while a worker stands still: Sluice ends all the same, says why it did not wait,
  and the next start works."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  sluice.check_end = False
  with frozen(lab, worker_threads(sluice)[0]):
    sluice.process.signal(signal.SIGTERM)
    wait_line(sluice, "workers.cpus[0]", "does not end", timeout_s=8)
  expect_equal(sluice.process.wait(5), EXIT_FAILED, "exit status")
  lab.start_sluice(tcp_syncookies=1)
  for pair in pairs_of(lab):
    tcp.exchange(*pair, 100000)


@lab_test(drivers=DRIVERS[:1], beside=False)
def killed_and_started_again(lab):
  """kill -9 under traffic and another start with the same file: nothing that is left behind is in
  the way, users are back at once, and old connections get the end that their policy says."""
  backend = start_backend(lab)
  config = lab.config(tcp_syncookies=1, stray="reset")
  pages = lab.directory / "pages"
  if "--no-huge" not in config["eal"]:
    # As without --in-memory, where DPDK has files for its huge pages.
    pages.mkdir()
    config["eal"] = ["--no-pci", "--huge-dir", str(pages)]
    lab.wrapper = ["sh", "-c", f'mount -t hugetlbfs none {pages} && exec "$@"', "sh"]
  sluice = lab.start_sluice(config)
  # As its mount namespace has the folder.
  inside = pathlib.Path("/proc", str(sluice.process.popen.pid), "root", pages.relative_to("/"))
  expect_equal(list(inside.glob("*")), [], "files that would hold huge pages for ever")
  old = [lab.client.connect(family, ECHO_PORT) for family in FAMILIES for _ in range(10)]
  for client in old:
    echoes(client)
  flood = lab.flood("syn", 100000, 30000)
  sluice.check_end = False
  sluice.process.signal(signal.SIGKILL)
  sluice.process.wait(5)
  expect(pathlib.Path(control.path_of(sluice)).exists(), "the killed one removed its socket")
  for client in old:
    client.send(b"x")
  begin = time.monotonic()
  again = lab.start_sluice(config)
  for family in FAMILIES:
    echoes(lab.client.connect(family, ECHO_PORT))
  print(f"served again {time.monotonic() - begin:.2f} s after the start")
  for client in old:
    tcp.expect_reset(client, 10)
  expect_equal(control.ask(again, "ping")["pid"], again.process.popen.pid, "pid")
  flood.end()
  expect(backend.running(), "the backend has ended")
