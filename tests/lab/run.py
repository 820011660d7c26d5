#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs lab tests: run.py [--list] [--alone | --beside] [NAME...]. A NAME stands for every test that
contains it; --alone and --beside choose those that must run alone, or may run beside each other.
Exit status 0 when all passed. Needs root."""

import importlib
import pathlib
import signal
import sys
import time
import traceback

from lab import Lab
from registry import tests

HERE = pathlib.Path(__file__).parent
OPTIONS = {"--list", "--alone", "--beside"}


def load(names):
  """Registers the tests of those files that the names' groups need; all, unless each has one."""
  files = {HERE / f"test_{name.split('/')[0]}.py" for name in names}
  if not files or not all(path.exists() for path in files):
    files = HERE.glob("test_*.py")
  for path in sorted(files):
    importlib.import_module(path.stem)


def passes(test):
  """Runs one test; what went wrong is printed."""
  begin = time.monotonic()
  lab = Lab(test.driver, test.offloads, test.tags, test.relays, test.router, test.virtio)
  try:
    with lab:
      test.function(lab)
      lab.finish()
  except Exception:  # whatever a test runs into is a failure of that test
    print(f"FAILED {test.name} {time.monotonic() - begin:.1f} s")
    if lab.directory:
      print(lab.logs())
    traceback.print_exc(file=sys.stdout)  # last: the end is what is read
    return False
  else:
    print(f"ok {test.name} {time.monotonic() - begin:.1f} s")
    return True
  finally:
    if lab.directory:
      lab.remove_directory()
    sys.stdout.flush()


def main(arguments):
  if "--help" in arguments:
    print(__doc__)
    return 0
  if not OPTIONS.issuperset(argument for argument in arguments if argument.startswith("--")):
    print(__doc__, file=sys.stderr)
    return 2
  names = [argument for argument in arguments if argument not in OPTIONS]
  load(names)
  kinds = [kind for kind, option in ((False, "--alone"), (True, "--beside")) if option in arguments]
  chosen = [test for test in tests.values() if (not kinds or test.beside in kinds)
    and (not names or any(name in test.name for name in names))]
  if "--list" in arguments:
    print("\n".join(test.name for test in chosen))
    return 0
  if not chosen:
    print(f"no lab test is named {' or '.join(names)}; --list shows them", file=sys.stderr)
    return 2
  for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(128 + number))
  return 0 if all([passes(test) for test in chosen]) else 1


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
