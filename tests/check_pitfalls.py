#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the table of pitfalls in tests/README.md against the tests that there are.

  tests/check_pitfalls.py [--write]

A test named test_pitfall_N_... (unit) or pitfall_N_... (lab, scenario) belongs into row N of the table's
third column, which --write fills in. Whatever test the fourth column names must exist.
"""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent
README = TESTS / "README.md"
NUMBERS = range(1, 31)
ROW = re.compile(r"^\| (\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")


def unit_tests():
  """Names of test functions in C, one (FILE, NAME) each."""
  for path in sorted(TESTS.glob("unit/test_*.c")):
    for name in re.findall(r"^(test_\w+)\(void \*\*state\)", path.read_text(), re.MULTILINE):
      yield path.stem.removeprefix("test_"), name.removeprefix("test_")


def lab_tests():
  """The same of the lab."""
  for path in sorted(TESTS.glob("lab/test_*.py")):
    for name in re.findall(r"^@lab_test.*\n(?:[^d].*\n)*def (\w+)\(lab\)", path.read_text(),
        re.MULTILINE):
      yield path.stem.removeprefix("test_"), name


def scenarios():
  """Names of the simulator's scripts."""
  return (path.stem for path in TESTS.glob("sim/scenarios/*.txt"))


def all_tests():
  """Every test as the table names it, such as unit/splice/close, by its kind."""
  names = {f"{kind}/{group}/{name}" for kind, tests in (("unit", unit_tests()), ("lab", lab_tests()))
    for group, name in tests}
  names |= {f"fuzz/{path.stem.removeprefix('fuzz_')}" for path in TESTS.glob("fuzz/fuzz_*.c")}
  names |= {f"sim/{name}" for name in scenarios()}
  return names | {"sim"}


def numbered(names):
  """Tests by the number in their name."""
  found = {number: [] for number in NUMBERS}
  for name in sorted(names, key=lambda name: (not name.startswith("unit"), name)):
    number = re.search(r"/pitfall_(\d+)_", name)
    if number:
      found.setdefault(int(number[1]), []).append(name)
  return found


def cell(names):
  return ", ".join(f"`{name}`" for name in names) or "-"


def check(text, write):
  """The text with its third column filled in; and what is wrong."""
  names = all_tests()
  by_number = numbered(names)
  wrong, seen, lines = [], set(), []
  for line in text.splitlines():
    row = ROW.match(line)
    if row:
      number = int(row[1])
      seen.add(number)
      if row[3] != cell(by_number[number]) and not write:
        wrong.append(f"row {number}: the tests of this number are {cell(by_number[number])}")
      for name in re.findall(r"`([^`]+)`", row[4]):
        if not any(name in (known, known.rsplit("/", 1)[0]) for known in names):
          wrong.append(f"row {number}: there is no test {name}")
      line = f"| {number} | {row[2]} | {cell(by_number[number])} | {row[4]} |"
    lines.append(line)
  wrong += [f"row {number} is missing" for number in sorted(set(by_number) - seen)]
  return "\n".join(lines) + "\n", wrong


def main(arguments):
  if arguments not in ([], ["--write"]):
    print(__doc__)
    return 2
  text, wrong = check(README.read_text(), bool(arguments))
  if arguments:
    README.write_text(text)
  for line in wrong:
    print(f"tests/README.md: {line}; see tests/check_pitfalls.py --write", file=sys.stderr)
  return 1 if wrong else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
