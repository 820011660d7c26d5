# SPDX-License-Identifier: BSD-3-Clause
"""The same flood and the same clients against a kernel listener and against Sluice.

Each case is run once with the two hosts joined directly, where the server's own kernel keeps the
queues, and once with Sluice between them. What both show is printed side by side, each line with a
mark: whether the two must be equal, and are.
"""

import collections
import concurrent.futures
import errno
import functools
import pathlib
import platform
import select
import socket
import threading
import time

import control
from lab import DIRECT, ECHO_PORT, SERVER, Failure, Lab, expect, expect_equal, wait_until

FAMILY = socket.AF_INET
BACKEND = "echo-ipv4"
FLOOD_PACKETS = 2000
FLOOD_RATE = 2000
# After the first SYN-ACKs were repeated (1 s), before any is repeated again (3 s). No entry ends
# before 7 s.
FLOOD_LOOK_S = 1.7
FLOOD_CLIENTS = 5
# Less than the time after which a client repeats its SYN.
ANSWER_S = 0.8

OVERFLOW_BACKLOG = 5
DELAY_S = 0.05
WORDS = b"first words"

COUNTERS = ("SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed", "ListenOverflows",
  "ListenDrops", "TCPReqQFullDoCookies", "TCPReqQFullDrop", "EmbryonicRsts", "TCPTimeouts",
  "PassiveOpens")

Queues = collections.namedtuple("Queues", "backlog tcp_max_syn_backlog tcp_syncookies "
  "tcp_abort_on_overflow", defaults=(0,))

# The reference table of shared/SEMANTICS.md: settings, and where SYN_RECV settles.
FLOOD_ROWS = (
  (Queues(1024, 128, 0), 97),
  (Queues(128, 512, 0), 129),
  (Queues(128, 512, 1), 129),
  (Queues(5, 512, 1), 6),
  (Queues(256, 512, 1), 257),
)


class Kernel:
  """A listening socket of the server's kernel, without Sluice."""

  title = f"kernel {platform.release().split('-')[0]}"

  def __init__(self, lab, queues):
    self.lab = lab
    lab.server.sysctl("net.core.somaxconn", queues.backlog)
    lab.server.sysctl("net.ipv4.tcp_max_syn_backlog", queues.tcp_max_syn_backlog)
    lab.server.sysctl("net.ipv4.tcp_syncookies", queues.tcp_syncookies)
    lab.server.sysctl("net.ipv4.tcp_abort_on_overflow", queues.tcp_abort_on_overflow)
    self.listener = lab.server.listen(FAMILY, ECHO_PORT, queues.backlog)
    self.before = self._counters()

  def _counters(self):
    found = {}
    with self.lab.server.entered():
      for name in ("netstat", "snmp"):
        lines = pathlib.Path("/proc/thread-self/net", name).read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
          if names.startswith(("Tcp:", "TcpExt:")):
            found.update(zip(names.split()[1:], map(int, values.split()[1:])))
    return found

  def counters(self):
    now = self._counters()
    return {name: now[name] - self.before[name] for name in COUNTERS}

  def queues(self):
    """SYN_RECV, Recv-Q, Send-Q."""
    half_open = self.lab.server.run("ss", "-Hnt", "state", "syn-recv").stdout.splitlines()
    listening = self.lab.server.run("ss", "-Hlnt", "sport", "=", f":{ECHO_PORT}").stdout.split()
    return len(half_open), int(listening[1]), int(listening[2])


class Appliance:
  """Sluice, with a server behind it whose own queues never matter."""

  title = "Sluice"

  def __init__(self, lab, queues):
    self.lab = lab
    self.listener = lab.server.listen(FAMILY, ECHO_PORT)
    config = lab.config(somaxconn=queues.backlog, tcp_syn_retries=10,
      **{key: value for key, value in queues._asdict().items() if key != "backlog"})
    for backend in config["backends"]:
      backend["backlog"] = queues.backlog
    self.sluice = lab.start_sluice(config)

  def counters(self):
    found = control.counters(self.sluice, BACKEND)
    return {name: found[name] for name in COUNTERS}

  def queues(self):
    row = control.listed(self.sluice, BACKEND)
    return row["syn_recv"], row["recv_q"], row["send_q"]


