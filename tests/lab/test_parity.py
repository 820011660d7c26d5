# SPDX-License-Identifier: BSD-3-Clause
"""Sluice's queues against those of the kernel underneath, number by number; see parity.py."""

import parity
from lab import DRIVERS
from registry import lab_test

OVERFLOW_RELAYS = ("client", "server")
ONE_PER_SECOND = 1.0


@lab_test(drivers=DRIVERS[:1])
def reserve_with_cookies_off(lab):
  """Row 1: 97 half-open clients, the last quarter of tcp_max_syn_backlog is kept."""
  parity.flood_case(parity.FLOOD_ROWS[0], lab)


@lab_test(drivers=DRIVERS[:1])
def full_with_cookies_off(lab):
  """Row 2: 129 half-open clients, all others are dropped and counted."""
  parity.flood_case(parity.FLOOD_ROWS[1], lab)


@lab_test(drivers=DRIVERS[:1])
def cookies_beyond_129(lab):
  """Row 3: 129 half-open clients, all others are answered with cookies; users get through."""
  parity.flood_case(parity.FLOOD_ROWS[2], lab)


@lab_test(drivers=DRIVERS[:1])
def cookies_beyond_6(lab):
  """Row 4: the same with 6."""
  parity.flood_case(parity.FLOOD_ROWS[3], lab)


@lab_test(drivers=DRIVERS[:1])
def cookies_beyond_257(lab):
  """Row 5: the same with 257."""
  parity.flood_case(parity.FLOOD_ROWS[4], lab)


@lab_test(drivers=DRIVERS[:1], relays=OVERFLOW_RELAYS)
def overflow_silent(lab):
  """Ten clients, backlog 5, a server that never answers: eight believe to be connected."""
  parity.overflow_case(0, None, lab)


@lab_test(drivers=DRIVERS[:1], relays=OVERFLOW_RELAYS)
def overflow_silent_abort(lab):
  """The same with tcp_abort_on_overflow: two of them are reset."""
  parity.overflow_case(1, None, lab)


@lab_test(drivers=DRIVERS[:1], relays=OVERFLOW_RELAYS)
def overflow_slow(lab):
  """The same with a server that takes one client per second: in the end all are served."""
  parity.overflow_case(0, ONE_PER_SECOND, lab)


@lab_test(drivers=DRIVERS[:1], relays=OVERFLOW_RELAYS)
def overflow_slow_abort(lab):
  """The same with tcp_abort_on_overflow: each is served or reset."""
  parity.overflow_case(1, ONE_PER_SECOND, lab)
