# SPDX-License-Identifier: BSD-3-Clause
"""A running Sluice's control socket, spoken to directly (lib/control/README.md) and by sluicectl."""

import json
import socket
import subprocess

from lab import BUILD, expect, expect_equal, run

SLUICECTL = BUILD / "app" / "sluicectl"
TIMEOUT_S = 15  # of an answer
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_FINDINGS = 3


class Refused(Exception):
  """The appliance answered with an error; errors: one per error of the file, if any."""

  def __init__(self, reply):
    super().__init__(reply.get("error"))
    self.errors = reply.get("errors", [])


class Peer:
  """One connection to the control socket."""

  def __init__(self, path, timeout_s=TIMEOUT_S):
    self.socket = socket.socket(socket.AF_UNIX)
    self.socket.connect(str(path))  # blocking, since otherwise a full backlog is an error
    self.socket.settimeout(timeout_s)
    self.received = b""

  def send(self, data):
    self.socket.sendall(data)

  def line(self):
    """The next reply as an object; None when the appliance hung up."""
    while b"\n" not in self.received:
      try:
        part = self.socket.recv(1 << 16)
      except ConnectionResetError:
        part = b""
      if not part:
        return None
      self.received += part
    line, self.received = self.received.split(b"\n", 1)
    return json.loads(line)

  def ask(self, command, **keys):
    """The result of a command. Raises Refused."""
    self.send(json.dumps({"version": 1, "command": command, **keys}).encode() + b"\n")
    reply = self.line()
    expect(reply is not None, f"hung up instead of an answer to {command}")
    expect_equal(reply["version"], 1, "version of the reply")
    if not reply["ok"]:
      raise Refused(reply)
    return reply["result"]

  def close(self):
    self.socket.close()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()


def path_of(sluice):
  return sluice.config["control"]["socket"]


def ask(sluice, command, **keys):
  """The result of one command over a connection of its own."""
  with Peer(path_of(sluice)) as peer:
    return peer.ask(command, **keys)


def refusal(sluice, command, **keys):
  """The error of a command that must be refused."""
  try:
    result = ask(sluice, command, **keys)
  except Refused as error:
    return error
  expect(False, f"{command} {keys} was not refused but gave {result}")
  return None


def listed(sluice, backend):
  """A backend's line of `ss`."""
  rows = [row for row in ask(sluice, "ss") if row["backend"] == backend]
  expect_equal(len(rows), 1, f"lines of {backend} in the listing")
  return rows[0]


def counters(sluice, backend):
  """A backend's counters."""
  return ask(sluice, "netstat")["backends"][backend]


def sluicectl(sluice, *arguments, status=0):
  """Runs sluicectl, which must end with that status; what it printed, errors too."""
  done = run(SLUICECTL, "--socket", path_of(sluice), *arguments, check=False)
  expect_equal(done.returncode, status,
    f"exit status of sluicectl {' '.join(map(str, arguments))}, which said:\n{done.stdout}\n")
  return done.stdout


def sluicectl_json(sluice, *arguments, status=0):
  """The same with --json; what was on standard output, parsed."""
  command = [str(word) for word in (SLUICECTL, "--socket", path_of(sluice), "--json", *arguments)]
  done = subprocess.run(command, timeout=60, text=True, capture_output=True, check=False)
  expect_equal(done.returncode, status,
    f"exit status of {' '.join(command)}, which said:\n{done.stdout}\n{done.stderr}\n")
  return json.loads(done.stdout)
