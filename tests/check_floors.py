#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the floors: an #include points only downwards, and lib/ stays pure.

usage: check_floors.py [REPOSITORY]    one line per breach; exit status 1 when there is any
       check_floors.py --self-test     breaks each rule in a copy, and must see it

Floors, lowest first: base, net, table, then proxy and control side by side, then app. Nothing in
lib/ reads a clock or random bits, logs, or includes more of DPDK than headers and rings; only
lib/control allocates, and reads files and writes to streams it is given.
"""

import pathlib
import re
import shutil
import sys
import tempfile

FLOORS = {"lib/base": 0, "lib/net": 1, "lib/table": 2, "lib/proxy": 3, "lib/control": 3, "app": 4}
# What meson gives the compiler as -I, beside the folder of the including file.
INCLUDE_FOLDERS = ("lib", "lib/base")

# All of DPDK that works without its EAL.
DPDK_HEADERS = {"rte_ether.h", "rte_ip.h", "rte_tcp.h", "rte_vlan.h", "rte_byteorder.h",
  "rte_ring.h", "rte_rcu_qsbr.h"}
SYSTEM_HEADERS_FORBIDDEN = {"time.h", "sys/time.h", "sys/random.h", "syslog.h", "numa.h"}

CALLS_FORBIDDEN = {"clock_gettime", "gettimeofday", "time", "nanosleep", "usleep", "sleep",
  "getrandom", "getentropy", "rand", "random", "syslog", "printf", "puts", "putchar", "perror",
  "vprintf", "socket"}
CALLS_OF_CONTROL = {"malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf",
  "vasprintf", "aligned_alloc", "posix_memalign", "fprintf", "fputs", "fputc", "fwrite", "open", "fopen"}
# ensure_failed() says which expectation broke, and aborts.
EXCEPTIONS = {("lib/base/base.c", "fprintf"), ("lib/base/base.c", "fputs")}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
CALL = re.compile(r"(?<![\w.>])(\w+)[ \t]*\(")
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def floor_of(path):
  """The folder that is a floor, of a path relative to the repository; None outside."""
  parts = path.parts
  if parts[0] == "app":
    return "app"
  folder = "/".join(parts[:2])
  return folder if folder in FLOORS else None


def line_of(text, position):
  return text.count("\n", 0, position) + 1


def check_quoted(repository, file, name):
  """What is wrong with an #include "name" in the file, or None."""
  folders = [file.parent] + [pathlib.Path(folder) for folder in INCLUDE_FOLDERS]
  found = next((folder / name for folder in folders if (repository / folder / name).is_file()), None)
  if found is None:
    return f'"{name}" is nowhere to be found'
  target = floor_of(pathlib.Path(*(repository / found).resolve().relative_to(repository).parts))
  own = floor_of(file)
  if target is None:
    return f'"{name}" is on no floor'
  if FLOORS[target] > FLOORS[own]:
    return f'"{name}" points upwards, from {own} to {target}'
  if FLOORS[target] == FLOORS[own] and target != own:
    return f'"{name}" points sideways, from {own} to {target}'
  return None


def check_angled(file, name):
  """What is wrong with an #include <name> in a file of lib/, or None."""
  if name.startswith("rte_") and name not in DPDK_HEADERS:
    return f"<{name}> needs DPDK's EAL, or may"
  if name in SYSTEM_HEADERS_FORBIDDEN:
    return f"<{name}> has no place in lib/"
  if name == "jansson.h" and floor_of(file) != "lib/control":
    return "<jansson.h> allocates: only lib/control may"
  return None


def check_file(repository, file):
  """Breaches in one file, a path relative to the repository."""
  text = (repository / file).read_text()
  in_lib = file.parts[0] == "lib"
  for match in INCLUDE.finditer(text):
    quoted = match[1] == '"'
    wrong = check_quoted(repository, file, match[2]) if quoted else (
      check_angled(file, match[2]) if in_lib else None)
    if wrong:
      yield f"{file}:{line_of(text, match.start())}: {wrong}"
  if not in_lib:
    return
  forbidden = CALLS_FORBIDDEN | (set() if floor_of(file) == "lib/control" else CALLS_OF_CONTROL)
  code = COMMENT_OR_TEXT.sub(lambda match: "\n" * match[0].count("\n"), text)
  for match in CALL.finditer(code):
    if match[1] in forbidden and (str(file), match[1]) not in EXCEPTIONS:
      yield f"{file}:{line_of(code, match.start())}: calls {match[1]}(), not allowed in {floor_of(file)}"


def breaches(repository):
  """Every breach of the floors in a repository."""
  repository = repository.resolve()
  for folder in ("lib", "app"):
    for path in sorted((repository / folder).rglob("*.[chd]*")):
      if path.suffix in (".c", ".h", ".def"):
        yield from check_file(repository, path.relative_to(repository))


# File, line to add, and what must be said about it.
BREACHES = (
  ("lib/net/pkt.h", '#include "table/snapshot.h"', "points upwards, from lib/net to lib/table"),
  ("lib/base/base.c", '#include "net/tuple.h"', "points upwards, from lib/base to lib/net"),
  ("lib/proxy/worker.c", '#include "../../app/sluice/say.h"', "points upwards, from lib/proxy to app"),
  ("lib/proxy/worker.c", '#include "control/config.h"', "points sideways"),
  ("lib/control/config.c", '#include "proxy/worker.h"', "points sideways"),
  ("lib/table/snapshot.c", "#include <rte_hash.h>", "needs DPDK's EAL"),
  ("lib/net/cookie.c", "#include <time.h>", "has no place in lib/"),
  ("lib/table/snapshot.c", "void *leak(void) { return malloc(1); }", "calls malloc()"),
  ("lib/proxy/worker.c", "long now(void) { return time(NULL); }", "calls time()"),
  ("lib/control/config.c", 'void log_it(void) { printf("x"); }', "calls printf()"),
)


def self_test(repository):
  """Breaks each rule in a copy; how many breaches went unseen."""
  missed = 0
  with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder)
    for name in ("lib", "app"):
      shutil.copytree(repository / name, copy / name)
    if list(breaches(copy)):
      print("the copy has breaches before any is made")
      return 1
    for name, line, wanted in BREACHES:
      file = copy / name
      before = file.read_text()
      file.write_text(before + line + "\n")
      found = list(breaches(copy))
      file.write_text(before)
      if len(found) != 1 or wanted not in found[0] or not found[0].startswith(name):
        print(f"{name} with {line}: wanted {wanted!r}, found {found}")
        missed += 1
  print(f"{len(BREACHES) - missed} of {len(BREACHES)} breaches seen")
  return missed


def main(arguments):
  repository = pathlib.Path(__file__).resolve().parents[1]
  if arguments == ["--self-test"]:
    return 1 if self_test(repository) else 0
  if len(arguments) > 1 or arguments and arguments[0].startswith("-"):
    print(__doc__, file=sys.stderr)
    return 2
  found = list(breaches(pathlib.Path(arguments[0]) if arguments else repository))
  print("\n".join(found), end="\n" if found else "")
  return 1 if found else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