class Accepting:
  """Takes connections off a listener, one per interval, and reads what comes."""

  def __init__(self, listener, interval_s=0.0):
    self.listener = listener
    self.interval_s = interval_s
    self.taken = {}  # socket -> bytes
    self.stopped = False
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def _serve(self):
    accept_at = time.monotonic()
    while not self.stopped:
      may_accept = time.monotonic() >= accept_at
      ends = [end for end, words in self.taken.items() if len(words) < len(WORDS)]
      for end in select.select([self.listener] * may_accept + ends, [], [], 0.02)[0]:
        if end is not self.listener:
          self._read(end)
          continue
        self.taken[end.accept()[0]] = b""
        accept_at = time.monotonic() + self.interval_s

  def _read(self, end):
    try:
      self.taken[end] += end.recv(len(WORDS)) or b" " * len(WORDS)  # what ends early is wrong
    except ConnectionError:
      self.taken[end] = b" " * len(WORDS)

  def words(self):
    """How many clients' words arrived whole."""
    return sum(words == WORDS for words in list(self.taken.values()))

  def close(self):
    self.stopped = True
    self.thread.join()
    for end in self.taken:
      end.close()


class Clients:
  """Sockets that connect without waiting, and what became of each."""

  OUTCOMES = ("established", "reset", "no answer", "timed out")

  def __init__(self, lab):
    self.lab = lab
    self.ends = []

  def connect(self, count):
    for _ in range(count):
      end = self.lab.client.socket(FAMILY)
      end.setblocking(False)
      end.connect_ex((SERVER[FAMILY], ECHO_PORT))
      self.ends.append(end)

  def connected(self):
    """Those that believe to be."""
    return select.select([], self.ends, [], 0)[1]

  def say(self, words=WORDS):
    """All that believe to be connected send the words; for the others they wait."""
    for end in self.connected():
      try:
        end.send(words)
      except OSError:
        pass  # seen in outcomes()

  def outcomes(self):
    """Number of clients by outcome."""
    found = dict.fromkeys(self.OUTCOMES, 0)
    writable = self.connected()
    for end in self.ends:
      found[self._outcome(end, writable)] += 1
    return found

  @staticmethod
  def _outcome(end, writable):
    if end not in writable:
      return "no answer"
    try:
      end.getpeername()
      end.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
      return "established"
    except ConnectionResetError:
      return "reset"
    except OSError as error:
      # A reset or timed out one has no peer any more; its error was or is to be read.
      code = end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or error.errno
      return "timed out" if code == errno.ETIMEDOUT else "reset"
    return "established"

  def close(self):
    for end in self.ends:
      end.close()


@functools.cache
def kernel_has_our_rules():
  """Whether this machine's kernel counts as those do whose numbers are in the reference table: a
  backlog of 5 has room for 6."""
  with Lab(DIRECT) as lab:
    side = Kernel(lab, Queues(OVERFLOW_BACKLOG, 512, 0))
    expect_equal(lab.flood("syn", 20, 1000).wait(10), 0, "status of the flood")
    time.sleep(0.2)
    found, _, _ = side.queues()
  lab.remove_directory()
  return found == OVERFLOW_BACKLOG + 1


