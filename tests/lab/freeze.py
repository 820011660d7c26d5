#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stops one thread of a process until standard input ends: freeze.py THREAD. Prints "stopped" once
it is. A signal would stop all threads; ptrace(2) stops one, and the kernel lets it go on when this
program ends, however that happens. It has to be a process of its own: a parent that traces its
child would see the stops where it waits for the end."""

import contextlib
import ctypes
import os
import sys

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_ptrace.restype = ctypes.c_long


def ptrace(request, thread):
  if _ptrace(request, thread, None, None) != 0:
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error))


def main(thread):
  ptrace(PTRACE_SEIZE, thread)
  ptrace(PTRACE_INTERRUPT, thread)
  os.waitpid(thread, WALL)
  print("stopped", flush=True)
  sys.stdin.read()
  with contextlib.suppress(ProcessLookupError):  # it was killed meanwhile
    ptrace(PTRACE_DETACH, thread)


if __name__ == "__main__":
  main(int(sys.argv[1]))
