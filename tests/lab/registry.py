# SPDX-License-Identifier: BSD-3-Clause
"""The list of lab tests: one name, GROUP/FUNCTION.WIRE, for each function on each
kind of wire that it asks for."""

import collections

from lab import DRIVERS

EITHER = (True, False)

Test = collections.namedtuple("Test", "name function driver offloads tags relays router virtio")
tests = {}


def lab_test(drivers=DRIVERS, offloads=(True,), tags="", relays=(), router="", virtio=()):
  """Marks a lab test. drivers: those it runs on. offloads: with the veth's default offloads
  (True), with all of them off (False), or both. tags: none, or programs of vlan.bpf.c. relays: the
  wires that have one; router: the wire that has one; virtio: the wires that are one (lab.py)."""
  def mark(function):
    group = function.__module__.removeprefix("test_")
    for driver in drivers:
      for on in offloads:
        name = f"{group}/{function.__name__}.{driver}"
        if len(offloads) > 1:
          name += ".offloads-on" if on else ".offloads-off"
        tests[name] = Test(name, function, driver, on, tags, relays, router, virtio)
    return function
  return mark