class Report:
  """Lines of two columns, and whether all that must be equal is. A kernel with other rules is only
  shown; then Sluice must do what is wanted."""

  def __init__(self, title):
    self.title = title
    self.lines = []
    self.failures = []

  def compare(self, what, kernel, sluice, wanted=None):
    """Both must be equal, and as wanted unless that is None."""
    good = wanted in (None, sluice) and (kernel == sluice or not kernel_has_our_rules())
    mark = "DIFFERENT" if not good else "equal" if kernel == sluice else "other kernel rules"
    self.lines.append((what, kernel, sluice, mark))
    if not good:
      self.failures.append(f"{what}: kernel {kernel}, Sluice {sluice}"
        + ("" if wanted is None else f", wanted {wanted}"))

  def note(self, what, kernel, sluice, why):
    """Both need not be equal."""
    self.lines.append((what, kernel, sluice, why))

  def compare_counters(self, kernel, sluice, prefix=""):
    for name in COUNTERS:
      if kernel[name] or sluice[name]:
        self.compare(prefix + name, kernel[name], sluice[name])

  def compare_queues(self, kernel, sluice, wanted):
    for name, *values in zip(("SYN_RECV", "Recv-Q", "Send-Q"), kernel, sluice, wanted):
      self.compare(name, *values)

  def text(self):
    rows = [("", Kernel.title, Appliance.title, ""), *self.lines]
    return "\n".join([self.title] + [f"  {what:<32} {kernel!s:>16} {sluice!s:>10}  {mark}".rstrip()
      for what, kernel, sluice, mark in rows])

  def check(self):
    print(self.text(), flush=True)
    expect(not self.failures, f"{self.title}: {'; '.join(self.failures)}")


def both_sides(observe, queues, sluice_lab=None, relays=()):
  """What observe(side) returns for the kernel and for Sluice, at the same time. sluice_lab: a lab
  that is there already."""
  with concurrent.futures.ThreadPoolExecutor(1) as beside:
    kernel = beside.submit(kernel_side, observe, queues, relays[:1])
    sluice = observe(Appliance(sluice_lab, queues)) if sluice_lab else sluice_side(observe, queues, relays)
    return kernel.result(), sluice


def kernel_side(observe, queues, relays):
  with Lab(DIRECT, relays=relays) as lab:
    seen = observe(Kernel(lab, queues))
  lab.remove_directory()
  return seen


def sluice_side(observe, queues, relays):
  with Lab("af_packet", relays=relays) as lab:
    try:
      seen = observe(Appliance(lab, queues))
      lab.finish()
    except Exception:
      print(lab.logs())
      raise
    finally:
      lab.remove_directory()
  return seen


def settings_text(queues):
  return (f"backlog = somaxconn = {queues.backlog}, tcp_max_syn_backlog "
    f"{queues.tcp_max_syn_backlog}, tcp_syncookies {queues.tcp_syncookies}, "
    f"tcp_abort_on_overflow {queues.tcp_abort_on_overflow}")


def flood_observed(side):
  """A counted flood, then a few clients while the queue is as the flood left it."""
  server = Accepting(side.listener)
  begin = time.monotonic()
  expect_equal(side.lab.flood("syn", FLOOD_PACKETS, FLOOD_RATE).wait(20), 0, "status of the flood")
  time.sleep(max(0.0, begin + FLOOD_LOOK_S - time.monotonic()))
  queues, flooded = side.queues(), side.counters()
  clients = Clients(side.lab)
  clients.connect(FLOOD_CLIENTS)
  try:
    wait_until(lambda: len(clients.connected()) == FLOOD_CLIENTS, ANSWER_S, "clients connected")
    clients.say()
    wait_until(lambda: server.words() == FLOOD_CLIENTS, ANSWER_S, "words at the server")
  except Failure:
    pass  # with cookies off nobody connects
  after = side.counters()
  outcomes, words = clients.outcomes(), server.words()
  took = time.monotonic() - begin
  clients.close()
  server.close()
  expect(took < 3, f"the machine is too slow for this case: it took {took:.1f} s")
  return queues, flooded, after, outcomes, words


def flood_case(row, sluice_lab=None):
  """One row of the reference table."""
  queues, syn_recv = row
  kernel, sluice = both_sides(flood_observed, queues, sluice_lab)
  report = Report(f"{settings_text(queues)}: {FLOOD_PACKETS} SYNs, then {FLOOD_CLIENTS} clients")
  report.compare_queues(kernel[0], sluice[0], (syn_recv, 0, queues.backlog))
  beyond = FLOOD_PACKETS - syn_recv
  if queues.tcp_syncookies:
    wanted = {"TCPReqQFullDoCookies": beyond, "SyncookiesSent": beyond, "ListenDrops": 0}
  elif queues.backlog > queues.tcp_max_syn_backlog:
    wanted = {"TCPReqQFullDrop": 0, "ListenDrops": beyond}
  else:
    wanted = {"TCPReqQFullDrop": beyond, "ListenDrops": beyond}
  for name, value in wanted.items():
    expect_equal(sluice[1][name], value, f"{name} after the flood")
  report.compare_counters(kernel[1], sluice[1], "flood: ")
  report.compare_counters(kernel[2], sluice[2], "with clients: ")
  for outcome in Clients.OUTCOMES:
    report.compare(f"clients {outcome}", kernel[3][outcome], sluice[3][outcome])
  report.compare("clients whose words arrived", kernel[4], sluice[4],
    FLOOD_CLIENTS if queues.tcp_syncookies else 0)
  report.check()


