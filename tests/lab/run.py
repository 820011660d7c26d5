#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs lab tests: run.py [--list] [NAME...]. A NAME stands for every test that contains it.
Exit status 0 when all passed. Needs root."""

import signal
import sys
import time
import traceback

import test_acks
import test_battery
import test_capture
import test_clients
import test_close
import test_control
import test_doctor
import test_early
import test_ecn
import test_exempt
import test_faults
import test_flood
import test_habits
import test_foreign
import test_large
import test_loss
import test_options
import test_overflow
import test_parity
import test_pmtu
import test_probe
import test_queue
import test_reload
import test_restart
import test_sluicectl
import test_spoofing
import test_start
import test_strays
import test_transfer
from lab import Lab
from registry import tests

MODULES = (test_transfer, test_close, test_options, test_ecn, test_loss, test_foreign, test_flood, test_battery, test_acks,
  test_faults,
  test_start, test_parity, test_queue, test_overflow, test_reload, test_control, test_sluicectl,
  test_doctor, test_strays, test_exempt, test_early, test_clients, test_habits,
  test_pmtu, test_probe, test_large, test_spoofing, test_capture, test_restart)


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
    traceback.print_exc(file=sys.stdout)
    if lab.directory:
      print(lab.logs())
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
  names = [argument for argument in arguments if argument != "--list"]
  chosen = [test for test in tests.values()
    if not names or any(name in test.name for name in names)]
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
