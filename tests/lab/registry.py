# SPDX-License-Identifier: BSD-3-Clause
"""The list of lab tests: one name, GROUP/FUNCTION.WIRE, for each function on each
kind of wire that it asks for."""

import collections

from lab import DRIVERS

EITHER = (True, False)

Test = collections.namedtuple("Test", "name function driver offloads tags relays router virtio beside")
tests = {}


def lab_test(drivers=DRIVERS, offloads=(True,), tags="", relays=(), router="", virtio=(), beside=None):
  """Marks a lab test. drivers: those it runs on. offloads: with the veth's default offloads
  (True), with all of them off (False), or both. tags: none, or programs of vlan.bpf.c. relays: the
  wires that have one; router: the wire that has one; virtio: the wires that are one (lab.py).
  beside: it mostly waits, and some ms more or less are all the same to it, so that it may run beside
  others that may; what measures time, or loads the machine, has that to itself. Where it is not said,
  BESIDE of the module says it, or else it runs alone."""
  def mark(function):
    group = function.__module__.removeprefix("test_")
    may = function.__globals__.get("BESIDE", False) if beside is None else beside
    for driver in drivers:
      for on in offloads:
        name = f"{group}/{function.__name__}.{driver}"
        if len(offloads) > 1:
          name += ".offloads-on" if on else ".offloads-off"
        tests[name] = Test(name, function, driver, on, tags, relays, router, virtio,
          may)
    return function
  return mark
