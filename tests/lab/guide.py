# SPDX-License-Identifier: BSD-3-Clause
"""README.md's guides, to be followed word for word.

A guide is a section of the README. Its blocks marked `sh` are commands; those marked `console` are
commands behind a $ and what they print; those marked `json` are for a file that the text names. What is
printed has to have every line that the README shows, in that order; numbers may be others, and "..."
stands for anything.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

from lab import ALL_CPUS, REPOSITORY, Failure, expect, run

MARK = "@@@ "
NUMBER = re.compile(r"\d[\d.,]*")


def section(heading):
  """The text below that heading, up to the next of its level."""
  text = (REPOSITORY / "README.md").read_text()
  found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.M | re.S)
  expect(found, f"README.md has no section {heading}")
  return found[2]


def blocks(heading):
  """Its blocks in order: what each is marked with, and its lines without the indent of a list."""
  found = []
  for indent, kind, body in re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", section(heading), re.M | re.S):
    found.append((kind, re.sub(rf"^{indent}", "", body, flags=re.M)))
  expect(found, f"nothing to follow below {heading}")
  return found


class Step:
  """One command, and the lines that it should print. must_succeed: it ends with status 0."""

  def __init__(self, command, must_succeed):
    self.command = command
    self.must_succeed = must_succeed
    self.wanted = []
    self.status = None
    self.said = ""

  def check(self):
    """Every wanted line is there, in that order."""
    expect(self.status == 0 or not self.must_succeed,
      f"$ {self.command}\nended with status {self.status}:\n{self.said}")
    lines = iter([plain(line) for line in self.said.splitlines()])
    for wanted in self.wanted:
      pattern = ".*".join(re.escape(part.strip()) for part in plain(wanted).split("..."))
      if not any(re.fullmatch(pattern, line) for line in lines):
        raise Failure(f"$ {self.command}\nREADME.md has: {wanted}\nIt printed:\n{self.said}")


def plain(line):
  """Without what differs each time: numbers, and the width of columns."""
  return " ".join(NUMBER.sub("0", line).split())


def is_whole(command):
  return run("bash", "-n", "-c", command, check=False).returncode == 0 and not command.endswith("\\")


def steps(kind, text):
  """The steps of a block of commands or of a console. A command goes on in the next line where bash
  says so."""
  found, is_open = [], False
  for line in text.splitlines():
    if is_open:
      found[-1].command += "\n" + line
    elif kind == "sh":
      found.append(Step(line, True))
    elif line.startswith("$ "):
      found.append(Step(line[2:], False))
    else:
      found[-1].wanted.append(line)
      continue
    is_open = not is_whole(found[-1].command)
  return found


def here(script, timeout_s):
  """Runs a script in the repository, on all CPUs; what it said. Jobs are as at a terminal, in groups of
  their own; those that are left end with it."""
  process = subprocess.Popen(["bash", "-c", f"set -m\n{script}"], text=True, cwd=REPOSITORY,
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    preexec_fn=lambda: os.sched_setaffinity(0, ALL_CPUS))
  try:
    return process.communicate(timeout=timeout_s)[0]
  finally:
    session_end(process.pid)
    process.wait()


def session_end(session):
  """Ends what is left of a session that was begun here."""
  for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    with contextlib.suppress(OSError):
      pid, rest = int(path.parent.name), path.read_text().rsplit(")", 1)[1].split()
      if int(rest[3]) == session:
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def files_removed(found):
  """Takes away the files that the steps name in /tmp and that were not there before."""
  names = {pathlib.Path(name) for step in found for name in re.findall(r"/tmp/[\w.-]+", step.command)}
  names = {path for path in names if not path.exists()}
  try:
    yield
  finally:
    for path in names:
      path.unlink(missing_ok=True)


def follow(found, timeout_s, run_script=here):
  """Runs the steps one after the other in one bash, and checks each."""
  script = "".join(f"{{ {step.command}\n}} 2>&1\nprintf '\\n{MARK}%d\\n' $?\n" for step in found)
  parts = re.split(rf"\n{MARK}(\d+)\n", run_script(script, timeout_s))
  expect(len(parts) == 2 * len(found) + 1, f"it ended within:\n{parts[-1]}")
  for step, said, status in zip(found, parts[::2], parts[1::2]):
    step.said, step.status = said, int(status)
    print(f"$ {step.command}\n{said}")
  for step in found:
    step.check()


def all_steps(heading):
  """All commands of a guide."""
  return [step for kind, text in blocks(heading) if kind in ("sh", "console") for step in steps(kind, text)]
