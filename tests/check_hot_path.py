#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Looks for instructions that no packet should wait for, in the library as it was compiled.

usage: check_hot_path.py LIBRARY     one line per breach; exit status 1 when there is any
       check_hot_path.py --self-test compiles each kind of breach, and must see it

Atomics that lock a line, fences and divisions, in any function but those listed below, each of which
says why it may. A function that has lost its reason must leave the list. x86-64 only.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED = {
  "accept_ring_enter": "once per connection",
  "accept_ring_leave": "once per connection",
  "half_open_insert": "once per queued SYN; under a flood the queue is full",
  "half_open_remove": "once per queued SYN",
  "half_open_expire": "once per queued SYN",
  "as_if_syn": "monitor mode: once per SYN that would be queued",
  "as_if_prove": "monitor mode: once per connection",
  "as_if_forget": "monitor mode: once per connection",
  "as_if_tick": "monitor mode: once per connection and per SYN that would be queued",
  "turn_away": "monitor mode: once per connection that fails",
  "source_rule_make": "the control thread, once per reload",
  "egress_budget_take": "answers longer than their SYN, and resets: divides by a configured rate",
}

FUNCTION = re.compile(r"^[0-9a-f]+ <(\w+)[^>]*>:$")
BREACHES = (
  (re.compile(r"\tlock "), "atomic"),
  (re.compile(r"\txchg[bwlq]? .*\("), "atomic"),
  (re.compile(r"\t[lms]fence\b"), "fence"),
  (re.compile(r"\ti?div[bwlq]? "), "division"),
  (re.compile(r"\tv?div[sp][sd] "), "division"),
)


def breaches(library):
  """Pairs of function and what it has, as compiled; compilers' suffixes left off."""
  text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], check=True, text=True,
    stdout=subprocess.PIPE).stdout
  function, found = None, set()
  for line in text.splitlines():
    if match := FUNCTION.match(line):
      function = match[1]
      continue
    found.update((function, what) for pattern, what in BREACHES if pattern.search(line))
  return found


def check(library):
  found = breaches(library)
  lines = [f"{function}: {what}" for function, what in sorted(found) if function not in ALLOWED]
  lines += [f"{function}: listed in check_hot_path.py, and needs it no more"
    for function in sorted(ALLOWED.keys() - {function for function, _ in found})]
  return lines


def self_test():
  sources = {
    "atomic": "int f(int *p) { return __atomic_fetch_add(p, 1, __ATOMIC_RELAXED); }",
    "fence": "void f(void) { __builtin_ia32_mfence(); }",
    "division": "unsigned f(unsigned a, unsigned b) { return a / b; }",
  }
  status = 0
  for what, source in sources.items():
    with tempfile.TemporaryDirectory() as folder:
      target = pathlib.Path(folder, "f.o")
      subprocess.run(["cc", "-O2", "-msse2", "-c", "-x", "c", "-o", target, "-"], check=True, text=True,
        input=source)
      if ("f", what) not in breaches(target) or f"f: {what}" not in check(target):
        print(f"self-test: {what} was not seen")
        status = 1
  return status


def main(words):
  if words == ["--self-test"]:
    return self_test()
  if len(words) != 1:
    sys.exit(__doc__)
  lines = check(words[0])
  print("\n".join(lines), end="\n" if lines else "")
  return 1 if lines else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