def overflow_observed(side, accept_interval_s):
  """Ten clients in three groups: three enter the accept queue; five more are answered while it has
  room for three, so that the final ACKs of two meet a full one; the SYNs of two more meet it too.
  They speak. Nothing is accepted until all that was seen; then nothing at all, or one per
  interval."""
  relays = side.lab.relays
  relays["client"].delay_s = DELAY_S
  if "server" in relays:
    relays["server"].hold_requests()
  clients = Clients(side.lab)
  begin = time.monotonic()
  for at, count in ((0.0, 3), (0.25, 5), (0.5, 2)):
    time.sleep(max(0.0, begin + at - time.monotonic()))
    clients.connect(count)
  time.sleep(max(0.0, begin + 0.8 - time.monotonic()))
  queues, counters, early = side.queues(), side.counters(), clients.outcomes()
  took = time.monotonic() - begin
  expect(took < 1.2, f"the machine is too slow for this case: it took {took:.1f} s")
  clients.say()
  if accept_interval_s is None:
    time.sleep(2)
    late, words = clients.outcomes(), 0
  else:
    late, words = overflow_ended(side, clients, accept_interval_s)
  clients.close()
  return queues, counters, early, late, words


def overflow_ended(side, clients, accept_interval_s):
  """The rest of the story with a server that takes one client per interval."""
  if "server" in side.lab.relays:
    side.lab.relays["server"].pass_requests(accept_interval_s)
    server = Accepting(side.listener)
  else:
    server = Accepting(side.listener, accept_interval_s)
  spoken = set(clients.connected())

  def all_ended():
    for end in set(clients.connected()) - spoken:
      spoken.add(end)
      try:
        end.send(WORDS)
      except OSError:
        pass
    return server.words() + clients.outcomes()["reset"] >= len(clients.ends)
  wait_until(all_ended, 40, "every client served or reset")
  late, words = clients.outcomes(), server.words()
  server.close()
  return late, words


def overflow_case(abort, accept_interval_s=None, sluice_lab=None):
  """Accept overflow. accept_interval_s: None for a server that never accepts, and for Sluice a
  backend that never answers; else time between two."""
  queues = Queues(OVERFLOW_BACKLOG, 512, 1, abort)
  kernel, sluice = both_sides(lambda side: overflow_observed(side, accept_interval_s), queues,
    sluice_lab, ("client", "server"))
  manner = ("a server that never answers" if accept_interval_s is None
    else f"a server that takes one client per {accept_interval_s:g} s")
  report = Report(f"{settings_text(queues)}: ten clients, {manner}")
  report.compare_queues(kernel[0], sluice[0], (0 if abort else 2, 6, 5))
  report.compare_counters(kernel[1], sluice[1])
  for outcome in Clients.OUTCOMES:
    report.compare(f"{outcome}, at first", kernel[2][outcome], sluice[2][outcome])
  # Two repeated SYNs that meet room for one: both are answered, or one, as their timers fall.
  by_chance = abort and accept_interval_s is not None
  compare = functools.partial(report.note, why="as timers fall") if by_chance else report.compare
  for outcome in Clients.OUTCOMES:
    compare(f"{outcome}, in the end", kernel[3][outcome], sluice[3][outcome])
  compare("clients whose words arrived", kernel[4], sluice[4])
  if accept_interval_s is not None:
    expect_equal(sluice[4] + sluice[3]["reset"], 10, "clients served or reset")
    expect(sluice[4] >= (6 if abort else 10), f"only {sluice[4]} clients served")
  report.check()
